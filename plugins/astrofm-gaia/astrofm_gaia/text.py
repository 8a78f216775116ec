"""XP products in CSV and ECSV, a block of rows at a time."""

from __future__ import annotations

import csv
import io
import re
import warnings
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from astrofm.errors import DataError, ReadError

from .coefficients import COLUMNS, check_columns
from .products import open_bytes

#: arrays of each product
ARRAYS = {"continuous": COLUMNS, "sampled": ("flux", "flux_error")}
#: scalars that are kept where a file has them
SCALARS = ("ra", "dec", "phot_g_mean_mag")
#: how a cell says that there is nothing
EMPTY = frozenset({"", "null", "nan", "none", "[]", "()", "--"})


def delimiter_of(comments: Sequence[str]) -> str:
    """Give the delimiter that the comments of a table name: ECSV says it and means a blank if it does not."""
    if not any(line.startswith("# %ECSV") for line in comments):
        return ","
    for line in comments:
        found = re.match(r"#\s*delimiter:\s*['\"]?([^'\"\s])", line)
        if found:
            return found[1]
    return " "


def text_blocks(path: Path, product: str, rows: int) -> Iterator[dict[str, Any]]:
    """Hand out a CSV or ECSV file, plain or gzip, in blocks of ``rows`` sources.

    Raises
    ------
    ReadError
        The file is truncated or a cell is no number or array; the message names the row.
    """
    done = 0
    try:
        with open_bytes(path) as raw, io.TextIOWrapper(raw, encoding="utf-8-sig", newline="") as stream:
            comments, first = [], stream.readline()
            while first.startswith("#") or (first and not first.strip()):
                comments.append(first)
                first = stream.readline()
            delimiter = delimiter_of(comments)
            names = [name.strip().lower() for name in next(csv.reader([first], delimiter=delimiter))]
            check_columns(names, ("source_id", *ARRAYS[product]))
            block: list[list[str]] = []
            for cells in csv.reader(stream, delimiter=delimiter, strict=True):
                if not cells:
                    continue
                if len(cells) != len(names):
                    raise DataError(f"row {done + len(block)} has {len(cells)} columns of {len(names)}: "
                                    "the file is truncated or damaged")
                block.append(cells)
                if len(block) == rows:
                    yield _block(names, block, product, done)
                    done += len(block)
                    block = []
            if block:
                yield _block(names, block, product, done)
    except (DataError, OSError, EOFError, UnicodeDecodeError, csv.Error, zlib.error, StopIteration) as error:
        raise ReadError(f"cannot read {path} beyond row {done}: {error or type(error).__name__}") from error


def _block(names: Sequence[str], block: Sequence[Sequence[str]], product: str, done: int) -> dict[str, Any]:
    columns = {name: [row[place] for row in block] for place, name in enumerate(names)
               if name in ("source_id", *ARRAYS[product], *SCALARS)}
    table: dict[str, Any] = {}
    for name, cells in columns.items():
        if name == "source_id":
            table[name] = _ids(cells, done)
        elif name in SCALARS:
            table[name] = _scalars(cells, name, done)
        else:
            table[name] = parse_arrays(cells, name, first=done)
    return table


def _ids(cells: Sequence[str], done: int) -> np.ndarray:
    for row, cell in enumerate(cells):
        if not re.fullmatch(r"\d{1,19}", cell.strip()):
            raise DataError(f"source_id in row {done + row} is {cell[:30]!r}, not a whole number: "
                            "a spreadsheet or a float column has lost its digits")
    return np.array([int(cell) for cell in cells], np.int64)


def _scalars(cells: Sequence[str], name: str, done: int) -> list[float]:
    values = []
    for row, cell in enumerate(cells):
        try:
            values.append(np.nan if cell.strip().lower() in EMPTY else float(cell))
        except ValueError as error:
            raise DataError(f"{name} in row {done + row} is {cell[:30]!r}, not a number") from error
    return values


def parse_arrays(cells: Sequence[str | None], name: str, *, first: int = 0) -> list[np.ndarray]:
    """Turn cells like ``(1.0, 2.0)`` or ``[1.0,null]`` into float64 arrays; empty cells into empty arrays.

    Raises
    ------
    DataError
        If a cell is not closed or holds something else than numbers; the message names the row.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("error", DeprecationWarning)
        return [_parse_array("" if cell is None else cell.strip(), f"{name} in row {first + row}")
                for row, cell in enumerate(cells)]


def _parse_array(text: str, where: str) -> np.ndarray:
    if text.lower() in EMPTY:
        return np.empty(0)
    if (text[0], text[-1]) not in (("(", ")"), ("[", "]")):
        raise DataError(f"{where} is no closed array ({text[:20]}...): the file is truncated or damaged")
    inner = text[1:-1].replace("null", "nan")
    try:
        values = np.fromstring(inner, sep=",")
    except (DeprecationWarning, ValueError) as error:
        raise DataError(f"{where} holds something else than numbers") from error
    if len(values) != inner.count(",") + 1:
        raise DataError(f"{where} has {inner.count(',') + 1} places and {len(values)} numbers")
    return values
