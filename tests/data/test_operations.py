"""Wavelengths, line-spread functions, extinction and continuum keep their promises."""

import numpy as np
import pytest
from astropy import units as u
from dust_extinction.parameter_averages import CCM89, G23
from specutils.utils.wcs_utils import air_to_vac, vac_to_air

from astrofm.data import (
    LineSpread,
    broadening_matrix,
    deredden,
    pseudo_continuum,
    to_air,
    to_rest_frame,
    to_vacuum,
    transmission,
)
from astrofm.errors import DataError

FINE = 10 ** np.arange(3.55, 3.98, 2e-5)
PIXELS = 10 ** (3.5682 + 1e-4 * np.arange(3904))


def test_air_agrees_with_specutils_within_a_hundredth_of_a_kilometre_a_second():
    wave = np.linspace(2600, 17000, 500)
    theirs = vac_to_air(wave * u.AA, method="Morton2000").to_value(u.AA)
    assert np.abs(to_air(wave) / theirs - 1).max() * 299792.458 < 0.01
    back = air_to_vac(wave * u.AA, method="Morton2000").to_value(u.AA)
    assert np.abs(to_vacuum(wave) / back - 1).max() * 299792.458 < 0.02


def test_air_and_back_is_exact():
    wave = np.linspace(2100, 20000, 1000)
    np.testing.assert_allclose(to_vacuum(to_air(wave)), wave, rtol=0, atol=1e-8)


def test_known_lines_in_air():
    np.testing.assert_allclose(to_air([6564.614, 5891.583]), [6562.801, 5889.951], atol=0.005)


def test_below_2000_angstrom_nothing_changes():
    np.testing.assert_array_equal(to_air([1215.67]), [1215.67])


def test_wavelengths_that_are_not_positive_are_refused():
    with pytest.raises(DataError, match="positive"):
        to_vacuum([-1.0, 5000.0])


def test_rest_frame_takes_the_shift_out_for_one_or_many():
    rest = np.array([5000.0, 6000.0])
    rv = np.array([-100.0, 0.0, 300.0])
    seen = rest * np.sqrt((1 + rv / 299792.458) / (1 - rv / 299792.458))[:, None]
    np.testing.assert_allclose(to_rest_frame(seen, rv), np.repeat(rest[None], 3, axis=0))
    np.testing.assert_allclose(to_rest_frame(seen[0], -100.0), rest)
    with pytest.raises(DataError, match="km/s"):
        to_rest_frame(rest, 4e5)


@pytest.mark.parametrize("spread", [LineSpread.constant(1800), LineSpread.gaussian(3.0),
                                    LineSpread.sampled([3500, 9500], [2.0, 6.0])])
@pytest.mark.parametrize("own", [None, 1.5])
def test_a_line_comes_out_with_widths_added_in_quadrature(spread, own):
    line, width = 6500.0, 1.5 / 2.3548
    source = np.exp(-0.5 * ((FINE - line) / width) ** 2)
    matrix = broadening_matrix(FINE, PIXELS, spread, source=LineSpread.gaussian(own) if own else None)
    seen = matrix @ source
    centre = (seen * PIXELS).sum() / seen.sum()
    found = np.sqrt((seen * (PIXELS - centre) ** 2).sum() / seen.sum())
    pixel = PIXELS[np.argmin(abs(PIXELS - line))] * np.log(10) * 1e-4
    expected = np.sqrt(spread.sigma(line) ** 2 + (0 if own else width**2) + pixel**2 / 12)
    assert found == pytest.approx(expected, rel=0.02)
    assert centre == pytest.approx(line, abs=0.05)


def test_observing_keeps_a_constant_and_the_flux_of_a_line():
    matrix = broadening_matrix(FINE, PIXELS, LineSpread.constant(1800))
    np.testing.assert_allclose(matrix @ np.ones(len(FINE)), 1.0, rtol=1e-12)
    source = np.exp(-0.5 * ((FINE - 5000) / 1.0) ** 2)
    np.testing.assert_allclose(((matrix @ source) * np.gradient(PIXELS)).sum(), (source * np.gradient(FINE)).sum(),
                               rtol=1e-3)


