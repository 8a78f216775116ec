"""Probes in closed form, low-rank adapters and full fine-tuning learn, keep within their places, and are saved."""

import copy

import numpy as np
import pytest
import torch
from astropy import units as u
from astropy.table import QTable, Table
from torch import nn

from astrofm.errors import DataError, ModelFileError
from astrofm.models import Model
from astrofm.models.probe import probe
from astrofm.nn.lowrank import LowRank, insert, load_adapters, merge, save_adapters


@pytest.fixture
def stars(instruments):
    """200 spectra whose slope is a label, with errors."""
    instrument = instruments["wide"]
    random = np.random.default_rng(0)
    slope, error = random.uniform(-1, 1, 200), 0.02
    wave = instrument.wavelength()
    x = (wave - wave.mean()) / np.ptp(wave)
    flux = 1 + slope[:, None] * x + 0.1 * np.sin(8 * x) + error * random.normal(size=(200, len(wave)))
    batch = instrument.batch(flux.astype(np.float32), np.full(flux.shape, error, np.float32), np.zeros(flux.shape, bool),
                             {"id": [f"star-{k}" for k in range(200)]})
    logg = 4 + slope + 0.05 * random.normal(size=200)
    return batch, QTable({"logg": logg * u.dex, "logg_err": np.full(200, 0.05) * u.dex})


def weights(model):
    return {name: x.clone() for name, x in model._parts.state().items()}


@pytest.mark.parametrize("method", ["probe", "lora", "full"])
def test_every_method_learns_and_leaves_the_model_as_it_was(method, model, stars):
    batch, labels = stars
    shifted = QTable({"logg": labels["logg"] - 1 * u.dex})  # as if another survey had taught it
    model = model.fit(batch[:150], shifted[:150])
    before = weights(model)
    fitted = model.fit(batch[:150], labels[:150], method=method, places=["encoder", "projection", "head"])
    table = fitted.predict(batch[150:])
    off = (table["logg"] - labels["logg"][150:]).value
    assert abs(np.median(off)) < 0.3 and np.std(off) < 0.6 * np.std(labels["logg"].value)
    assert 0.3 < np.mean(np.abs(off) < table["logg_err"].value) < 0.98
    assert all(torch.equal(x, before[name]) for name, x in weights(model).items())
    assert fitted.about["provenance"]["method"] == method and fitted.about["provenance"]["fitted_from"] == model.sha256


@pytest.mark.parametrize(("places", "changed"), [(["encoder"], {"encoder"}), (["projection"], {"aligner"}),
                                                 (["projection", "head"], {"aligner", "heads"})])
@pytest.mark.parametrize("method", ["lora", "full"])
def test_only_the_places_that_are_named_change(method, places, changed, model, stars):
    batch, labels = stars
    start = model.fit(batch[:100], QTable({"logg": labels["logg"][:100] - 1 * u.dex}))
    fitted = start.fit(batch[:100], labels[:100], method=method, places=places, rank=2)
    before, after = weights(start), weights(fitted)
    different = {name.split(".")[0] for name in before if name in after and not torch.equal(before[name], after[name])}
    assert different == changed
    assert set(fitted.heads) == {"fitted"} and fitted.about["provenance"]["heads"] == ["fitted"]


def test_adapters_alone_make_the_model_again(model, stars, tmp_path):
    batch, labels = stars
    fitted = model.fit(batch, labels, method="lora", places=["encoder", "projection", "head"], rank=2)
    folder = fitted.save_adapter(tmp_path / "adapter")
    base = Model.load(model.save(tmp_path / "base.safetensors"))
    again = base.with_adapter(folder)
    np.testing.assert_allclose(again.predict(batch)["logg"].value, fitted.predict(batch)["logg"].value, rtol=1e-5)
    np.testing.assert_allclose(again.predict(batch)["logg_err"].value, fitted.predict(batch)["logg_err"].value, rtol=1e-5)
    whole = Model.load(fitted.save(tmp_path / "whole.safetensors"))
    np.testing.assert_array_equal(whole.predict(batch)["logg"], fitted.predict(batch)["logg"])
    with pytest.raises(ModelFileError, match="belongs to the model"):
        fitted.with_adapter(folder)
    with pytest.raises(DataError, match="no adapters to save"):
        model.save_adapter(tmp_path / "none")
    (folder / "adapter_model.safetensors").write_bytes(b"x")
    with pytest.raises(ModelFileError, match="holds no low-rank adapters"):
        base.with_adapter(folder)


