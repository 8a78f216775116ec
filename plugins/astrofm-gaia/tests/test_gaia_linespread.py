"""The line spread, against standard stars that have spectra of their own."""

import numpy as np
import pytest
from astrofm_gaia.instrument import ARCHIVE_GRID, GaiaXP

from astrofm.data.linespread import broadening_matrix


def standards(folder):
    """Load XP and own spectra of the standards on the grid, shape ``(n, 343)``; NaN where absent."""
    table = pytest.importorskip("pyarrow.parquet").read_table(folder / "gaia_flux_correction.parquet")
    found = np.full((2, table.num_rows, len(ARCHIVE_GRID)), np.nan)
    for row, wave in enumerate(table["wavelength"].to_pylist()):
        place = np.rint((np.array(wave) - 336) / 2).astype(int)
        for target, name in zip(found, ("gaia_spectrum", "calspec_spectrum"), strict=True):
            target[row, place] = table[name][row].as_py()
    return found


def scatter(xp, truth, use):
    """Robust scatter of the logarithm of the ratio over stars and pixels, each star's median taken out."""
    ratio = np.log(xp[:, use] / truth[:, use])
    ratio -= np.nanmedian(ratio, axis=1, keepdims=True)
    return 1.4826 * np.nanmedian(np.abs(ratio))


def test_standards_through_the_line_spread_are_nearer_to_their_xp_spectra(shared_data):
    xp, truth = standards(shared_data / "gaia-xp" / "calspec")
    whole = (np.isfinite(truth) & (truth > 0) & (xp > 0)).sum(axis=1) > 300
    xp, truth = np.where(xp > 0, xp, np.nan)[whole], truth[whole]
    for row in truth:
        good = np.isfinite(row) & (row > 0)
        row[:] = np.exp(np.interp(ARCHIVE_GRID, ARCHIVE_GRID[good], np.log(row[good])))
    wave = GaiaXP().wavelength()
    seen = truth @ broadening_matrix(wave, wave, GaiaXP.line_spread).T
    pixels = (ARCHIVE_GRID >= 400) & (ARCHIVE_GRID <= 970)
    lines = np.zeros_like(pixels)
    for line in (410, 434, 486, 656, 850, 866, 886, 902, 923):
        lines |= np.abs(ARCHIVE_GRID - line) <= 6
    assert scatter(xp, seen, pixels) < 0.85 * scatter(xp, truth, pixels)
    assert scatter(xp, seen, lines & pixels) < 0.6 * scatter(xp, truth, lines & pixels)


def test_the_width_follows_the_photometers():
    spread = GaiaXP.line_spread
    fwhm = 2.3548 * spread.sigma(np.array([3400.0, 6200.0, 6600.0, 10000.0])) / 10
    assert fwhm[0] < fwhm[1] and fwhm[2] < fwhm[1] and fwhm[2] < fwhm[3]
