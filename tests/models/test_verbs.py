"""Predict, embed, translate and reconstruct keep order, units and honesty."""

import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from astropy import units as u

from astrofm.compat import SpectrumList
from astrofm.data import collate
from astrofm.errors import DataError, UnknownNameError
from astrofm.models import Familiarity, Model, answers
from astrofm.models.inputs import to_sample
from astrofm.models.scaling import amplitude, reduced_chi2
from astrofm.testing import FakePhotometer

sys.path.insert(0, str(Path(__file__).parent))
from model_fakes import make_model, spectrum_of  # noqa: E402


def test_an_ordered_class_is_the_median_and_another_the_most_probable():
    probability = np.array([[0.35, 0.2, 0.05, 0.4], [0.0, 0.0, 0.1, 0.9], [0.6, 0.4, 0.0, 0.0]])
    label = {"name": "kind", "classes": ["A", "F", "G", "K"]}
    usable = np.array([True, True, False])
    assert list(answers._class_values(label, probability, usable)["kind"]) == ["K", "K", ""]
    ordered = answers._class_values({**label, "ordered": True}, probability, usable)
    assert list(ordered["kind"]) == ["F", "K", ""]
    np.testing.assert_allclose(ordered["kind_probability"][:2], [0.2, 0.9])


def test_a_list_of_mixed_instruments_keeps_its_order(model, stars):
    table = model.predict(stars)
    assert list(table["instrument"]) == ["wide", "coarse"] * 3
    assert list(table["id"]) == [f"example-{k}" for k in range(6)]
    for k, star in enumerate(stars):
        np.testing.assert_allclose(model.predict(star)["teff"].value, table["teff"].value[k], rtol=0.02)
    np.testing.assert_array_equal(model.predict(SpectrumList(stars))["teff"], table["teff"])


def test_labels_have_units_errors_and_descriptions(model, stars):
    table = model.predict(stars)
    assert table["teff"].unit == table["teff_err"].unit == u.K and table["logg"].unit == u.dex
    assert (table["teff_err"] > 0).all() and table["teff"].info.description
    assert set(table["spectral_type"]) <= set("AFG")
    total = sum(table[f"spectral_type_probability_{one}"] for one in "AFG")
    np.testing.assert_allclose(total, 1.0, rtol=1e-5)
    assert table.meta["model"] == "small" and table.meta["sha256"] == model.sha256


def test_one_star_embeds_as_a_vector_and_many_as_rows(model, stars):
    many = model.embed(stars)
    assert many.shape == (6, 10) and many.dtype == np.float32
    assert model.embed(stars[0]).shape == (10,)
    assert model.embed(stars[:1]).shape == (1, 10)
    assert model.embed([]).shape == (0, 10)
    np.testing.assert_allclose(model.embed(stars[0]), many[0], atol=0.05)


def test_errors_are_scaled_by_the_calibration_of_the_instrument(instruments, stars):
    plain = make_model().predict(stars)
    scaled = make_model(calibration={"*": {"teff": 2.0}, "coarse": {"teff": 3.0}}).predict(stars)
    np.testing.assert_allclose((scaled["teff_err"] / plain["teff_err"]).value, [2, 3] * 3, rtol=1e-5)
    np.testing.assert_allclose(scaled["logg_err"], plain["logg_err"])


def test_labels_outside_the_training_range_are_flagged(model, stars):
    model.about["labels"][0]["low"], model.about["labels"][0]["high"] = 1e5, 2e5
    assert all("outside-range:teff" in flags for flags in model.predict(stars)["flags"])
    model.about["labels"][0]["low"] = 0.0
    assert not any("outside-range" in flags for flags in model.predict(stars)["flags"])


def test_a_star_without_a_usable_pixel_is_flagged_and_has_no_label(model):
    flux = np.ones(1200)
    for star in (spectrum_of(flux, mask=np.ones(1200, bool)), spectrum_of(flux * np.nan), spectrum_of(flux, error=0.0)):
        table = model.predict([star, spectrum_of(flux)])
        assert table["flags"][0] == "no-usable-pixel" and "no-usable-pixel" not in table["flags"][1]
        assert np.isnan(table["teff"].value[0]) and np.isnan(table["teff_err"].value[0])
        assert table["spectral_type"][0] == "" and np.isfinite(table["teff"].value[1])
        assert np.isnan(model.embed(star)).all()


def test_a_spectrum_at_other_wavelengths_is_flagged(instruments):
    star = spectrum_of(np.ones(1200))
    assert "wavelength" not in make_model(wavelengths=[3900.0, 6000.0]).predict(star)["flags"][0]
    assert "outside-range:wavelength" in make_model(wavelengths=[9000.0, 12000.0]).predict(star)["flags"][0]


