"""The Gaia XP instrument: the archive's grid, units and line-spread function."""

from __future__ import annotations

from typing import Any

import numpy as np
from astropy import units as u

from astrofm.interfaces import SpectrumInstrument

from .linespread import xp_line_spread

#: the archive's sampling of mean spectra: 343 vacuum wavelengths in nm (Gaia DR3, xp_sampled_mean_spectrum)
ARCHIVE_GRID = np.arange(336.0, 1021.0, 2.0)


class GaiaXP(SpectrumInstrument):
    """Externally calibrated Gaia BP/RP spectra on the archive's grid."""

    name = "gaia-xp"
    grid = ARCHIVE_GRID * u.nm
    medium = "vacuum"
    unit = u.Unit("W m-2 nm-1")
    calibration = "absolute"
    line_spread = xp_line_spread()
    example_header = {"INSTRUME": "Gaia XP"}

    def matches(self, spectrum: Any) -> bool:
        """Say whether the spectrum's header names this instrument."""
        return spectrum.meta.get("header", {}).get("INSTRUME") == "Gaia XP"
