"""Periods of variable stars in all bands at once."""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np
from scipy import special

from ..errors import DataError
from .harmonics import scores
from .periodogram import scan
from .ranges import RANGES, Highest
from .sample import Batch
from .series_fit import FourierSeries, fit_series
from .waves import Waves, alike, in_groups, to_waves

#: days: half the shortest period of a delta Scuti star, about
SHORTEST = 0.04
#: steps of frequency in one over the span
OVERSAMPLING = 4
#: peaks of the periodogram that are looked at more closely
PEAKS = 20
#: of those, how many are looked at at a multiple of the peak's period
MULTIPLES = {1: PEAKS, 2: 10, 3: 6}
#: harmonics in the first look and in the second
FIRST, SECOND = 4, 12
#: periods in the second look
FINALISTS = 4
#: points of a cycle that tell something apart, where few cycles were seen
CELLS = 10
#: good points that a period takes at least, beyond one a band
FEWEST = 5


@dataclass(frozen=True, eq=False)
class Periods:
    """Periods of ``n`` stars; NaN where a star has too few points.

    Parameters
    ----------
    period, period_err : ndarray of float64, shape ``(n,)``
        Days. The error is that of the cycle found: it knows nothing of aliases.
    log_fap : ndarray of float64, shape ``(n,)``
        log10 of the probability that noise alone gives as good a fit somewhere in the range searched.
    explained : ndarray of float64, shape ``(n,)``
        Part of the variance about the bands' means that the Fourier series takes away.
    harmonics : ndarray of int, shape ``(n,)``
        Of the series; 0 where there is no period.
    lead : ndarray of float64, shape ``(n,)``
        log evidence over that of the next best period which is no half, double or third of it; infinite where there is none.
    points : ndarray of int, shape ``(n,)``
        Good points.
    series : FourierSeries
    range_period, range_explained : ndarray of float64, shape ``(n, ranges)``
        Of the highest power in each of `astrofm.data.ranges.RANGES`: days, and the part of the variance that a sine explains.
    """

    period: np.ndarray
    period_err: np.ndarray
    log_fap: np.ndarray
    explained: np.ndarray
    harmonics: np.ndarray
    lead: np.ndarray
    points: np.ndarray
    series: FourierSeries
    range_period: np.ndarray
    range_explained: np.ndarray

    def __len__(self) -> int:
        return len(self.period)


def find_periods(batch: Batch, *, shortest: float = SHORTEST, longest: float | None = None, workers: int = 1) -> Periods:
    """Find the period of each star from all of its bands.

    A Lomb-Scargle periodogram with one wave for all bands and a mean for each (VanderPlas & Ivezic 2015, ApJ 812, 18) gives
    the candidates; they, their doubles and triples are weighed as Fourier series of up to 12 harmonics by the evidence of
    each, under a prior that is flat in the log of the period; the best is fitted point by point.

    Parameters
    ----------
    batch : Batch
        Light curves, of magnitudes or of fluxes; errors are one-sigma.
    shortest : float
        Days.
    longest : float, optional
        Days; the span of each star's points by default, and at most.
    workers : int
        Threads.

    Returns
    -------
    Periods

    Raises
    ------
    DataError
        The batch holds no light curves, or the range of periods is none.
    """
    if batch.coordinate.ndim == 1:
        raise DataError(f"the stars of {batch.instrument!r} share one grid: periods are of light curves")
    good = ~np.asarray(batch.mask)
    waves = to_waves(np.asarray(batch.coordinate), np.asarray(batch.value), np.asarray(batch.error), good,
                     None if batch.band is None else np.asarray(batch.band))
    return periods_of(waves, shortest=shortest, longest=longest, workers=workers)


def periods_of(waves: Waves, *, shortest: float = SHORTEST, longest: float | None = None, workers: int = 1) -> Periods:
    """Find the period of each star; see `find_periods`."""
    if not 0 < shortest < (np.inf if longest is None else longest):
        raise DataError(f"periods are searched from {shortest} to {longest} days: give 0 < shortest < longest")
    found = _nothing(waves)
    span = waves.span if longest is None else np.minimum(waves.span, longest)
    rows = np.flatnonzero((waves.free >= FEWEST) & (span > shortest) & (waves.variance() > 0))

    def work(group: np.ndarray) -> tuple[np.ndarray, Periods]:
        return group, _search(waves[group], shortest, span[group])

    for group, part in in_groups(work, alike(rows, waves.points[rows], waves.span[rows]), workers):
        _put(found, group, part)
    return found


def _search(waves: Waves, shortest: float, longest: np.ndarray) -> Periods:
    step = 1 / (OVERSAMPLING * waves.span)
    first = np.maximum(np.ceil(1 / (longest * step) - 1e-6), 1).astype(np.int64)
    last = np.maximum((1 / (shortest * step)).astype(np.int64), first)
    highest = Highest(step)
    place, power = scan(waves, step, first, last, PEAKS, 2 * OVERSAMPLING, highest)
    peaks = np.where(power > 0, place * step[:, None], (first * step)[:, None])
    # each peak, the double and triple periods of the highest, and what is near them
    near = np.linspace(-1 / 3, 1 / 3, 3) * step[:, None, None]
    frequency = np.concatenate([(peaks[:, :count, None] + near) / k for k, count in MULTIPLES.items()], axis=1)
    frequency, score = _best_near(waves, frequency, FIRST, 1 / longest)
    # the best in a finer grid and with more harmonics
    top = np.argsort(-_apart(frequency, score, step), axis=1, kind="stable")[:, :FINALISTS]
    frequency = np.take_along_axis(frequency, top, 1)
    near = np.linspace(-0.12, 0.12, 5) * step[:, None]
    second, strength = _best_near(waves, frequency[..., None] + near[:, None], SECOND, 1 / longest)
    best = strength.argmax(1)
    row = np.arange(len(waves))
    chosen, order = _settle(waves, second[row, best], shortest)
    series = fit_series(waves, chosen, order, least=1 / longest)
    lead = strength[row, best] - np.where(_related(second, second[row, best]), -np.inf, strength).max(1)
    return Periods(1 / series.frequency, series.frequency_err / series.frequency**2,
                   _false_alarm(series.left, waves, order, (last - first) / OVERSAMPLING), 1 - series.left, order, lead,
                   waves.points, series, highest.period(), highest.power)


