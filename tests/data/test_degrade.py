"""Spectra degraded to a coarser instrument are what that instrument sees."""

import numpy as np
import pytest
from astropy import units as u

from astrofm.data import Batch, LineSpread
from astrofm.errors import DataError
from astrofm.interfaces import SpectrumInstrument, degrade


class Fine(SpectrumInstrument):
    """0.5 Angstrom pixels, FWHM 1.5 Angstrom."""

    name = "fine"
    grid = np.arange(4000.0, 5000.0, 0.5) * u.AA
    unit = u.Unit("1e-17 erg s-1 cm-2 AA-1")
    line_spread = LineSpread.gaussian(1.5)

    def matches(self, data):
        return False


class Broad(SpectrumInstrument):
    """2 Angstrom pixels, FWHM 4 Angstrom, absolute fluxes."""

    name = "broad"
    grid = np.arange(3950.0, 5050.0, 2.0) * u.AA
    unit = u.Unit("W m-2 nm-1")
    calibration = "absolute"
    line_spread = LineSpread.gaussian(4.0)

    def matches(self, data):
        return False


def lines(wave, fwhm):
    """Give three Gaussian lines of 30 of equivalent width in a flux of 100, as seen at a width."""
    sigma = np.sqrt(fwhm**2 + 0.1**2) / 2.3548
    return 100 - sum(30 * np.exp(-0.5 * ((wave - centre) / sigma) ** 2) / (sigma * np.sqrt(2 * np.pi))
                     for centre in (4200.3, 4500.0, 4811.7))


def batch(mask=(), n=2):
    wave = Fine().wavelength()
    value = np.repeat(lines(wave, 1.5)[None], n, axis=0)
    bad = np.zeros(value.shape, bool)
    bad[0, list(mask)] = True
    return Fine().batch(value, np.full_like(value, 2.0), bad, {"id": [str(k) for k in range(n)]})


def test_lines_are_as_broad_and_as_strong_as_the_coarse_instrument_sees_them():
    found = degrade(batch(), Fine(), Broad())
    wave = Broad().wavelength()
    inside = (wave > 4010) & (wave < 4990)
    shape = found.value[0][inside] / 1e-17  # 1e-15 erg / (s cm2 Angstrom) is 1e-17 W / (m2 nm)
    expected = lines(wave, np.hypot(4.0, 2.355 * 2 / 12**0.5))[inside] / 100  # the pixels of 2 Angstrom broaden a little, too
    np.testing.assert_allclose(shape, expected, atol=0.01)
    assert ((1 - shape) * 2).sum() == pytest.approx(0.9, rel=0.01)
    assert found.instrument == "broad"


def test_what_the_source_does_not_reach_is_masked_and_so_is_what_bad_pixels_gave():
    found = degrade(batch(mask=range(1000, 1010)), Fine(), Broad())
    wave = Broad().wavelength()
    assert found.mask[:, (wave < 3998) | (wave > 5002)].all()
    around = (wave > 4496) & (wave < 4508)
    assert found.mask[0][around].all() and not found.mask[1][around].any()
    far = (wave > 4020) & (wave < 4480)
    np.testing.assert_array_equal(found.value[0][far], found.value[1][far])


def test_noise_is_carried():
    random = np.random.default_rng(0)
    noisy = batch(n=400)
    value = noisy.value + noisy.error * random.standard_normal(noisy.value.shape).astype(np.float32)
    found = degrade(Batch("fine", noisy.coordinate, value, noisy.error, noisy.mask, meta=noisy.meta), Fine(), Broad())
    good = ~found.mask[0]
    np.testing.assert_allclose(found.value[:, good].std(0), found.error[0, good], rtol=0.2)
    assert found.meta["id"][3] == "3" and found.meta["degraded_from"][0] == "fine"


def test_what_cannot_be_is_refused():
    with pytest.raises(DataError, match="coarser than 'fine'"):
        degrade(degrade(batch(), Fine(), Broad()), Broad(), Fine())
    with pytest.raises(DataError, match="the batch is of 'fine'"):
        degrade(batch(), Broad(), Fine())
    unknown = Broad()
    unknown.line_spread = None
    with pytest.raises(DataError, match="line-spread function of 'broad' is not known"):
        degrade(batch(), Fine(), unknown)
