"""Wavelengths: vacuum and air, observed and rest frame. Angstrom, float64, arrays of any shape."""

from __future__ import annotations

import numpy as np

from ..errors import DataError

#: km/s, exact (SI)
SPEED_OF_LIGHT = 299792.458
#: below this wavelength (Angstrom) spectra are given in vacuum by convention
AIR_LIMIT = 2000.0


def to_air(wave: np.ndarray) -> np.ndarray:
    """Turn vacuum wavelengths into wavelengths in standard air.

    Parameters
    ----------
    wave : array_like
        Angstrom, in vacuum. Values below 2000 stay as they are.

    Returns
    -------
    ndarray of float64
        Angstrom, in dry air at 15 C and 1 atm.

    Notes
    -----
    Morton 2000, ApJS 130, 403 (after Birch & Downs 1994), as VALD uses it.

    Examples
    --------
    >>> from astrofm.data import to_air
    >>> print(to_air([6564.61]).round(2))
    [6562.8]
    """
    wave = _checked(wave)
    s2 = (1e4 / wave) ** 2
    index = 1 + 8.34254e-5 + 2.406147e-2 / (130 - s2) + 1.5998e-4 / (38.9 - s2)
    return np.where(wave < AIR_LIMIT, wave, wave / index)


def to_vacuum(wave: np.ndarray) -> np.ndarray:
    """Turn wavelengths in standard air into vacuum wavelengths; the inverse of `to_air` to 1e-9 Angstrom.

    Parameters
    ----------
    wave : array_like
        Angstrom, in air. Values below 2000 stay as they are.

    Returns
    -------
    ndarray of float64
    """
    air = _checked(wave)
    vacuum = np.array(air)
    for _ in range(4):
        vacuum = air * (vacuum / to_air(vacuum))
    return np.where(air < AIR_LIMIT, air, vacuum)


def to_rest_frame(wave: np.ndarray, rv: np.ndarray | float) -> np.ndarray:
    """Take the Doppler shift out of observed wavelengths.

    Parameters
    ----------
    wave : array_like, shape ``(p,)`` or ``(n, p)``
        Angstrom, observed.
    rv : float or array_like, shape ``(n,)``
        Radial velocity, km/s, positive away from us.

    Returns
    -------
    ndarray of float64, shape ``(p,)`` for one velocity, ``(n, p)`` for many
        ``wave / sqrt((1 + v/c) / (1 - v/c))``.
    """
    beta = np.asarray(rv, np.float64) / SPEED_OF_LIGHT
    if np.any(np.abs(beta) >= 1) or not np.all(np.isfinite(beta)):
        raise DataError("radial velocities must be finite and below the speed of light: are they in km/s?")
    factor = np.sqrt((1 + beta) / (1 - beta))
    return _checked(wave) / (factor[..., None] if factor.ndim else factor)


def _checked(wave: np.ndarray) -> np.ndarray:
    wave = np.asarray(wave, np.float64)
    if np.any(wave <= 0):
        raise DataError("wavelengths must be positive: are they in Angstrom?")
    return wave
