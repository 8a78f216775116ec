"""Read a data set from disk through the memory map, larger than memory, and split it by star."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from ..data import Batch
from ..errors import DataError, ReadError
from .shards import LIST, read_list

_KINDS = {"F64": "<f8", "F32": "<f4", "I64": "<i8", "I16": "<i2", "BOOL": "|b1"}


def part_of(star: str) -> float:
    """Give a star's place in [0, 1), from its key alone: what is split by it keeps all spectra of a star together."""
    return int.from_bytes(hashlib.blake2b(star.encode(), digest_size=8).digest(), "big") / 2**64


@dataclass(frozen=True, eq=False)
class ShardedData:
    """The spectra of a folder of shards, by instrument and row; nothing is read before it is asked for.

    Open one with `open`.
    """

    folder: Path
    sha256: str
    #: instrument: files, first row of each file, key of each row's star
    files: Mapping[str, Sequence[Path]] = field(repr=False)
    starts: Mapping[str, np.ndarray] = field(repr=False)
    stars: Mapping[str, np.ndarray] = field(repr=False)

    @classmethod
    def open(cls, folder: str | os.PathLike, *, verify: bool = False) -> ShardedData:
        """Open a folder that `ShardWriter` (``astrofm sample``) wrote.

        Parameters
        ----------
        folder : path
        verify : bool
            Read every shard once and compare its SHA-256; sizes are compared always.

        Raises
        ------
        ReadError
            It is no such folder, not finished, or a shard is missing or altered.
        """
        folder = Path(folder)
        if not (folder / LIST).is_file():
            raise ReadError(f"{folder} holds no {LIST}: it is no data set. `astrofm sample` writes one")
        listed = read_list(folder / LIST)
        if not listed["complete"]:
            raise ReadError(f"{folder} is not finished: run the `astrofm sample` that began it again, it goes on")
        files: dict[str, list[Path]] = {}
        counts: dict[str, list[int]] = {}
        stars: dict[str, list[str]] = {}
        for shard in listed["shards"]:
            path = folder / shard["file"]
            if not path.is_file() or path.stat().st_size != shard["bytes"]:
                raise ReadError(f"{path} is missing or of another size than {LIST} says: write the data set again")
            if verify:
                with path.open("rb") as stream:
                    if hashlib.file_digest(stream, "sha256").hexdigest() != shard["sha256"]:
                        raise ReadError(f"{path} was altered (SHA-256): write the data set again")
            files.setdefault(shard["instrument"], []).append(path)
            counts.setdefault(shard["instrument"], []).append(shard["rows"])
            stars.setdefault(shard["instrument"], []).extend(_mapped(path)[1]["star"])
        digest = hashlib.sha256(json.dumps([s["sha256"] for s in listed["shards"]]).encode()).hexdigest()
        return cls(folder, digest, files, {k: np.cumsum([0, *v]) for k, v in counts.items()},
                   {k: np.array(v) for k, v in stars.items()})

    @property
    def instruments(self) -> tuple[str, ...]:
        """Whose spectra there are."""
        return tuple(self.files)

    def rows(self, instruments: Sequence[str], *, low: float = 0.0, high: float = 1.0, partial: bool = False) -> np.ndarray:
        """Give the rows of stars that all the instruments saw, and whose `part_of` is in ``[low, high)``.

        Parameters
        ----------
        instruments : sequence of str
        low, high : float
        partial : bool
            Stars that any of the instruments saw count; the rows of those that did not are -1.

        Returns
        -------
        ndarray of int, shape ``(n, number of instruments)``
            A star that was seen more than once by one of them gives its first spectrum.

        Raises
        ------
        ReadError
            One of the instruments has no spectra here.
        """
        for name in instruments:
            if name not in self.files:
                raise ReadError(f"{self.folder} holds {', '.join(self.files)}, nothing of {name!r}")
        first = [dict(zip(self.stars[name][::-1].tolist(), range(len(self.stars[name]) - 1, -1, -1), strict=True))
                 for name in instruments]
        if len(instruments) == 1:  # every spectrum counts where none is to be matched
            keys = self.stars[instruments[0]]
            chosen = [row for row, star in enumerate(keys.tolist()) if low <= part_of(star) < high]
            return np.array(chosen, np.int64)[:, None]
        if partial:
            stars = dict.fromkeys(star for one in first for star in one)
            some = [[one.get(star, -1) for one in first] for star in stars if low <= part_of(star) < high]
            return np.array(some, np.int64).reshape(-1, len(instruments))
        shared = [star for star in first[0] if all(star in other for other in first[1:]) and low <= part_of(star) < high]
        return np.array(sorted([one[star] for one in first] for star in shared), np.int64).reshape(-1, len(instruments))

    def batch(self, instrument: str, rows: np.ndarray) -> Batch:
        """Read rows of an instrument, in the order asked for.

        Raises
        ------
        DataError
            The rows lie in shards of several wavelength grids.
        """
        rows = np.asarray(rows, np.int64)
        which = np.searchsorted(self.starts[instrument], rows, side="right") - 1
        parts, place = [], []
        for shard in np.unique(which):
            here = np.flatnonzero(which == shard)
            parts.append(_rows(self.files[instrument][shard], instrument, rows[here] - self.starts[instrument][shard]))
            place.append(here)
        back = np.argsort(np.concatenate(place)) if place else np.zeros(0, int)
        return join(parts)[back] if len(parts) != 1 else parts[0][back]

    def column(self, instrument: str, name: str) -> np.ndarray:
        """Give a column of numbers of an instrument, float64, NaN where a shard lacks it; shape ``(rows,)``."""
        found = []
        for path, count in zip(self.files[instrument], np.diff(self.starts[instrument]), strict=True):
            arrays = _mapped(path)[0]
            found.append(np.asarray(arrays.get(f"column.{name}", np.full(count, np.nan)), float))
        return np.concatenate(found) if found else np.zeros(0)


