"""What the archive serves for a continuous XP spectrum: coefficients, their errors and correlations."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from astrofm.errors import DataError

#: basis functions a photometer
N_BASES = 55
#: correlations a photometer: the lower triangle without the diagonal, row by row
N_PAIRS = N_BASES * (N_BASES - 1) // 2
#: columns without which a continuous spectrum and its errors cannot be calibrated
COLUMNS = tuple(f"{band}_{what}" for band in ("bp", "rp")
                for what in ("coefficients", "coefficient_errors", "coefficient_correlations"))


@dataclass(frozen=True, eq=False)
class XPCoefficients:
    """Continuous XP spectra of ``n`` sources, as the archive gives them.

    Parameters
    ----------
    source_id : ndarray of int64, shape ``(n,)``
    coefficients : ndarray of float64, shape ``(n, 110)``
        55 of BP, then 55 of RP; zero where a photometer is missing.
    errors : ndarray of float32 or float64, shape ``(n, 110)``
        One-sigma errors of the coefficients.
    correlations : ndarray of float32 or float64, shape ``(n, 2970)``
        1485 of BP, then 1485 of RP: each the lower triangle of the correlation matrix without its
        diagonal, row by row. BP and RP are not correlated with each other.
    missing : ndarray of bool, shape ``(n, 2)``
        True where the source has no BP, no RP.
    meta : mapping of str to sequence of length ``n``
        Further columns, such as ``ra`` and ``dec`` in degrees.

    Raises
    ------
    DataError
        Shapes that do not fit; coefficients or errors of a photometer that are partly NaN; errors that are
        not positive; correlations beyond -1 to 1. The message names the source.
    """

    source_id: np.ndarray
    coefficients: np.ndarray
    errors: np.ndarray
    correlations: np.ndarray
    missing: np.ndarray
    meta: Mapping[str, Sequence[Any]] = field(default_factory=dict)

    def __post_init__(self):
        n = len(self.source_id)
        if self.source_id.dtype != np.int64:
            raise DataError(f"source_id must be int64, got {self.source_id.dtype}: other types lose digits")
        for name, width in (("coefficients", 2 * N_BASES), ("errors", 2 * N_BASES),
                            ("correlations", 2 * N_PAIRS), ("missing", 2)):
            if getattr(self, name).shape != (n, width):
                raise DataError(f"{name} has shape {getattr(self, name).shape}, expected {(n, width)}")
        self._refuse(~np.isfinite(self.coefficients), "coefficients that are not finite")
        self._refuse(~(self.errors > 0) | np.isinf(self.errors), "coefficient errors that are not positive")
        self._refuse(~(np.abs(self.correlations) <= 1.001), "coefficient correlations outside -1 to 1")

    def _refuse(self, bad: np.ndarray, what: str) -> None:
        if not bad.any():
            return
        half = bad.shape[1] // 2
        for band, (name, columns) in enumerate((("BP", slice(0, half)), ("RP", slice(half, None)))):
            rows = np.flatnonzero(bad[:, columns].any(axis=1) & ~self.missing[:, band])
            if len(rows):
                source = f"source {self.source_id[rows[0]]} (row {rows[0]})"
                raise DataError(f"{source} has {name} {what}: leave the row out, or empty the "
                                "columns of that photometer if it has none")

    def __len__(self) -> int:
        return len(self.source_id)

    def __getitem__(self, rows: slice | np.ndarray) -> XPCoefficients:
        """Select sources by a slice, an index array or a boolean array."""
        index = np.arange(len(self))[rows]
        return XPCoefficients(self.source_id[rows], self.coefficients[rows], self.errors[rows],
                              self.correlations[rows], self.missing[rows],
                              {key: [column[i] for i in index] for key, column in self.meta.items()})

    @classmethod
    def from_table(cls, table: Any) -> XPCoefficients:
        """Take the columns of a table whose cells hold arrays.

        Parameters
        ----------
        table : Table, DataFrame or mapping of str to column
            With ``source_id`` and, for each of ``bp`` and ``rp``, ``_coefficients``, ``_coefficient_errors``
            and ``_coefficient_correlations`` (a vector, or the whole matrix). A cell that is empty, None,
            NaN or all masked is a missing photometer.

        Raises
        ------
        DataError
            A column is missing or an array has the wrong length.
        """
        names = list(table.keys())
        check_columns(names, ("source_id", *COLUMNS))
        source_id = as_source_id(table["source_id"])
        n = len(source_id)
        coefficients, errors = np.zeros((n, 2 * N_BASES)), np.ones((n, 2 * N_BASES))
        correlations = np.zeros((n, 2 * N_PAIRS), np.float32)
        missing = np.zeros((n, 2), bool)
        for k, band in enumerate(("bp", "rp")):
            bases, pairs = slice(k * N_BASES, (k + 1) * N_BASES), slice(k * N_PAIRS, (k + 1) * N_PAIRS)
            name = f"{band}_coefficients"
            absent = fill(coefficients[:, bases], table[name], name, source_id)
            for target, what in ((errors[:, bases], "errors"), (correlations[:, pairs], "correlations")):
                name = f"{band}_coefficient_{what}"
                other = fill(target, table[name], name, source_id)
                if (other != absent).any():
                    row = int(np.flatnonzero(other != absent)[0])
                    raise DataError(f"source {source_id[row]} (row {row}) has {band}_coefficients or {name}, "
                                    "but not both")
            missing[:, k] = absent
        meta = {name: list(table[name]) for name in ("ra", "dec", "phot_g_mean_mag") if name in names}
        return cls(source_id, coefficients, errors, correlations, missing, meta)


def check_columns(names: Sequence[str], needed: Sequence[str]) -> None:
    """Raise `DataError` if a needed column is not there."""
    lacking = [name for name in needed if name not in names]
    if lacking:
        raise DataError(f"no column {', '.join(lacking)}: download the product with all of its columns "
                        f"(there are {', '.join(names[:8])}{', ...' if len(names) > 8 else ''})")


def as_source_id(column: Any) -> np.ndarray:
    """Give source ids as int64, exactly; floats are refused because they have lost digits.

    Raises
    ------
    DataError
        If the column is not of integers.
    """
    if np.ma.is_masked(column):
        raise DataError("source_id is empty in some rows: every source needs its id")
    ids = np.asarray(column)
    if ids.size and ids.dtype.kind == "O":
        ids = np.array([int(item) if isinstance(item, (int, np.integer)) else item for item in ids])
    if ids.size and ids.dtype.kind not in "iu":
        raise DataError(f"source_id is of type {ids.dtype}, not int64: a float has lost its last digits; "
                        "download the table again or read the column as an integer")
    return ids.astype(np.int64)


def fill(target: np.ndarray, column: Any, name: str, source_id: np.ndarray) -> np.ndarray:
    """Write a column of arrays into ``target`` (n, width); give the rows that hold no array, bool (n,).

    Raises
    ------
    DataError
        If an array has another length than ``width``.
    """
    width = target.shape[1]
    cells = list(column)
    plain = np.array([type(cell) is np.ndarray and cell.shape == (width,) for cell in cells], bool)
    if plain.any():
        data = np.concatenate([cell for cell, good in zip(cells, plain.tolist(), strict=True) if good])
        target[plain] = data.reshape(-1, width)
    absent = np.zeros(len(cells), bool)
    absent[plain] = np.isnan(target[plain, 0])
    for row in np.flatnonzero(absent):
        absent[row] = np.isnan(target[row]).all()
    target[absent] = 0
    for row in np.flatnonzero(~plain):
        cell = _vector(cells[row])
        absent[row] = not len(cell) or np.isnan(cell).all()
        if absent[row]:
            continue
        if len(cell) == N_BASES**2 and width == N_PAIRS:
            cell = np.reshape(cell, (N_BASES, N_BASES))[np.tril_indices(N_BASES, -1)]
        if len(cell) != width:
            raise DataError(f"{name} of source {source_id[row]} (row {row}) has {len(cell)} values, expected "
                            f"{width}: is the file truncated, or not an XP product?")
        target[row] = cell
    return absent


def _vector(cell: Any) -> np.ndarray:
    if cell is None or cell is np.ma.masked or isinstance(cell, float):
        return np.empty(0)
    if isinstance(cell, np.ma.MaskedArray):
        cell = cell.filled(np.nan)
    cell = np.asarray(cell)
    return cell.ravel() if cell.dtype.kind == "f" else cell.astype(np.float64).ravel()
