"""Magnitudes and fluxes of photometry, and what tables write where there is none."""

from __future__ import annotations

import numpy as np

#: magnitudes as large as this, either way, mean that there is none (99, 99.999, -99, -999)
NO_MAGNITUDE = 90.0
#: and so do errors of magnitudes (9.999, 99, 100)
NO_ERROR = 9.0
#: flux is ``exp(-magnitude / POGSON)``
POGSON = 2.5 / np.log(10)


def blank_magnitudes(magnitude: np.ndarray, error: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Put NaN where a table's number means that there is no magnitude, or no error.

    Parameters
    ----------
    magnitude, error : array, shape ``(p,)``

    Returns
    -------
    magnitude, error : ndarray of float64, shape ``(p,)``
        New arrays.
    """
    magnitude, error = np.asarray(magnitude, np.float64), np.asarray(error, np.float64)
    with np.errstate(invalid="ignore"):
        return (np.where(np.abs(magnitude) < NO_MAGNITUDE, magnitude, np.nan),
                np.where(error < NO_ERROR, error, np.nan))


def to_flux(magnitude: np.ndarray, error: np.ndarray, zero_point: np.ndarray | float) -> tuple[np.ndarray, np.ndarray]:
    """Turn magnitudes into fluxes, to first order in the errors.

    Parameters
    ----------
    magnitude, error : array, shape ``(p,)``
    zero_point : float or array, shape ``(p,)``
        Magnitude of one unit of flux.

    Returns
    -------
    flux, error : ndarray of float64, shape ``(p,)``
    """
    with np.errstate(over="ignore", under="ignore"):
        flux = np.exp((zero_point - np.asarray(magnitude, np.float64)) / POGSON)
    return flux, flux * np.asarray(error, np.float64) / POGSON


def to_magnitude(flux: np.ndarray, error: np.ndarray, zero_point: np.ndarray | float) -> tuple[np.ndarray, np.ndarray]:
    """Turn fluxes into magnitudes, to first order in the errors; NaN where the flux is not positive.

    Parameters
    ----------
    flux, error : array, shape ``(p,)``
    zero_point : float or array, shape ``(p,)``
        Magnitude of one unit of flux.

    Returns
    -------
    magnitude, error : ndarray of float64, shape ``(p,)``
    """
    flux = np.asarray(flux, np.float64)
    flux = np.where(flux > 0, flux, np.nan)
    return zero_point - POGSON * np.log(flux), POGSON * np.asarray(error, np.float64) / flux
