"""From what users have (spectra, files, folders, batches) to batches of one instrument, in the order they came."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from ..data import Batch, Sample, collate, length_buckets
from ..errors import AstrofmError, DataError, ReadError

#: files identified at a time
WINDOW = 1024


class Failure(NamedTuple):
    """Why there is nothing in a row: the file it is of, the star's id and its instrument, where they are known."""

    file: str
    message: str
    id: str = ""
    instrument: str = ""


@dataclass(frozen=True, eq=False)
class Piece:
    """A stretch of rows in the order of the input: stars of one instrument, and what could not be read.

    Parameters
    ----------
    batch : Batch or None
        None where nothing in this stretch could be read.
    rows : ndarray of int, shape ``(n,)``
        Row of each star of the batch in this stretch (or, from `gather`, in the whole input).
    failed : mapping of int to Failure
        Of each other row.
    files_done : int
        Input files that have ended; only from `stream`.
    stars_open : int
        Stars of the next file that came already.
    """

    batch: Batch | None
    rows: np.ndarray
    failed: Mapping[int, Failure] = field(default_factory=dict)
    files_done: int = 0
    stars_open: int = 0

    def __len__(self) -> int:
        return len(self.rows) + len(self.failed)


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
    for kind, items in _runs([data] if is_path(data) else list(data), _kind):
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


def attempt(piece: Piece, verb: Callable[[Batch], Any], *, raising: bool = False) -> tuple[Piece, Any]:
    """Do a verb on the batch of a piece, and let go of it; those that the model refuses become failed rows."""
    if piece.batch is None:
        return piece, {}
    try:
        return replace(piece, batch=None), verb(piece.batch)
    except DataError as error:
        if raising:
            raise
        whole, every = piece.batch, dict.fromkeys(range(len(piece.batch)), str(error))
    refused = _refusals(whole, verb) or every
    files, ids = (whole.meta.get(name, [""] * len(whole)) for name in ("file", "id"))
    failed = {int(piece.rows[k]): Failure(_known(files[k]), message, _known(ids[k]), whole.instrument)
              for k, message in refused.items()}
    good = np.array([k for k in range(len(whole)) if k not in refused], int)
    rest = replace(piece, batch=None, rows=piece.rows[good], failed={**piece.failed, **failed})
    return rest, verb(whole[good]) if len(good) else {}


def _refusals(batch: Batch, verb: Callable[[Batch], Any], first: int = 0) -> dict[int, str]:
    """Say which stars of a batch a verb refuses, and why: by halves, for most often it is one, or all."""
    try:
        verb(batch)
    except DataError as error:
        if len(batch) == 1:
            return {first: str(error)}
    else:
        return {}
    half = len(batch) // 2
    return {**_refusals(batch[:half], verb, first), **_refusals(batch[half:], verb, first + half)}


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
        return Failure(_known(meta.get("file")), str(error), _known(meta.get("id")))


def _known(name: Any) -> str:
    return "" if name is None else str(name)


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


def _runs(items: Sequence[Any], key) -> Iterator[tuple[Any, list[Any]]]:
    run: list[Any] = []
    for item in items:
        if run and key(item) != key(run[0]):
            yield key(run[0]), run
            run = []
        run.append(item)
    if run:
        yield key(run[0]), run


def stream(paths: Iterable[Path], *, size: int = 256) -> Iterator[Piece]:
    """Read files into batches, in order and in bounded memory; what can't be read is a failed row.

    Parameters
    ----------
    paths : iterable of Path
    size : int
        Stars a batch.
    """
    window: list[Path] = []
    done = 0
    for path in paths:
        window.append(Path(path))
        if len(window) == WINDOW:
            yield from _stream_window(window, size, done)
            done += len(window)
            window = []
    yield from _stream_window(window, size, done)


def _stream_window(paths: list[Path], size: int, done: int) -> Iterator[Piece]:
    names = [_identify(path) for path in paths]
    times = [paths[:place].count(path) if len(set(paths)) < len(paths) else 0 for place, path in enumerate(paths)]
    for (name, _), places in _runs(range(len(paths)), lambda place: (names[place][0], times[place])):
        run = [paths[place] for place in places]
        if name:
            yield from _stream_run(name, run, size, done + places[0])
        else:
            failed = {row: Failure(str(paths[place]), names[place][1]) for row, place in enumerate(places)}
            yield Piece(None, np.zeros(0, int), failed, done + places[-1] + 1)


def _identify(path: Path) -> tuple[str, str]:
    from ..registry import identify

    try:
        return identify(path), ""
    except (AstrofmError, OSError) as error:
        return "", str(error)


def _stream_run(name: str, paths: list[Path], size: int, done: int) -> Iterator[Piece]:
    from ..registry import get_instrument

    order = _Order(paths)
    for batch in get_instrument(name).read_batches(paths, size=size, on_error=order.failed):
        rows, failed, row = [], {}, 0
        for file in map(str, batch.meta["file"]):
            for what in order.until(file):
                failed[row] = what
                row += 1
            rows.append(row)
            row += 1
        yield Piece(batch, np.array(rows, int), failed, done + order.place, order.came)
    yield Piece(None, np.zeros(0, int), dict(enumerate(order.rest())), done + len(paths))


class _Order:
    """Where in a run of files the reader is: puts each failure between the stars it belongs between."""

    def __init__(self, paths: list[Path]):
        self.paths = [str(path) for path in paths]
        self.place = 0
        self.came = 0
        self.messages: dict[str, list[str]] = {}

    def failed(self, path: Path, error: Exception) -> None:
        """Take note of a failure; the reader calls this."""
        self.messages.setdefault(str(path), []).append(str(error))

    def until(self, file: str) -> list[Failure]:
        """Go to a star of ``file`` and give the failures before it."""
        found = []
        while self.paths[self.place] != file:
            found += self._end()
            if self.place == len(self.paths):
                raise DataError(f"the reader gave a star of {file} out of order: report it to the plugin's authors")
        self.came += 1
        return found

    def rest(self) -> list[Failure]:
        """Give the failures after the last star."""
        found = []
        while self.place < len(self.paths):
            found += self._end()
        return found

    def _end(self) -> list[Failure]:
        file, stars = self.paths[self.place], self.came
        self.place, self.came = self.place + 1, 0
        messages = self.messages.get(file) or ([] if stars else ["the file holds no star"])
        return [Failure(file, message) for message in messages]