@lru_cache(maxsize=512)
def _mapped(path: Path) -> tuple[dict[str, np.ndarray], dict[str, list[str]]]:
    with path.open("rb") as stream:
        size = int.from_bytes(stream.read(8), "little")
        try:
            header = json.loads(stream.read(size))
            text = json.loads(header.pop("__metadata__")["astrofm"])["text"]
        except (ValueError, KeyError, MemoryError, OverflowError) as error:
            raise ReadError(f"{path} is no shard ({error}): write the data set again") from error
    arrays = {}
    for name, entry in header.items():
        begin, end = entry["data_offsets"]
        kind, shape = np.dtype(_KINDS[entry["dtype"]]), tuple(entry["shape"])
        if end - begin != kind.itemsize * int(np.prod(shape)):
            raise ReadError(f"{path}: array {name!r} has another size than its shape: write the data set again")
        arrays[name] = (np.memmap(path, kind, "r", 8 + size + begin, shape) if end > begin else np.zeros(shape, kind))
    return arrays, text


def _rows(path: Path, instrument: str, rows: np.ndarray) -> Batch:
    arrays, text = _mapped(path)
    order = np.argsort(rows)  # the disk is read forwards
    back = np.argsort(order)
    take = {name: np.array(array[rows[order]][back]) for name, array in arrays.items() if len(array.shape) == 2}
    coordinate = take.get("coordinate", None)
    meta: dict[str, Any] = {name: [column[row] for row in rows] for name, column in text.items()}
    meta |= {name.removeprefix("column."): np.array(array[rows]) for name, array in arrays.items()
             if name.startswith("column.")}
    return Batch(instrument, np.array(arrays["coordinate"]) if coordinate is None else coordinate, take["value"],
                 take["error"], take["mask"], take.get("band"), meta)


def join(batches: Iterable[Batch]) -> Batch:
    """Join batches of one instrument: spectra of one wavelength grid, light curves of any lengths.

    Columns that one of them lacks are empty there.
    """
    batches = list(batches)
    if not batches:
        raise DataError("no rows were asked for: a batch needs one")
    if batches[0].band is not None:
        batches = _pad_alike(batches)
    first = batches[0]
    if any(b.coordinate.shape[-1] != first.coordinate.shape[-1] or b.coordinate.ndim != first.coordinate.ndim
           or (b.coordinate.ndim == 1 and not np.array_equal(b.coordinate, first.coordinate)) for b in batches):
        raise DataError(f"the shards of {first.instrument!r} have several wavelength grids: sample each into its own folder")
    names = dict.fromkeys(name for b in batches for name in b.meta)
    return Batch(first.instrument, first.coordinate if first.coordinate.ndim == 1 else _stack(batches, "coordinate"),
                 _stack(batches, "value"), _stack(batches, "error"), _stack(batches, "mask"),
                 None if first.band is None else _stack(batches, "band"),
                 {name: [item for b in batches for item in b.meta.get(name, [None] * len(b))] for name in names})


def _pad_alike(batches: Sequence[Batch]) -> list[Batch]:
    """Pad light curves to the longest, under the mask; times stay at each star's last one."""
    longest, padded = max(batch.value.shape[1] for batch in batches), []
    for batch in batches:
        room = ((0, 0), (0, longest - batch.value.shape[1]))
        arrays = {name: np.pad(getattr(batch, name), room) for name in ("value", "error", "band")}
        padded.append(replace(batch, **arrays, mask=np.pad(batch.mask, room, constant_values=True), coordinate=np.pad(
            batch.coordinate, room, mode="edge" if batch.value.shape[1] else "constant")))
    return padded


def _stack(batches: Sequence[Batch], name: str) -> np.ndarray:
    return np.concatenate([getattr(batch, name) for batch in batches])