def _settle(waves: Waves, best: np.ndarray, shortest: float) -> tuple[np.ndarray, np.ndarray]:
    """Choose between a period and its half and third where few cycles were seen; frequency and harmonics, ``(n,)``.

    Cycles differ, and points close in phase share what is left: of few cycles, points count as if there were `CELLS` a cycle.
    """
    trial = best[:, None] * np.array([1.0, 2.0, 3.0])
    near = np.linspace(-0.12, 0.12, 5) / (OVERSAMPLING * waves.span[:, None])
    frequency = (trial[..., None] + near[:, None] * (trial[..., None] > best[:, None, None])).reshape(len(best), -1)
    count = np.minimum(1.0, CELLS * waves.span * best / waves.free)
    chosen, order = best.copy(), np.zeros(len(best), np.int64)
    whole = np.flatnonzero(count >= 1)
    if len(whole):
        order[whole] = 1 + scores(waves[whole], best[whole, None], SECOND)[0][:, 0].argmax(1)
    few = np.flatnonzero(count < 1)
    if len(few):
        score, left = scores(waves[few], frequency[few], SECOND)
        score += 0.5 * (waves.free * (1 - count))[few, None, None] * np.log(left) - np.log(frequency[few])[..., None]
        score[frequency[few] > 1 / shortest] = -np.inf
        place, harmonics = np.divmod(score.reshape(len(few), -1).argmax(1), SECOND)
        chosen[few], order[few] = frequency[few, place], harmonics + 1
    return chosen, order


def _best_near(waves: Waves, frequency: np.ndarray, most: int,
               least: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Choose the best of the frequencies ``(n, c, near)`` about each candidate; frequency and score, ``(n, c)``."""
    n, c, near = frequency.shape
    frequency = np.maximum(frequency, least[:, None, None])
    score = scores(waves, frequency.reshape(n, -1), most)[0].max(2).reshape(n, c, near) - np.log(frequency)
    best = score.argmax(2)[..., None]
    return np.take_along_axis(frequency, best, 2)[..., 0], np.take_along_axis(score, best, 2)[..., 0]


def _apart(frequency: np.ndarray, score: np.ndarray, step: np.ndarray) -> np.ndarray:
    """Give the scores with -inf for all but the best of those within a step of each other."""
    order = np.argsort(-score, axis=1, kind="stable")
    ranked = np.take_along_axis(frequency, order, 1)
    close = np.abs(ranked[:, :, None] - ranked[:, None]) < step[:, None, None]
    again = np.tril(close, -1).any(2)
    apart = np.empty_like(score)
    np.put_along_axis(apart, order, np.where(again, -np.inf, np.take_along_axis(score, order, 1)), 1)
    return apart


def _related(frequency: np.ndarray, best: np.ndarray) -> np.ndarray:
    """Say which frequencies are the best one, or its half, double, third or triple."""
    ratio = frequency / best[:, None]
    return np.any([np.abs(ratio / k - 1) < 0.01 for k in (1, 2, 3, 1 / 2, 1 / 3, 2 / 3, 3 / 2)], axis=0)


def _false_alarm(left: np.ndarray, waves: Waves, order: np.ndarray, trials: np.ndarray) -> np.ndarray:
    """Give log10 of the chance of so good a fit by noise: a beta distribution, and independent frequencies (Baluev 2008)."""
    half = np.maximum((waves.free - 2 * order) / 2, 0.5)
    terms = np.arange(int(order.max(initial=1)))
    log = (special.gammaln(half[:, None] + terms) - special.gammaln(half)[:, None] - special.gammaln(terms + 1)
           + half[:, None] * np.log(left)[:, None] + terms * np.log(np.maximum(1 - left, 1e-12))[:, None])
    single = special.logsumexp(np.where(terms < order[:, None], log, -np.inf), axis=1)
    trials = np.log(np.maximum(trials, 1.0))
    total = np.where(single + trials < -30, single + trials,
                     np.log(np.maximum(-np.expm1(-np.exp(np.minimum(single + trials, 30.0))), 1e-300)))
    return np.minimum(total, 0.0) / np.log(10)


def _nothing(waves: Waves) -> Periods:
    n = len(waves)
    series = FourierSeries(*np.full((2, n), np.nan), *np.zeros((2, n, SECOND)), np.ones(n))
    return Periods(*np.full((4, n), np.nan), np.zeros(n, np.int64), np.full(n, np.nan), waves.points, series,
                   *np.full((2, n, len(RANGES)), np.nan))


def _put(whole: Periods, rows: np.ndarray, part: Periods) -> None:
    for field in fields(part):
        if field.name not in ("points", "series"):
            getattr(whole, field.name)[rows] = getattr(part, field.name)
    for field in fields(part.series):
        values = getattr(part.series, field.name)
        if values.ndim == 2:
            getattr(whole.series, field.name)[rows, :values.shape[1]] = values
        else:
            getattr(whole.series, field.name)[rows] = values
