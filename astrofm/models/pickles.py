"""Read torch checkpoints of others without running anything that is in them.

A checkpoint is a pickle, and a pickle is a program. Here only containers, numbers, texts and tensors come to life; every
other class or function that it names becomes a `Record`, which remembers what it was called with and does nothing.
"""

from __future__ import annotations

import io
import os
import pickle
import zipfile
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from ..errors import ModelFileError

#: what storages hold, by the name of their class
STORAGES = {
    "DoubleStorage": torch.float64, "FloatStorage": torch.float32, "HalfStorage": torch.float16,
    "BFloat16Storage": torch.bfloat16, "LongStorage": torch.int64, "IntStorage": torch.int32, "ShortStorage": torch.int16,
    "CharStorage": torch.int8, "ByteStorage": torch.uint8, "BoolStorage": torch.bool, "UntypedStorage": torch.uint8}
#: plain containers that a pickle may make
CONTAINERS = {("collections", "OrderedDict"): OrderedDict,
              **{(module, kind.__name__): kind for module in ("builtins", "__builtin__") for kind in (set, frozenset)}}
#: the pickle itself is no longer than this (bytes); tensors lie beside it
LONGEST_PICKLE = 64 * 2**20


class Record:
    """What stands for an object of a class that is not read: its name, and what it would have been made from."""

    origin = ""

    def __new__(cls, *args: Any, **kwargs: Any) -> Record:
        """Remember the arguments; here and not later, for a pickle may make an object without initialising it."""
        record = super().__new__(cls)
        record.args, record.kwargs, record.state, record.items = args, kwargs, None, []
        return record

    def __repr__(self) -> str:
        return f"<record of {self.origin}>"

    def __setstate__(self, state: Any) -> None:
        self.state = state

    def append(self, item: Any) -> None:
        """Keep an item of a list that this stands for."""
        self.items.append(item)

    def extend(self, items: Any) -> None:
        """Keep items of a list that this stands for."""
        self.items.extend(items)

    def __setitem__(self, key: Any, item: Any) -> None:
        self.append((key, item))


@dataclass(frozen=True)
class _Storage:
    key: str
    dtype: torch.dtype
    count: int


class _Stored:
    """A tensor that is still in the file."""

    def __init__(self, storage: Any, offset: Any = 0, size: Any = (), stride: Any = (), *more: Any):
        self.storage, self.offset, self.size, self.stride = storage, offset, size, stride

    def __setstate__(self, state: Any) -> None:
        raise pickle.UnpicklingError("a tensor with a state of its own")


def _parameter(data: Any = None, *more: Any) -> Any:
    return data


TENSORS = {"_rebuild_tensor_v2": _Stored, "_rebuild_tensor": _Stored, "_rebuild_parameter": _parameter,
           "_rebuild_parameter_with_state": _parameter}


