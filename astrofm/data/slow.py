"""How stars change over days, seasons and years: running means, seasons and the autocorrelation, on a grid of days."""

from __future__ import annotations

import numpy as np
from scipy import fft

from .brightness import Packed

#: days: lengths of the running means
LENGTHS = (30, 200, 1000)
#: days: from and to, of lags
LAGS = ((1, 1), (2, 4), (5, 9), (10, 19), (20, 39), (40, 69), (70, 109), (110, 159), (160, 229), (230, 319), (320, 449),
        (600, 800))
#: days of a season, and points that it takes at least
SEASON, FEWEST = 365.25, 5
#: pairs of points that a lag takes at least
PAIRS = 20
#: cells of the grid that are worked on at a time
CELLS = 2_000_000


def slow_features(points: Packed) -> dict[str, np.ndarray]:
    """Measure running means, seasons and autocorrelation.

    Parameters
    ----------
    points : Packed
        Magnitudes.

    Returns
    -------
    dict of str to ndarray of float64, shape ``(n,)``
        See `astrofm.data.feature_names.FEATURES`; NaN where there are too few points.
    """
    first = np.where(points.there, points.days, np.inf).min(1, initial=np.inf)
    days = np.where(points.there, points.days - np.where(np.isfinite(first), first, 0.0)[:, None], 0.0)
    with np.errstate(divide="ignore", invalid="ignore"):
        mean = points.mean(points.value)
        away = np.where(points.there, points.value - np.nan_to_num(mean)[:, None], 0.0)
        std = np.sqrt(points.mean(away**2))
        away = np.where(points.there & (std > 0)[:, None], away / np.where(std > 0, std, 1.0)[:, None], 0.0)
        parts = []
        size = int(days.max(initial=0.0)) + 1 + LAGS[-1][1]
        for start in range(0, max(len(days), 1), max(1, CELLS // size)):
            rows = slice(start, start + max(1, CELLS // size))
            parts.append(_on_grid(days[rows], away[rows], points.there[rows]))
        found = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
        found["season_range"] = found["season_range"] * std
    spread = (std > 0) & (points.count > FEWEST)
    return {name: np.where(spread & np.isfinite(values), values, np.nan) for name, values in found.items()}


def running_mean(days: np.ndarray, value: np.ndarray, weight: np.ndarray, length: float) -> np.ndarray:
    """Give the weighted mean of what lies within half a length, to a day, of each point.

    Parameters
    ----------
    days : ndarray of float64, shape ``(n, p)``
        Since a star's first point, in any order.
    value, weight : ndarray of float64, shape ``(n, p)``
        The weight is 0 where there is no point.
    length : float
        Days.

    Returns
    -------
    ndarray of float64, shape ``(n, p)``
    """
    cell, total, sums = _grid(days, value * weight, weight)
    mean = _box(sums, length) / np.maximum(_box(total, length), 1e-300)
    return np.take_along_axis(mean, cell, 1)


def _grid(days: np.ndarray, value: np.ndarray, weight: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Give each point's day, and the sums of weights and of values in each day; shapes ``(n, p)`` and ``(n, days)``."""
    cell = days.astype(np.int64)
    n, size = len(days), int(cell.max(initial=0)) + 1
    index = (cell + np.arange(n)[:, None] * size).ravel()
    return cell, *(np.bincount(index, each.ravel(), n * size).reshape(n, size) for each in (weight, value))


def _box(sums: np.ndarray, length: float) -> np.ndarray:
    """Add up what lies within half a length of each day."""
    size, half = sums.shape[1], int(length / 2)
    total = np.concatenate([np.zeros((len(sums), 1)), np.cumsum(sums, axis=1)], axis=1)
    day = np.arange(size)
    return total[:, np.minimum(day + half + 1, size)] - total[:, np.maximum(day - half, 0)]


def _on_grid(days: np.ndarray, away: np.ndarray, there: np.ndarray) -> dict[str, np.ndarray]:
    """Measure magnitudes that have a mean of 0 and a standard deviation of 1."""
    cell, count, sums = _grid(days, away, there.astype(float))
    number = count.sum(1)
    found = {}
    for length in LENGTHS:
        mean = np.where(count > 0, _box(sums, length) / np.maximum(_box(count, length), 1.0), 0.0)
        mean -= ((count * mean).sum(1) / number)[:, None]
        variance = (count * mean**2).sum(1) / number
        found[f"running_std_{length}"] = np.sqrt(variance)
        found[f"running_skew_{length}"] = (count * mean**3).sum(1) / number / np.maximum(variance, 1e-9) ** 1.5
        rest = np.where(there, away - np.take_along_axis(mean, cell, 1), 0.0)
        variance = (rest**2).sum(1) / number
        found[f"rest_std_{length}"] = np.sqrt(variance)
        found[f"rest_skew_{length}"] = (rest**3).sum(1) / number / np.maximum(variance, 1e-9) ** 1.5
    return {**found, **_autocorrelation(sums, count), **_seasons(days, away, there)}


def _autocorrelation(sums: np.ndarray, count: np.ndarray) -> dict[str, np.ndarray]:
    """Give the mean product of points some days apart: 1 less the structure function squared (Simonetti et al. 1985)."""
    most = LAGS[-1][1]
    size = fft.next_fast_len(sums.shape[1] + most + 1, real=True)
    products, pairs = (np.cumsum(fft.irfft(np.abs(fft.rfft(each, size)) ** 2, size)[:, :most + 1], axis=1)
                       for each in (sums.astype(np.float32), count.astype(np.float32)))
    found = {}
    for low, high in LAGS:
        number = pairs[:, high] - pairs[:, low - 1]
        mean = (products[:, high] - products[:, low - 1]) / number
        found[f"autocorrelation_{low}"] = np.where(number >= PAIRS, mean, np.nan)
    return found


def _seasons(days: np.ndarray, away: np.ndarray, there: np.ndarray) -> dict[str, np.ndarray]:
    """Compare the means and the spreads of years."""
    n, season = len(days), (days / SEASON).astype(np.int64)
    size = int(season.max(initial=0)) + 1
    index = (season + np.arange(n)[:, None] * size)[there]
    count = np.bincount(index, minlength=n * size).reshape(n, size)
    mean = np.bincount(index, away[there], n * size).reshape(n, size) / np.maximum(count, 1)
    square = np.bincount(index, away[there] ** 2, n * size).reshape(n, size) / np.maximum(count, 1)
    std = np.sqrt(np.maximum(square - mean**2, 0.0))
    known = count >= FEWEST
    several = known.sum(1) > 1

    def moments(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        middle = np.where(known, values, 0.0).sum(1) / known.sum(1)
        return middle, np.sqrt(np.where(known, (values - middle[:, None]) ** 2, 0.0).sum(1) / known.sum(1))

    spread, (usual, change) = moments(mean)[1], moments(std)
    widest = np.where(known, mean, -np.inf).max(1) - np.where(known, mean, np.inf).min(1)
    return {name: np.where(several, values, np.nan) for name, values in
            (("season_std", spread), ("season_range", widest), ("season_change", change / np.maximum(usual, 1e-9)))}
