"""Named numbers of light curves: what heads read beside an embedding, and the baseline that a model has to beat."""

from __future__ import annotations

import difflib
from collections.abc import Collection, Sequence

import numpy as np

from ..errors import DataError, UnknownNameError
from . import peaks, shapes, statistics
from .brightness import Packed, main_band, pack, to_asinh_magnitude
from .buckets import length_buckets, used_lengths
from .feature_names import FEATURES, PERIODIC, SEARCHED, SLOW, Feature
from .periods import SHORTEST, Periods, periods_of
from .sample import Batch
from .slow import slow_features
from .waves import Waves, in_groups, to_waves

#: stars that are worked on together, and their points, padding included
STARS, POINTS = 128, 250_000


def colour_features(bands: Sequence[str]) -> dict[str, Feature]:
    """List the features that depend on an instrument's bands: a colour and a ratio of amplitudes for neighbouring ones."""
    found = {}
    for one, two in zip(bands[:-1], bands[1:], strict=True):
        found[f"colour_{one}_{two}"] = Feature(f"colour_{one}_{two}", "mag", f"median magnitude in {one} less that in {two}")
        found[f"amplitude_ratio_{one}_{two}"] = Feature(
            f"amplitude_ratio_{one}_{two}", "", f"log10 of the spread in {one} over that in {two}")
    return found


