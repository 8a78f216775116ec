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
from astropy.utils.masked import Masked

from ..errors import DataError, ModelFileError

#: version of the layout, and its name in the file's metadata
FORMAT, KEY = 1, "astrofm-index"
#: how texts are kept, names of files that are no UTF-8 included
ENCODING = ("utf-8", "surrogateescape")
KINDS = "an index keeps real numbers of up to 64 bits, quantities and texts, so convert or remove it"


def write_index(path: Path, embeddings: np.ndarray, table: QTable, about: Mapping[str, Any], *, overwrite: bool) -> Path:
    """Write embeddings and their table: names, values, masks, units and descriptions come back as they were.

    Raises
    ------
    DataError
        A column would not come back.
    OutputError
        The file exists, or can't be written.
    """
    from safetensors.numpy import save

    from ..models.files import write_atomically

    arrays = {"embeddings": np.ascontiguousarray(embeddings)}
    columns = []
    for name in table.colnames:
        column = table[name]
        found, unit = _arrays(name, column)
        arrays.update(found)
        columns.append({"name": name, "unit": unit, "description": column.info.description or "",
                        "quantity": isinstance(column, u.Quantity)})
    text = json.dumps({"format": FORMAT, **about, "columns": columns}, sort_keys=True)
    write_atomically(path, save(arrays, {KEY: text, "sha256": _digest(arrays, text)}), overwrite=overwrite)
    return path


def _arrays(name: str, column: Any) -> tuple[dict[str, np.ndarray], str]:
    """Give the arrays that a column is kept as, and its unit."""
    if not isinstance(column, (Column, u.Quantity)):
        raise DataError(f"column {name!r} holds {type(column).__name__}: {KINDS}")
    unit = "" if column.info.unit is None else column.info.unit.to_string()
    if isinstance(column, u.Quantity) and u.Unit(unit, parse_strict="silent") != column.unit:
        raise DataError(f"column {name!r} has a unit {unit!r} that only this program knows: convert it to a usual one")
    arrays = {}
    value = column.value if isinstance(column, u.Quantity) else np.ma.getdata(column)
    if isinstance(column, (MaskedColumn, Masked)):
        arrays[f"mask.{name}"] = np.array(column.mask)
        value = getattr(value, "unmasked", value)
    value = np.asarray(value)
    if value.dtype.kind in "US" and value.ndim == 1:
        texts = [item.encode(*ENCODING) if isinstance(item, str) else bytes(item) for item in value.tolist()]
        arrays[f"text.{name}"] = np.frombuffer(b"".join(texts), np.uint8)
        arrays[f"ends.{name}"] = np.cumsum([len(text) for text in texts], dtype=np.int64)
    elif value.dtype.kind in "biuf" and value.dtype.itemsize <= 8:
        arrays[f"column.{name}"] = np.ascontiguousarray(value, value.dtype.newbyteorder("="))
    else:
        raise DataError(f"column {name!r} holds {value.dtype} of shape {value.shape}: {KINDS}")
    return arrays, unit


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
        table[column["name"]] = _column(column, arrays)
        table[column["name"]].info.description = column["description"] or None
    return arrays["embeddings"], table, about


def _column(told: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> Any:
    """Make a column of its arrays."""
    name, mask = told["name"], arrays.get(f"mask.{told['name']}")
    if f"column.{name}" in arrays:
        value = arrays[f"column.{name}"]
    else:
        ends, text = arrays[f"ends.{name}"].tolist(), arrays[f"text.{name}"].tobytes()
        value = np.array([text[a:b].decode(*ENCODING) for a, b in zip([0, *ends], ends, strict=False)], dtype=str)
    if told["quantity"]:
        quantity = u.Quantity(value, u.Unit(told["unit"], parse_strict="silent"), copy=False, subok=True)
        return quantity if mask is None else Masked(quantity, mask=mask)
    unit = u.Unit(told["unit"], parse_strict="silent") if told["unit"] else None
    return Column(value, unit=unit) if mask is None else MaskedColumn(value, mask=mask, unit=unit)


def _digest(arrays: Mapping[str, np.ndarray], text: str) -> str:
    digest = hashlib.sha256(text.encode())
    for name in sorted(arrays):
        digest.update(f"{name} {arrays[name].dtype.str} {arrays[name].shape}".encode())
        digest.update(np.ascontiguousarray(arrays[name]).data)
    return digest.hexdigest()
