"""Labels as a user has them, in a table, and as heads learn them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from astropy import units as u
from astropy.table import QTable, Table

from ..errors import DataError

#: labels in linear units are learned as logarithms where all are positive and they span more than this factor
SPAN = 1.8


def describe_labels(labels: Table) -> tuple[list[dict[str, Any]], np.ndarray, np.ndarray]:
    """Turn a table's columns into what a head is built from, their values and their errors ``(n, k)``; NaN where masked.

    A column ``NAME_err`` beside a column ``NAME`` holds the errors of that label. Its unit and range say whether it is
    learned as a logarithm, unless its ``info.meta`` has a ``log``.

    Raises
    ------
    DataError
        A column that is no number, or holds fewer than two different ones; errors in another unit, or negative; a label
        that is to be learned as a logarithm and is not positive.
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
        log = column.info.meta.get("log") if column.info.meta else None
        if log is None:
            log = _is_linear(unit) and bool(known.min() > 0 and known.max() > SPAN * known.min())
        elif log and known.min() <= 0:
            raise DataError(f"label {name!r} is to be learned as a logarithm, and {np.sum(known <= 0)} of its values are not "
                            "positive: mask them")
        scaled = np.log10(known) if log else known
        told.append({"name": name, "unit": "" if unit is None else unit.to_string(),
                     "description": column.info.description or "", "low": float(known.min()), "high": float(known.max()),
                     "centre": float(scaled.mean()), "spread": float(scaled.std()), "log": bool(log)})
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


@dataclass(frozen=True, eq=False)
class ClassColumn:
    """A column of classes: their names, sorted, and each star's place among them ``(n,)``; -1 where it is unknown."""

    name: str
    description: str
    classes: tuple[str, ...]
    place: np.ndarray

    @property
    def counts(self) -> dict[str, int]:
        """Stars of each class."""
        return {one: int(np.sum(self.place == k)) for k, one in enumerate(self.classes)}


def split_labels(labels: Table) -> tuple[list[ClassColumn], QTable]:
    """Split a table of labels into its columns of classes, which are text, and the rest.

    A masked or empty cell is a star whose class is not known.

    Raises
    ------
    DataError
        Fewer than two classes; a class named "unknown", or with a comma; a label's name that no column can have.
    """
    table, found = QTable(labels), []
    for name in list(table.colnames):
        column = table[name]
        if np.asarray(column).dtype.kind not in "USO" or getattr(column, "ndim", 1) != 1:
            continue
        found.append(_classes(name, column))
        table.remove_column(name)
    return found, table


def _classes(name: str, column: Any) -> ClassColumn:
    array = np.ma.asarray(column)
    hidden = np.ma.getmaskarray(array)
    texts = ["" if no or one is None else one for one, no in zip(array.data.tolist(), hidden.tolist(), strict=True)]
    odd = next((one for one in texts if not isinstance(one, (str, bytes))), None)
    if odd is not None:
        raise DataError(f"label {name!r} holds {odd!r}, which is neither a class's name nor a number: give text, empty where "
                        "the class is not known")
    plain = np.array([one.decode() if isinstance(one, bytes) else one for one in texts], dtype=str)
    plain = np.char.strip(plain)
    classes = sorted(set(plain.tolist()) - {""})
    if len(classes) < 2:
        raise DataError(f"label {name!r} has {len(classes)} classes" + (f", {classes[0]!r}" if classes else "")
                        + ": there is nothing to tell apart; give stars of others, too")
    for one in classes:
        if one.lower() == "unknown":
            raise DataError(f"label {name!r} has a class {one!r}, which is what strangers are called: leave the cell empty "
                            "where the class is not known")
        if "," in one:
            raise DataError(f"label {name!r} has a class {one!r}: commas part the classes of a set, leave them out")
    if name.endswith(("_err", "_probability")):
        raise DataError(f"label {name!r} has the name of a column of answers: rename it")
    place = {one: k for k, one in enumerate(classes)}
    text = str(getattr(getattr(column, "info", None), "description", None) or "")
    return ClassColumn(name, text, tuple(classes), np.array([place.get(one, -1) for one in plain.tolist()], int))
