"""From a `TimeSeries` to arrays in an instrument's unit and bands: every check in one place."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from astropy import units as u
from astropy.timeseries import BaseTimeSeries

from ..data.curves import Curves
from ..data.magnitudes import blank_magnitudes, to_flux, to_magnitude
from ..data.times import tdb_days
from ..errors import DataError

if TYPE_CHECKING:
    from astropy.timeseries import TimeSeries

    from .lightcurve import LightCurveInstrument

#: what stands for no band in a column of them
NO_BAND = frozenset({"", "--", "nan", "None", "none", "null", "masked"})


def series_curves(data: TimeSeries, instrument: LightCurveInstrument) -> Curves:
    """Check a light curve and give its arrays, in the order they came; new arrays, NaN where there is nothing.

    Raises
    ------
    DataError
        See `astrofm.interfaces.LightCurveInstrument.sample`.
    """
    name = instrument.name
    if not isinstance(data, BaseTimeSeries) or "time" not in data.colnames:
        raise DataError(f"instrument {name!r} samples astropy TimeSeries, got {type(data).__name__}: astrofm.light_curve "
                        "makes one of a table")
    if not len(data):
        raise DataError(f"the light curve holds no points: {name!r} needs one at least")
    epoch, days = tdb_days(data["time"])
    value_column, error_column = instrument.measured(data)
    for column in (value_column, error_column):
        if column not in data.colnames:
            raise DataError(f"the light curve has no column {column!r}, and {name!r} does not guess one; it has "
                            f"{', '.join(data.colnames)}: see astrofm.light_curve")
    bare, unit = _numbers(data[value_column])
    spread, spread_unit = _numbers(data[error_column])
    if bare.shape != days.shape or spread.shape != days.shape:
        raise DataError(f"column {value_column!r} has shape {bare.shape} for {len(days)} times: hand one light curve over "
                        "at a time")
    bad = np.asarray(instrument.flagged(data), bool) | np.zeros(len(days), bool)
    band, known = band_index(data, instrument)
    value, error, unit = _convert(bare, spread, unit, spread_unit, band, instrument, value_column)
    if np.isfinite(value).any() and not (error > 0).any():
        raise DataError(f"no point has an error above 0 in {error_column!r}, and {name!r} does not guess one: write a column "
                        f"of one-sigma errors")
    meta = {"id": "", **instrument.describe(data), "unit": unit}
    return Curves(np.array([0, len(days)]), np.array([epoch]), days, value, error, bad | ~known, band,
                  {key: [item] for key, item in meta.items()})


def band_index(data: TimeSeries, instrument: LightCurveInstrument) -> tuple[np.ndarray, np.ndarray]:
    """Give the place of each point's band in ``instrument.bands``, and whether the point has one."""
    bands, count = instrument.bands, len(data)
    if "band" in data.colnames:
        column = data["band"]
        mask = np.asarray(getattr(column, "mask", False), bool)
        return band_places(np.ma.getdata(getattr(column, "unmasked", column)), instrument, mask)
    if len(bands) == 1:
        return np.zeros(count, np.int16), np.ones(count, bool)
    if "band" in data.meta:
        return band_places(np.full(count, str(data.meta["band"])), instrument)
    raise DataError(f"the light curve does not say its bands, and {instrument.name!r} has {', '.join(bands)}: add them, for "
                    f'example series["band"] = "{bands[0]}"')


def band_places(column: Any, instrument: LightCurveInstrument, mask: np.ndarray | bool = False
                ) -> tuple[np.ndarray, np.ndarray]:
    """Look names of bands up; see `band_index`.

    Raises
    ------
    DataError
        A name is none of the instrument's.
    """
    column = np.asarray(column)
    names = np.char.decode(column, "ascii", "replace") if column.dtype.kind == "S" else column.astype(str)
    found, inverse = np.unique(names, return_inverse=True)
    places = np.full(len(found), -1, np.int16)
    for place, name in enumerate(found.tolist()):
        own = instrument.band_names.get(name.strip(), name.strip())
        if own in instrument.bands:
            places[place] = instrument.bands.index(own)
        elif own not in NO_BAND:
            raise DataError(f"{instrument.name!r} has no band {own!r}; it has {', '.join(instrument.bands)}: is the light "
                            "curve of another instrument?")
    index = places[inverse.reshape(-1)]
    known = (index >= 0) & ~np.asarray(mask, bool)
    return np.where(known, index, 0).astype(np.int16), known


