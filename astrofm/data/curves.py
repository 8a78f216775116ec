"""Light curves of many stars, one after the other: put in order, cleaned and padded without a loop over stars or points."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from ..errors import DataError
from .sample import Batch, Sample

#: what `settle` counts for each star
COUNTS = ("n_points", "n_bad", "n_no_time", "n_unsorted", "n_duplicate")
#: points that a batch of several stars holds at most, padding included: some 80 MB
PADDED = 2**22


@dataclass(frozen=True, eq=False)
class Curves:
    """Light curves of ``n`` stars with ``p`` points in all, as a reader finds them or as `settle` leaves them.

    Parameters
    ----------
    starts : ndarray of int64, shape ``(n + 1,)``
        The points of star ``i`` are ``starts[i]`` to ``starts[i + 1]``.
    epoch : ndarray of float64, shape ``(n,)``
        Julian date (TDB) from which each star's days are counted.
    days : ndarray of float64, shape ``(p,)``
        Days since the epoch; NaN where a point has no time.
    value, error : ndarray of float, shape ``(p,)``
        Flux or magnitude, and its one-sigma error.
    mask : ndarray of bool, shape ``(p,)``
        True where the survey calls a point bad.
    band : ndarray of int16, shape ``(p,)``
    meta : mapping of str to sequence of length ``n``
        Columns; ``id`` among them.
    """

    starts: np.ndarray
    epoch: np.ndarray
    days: np.ndarray
    value: np.ndarray
    error: np.ndarray
    mask: np.ndarray
    band: np.ndarray
    meta: Mapping[str, Sequence[Any]] = field(default_factory=dict)

    def __post_init__(self):
        count = int(self.starts[-1])
        for name in ("days", "value", "error", "mask", "band"):
            if np.shape(getattr(self, name)) != (count,):
                raise DataError(f"{name} has shape {np.shape(getattr(self, name))}, expected ({count},)")
        for name, column in (("epoch", self.epoch), *self.meta.items()):
            if len(column) != len(self):
                raise DataError(f"column {name!r} has {len(column)} rows for {len(self)} stars")

    def __len__(self) -> int:
        return len(self.starts) - 1

    def __getitem__(self, rows: slice) -> Curves:
        """Take a stretch of stars; the order is kept."""
        first, stop, step = rows.indices(len(self))
        if step != 1:
            raise DataError("light curves are taken by stretches of stars: say curves[first:stop]")
        stop = max(first, stop)
        points = slice(int(self.starts[first]), int(self.starts[stop]))
        return Curves(self.starts[first:stop + 1] - self.starts[first], self.epoch[first:stop], self.days[points],
                      self.value[points], self.error[points], self.mask[points], self.band[points],
                      {key: column[first:stop] for key, column in self.meta.items()})

    def stars(self) -> np.ndarray:
        """Give the star of each point; shape ``(p,)``."""
        return np.repeat(np.arange(len(self)), np.diff(self.starts))


def settle(curves: Curves) -> Curves:
    """Put points in order of time, mask what is bad, and count days from each star's first good point.

    Points without a time are left out, as a mask needs a place; points that are not finite or have no positive error are
    masked, and so is a point that repeats another of the same time, band, value and error. Different values at one time
    and band are all kept. Masked values and errors are 0. Values in double precision stay so.

    Returns
    -------
    Curves
        ``meta`` counts, for each star, ``n_points`` that are there, ``n_bad`` that came and are not good, ``n_no_time``,
        ``n_unsorted`` (earlier than one before them) and ``n_duplicate``. A star without a good point counts its days from
        its first one.
    """
    stars, n = curves.stars(), len(curves)
    with np.errstate(over="ignore", under="ignore", invalid="ignore"):
        value, error = curves.value.astype(np.result_type(curves.value, np.float32)), curves.error.astype(np.float32)
        bad = curves.mask | ~np.isfinite(value.astype(np.float32)) | ~np.isfinite(error) | ~(error > 0)
    value[bad], error[bad] = 0, 0
    days, band = curves.days, curves.band
    timed = np.isfinite(days)
    no_time = np.bincount(stars[~timed], minlength=n)
    if not timed.all():
        stars, days, value, error, bad, band = (a[timed] for a in (stars, days, value, error, bad, band))
    rising = (np.diff(days) > 0) | (np.diff(stars) > 0)
    unsorted = duplicate = np.zeros(n, int)
    if not rising.all():
        unsorted = _count_unsorted(stars, days, n)
        order = np.lexsort((error, value, bad, band, days, stars))
        stars, days, value, error, bad, band = (a[order] for a in (stars, days, value, error, bad, band))
        again = _repeats(stars, days, band, value, error) & ~bad[1:] & ~bad[:-1]
        again = np.flatnonzero(again) + 1
        duplicate = np.bincount(stars[again], minlength=n)
        bad[again], value[again], error[again] = True, 0, 0
    origin = np.zeros(n)
    for usable in (np.arange(len(days)), np.flatnonzero(~bad)):
        with_one, place = np.unique(stars[usable], return_index=True)
        origin[with_one] = days[usable[place]]
    points, before = np.bincount(stars, minlength=n), np.asarray(curves.meta.get("n_no_time", np.zeros(n, int)))
    counts = {"n_points": points, "n_bad": np.bincount(stars[bad], minlength=n) + no_time + before,
              "n_no_time": no_time + before, "n_unsorted": unsorted, "n_duplicate": duplicate}
    return Curves(np.concatenate([[0], np.cumsum(points)]), curves.epoch + origin, days - origin[stars], value, error, bad,
                  band.astype(np.int16), {**curves.meta, **{name: counts[name].tolist() for name in COUNTS}})


def _count_unsorted(stars: np.ndarray, days: np.ndarray, n: int) -> np.ndarray:
    rank = np.empty(len(days), np.int64)
    rank[np.lexsort((days, stars))] = np.arange(len(days))
    return np.bincount(stars[rank < np.maximum.accumulate(rank)], minlength=n)


def _repeats(*columns: np.ndarray) -> np.ndarray:
    same = np.ones(max(len(columns[0]) - 1, 0), bool)
    for column in columns:
        same &= column[1:] == column[:-1]
    return same


def join_curves(parts: Sequence[Curves]) -> Curves:
    """Join light curves of one instrument; a column that some lack is None there."""
    if len(parts) == 1:
        return parts[0]
    keys = dict.fromkeys(key for part in parts for key in part.meta)
    meta = {key: [item for part in parts for item in part.meta.get(key, [None] * len(part))] for key in keys}
    sizes = np.concatenate([np.diff(part.starts) for part in parts])
    joined = {name: np.concatenate([getattr(part, name) for part in parts])
              for name in ("epoch", "days", "value", "error", "mask", "band")}
    return Curves(np.concatenate([[0], np.cumsum(sizes)]), **joined, meta=meta)


def pad_curves(curves: Curves, instrument: str) -> Batch:
    """Make a batch of settled light curves, each padded under the mask to the longest.

    Parameters
    ----------
    curves : Curves
        As `settle` gives them.
    instrument : str
        Registered name.

    Returns
    -------
    Batch
        ``coordinate`` of shape ``(n, p)``, behind a star's last point as at its last point; ``meta["first_time"]`` is the
        Julian date (TDB) at which each star's days begin.
    """
    sizes = np.diff(curves.starts)
    shape = (len(curves), int(sizes.max(initial=0)))
    there = np.arange(shape[1]) < sizes[:, None]
    coordinate, value, error = np.zeros(shape), np.zeros(shape, curves.value.dtype), np.zeros(shape, np.float32)
    mask, band = np.ones(shape, bool), np.zeros(shape, np.int16)
    last = np.append(curves.days, 0.0)[np.maximum(curves.starts[1:] - 1, 0)] * (sizes > 0)
    coordinate[:] = last[:, None]
    for padded, own in ((coordinate, curves.days), (value, curves.value), (error, curves.error), (mask, curves.mask),
                        (band, curves.band)):
        padded[there] = own
    meta = {**curves.meta, "first_time": curves.epoch.tolist()}
    return Batch(instrument, coordinate, value, error, mask, band, meta)


def stretches(curves: Curves, size: int) -> Iterator[Curves]:
    """Cut light curves, in their order, into stretches that are not much larger when they are padded.

    Parameters
    ----------
    curves : Curves
    size : int
        Stars a stretch, at most.

    Yields
    ------
    Curves
        Of at most `PADDED` points with the padding, unless it is one star. Nothing for no star.
    """
    lengths, first = np.diff(curves.starts), 0
    while first < len(lengths):
        longest = np.maximum.accumulate(lengths[first:first + size])
        fitting = longest * np.arange(1, len(longest) + 1) <= PADDED
        count = max(1, int(fitting.sum()))  # the sizes only grow
        yield curves[first:first + count]
        first += count


def one_curve(curves: Curves, instrument: str) -> Sample:
    """Make a sample of a single settled light curve.

    Raises
    ------
    DataError
        It has no point with a time.
    """
    if not len(curves.days):
        raise DataError("the light curve has no point with a time: nothing can be sampled")
    meta = {key: column[0] for key, column in curves.meta.items()}
    return Sample(instrument, curves.days.copy(), curves.value.copy(), curves.error.copy(), curves.mask.copy(),
                  curves.band.copy(), {**meta, "first_time": float(curves.epoch[0])})


def with_columns(curves: Curves, **columns: Sequence[Any]) -> Curves:
    """Add columns to the ``meta`` of light curves."""
    return replace(curves, meta={**curves.meta, **columns})
