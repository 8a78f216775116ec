"""Box-shaped dips that repeat: eclipses and transits too short for a Fourier series."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ..errors import DataError
from .magnitudes import POGSON
from .sample import Batch

#: good points that a box takes at least
FEWEST = 20


@dataclass(frozen=True, eq=False)
class Boxes:
    """The best box of ``n`` stars; NaN where a star has too few points.

    Parameters
    ----------
    period, duration : ndarray of float64, shape ``(n,)``
        Days.
    epoch : ndarray of float64, shape ``(n,)``
        Middle of the first dip, in days since the first good point.
    depth, depth_snr : ndarray of float64, shape ``(n,)``
        Part of the light that is lost, and that over its error.
    """

    period: np.ndarray
    duration: np.ndarray
    epoch: np.ndarray
    depth: np.ndarray
    depth_snr: np.ndarray


def find_boxes(batch: Batch, *, shortest: float = 0.5, longest: float | None = None,
               durations: Sequence[float] = (0.05, 0.1, 0.2), magnitudes: bool | None = None, most: int = 1_000_000) -> Boxes:
    """Find the box that repeats and explains most of each star's light, by astropy's box least squares (Kovacs+ 2002).

    Frequencies have to be as close as the shortest duration over the square of the time base, and stars are worked on one by
    one: for months of points every few minutes, and not for years.

    Parameters
    ----------
    batch : Batch
        Light curves.
    shortest, longest : float
        Periods, days; the longest is half the time base by default, and at most.
    durations : sequence of float
        Days, below ``shortest``.
    magnitudes : bool, optional
        Values are magnitudes; otherwise fluxes. By default ``meta["unit"]`` says so.
    most : int
        Frequencies of a star, at most.

    Returns
    -------
    Boxes

    Raises
    ------
    DataError
        No light curves; a range that is none; more than ``most`` frequencies.
    """
    if batch.coordinate.ndim == 1:
        raise DataError(f"the stars of {batch.instrument!r} share one grid: boxes are of light curves")
    if not 0 < min(durations) <= max(durations) < shortest < (np.inf if longest is None else longest):
        raise DataError(f"boxes of {min(durations)} to {max(durations)} days in periods from {shortest} to {longest} days: "
                        "give 0 < durations < shortest < longest")
    if magnitudes is None and "unit" not in batch.meta:
        raise DataError(f'the batch of {batch.instrument!r} does not say whether its values are magnitudes or fluxes: say '
                        'magnitudes=True or False')
    found = np.full((5, len(batch)), np.nan)
    for row in range(len(batch)):
        good = ~np.asarray(batch.mask[row])
        if good.sum() < FEWEST:
            continue
        band = np.zeros(good.sum(), int) if batch.band is None else np.asarray(batch.band)[row][good]
        days, value, error = (np.asarray(array)[row][good].astype(np.float64)
                              for array in (batch.coordinate, batch.value, batch.error))
        is_magnitude = magnitudes if magnitudes is not None else str(batch.meta["unit"][row]) == "mag"
        light, error = _relative(value, error, band, is_magnitude)
        found[:, row] = _box(days - days.min(), light, error, shortest, longest, np.asarray(durations, float), most)
    return Boxes(*found)


def _relative(value: np.ndarray, error: np.ndarray, band: np.ndarray, magnitudes: bool) -> tuple[np.ndarray, np.ndarray]:
    """Give light and error over the median of each band."""
    if magnitudes:
        value = np.exp(-(value - np.median(value)) / POGSON)
        error = value * error / POGSON
    light, spread = np.empty(len(value)), np.empty(len(value))
    for b in np.unique(band):
        own = band == b
        middle = np.median(value[own])
        scale = abs(middle) if middle else 1.0
        light[own], spread[own] = (value[own] - middle) / scale, error[own] / scale
    return light, spread


def _box(days: np.ndarray, light: np.ndarray, error: np.ndarray, shortest: float, longest: float | None,
         durations: np.ndarray, most: int) -> tuple[float, ...]:
    from astropy.timeseries import BoxLeastSquares

    span = float(days.max())
    longest = 0.5 * span if longest is None else min(longest, 0.5 * span)
    if longest <= shortest:
        return (np.nan,) * 5
    step = durations.min() / span**2
    count = int((1 / shortest - 1 / longest) / step) + 1
    if count > most:
        raise DataError(f"boxes of {durations.min()} d in {span:.0f} d of points take {count} frequencies, over most={most}: "
                        "give a longer `shortest`, a shorter `longest`, longer `durations`, or a larger `most`")
    period = 1 / (1 / longest + step * np.arange(count))
    found = BoxLeastSquares(days, light, error).power(period, durations, method="fast")
    best = int(np.argmax(found.power))
    return (found.period[best], found.duration[best], found.transit_time[best], found.depth[best], found.depth_snr[best])
