"""Ranges of periods, each with a strongest wave of its own."""

from __future__ import annotations

import numpy as np

#: days: from and to, longest first. They leave out what is near a day, its half and its third, which the nights give
RANGES = ((250.0, 4000.0), (120.0, 250.0), (60.0, 120.0), (30.0, 60.0), (15.0, 30.0), (6.0, 15.0), (2.2, 6.0), (1.05, 1.9),
          (0.52, 0.95), (0.34, 0.48), (0.2, 0.3), (0.1, 0.19), (0.04, 0.1))


class Highest:
    """The highest power of a periodogram in each of `RANGES`, kept while the periodogram goes by.

    Parameters
    ----------
    step : ndarray of float64, shape ``(n,)``
        Of the frequencies, 1/d.

    Attributes
    ----------
    place : ndarray of int, shape ``(n, ranges)``
        Frequency in steps.
    power : ndarray of float64, shape ``(n, ranges)``
        NaN where none was seen.
    """

    def __init__(self, step: np.ndarray):
        self.step = step
        short, long = np.array(RANGES).T
        self.low = np.ceil(1 / (long * step[:, None])).astype(np.int64)
        self.high = np.ceil(1 / (short * step[:, None])).astype(np.int64)
        self.place = np.zeros(self.low.shape, np.int64)
        self.power = np.full(self.low.shape, np.nan)

    def look(self, power: np.ndarray, first: np.ndarray) -> None:
        """See more of the periodogram: powers ``(n, count)``, negative where there is none, from frequency ``first`` on."""
        count = power.shape[1]
        low, high = (np.clip(edge - first[:, None], 0, count) for edge in (self.low, self.high))
        for row, k in zip(*np.nonzero(high > low), strict=True):  # slices of unlike length, without a copy
            part = power[row, low[row, k]:high[row, k]]
            inside = int(part.argmax())
            if part[inside] >= 0 and not part[inside] <= self.power[row, k]:
                self.power[row, k], self.place[row, k] = part[inside], first[row] + low[row, k] + inside

    def period(self) -> np.ndarray:
        """Give the periods in days, ``(n, ranges)``; NaN where there is none."""
        return np.where(np.isfinite(self.power), 1 / (np.maximum(self.place, 1) * self.step[:, None]), np.nan)
