"""From a plain table of photometry to a `TimeSeries` in the columns that light-curve instruments sample."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
from astropy import units as u
from astropy.time import ScaleValueError, Time
from astropy.timeseries import TimeSeries

from ..errors import DataError

__all__ = ["light_curve", "light_curves"]


def light_curve(table: Any, *, time: str, error: str | u.Quantity, mag: str | None = None, flux: str | None = None,
                band: str | None = None, mask: str | None = None, scale: str | None = None, format: str | None = None,
                epoch: Time | None = None, instrument: str | None = None, id: str | int = "") -> TimeSeries:
    """Make one star's light curve of a plain table, whatever its columns are called.

    Nothing is sorted, dropped or repaired here; `~astrofm.interfaces.LightCurveInstrument.sample` does that and counts it.

    Parameters
    ----------
    table : `~astropy.table.Table`, DataFrame, mapping of arrays or structured array
        One row a measurement.
    time : str
        Column of times: a `~astropy.time.Time`, or numbers of which ``scale`` and ``format`` or ``epoch`` say what they are.
    error : str or Quantity
        Column of one-sigma errors; or one error of all points that you vouch for, as ``0.01 * u.mag``.
    mag, flux : str
        Column of magnitudes, or of fluxes; one of the two. A flux without a unit is relative.
    band : str, optional
        Column of the band of each point; not needed where the instrument has one band.
    mask : str, optional
        Column that is True (or not 0) where a point is bad; where it is masked itself the point is bad, too.
    scale : str, optional
        Clock of the times, ``"tdb"`` (as in BJD_TDB) or ``"utc"``.
    format : str, optional
        ``"mjd"``, ``"jd"`` or another of astropy's formats.
    epoch : `~astropy.time.Time`, optional
        Times are days since this one: ``Time(2457000, format="jd", scale="tdb")`` for BTJD.
    instrument : str, optional
        Whose data these are, as in ``meta["instrument"]``.
    id : str or int
        Of the star.

    Returns
    -------
    `~astropy.timeseries.TimeSeries`
        With the columns ``time``, ``mag`` and ``mag_err`` or ``flux`` and ``flux_err``, and ``band`` and ``mask`` where they
        were named; ``meta["id"]``, ``meta["instrument"]``.

    Raises
    ------
    DataError
        A column is missing, of another length, or holds no numbers; units that do not fit; it is not said what the times are.

    Examples
    --------
    >>> import astrofm
    >>> table = {"MJD": [58203.4, 58204.4], "m": [16.2, 16.1], "em": [0.02, 0.02], "filter": ["g", "r"]}
    >>> star = astrofm.light_curve(table, time="MJD", mag="m", error="em", band="filter", format="mjd", scale="utc", id="V1")
    >>> star.colnames, star.meta["id"]
    (['time', 'mag', 'mag_err', 'band'], 'V1')
    """
    kind, value = _value(table, mag, flux)
    spread = (_one_error(error, value, mag or flux) if isinstance(error, u.Quantity)
              else _quantity(_column(table, error, "error"), value.unit, error))
    columns: dict[str, Any] = {kind: value, f"{kind}_err": spread}
    if band is not None:
        columns["band"] = _texts(_column(table, band, "band"))
    if mask is not None:
        columns["mask"] = _flags(_column(table, mask, "mask"), mask)
    times = _times(_column(table, time, "time"), time, scale, format, epoch)
    called = {kind: mag or flux, f"{kind}_err": error if isinstance(error, str) else "error", "band": band, "mask": mask}
    _check_shapes({time: times.shape, **{called[name]: column.shape for name, column in columns.items()}})
    series = TimeSeries(time=times, data=columns)
    series.meta.update({"id": id} | ({} if instrument is None else {"instrument": instrument}))
    return series


def light_curves(table: Any, *, id: str, **columns: Any) -> list[TimeSeries]:
    """Make a light curve of each star of a plain table.

    Parameters
    ----------
    table : as for `light_curve`
        One row a measurement; the rows of a star need not stand together.
    id : str
        Column that names the star.
    **columns
        As for `light_curve`: ``time``, ``error``, ``mag`` or ``flux``, ``band``, ``mask``, ``scale``, ``format``,
        ``epoch``, ``instrument``.

    Returns
    -------
    list of `~astropy.timeseries.TimeSeries`
        In the order in which the stars first appear; their rows in the table's order.

    Examples
    --------
    >>> from astropy import units as u
    >>> import astrofm
    >>> table = {"star": [7, 3, 7], "t": [2459000.5, 2459001.5, 2459002.5], "f": [1.0, 2.0, 1.1]}
    >>> stars = astrofm.light_curves(table, id="star", time="t", flux="f", error=0.1 * u.one, format="jd", scale="tdb")
    >>> [(star.meta["id"], len(star)) for star in stars]
    [(7, 2), (3, 1)]
    """
    keys = np.asarray(_column(table, id, "id"))
    keys = keys.astype(str) if keys.dtype.kind == "O" else keys
    named = {name for name in columns.values() if isinstance(name, str) and name in _names(table)}
    plain = {name: _column(table, name, name) for name in named}
    _check_shapes({id: keys.shape, **{name: np.shape(column) for name, column in plain.items()}})
    _, first, star = np.unique(keys, return_index=True, return_inverse=True)
    order = np.argsort(first[star], kind="stable")
    edges = np.flatnonzero(np.diff(first[star][order])) + 1
    return [light_curve({name: column[rows] for name, column in plain.items()}, id=keys[rows[0]].item(), **columns)
            for rows in np.split(order, edges) if len(rows)]


def _check_shapes(shapes: Mapping[str, tuple[int, ...]]) -> None:
    if any(len(shape) != 1 for shape in shapes.values()) or len(set(shapes.values())) > 1:
        told = ", ".join(f"{name!r} {shape[0] if len(shape) == 1 else shape}" for name, shape in shapes.items())
        raise DataError(f"a table has a row a measurement, and these columns are of different lengths: {told}")


def _value(table: Any, mag: str | None, flux: str | None) -> tuple[str, u.Quantity]:
    if (mag is None) == (flux is None):
        raise DataError('say which column holds the brightness: mag="..." or flux="...", one of the two')
    if mag is not None:
        return "mag", _quantity(_column(table, mag, "mag"), u.mag, mag)
    return "flux", _quantity(_column(table, flux, "flux"), u.dimensionless_unscaled, flux)


def _texts(column: Any) -> np.ndarray:
    """Give names of bands; none where the column is masked."""
    hidden = np.asarray(getattr(column, "mask", False), bool)
    bare = np.array(np.ma.getdata(getattr(column, "unmasked", column)))
    return np.where(hidden, "", np.char.decode(bare, "ascii", "replace") if bare.dtype.kind == "S" else bare.astype(str))


def _flags(column: Any, name: str) -> np.ndarray:
    """Give where points are bad: where a column is not 0, or masked."""
    hidden = np.asarray(getattr(column, "mask", False), bool)
    bare = np.array(np.ma.getdata(getattr(column, "unmasked", column)))
    plain = (bool, int, float, np.bool_, np.number)
    odd = next((one for one in bare.flat if not isinstance(one, plain)), None) if bare.dtype.kind not in "biuf" else None
    if odd is not None:
        raise DataError(f"column {name!r} holds something else than numbers or True and False, such as {odd!r}: make it "
                        "True where a point is bad, and False elsewhere")
    return bare.astype(bool) | hidden


def _one_error(error: u.Quantity, value: u.Quantity, name: str) -> u.Quantity:
    """Give the one error of all points, in the unit of the values."""
    try:
        return np.broadcast_to(error.to_value(value.unit), value.shape) * value.unit
    except u.UnitConversionError as cause:
        own, unit = value.unit.to_string() or "no unit", error.unit.to_string()
        raise DataError(f"error is in {unit or 'no unit'}, and column {name!r} in {own}: give the column a unit, as "
                        f"table[{name!r}] * u.Unit({unit!r}), or the error in the column's") from cause
    except ValueError as cause:
        raise DataError(f"error is of shape {error.shape}: give one number with a unit, or the name of a column") from cause


def _quantity(column: Any, unit: u.UnitBase, name: str) -> u.Quantity:
    """Make a Quantity of a column, in its own unit where it has one; NaN where it is masked."""
    own = getattr(column, "unit", None) or unit
    mask = getattr(column, "mask", None)
    bare = getattr(column, "unmasked", column)
    bare = np.ma.getdata(bare) if isinstance(bare, np.ma.MaskedArray) else getattr(bare, "value", bare)
    try:
        values = np.array(bare, np.float64) if np.asarray(bare).dtype.kind != "c" else None
    except (TypeError, ValueError) as error:
        raise DataError(f"column {name!r} holds something else than numbers, such as {_odd(bare)!r}: leave those rows "
                        "out, or make them NaN") from error
    if values is None:
        raise DataError(f"column {name!r} holds complex numbers: which part of them is meant?")
    if mask is not None and np.any(mask):
        values[np.broadcast_to(mask, values.shape)] = np.nan
    return u.Quantity(values, own)


def _odd(column: Any) -> Any:
    """Find the first cell that is no number."""
    for cell in np.ravel(np.asarray(column, dtype=object)).tolist():
        try:
            float(cell)
        except (TypeError, ValueError):
            return cell
    return column


def _times(column: Any, name: str, scale: str | None, format: str | None, epoch: Time | None) -> Time:
    if epoch is not None and not (isinstance(epoch, Time) and epoch.isscalar):
        raise DataError(f'epoch is {epoch!r}: give one time, such as Time(2457000, format="jd", scale="tdb") for BTJD')
    of = column if isinstance(column, Time) else epoch
    if of is not None and (scale not in (None, of.scale) or (format is not None and of is epoch)):
        what = f"column {name!r} holds times" if of is column else "epoch is a time"
        raise DataError(f"{what} of scale {of.scale!r}, and scale={scale!r}, format={format!r} says otherwise: leave "
                        "scale and format out")
    if isinstance(column, Time):
        return column
    if epoch is not None:
        days = _blank(_quantity(column, u.day, name).to_value(u.day))
        return Time(np.full(days.shape, epoch.jd1), days + epoch.jd2, format="jd", scale=epoch.scale)
    if scale is None or format is None:
        raise DataError(f'column {name!r} holds plain numbers: say what they are, for example format="mjd", scale="utc", or '
                        'epoch=Time(2457000, format="jd", scale="tdb") for days since one')
    if format not in Time.FORMATS:
        raise DataError(f"there is no format {format!r} of times; astropy has {', '.join(Time.FORMATS)}; days since a time "
                        'are said by epoch=Time(2457000, format="jd", scale="tdb")')
    numbers = np.asarray(column)
    if numbers.dtype.kind in "biuf":
        numbers = _blank(_quantity(column, u.dimensionless_unscaled, name).value)
    try:
        return Time(numbers, format=format, scale=scale)
    except (ValueError, ScaleValueError) as error:
        raise DataError(f"column {name!r} is no time of format {format!r} and scale {scale!r}: "
                        f"{' '.join(str(error).split())}") from error


def _blank(numbers: np.ndarray) -> np.ndarray:
    """Mask what is not finite: astropy's Time takes no NaN."""
    return numbers if np.isfinite(numbers).all() else np.ma.masked_invalid(numbers)


def _names(table: Any) -> list[str]:
    if isinstance(table, Mapping):
        return [str(name) for name in table]
    names = getattr(table, "colnames", None)
    if names is None:
        names = getattr(getattr(table, "dtype", None), "names", None)
    if names is None:
        names = getattr(table, "columns", None)
    if not isinstance(names, Iterable):
        raise DataError(f"a light curve is made of a table with named columns, got {type(table).__name__}")
    return [str(name) for name in names]


def _column(table: Any, name: str, role: str) -> Any:
    if name not in _names(table):
        raise DataError(f"the table has no column {name!r} for {role}; it has {', '.join(_names(table)) or 'none'}: "
                        f'say {role}="..."')
    column = table[name]
    if isinstance(column, (Time, u.Quantity, np.ndarray)) or hasattr(column, "unit"):
        return column
    return column.to_numpy() if hasattr(column, "to_numpy") else np.asarray(column)
