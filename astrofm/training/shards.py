"""Write a data set to disk: a folder of safetensors shards, which `ShardedData` reads."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ..data import Batch
from ..errors import OutputError, ReadError

#: version of the layout
FORMAT = 1
#: the file that lists the shards; a shard that is not in it does not count
LIST = "dataset.json"
_ARRAYS = ("coordinate", "value", "error", "mask", "band")


class ShardWriter:
    """Write batches as shards; a folder that was begun is gone on with.

    Parameters
    ----------
    folder : Path
    source : mapping
        Where the data come from, plain JSON: a folder begun with another source is refused.

    Attributes
    ----------
    done : int
        What the last `write` said was done.
    """

    def __init__(self, folder: Path, source: Mapping[str, Any]):
        self.folder = Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        self.listed: dict[str, Any] = {"format": FORMAT, "source": dict(source), "done": 0, "complete": False, "shards": []}
        path = self.folder / LIST
        if path.exists():
            old = read_list(path)
            if old["source"] != json.loads(json.dumps(self.listed["source"])):
                raise OutputError(f"{self.folder} holds a data set of another source ({old['source']}): choose another "
                                  "folder")
            self.listed = old

    @property
    def done(self) -> int:
        """How much of the source is written."""
        return int(self.listed["done"])

    def write(self, batches: Sequence[Batch], *, done: int) -> None:
        """Write a shard for each batch, then say that ``done`` of the source is written.

        Parameters
        ----------
        batches : sequence of Batch
            ``meta["star"]`` is the key of the star, by which spectra of several instruments belong together; ``id`` serves
            where it is missing. Columns of numbers are kept as labels, the others as text.
        done : int
        """
        shards = list(self.listed["shards"])
        for batch in batches:
            name = f"{batch.instrument}-{sum(s['instrument'] == batch.instrument for s in shards):05d}.safetensors"
            content = _shard(batch)
            _replace(self.folder / name, content)
            shards.append({"file": name, "instrument": batch.instrument, "rows": len(batch), "bytes": len(content),
                           "sha256": hashlib.sha256(content).hexdigest()})
        self._list(shards=shards, done=done)

    def finish(self) -> None:
        """Say that the source is written whole."""
        self._list(complete=True)

    def _list(self, **changes: Any) -> None:
        self.listed = {**self.listed, **changes}
        _replace(self.folder / LIST, (json.dumps(self.listed, indent=1) + "\n").encode())


def _shard(batch: Batch) -> bytes:
    from safetensors.numpy import save

    tensors = {name: np.ascontiguousarray(getattr(batch, name)) for name in _ARRAYS if getattr(batch, name) is not None}
    meta = dict(batch.meta)
    ids = [str(key) for key in meta.pop("id", range(len(batch)))]
    text: dict[str, list[str]] = {"id": ids, "star": [str(star) for star in meta.pop("star", ids)]}
    for name, column in meta.items():
        array = np.asarray([np.nan if item is None else item for item in column])
        if array.dtype.kind in "iuf" or array.dtype.kind == "b":
            kind = np.int64 if array.dtype.kind in "iub" else np.float64
            tensors[f"column.{name}"] = array.astype(kind)
        else:
            text[name] = ["" if item is None else str(item) for item in column]
    return save(tensors, {"astrofm": json.dumps({"instrument": batch.instrument, "text": text})})


def read_list(path: Path) -> dict[str, Any]:
    """Read the list of shards, or raise `ReadError`."""
    try:
        listed = json.loads(path.read_text())
        if listed["format"] != FORMAT:
            raise ReadError(f"{path} is of format {listed['format']}, this astrofm reads {FORMAT}: write the data set again")
    except (ValueError, KeyError, TypeError) as error:
        raise ReadError(f"{path} is damaged ({error}): write the data set again") from error
    return listed


def _replace(path: Path, content: bytes) -> None:
    temporary = path.with_name(path.name + ".tmp")
    temporary.write_bytes(content)
    os.replace(temporary, path)
