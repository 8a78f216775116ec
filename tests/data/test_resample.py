"""Resampling agrees with specutils, conserves flux, carries errors, and leaves bad pixels out."""

import numpy as np
import pytest
import specutils
from astropy import units as u
from astropy.nddata import StdDevUncertainty
from specutils.manipulation import FluxConservingResampler

from astrofm.compat import Spectrum
from astrofm.data import overlap_matrix, resample
from astrofm.data.resample import CAPACITY, _matrices, pixel_edges
from astrofm.errors import DataError

#: specutils 1.x weights errors wrongly (specutils#1300)
OLD_PEER = specutils.__version__.startswith("1.")
WAVE = 10 ** (3.5682 + 1e-4 * np.arange(3904))
TARGETS = {"finer": np.arange(3800.0, 9000.0, 0.7), "alike": np.arange(3800.0, 9000.0, 1.7),
           "coarser": np.arange(3800.0, 9000.0, 20.0)}


def _spectra(n=4, seed=0):
    random = np.random.default_rng(seed)
    value = random.normal(1, 0.1, (n, len(WAVE)))
    return value, random.uniform(0.01, 0.1, value.shape), np.zeros(value.shape, bool)


def _peer(wave, value, error, grid):
    spectrum = Spectrum(spectral_axis=wave * u.AA, flux=value * u.Jy, uncertainty=StdDevUncertainty(error * u.Jy))
    found = FluxConservingResampler()(spectrum, grid * u.AA)
    return found.flux.value, found.uncertainty.represent_as(StdDevUncertainty).array


@pytest.mark.parametrize("grid", TARGETS.values(), ids=TARGETS)
@pytest.mark.parametrize("own", [False, True], ids=["one grid", "own grids"])
def test_values_and_errors_agree_with_specutils_to_1e_6(grid, own):
    value, error, mask = _spectra()
    wave = WAVE * (1 + np.linspace(-1e-3, 1e-3, 4)[:, None]) if own else WAVE
    found, spread, bad = resample(wave, value, error, mask, grid)
    assert not bad.any()
    for row in (0, 3):
        theirs, their_error = _peer(wave[row] if own else wave, value[row], error[row], grid)
        np.testing.assert_allclose(found[row], theirs, rtol=1e-6)
        if not OLD_PEER:
            np.testing.assert_allclose(spread[row], their_error, rtol=1e-6)


def test_one_grid_and_own_grids_agree():
    value, error, mask = _spectra(70)
    mask[3, 100:160] = True
    grid = TARGETS["alike"]
    one = resample(WAVE, value, error, mask, grid)
    own = resample(np.repeat(WAVE[None], 70, axis=0), value, error, mask, grid)
    for a, b in zip(one, own, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("own", [False, True])
def test_flux_is_conserved(own):
    value, error, mask = _spectra()
    value = value * np.exp(-0.5 * ((WAVE - 6000) / 300) ** 2)
    grid = np.arange(3800.0, 9000.0, 11.0)
    found, _, _ = resample(np.repeat(WAVE[None], 4, axis=0) if own else WAVE, value, error, mask, grid)
    np.testing.assert_allclose((found * np.diff(pixel_edges(grid))).sum(1),
                               (value * np.diff(pixel_edges(WAVE))).sum(1), rtol=1e-6)


@pytest.mark.parametrize("own", [False, True])
def test_masked_pixels_do_not_count(own):
    value, error, mask = _spectra()
    mask[:, 1000:1010] = True
    wave = np.repeat(WAVE[None], 4, axis=0) if own else WAVE
    clean = resample(wave, value, error, mask, TARGETS["alike"])
    value[mask], error[mask] = 1e6, np.nan
    for a, b in zip(clean, resample(wave, value, error, mask, TARGETS["alike"]), strict=True):
        np.testing.assert_array_equal(a, b)
    assert clean[2].any() and np.isfinite(clean[0]).all() and np.isfinite(clean[1]).all()


def test_pixels_covered_by_less_than_half_are_masked():
    grid = np.arange(3600.0, 9300.0, 5.0)
    value, error, mask = _spectra()
    _, _, bad = resample(WAVE, value, error, mask, grid)
    assert bad[:, grid < WAVE[0] - 5].all() and bad[:, grid > WAVE[-1] + 5].all()
    assert not bad[:, (grid > WAVE[0] + 5) & (grid < WAVE[-1] - 5)].any()


def test_single_precision_stays_single():
    value, error, mask = (x.astype(np.float32) if x.dtype != bool else x for x in _spectra())
    found, spread, _ = resample(WAVE, value, error, mask, TARGETS["alike"])
    assert found.dtype == spread.dtype == np.float32
    double = resample(WAVE, value.astype(float), error.astype(float), mask, TARGETS["alike"])
    np.testing.assert_allclose(found, double[0], rtol=1e-5)


def test_tiny_fluxes_do_not_vanish_in_single_precision():
    value, error, mask = _spectra()
    tiny = resample(WAVE, (1e-25 * value).astype(np.float32), (1e-25 * error).astype(np.float32), mask,
                    TARGETS["alike"])
    np.testing.assert_allclose(tiny[1] * 1e25, resample(WAVE, value, error, mask, TARGETS["alike"])[1], rtol=1e-3)


def test_no_star_gives_no_star():
    empty = np.zeros((0, len(WAVE)))
    assert resample(WAVE, empty, empty, empty.astype(bool), TARGETS["alike"])[0].shape == (0, 3059)


def test_matrices_are_kept_and_bounded():
    assert overlap_matrix(WAVE, TARGETS["alike"]) is overlap_matrix(WAVE.copy(), TARGETS["alike"])
    for k in range(CAPACITY + 3):
        overlap_matrix(np.linspace(4000, 5000, 50) + k, np.linspace(4100, 4900, 20))
    assert len(_matrices) == CAPACITY


@pytest.mark.parametrize(("wave", "message"), [(WAVE[::-1], "must increase"), (WAVE[:-1], "has shape")])
def test_bad_grids_are_refused(wave, message):
    value, error, mask = _spectra()
    with pytest.raises(DataError, match=message):
        resample(wave, value, error, mask, TARGETS["alike"])
