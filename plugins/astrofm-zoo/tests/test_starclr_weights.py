"""Folders of StarCLR become our model, tensor by tensor and answer by answer."""

import json
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from astrofm_zoo.starclr.published import import_weights
from astropy import units as u
from astropy.table import QTable, Table
from safetensors.torch import save_file

from astrofm import load_model, read
from astrofm.cli import main
from astrofm.data import Sample, collate
from astrofm.errors import DataError, ModelFileError, UnknownNameError
from astrofm.nn.plain import ExtraClassHead
from astrofm.nn.points import PointEncoder

sys.path.insert(0, str(Path(__file__).parent))
from starclr_fakes import CONFIG, checkpoints, cleaned, encoder, head, probabilities, write  # noqa: E402

#: instrument: folder, columns of value and time
SURVEYS = {"tess": ("tess", "Flux", "Time"), "ztf": ("ztf", "mag", "hmjd"),
           "gaia-epoch": ("gaia", "g_transit_flux", "g_transit_time")}
#: what each head reads, in its order
ORDER = {"tess": "period amplitude abs_g_mag bp_rp parallax", "ztf": "period amplitude bp_rp parallax parallax_err g_mag",
         "gaia-epoch": "parallax parallax_err bp_rp period amplitude g_mag"}
NUMBERS = {"period": 3.3, "amplitude": 0.31, "abs_g_mag": 4.2, "bp_rp": 0.8, "parallax": 1.5, "parallax_err": 0.02,
           "g_mag": 15.1}


def star(instrument, time, value, band=0, **meta):
    n = len(time)
    return Sample(instrument, np.asarray(time, float) - time[0], np.asarray(value, float), np.full(n, 0.01, np.float32),
                  np.zeros(n, bool), np.full(n, band, np.int16), {"id": "", **meta})


