"""XP products in FITS, VOTable and Parquet, a block of rows at a time."""

from __future__ import annotations

import warnings
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any
from xml.parsers.expat import ExpatError

import numpy as np

from astrofm.errors import DataError, ReadError

from .coefficients import check_columns
from .products import open_bytes
from .text import ARRAYS, SCALARS, parse_arrays


def fits_blocks(path: Path, product: str, rows: int) -> Iterator[dict[str, Any]]:
    """Hand out the first table of a FITS file, plain or gzip, in blocks of ``rows`` sources.

    Raises
    ------
    ReadError
        The file is truncated or damaged.
    """
    from astropy.io import fits

    done = 0
    try:
        with fits.open(path) as hdus:
            with warnings.catch_warnings():
                warnings.filterwarnings("error", "File may have been truncated")
                table = next((hdu for hdu in hdus if isinstance(hdu, fits.BinTableHDU)), None)
                if table is None:
                    raise DataError("it has no table")
                data = table.data
            names = {name.lower(): name for name in table.columns.names}
            wanted = _wanted(list(names), product)
            for start in range(0, len(data), rows):
                part = data[start:start + rows]
                yield {name: _native(part[names[name]]) for name in wanted}
                done = start + len(part)
    except (fits.VerifyError, OSError, EOFError, ValueError, TypeError, IndexError, KeyError, AttributeError,
            OverflowError, zlib.error, UserWarning) as error:
        raise ReadError(f"cannot read {path} beyond row {done}: {error or type(error).__name__}: "
                        "is the download complete?") from error


def votable_blocks(path: Path, product: str, rows: int) -> Iterator[dict[str, Any]]:
    """Hand out the first table of a VOTable, plain or gzip, in blocks of ``rows`` sources.

    It is parsed whole.

    Raises
    ------
    ReadError
        The file is truncated or damaged.
    """
    from astropy.io.votable import parse_single_table
    from astropy.io.votable.exceptions import VOWarning

    done = 0
    try:
        with open_bytes(path) as stream, warnings.catch_warnings():
            warnings.simplefilter("ignore", VOWarning)
            array = parse_single_table(stream).array
        names = {name.lower(): name for name in array.dtype.names}
        wanted = _wanted(list(names), product)
        for start in range(0, len(array), rows):
            part = array[start:start + rows]
            yield {name: _native(part[names[name]]) for name in wanted}
            done = start + len(part)
    except (OSError, EOFError, ValueError, TypeError, IndexError, KeyError, ExpatError, zlib.error) as error:
        raise ReadError(f"cannot read {path} beyond row {done}: {error or type(error).__name__}: "
                        "is the download complete?") from error


def parquet_columns(path: Path, *, strict: bool = False) -> dict[str, int | None]:
    """Give the column names (lower case) of a Parquet file; none where pyarrow is absent, unless ``strict``.

    Raises
    ------
    ReadError
        With ``strict``, if pyarrow is absent or the file is damaged.
    """
    try:
        import pyarrow.parquet
    except ImportError as error:
        if strict:
            raise ReadError(f"{path} is Parquet: pip install 'astrofm-gaia[parquet]'") from error
        return {}
    try:
        schema = pyarrow.parquet.read_schema(path)
    except (OSError, ValueError, pyarrow.ArrowException) as error:
        if strict:
            raise ReadError(f"cannot read {path}: {error}") from error
        return {}
    scalar = (pyarrow.types.is_floating, pyarrow.types.is_integer)
    return {item.name.lower(): 1 if any(test(item.type) for test in scalar) else None for item in schema}


def parquet_blocks(path: Path, product: str, rows: int) -> Iterator[dict[str, Any]]:
    """Hand out a Parquet file with arrays as lists, or as text as in CSV, in blocks of ``rows`` sources.

    Raises
    ------
    ReadError
        The file is truncated or damaged.
    """
    import pyarrow
    import pyarrow.parquet

    done = 0
    try:
        with pyarrow.parquet.ParquetFile(path) as file:
            names = {name.lower(): name for name in file.schema_arrow.names}
            wanted = _wanted(list(names), product)
            for batch in file.iter_batches(batch_size=rows, columns=[names[name] for name in wanted]):
                yield {name: _arrow(batch.column(place), name, done) for place, name in
                       enumerate(item.lower() for item in batch.schema.names)}
                done += len(batch)
    except (OSError, ValueError, pyarrow.ArrowException) as error:
        raise ReadError(f"cannot read {path} beyond row {done}: {error}") from error


def _wanted(names: Sequence[str], product: str) -> list[str]:
    check_columns(names, ("source_id", *ARRAYS[product]))
    return ["source_id", *ARRAYS[product], *(name for name in SCALARS if name in names)]


def _native(column: Any) -> Any:
    """Give a column in the machine's byte order; columns of arrays stay as they are."""
    if column.dtype.kind == "O":
        return list(column)
    if column.dtype.kind in "SU" and column.ndim == 1:
        return parse_arrays([str(cell) for cell in column], "an array")
    return column.astype(column.dtype.newbyteorder("="))


def _arrow(column: Any, name: str, done: int) -> Any:
    import pyarrow

    if pyarrow.types.is_string(column.type) or pyarrow.types.is_large_string(column.type):
        return parse_arrays(column.to_pylist(), name, first=done)
    if pyarrow.types.is_primitive(column.type):
        if name == "source_id" and column.null_count:
            raise DataError("source_id is empty in some rows: every source needs its id")
        return column.to_numpy(zero_copy_only=False)
    return [np.asarray(cell, float) if cell is not None else None for cell in column.to_pylist()]
