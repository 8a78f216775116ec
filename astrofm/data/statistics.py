"""Statistics of light curves in one band that need no period."""

from __future__ import annotations

import numpy as np

from .brightness import Packed

#: days: edges of the lags of the structure function
LAGS = (0.0, 0.03, 0.5, 10.0, 200.0, np.inf)
#: their names
SPANS = ("minutes", "hours", "days", "months", "years")
#: a standard deviation over the median absolute deviation, for a normal distribution
NORMAL = 1.4826
#: per cent
PERCENTILES = (0, 1, 5, 10, 15, 25, 35, 40, 50, 60, 65, 75, 85, 90, 95, 99, 100)
#: of these, the ones that are features of their own
DECILES = (5, 15, 25, 35, 65, 75, 85, 95)


def statistics(points: Packed) -> dict[str, np.ndarray]:
    """Measure how the magnitudes of each star are spread, and how they follow each other.

    Parameters
    ----------
    points : Packed
        Magnitudes and their errors.

    Returns
    -------
    dict of str to ndarray of float64, shape ``(n,)``
        See `astrofm.data.feature_names.FEATURES`; NaN where there are too few points.
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        mean = points.mean(points.value)
        away = np.where(points.there, points.value - np.nan_to_num(mean)[:, None], 0.0)
        variance = points.mean(away**2, less=1)
        found = {**_spread(points, away, mean, variance), **_against_errors(points, variance),
                 **_in_time(points, away, variance), **_structure(points, variance)}
    return {name: np.where(np.isfinite(values), values, np.nan) for name, values in found.items()}


def quantiles(points: Packed, values: np.ndarray) -> np.ndarray:
    """Give `PERCENTILES` of values ``(n, p)``, interpolated as numpy does; shape ``(n, q)``, NaN where there is no point."""
    ranked = np.sort(np.where(points.there, values, np.inf), axis=1)
    place = np.maximum(points.count - 1, 0)[:, None] * np.array(PERCENTILES) / 100
    lower = place.astype(np.int64)
    upper = np.minimum(lower + 1, np.maximum(points.count - 1, 0)[:, None])
    low, high = np.take_along_axis(ranked, lower, 1), np.take_along_axis(ranked, upper, 1)
    part = np.where(points.count[:, None] > 0, place - lower, np.nan)
    return low * (1 - part) + high * part


def _spread(points: Packed, away: np.ndarray, mean: np.ndarray, variance: np.ndarray) -> dict[str, np.ndarray]:
    n = points.count.astype(float)
    rank = dict(zip(PERCENTILES, quantiles(points, points.value).T, strict=True))
    width = rank[95] - rank[5]
    off = np.where(points.there, np.abs(points.value - np.nan_to_num(rank[50])[:, None]), 0.0)
    middle = quantiles(points, off)[:, PERCENTILES.index(50)]
    second = points.mean(away**2)
    third, fourth = points.mean(away**3) / second**1.5, points.mean(away**4) / second**2
    enough = np.where(n > 3, 1.0, np.nan) * np.where(width > 0, 1.0, np.nan)
    std = np.sqrt(variance)
    robust = np.where(middle > 0, NORMAL * middle, np.nan)
    above = np.where(points.there, points.value - np.nan_to_num(rank[50])[:, None], 0.0) / robust[:, None]
    return {
        **{f"quantile_{q:02d}": (rank[q] - rank[50]) / width for q in DECILES},
        "log_std": np.log10(std), "faint_reach": (rank[99] - rank[50]) / robust,
        "bright_reach": (rank[50] - rank[1]) / robust,
        "faint_points": points.mean(np.where(np.isnan(above), np.nan, above > 3)),
        "bright_points": points.mean(np.where(np.isnan(above), np.nan, above < -3)),
        "median": rank[50], "std": std, "amplitude_90": width, "range": rank[100] - rank[0], "robust_std": NORMAL * middle,
        "ratio_50": (rank[75] - rank[25]) / width, "ratio_20": (rank[60] - rank[40]) / width,
        "ratio_80": (rank[90] - rank[10]) / width, "faint_tail": (rank[100] - rank[95]) / width,
        "bright_tail": (rank[5] - rank[0]) / width, "asymmetry": (rank[95] + rank[5] - 2 * rank[50]) / width,
        "skew": enough * np.sqrt(n * (n - 1)) / (n - 2) * third,
        "kurtosis": enough * (n - 1) / ((n - 2) * (n - 3)) * ((n + 1) * fourth - 3 * (n - 1)),
        "beyond_1_std": points.mean((np.abs(away) > np.nan_to_num(std)[:, None]) * 1.0),
    }


def _against_errors(points: Packed, variance: np.ndarray) -> dict[str, np.ndarray]:
    weight = np.where(points.there, 1 / np.where(points.there, points.error, 1.0) ** 2, 0.0)
    mean = (weight * points.value).sum(1) / weight.sum(1)
    chi = np.where(points.there, (points.value - np.nan_to_num(mean)[:, None]) * np.sqrt(weight), 0.0)
    n = points.count
    pairs = chi[:, 1:] * chi[:, :-1] * (n / np.maximum(n - 1, 1))[:, None]
    joined = points.there[:, 1:]
    noise = points.mean(points.error**2)
    chi2 = (chi**2).sum(1)
    usual = quantiles(points, points.error)[:, PERCENTILES.index(50)]
    return {
        "median_error": usual, "log_snr": 0.5 * np.log10(variance) - np.log10(usual),
        "chi2": chi2 / np.where(n > 1, n - 1, np.nan),
        "stetson_k": np.abs(chi).sum(1) / np.sqrt(n * chi2),
        "stetson_j": np.where(joined, np.sign(pairs) * np.sqrt(np.abs(pairs)), 0.0).sum(1) / np.where(n > 1, n - 1, np.nan),
        "excess": np.sqrt(np.maximum(variance - noise, 0.0)), "mean_error": np.sqrt(noise),
    }


def _in_time(points: Packed, away: np.ndarray, variance: np.ndarray) -> dict[str, np.ndarray]:
    n, joined = points.count, points.there[:, 1:]
    last = np.where(points.there, points.days, -np.inf).max(1)
    first = np.where(points.there, points.days, np.inf).min(1)
    span = last - first
    gap = np.where(joined, np.diff(points.days, axis=1), 0.0)
    jump = np.where(joined, np.diff(points.value, axis=1), 0.0)
    eta = (jump**2).sum(1) / ((n - 1) * variance)
    ordered = np.sort(np.where(joined, gap, np.inf), axis=1)
    middle = (np.maximum(n - 2, 0) // 2)[:, None]
    half = np.take_along_axis(ordered, middle, 1)[:, 0] if joined.shape[1] else np.full(len(n), np.nan)
    time = np.where(points.there, points.days - np.nan_to_num(points.mean(points.days))[:, None], 0.0)
    slope = (time * away).sum(1) / (time**2).sum(1)
    left = away - np.nan_to_num(slope)[:, None] * time
    total = np.cumsum(away, axis=1)
    several = np.where((n > 1) & (span > 0), 1.0, np.nan)
    return {
        "points": n.astype(float), "time_base": several * span, "cadence": several * half, "longest_gap": several * (
            gap.max(1, initial=0.0) / span), "von_neumann": several * eta,
        "trend": several * slope, "trend_explained": several * (1 - (left**2).sum(1) / (away**2).sum(1)),
        "cusum": (np.where(points.there, total, -np.inf).max(1) - np.where(points.there, total, np.inf).min(1)) / (
            n * np.sqrt(variance)),
        "sign_changes": several * (joined & ((away[:, 1:] < 0) != (away[:, :-1] < 0))).sum(1) / (n - 1),
        "duty_cycle": several * _filled(points, first, span),
    }


def _filled(points: Packed, first: np.ndarray, span: np.ndarray, parts: int = 100) -> np.ndarray:
    """Give the part of a hundred equal stretches of the span that have a point."""
    n = len(points.count)
    place = (points.days - np.where(np.isfinite(first), first, 0.0)[:, None]) / np.where(span > 0, span, 1.0)[:, None] * parts
    index = np.clip(place, 0, parts - 1).astype(np.int64) + np.arange(n)[:, None] * parts
    return (np.bincount(index[points.there], minlength=n * parts).reshape(n, parts) > 0).mean(1)


def _structure(points: Packed, variance: np.ndarray) -> dict[str, np.ndarray]:
    """Give the scatter between points some time apart, over that of all: of pairs 1, 2, 4, 8, ... places apart."""
    n, length = points.value.shape
    squares, pairs, lags = (np.zeros((n, len(SPANS))) for _ in range(3))
    apart = 1
    while apart < length:
        lag = points.days[:, apart:] - points.days[:, :-apart]
        both = points.there[:, apart:]
        square = (points.value[:, apart:] - points.value[:, :-apart]) ** 2
        index = np.searchsorted(LAGS[1:-1], lag) + np.arange(n)[:, None] * len(SPANS)
        index = index[both]
        pairs += np.bincount(index, minlength=pairs.size).reshape(pairs.shape)
        squares += np.bincount(index, square[both], pairs.size).reshape(pairs.shape)
        lags += np.bincount(index, np.log10(np.maximum(lag[both], 1e-5)), pairs.size).reshape(pairs.shape)
        apart *= 2
    enough = pairs >= 5
    rms = np.sqrt(np.where(enough, squares / (2 * pairs * variance[:, None]), np.nan))
    lag, log = np.where(enough, lags / pairs, 0.0), np.where(enough, np.log10(np.maximum(rms, 1e-6)), 0.0)
    many = enough.sum(1)
    middle = np.where(enough, lag - (lag.sum(1) / many)[:, None], 0.0)
    slope = np.where(many > 1, (middle * log).sum(1) / (middle**2).sum(1), np.nan)
    return {**{f"structure_{name}": column for name, column in zip(SPANS, rms.T, strict=True)}, "structure_slope": slope}
