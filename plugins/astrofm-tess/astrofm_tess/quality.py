"""Which quality flags make a cadence bad."""

from __future__ import annotations

from typing import Any

import numpy as np

#: bits of QUALITY of TESS that its archive's manual recommends to leave out: attitude tweak (1), safe mode (2), coarse point
#: (4), Earth point (8), Argabrightening (16), desaturation (32), manual exclude (128), impulsive outlier (512), scattered
#: light as predicted (4096; in QLP's files: flagged by QLP), bad calibration (16384); TESS Archive Manual, section "Data
#: Product Overview", table of cadence quality flags
TESS_BAD = 0b0101001010111111
#: bits of SAP_QUALITY of Kepler and K2: attitude tweak (1), safe mode (2), coarse point (4), Earth point (8), desaturation
#: (32), manual exclude (256), detector anomaly (16384), no data (65536), thrusters fired (1048576); Kepler Archive Manual,
#: KDMC-10008-006, table 2-3; the default of lightkurve
KEPLER_BAD = 1 + 2 + 4 + 8 + 32 + 256 + 16384 + 65536 + 1048576


def bad_cadences(quality: Any, bits: int) -> np.ndarray:
    """Say which cadences have one of ``bits`` set; shape as ``quality``, True = bad, where it is masked or NaN, too.

    Numbers that are not whole are means of flags, and say nothing: then none is bad.
    """
    flags = np.asarray(np.ma.filled(np.ma.asarray(quality), bits))
    if flags.dtype.kind == "f":
        flags = np.nan_to_num(flags, nan=bits)
        if (flags % 1 != 0).any():
            return np.zeros(flags.shape, bool)
    return (flags.astype(np.int64) & bits) != 0
