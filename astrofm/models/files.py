"""The one file that is a model: safetensors with a JSON card in its metadata. Read without torch, and never trusted."""

from __future__ import annotations

import hashlib
import json
import os
import struct
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import ModelFileError, OutputError
from .card_text import check_card
from .foreign import refuse_foreign

#: longest safetensors header, in bytes
HEADER_LIMIT = 64_000_000


@dataclass(frozen=True)
class ModelFile:
    """A model file that has been opened and checked as far as its header.

    Parameters
    ----------
    path : Path
    sha256 : str
        Of the whole file.
    card : mapping
        The checked card.
    shapes : mapping of str to tuple
        Shape and safetensors dtype of each tensor: ``{"encoder.weight": ((8, 4), "F32")}``.
    data : bytes
        The whole file: what was hashed is what is loaded.
    """

    path: Path
    sha256: str
    card: Mapping[str, Any]
    shapes: Mapping[str, tuple[tuple[int, ...], str]]
    data: bytes


def read_card(path: str | os.PathLike) -> dict[str, Any]:
    """Read and check the card of a model file, without loading torch.

    Parameters
    ----------
    path : path
        A file that `Model.save` wrote.

    Returns
    -------
    dict
        The card.

    Raises
    ------
    ModelFileError
        Not a model file, truncated, or of another format version.
    """
    path = Path(path)
    try:
        with path.open("rb") as file:
            header = _header(path, file.read(8), path.stat().st_size, file)
    except OSError as error:
        raise ModelFileError(f"{path} cannot be read: {error.strerror or error}") from error
    return check_card(path, header)


def open_model(path: str | os.PathLike, *, sha256: str | None = None) -> ModelFile:
    """Read a model file into memory, verify it and check its card and tensors' places.

    Parameters
    ----------
    path : path
    sha256 : str, optional
        What the file must hash to.

    Raises
    ------
    ModelFileError
        The file is missing, altered, truncated, or not a model.
    """
    path = Path(path)
    try:
        data = path.read_bytes()
    except OSError as error:
        raise ModelFileError(f"{path} cannot be read: {error.strerror or error}") from error
    digest = hashlib.sha256(data).hexdigest()
    if sha256 and digest != sha256.lower():
        raise ModelFileError(f"{path} is not the file it should be: its SHA-256 is {digest}, expected {sha256}. "
                             "It was altered or cut on the way: delete it and get it again")
    header = _header(path, data[:8], len(data), memoryview(data)[8:])
    shapes = {}
    for name, entry in header.items():
        if name != "__metadata__":
            shapes[name] = _place(path, name, entry, len(data) - 8 - header_length(data[:8]))
    return ModelFile(path, digest, check_card(path, header), shapes, data)


def header_length(start: bytes) -> int:
    """Give the length of a safetensors header from the first eight bytes of the file."""
    return struct.unpack("<Q", start)[0]


def _header(path: Path, start: bytes, size: int, rest: Any) -> dict[str, Any]:
    if len(start) < 8:
        raise ModelFileError(f"{path} holds {len(start)} bytes: it is empty or cut short, get it again")
    length = header_length(start)
    if length > size - 8 or length > HEADER_LIMIT:
        refuse_foreign(path, start)
        raise ModelFileError(f"{path} is not a model file, or cut short: it announces a header of {length} bytes "
                             f"and has {size}. astrofm models are .safetensors files, get it again")
    raw = rest.read(length) if hasattr(rest, "read") else bytes(rest[:length])
    try:
        header = json.loads(raw.decode("utf-8"))
    except (UnicodeDecodeError, json.JSONDecodeError, RecursionError) as error:
        raise ModelFileError(f"{path} is not a model file: its header is no JSON ({error})") from error
    if not isinstance(header, dict):
        raise ModelFileError(f"{path} is not a model file: its header is a JSON {type(header).__name__}")
    return header


def _place(path: Path, name: str, entry: Any, size: int) -> tuple[tuple[int, ...], str]:
    try:
        low, high = entry["data_offsets"]
        shape = tuple(int(length) for length in entry["shape"])
        good = 0 <= low <= high <= size and all(length >= 0 for length in shape)
        dtype = str(entry["dtype"])
    except (TypeError, KeyError, ValueError) as error:
        raise ModelFileError(f"{path}: the header's entry of tensor {name!r} is damaged") from error
    if not good:
        raise ModelFileError(f"{path} is cut short or damaged: tensor {name!r} lies at bytes {low}-{high} of {size}: "
                             "get it again")
    return shape, dtype


def write_atomically(path: Path, data: bytes, *, overwrite: bool) -> None:
    """Write a file under a temporary name and rename it: a reader sees the old file or the new one, whole.

    Raises
    ------
    OutputError
        The file exists and ``overwrite`` is False, or the folder cannot be written.
    """
    if path.exists() and not overwrite:
        raise OutputError(f"{path} exists already: choose another name, or say overwrite=True")
    try:
        handle, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    except OSError as error:
        raise OutputError(f"{path} cannot be written: {error.strerror} ({path.parent})") from error
    temporary = Path(name)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        temporary.chmod(0o666 & ~_umask())
        os.replace(temporary, path)
    except OSError as error:
        raise OutputError(f"{path} cannot be written ({len(data):,} bytes): {error.strerror}") from error
    finally:
        temporary.unlink(missing_ok=True)


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
