"""The strongest waves of light curves in each range of periods: of the curve, of its fast part, and less its period."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace

import numpy as np

from .periodogram import scan
from .periods import Periods
from .ranges import RANGES, Highest
from .series_fit import FourierSeries, fit_series
from .slow import running_mean
from .waves import Waves, alike, in_groups

#: days: the running mean that a curve is taken less of for its fast part
SLOW = 200.0
#: ranges of the fast part: those whose periods are shorter than the running mean, and longer than two days
FAST = tuple(k for k, (short, long) in enumerate(RANGES) if 2 < short and long <= 250)
#: steps of frequency in one over the span, where a second period is searched
OVERSAMPLING = 2
#: steps within which only the highest is looked at, as one is wanted
BLOCK = 64


def range_features(waves: Waves, scale: np.ndarray, found: Periods) -> dict[str, np.ndarray]:
    """Give the log10 of amplitude (mag) and period of the strongest wave in each range, from the search of the period.

    Parameters
    ----------
    waves : Waves
    scale : ndarray of float64, shape ``(n,)``
        Magnitudes in the unit of ``waves``.
    found : Periods

    Returns
    -------
    dict of str to ndarray of float64, shape ``(n,)``
        See `astrofm.data.feature_names.FEATURES`; NaN where the time base has no room for such a period.
    """
    amplitude, period = _logs(waves, scale, found.range_explained), np.log10(found.range_period)
    several = np.isfinite(amplitude).any(1)
    # long periods are those of more than 6 days
    long = np.array([short >= 6 for short, _ in RANGES])
    most = [np.where(several, np.nan_to_num(amplitude[:, own], nan=-9.0).max(1), np.nan) for own in (long, ~long)]
    return {**_columns("wave", range(len(RANGES)), amplitude, period),
            **{f"wave_explained_{k:02d}": found.range_explained[:, k] for k in range(len(RANGES))},
            "wave_long_short": np.where(most[0] > -9, most[0] - most[1], np.nan)}


def rest_features(waves: Waves, scale: np.ndarray, found: Periods, shortest: float, longest: float | None, workers: int,
                  wanted: Collection[str]) -> dict[str, np.ndarray]:
    """Measure the curve less a running mean, and less the series at its period: the second period.

    Parameters
    ----------
    waves, scale, found
        As for `range_features`.
    shortest, longest, workers
        As for `astrofm.data.periods.find_periods`.
    wanted : collection of str
        Names; what takes neither is not computed.

    Returns
    -------
    dict of str to ndarray of float64, shape ``(n,)``
    """
    n, columns = len(waves), {}
    rows = np.flatnonzero(np.isfinite(found.period))
    jobs = [(kind, work) for kind, work in (("fast", _fast), ("second", _second)) if any(name.startswith(kind)
                                                                                         for name in wanted)]

    def measure(group: np.ndarray) -> tuple[np.ndarray, dict[str, np.ndarray]]:
        own, part = waves[group], {}
        for _, work in jobs:
            part.update(work(own, scale[group], _take(found.series, group), shortest,
                             own.span if longest is None else np.minimum(own.span, longest)))
        return group, part

    for group, part in in_groups(measure, alike(rows, waves.points[rows], waves.span[rows]), workers) if jobs else ():
        for name, values in part.items():
            columns.setdefault(name, np.full(n, np.nan))[group] = np.where(np.isfinite(values), values, np.nan)
    return columns


def _fast(waves: Waves, scale: np.ndarray, series: FourierSeries, shortest: float,
          longest: np.ndarray) -> dict[str, np.ndarray]:
    fast = _centred(waves, waves.value - running_mean(waves.days, waves.value, waves.weight, SLOW))
    _, highest = _scan(fast, max(shortest, RANGES[FAST[-1]][0]), np.minimum(longest, RANGES[FAST[0]][1]), 4)
    power, period = highest.power[:, FAST], highest.period()[:, FAST]
    return _columns("fast", FAST, _logs(fast, scale, power), np.log10(period))


def _second(waves: Waves, scale: np.ndarray, series: FourierSeries, shortest: float,
            longest: np.ndarray) -> dict[str, np.ndarray]:
    rest = _centred(waves, waves.value - series.along(waves.days))
    place, highest = _scan(rest, shortest, longest, OVERSAMPLING)
    wave = fit_series(rest, np.maximum(place, 1) / (OVERSAMPLING * waves.span), np.ones(len(waves), np.int64), rounds=1,
                      least=0.5 / waves.span)
    first = np.hypot(series.cosine[:, 0], series.sine[:, 0])
    size = np.hypot(wave.cosine[:, 0], wave.sine[:, 0])
    with np.errstate(divide="ignore", invalid="ignore"):
        return {"second_log_period": -np.log10(wave.frequency), "second_explained": 1 - wave.left,
                "second_period_ratio": np.log10(series.frequency / wave.frequency),
                "second_amplitude_ratio": np.log10(size / first),
                **_columns("second", range(len(RANGES)), _logs(rest, scale, highest.power), None)}


def _scan(waves: Waves, shortest: float, longest: np.ndarray, oversampling: int) -> tuple[np.ndarray, Highest]:
    step = 1 / (oversampling * waves.span)
    first = np.maximum(np.ceil(1 / (longest * step) - 1e-6), 1).astype(np.int64)
    last = np.maximum((1 / (shortest * step)).astype(np.int64), first)
    highest = Highest(step)
    place, _ = scan(waves, step, first, last, 1, BLOCK, highest)
    return place[:, 0], highest


def _take(series: FourierSeries, rows: np.ndarray) -> FourierSeries:
    return FourierSeries(series.frequency[rows], series.frequency_err[rows], series.cosine[rows], series.sine[rows],
                         series.left[rows])


def _centred(waves: Waves, value: np.ndarray) -> Waves:
    """Give waves of other values, about a mean of each band."""
    mean = waves.in_band(waves.weight * value).sum(2) / waves.band_weights()
    return replace(waves, value=np.where(waves.weight > 0, value - np.take_along_axis(mean, waves.band, 1), 0.0))


def _logs(waves: Waves, scale: np.ndarray, explained: np.ndarray) -> np.ndarray:
    """Give log10 of the amplitude in magnitudes of waves that explain a part of the variance."""
    mean = waves.variance() / np.maximum(waves.weight.sum(1), 1e-300)
    with np.errstate(divide="ignore", invalid="ignore"):
        size = np.sqrt(2 * np.maximum(explained, 1e-9) * mean[:, None]) * scale[:, None]
        return np.where(explained >= 0, np.log10(np.maximum(size, 1e-5)), np.nan)


def _columns(name: str, ranges: Collection[int], amplitude: np.ndarray, period: np.ndarray | None) -> dict[str, np.ndarray]:
    found = {f"{name}_amplitude_{k:02d}": amplitude[:, place] for place, k in enumerate(ranges)}
    if period is not None:
        found |= {f"{name}_period_{k:02d}": period[:, place] for place, k in enumerate(ranges)}
    return found
