"""The same light curve written differently: other times, units, bad points."""

from __future__ import annotations

from typing import Any

import numpy as np
from astropy import units as u
from astropy.time import Time
from astropy.timeseries import TimeSeries


def vary_series(series: TimeSeries, *, time: Time | None = None, kind: str | None = None, value: u.Quantity | None = None,
                error: u.Quantity | None = None, mask: np.ndarray | None = None) -> TimeSeries:
    """Make a new light curve in the house's columns, the same but for what is given."""
    own = "mag" if "mag" in series.colnames else "flux"
    kind = own if kind is None else kind
    columns: dict[str, Any] = {kind: u.Quantity(series[own]).copy() if value is None else value,
                               f"{kind}_err": u.Quantity(series[f"{own}_err"]).copy() if error is None else error}
    if "band" in series.colnames:
        columns["band"] = np.array(series["band"])
    if mask is not None or "mask" in series.colnames:
        columns["mask"] = np.array(series["mask"]) if mask is None else mask
    return TimeSeries(time=series.time.copy() if time is None else time, data=columns, meta=dict(series.meta))


def bare(column: Any) -> np.ndarray:
    """Give the numbers of a column as float64."""
    return np.array(u.Quantity(column).value, np.float64)


def with_bad_points(series: TimeSeries, rows: np.ndarray) -> dict[str, TimeSeries]:
    """Spoil points in every way that the data contract names, one way a light curve."""
    kind = "mag" if "mag" in series.colnames else "flux"
    spoilt = {}
    for what, number in (("NaN", np.nan), ("Inf", np.inf), ("-Inf", -np.inf)):
        value = u.Quantity(series[kind]).astype(float)
        value[rows] = number * value.unit
        spoilt[f"value {what}"] = vary_series(series, value=value)
    for what, number in (("NaN", np.nan), ("Inf", np.inf), ("0", 0.0), ("negative", -1.0)):
        error = u.Quantity(series[f"{kind}_err"]).astype(float)
        error[rows] = number * error.unit
        spoilt[f"error {what}"] = vary_series(series, error=error)
    mask = np.array(series["mask"], bool) if "mask" in series.colnames else np.zeros(len(series), bool)
    mask[rows] = True
    spoilt["mask True"] = vary_series(series, mask=mask)
    return spoilt
