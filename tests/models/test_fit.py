"""A fitted head learns what is in the embeddings, with calibrated errors, and leaves the model it came from alone."""

import numpy as np
import pytest
from astropy import units as u
from astropy.table import MaskedColumn, QTable

from astrofm.errors import DataError
from astrofm.models import Model


@pytest.fixture
def many(instruments):
    """600 spectra whose slope is a label."""
    instrument = instruments["wide"]
    random = np.random.default_rng(0)
    slope, error = random.uniform(-1, 1, 600), 0.02
    wave = instrument.wavelength()
    x = (wave - wave.mean()) / np.ptp(wave)
    flux = 1 + slope[:, None] * x + 0.1 * np.sin(8 * x) + error * random.normal(size=(600, len(wave)))
    batch = instrument.batch(flux.astype(np.float32), np.full(flux.shape, error, np.float32), np.zeros(flux.shape, bool),
                             {"id": [f"star-{k}" for k in range(600)]})
    temperature = 5000 * 10 ** (0.2 * slope)
    return batch, QTable({"teff": temperature * u.K, "logg": (4 + slope + 0.3 * random.normal(size=600)) * u.dex})


@pytest.mark.parametrize("head", ["gaussian", "posterior"])
def test_labels_are_learned_and_their_errors_are_calibrated(head, model, many):
    if head == "posterior":
        pytest.importorskip("zuko")
    batch, labels = many
    fitted = model.fit(batch[:500], labels[:500], head=head)
    table = fitted.predict(batch[500:])
    assert table["teff"].unit == u.K and table["teff_err"].unit == u.K
    off = (table["teff"] - labels["teff"][500:]).to_value(u.K)
    assert np.median(np.abs(off)) < 0.25 * np.median(np.abs(labels["teff"].value - np.median(labels["teff"].value)))
    for name, floor in (("teff", 0), ("logg", 0.2)):
        ratio = np.abs((table[name] - labels[name][500:]) / table[f"{name}_err"]).value
        assert 0.5 < np.mean(ratio < 1) < 0.85
        assert np.median(table[f"{name}_err"].value) > floor
    assert fitted.about["provenance"]["fitted_from"] == model.sha256 and set(fitted.heads) == {"fitted"}
    assert {label["name"] for label in model.about["labels"]} == {"teff", "logg", "spectral_type"}


def test_a_fitted_model_is_saved_whole_and_keeps_the_heads_it_is_told(model, many, tmp_path):
    batch, labels = many
    fitted = model.fit(batch, labels, keep=["kind"])
    again = Model.load(fitted.save(tmp_path / "fitted.safetensors"))
    first, second = fitted.predict(batch[:5]), again.predict(batch[:5])
    assert first.colnames == second.colnames and "spectral_type" in first.colnames
    np.testing.assert_array_equal(first["teff"], second["teff"])
    assert again.about["calibration"]["*"] == fitted.about["calibration"]["*"]


def test_the_same_seed_gives_the_same_model(model, many):
    batch, labels = many
    assert model.fit(batch[:100], labels[:100]).sha256 == model.fit(batch[:100], labels[:100]).sha256


def test_missing_labels_do_not_count(model, many):
    batch, labels = many
    labels = labels.copy()
    labels["logg"] = MaskedColumn(labels["logg"].value, mask=np.arange(600) % 2 == 0, unit="dex")
    labels["teff"][5] = np.nan
    table = model.fit(batch, labels).predict(batch)
    assert np.isfinite(table["logg"]).all() and np.isfinite(table["teff"]).all()


def test_all_spectra_of_a_star_are_on_one_side(model, many):
    from astrofm.models.fit import _kept

    kept = _kept([k // 6 for k in range(600)], 600, np.ones(600, bool), 0)
    assert all(len(set(kept[at: at + 6])) == 1 for at in range(0, 600, 6)) and 60 < kept.sum() < 180


@pytest.mark.parametrize(("change", "message"), [
    (lambda t: t[:9], "there are 600 stars and 9 rows"),
    (lambda t: QTable({"name": ["a"] * 600}), "1 classes, 'a'"),
    (lambda t: QTable({"done": np.ones(600, bool)}), "no column of numbers"),
    (lambda t: QTable({"one": np.ones(600)}), "1 different values"),
    (lambda t: QTable({"nan": np.where(np.arange(600) < 5, np.arange(600), np.nan)}), "20 are the least")])
def test_labels_that_can_not_be_learned_are_refused(change, message, model, many):
    batch, labels = many
    with pytest.raises(DataError, match=message):
        model.fit(batch, change(labels))


def test_wrong_arguments_are_refused(model, many):
    batch, labels = many
    for arguments, message in (({"head": "gausian"}, "gaussian, posterior"), ({"keep": ["no"]}, "no head 'no'"),
                               ({"keep": ["kind"], "method": "full"}, "changes the embeddings that head 'kind'"),
                               ({"stars": [1]}, "names 1 stars")):
        with pytest.raises(DataError, match=message):
            model.fit(batch, labels, **arguments)


def test_logarithms_are_taken_of_linear_quantities_only():
    from astrofm.models.labels import describe_labels

    wide = np.linspace(0.3, 5.0, 30)
    told, _, _ = describe_labels(QTable({"logg": wide * u.dex, "age": wide * u.Gyr, "g": wide * u.mag, "plain": wide,
                                         "narrow": np.linspace(4000, 5000, 30) * u.K, "fe_h": (wide - 1) * u.dex}))
    assert {label["name"]: label["log"] for label in told} == {"logg": False, "age": True, "g": False, "plain": False,
                                                               "narrow": False, "fe_h": False}
