"""The smooth factor between a spectrum that is calibrated relatively and its reconstruction."""

from __future__ import annotations

import numpy as np

#: order of the polynomial, and the error added in quadrature, as a fraction of the flux
ORDER, FLOOR = 10, 0.02


def smooth_response(wave: np.ndarray, value: np.ndarray, error: np.ndarray, mask: np.ndarray, model: np.ndarray, *,
                    order: int = ORDER) -> np.ndarray:
    """Fit the polynomial in log wavelength by which a model must be multiplied to meet a spectrum.

    Parameters
    ----------
    wave, value, error, mask, model : ndarray, shape ``(p,)``
        Masked pixels, and those where the model is not finite, do not count.
    order : int

    Returns
    -------
    ndarray, shape ``(p,)``
        Constant beyond the first and last pixel that count; NaN where it is not positive, or fewer than four pixels an order
        count.
    """
    good = ~mask & np.isfinite(value) & np.isfinite(model) & (error > 0)
    if good.sum() < 4 * (order + 1):
        return np.full(len(wave), np.nan)
    low, high = np.log(wave[good][[0, -1]])
    place = np.clip(2 * (np.log(wave) - low) / (high - low) - 1, -1, 1)
    terms = np.polynomial.chebyshev.chebvander(place, order)
    weight = 1 / np.hypot(error[good], FLOOR * np.abs(value[good]) + 1e-30)
    unit = np.median(np.abs(model[good])) or 1.0
    design = terms[good] * (weight * model[good] / unit)[:, None]
    found = terms @ np.linalg.lstsq(design, weight * value[good], rcond=None)[0] / unit
    return np.where(found > 0, found, np.nan)
