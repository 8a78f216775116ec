"""SpecCLIP's published heads, and its checkpoints by name: read as they are laid out, or refused in words."""

import hashlib
import json

import numpy as np
import pytest
import specclip_fakes as fakes
import torch
from astrofm_zoo import FILES
from astrofm_zoo.specclip.published import import_weights
from astropy.utils import data as astropy_data
from torch import nn

import astrofm
from astrofm.cli import main
from astrofm.errors import DataError, ModelFileError
from astrofm.models import Model, store

DIM = 48


def published(dim=DIM, hidden=(32, 16, 8), seed=0):
    """Give a head in the published layout, and the network itself."""
    torch.manual_seed(seed)
    layers = []
    for low, high in zip((dim, *hidden[:-1]), hidden, strict=True):
        layers += [nn.Linear(low, high), nn.BatchNorm1d(high), nn.ReLU(), nn.Dropout(0.1)]
    network = nn.Sequential(*layers, nn.Linear(hidden[-1], 1))
    for layer in network:
        if isinstance(layer, nn.BatchNorm1d):
            layer.running_mean.normal_(), layer.running_var.uniform_(0.5, 2.0)
    return {"model_state_dict": {f"network.{name}": x for name, x in network.state_dict().items()}}, network.eval()


@pytest.fixture
def files(tmp_path):
    """Write a checkpoint, a head and its statistics."""
    whole, network = published()
    torch.save(fakes.checkpoint("pr"), tmp_path / "pr.ckpt")
    torch.save(whole, tmp_path / "feh.pt")
    random = np.random.default_rng(0)
    stats = {"mean": random.normal(size=DIM).tolist(), "std": random.uniform(0.5, 2, DIM).tolist()}
    (tmp_path / "feh_mean_std.json").write_text(json.dumps(stats))
    return tmp_path, network, stats


def test_a_published_head_gives_the_published_label_and_no_error(files, capsys):
    folder, network, stats = files
    assert main(["import-weights", "specclip", str(folder / "pr.ckpt"), "-o", str(folder / "m.safetensors"), "--instrument",
                 "gaia-xp", "--head", f"fe_h={folder / 'feh.pt'},{folder / 'feh_mean_std.json'}",
                 "--head", f"mg_fe={folder / 'feh.pt'},none"]) == 0
    model = Model.load(folder / "m.safetensors")
    star = astrofm.registry.get_instrument("gaia-xp").example(0)
    embedding = torch.from_numpy(model.embed(star)[None])
    with torch.no_grad():
        expected = network((embedding - torch.tensor(stats["mean"])) / torch.tensor(stats["std"]))
        plain = network(embedding)
    table = model.predict([star])
    assert float(table["fe_h"][0].value) == pytest.approx(float(expected), rel=1e-4)
    assert float(table["mg_fe"][0].value) == pytest.approx(float(plain), rel=1e-4)
    assert table["fe_h"].unit == "dex" and np.isnan(table["fe_h_err"][0])
    whole = import_weights(folder / "pr.ckpt")
    np.testing.assert_array_equal(whole.embed(star), model.embed(star))
    with pytest.raises(DataError, match="gaia-xp"):
        model.embed(astrofm.registry.get_instrument("lamost-lrs").example(0))


def test_a_head_without_a_word_on_the_statistics_of_its_inputs_is_refused(files, capsys):
    folder = files[0]
    assert main(["import-weights", "specclip", str(folder / "pr.ckpt"), "-o", str(folder / "m.safetensors"), "--instrument",
                 "gaia-xp", "--head", f"mg_fe={folder / 'feh.pt'}"]) == 1
    assert "say LABEL=FILE,STATS" in capsys.readouterr().err and not (folder / "m.safetensors").exists()


@pytest.mark.parametrize(("change", "message"), [
    ({"instrument": None}, "say which of lamost-lrs and gaia-xp"), ({"label": "feh"}, "label is one of"),
    ({"file": "posterior.pkl"}, "is a program and is not read.*posterior"), ({"stats": "short"}, "48 positive ones"),
    ({"stats": "none"}, "does not give 'mean'"), ({"layout": "width"}, "does not read 48 numbers"),
    ({"layout": "extra"}, "not laid out"), ({"layout": "other"}, "no 'model_state_dict'")])
