"""Between a decoded spectrum, known up to one factor a star, and the spectrum that was observed."""

from __future__ import annotations

import numpy as np

#: times the model's own errors are taken into the weights
ROUNDS = 3


def amplitude(value: np.ndarray, error: np.ndarray, mask: np.ndarray, model: np.ndarray,
              model_error: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Fit the factor that brings each decoded spectrum to the observed one.

    Weighted least squares of one parameter a star; the weights are the observed variances plus those
    of the scaled model (iterated), so that a few pixels of tiny error don't decide.

    Parameters
    ----------
    value, error : ndarray, shape ``(n, p)``
        Observed flux and its one-sigma error.
    mask : ndarray of bool, shape ``(n, p)``
        True = bad; those pixels don't count.
    model, model_error : ndarray, shape ``(n, p)``
        Decoded flux and error on the star's own scale.

    Returns
    -------
    factor, factor_error : ndarray, shape ``(n,)``
        In the unit of ``value``; NaN where no pixel is good or the factor is not positive.
    """
    good = ~mask & np.isfinite(model) & np.isfinite(model_error)
    value, error = np.where(good, value, 0.0).astype(float), np.where(good, error, 0.0).astype(float)
    model, model_error = np.where(good, model, 0.0), np.where(good, model_error, 0.0)
    unit = _typical(np.abs(value), good)
    value, error = value / unit[:, None], error / unit[:, None]
    factor = _typical(np.abs(value), good) / _typical(np.abs(model), good)
    with np.errstate(divide="ignore", invalid="ignore"):
        for _ in range(ROUNDS):
            weight = np.where(good, 1.0 / (error**2 + (factor[:, None] * model_error) ** 2 + 1e-12), 0.0)
            power = np.sum(weight * model**2, axis=1)
            factor = np.sum(weight * model * value, axis=1) / power
            factor = np.where(factor > 0, factor, np.nan)
        return factor * unit, np.where(np.isfinite(factor), unit / np.sqrt(power), np.nan)


def reduced_chi2(value: np.ndarray, error: np.ndarray, mask: np.ndarray, scaled: np.ndarray, *,
                 floor: float) -> np.ndarray:
    """Measure how far each observed spectrum is from its scaled decode.

    Parameters
    ----------
    value, error, mask, scaled : ndarray, shape ``(n, p)``
    floor : float
        Error added in quadrature, as a fraction of ``scaled``.

    Returns
    -------
    ndarray, shape ``(n,)``
        Mean of squared residuals over squared errors; NaN where fewer than two pixels are good.
    """
    good = ~mask & np.isfinite(scaled)
    spread = np.where(good, error, 1.0).astype(float) ** 2 + (floor * np.where(good, scaled, 0.0)) ** 2
    with np.errstate(divide="ignore", invalid="ignore"):
        terms = np.where(good, (np.where(good, value, 0.0) - np.where(good, scaled, 0.0)) ** 2 / spread, 0.0)
        count = good.sum(axis=1)
        return np.where(count > 1, terms.sum(axis=1) / np.maximum(count - 1, 1), np.nan)


def _typical(array: np.ndarray, good: np.ndarray) -> np.ndarray:
    total = np.sum(np.where(good, array, 0.0), axis=1) / np.maximum(good.sum(axis=1), 1)
    return np.where(total > 0, total, 1.0)
