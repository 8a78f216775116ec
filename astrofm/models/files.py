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
from .foreign import IMPORT, refuse_foreign

#: version of the file format that this astrofm writes, and the only one it reads
FORMAT = 1
#: longest card, in bytes of JSON
CARD_LIMIT = 4_000_000
#: longest safetensors header, in bytes
HEADER_LIMIT = 64_000_000
#: what every card holds, and of which type
REQUIRED = {"format": int, "name": str, "parts": dict, "labels": list, "instruments": dict, "license": str,
            "citation": str, "notes": str}
#: what a card may hold besides, and of which type
OPTIONAL = {"calibration": dict, "familiarity": dict, "provenance": dict, "wavelengths": list, "summary": str}


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


def check_card(path: Path, header: Mapping[str, Any]) -> dict[str, Any]:
    """Take the card out of a safetensors header and check that it is complete."""
    metadata = header.get("__metadata__")
    text = metadata.get("astrofm") if isinstance(metadata, dict) else None
    if not isinstance(text, str):
        raise ModelFileError(f"{path} is a safetensors file without an astrofm card: if it holds published weights, "
                             f"{IMPORT.format(path=path)}")
    if len(text) > CARD_LIMIT:
        raise ModelFileError(f"{path}: the card is {len(text):,} characters long, the limit is {CARD_LIMIT:,}: "
                             "this is no model that astrofm wrote")
    try:
        card = json.loads(text)
    except (json.JSONDecodeError, RecursionError) as error:
        raise ModelFileError(f"{path}: the card is no JSON ({error}): the file was altered, get it again") from error
    if not isinstance(card, dict):
        raise ModelFileError(f"{path}: the card is a JSON {type(card).__name__}, not an object")
    version = card.get("format")
    if version != FORMAT:
        newer = isinstance(version, int) and version > FORMAT
        todo = "upgrade: pip install -U astrofm" if newer else "it is not a model that astrofm wrote"
        raise ModelFileError(f"{path} has format version {version!r}, this astrofm reads {FORMAT}: {todo}")
    for key, kind in REQUIRED.items():
        if not isinstance(card.get(key), kind):
            what = "has no" if key not in card else f"has a {type(card[key]).__name__} as"
            raise ModelFileError(f"{path}: the card {what} {key!r} (needed: {kind.__name__})")
    for key, kind in OPTIONAL.items():
        if key in card and not isinstance(card[key], kind):
            raise ModelFileError(f"{path}: the card has a {type(card[key]).__name__} as {key!r} (needed: {kind.__name__})")
    _check_parts(path, card["parts"])
    _check_entries(path, card)
    return card


def _check_entries(path: Path, card: Mapping[str, Any]) -> None:
    """Check what the verbs will read out of the card."""
    for label in card["labels"]:
        if not (isinstance(label, dict) and isinstance(label.get("name"), str)):
            raise ModelFileError(f"{path}: one of the card's labels has no name")
    for where in ("instruments", "calibration"):
        for name, entry in card.get(where, {}).items():
            if not isinstance(entry, dict):
                raise ModelFileError(f"{path}: the card's {where} of {name!r} is a {type(entry).__name__}, not an object")
    every = [scale for scales in card.get("calibration", {}).values() for scale in scales.values()]
    numbers = [scale for scale in every if not isinstance(scale, dict)]
    for scale in every:
        if isinstance(scale, dict):
            numbers += _numbers_of(path, scale)
    numbers += card.get("wavelengths", [0, 0]) if len(card.get("wavelengths", [0, 0])) == 2 else [None]
    for number in numbers:
        if isinstance(number, bool) or not isinstance(number, (int, float)):
            raise ModelFileError(f"{path}: the card's calibration or wavelengths hold {number!r}: numbers are needed, "
                                 "two of them for wavelengths")


def _numbers_of(path: Path, entry: Mapping[str, Any]) -> list[Any]:
    """Give the numbers of what the card says about the probabilities of classes."""
    try:
        kept = [entry["sets"]["every"], entry["sets"]["few"], *entry["sets"]["classes"].values()]
        kept += [entry["distance"]] if "distance" in entry else []
        numbers = [entry["temperature"], *(one["stars"] for one in kept), *(x for one in kept for x in one["scores"])]
        good = entry["temperature"] > 0 and all(len(one["scores"]) == min(one["stars"], 200) for one in kept)
    except (TypeError, KeyError, AttributeError) as error:
        raise ModelFileError(f"{path}: the card's calibration of a class label lacks {error}: it was altered") from error
    if not good:
        raise ModelFileError(f"{path}: the card's calibration of a class label has scores of other stars: it was altered")
    return numbers


def _check_parts(path: Path, parts: Mapping[str, Any]) -> None:
    heads = parts.get("heads")
    if not isinstance(heads, dict):
        raise ModelFileError(f"{path}: the card's parts name no heads")
    for role, part in (("encoder", parts.get("encoder")), ("aligner", parts.get("aligner")), *heads.items()):
        if not (isinstance(part, dict) and isinstance(part.get("name"), str)
                and isinstance(part.get("arguments"), dict)):
            raise ModelFileError(f"{path}: the card's part {role!r} needs a registered name and arguments")


def card_text(card: Mapping[str, Any]) -> str:
    """Write a card as JSON; the same card gives the same text."""
    try:
        text = json.dumps(card, sort_keys=True, allow_nan=False, ensure_ascii=False)
    except (TypeError, ValueError) as error:
        raise ModelFileError(f"the card is not plain JSON: {error}") from error
    if len(text) > CARD_LIMIT:
        raise ModelFileError(f"the card is {len(text):,} characters long, the limit is {CARD_LIMIT:,}")
    return text


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
