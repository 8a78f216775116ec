"""Folders of SpectraFM and of Leung & Bovy's model become our models, tensor by tensor and answer by answer."""

import json
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from astrofm_zoo.spectrafm.published import import_weights as import_spectrafm
from astrofm_zoo.stars.published import import_weights as import_stars
from astropy import units as u
from astropy.nddata import StdDevUncertainty
from astropy.table import Table

from astrofm import load_model
from astrofm.compat import Spectrum
from astrofm.data import Batch
from astrofm.errors import DataError, ModelFileError, UnknownNameError
from astrofm.nn.asking import AskedNames, AskedNumbers
from astrofm.nn.pixels import PixelTokens
from astrofm.nn.quantities import NamedQuantities

sys.path.insert(0, str(Path(__file__).parent))
from perceptron_fakes import forward, spectrafm_folder, stars_folder  # noqa: E402


def count(*parts):
    return sum(p.numel() for part in parts for p in part.parameters())


def spread(found, expected):
    return np.abs((found - expected) / expected.std(axis=0)).max()


def columns(table, names):
    return np.stack([np.asarray(table[name.replace("_error", "_err")], float) for name in names], axis=1)


def test_sizes_are_the_published_ones():
    labels = [{"name": name} for name in ("teff", "logg", "o_fe", "mg_fe", "fe_h")]
    quantities = [{"name": f"q{k}"} for k in range(118)]
    with torch.device("meta"):
        encoder = PixelTokens(asked=[label["name"] for label in labels], pixels=7514, rows=7520, label_row=7515)
        aligner, head = AskedNames(source_dim=256, asked=5, hidden=(2048, 1024, 512)), AskedNumbers(
            dim=5 * 256, labels=labels, hidden=(2048, 1024, 512, 256))
        stars = NamedQuantities(quantities=quantities)
        stars_parts = (AskedNames(source_dim=128, asked=118, hidden=(3096, 1548, 774)),
                       AskedNumbers(dim=118 * 128, labels=quantities, hidden=(3096, 1548, 774, 387)))
    assert count(encoder, aligner, head) == 11_870_722
    assert count(encoder) - count(encoder.blocks[1]) == 5_165_824, "what learns when decoder and second block are frozen"
    assert count(stars, *stars_parts) == 8_845_529
    assert count(stars, *stars_parts) - count(stars.table) == 8_815_065


def test_the_oracle_of_leung_and_bovy(shared_data):
    folder = shared_data / "oracles" / "lb23"
    oracle = np.load(folder / "oracle.npz")
    model = import_stars(folder)
    given = dict(zip(oracle["tokens"].tolist(), oracle["inputs"].T, strict=True))
    answer = model.request(given, oracle["request"].tolist())
    assert spread(columns(answer, oracle["columns"].tolist()), oracle["outputs"]) < 1e-4


def spectrafm_oracle(shared_data):
    """Give the model of the oracle, its batch as the default takes it, and what the published code answers."""
    folder = shared_data / "oracles" / "spectrafm"
    oracle = np.load(folder / "oracle.npz")
    wave = np.linspace(15152.2, 16940.0, 300)
    np.testing.assert_allclose(wave[oracle["pixel"]], oracle["wavelength"])
    value, mask = np.zeros((len(oracle["inputs"]), 300), np.float32), np.ones((len(oracle["inputs"]), 300), bool)
    value[:, oracle["pixel"]] = np.nan_to_num(oracle["inputs"])
    mask[:, oracle["pixel"]] = np.isnan(oracle["inputs"])
    batch = Batch("apogee", wave, value, np.full_like(value, 0.01), mask, meta={"id": [""] * len(value)})
    return import_spectrafm(folder, wavelength=wave), batch, [name.lower() for name in oracle["columns"]], oracle["outputs"]


def test_the_oracle_of_spectrafm(shared_data, tmp_path):
    model, batch, names, expected = spectrafm_oracle(shared_data)
    assert spread(columns(model.predict(batch), names), expected) < 1e-4
    again = load_model(model.save(tmp_path / "spectrafm.safetensors"))
    assert spread(columns(again.predict(batch), names), expected) < 1e-4
    assert again.encoder.keeps_float32, "so it is on processors with bfloat16, too"


def test_spectra_of_the_pixels_of_spectrafm_get_the_same_answers(shared_data):
    model, batch, names, expected = spectrafm_oracle(shared_data)
    spectra = [Spectrum(spectral_axis=batch.coordinate * u.AA, flux=value.astype(float) * u.one, mask=mask,
                        uncertainty=StdDevUncertainty(error.astype(float)),
                        meta={"instrument": "apogee", "normalised": True, "medium": "vacuum"})
               for value, error, mask in zip(batch.value, batch.error, batch.mask, strict=True)]
    answer = model.predict(spectra)
    assert not any("not-read" in flags for flags in answer["flags"])
    assert spread(columns(answer, names), expected) < 1e-4


