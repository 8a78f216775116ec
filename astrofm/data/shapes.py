"""The shape of a light curve at its period, and at twice that."""

from __future__ import annotations

import numpy as np

from .brightness import Packed
from .harmonics import scores
from .periods import Periods
from .series_fit import FourierSeries, fit_series
from .statistics import NORMAL, PERCENTILES, quantiles
from .waves import Waves

#: bins of phase
BINS = 24
#: harmonics of the amplitude ratios and phase differences
HARMONICS = 4
#: phases that a Fourier series is looked at
GRID = np.arange(200) / 200
#: series the minima of which are compared, at twice the period, are of so many harmonics
DOUBLE = 10
#: harmonics of the series whose fits are compared
ORDERS = (1, 2, 3, 4, 6)
#: harmonics of the series whose turns are counted
SIX = 6


def shapes(points: Packed, main: np.ndarray, waves: Waves, found: Periods) -> dict[str, np.ndarray]:
    """Measure the Fourier series and the folded curve of each star.

    Parameters
    ----------
    points : Packed
        Magnitudes in each star's main band; days from any moment.
    main : ndarray of int, shape ``(n,)``
        Place of the main band in the bands of ``waves``.
    waves : Waves
        All bands; days from the first good point.
    found : Periods

    Returns
    -------
    dict of str to ndarray of float64, shape ``(n,)``
        See `astrofm.data.feature_names.FEATURES`; NaN where a star has no period, empty where none has.
    """
    there = np.isfinite(found.period)
    rows = np.flatnonzero(there)
    if not len(rows):
        return {}
    n, period = len(there), found.period[rows]
    own = waves[rows]
    scale = waves.spread[rows, main[rows]]
    folded = _take(points, rows)
    few = fit_series(own, 1 / period, np.full(len(rows), HARMONICS), rounds=0)
    double = fit_series(own, 0.5 / period, np.full(len(rows), DOUBLE), rounds=0)
    best = FourierSeries(1 / period, found.period_err[rows], found.series.cosine[rows], found.series.sine[rows],
                         found.series.left[rows])
    with np.errstate(divide="ignore", invalid="ignore"):
        columns = {**_fourier(few, scale), **_turning(best, scale), **_minima(double)}
        columns["explained_double"] = 1 - double.left
        left = scores(own, np.stack([1 / period, 0.5 / period], axis=1), ORDERS[-1])[1]
        columns.update({f"explained{name}_{k}": 1 - left[:, place, k - 1] for place, name in enumerate(("", "_double"))
                        for k in ORDERS})
        columns.update(_residual(folded, best, scale))
        columns.update(_harmonics("harmonic", fit_series(own, 1 / period, np.full(len(rows), SIX), rounds=0), scale, folded))
        columns.update(_harmonics("double", double, scale, folded))
        for name, series, cycle, bright in (("fold", best, period, True), ("fold_double", double, 2 * period, False)):
            columns.update(_fold(name, folded, series, cycle, scale, bright=bright))
    return {name: _whole(values, rows, n) for name, values in columns.items()}


def _take(points: Packed, rows: np.ndarray) -> Packed:
    return Packed(points.days[rows], points.value[rows], points.error[rows], points.there[rows], points.count[rows])


def _whole(values: np.ndarray, rows: np.ndarray, n: int) -> np.ndarray:
    column = np.full(n, np.nan)
    column[rows] = np.where(np.isfinite(values), values, np.nan)
    return column


def _fourier(series: FourierSeries, scale: np.ndarray) -> dict[str, np.ndarray]:
    """Give amplitude ratios and phase differences, of sines in magnitudes (Simon & Lee 1981, ApJ 248, 291)."""
    size = np.hypot(series.cosine, series.sine)
    phase = np.arctan2(series.cosine, series.sine)
    found = {"fourier_amplitude": size[:, 0] * scale}
    for k in range(2, HARMONICS + 1):
        difference = phase[:, k - 1] - k * phase[:, 0]
        found[f"r{k}1"] = size[:, k - 1] / np.maximum(size[:, 0], 1e-9)
        found[f"phi{k}1_sin"], found[f"phi{k}1_cos"] = np.sin(difference), np.cos(difference)
    return found


def _harmonics(name: str, series: FourierSeries, scale: np.ndarray, points: Packed) -> dict[str, np.ndarray]:
    """Describe a series by numbers that stay small where a harmonic is noise."""
    wave = series.cosine - 1j * series.sine
    size = np.abs(wave)
    first = np.maximum(size[:, 0], 1e-9)
    light = series.at(GRID)
    width = np.ptp(light, axis=1)
    slope = np.diff(light, axis=1, append=light[:, :1])
    rank = dict(zip(PERCENTILES, quantiles(points, points.value).T, strict=True))
    noise = quantiles(points, points.error)[:, PERCENTILES.index(50)]
    found = {"log_amplitude": np.log10(width * scale), "log_snr": np.log10(width * scale / noise),
             "over_90": width * scale / (rank[95] - rank[5]), "odd": (size[:, ::2] ** 2).sum(1) / (size**2).sum(1),
             "steepness": np.log10(slope.max(1) / -slope.min(1)),
             "turns": (np.diff(np.sign(slope), axis=1) != 0).sum(1) * 1.0,
             "log_first": np.log10(first * scale), "middle": (np.median(light, axis=1) - light.min(1)) / width}
    turned = wave / np.maximum(size[:, :1], 1e-9)
    for k in range(2, SIX):
        ratio = np.minimum(size[:, k - 1] / first, 1.0)
        angle = np.angle(turned[:, k - 1]) - k * np.angle(turned[:, 0])
        found |= {f"r{k}": np.log10(np.maximum(size[:, k - 1] / first, 1e-3)), f"cos{k}": ratio * np.cos(angle),
                  f"sin{k}": ratio * np.sin(angle)}
    return {f"{name}_{key}": values for key, values in found.items()}