def stars(instrument, lengths=(37, 120, 64, 9), seed=0, **meta):
    random = np.random.default_rng(seed)
    level = 18.0 if instrument == "ztf" else 1e4
    made = []
    for k, length in enumerate(lengths):
        value = level * (1 + (0.01 if instrument == "ztf" else 0.2) * random.normal(size=length))
        value[length // 2] *= 1.5
        made.append(star(instrument, np.sort(random.uniform(0, 90, length)), value, id=f"{instrument}-{k}",
                         **{**NUMBERS, "period": 3.3 + k, **meta}))
    return made


def chances(table, label):
    return np.stack([np.asarray(table[name]) for name in table.colnames if name.startswith(f"{label}_probability_")], 1)


@pytest.mark.parametrize("instrument", SURVEYS)
def test_the_oracle(shared_data, instrument):
    folder = shared_data / "oracles" / "starclr"
    survey, value, time = SURVEYS[instrument]
    oracle = np.load(folder / survey / "oracle.npz")
    n = len(oracle["embedding"])
    given = [star(instrument, oracle[f"{k}/{time}"], oracle[f"{k}/{value}"], id=f"s{k}", **dict(zip(
        oracle["extras"].tolist(), oracle["extra_values"][k].tolist(), strict=True))) for k in range(n)]
    model = import_weights(folder)
    found = model.embed(given)
    spread = oracle["embedding"].std(axis=0)
    assert np.abs((found - oracle["embedding"]) / spread).max() < 2e-5
    assert np.abs(found - oracle["embedding"]).max() < 1e-5 * oracle["embedding"].std()
    if "probability" in oracle:
        table = model.predict(given)
        np.testing.assert_allclose(chances(table, f"{survey}_class"), oracle["probability"], atol=1e-6)
        assert table["id"].tolist() == [f"s{k}" for k in range(n)] and not any(table["flags"])
    model.to("cpu", precision="bfloat16")
    rounded = model.embed(given)
    cosine = (rounded * found).sum(1) / np.linalg.norm(rounded, axis=1) / np.linalg.norm(found, axis=1)
    assert (rounded != found).any() and cosine.min() > 0.9999
    if "probability" in oracle:
        np.testing.assert_allclose(chances(model.predict(given), f"{survey}_class"), oracle["probability"], atol=2e-3)


@pytest.mark.parametrize("instrument", SURVEYS)
def test_features_are_read_in_the_surveys_own_order(shared_data, tmp_path, instrument):
    oracle = np.load(shared_data / "oracles" / "starclr" / SURVEYS[instrument][0] / "oracle.npz")
    model = import_weights(checkpoints(tmp_path)[0])
    survey, value, time = SURVEYS[instrument]
    given = collate([star(instrument, oracle[f"{k}/{time}"], oracle[f"{k}/{value}"], **dict(zip(
        oracle["extras"].tolist(), oracle["extra_values"][k].tolist(), strict=True))) for k in range(4)])
    from astrofm.models.extras import extras_of, measured

    found = extras_of(model.core.parts, measured(model.core.parts, given, model.device))[survey]
    np.testing.assert_allclose(found, oracle["feature_order_values"], rtol=1e-5)


def test_sizes_are_those_of_the_layout():
    with torch.device("meta"):
        encoder = PointEncoder(dim=48, depth=3, heads=4, hidden=96, errors=False, bands=0, post=True)
        head = ExtraClassHead(dim=48, extras=[{"name": name} for name in ORDER["ztf"].split()], hidden=(2048, 1024, 512),
                              classes=[f"C{k}" for k in range(11)])
    assert sum(p.numel() for p in encoder.parameters()) == 57_072
    assert sum(p.numel() for p in head.parameters()) == 2_748_427


def test_every_tensor_of_a_whole_folder_comes_back(tmp_path):
    folder, tensors = checkpoints(tmp_path)
    model = import_weights(folder)
    for ours, theirs in ((model.encoder, "backbone"), *((model.heads[name], name) for name in ("tess", "ztf", "gaia"))):
        state = ours.state_dict()
        assert sum(x.numel() for x in state.values()) == sum(x.numel() for x in tensors[theirs].values())
        found, wanted = (np.sort(np.concatenate([x.numpy().ravel() for x in every.values()]))
                         for every in (state, tensors[theirs]))
        np.testing.assert_array_equal(found, wanted)


@pytest.mark.parametrize("instrument", SURVEYS)
def test_answers_are_those_of_a_second_forward_pass(tmp_path, instrument):
    folder, tensors = checkpoints(tmp_path)
    given, survey, embed = stars(instrument), SURVEYS[instrument][0], encoder(tensors["backbone"])
    model = import_weights(folder)
    found, table = model.embed(given), model.predict(given)
    for k, one in enumerate(given):
        days, value, amplitude = cleaned(survey, one.coordinate, one.value.astype(float))
        expected = embed(days, value).numpy()
        np.testing.assert_allclose(found[k], expected, atol=5e-5)
        numbers = {**one.meta, **({"amplitude": amplitude} if survey == "ztf" else {})}
        chance = probabilities(tensors[survey], expected, [numbers[name] for name in ORDER[instrument].split()])
        np.testing.assert_allclose(chances(table, f"{survey}_class")[k], chance, atol=2e-5)
        assert table[f"{survey}_class"][k] == f"{survey.upper()}{chance.argmax()}"
    assert table["id"].tolist() == [one.meta["id"] for one in given] and not any(table["flags"])


def test_surveys_are_mixed_and_rows_keep_their_order(tmp_path):
    model = import_weights(checkpoints(tmp_path)[0])
    mixed = [one for group in zip(*(stars(name) for name in SURVEYS), strict=True) for one in group]
    table = model.predict(mixed)
    assert table["id"].tolist() == [one.meta["id"] for one in mixed]
    alone = model.predict(mixed[1])
    assert table["ztf_class"][1] == alone["ztf_class"][0] != "" and table["tess_class"][1] == ""
    np.testing.assert_allclose(chances(table, "ztf_class")[1], chances(alone, "ztf_class")[0], atol=1e-5)
    assert np.isnan(chances(table, "gaia_class")[1]).all()


def test_it_saves_and_loads(tmp_path, capsys):
    folder, _ = checkpoints(tmp_path / "checkpoints")
    path = tmp_path / "starclr.safetensors"
    assert main(["import-weights", "starclr", str(folder), "-o", str(path)]) == 0
    told = capsys.readouterr().out
    assert "licence of the weights: MIT" in told and "2604.24516" in told
    assert main(["show", str(path)]) == 0
    told = capsys.readouterr().out
    assert "reads beside the embedding: period, bp_rp, parallax, parallax_err, g_mag" in told and "no grid" in told
    again, first = load_model(path), import_weights(folder)
    given = stars("ztf")
    np.testing.assert_array_equal(again.embed(given), first.embed(given))
    assert chances(again.predict(given), "ztf_class").tolist() == chances(first.predict(given), "ztf_class").tolist()
    assert "CN-122020279-A" in again.about["notes"] and len(again.about["provenance"]["sha256_backbone"]) == 64


def test_a_backbone_alone_and_one_head_alone(tmp_path):
    folder, _ = checkpoints(tmp_path, surveys=("tess", "gaia"))
    alone, one = import_weights(folder / "backbone"), import_weights(folder, instrument="gaia-epoch")
    assert not alone.heads and list(one.heads) == ["gaia"] and one.instruments == ("gaia-epoch",)
    np.testing.assert_array_equal(alone.embed(stars("gaia-epoch")), one.embed(stars("gaia-epoch")))
    with pytest.raises(DataError, match="not 'ztf'"):
        one.embed(stars("ztf")[0])
    with pytest.raises(ModelFileError, match="no head for 'ztf'"):
        import_weights(folder, instrument="ztf")
    with pytest.raises(DataError, match="not 'kepler'"):
        import_weights(folder, instrument="kepler")


def test_the_band_of_most_points_is_seen(tmp_path):
    model = import_weights(checkpoints(tmp_path)[0])
    red = stars("ztf")[1]
    red = replace(red, band=np.ones(len(red), np.int16))
    both = {name: np.concatenate([getattr(red, name), getattr(red, name)[:50]])
            for name in ("coordinate", "value", "error", "mask")}
    order = np.argsort(both["coordinate"], kind="stable")
    both = {name: array[order] for name, array in both.items()}
    both["value"] = both["value"] + np.where(order >= len(red), 1, 0).astype(np.float32)
    mixed = replace(red, **both, band=np.where(order >= len(red), 0, 1).astype(np.int16))
    np.testing.assert_allclose(model.embed(mixed), model.embed(red), atol=1e-6)


def test_extras_come_from_a_table_by_name(tmp_path):
    model = import_weights(checkpoints(tmp_path)[0])
    given = stars("tess")
    expected = model.predict(given)
    bare = [replace(one, meta={"id": one.meta["id"]}) for one in given]
    columns = {name: [one.meta[name] for one in given] for name in ORDER["tess"].split()}
    units = {"period": u.d, "abs_g_mag": u.mag, "bp_rp": u.mag, "parallax": u.mas}
    in_order = {**columns, "parallax": np.array(columns["parallax"]) / 1000 * u.arcsec}
    table = QTable({name: column * units.get(name, 1) for name, column in columns.items()})
    table["id"] = [one.meta["id"] for one in given]
    names = {"period": "Period", "amplitude": "Amp", "abs_g_mag": "M_G", "bp_rp": "BP-RP", "parallax": "Parallax"}
    theirs = Table({names[name]: column for name, column in reversed(columns.items())})
    for extras in (in_order, table[[2, 0, 3, 1]], theirs):
        found = model.predict(bare, extras=extras)
        np.testing.assert_allclose(chances(found, "tess_class"), chances(expected, "tess_class"), rtol=1e-5)
    fewer = model.predict(bare, extras=table[:3])
    assert fewer["flags"].tolist()[:3] == ["", "", ""] and fewer["tess_class"][3] == ""
    assert fewer["flags"][3].split(",")[0] == "missing:period"


def test_the_command_joins_extras_by_id(tmp_path, capsys):
    folder, _ = checkpoints(tmp_path / "checkpoints")
    import_weights(folder).save(tmp_path / "model.safetensors")
    time = 58200 + np.sort(np.random.default_rng(0).uniform(0, 90, 40))
    table = Table({"oid": np.repeat([7, 8], 20), "mjd": time, "mag": 18 + 0.1 * np.sin(time), "magerr": np.full(40, 0.02),
                   "catflags": np.zeros(40, int), "filtercode": ["zg"] * 40, "ra": np.repeat([10.0, 50.0], 20),
                   "dec": np.full(40, 5.0)})
    table.write(tmp_path / "curves.csv")
    command = ["predict", str(tmp_path / "curves.csv"), "-m", str(tmp_path / "model.safetensors"), "--no-progress"]
    assert main([*command, "-o", str(tmp_path / "bare.ecsv")]) == 1
    assert "reads 'period'" in Table.read(tmp_path / "bare.ecsv")["error"][0]
    extras = Table({name: [1.5, 2.5] for name in ("period", "bp_rp", "parallax", "parallax_err", "g_mag")})
    extras.write(tmp_path / "no_id.ecsv")
    assert main([*command, "--extras", str(tmp_path / "no_id.ecsv"), "-o", str(tmp_path / "out.ecsv")]) == 1
    assert "no column 'id'" in capsys.readouterr().err
    ids = [one.meta["id"] for one in read(tmp_path / "curves.csv")]
    extras["id"] = ids[::-1]
    extras.write(tmp_path / "extras.ecsv")
    assert main([*command, "--extras", str(tmp_path / "extras.ecsv"), "-o", str(tmp_path / "out.ecsv")]) == 0
    found = Table.read(tmp_path / "out.ecsv")
    assert [str(one) for one in found["id"]] == [str(one) for one in ids] and all(found["ztf_class"] != "")


def test_amplitude_of_ztf_is_measured(tmp_path):
    model = import_weights(checkpoints(tmp_path)[0])
    one, other = (model.predict(stars("ztf", amplitude=number)) for number in (0.1, 9.0))
    assert chances(one, "ztf_class").tolist() == chances(other, "ztf_class").tolist()
    listed = model.extras()
    ztf = listed[listed["head"] == "ztf"]
    assert ztf["name"].tolist() == ORDER["ztf"].split() and ztf["measured_by"].tolist().count("the model") == 1


def _without(name):
    return [replace(one, meta={key: item for key, item in one.meta.items() if key != name}) for one in stars("tess")]


@pytest.mark.parametrize(("given", "extras", "error", "words"), [
    (collate(_without("period")), None, DataError, "reads 'period' \\(d\\) of each star"),
    (collate([replace(one, meta={**one.meta, "perod": 1.0}) for one in _without("period")]), None, DataError,
     "Did you mean that by 'perod'"),
    (collate([replace(one, meta={**one.meta, "Period": 8.0}) for one in stars("tess")]), None, DataError,
     "names of one number"),
    (collate(stars("tess", period="long")), None, DataError, "'period' holds no numbers"),
    (stars("tess"), {"teff": [1, 2, 3, 4]}, UnknownNameError, "nothing of that name"),
    (stars("tess"), {"bprp": [1, 2, 3, 4], "period": [1, 2, 3, 4]}, UnknownNameError, "Did you mean that by 'bprp'"),
    (stars("tess"), {"period": [1, 2, 3]}, DataError, "3 rows, and there are more stars"),
    (stars("tess"), {"period": [1, 2, 3, 4, 5]}, DataError, "5 rows for 4 stars"),
    (stars("tess"), {"period": [1, 2, 3, 4], "bp_rp": [1, 2]}, DataError, "different numbers of rows"),
    (stars("tess"), {"id": ["a", "a"], "period": [1, 2]}, DataError, "two rows of id 'a'"),
    (stars("tess"), {"period": [1, 2, 3, 4] * u.mag}, DataError, "read in d"),
])
def test_wrong_extras_are_refused(tmp_path, given, extras, error, words):
    model = import_weights(checkpoints(tmp_path)[0])
    with pytest.raises(error, match=words):
        model.predict(given, extras=extras)


def test_a_star_without_an_extra_is_a_row_that_says_so(tmp_path):
    model = import_weights(checkpoints(tmp_path)[0])
    table = model.predict([stars("tess")[0], replace(stars("tess")[1], meta={**stars("tess")[1].meta, "bp_rp": None})])
    assert table["flags"].tolist() == ["", "missing:bp_rp"] and table["tess_class"].tolist()[1] == ""
    listed = model.predict(_without("period"))
    assert set(listed["flags"]) == {"not-read"} and "reads 'period'" in listed["error"][0]


def test_windows_are_averaged_and_none_is_the_published_way(tmp_path):
    folder, tensors = checkpoints(tmp_path)
    long = stars("tess", lengths=(300,), seed=4)[0]
    days, value, _ = cleaned("tess", long.coordinate, long.value.astype(float))
    embed = encoder(tensors["backbone"])
    np.testing.assert_allclose(import_weights(folder, window=None).embed(long), embed(days, value), atol=5e-5)
    n = len(days)
    parts = [embed(days[a:b] - days[a], value[a:b]).numpy() * (b - a) for a, b in ((0, n - n // 2), (n - n // 2, n))]
    np.testing.assert_allclose(import_weights(folder, window=200).embed(long), sum(parts) / n, atol=5e-5)


def _config(folder, **changes):
    (folder / "config.json").write_text(json.dumps({**json.loads((folder / "config.json").read_text()), **changes}))


def _tensors(folder, tensors):
    save_file(tensors, folder / "model.safetensors")


@pytest.mark.parametrize(("damage", "words"), [
    (lambda f, t: (f / "backbone" / "config.json").unlink(), "backbone has no config.json"),
    (lambda f, t: (f / "ztf" / "model.safetensors").unlink(), "ztf has no model.safetensors"),
    (lambda f, t: (f / "ztf" / "model.safetensors").rename(f / "ztf" / "pytorch_model.bin"), "pickles are not read"),
    (lambda f, t: (f / "backbone" / "config.json").write_text("[1]"), "a JSON list"),
    (lambda f, t: (f / "backbone" / "config.json").write_text("{"), "no JSON"),
    (lambda f, t: (f / "backbone" / "config.json").write_text(" " * 2_000_000), "longer than any"),
    (lambda f, t: (f / "backbone" / "model.safetensors").write_bytes(b"<html>"), "cannot be read"),
    (lambda f, t: (f / "backbone" / "model.safetensors").write_bytes(
        (f / "backbone" / "model.safetensors").read_bytes()[:-100]), "cannot be read"),
    (lambda f, t: _config(f / "backbone", hidden_size=3 * 10**8), "of another shape"),
    (lambda f, t: _config(f / "backbone", hidden_size=-3), "hidden_size = -3"),
    (lambda f, t: _config(f / "backbone", hidden_size="24"), "hidden_size = '24'"),
    (lambda f, t: _config(f / "backbone", num_attention_heads=5), "do not divide"),
    (lambda f, t: _config(f / "backbone", num_hidden_layers=10**8), "2 layers, and its config.json says"),
    (lambda f, t: _config(f / "backbone", intermediate_size=39), "of another shape"),
    (lambda f, t: _config(f / "backbone", hidden_act="swish_new"), "no StarCLR that is known"),
    (lambda f, t: _config(f / "backbone", position_embedding_type="relative_key"), "no StarCLR that is known"),
    (lambda f, t: _config(f / "backbone", layer_norm_eps="0"), "layer_norm_eps = '0'"),
    (lambda f, t: _config(f / "ztf", hidden_size=48), "do not belong together"),
    (lambda f, t: _config(f / "ztf", id2label={"0": "A", "2": "B"}), "does not number"),
    (lambda f, t: _config(f / "ztf", id2label={"0": "A", "1": "A"}), "a name of its own"),
    (lambda f, t: _config(f / "ztf", id2label={"0": "A", "1": "B"}), "of another shape"),
    (lambda f, t: _tensors(f / "ztf", {**t["ztf"], "more": torch.zeros(1)}), "has besides more"),
    (lambda f, t: _tensors(f / "ztf", {k: x for k, x in t["ztf"].items() if k != "score.bias"}), "lacks score.bias"),
    (lambda f, t: _tensors(f / "ztf", {k: x for k, x in head("tess", 24).items()}), "of another shape"),
    (lambda f, t: _tensors(f / "backbone", {k: x.int() for k, x in t["backbone"].items()}), "finite numbers"),
    (lambda f, t: _tensors(f / "backbone", {k: x * torch.nan for k, x in t["backbone"].items()}), "finite numbers"),
    (lambda f, t: _tensors(f / "backbone", {**t["backbone"], "bert.embeddings.LayerNorm.bias": torch.zeros(3, 3)}),
     "of another shape"),
    (lambda f, t: _tensors(f / "backbone", {**t["backbone"], "bert.encoder.layer.0.attention.self.key.bias": torch.zeros(3)}),
     "not of one shape"),
])
def test_a_damaged_folder_is_refused(tmp_path, damage, words):
    folder, tensors = checkpoints(tmp_path)
    damage(folder, tensors)
    with pytest.raises(ModelFileError, match=words):
        import_weights(folder)


def test_no_folder_at_all_is_refused(tmp_path):
    with pytest.raises(ModelFileError, match="has no config.json"):
        import_weights(tmp_path / "nowhere")


def test_sizes_are_read_off_the_configuration(tmp_path):
    config = {**CONFIG, "hidden_size": 32, "num_hidden_layers": 3, "num_attention_heads": 4, "intermediate_size": 20}
    folder, tensors = checkpoints(tmp_path, config=config)
    write(folder / "ztf", json.loads((folder / "ztf" / "config.json").read_text()), head("ztf", 32, hidden=(20, 10, 7)))
    model = import_weights(folder)
    assert model.dim == 32 and len(model.encoder.blocks) == 3 and model.heads["ztf"].arguments["hidden"] == [20, 10, 7]
    given = stars("tess")[0]
    days, value, _ = cleaned("tess", given.coordinate, given.value.astype(float))
    np.testing.assert_allclose(model.embed(given), encoder(tensors["backbone"], config)(days, value), atol=5e-5)