def test_pixels_that_a_batch_lacks_are_told(shared_data):
    model, batch, _, _ = spectrafm_oracle(shared_data)
    few = replace(batch, coordinate=batch.coordinate[::2], value=batch.value[:, ::2], error=batch.error[:, ::2],
                  mask=batch.mask[:, ::2])
    with pytest.raises(DataError, match="150 of them are not among these 150, .*hand over the spectra with all their pixels"):
        model.predict(few)


def test_every_tensor_of_a_whole_folder_comes_back(tmp_path):
    folder, state = stars_folder(tmp_path / "stars", prefix="module.")
    model = import_stars(folder)
    parts = {"encoder": model.encoder, "aligner": model.aligner, "head": model.heads["labels"]}
    ours = {f"{place}.{name}": x for place, part in parts.items() for name, x in part.state_dict().items()}
    assert sum(x.numel() for x in ours.values()) == sum(x.numel() for x in state.values())
    assert sorted(float(x.double().sum()) for x in ours.values()) == sorted(float(x.double().sum()) for x in state.values())


def test_answers_are_those_of_a_second_forward_pass(tmp_path):
    folder, state = stars_folder(tmp_path / "stars")
    model = import_stars(folder)
    config = json.loads((folder / "config.json").read_text())
    names, random = config["tokenizer_config"]["vocabs"], np.random.default_rng(1)
    value = random.normal(size=(5, len(names)))
    value[random.random(value.shape) < 0.6] = np.nan
    asked = ["teff", "bp3", "m_h"]
    expected = forward(state, config, value, [names.index(name) + 1 for name in asked])
    answer = model.request(dict(zip(names, value.T, strict=True)), asked)
    found = columns(answer, [*asked, *(f"{name}_err" for name in asked)])
    np.testing.assert_allclose(found, expected, rtol=2e-4, atol=1e-5)


def test_order_and_absence_change_nothing(tmp_path):
    model = import_stars(stars_folder(tmp_path / "stars")[0])
    given = {"teff": [4800.0, 5100.0] * u.K, "jk": [0.6, np.nan] * u.mag, "bp1": np.array([0.1, -2.0])}
    one = model.request(given, ["logg", "rp2"])
    two = model.request(dict(reversed(given.items())), ["rp2", "logg"])
    absent = model.request({**given, "jh": [np.nan, np.nan]}, ["logg", "rp2"])
    alone = model.request({name: column[1] for name, column in given.items()}, ["logg"])
    for name in ("logg", "logg_err", "rp2", "rp2_err"):
        np.testing.assert_allclose(np.asarray(one[name]), np.asarray(two[name]), rtol=1e-5)
        np.testing.assert_allclose(np.asarray(one[name]), np.asarray(absent[name]), rtol=1e-5)
    np.testing.assert_allclose(np.asarray(one["logg"])[1], np.asarray(alone["logg"])[0], rtol=1e-5)


def test_it_saves_loads_and_predicts_by_name(tmp_path):
    model = import_stars(stars_folder(tmp_path / "stars")[0])
    path = model.save(tmp_path / "stars.safetensors")
    again = load_model(path)
    table = Table({"id": ["a", "b"], "teff": [4800, 5000] * u.K, "jk": [0.6, 0.5] * u.mag})
    first, second = model.request(table, ["logg"]), again.request(table, ["logg"])
    assert first["id"].tolist() == ["a", "b"] and second["logg"].unit == u.dex
    np.testing.assert_array_equal(first["logg"].value, second["logg"].value)
    assert first.meta["sha256"] == again.sha256 and "Leung" in first.meta["citation"]


@pytest.mark.parametrize(("given", "wanted", "error", "words"), [
    ({"tef": 4800}, ["logg"], UnknownNameError, "'teff' \\(K\\)"),
    ({"teff": 4800}, ["log_g"], UnknownNameError, "'logg' \\(dex\\)"),
    ({"teff": 4800 * u.mag}, ["logg"], DataError, "'teff' is in K"),
    ({"teff": 4800}, ["feh"], UnknownNameError, "teff, logg, m_h, .*bp0 to bp54"),
    ({"teff": 4800, "teff_err": 50}, ["logg"], UnknownNameError, "errors of what is given are not used"),
    ([{"teff": 4800}], ["logg"], DataError, "a list says no names"),
    ({"teff": 4800}, ["logg", "logg"], DataError, "asked for twice"),
    ({"teff": 4800}, [], DataError, "nothing is asked"),
    ({}, ["logg"], DataError, "nothing is given"),
    ({"teff": [4800, 5000], "jk": [1.0, 2, 3]}, ["logg"], DataError, "teff 2, jk 3"),
    ({"bp": np.zeros((2, 9)), "jk": [1.0, 2, 3]}, ["logg"], DataError, "of stars: bp 2, jk 3$"),
    ({"teff": "hot"}, ["logg"], DataError, "no number"),
    ({"bp": np.zeros((2, 56))}, ["logg"], DataError, "bp0 to bp54"),
    ({"bp": np.zeros((2, 55)), "rp": np.zeros((2, 55))}, ["logg"], DataError, "110 quantities .* 64 at most"),
])
def test_bad_requests_are_refused(given, wanted, error, words, tmp_path):
    model = import_stars(stars_folder(tmp_path / "stars")[0])
    with pytest.raises(error, match=words):
        model.request(given, wanted)