def _turning(series: FourierSeries, scale: np.ndarray) -> dict[str, np.ndarray]:
    light = series.at(GRID)
    low, high = light.min(1), light.max(1)
    bright, faint = light.argmin(1), light.argmax(1)
    width = np.where(high > low, high - low, np.nan)
    return {"period_amplitude": width * scale,
            "rise_fraction": (bright - faint) % len(GRID) / len(GRID),
            "faint_width": (light > ((low + high) / 2)[:, None]).mean(1),
            "bright_width": (light < (low + 0.25 * width)[:, None]).mean(1),
            "steepest_rise": np.diff(light, axis=1, append=light[:, :1]).min(1) * -len(GRID) / width}


def _minima(series: FourierSeries) -> dict[str, np.ndarray]:
    """Compare the two halves of the double period: its faintest point, and that half a cycle away."""
    light = series.at(GRID)
    n, half = len(light), len(GRID) // 2
    row = np.arange(n)[:, None]
    faint = light.argmax(1)
    reach = np.arange(-half // 5, half // 5 + 1)
    second = light[row, (faint[:, None] + half + reach) % len(GRID)].max(1)
    top = np.median(light, axis=1)
    width = np.where(np.ptp(light, axis=1) > 0, np.ptp(light, axis=1), np.nan)
    depth = light.max(1)
    bright = light.argmin(1)
    other = light[row, (bright[:, None] + half + reach) % len(GRID)].min(1)
    return {"minima_difference": (depth - second) / width, "maxima_difference": (other - light.min(1)) / width,
            "minima_ratio": (second - top) / np.where(depth > top, depth - top, np.nan)}


def _residual(points: Packed, series: FourierSeries, scale: np.ndarray) -> dict[str, np.ndarray]:
    """Describe what the series leaves, in the main band."""
    rest = points.value - series.along(points.days) * scale[:, None]
    rest = np.where(points.there, rest - points.mean(rest)[:, None], 0.0)
    middle = PERCENTILES.index(50)
    median = quantiles(points, rest)[:, middle]
    noise = NORMAL * quantiles(points, np.abs(rest - median[:, None]))[:, middle]
    variance = points.mean(rest**2)
    jump = np.where(points.there[:, 1:], np.diff(rest, axis=1), 0.0)
    return {"residual_log_noise": np.log10(noise / quantiles(points, points.error)[:, middle]),
            "residual_skew": points.mean(rest**3) / variance**1.5,
            "residual_kurtosis": points.mean(rest**4) / variance**2 - 3,
            "residual_von_neumann": (jump**2).sum(1) / (rest**2).sum(1)}


def _fold(name: str, points: Packed, series: FourierSeries, cycle: np.ndarray, scale: np.ndarray, *,
          bright: bool) -> dict[str, np.ndarray]:
    """Bin the folded curve; empty bins are the series', and all are drawn to it as by one more point."""
    n = len(cycle)
    light = series.at(GRID)
    start = GRID[light.argmin(1) if bright else light.argmax(1)]
    phase = points.days / cycle[:, None] - start[:, None]
    phase -= np.floor(phase)
    place = np.minimum(((phase + 0.5 / BINS) % 1 * BINS).astype(np.int64), BINS - 1)
    index = (place + np.arange(n)[:, None] * BINS)[points.there]
    count = np.bincount(index, minlength=n * BINS).reshape(n, BINS)
    width = np.ptp(light, axis=1) * scale
    middle = np.where(points.there, points.value, 0.0).sum(1) / np.maximum(points.count, 1)
    value = (points.value - middle[:, None]) / np.where(width > 0, width, np.nan)[:, None]
    total = np.bincount(index, value[points.there], n * BINS).reshape(n, BINS)
    model = series.at(start[:, None] + np.arange(BINS) / BINS) * (scale / width)[:, None]
    shape = (total + model) / (count + 1)
    order = np.argsort(np.where(points.there, phase, np.inf), axis=1)
    ranked = np.take_along_axis(value, order, 1)
    jump = np.where(points.there[:, 1:], np.diff(ranked, axis=1), 0.0)
    spread = np.where(points.there, value**2, 0.0).sum(1)
    found = _scatter(value[points.there], index, count, spread / points.count) if bright else {}
    return {**found, **{f"{name}_{k:02d}": shape[:, k] for k in range(BINS)}, f"{name}_filled": (count > 0).mean(1),
            f"{name}_von_neumann": (jump**2).sum(1) / spread}


def _scatter(value: np.ndarray, index: np.ndarray, count: np.ndarray, variance: np.ndarray) -> dict[str, np.ndarray]:
    """Give the spread within bins of phase that have four points or more."""
    mean, square = (np.bincount(index, each, count.size).reshape(count.shape) / np.maximum(count, 1)
                    for each in (value, value**2))
    within = np.ma.array(np.sqrt(np.maximum(square - mean**2, 0.0)), mask=count < 4)
    middle = np.ma.median(within, axis=1).filled(np.nan)
    return {"fold_scatter": middle / np.sqrt(variance),
            "fold_scatter_change": (within.std(axis=1) / within.mean(axis=1)).filled(np.nan)}
