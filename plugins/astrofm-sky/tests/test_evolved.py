"""Evolved stars have quantities that follow from each other, and spectra through dust."""

import numpy as np
import pytest
from astrofm_sky.evolved import BANDS, NAMED, REFERENCE, Evolved, bolometric_g, colour_jk, quantities

from astrofm.data import transmission


@pytest.fixture(scope="module", params=["invented", "real"])
def evolved(request):
    if request.param == "invented":
        return request.getfixturevalue("invented_giants")
    return Evolved.open(request.getfixturevalue("shared_data"))


def test_fluxes_and_colours_are_those_of_published_stars():
    # Arcturus: 4286 K, [Fe/H] = -0.52, J - K = 0.74 +- 0.05 in 2MASS's bands (saturated there); the Sun's correction is 0.06
    assert colour_jk(np.array([4286.0]), np.array([-0.52]))[0] == pytest.approx(0.76, abs=0.06)
    assert bolometric_g(np.array([5772.0]))[0] == pytest.approx(0.06, abs=1e-9)
    cool, hot = bolometric_g(np.array([3999.9, 4000.1]))
    assert cool == pytest.approx(hot, abs=0.01)  # the two polynomials meet


def test_colours_fall_with_temperature_at_any_metallicity():
    for metal in (-2.0, -0.5, 0.3):
        assert (np.diff(colour_jk(np.linspace(3900, 5600, 50), np.full(50, metal))) < 0).all()


def test_stars_are_drawn_again_from_their_seed(evolved):
    (one, value, _), (_, again, _) = evolved.draw(50, 3), evolved.draw(50, 3)
    np.testing.assert_array_equal(value, again)
    assert not np.array_equal(value, evolved.draw(50, 4)[1]) and set(one) == set(NAMED)


def test_what_is_measured_is_the_truth_within_its_errors(evolved):
    true, value, error = evolved.draw(2000, 5)
    assert np.isfinite(value).all() and value.shape == (2000, len(NAMED) + len(BANDS))
    for k, name in enumerate(NAMED):
        away = value[:, k] - true[name]
        if error[:, k].any():
            assert 0.8 < np.std(away / error[:, k]) < 1.2, name
        else:
            assert not away.any()
    assert np.corrcoef(true["mass"], true["c_n"])[0, 1] < -0.5  # first dredge-up
    # nearby the tip stars shine: parallax-scaled flux falls as luminosity rises, as does gravity
    assert np.corrcoef(true["log_luminosity"], true["g_fakemag"])[0, 1] < -0.6


def test_dust_is_the_law_that_was_asked_for(evolved):
    labels = {"teff": np.full(2, 4800.0), "logg": np.full(2, 2.5), "m_h": np.zeros(2)}
    middle = 10 * BANDS.mean(axis=1)
    for law in ("G23", "F99"):
        bands, part = evolved.spectra(labels, np.array([0.0, 1.0]), law=law)
        lost = -2.5 * np.log10(bands[1] / bands[0])
        curve = -2.5 * np.log10(transmission(middle, 1.0, law=law) / transmission(np.array([6600.0]), 1.0, law=law))
        np.testing.assert_allclose(lost, curve, atol=0.05)
        assert 0.4 < part[1] < 0.55 < part[0] == 1


def test_quantities_describe_what_is_drawn(evolved):
    value = evolved.draw(3000, 6)[1]
    described = quantities(value)
    assert [one["name"] for one in described[:10]] == list(NAMED) and len(described) == value.shape[1]
    bands = [one["band"] for one in described[10:]]
    np.testing.assert_allclose(bands, 10 * BANDS)
    assert all(one["reference"] == [10 * end for end in REFERENCE] for one in described[10:])
    for one, column in zip(described, value.T, strict=True):
        assert 0.99 < ((column >= one["low"]) & (column <= one["high"])).mean() <= 1