def curve_features(batch: Batch, *, names: Collection[str] | None = None, magnitudes: bool | None = None,
                   bands: Sequence[str] = (), zero_points: Sequence[float] | None = None, shortest: float = SHORTEST,
                   longest: float | None = None, workers: int = 1) -> dict[str, np.ndarray]:
    """Measure light curves, those of every instrument in magnitudes.

    Parameters
    ----------
    batch : Batch
        Light curves.
    names : collection of str, optional
        Features that are wanted; all by default. Where none of them needs a period, none is searched.
    magnitudes : bool, optional
        Values are magnitudes; otherwise fluxes. By default ``meta["unit"]`` says so, an empty one being relative flux.
    bands : sequence of str, optional
        Names, for colours and ratios of amplitudes: see `colour_features`.
    zero_points : sequence of float, optional
        Magnitude of one unit of flux in each band; without, and for relative flux, there are no colours and no median.
    shortest, longest, workers
        As for `astrofm.data.periods.find_periods`.

    Returns
    -------
    dict of str to ndarray of float64, shape ``(n,)``
        By the names of `FEATURES` and `colour_features`; NaN where a star has too few points.

    Raises
    ------
    DataError
        The batch holds no light curves, or does not say whether they are magnitudes.
    UnknownNameError
        No feature has one of the names.
    """
    if batch.coordinate.ndim == 1:
        raise DataError(f"the stars of {batch.instrument!r} share one grid: features are those of light curves")
    kinds = _kinds(batch, magnitudes, zero_points is not None)
    known = FEATURES | colour_features(bands)
    for name in names or ():
        if name not in known:
            near = difflib.get_close_matches(name, known, n=1)
            raise UnknownNameError(f"no feature of light curves is called {name!r}"
                                   + (f": did you mean {near[0]!r}?" if near else "; astrofm.data.FEATURES lists them"))
    found = {name: np.full(len(batch), np.nan) for name in (known if names is None else names)}
    good = ~np.asarray(batch.mask)
    groups = [group[kinds[group] == kind] for group in _groups(used_lengths(batch)) for kind in np.unique(kinds[group])]
    each = max(1, workers // max(len(groups), 1))  # threads of a group's own, where there are fewer groups than threads
    search = (shortest, longest, each) if set(found) & PERIODIC else None

    def work(rows: np.ndarray) -> tuple[np.ndarray, dict[str, np.ndarray]]:
        kind = str(kinds[rows[0]])
        return rows, _measure(batch, rows, good, kind, bands, zero_points if kind == "flux" else None, search, found)

    for rows, part in in_groups(work, groups, min(workers, len(groups))):
        for name in found:
            if name in part:
                found[name][rows] = part[name]
    return found


def _groups(lengths: np.ndarray) -> list[np.ndarray]:
    groups = []
    for group in length_buckets(lengths, size=STARS):
        stars = max(1, POINTS // max(int(lengths[group].max()), 1))
        groups += [group[first:first + stars] for first in range(0, len(group), stars)]
    return groups


def _kinds(batch: Batch, magnitudes: bool | None, calibrated: bool) -> np.ndarray:
    """Say of each star what its values are: "mag", "flux" (calibrated) or "relative"."""
    if magnitudes is not None:
        return np.full(len(batch), "mag" if magnitudes else "flux" if calibrated else "relative")
    if "unit" not in batch.meta:
        raise DataError(f'the batch of {batch.instrument!r} does not say whether its values are magnitudes or fluxes: say '
                        'magnitudes=True or False')
    kinds = {"mag": "mag", "": "relative"}
    return np.array([kinds.get(str(unit), "flux" if calibrated else "relative") for unit in batch.meta["unit"]], dtype=str)


def _measure(batch: Batch, rows: np.ndarray, good: np.ndarray, kind: str, bands: Sequence[str],
             zero_points: Sequence[float] | None, search: tuple | None, wanted: Collection[str]) -> dict[str, np.ndarray]:
    length = max(int(good[rows].any(0).nonzero()[0].max(initial=0)) + 1, 1)
    days, value, error, good = (np.asarray(array)[rows, :length]
                                for array in (batch.coordinate, batch.value, batch.error, good))
    band = None if batch.band is None else np.asarray(batch.band)[rows, :length].astype(np.int64)
    n = len(rows)
    negative = np.zeros(n) if kind == "mag" else (good & (value <= 0)).sum(1)
    calibrated = kind != "relative"
    if kind != "mag":
        value, error = to_asinh_magnitude(value, error, good, band, zero_points)
    if search is not None and set(wanted) <= SEARCHED:
        return _searched(days, value, error, good, band, search)[2]
    count = good.sum(1)
    main = main_band(band, good)
    points = pack(days, value, error, good if band is None else good & (band == main[:, None]))
    found = statistics.statistics(points)
    if SLOW & set(wanted):
        found.update(slow_features(points))
    if not calibrated:
        found["median"] = np.full(n, np.nan)
    with np.errstate(divide="ignore", invalid="ignore"):
        found["negative"] = np.where(count > 0, negative / count, np.nan)
    found["points_all"], found["bands"] = count.astype(float), _bands(band, good).sum(1).astype(float)
    found.update(_colours(days, value, error, good, band, bands, calibrated))
    if search is not None:
        found.update(_periodic(days, value, error, good, band, main, points, search, wanted))
    return found


def _bands(band: np.ndarray | None, good: np.ndarray) -> np.ndarray:
    if band is None:
        return good.any(1)[:, None]
    return np.stack([(good & (band == b)).any(1) for b in range(int(band[good].max(initial=0)) + 1)], axis=1)


def _colours(days: np.ndarray, value: np.ndarray, error: np.ndarray, good: np.ndarray, band: np.ndarray | None,
             bands: Sequence[str], calibrated: bool) -> dict[str, np.ndarray]:
    if len(bands) < 2:
        return {}
    each = []
    for place in range(len(bands)):
        own = pack(days, value, error, good & (False if band is None else band == place))
        found = statistics.quantiles(own, own.value)
        each.append((found[:, statistics.PERCENTILES.index(50)], _spread(own)))
    columns = {}
    for k, (one, two) in enumerate(zip(bands[:-1], bands[1:], strict=True)):
        columns[f"colour_{one}_{two}"] = each[k][0] - each[k + 1][0] if calibrated else np.full(len(value), np.nan)
        columns[f"amplitude_ratio_{one}_{two}"] = each[k][1] - each[k + 1][1]
    return columns


def _spread(own: Packed) -> np.ndarray:
    """Give log10 of the standard deviation, beyond that of the noise; NaN for fewer than three points."""
    with np.errstate(divide="ignore", invalid="ignore"):
        mean, noise = own.mean(own.value), own.mean(own.error**2)
        variance = own.mean(np.where(own.there, own.value - np.nan_to_num(mean)[:, None], 0.0) ** 2, less=1)
        spread = 0.5 * np.log10(np.maximum(variance - noise, 0.1 * variance))
    return np.where((own.count > 2) & np.isfinite(spread), spread, np.nan)


def _periodic(days: np.ndarray, value: np.ndarray, error: np.ndarray, good: np.ndarray, band: np.ndarray | None,
              main: np.ndarray, points: Packed, search: tuple,
              wanted: Collection[str]) -> dict[str, np.ndarray]:
    shortest, longest, workers = search
    waves, periods, found = _searched(days, value, error, good, band, search)
    used = np.zeros(1, np.int64) if band is None else np.unique(band[good])
    place = np.minimum(np.searchsorted(used, main), waves.bands - 1)
    first = np.where(good, days, np.inf).min(1, initial=np.inf)
    since = points.days - np.where(np.isfinite(first), first, 0.0)[:, None]
    points = Packed(np.where(points.there, since, 0.0), points.value, points.error, points.there, points.count)
    scale = waves.spread[np.arange(len(place)), place]
    return {**found, **shapes.shapes(points, place, waves, periods), **peaks.range_features(waves, scale, periods),
            **peaks.rest_features(waves, scale, periods, shortest, longest, workers, wanted)}


def _searched(days: np.ndarray, value: np.ndarray, error: np.ndarray, good: np.ndarray, band: np.ndarray | None,
              search: tuple) -> tuple[Waves, Periods, dict[str, np.ndarray]]:
    """Search periods, and give what that alone tells: `SEARCHED`."""
    waves = to_waves(days, value, error, good, band)
    shortest, longest, workers = search
    periods = periods_of(waves, shortest=shortest, longest=longest, workers=workers)
    with np.errstate(divide="ignore", invalid="ignore"):
        return waves, periods, {
            "period": periods.period, "period_err": periods.period_err, "log_period": np.log10(periods.period),
            "log_period_err": np.log10(periods.period_err / periods.period), "period_log_fap": periods.log_fap,
            "period_explained": periods.explained,
            "period_harmonics": np.where(periods.harmonics > 0, periods.harmonics, np.nan),
            "period_lead": np.minimum(periods.lead, 1e3), "period_cycles": np.log10(waves.span / periods.period)}
