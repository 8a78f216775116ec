"""Pseudo-continuum of many spectra at once."""

from __future__ import annotations

import numpy as np

from ..errors import DataError

#: pixels that are far below the running curve are lines, far above it cosmic hits; in units of their error plus 1 %
LOW, HIGH = 1.5, 4.0


def pseudo_continuum(wave: np.ndarray, value: np.ndarray, error: np.ndarray, mask: np.ndarray, *,
                     order: int = 6, rounds: int = 5) -> np.ndarray:
    """Fit a smooth upper envelope to each spectrum.

    Chebyshev polynomials in log wavelength, fitted again and again without the pixels far below (lines) or far
    above (cosmic hits) the last curve.

    Parameters
    ----------
    wave : ndarray of float64, shape ``(p,)``
        Angstrom, increasing.
    value, error : ndarray, shape ``(n, p)``
    mask : ndarray of bool, shape ``(n, p)``
        True = bad; such pixels don't count.
    order : int
        Degree of the polynomial.
    rounds : int
        Times that pixels are left out.

    Returns
    -------
    ndarray of float64, shape ``(n, p)``
        NaN for a spectrum with too few good pixels, or whose continuum is nowhere positive.

    Raises
    ------
    DataError
        If shapes disagree.

    Examples
    --------
    >>> import numpy as np
    >>> from astrofm.data import pseudo_continuum
    >>> wave = np.linspace(4000.0, 5000.0, 500)
    >>> flux = 2.0 - 0.8 * np.exp(-0.5 * ((wave - 4500) / 5) ** 2)[None]
    >>> found = pseudo_continuum(wave, flux, 0.01 * np.ones((1, 500)), np.zeros((1, 500), bool))
    >>> print(found[0, 250].round(2))
    2.0
    """
    wave, value, error = np.asarray(wave, float), np.asarray(value, float), np.asarray(error, float)
    mask = np.asarray(mask, bool)
    if value.ndim != 2 or not value.shape == error.shape == mask.shape or wave.shape != value.shape[1:]:
        raise DataError(f"expected wave (p,) and value, error, mask (n, p), got {wave.shape}, {value.shape}, "
                        f"{error.shape}, {mask.shape}")
    place = np.interp(np.log(wave), np.log(wave[[0, -1]]), [-1.0, 1.0])
    basis = np.polynomial.chebyshev.chebvander(place, order)
    products = (basis[:, :, None] * basis[:, None, :]).reshape(len(wave), -1)
    enough = (~mask).sum(1) >= 4 * (order + 1)
    counted = np.where(enough[:, None], np.where(mask, np.nan, np.abs(value)), 1.0)
    scale = np.nanmedian(counted, axis=1, keepdims=True)
    scale = np.where(scale > 0, scale, 1.0)
    y, spread = np.where(mask, 0, value / scale), np.where(mask, 0, error / scale) + 0.01
    good = ~mask
    used = good
    for _ in range(rounds + 1):
        weight = used / spread
        normal = (weight @ products).reshape(-1, order + 1, order + 1)
        normal += 1e-8 * (1 + np.trace(normal, axis1=1, axis2=2))[:, None, None] * np.eye(order + 1)
        fit = np.linalg.solve(normal, ((weight * y) @ basis)[..., None])[..., 0] @ basis.T
        away = (y - fit) / spread
        kept = good & (away > -LOW) & (away < HIGH)
        used = np.where((kept.sum(1) >= 2 * (order + 1))[:, None], kept, used)
    fit = np.where(fit > 0, fit, np.nan) * scale
    return np.where(enough[:, None], fit, np.nan)
