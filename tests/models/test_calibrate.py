"""Calibrated errors hold two thirds of the stars, for each instrument, and change nothing else."""

import numpy as np
import pytest
from astropy import units as u
from astropy.table import QTable

from astrofm.errors import DataError
from astrofm.models import Model


@pytest.fixture
def seen(model, instruments):
    """300 stars of two instruments, and labels that are the model's own, off by 3 of its errors (coarse) or 0.5 (wide)."""
    spectra = [instruments[name].example(seed) for name in ("wide", "coarse") for seed in range(150)]
    table = model.predict(spectra)
    scale = np.where(np.asarray(table["instrument"]) == "coarse", 3.0, 0.5)
    random = np.random.default_rng(0)
    logg = table["logg"].value + scale * table["logg_err"].value * random.standard_normal(300)
    return spectra, table, QTable({"logg": logg * u.dex})


def test_two_thirds_lie_within_one_error_of_each_instrument(model, seen, tmp_path):
    spectra, before, labels = seen
    fitting = model.calibrate(spectra, labels)
    after = fitting.predict(spectra)
    np.testing.assert_array_equal(after["logg"], before["logg"])
    np.testing.assert_array_equal(after["teff_err"], before["teff_err"])
    inside = np.abs((after["logg"] - labels["logg"]) / after["logg_err"]).value < 1
    for name, factor in (("coarse", 3.0), ("wide", 0.5)):
        own = np.asarray(after["instrument"]) == name
        assert inside[own].mean() == pytest.approx(0.6827, abs=0.02)
        np.testing.assert_allclose((after["logg_err"] / before["logg_err"])[own], factor, rtol=0.2)
    again = Model.load(fitting.save(tmp_path / "fitting.safetensors")).predict(spectra[:3])
    np.testing.assert_allclose(again["logg_err"].value, after["logg_err"][:3].value, rtol=1e-5)
    assert fitting.about["provenance"]["calibrated_from"] == model.sha256


def test_errors_of_the_truth_are_taken_off(model, seen):
    spectra, before, labels = seen
    labels["logg_err"] = 2.9 * before["logg_err"]
    with_errors, without = (model.calibrate(spectra[150:], labels[columns][150:]).about["calibration"]["coarse"]["logg"]
                            for columns in (["logg", "logg_err"], ["logg"]))
    assert with_errors < 0.6 * without


def test_a_second_calibration_finds_nothing_to_do(model, seen):
    spectra, _, labels = seen
    once = model.calibrate(spectra, labels)
    twice = once.calibrate(spectra, labels)
    assert twice.about["calibration"]["wide"]["logg"] == pytest.approx(once.about["calibration"]["wide"]["logg"], rel=1e-4)


def test_what_cannot_be_calibrated_is_refused(model, seen):
    spectra, _, labels = seen
    with pytest.raises(DataError, match="10 stars of 'wide'"):
        model.calibrate(spectra[:10], labels[:10])
    with pytest.raises(DataError, match="no label 'age' to calibrate; it has teff, logg"):
        model.calibrate(spectra, QTable({"age": np.linspace(1, 9, 300) * u.Gyr}))
    with pytest.raises(DataError, match="300 stars and 299 rows"):
        model.calibrate(spectra, labels[1:])
    with pytest.raises(DataError, match="a label is in km"):
        model.calibrate(spectra, QTable({"logg": labels["logg"].value * u.km}))