def test_pixels_that_the_source_does_not_reach_are_empty():
    matrix = broadening_matrix(FINE[:1000], PIXELS, LineSpread.constant(1800))
    beyond = PIXELS > FINE[1000] + 20
    assert matrix[beyond].nnz == 0


def test_a_source_broader_than_the_instrument_is_only_binned():
    narrow = broadening_matrix(FINE, PIXELS, LineSpread.gaussian(1.0), source=LineSpread.gaussian(5.0))
    source = 1 + 0.5 * np.sin(FINE / 30)
    np.testing.assert_allclose(narrow @ source, 1 + 0.5 * np.sin(PIXELS / 30), atol=1e-3)


@pytest.mark.parametrize("width", [0, -3, np.nan])
def test_widths_that_are_not_positive_are_refused(width):
    with pytest.raises(DataError, match="positive"):
        LineSpread.gaussian(width)


@pytest.mark.parametrize(("law", "model"), [("G23", G23), ("CCM89", CCM89)])
def test_extinction_is_that_of_dust_extinction(law, model):
    wave, a_v = np.linspace(3700, 9000, 200), np.array([0.0, 0.5, 2.0])
    expected = [model(Rv=3.1).extinguish(wave * u.AA, Av=a) for a in a_v]
    np.testing.assert_allclose(transmission(wave, a_v, law=law), expected, rtol=1e-12)
    np.testing.assert_allclose(deredden(wave, transmission(wave, a_v, law=law), a_v, law=law), 1.0)


@pytest.mark.parametrize(("arguments", "message"), [({"law": "X99"}, "no extinction law"),
                                                    ({"law": "CCM89", "r_v": 20.0}, "does not reach")])
def test_unknown_extinction_is_refused(arguments, message):
    with pytest.raises(DataError, match=message):
        transmission(np.array([5000.0]), 1.0, **arguments)


def _star(n=5, seed=0):
    random = np.random.default_rng(seed)
    place = np.linspace(-1, 1, len(PIXELS))
    continuum = 1 + np.outer(random.uniform(-0.5, 0.5, n), place) + np.outer(random.uniform(-0.2, 0.2, n), place**2)
    lines = np.ones((n, len(PIXELS)))
    for centre in random.uniform(3800, 8900, 60):
        lines -= random.uniform(0.1, 0.4) * np.exp(-0.5 * ((PIXELS - centre) / 3) ** 2)
    error = np.full(continuum.shape, 0.01)
    value = continuum * lines.clip(0.2) + error * random.standard_normal(continuum.shape)
    return continuum, value, error, np.zeros(continuum.shape, bool)


def test_the_continuum_is_found_under_lines():
    continuum, value, error, mask = _star()
    found = pseudo_continuum(PIXELS, value, error, mask)
    assert np.abs(found / continuum - 1).max() < 0.05
    assert np.median(np.abs(found / continuum - 1)) < 0.01


def test_the_continuum_does_not_see_masked_pixels_or_the_scale():
    _, value, error, mask = _star()
    mask[:, 500:600] = True
    first = pseudo_continuum(PIXELS, value, error, mask)
    value[mask], error[mask] = 1e6, np.inf
    np.testing.assert_allclose(pseudo_continuum(PIXELS, value, error, mask), first, rtol=1e-9)
    np.testing.assert_allclose(pseudo_continuum(PIXELS, 1e-17 * value, 1e-17 * error, mask), 1e-17 * first, rtol=1e-6)


def test_a_spectrum_without_good_pixels_has_no_continuum_and_its_neighbours_keep_theirs():
    _, value, error, mask = _star()
    before = pseudo_continuum(PIXELS, value, error, mask)
    mask[2] = True
    after = pseudo_continuum(PIXELS, value, error, mask)
    assert np.isnan(after[2]).all()
    np.testing.assert_allclose(after[[0, 1, 3, 4]], before[[0, 1, 3, 4]])
