"""The table of features: a row a star, whatever holds it."""

import numpy as np
import pytest
from astropy import units as u

import astrofm
from astrofm.data import FEATURES, collate, find_periods
from astrofm.errors import DataError, UnknownNameError
from astrofm.testing import FakePhotometer

pytestmark = pytest.mark.usefixtures("instruments")


def stars(count=3):
    fake = FakePhotometer()
    return [fake.sample(fake.example(k)) for k in range(count)]


def test_a_row_a_star_in_order_with_units(tmp_path):
    table = astrofm.light_curve_features(stars())
    assert table["id"].tolist() == ["example-0", "example-1", "example-2"] and set(table["error"]) == {""}
    assert set(FEATURES) < set(table.colnames) and "colour_B_R" in table.colnames
    assert table["period"].unit == u.day and table["std"].unit == u.mag and table["period"].info.description
    np.testing.assert_allclose(table["period"].value, find_periods(collate(stars())).period, rtol=1e-3)
    table.write(tmp_path / "features.fits")


def test_only_the_features_that_are_asked_for():
    table = astrofm.light_curve_features(collate(stars()), ["skew", "period"], workers=2)
    assert table.colnames == ["id", "file", "instrument", "skew", "period", "n_bad", "error"]
    for name in ("skewed", "colour_X_Y"):
        with pytest.raises((DataError, UnknownNameError), match=name):
            astrofm.light_curve_features(collate(stars()), [name])


def test_a_spectrum_is_refused_and_in_a_list_a_row_that_says_so(instruments):
    spectrum = instruments["wide"].sample(instruments["wide"].example())
    with pytest.raises(DataError, match="takes no light curves"):
        astrofm.light_curve_features(spectrum)
    table = astrofm.light_curve_features([*stars(2), spectrum], ["std"])
    assert np.isfinite(table["std"][:2]).all() and np.isnan(table["std"][2]) and "takes no light curves" in table["error"][2]


def test_answers_do_not_depend_on_the_number_of_threads(instruments, monkeypatch):
    monkeypatch.setattr("astrofm.data.features.STARS", 4)
    batch = collate(stars(11))
    one, more = (astrofm.light_curve_features(batch, workers=workers) for workers in (1, 3))
    for name in FEATURES:
        np.testing.assert_array_equal(one[name], more[name], err_msg=name)
    few = astrofm.light_curve_features(batch, ["period", "period_explained"])
    np.testing.assert_array_equal(few["period"], one["period"])
    np.testing.assert_array_equal(few["period_explained"], one["period_explained"])