def _numbers(column: Any) -> tuple[np.ndarray, u.UnitBase | None]:
    """Give a column as float64 with NaN where it is masked, and its unit."""
    unit, mask = getattr(column, "unit", None), getattr(column, "mask", None)
    bare = getattr(column, "unmasked", column)
    bare = np.ma.getdata(bare) if isinstance(bare, np.ma.MaskedArray) else getattr(bare, "value", bare)
    try:
        values = np.array(bare, np.float64)
    except (TypeError, ValueError) as error:
        raise DataError(f"column {getattr(column, 'info', column).name!r} holds something else than numbers") from error
    if mask is not None:
        values[np.broadcast_to(mask, values.shape)] = np.nan
    return values, unit


def _convert(value: np.ndarray, error: np.ndarray, unit: u.UnitBase | None, error_unit: u.UnitBase | None, band: np.ndarray,
             instrument: LightCurveInstrument, column: str) -> tuple[np.ndarray, np.ndarray, str]:
    """Bring values and errors to the instrument's unit; say which it is."""
    magnitudes = column.startswith("mag") or _is_magnitude(unit)
    with np.errstate(invalid="ignore", divide="ignore"):
        if magnitudes:
            if not (unit is None or _is_magnitude(unit) or unit == u.dimensionless_unscaled):
                raise DataError(f"column {column!r} is in {unit!s}, which is no magnitude: call it flux")
            value, error = blank_magnitudes(value, error)
            if instrument.unit == u.mag:
                return value, error, "mag"
            return *to_flux(value, error, _zero_points(band, instrument)), instrument.unit.to_string()
        unit = unit or u.dimensionless_unscaled
        if error_unit is not None and error_unit != unit:
            error = _scaled(error, error_unit, unit, instrument)
        if instrument.unit == u.mag:
            zero = instrument.zero_unit or u.Jy
            value, error = (_scaled(array, unit, zero, instrument) for array in (value, error))
            return *to_magnitude(value, error, _zero_points(band, instrument)), "mag"
        if unit.is_equivalent(u.dimensionless_unscaled) and instrument.calibration == "relative":
            return *(_scaled(array, unit, u.dimensionless_unscaled, instrument) for array in (value, error)), ""
        value, error = (_scaled(array, unit, instrument.unit, instrument) for array in (value, error))
        return value, error, instrument.unit.to_string()


def _is_magnitude(unit: u.UnitBase | None) -> bool:
    return unit is not None and (unit == u.mag or isinstance(unit, u.function.logarithmic.MagUnit))


def _scaled(values: np.ndarray, unit: u.UnitBase, wanted: u.UnitBase, instrument: LightCurveInstrument) -> np.ndarray:
    try:
        return values * unit.to(wanted)
    except u.UnitConversionError as error:
        raise DataError(f"the flux is in {unit.to_string() or 'no unit'}, and {instrument.name!r} needs "
                        f"{wanted.to_string()} or what converts to it: set the unit") from error


def _zero_points(band: np.ndarray, instrument: LightCurveInstrument) -> np.ndarray:
    missing = [name for name in instrument.bands if name not in instrument.zero_points]
    if missing:
        raise DataError(f"{instrument.name!r} takes {instrument.unit.to_string()} and knows no magnitude of one unit of flux "
                        f"in {', '.join(missing)}: give what the survey measured")
    return np.array([instrument.zero_points[name] for name in instrument.bands])[band]