@pytest.mark.parametrize("method", ["lora", "full"])
def test_classes_are_learned_through_the_weights(method, model, stars, tmp_path):
    batch, labels = stars
    kinds = Table({"kind": np.where(labels["logg"].value > 4, "giant", "dwarf")})
    before = weights(model)
    fitted = model.fit(batch[:150], kinds[:150], method=method, places=["encoder", "projection", "head"], rates=[1e-3])
    after = weights(fitted)
    different = {name.split(".")[0] for name in before if name in after and not torch.equal(before[name], after[name])}
    assert {"encoder", "aligner"} <= different, "what lies under the head learns, too"
    assert all(torch.equal(x, before[name]) for name, x in weights(model).items())
    assert np.mean(np.asarray(fitted.predict(batch[150:])["kind"]) == kinds["kind"][150:]) > 0.8
    assert fitted.about["provenance"]["heads"] == ["kind"] and fitted.about["provenance"]["method"] == method
    answer = fitted.classify(batch[150:])
    assert {"kind_set", "kind_p_value"} <= set(answer.colnames)
    if method == "lora":
        again = model.with_adapter(fitted.save_adapter(tmp_path / "adapter")).classify(batch[150:])
        np.testing.assert_allclose(again["kind_p_value"], answer["kind_p_value"], atol=1e-6)
        assert list(again["kind_set"]) == list(answer["kind_set"])


@pytest.mark.parametrize(("arguments", "words"), [
    ({"method": "magic"}, "method is one of head, probe, lora, full"),
    ({"method": "lora", "places": ["decoder"]}, "places are of"), ({"method": "lora", "places": []}, "places are of"),
    ({"method": "lora", "rank": 10_000}, "as wide as the rank"),
    ({"method": "probe", "head": "posterior"}, "posterior is learned by"), ({"head": "magic"}, "head is one of"),
])
def test_what_is_no_method_or_place_is_refused(arguments, words, model, stars):
    batch, labels = stars
    with pytest.raises(DataError, match=words):
        model.fit(batch[:60], labels[:60], **arguments)


def test_errors_of_labels_convert_and_may_not_be_negative(model, stars):
    batch, labels = stars
    kelvin = QTable({"teff": 5000 * u.K * np.linspace(0.8, 1.2, 60), "teff_err": np.full(60, 0.1) * u.kK})
    assert [label["name"] for label in model.fit(batch[:60], kelvin, method="probe").about["labels"]] == ["teff"]
    kelvin["teff_err"] = np.full(60, 0.1) * u.km
    with pytest.raises(DataError, match="teff_err is in km"):
        model.fit(batch[:60], kelvin)
    with pytest.raises(DataError, match="negative"):
        model.fit(batch[:60], QTable({"logg": labels["logg"][:60], "logg_err": -labels["logg_err"][:60]}))


def test_the_probe_is_ridge_regression_and_its_errors_those_of_stars_left_out():
    random = np.random.default_rng(3)
    x = random.normal(size=(80, 12)) @ np.diag(np.logspace(0, -2, 12))
    y = x @ random.normal(size=12) + 3 + 0.1 * random.normal(size=80)
    told = [{"name": "logg", "centre": 0.0, "spread": 1.0}]
    head, off = probe(x, told, y[:, None], np.full((80, 1), np.nan))
    with torch.inference_mode():
        read = head.read(torch.from_numpy(x).float())
    assert float(read["logg_err"][0]) == pytest.approx(0.1, rel=0.35)
    for row in (0, 17, 63):  # leaving the star out by hand, at any strength, is no better than what was told
        others = np.arange(80) != row
        centred = x[others] - x[others].mean(0)
        left_out = [y[row] - y[others].mean() - (x[row] - x[others].mean(0)) @ np.linalg.solve(
            centred.T @ centred + strength * np.eye(12), centred.T @ (y[others] - y[others].mean()))
            for strength in np.logspace(-8, 2, 41) * np.linalg.norm(x - x.mean(0), 2) ** 2]
        told_off = off[row, 0] * float(read["logg_err"][0])
        assert np.abs(np.array(left_out) - told_off).min() < 0.01


