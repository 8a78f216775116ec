"""Which pixels are bad: the bits of APOGEE_PIXMASK, and errors that mean "no data".

The bits are those of SDSS's table of bitmasks (Holtzman et al. 2015, 2015AJ....150..148H; Jonsson et al. 2020,
2020AJ....160..120J). A pixel is bad where one of `BAD` is set. `KEPT` are warnings: persistence alone would take up to half
of a spectrum in the real files that the choice was made on, and ASPCAP keeps most of the pixels that carry these flags. It
treats `BAD` as bad itself: in three stars every such pixel has its error multiplied, by up to 250, in the aspcapStar file.
"""

from __future__ import annotations

import numpy as np

#: bit of each flag that makes a pixel bad
BAD = {"BADPIX": 0, "CRPIX": 1, "SATPIX": 2, "UNFIXABLE": 3, "BADDARK": 4, "BADFLAT": 5, "BADERR": 6, "NOSKY": 7,
       "SIG_SKYLINE": 12, "NOT_ENOUGH_PSF": 14}
#: bit of each flag that does not
KEPT = {"LITTROW_GHOST": 8, "PERSIST_HIGH": 9, "PERSIST_MED": 10, "PERSIST_LOW": 11, "SIG_TELLURIC": 13}
BAD_BITS = sum(1 << bit for bit in BAD.values())
#: the pipeline gives pixels without data an error of 1e10
NO_DATA = 1e9
#: the median flux is that of every so manieth pixel
SPARSE = 8


def bad_pixels(flux: np.ndarray, error: np.ndarray, flags: np.ndarray | None, limit: float) -> np.ndarray:
    """Say which pixels carry no information.

    Parameters
    ----------
    flux, error : ndarray, shape ``(p,)``
    flags : ndarray of int, shape ``(p,)``, optional
        APOGEE_PIXMASK.
    limit : float
        Bad are errors above so many times the median flux of the pixels that are not bad by the other rules.

    Returns
    -------
    ndarray of bool, shape ``(p,)``
        True where a bad bit is set, flux or error is not finite, the error is not positive or means "no data", or the flux
        is exactly zero (outside the chips, and where ASPCAP cuts fluxes above 1.1).
    """
    flux, error = flux.astype(np.float32), error.astype(np.float32)
    with np.errstate(invalid="ignore"):
        good = np.isfinite(flux) & (error > 0) & (error < NO_DATA) & (flux != 0)
    if flags is not None:
        good &= (flags & BAD_BITS) == 0
    if good.any():
        typical = np.median(np.abs(flux[good][::SPARSE]))
        good &= error <= limit * typical
    return ~good
