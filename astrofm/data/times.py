"""Times of light curves: any scale and format becomes days since an epoch, in TDB."""

from __future__ import annotations

import warnings

import numpy as np
from astropy.time import Time, TimeDelta

from ..errors import DataError

#: photometry lies between these Julian dates, 1885 and 2200: what lies outside is another count of days
FIRST, LAST = 2409542.5, 2524593.5


def tdb_days(times: Time) -> tuple[float, np.ndarray]:
    """Turn times of any scale and format into days since an epoch; vectorised.

    Parameters
    ----------
    times : `~astropy.time.Time`, shape ``(p,)``
        Masked where a point has no time.

    Returns
    -------
    epoch : float
        Julian date (TDB), a whole number and a half.
    days : ndarray of float64, shape ``(p,)``
        Since ``epoch``, to better than a microsecond; NaN where there is no time.

    Raises
    ------
    DataError
        Times of a folded light curve, of the scale "local", or outside 1885-2200 (as when MJD is called JD).
    """
    if isinstance(times, TimeDelta):
        raise DataError("the light curve is folded: its times are phases. Hand over the one before fold()")
    if times.scale in ("local", "ut1"):
        raise DataError(f"times of scale {times.scale!r} belong to no clock: make them "
                        'Time(..., scale="tdb") or "utc", as the survey says')
    days_1, days_2 = (np.atleast_1d(_plain(part)) for part in (times.jd1, times.jd2))
    known = np.isfinite(days_1 + days_2)
    if not known.any():
        return FIRST, np.full(days_1.shape, np.nan)
    days_1, days_2 = np.where(known, days_1, days_1[known][0]), np.where(known, days_2, days_2[known][0])
    low, high = (days_1 + days_2).min(), (days_1 + days_2).max()
    if low < FIRST or high > LAST:
        raise DataError(f"the times are Julian dates {low:.1f} to {high:.1f}, and photometry lies between 1885 and 2200 "
                        f"({FIRST} to {LAST}): are they MJD, or days since an epoch, under another name?")
    with warnings.catch_warnings():  # of leap seconds that nobody knows yet
        warnings.filterwarnings("ignore", message=".*dubious year")
        exact = Time(days_1, days_2, format="jd", scale=times.scale)
        clock = exact.tdb if times.scale in ("tdb", "tcb") or high - low > len(days_1) else exact.tt
    epoch = float(np.floor(clock.jd1[0])) + 0.5
    days = (clock.jd1 - epoch) + clock.jd2
    if clock.scale == "tt":
        days += _tdb_less_tt(epoch, days)
    return epoch, np.where(known, days, np.nan)


def _tdb_less_tt(epoch: float, days: np.ndarray) -> np.ndarray:
    """Give TDB - TT in days: a wave of 1.7 ms a year, worked out once a day and taken as straight between (to 0.1 ns)."""
    nodes = np.arange(np.floor(days.min()) - 1, np.ceil(days.max()) + 2)
    tdb = Time(np.full(len(nodes), epoch), nodes, format="jd", scale="tt").tdb
    return np.interp(days, nodes, (tdb.jd1 - epoch) - nodes + tdb.jd2)


def tdb_time(epoch: float, days: np.ndarray) -> Time:
    """Make a `~astropy.time.Time` of days since a Julian date (TDB)."""
    return Time(np.full(np.shape(days), epoch), days, format="jd", scale="tdb")


def _plain(part: np.ndarray) -> np.ndarray:
    """Give a part of a Julian date as float64, NaN where it is masked."""
    mask = getattr(part, "mask", None)
    if mask is None:
        return np.array(part, np.float64)
    bare = getattr(part, "unmasked", part)
    return np.where(mask, np.nan, np.asarray(bare, np.float64))
