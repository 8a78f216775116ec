"""Magnitudes of any light curves, those of negative flux too, and the band that has most points."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from .magnitudes import POGSON

#: what fluxes are softened by, over the median error of the star's points in the band
SOFTENING = 0.5


@dataclass(frozen=True, eq=False)
class Packed:
    """Points of ``n`` stars, the good ones first and in order of time.

    Parameters
    ----------
    days, value, error : ndarray of float64, shape ``(n, p)``
        0 behind a star's last point.
    there : ndarray of bool, shape ``(n, p)``
    count : ndarray of int, shape ``(n,)``
    """

    days: np.ndarray
    value: np.ndarray
    error: np.ndarray
    there: np.ndarray
    count: np.ndarray

    def mean(self, values: np.ndarray, less: int = 0) -> np.ndarray:
        """Give the mean over the points of each star, of ``count - less`` of them; NaN where that is none; shape ``(n,)``."""
        total = np.where(self.there[:, :values.shape[1]], values, 0.0).sum(1)
        return total / np.where(self.count > less, self.count - less, np.nan)


def to_asinh_magnitude(flux: np.ndarray, error: np.ndarray, good: np.ndarray, band: np.ndarray | None,
                       zero_points: Sequence[float] | None = None) -> tuple[np.ndarray, np.ndarray]:
    """Turn fluxes of either sign into magnitudes (Lupton, Gunn & Szalay 1999, AJ 118, 1406).

    Where the flux is many times its error, these are the usual magnitudes to a part in the square of that number.

    Parameters
    ----------
    flux, error : ndarray, shape ``(n, p)``
    good : ndarray of bool, shape ``(n, p)``
    band : ndarray of int, shape ``(n, p)``, optional
    zero_points : sequence of float, optional
        Magnitude of one unit of flux in each band; 0 by default.

    Returns
    -------
    magnitude, error : ndarray of float64, shape ``(n, p)``
        0 where not good.
    """
    band = np.zeros(flux.shape, np.int64) if band is None else band
    soft = np.ones(flux.shape)
    for b in np.unique(band[good]):
        own = good & (band == b)
        ranked = np.sort(np.where(own, error, np.inf), axis=1)
        middle = np.take_along_axis(ranked, (np.maximum(own.sum(1) - 1, 0) // 2)[:, None], 1)
        soft = np.where(own, SOFTENING * np.where(np.isfinite(middle), middle, 1.0), soft)
    zero = 0.0 if zero_points is None else np.asarray(zero_points, np.float64)[band]
    flux, error = np.where(good, flux, 0.0).astype(np.float64), np.where(good, error, 0.0).astype(np.float64)
    magnitude = zero - POGSON * (np.arcsinh(flux / (2 * soft)) + np.log(soft))
    return np.where(good, magnitude, 0.0), POGSON * error / np.sqrt(flux**2 + 4 * soft**2)


def pack(days: np.ndarray, value: np.ndarray, error: np.ndarray, chosen: np.ndarray) -> Packed:
    """Put the chosen points ``(n, p)`` of each star first, and cut behind the longest."""
    count = chosen.sum(1)
    longest = max(int(count.max(initial=0)), 1)
    if not chosen.shape[1]:
        days, value, error, chosen = (np.zeros((len(chosen), 1), array.dtype) for array in (days, value, error, chosen))
    # points out of order are sorted here, padding goes to the end
    order = np.argsort(np.where(chosen, days, np.inf), axis=1, kind="stable")[:, :longest]
    there = np.arange(longest) < count[:, None]
    days, value, error = (np.where(there, np.take_along_axis(array, order, 1), 0.0) for array in (days, value, error))
    return Packed(days, value.astype(np.float64), error.astype(np.float64), there, count)


def main_band(band: np.ndarray | None, good: np.ndarray) -> np.ndarray:
    """Give the band of most good points of each star, the first of those alike; shape ``(n,)``."""
    if band is None:
        return np.zeros(len(good), np.int64)
    bands = int(band[good].max(initial=0)) + 1
    counts = np.stack([(good & (band == b)).sum(1) for b in range(bands)], axis=1)
    return counts.argmax(1)
