"""The line-spread function of externally calibrated XP spectra."""

from __future__ import annotations

import numpy as np

try:
    from astrofm.data.linespread import LineSpread
except ImportError:  # provisional, until the room exists
    LineSpread = None

#: vacuum wavelength in nm, and resolving power wavelength/FWHM there (provisional)
WAVE_NM = np.array([336.0, 400.0, 500.0, 600.0, 640.0, 700.0, 800.0, 900.0, 1020.0])
FWHM_NM = np.array([6.0, 7.5, 12.0, 19.0, 20.0, 10.0, 13.0, 16.0, 20.0])


def xp_line_spread() -> LineSpread | None:
    """Give the line spread of XP spectra in Angstrom."""
    return None if LineSpread is None else LineSpread.sampled(WAVE_NM * 10, FWHM_NM * 10)