def test_noise_is_flagged(instruments):
    noisy = spectrum_of(np.ones(1200), error=1.0)
    assert "low-snr" in make_model(snr_limit=5.0).predict(noisy)["flags"][0]
    assert "low-snr" not in make_model(snr_limit=0.5).predict(noisy)["flags"][0]


def test_strangers_are_flagged_by_distance_and_by_misfit(instruments):
    star = spectrum_of(np.ones(1200))
    model = make_model()
    assert "unlike" not in model.predict(star)["flags"][0]
    model.familiarity.threshold.fill_(0.0)
    assert "unlike-training-set" in model.predict(star)["flags"][0]
    fit = make_model(familiarity={"chi2_limit": {"*": 1e-6}, "error_floor": 0.0})
    assert "unlike-training-set" in fit.predict(star)["flags"][0]


def test_what_cannot_be_represented_is_a_row_in_a_list_and_an_error_alone(model):
    bad = spectrum_of(np.ones(1200), unit=u.mag)
    with pytest.raises(DataError, match="mag"):
        model.predict(bad)
    table = model.predict([spectrum_of(np.ones(1200)), bad])
    assert list(table["flags"] == "not-read") == [False, True]
    assert "mag" in table["error"][1]


def test_what_cannot_be_read_keeps_the_id_and_the_file_that_are_known(model, stars, tmp_path):
    bad = spectrum_of(np.ones(1200), unit=u.mag)
    bad.meta.update(id="HD 1", file="night.fits")
    (tmp_path / "b.wide").write_text("WIDE x")
    batch = collate([FakePhotometer().sample(FakePhotometer().example(7))])  # of an instrument that the model does not know
    data = [bad, stars[0], tmp_path / "b.wide", replace(batch, meta={**batch.meta, "file": ["c.fits"]}), 42]
    for table in (model.predict(data), model.classify(data)):
        assert table["id"].tolist() == ["HD 1", "example-0", "", "example-7", ""]
        assert table["file"].tolist() == ["night.fits", "", str(tmp_path / "b.wide"), "c.fits", ""]
        assert [bool(error) for error in table["error"]] == [True, False, True, True, True]
        assert table["instrument"].tolist() == ["", table["instrument"][1], "", batch.instrument, ""]


def test_a_star_that_the_model_refuses_leaves_the_others_of_its_batch_alone(model, stars, monkeypatch):
    asked = collate([sample for star in stars if (sample := to_sample(star)).instrument == "wide"])
    embed = model.encoder._embed
    odd = float(asked.value[1].max())

    def picky(batch):
        if bool((batch.value.amax(dim=1) == odd).any()):
            raise DataError("one star is odd")
        return embed(batch)

    whole = model.embed(asked)
    monkeypatch.setattr(model.encoder, "_embed", picky)
    table = model.predict([asked])
    assert (table["flags"] == "not-read").tolist() == [row == 1 for row in range(len(asked))]
    assert "odd" in table["error"][1] and len(asked) > 2
    found = model.embed([asked])
    assert np.isnan(found[1]).all() and np.allclose(np.delete(found, 1, 0), np.delete(whole, 1, 0), rtol=1e-5, atol=1e-6)


def test_translation_is_on_the_targets_grid_and_honest_about_scale(model, stars):
    relative = model.translate(stars[0], to="coarse")
    assert len(relative.flux) == 60 and relative.flux.unit == u.dimensionless_unscaled
    assert relative.meta["calibration"] == "relative" and relative.meta["translated_from"] == "wide"
    absolute = model.translate(stars[1], to="coarse")
    assert absolute.flux.unit == u.Unit("W m-2 nm-1") and absolute.meta["calibration"] == "absolute"
    assert (absolute.uncertainty.array > 0).all() and not absolute.mask.any()
    both = model.translate(stars[:2], to="coarse")
    assert isinstance(both, SpectrumList) and [one.meta["id"] for one in both] == ["example-0", "example-1"]


def test_translation_scales_with_its_input(model):
    flux = 1 + 0.1 * np.sin(np.linspace(0, 20, 1200))
    one, ten = (model.translate(spectrum_of(k * flux, error=0.02 * k), to="coarse") for k in (1.0, 10.0))
    np.testing.assert_allclose(ten.flux, 10 * one.flux, rtol=0.02)


def test_translation_to_an_instrument_without_a_unit_keeps_the_scale_of_the_input(model, instruments):
    star = instruments["coarse"].example(1)
    there, own = model.translate(star, to="wide"), model.reconstruct(star)
    assert there.flux.unit == star.flux.unit and there.meta["calibration"] == "relative"
    inside = (there.spectral_axis >= own.spectral_axis[0]) & (there.spectral_axis <= own.spectral_axis[-1])
    assert 0.2 < np.median(there.flux[inside]) / np.median(own.flux) < 5