def test_heads_that_are_not_what_they_should_be_are_refused(files, change, message):
    folder = files[0]
    whole, _ = published(dim=7) if change.get("layout") == "width" else published()
    if change.get("layout") == "extra":
        whole["model_state_dict"]["network.99.bias"] = torch.zeros(3)
    torch.save({"state": 1} if change.get("layout") == "other" else whole, folder / "head.pt")
    stats = {"short": {"mean": [1.0], "std": [1.0]}, "none": {}}.get(change.get("stats"))
    if stats is not None:
        (folder / "stats.json").write_text(json.dumps(stats))
    told = (folder / change.get("file", "head.pt"), folder / "stats.json" if stats is not None else None)
    with pytest.raises(ModelFileError, match=message):
        import_weights(folder / "pr.ckpt", heads={change.get("label", "fe_h"): told},
                       instrument=change.get("instrument", "gaia-xp"))


@pytest.mark.parametrize("name", list(FILES))
def test_a_checkpoint_that_nobody_pinned_says_licence_place_and_what_to_type(name):
    with pytest.raises(ModelFileError, match=f"licence: MIT.*{name}@REVISION#sha256="):
        astrofm.load_model(name)


@pytest.fixture
def hub(tmp_path, monkeypatch):
    """Serve a small checkpoint as the hub would."""
    path = tmp_path / "served.ckpt"
    torch.save(fakes.checkpoint("pr"), path)
    asked = []

    def download_file(address, **more):
        asked.append(address)
        return str(path)

    monkeypatch.setattr(astropy_data, "download_file", download_file)
    monkeypatch.setattr(store, "_LOADED", {})
    return asked, hashlib.sha256(path.read_bytes()).hexdigest()


def test_a_pinned_name_downloads_that_revision_checks_it_and_shows_the_licence(hub, capsys):
    asked, sha256 = hub
    model = astrofm.load_model(f"specclip-pr@0a1b2c#sha256={sha256}")
    assert asked == ["https://huggingface.co/astroshawn/SpecCLIP/resolve/0a1b2c/specclip/specclip_model_predrecon_mlp.ckpt"]
    assert model.about["license"] == "MIT" and model.about["provenance"]["sha256"] == sha256
    told = capsys.readouterr()
    assert "licence MIT; please cite arXiv:2507.01939" in told.out + told.err
    assert astrofm.load_model(f"specclip-pr@0a1b2c#sha256={sha256}") is model
    assert main(["show", f"specclip-pr@0a1b2c#sha256={sha256}"]) == 0


def test_another_file_than_the_pinned_one_is_not_kept(hub, monkeypatch):
    cleared = []
    monkeypatch.setattr(astropy_data, "clear_download_cache", lambda address, **more: cleared.append(address))
    with pytest.raises(ModelFileError, match="it was not kept"):
        astrofm.load_model(f"specclip-pr@0a1b2c#sha256={'0' * 64}")
    assert len(cleared) == 1


def test_offline_it_says_what_to_do(monkeypatch):
    def offline(address, **more):
        raise OSError("no route to host")

    monkeypatch.setattr(astropy_data, "download_file", offline)
    with pytest.raises(ModelFileError, match="download it elsewhere and say `astrofm import-weights specclip FILE -o MODEL`"):
        astrofm.load_model(f"specclip-pr@0a1b2c#sha256={'0' * 64}")
    with pytest.raises(ModelFileError, match="specclip_model_base.ckpt cannot be .* And .*specclip_mlp.ckpt cannot be"):
        astrofm.load_model(f"specclip-base@0a1b2c#sha256={'0' * 64}")


def test_a_file_that_is_listed_under_two_names_is_found_under_the_second(hub, monkeypatch):
    asked, sha256 = hub
    found = astropy_data.download_file

    def second(address, **more):
        if address.endswith("specclip_model_base.ckpt"):
            raise OSError("404")
        return found(address, **more)

    monkeypatch.setattr(astropy_data, "download_file", second)
    astrofm.load_model(f"specclip-base@0a1b2c#sha256={sha256}")
    assert asked == ["https://huggingface.co/astroshawn/SpecCLIP/resolve/0a1b2c/specclip/specclip_mlp.ckpt"]
