"""Light curves as periods are searched in: about a mean of each band, in units of its spread."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np

#: spread that the noise of a point is given at least, over that of the star: no model of a star is better
FLOOR = 0.1
#: points that a band's spread is held to that of all bands by
HELD = 5
#: days: points as close as this are one visit, as what a model lacks is the same for all of them
VISIT = 0.01
#: what points of a visit count beyond one: points**(1 - JOINT) visits**JOINT
JOINT = 0.85
#: points beyond this many widths (of the middle 95 per cent) are drawn in
DRAWN = 1.5
#: stars that are worked on together, and their points, padding included
STARS, POINTS = 8, 400_000


@dataclass(frozen=True, eq=False)
class Waves:
    """Light curves of ``n`` stars, ready for Fourier series that all bands share.

    Parameters
    ----------
    days : ndarray of float64, shape ``(n, p)``
        Since each star's first good point; 0 where masked.
    value : ndarray of float64, shape ``(n, p)``
        Over the band's spread, with a weighted mean of 0 in each band; 0 where masked.
    weight : ndarray of float64, shape ``(n, p)``
        0 where masked; the others sum to the number of visits, about.
    band : ndarray of int, shape ``(n, p)``
        0 to ``bands - 1``.
    bands : int
    points : ndarray of int, shape ``(n,)``
        Good points.
    free : ndarray of float64, shape ``(n,)``
        Visits, less what the bands' means take.
    span : ndarray of float64, shape ``(n,)``
        Days from the first good point to the last.
    spread : ndarray of float64, shape ``(n, bands)``
        In the unit of the values; NaN where a band has no point.
    """

    days: np.ndarray
    value: np.ndarray
    weight: np.ndarray
    band: np.ndarray
    bands: int
    points: np.ndarray
    free: np.ndarray
    span: np.ndarray
    spread: np.ndarray

    def __len__(self) -> int:
        return len(self.days)

    def __getitem__(self, rows) -> Waves:
        """Take stars by an index array, cut behind the last good point of all."""
        there = (self.weight[rows] > 0).any(0).nonzero()[0]
        longest = max(int(there.max(initial=0)) + 1, 1)
        cut = (array[rows][:, :longest] for array in (self.days, self.value, self.weight, self.band))
        return Waves(*cut, self.bands, self.points[rows], self.free[rows], self.span[rows], self.spread[rows])

    def in_band(self, values: np.ndarray) -> np.ndarray:
        """Spread values ``(n, p)`` over the bands, ``(n, bands, p)``: 0 in the others."""
        if self.bands == 1:
            return values[:, None]
        return np.where(self.band[:, None] == np.arange(self.bands)[:, None], values[:, None], 0)

    def band_weights(self) -> np.ndarray:
        """Give the sum of the weights of each band, ``(n, bands)``; 1 for those without a point."""
        total = self.in_band(self.weight).sum(2)
        return np.where(total > 0, total, 1.0)

    def variance(self) -> np.ndarray:
        """Give the weighted sum of squares, ``(n,)``."""
        return (self.weight * self.value**2).sum(1)


def to_waves(days: np.ndarray, value: np.ndarray, error: np.ndarray, good: np.ndarray, band: np.ndarray | None) -> Waves:
    """Bring light curves into the form that periods are searched in.

    Each band is taken about its median and divided by its spread (that of all where it has few points), so that bands of
    unlike amplitude count alike; points far outside are drawn in; errors have a floor of a tenth of the spread.

    Parameters
    ----------
    days, value, error : ndarray, shape ``(n, p)``
    good : ndarray of bool, shape ``(n, p)``
    band : ndarray of int, shape ``(n, p)``, optional

    Returns
    -------
    Waves
    """
    shape = value.shape
    index, bands = _places(band, good)
    value, noise = np.where(good, value, 0.0).astype(np.float64), np.where(good, error, 0.0).astype(np.float64) ** 2
    counts, squares = np.zeros((shape[0], bands)), np.zeros((shape[0], bands))
    for b in range(bands):
        own = good & (index == b)
        count = own.sum(1)
        ranked = np.sort(np.where(own, value, np.inf), axis=1)
        low, middle, high = (_rank(ranked, count, part) for part in (0.025, 0.5, 0.975))
        width = np.where(count >= 10, DRAWN * (high - low), np.inf)
        away = np.clip(value, (low - width)[:, None], (high + width)[:, None]) - middle[:, None]
        value = np.where(own, away, value)
        square = np.where(own, away, 0.0) ** 2
        total = square.sum(1)
        squares[:, b] = np.maximum(total - np.where(own, noise, 0.0).sum(1), 0.1 * total)
        counts[:, b] = count
    spread = _spreads(squares, counts)
    scale = np.take_along_axis(np.where(np.isfinite(spread), spread, 1.0), index, 1)
    value = np.where(good, value / scale, 0.0)
    weight = np.where(good, 1 / (noise / scale**2 + FLOOR**2), 0.0)
    points = good.sum(1)
    first = np.where(good, days, np.inf).min(1, initial=np.inf)
    days = np.where(good, days - np.where(np.isfinite(first), first, 0.0)[:, None], 0.0)
    visits = _visits(days, good) ** JOINT * points ** (1 - JOINT)
    weight *= (visits / np.maximum(weight.sum(1), 1e-300))[:, None]
    for b in range(bands):
        own = np.where(index == b, weight, 0.0)
        mean = (own * value).sum(1) / np.maximum(own.sum(1), 1e-300)
        value = np.where(own > 0, value - mean[:, None], value)
    free = (points - (counts > 0).sum(1)) * visits / np.maximum(points, 1)
    return Waves(days, value, weight, index, bands, points, free, days.max(1, initial=0.0), spread)


def _visits(days: np.ndarray, good: np.ndarray) -> np.ndarray:
    """Count times apart from each other, in bins; shape ``(n,)``."""
    bins = np.sort(np.where(good, np.floor(days / VISIT), -1.0), axis=1)
    new = np.diff(bins, axis=1, prepend=-1.0) > 0
    return new.sum(1)


def _places(band: np.ndarray | None, good: np.ndarray) -> tuple[np.ndarray, int]:
    """Number the bands that have a good point from 0."""
    if band is None:
        return np.zeros(good.shape, np.int64), 1
    used = np.unique(band[good])
    return np.minimum(np.searchsorted(used, band), max(len(used) - 1, 0)), max(len(used), 1)


def _rank(ranked: np.ndarray, count: np.ndarray, part: float) -> np.ndarray:
    """Interpolate in sorted values of which the first ``count`` are there; 0 where none is."""
    place = np.maximum(count - 1, 0) * part
    lower = place.astype(np.int64)
    upper = np.minimum(lower + 1, np.maximum(count - 1, 0))
    if not ranked.shape[1]:
        return np.zeros(len(ranked))
    low, high = (np.take_along_axis(ranked, each[:, None], 1)[:, 0] for each in (lower, upper))
    low, high = (np.where(count > 0, each, 0.0) for each in (low, high))
    return low + (high - low) * (place - lower)


def _spreads(squares: np.ndarray, counts: np.ndarray) -> np.ndarray:
    total = squares.sum(1, keepdims=True) / np.maximum(counts.sum(1, keepdims=True), 1)
    total = np.where(total > 0, total, 1.0)
    own = np.where(squares > 0, squares, total) / np.maximum(np.where(squares > 0, counts, 1.0), 1.0)
    log = (counts * np.log(own) + HELD * np.log(total)) / (counts + HELD)
    return np.where(counts > 0, np.exp(0.5 * log), np.nan)


def alike(rows: np.ndarray, points: np.ndarray, span: np.ndarray) -> Iterator[np.ndarray]:
    """Group stars of like length and span, to be worked on together.

    Parameters
    ----------
    rows : ndarray of int, shape ``(n,)``
    points, span : ndarray, shape ``(n,)``
        Of each of the rows.

    Yields
    ------
    ndarray of int
        Some of the rows.
    """
    order = np.lexsort((points, np.ceil(4 * np.log2(span))))
    start = 0
    while start < len(order):
        stop = start + 1
        longest = points[order[start]]
        while stop < len(order) and stop - start < STARS and span[order[stop]] < 1.2 * span[order[start]]:
            longest = max(longest, points[order[stop]])
            if longest * (stop + 1 - start) > POINTS:
                break
            stop += 1
        yield rows[order[start:stop]]
        start = stop


def in_groups(work: Callable[[np.ndarray], Any], groups: Iterable[np.ndarray], workers: int) -> list[Any]:
    """Work on each group of stars, in as many threads."""
    if workers > 1:
        with ThreadPoolExecutor(workers) as pool:
            return list(pool.map(work, groups))
    return [work(group) for group in groups]
