"""From what users have (spectra, files, folders, batches) to batches of one instrument, in the order they came."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from ..data import Batch, Sample, collate, length_buckets
from ..errors import AstrofmError, ReadError
from .pieces import Failure, Piece, attempt, known, runs
from .streams import stream


def is_path(data: Any) -> bool:
    """Say whether ``data`` names a file or folder."""
    return isinstance(data, (str, os.PathLike))


def is_one_star(data: Any) -> bool:
    """Say whether ``data`` is a single star, and not a collection or a file of them."""
    return isinstance(data, Sample) or not (is_path(data) or isinstance(data, Batch)
                                            or isinstance(data, (Sequence, np.ndarray, Iterator)))


def find_files(paths: Iterable[str | os.PathLike], *, recursive: bool = False) -> list[Path]:
    """List files, and those in folders (sorted by name; hidden ones left out).

    Raises
    ------
    ReadError
        A path does not exist, or a folder holds no file.
    """
    found: list[Path] = []
    for path in map(Path, paths):
        if not path.is_dir():
            if not path.exists():
                raise ReadError(f"{path} does not exist: check the spelling and the folder you are in")
            found.append(path)
            continue
        inside = path.rglob("*") if recursive else path.iterdir()
        files = sorted(item for item in inside if item.is_file()
                       and not any(part.startswith(".") for part in item.relative_to(path).parts))
        if not files:
            deeper = not recursive and any(item.is_file() for item in path.rglob("*"))
            raise ReadError(f"folder {path} holds no files" + (": its folders do, say --recursive or name them"
                                                               if deeper else ": is it the right one?"))
        found += files
    return found


def gather(data: Any) -> Iterator[Piece]:
    """Sort the stars of ``data`` into batches of one instrument each.

    Yields
    ------
    Piece
        Whose ``rows`` say where in the answer each star belongs; all of them together have every row.

    Raises
    ------
    AstrofmError
        If ``data`` is a single star and can't be represented, or is nothing that holds stars.
    """
    if isinstance(data, Batch):
        yield Piece(data, np.arange(len(data)))
        return
    if is_one_star(data):
        yield Piece(collate([to_sample(data)]), np.arange(1))
        return
    start = 0
    for kind, items in runs([data] if is_path(data) else list(data), _kind):
        if kind == "star":
            yield from _place([_sample_or_failure(item) for item in items], start)
            start += len(items)
            continue
        if kind == "batch":
            for batch in items:
                yield Piece(batch, start + np.arange(len(batch)))
                start += len(batch)
            continue
        for piece in stream(find_files(items)):
            failed = {start + row: what for row, what in piece.failed.items()}
            yield replace(piece, rows=piece.rows + start, failed=failed)
            start += len(piece)


def work(data: Any, verb: Callable[[Batch], Any],
         prepare: Callable[[Piece], Piece] = lambda piece: piece) -> list[tuple[Piece, Any]]:
    """Do a verb on every batch of ``data``; what the model refuses is a failed row, unless it is a single star.

    Each piece goes through ``prepare`` first.

    Returns
    -------
    list of (Piece, result)
        The result is an empty dict for a piece without a batch.
    """
    raising = is_one_star(data) or isinstance(data, Batch)
    return [attempt(piece, verb, raising=raising) for piece in map(prepare, gather(data))]


def to_sample(data: Any) -> Sample:
    """Turn one star into arrays, by the instrument that claims it."""
    from ..registry import get_instrument, identify

    if isinstance(data, Sample):
        return data
    return get_instrument(identify(data)).sample(data)


def _kind(item: Any) -> str:
    return "file" if is_path(item) else "batch" if isinstance(item, Batch) else "star"


def _sample_or_failure(item: Any) -> Sample | Failure:
    try:
        return to_sample(item)
    except AstrofmError as error:
        meta = getattr(item, "meta", None)
        meta = meta if isinstance(meta, Mapping) else {}
        return Failure(known(meta.get("file")), str(error), known(meta.get("id")))


def _place(samples: Sequence[Sample | Failure], start: int) -> Iterator[Piece]:
    groups: dict[tuple, list[int]] = {}
    for row, item in enumerate(samples):
        if isinstance(item, Sample):
            grid = (len(item), *item.coordinate[:1], *item.coordinate[-1:]) if item.band is None else ()
            groups.setdefault((item.instrument, *grid), []).append(row)
    for rows in groups.values():
        whole = samples[rows[0]].band is None
        lengths = [len(samples[row]) for row in rows]
        for places in [range(len(rows))] if whole else length_buckets(lengths):  # light curves of like length share padding
            few = [rows[place] for place in places]
            yield Piece(collate([samples[row] for row in few]), start + np.array(few))
    failed = {start + row: item for row, item in enumerate(samples) if not isinstance(item, Sample)}
    if failed:
        yield Piece(None, np.zeros(0, int), failed)