def test_the_probe_of_fewer_stars_than_dimensions_says_how_far_off_it_is():
    random = np.random.default_rng(4)
    x = random.normal(size=(560, 200)) @ np.diag(np.logspace(0, -3, 200))
    y = (x @ (random.normal(size=200) / np.logspace(0, -1, 200)) + 0.3 * random.normal(size=560))[:, None]
    told = [{"name": "logg", "centre": 0.0, "spread": 1.0}]
    for given in (np.nan, 0.5):  # the second are too large for what they are
        head, off = probe(x[:60], told, y[:60], np.full((60, 1), given))
        with torch.inference_mode():
            read = head.read(torch.from_numpy(x[60:]).float())
        away = np.asarray(read["logg"], float) - y[60:, 0]
        assert away.std() < 0.6 * y.std() and np.isfinite(off).all()
        assert (0.7 if np.isnan(given) else 0.35) < float(read["logg_err"][0]) / away.std() < 1.4


def test_stars_with_large_errors_count_less_in_the_probe():
    random = np.random.default_rng(4)
    x = random.normal(size=(200, 3))
    error = np.where(np.arange(200) < 100, 0.01, 3.0)
    y = x @ [1.0, -2.0, 0.5] + error * random.normal(size=200)
    told = [{"name": "logg", "centre": 0.0, "spread": 1.0}]
    with_errors, without = (probe(x, told, y[:, None], given[:, None])[0].layer.weight[0].detach().numpy()
                            for given in (error, np.full(200, np.nan)))
    truth = np.array([1.0, -2.0, 0.5])
    assert np.abs(with_errors - truth).max() < 0.02 < 0.5 * np.abs(without - truth).max()


def test_an_adapter_starts_as_nothing_and_merges_exactly():
    torch.manual_seed(0)
    net = nn.Sequential(nn.Linear(8, 16), nn.GELU(), nn.Linear(16, 4))
    x, plain = torch.randn(5, 8), copy.deepcopy(net)
    adapters = insert(net, rank=2, alpha=4.0)
    assert set(adapters) == {"0", "2"} and isinstance(net[0], LowRank)
    torch.testing.assert_close(net(x), plain(x))
    with torch.no_grad():
        for one in adapters.values():
            one.up.normal_()
    changed = net(x)
    torch.testing.assert_close(nn.functional.linear(x, net[0].weight, net[0].bias), net[0](x))
    merge(net)
    assert type(net[0]) is nn.Linear
    torch.testing.assert_close(net(x), changed, rtol=1e-4, atol=1e-5)


def test_adapters_are_peft_s(tmp_path):
    peft = pytest.importorskip("peft")
    torch.manual_seed(0)
    base = nn.ModuleDict({"encoder": nn.Sequential(nn.Linear(8, 16), nn.GELU(), nn.Linear(16, 4))})

    def run(module, x):
        return module["encoder"](x)

    x, ours = torch.randn(5, 8), copy.deepcopy(base)
    adapters = insert(ours, rank=2, alpha=6.0)
    with torch.no_grad():
        for one in adapters.values():
            one.up.normal_()
    save_adapters(adapters, tmp_path / "ours")
    theirs = peft.PeftModel.from_pretrained(copy.deepcopy(base), tmp_path / "ours")
    torch.testing.assert_close(run(theirs.base_model.model, x), run(ours, x))
    theirs.save_pretrained(tmp_path / "theirs")
    again = copy.deepcopy(base)
    load_adapters(again, tmp_path / "theirs")
    torch.testing.assert_close(run(again, x), run(ours, x))
