"""Columns of Parquet files: numbers, lists, and the nested light curves of HATS catalogues, without a loop over rows."""

from __future__ import annotations

import io
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import ReadError

#: what to type where pyarrow is not installed
INSTALL = "is Parquet, which is read with pyarrow: pip install 'astrofm[parquet]'"


@dataclass(frozen=True, eq=False)
class Ragged:
    """A column of arrays of any length: those of row ``i`` are ``values[starts[i]:starts[i + 1]]``."""

    values: np.ndarray
    starts: np.ndarray

    def __len__(self) -> int:
        return len(self.starts) - 1


def parquet_names(source: Path | bytes) -> list[str]:
    """Give the names of columns, and of the fields inside structs, lower case; none where pyarrow or the file fails."""
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError:
        return []
    try:
        schema = pyarrow.parquet.read_schema(io.BytesIO(source) if isinstance(source, bytes) else source)
    except (OSError, ValueError, pyarrow.ArrowException):
        return []
    names = []
    for item in schema:
        inner = [item.type.field(k).name for k in range(item.type.num_fields)] if pyarrow.types.is_struct(item.type) else []
        names += [name.lower() for name in inner or [item.name]]
    return names


def parquet_columns(path: Path, source: Path | bytes, wanted: Collection[str]) -> dict[str, np.ndarray | Ragged]:
    """Read columns, and fields inside structs, those that are there; see `astrofm.data.tables.read_columns`.

    Raises
    ------
    ReadError
        The file is damaged, or pyarrow is not installed.
    """
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError as error:
        raise ReadError(f"{path} {INSTALL}") from error
    try:
        with pyarrow.parquet.ParquetFile(io.BytesIO(source) if isinstance(source, bytes) else source) as file:
            named = [item.name for item in file.schema_arrow
                     if item.name.lower() in wanted or pyarrow.types.is_struct(item.type)]
            table = file.read(columns=named).combine_chunks()
        found = {}
        for name, column in zip(table.column_names, table.columns, strict=True):
            if pyarrow.types.is_struct(column.type):  # nested light curves: a struct of lists
                inner = column.combine_chunks()
                parts = {inner.type.field(k).name: inner.field(k) for k in range(inner.type.num_fields)}
            else:
                parts = {name: column.combine_chunks()}
            found |= {part.lower(): _arrow(array) for part, array in parts.items() if part.lower() in wanted}
        return found
    except (OSError, ValueError, pyarrow.ArrowException) as error:
        raise ReadError(f"cannot read {path}: {error}: is the download complete?") from error


def _arrow(array: Any) -> np.ndarray | Ragged:
    import pyarrow

    if isinstance(array, pyarrow.ChunkedArray):
        array = pyarrow.concat_arrays(array.chunks) if array.num_chunks else pyarrow.array([], array.type)
    if pyarrow.types.is_list(array.type) or pyarrow.types.is_large_list(array.type):
        lengths = np.nan_to_num(array.value_lengths().to_numpy(zero_copy_only=False).astype(float)).astype(np.int64)
        return Ragged(_arrow(array.flatten()), np.concatenate([[0], np.cumsum(lengths)]))
    if pyarrow.types.is_dictionary(array.type):
        array = array.dictionary_decode()
    values = array.to_numpy(zero_copy_only=False)
    return values.astype(str) if values.dtype.kind == "O" else values