def test_translation_and_reconstruction_carry_the_flags_of_the_labels(instruments):
    from model_fakes import make_model

    model, star = make_model(familiarity={"chi2_limit": 1e-9}), instruments["wide"].example(0)
    assert "unlike-training-set" in model.predict(star)["flags"][0]
    assert "unlike-training-set" in model.translate(star, to="coarse").meta["flags"]
    assert "unlike-training-set" in model.reconstruct(star).meta["flags"]


def test_translation_to_nothing_known_says_so(model, stars):
    with pytest.raises(UnknownNameError, match="no instrument named 'hubble'"):
        model.translate(stars[0], to="hubble")


def test_reconstruction_fills_what_is_missing(model):
    mask = np.zeros(1200, bool)
    mask[100:400] = True
    filled = model.reconstruct(spectrum_of(np.ones(1200), mask=mask))
    assert np.isfinite(filled.flux.value).all() and filled.meta["n_filled"] == 300
    assert (filled.uncertainty.array > 0).all() and not filled.mask.any()


def test_masked_pixels_do_not_count_in_any_verb(model):
    mask = np.zeros(1200, bool)
    mask[200:260] = True
    flux = 1 + 0.1 * np.cos(np.linspace(0, 30, 1200))
    clean, poisoned = spectrum_of(flux, mask=mask), spectrum_of(np.where(mask, 1e6, flux), mask=mask)
    np.testing.assert_array_equal(model.embed(clean), model.embed(poisoned))
    np.testing.assert_array_equal(model.predict(clean)["teff"], model.predict(poisoned)["teff"])
    np.testing.assert_array_equal(model.reconstruct(clean).flux, model.reconstruct(poisoned).flux)


def test_bfloat16_agrees_with_float32(model, stars):
    fast = model.to("cpu", precision="bfloat16").embed(stars)
    exact = model.to("cpu", precision="float32").embed(stars)
    cosine = (fast * exact).sum(1) / np.linalg.norm(fast, axis=1) / np.linalg.norm(exact, axis=1)
    assert cosine.min() > 0.999


def test_the_amplitude_is_found_through_noise_and_masks():
    random = np.random.default_rng(0)
    shape = 1 + 0.5 * np.sin(np.linspace(0, 9, 400))
    error = np.full((3, 400), 0.1)
    value = np.array([[2.0], [5.0], [1e-17]]) * shape
    error = error * value
    value = value + error * random.standard_normal(value.shape)
    mask = random.random(value.shape) < 0.2
    value[mask] = 1e6
    factor, spread = amplitude(value, error, mask, np.repeat(shape[None], 3, 0), 0.01 * np.repeat(shape[None], 3, 0))
    np.testing.assert_allclose(factor, [2, 5, 1e-17], rtol=0.03)
    assert (np.abs(factor - [2, 5, 1e-17]) < 5 * spread).all()
    chi2 = reduced_chi2(value, error, mask, factor[:, None] * shape, floor=0.0)
    np.testing.assert_allclose(chi2, 1.0, atol=0.3)


def test_familiarity_keeps_its_quantile_and_knows_a_stranger():
    random = np.random.default_rng(1)
    known = random.normal(size=(4000, 6)) @ random.normal(size=(6, 6))
    familiar = Familiarity.fit(known, quantile=0.99)
    within = familiar.distance(known) <= float(familiar.threshold)
    assert np.mean(within) == pytest.approx(0.99, abs=0.002)
    assert familiar.distance(np.full((1, 6), 100.0))[0] > float(familiar.threshold)
    few = known[:12]
    near, far = Familiarity.fit(few), Familiarity.fit(few, kept=known[12:])
    assert np.mean(near.distance(known[12:]) > float(near.threshold)) > 0.05
    assert np.mean(far.distance(known[12:]) > float(far.threshold)) == pytest.approx(0.005, abs=0.002)
    with pytest.raises(ValueError, match="too few"):
        Familiarity.fit(known[:5])
    assert isinstance(familiar.mean, torch.Tensor)


def test_eight_bit_layers_agree_and_leave_the_weights_alone(model, stars, tmp_path):
    exact = model.to("cpu", precision="float32").embed(stars)
    before = model.sha256
    rounded = model.to("cpu", precision="int8").embed(stars)
    cosine = (exact * rounded).sum(1) / np.linalg.norm(exact, axis=1) / np.linalg.norm(rounded, axis=1)
    assert cosine.min() > 0.995 and not np.array_equal(exact, rounded)
    assert Model.load(model.save(tmp_path / "m.safetensors")).sha256 == before
    np.testing.assert_array_equal(model.to("cpu", precision="float32").embed(stars), exact)


def test_eight_bit_layers_that_torch_does_not_have_are_told(model, monkeypatch):
    monkeypatch.setitem(sys.modules, "torch.ao.quantization", None)
    with pytest.raises(DataError, match="no 8-bit linear layers"):
        model.to("cpu", precision="int8")
