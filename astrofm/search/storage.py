"""An index as one safetensors file: embeddings and columns as arrays, what they mean as JSON, all under one hash."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from astropy import units as u
from astropy.table import Column, MaskedColumn, QTable

from ..errors import DataError, ModelFileError

#: version of the layout, and its name in the file's metadata
FORMAT, KEY = 1, "astrofm-index"


def write_index(path: Path, embeddings: np.ndarray, table: QTable, about: Mapping[str, Any], *, overwrite: bool) -> Path:
    """Write embeddings and their table; nothing of the table is lost or the write is refused."""
    from safetensors.numpy import save

    from ..models.files import write_atomically

    arrays = {"embeddings": np.ascontiguousarray(embeddings)}
    columns = []
    for name in table.colnames:
        column = table[name]
        told = {"name": name, "unit": "" if column.info.unit is None else column.info.unit.to_string(),
                "description": column.info.description or "", "quantity": isinstance(column, u.Quantity)}
        if not isinstance(column, (Column, u.Quantity)):
            raise DataError(f"column {name!r} holds {type(column).__name__}: an index keeps numbers, quantities and texts")
        value = column.value if isinstance(column, u.Quantity) else np.asarray(column)
        if isinstance(column, MaskedColumn) and column.mask.any():
            arrays[f"mask.{name}"] = np.ascontiguousarray(column.mask)
            value = np.asarray(column.filled("" if column.dtype.kind in "US" else 0))
        if value.dtype.kind in "US" and value.ndim == 1:
            texts = [item.encode() if isinstance(item, str) else bytes(item) for item in value.tolist()]
            arrays[f"text.{name}"] = np.frombuffer(b"".join(texts), np.uint8)
            arrays[f"ends.{name}"] = np.cumsum([len(text) for text in texts], dtype=np.int64)
        elif value.dtype.kind in "biuf":
            arrays[f"column.{name}"] = np.ascontiguousarray(value, value.dtype.newbyteorder("="))
        else:
            raise DataError(f"column {name!r} holds {value.dtype}: an index keeps numbers, quantities and texts")
        columns.append(told)
    text = json.dumps({"format": FORMAT, **about, "columns": columns}, sort_keys=True)
    write_atomically(path, save(arrays, {KEY: text, "sha256": _digest(arrays, text)}), overwrite=overwrite)
    return path


def read_index(path: Path) -> tuple[np.ndarray, QTable, dict[str, Any]]:
    """Read embeddings, table and what the index says of itself.

    Raises
    ------
    ModelFileError
        Damaged, altered, of another format version, or no index.
    """
    from safetensors import safe_open

    try:
        with safe_open(path, "np") as file:
            told = file.metadata() or {}
            arrays = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except FileNotFoundError as error:
        raise ModelFileError(f"there is no index {path}: `astrofm index` makes one") from error
    except Exception as error:  # safetensors raises its own classes, and they differ between versions
        raise ModelFileError(f"{path} cannot be read as an index ({error}): it is damaged, or something else") from error
    if KEY not in told:
        raise ModelFileError(f"{path} is no index of astrofm: `astrofm index` makes one")
    if told.get("sha256") != _digest(arrays, told[KEY]):
        raise ModelFileError(f"{path} was altered (SHA-256): build the index again")
    about = json.loads(told[KEY])
    if about["format"] != FORMAT:
        raise ModelFileError(f"{path} is an index of format {about['format']}, this astrofm reads {FORMAT}: build it again")
    table = QTable()
    for column in about.pop("columns"):
        name = column["name"]
        if f"column.{name}" in arrays:
            value = arrays[f"column.{name}"]
        else:
            ends, text = arrays[f"ends.{name}"], arrays[f"text.{name}"].tobytes()
            starts = np.concatenate([[0], ends[:-1]]) if len(ends) else ends
            value = np.array([text[a:b].decode() for a, b in zip(starts.tolist(), ends.tolist(), strict=True)], dtype=str)
        if column["quantity"]:
            table[name] = u.Quantity(value, column["unit"], copy=False)
        elif f"mask.{name}" in arrays:
            table[name] = MaskedColumn(value, mask=arrays[f"mask.{name}"], unit=column["unit"] or None)
        else:
            table[name] = Column(value, unit=column["unit"] or None)
        table[name].info.description = column["description"] or None
    return arrays["embeddings"], table, about


def _digest(arrays: Mapping[str, np.ndarray], text: str) -> str:
    digest = hashlib.sha256(text.encode())
    for name in sorted(arrays):
        digest.update(f"{name} {arrays[name].dtype.str} {arrays[name].shape}".encode())
        digest.update(np.ascontiguousarray(arrays[name]).data)
    return digest.hexdigest()