class _Reader(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        if (module, name) in CONTAINERS:
            return CONTAINERS[module, name]
        if module == "torch._utils" and name in TENSORS:
            return TENSORS[name]
        if (module, name) == ("torch", "Size"):
            return tuple
        return type(name.rpartition(".")[2] or "Record", (Record,), {"origin": f"{module}.{name}"})

    def persistent_load(self, saved: Any) -> _Storage:
        kind, storage, key, _, count = saved
        name = getattr(storage, "origin", "").rpartition(".")[2]
        if kind != "storage" or name not in STORAGES or not isinstance(key, str) or not isinstance(count, int):
            raise pickle.UnpicklingError(f"a storage of an unknown kind, {name or kind!r}")
        return _Storage(key, STORAGES[name], count)


def read_checkpoint(path: str | os.PathLike) -> dict[str, Any]:
    """Read a torch checkpoint (``torch.save``, torch 1.6 and later).

    Parameters
    ----------
    path : path

    Returns
    -------
    dict
        As it was saved: containers, numbers, texts and tensors; anything else is a `Record`.

    Raises
    ------
    ModelFileError
        No such file, or a folder; no torch checkpoint; truncated or damaged; tensors that reach beyond their bytes.
    """
    path = Path(path)
    if path.is_dir():
        raise ModelFileError(f"{path} is a folder: name the checkpoint in it")
    try:
        with zipfile.ZipFile(path) as file:
            top = _top(path, file)
            whole = _Reader(io.BytesIO(file.read(f"{top}/data.pkl"))).load()
            whole = _fill(whole, file, top, {}, {})
    except FileNotFoundError as error:
        raise ModelFileError(f"{path}: there is no such file") from error
    except ModelFileError:
        raise
    except (zipfile.BadZipFile, OSError) as error:
        raise ModelFileError(f"{path} is no torch checkpoint, or breaks off ({error}): download it again, and compare "
                             "its size with the one that its page gives") from error
    except Exception as error:  # whatever a damaged or hostile pickle makes the unpickler raise
        raise ModelFileError(f"{path} holds a damaged pickle: {type(error).__name__}: {error}") from error
    if not isinstance(whole, Mapping):
        raise ModelFileError(f"{path} holds a {type(whole).__name__} and no checkpoint: a mapping with 'state_dict' was "
                             "expected")
    return dict(whole)


def _top(path: Path, file: zipfile.ZipFile) -> str:
    found = [name[: -len("/data.pkl")] for name in file.namelist() if name.endswith("/data.pkl")]
    if len(found) != 1:
        raise ModelFileError(f"{path} is a zip archive without one data.pkl: it is no torch checkpoint")
    for info in file.infolist():
        if info.compress_type != zipfile.ZIP_STORED:
            raise ModelFileError(f"{path}: {info.filename} is compressed, which torch never does: unpack and save it again")
    if file.getinfo(f"{found[0]}/data.pkl").file_size > LONGEST_PICKLE:
        raise ModelFileError(f"{path}: its pickle is longer than {LONGEST_PICKLE >> 20} MiB")
    if f"{found[0]}/byteorder" in file.namelist() and file.read(f"{found[0]}/byteorder") != b"little":
        raise ModelFileError(f"{path} was saved on a big-endian machine: save it again on a usual one")
    return found[0]


def _fill(item: Any, file: zipfile.ZipFile, top: str, storages: dict[str, torch.Tensor], done: dict[int, Any]) -> Any:
    """Put the tensors in their places; what a Record remembers is left in the file."""
    if id(item) in done:
        return done[id(item)][1]
    if isinstance(item, _Stored):
        new: Any = _tensor(item, file, top, storages)
    elif isinstance(item, dict):
        done[id(item)] = item, (new := {})
        new.update((key, _fill(value, file, top, storages, done)) for key, value in item.items())
    elif isinstance(item, list):
        done[id(item)] = item, (new := [])
        new.extend(_fill(value, file, top, storages, done) for value in item)
    elif isinstance(item, tuple):
        new = tuple(_fill(value, file, top, storages, done) for value in item)
    else:
        return item
    done[id(item)] = item, new
    return new


def _tensor(item: _Stored, file: zipfile.ZipFile, top: str, storages: dict[str, torch.Tensor]) -> torch.Tensor:
    storage, size, stride = item.storage, item.size, item.stride
    numbers = (*size, *stride, item.offset)
    if not isinstance(storage, _Storage) or not all(isinstance(x, int) and x >= 0 for x in numbers):
        raise ModelFileError("a tensor of the checkpoint is not described by whole numbers")
    reach = item.offset + sum((n - 1) * step for n, step in zip(size, stride, strict=True)) + 1
    if storage.key not in storages:
        data = bytearray(file.read(f"{top}/data/{storage.key}"))
        storages[storage.key] = torch.frombuffer(data, dtype=storage.dtype) if data else torch.empty(0, dtype=storage.dtype)
    flat = storages[storage.key]
    if flat.dtype != storage.dtype or (0 not in size and reach > len(flat)):
        raise ModelFileError(f"a tensor of shape {tuple(size)} reaches beyond the {len(flat)} numbers kept for it")
    return flat.as_strided(size, stride, item.offset) if 0 not in size else torch.empty(size, dtype=storage.dtype)
