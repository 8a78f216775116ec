"""Labels as a user has them, in a table, and as heads learn them."""

from __future__ import annotations

from typing import Any

import numpy as np
from astropy import units as u
from astropy.table import QTable, Table

from ..errors import DataError

#: labels in linear units are learned as logarithms where all are positive and they span more than this factor
SPAN = 1.8


def describe_labels(labels: Table) -> tuple[list[dict[str, Any]], np.ndarray, np.ndarray]:
    """Turn a table's columns into what a head is built from, their values and their errors ``(n, k)``; NaN where masked.

    A column ``NAME_err`` beside a column ``NAME`` holds the errors of that label.

    Raises
    ------
    DataError
        A column that is no number, or holds fewer than two different ones; errors in another unit, or negative.
    """
    table = QTable(labels)
    names = [name for name in table.colnames if not (name.endswith("_err") and name.removesuffix("_err") in table.colnames)]
    told, values, errors = [], [], []
    for name in names:
        column = table[name]
        unit, value = column.unit, _numbers(table, name)
        known = value[np.isfinite(value)]
        if len(np.unique(known)) < 2:
            raise DataError(f"label {name!r} has {len(np.unique(known))} different values: there is nothing to learn")
        log = _is_linear(unit) and bool(known.min() > 0 and known.max() > SPAN * known.min())
        scaled = np.log10(known) if log else known
        told.append({"name": name, "unit": "" if unit is None else unit.to_string(),
                     "description": column.info.description or "", "low": float(known.min()), "high": float(known.max()),
                     "centre": float(scaled.mean()), "spread": float(scaled.std()), "log": log})
        values.append(value)
        errors.append(_errors(table, name, unit))
    if not told:
        raise DataError("the table of labels has no column")
    return told, np.stack(values, axis=1), np.stack(errors, axis=1)


def _is_linear(unit: u.UnitBase | None) -> bool:
    """Say whether a unit is one of a physical quantity: not a logarithm, such as dex or mag, and not none at all."""
    if unit is None or hasattr(unit, "function_unit") or unit == u.dimensionless_unscaled:
        return False
    return not {u.dex, u.mag} & set(unit.bases)


def _errors(table: QTable, name: str, unit: u.UnitBase | None) -> np.ndarray:
    if f"{name}_err" not in table.colnames:
        return np.full(len(table), np.nan)
    own = table[f"{name}_err"].unit
    if own is not None and unit is not None and own != unit:
        try:
            table[f"{name}_err"] = u.Quantity(table[f"{name}_err"]).to(unit)
        except u.UnitConversionError as error:
            raise DataError(f"{name}_err is in {own}, and {name!r} is in {unit}: convert it") from error
    found = _numbers(table, f"{name}_err")
    if np.any(found < 0):
        raise DataError(f"{name}_err has negative values: errors are one-sigma, NaN where unknown")
    return found


def _numbers(table: QTable, name: str) -> np.ndarray:
    column = table[name]
    if getattr(column, "ndim", 1) != 1 or np.asarray(column).dtype.kind not in "iuf":
        raise DataError(f"label {name!r} is no column of numbers: a head learns numbers; choose columns with table[[...]]")
    return np.ma.filled(np.ma.asarray(column.value if isinstance(column, u.Quantity) else column, float), np.nan)