def test_units_are_converted_and_nothing_usable_is_flagged(tmp_path):
    model = import_stars(stars_folder(tmp_path / "stars")[0])
    kelvin = model.request({"teff": 4800.0, "g_fakemag": 200.0}, ["logg"])
    other = model.request({"teff": 4.8 * u.kK, "g_fakemag": 0.2 * u.arcsec}, ["logg"])
    assert float(kelvin["logg"][0].value) == pytest.approx(float(other["logg"][0].value), rel=1e-5)
    plain, cgs, metres = (model.request({"logg": x}, ["teff"])["teff"][0].value for x in (
        2.5, 2.5 * u.dex(u.cm / u.s**2), 0.5 * u.dex(u.m / u.s**2)))
    assert cgs == pytest.approx(plain, rel=1e-6) and metres == pytest.approx(plain, rel=1e-6)
    flagged = model.request({"teff": np.ma.array([4800.0, 1.0], mask=[False, True])}, ["logg"])
    assert flagged["flags"].tolist() == ["", "no-usable-quantity"] and np.isnan(flagged["logg"][1])


def test_a_model_of_spectra_answers_no_requests():
    with pytest.raises(DataError, match="takes spectra and answers no names"):
        load_model("stellar-tiny").request({"teff": 4800}, ["logg"])


@pytest.mark.parametrize(("damage", "words"), [
    (lambda folder, state: (folder / "config.json").unlink(), "no config.json"),
    (lambda folder, state: (folder / "config.json").write_text("{}"), "no configuration"),
    (lambda folder, state: _rewrite(folder, {k: x for k, x in state.items() if "dense_4.bias" not in k}), "lacks"),
    (lambda folder, state: _rewrite(folder, {**state, "more": torch.zeros(1)}), "'more', which this kind"),
    (lambda folder, state: _rewrite(folder, {**state, "embedding_layer.bias": torch.zeros(3, 3)}), "of another shape"),
    (lambda folder, state: torch.save(state, folder / "weights.pt"), "no 'model_state_dict'"),
    (lambda folder, state: (folder / "weights.pt").write_bytes(b"<html>"), "weights.pt"),
])
def test_a_damaged_folder_is_refused(damage, words, tmp_path):
    folder, state = stars_folder(tmp_path / "stars")
    damage(folder, state)
    with pytest.raises((ModelFileError, OSError), match=words):
        import_stars(folder)


def _rewrite(folder, state):
    torch.save({"model_state_dict": state}, folder / "weights.pt")


@pytest.mark.parametrize(("damage", "words"), [
    (lambda folder: (folder / "embed_map.npz").unlink(), "embed_map.npz"),
    (lambda folder: np.savez(folder / "embed_map.npz", keys=np.arange(40), values=np.arange(40)), "expected one for all"),
])
def test_a_damaged_map_of_tokens_is_refused(damage, words, tmp_path):
    folder = spectrafm_folder(tmp_path / "spectrafm", pixels=30)
    damage(folder)
    with pytest.raises(ModelFileError, match=words):
        import_spectrafm(folder, wavelength=np.linspace(15200, 16900, 30))


def test_pixels_that_are_not_apogees_need_wavelengths(tmp_path):
    folder = spectrafm_folder(tmp_path / "spectrafm", pixels=30)
    with pytest.raises(ModelFileError, match="30 pixels, not the 7514"):
        import_spectrafm(folder)
    with pytest.raises(ModelFileError, match="as many wavelengths"):
        import_spectrafm(folder, wavelength=[15200, 16900])


def test_spectrafm_has_no_licence_and_says_so(tmp_path):
    model = import_spectrafm(spectrafm_folder(tmp_path / "spectrafm", pixels=30), wavelength=np.linspace(15200, 16900, 30))
    assert model.about["license"] == "" and "do not pass them on" in model.about["notes"]
