"""From files to batches of one instrument, in order and in bounded memory."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np

from ..errors import AstrofmError, DataError
from .pieces import Failure, Piece, runs

#: files identified at a time
WINDOW = 1024


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
    for (name, _), places in runs(range(len(paths)), lambda place: (names[place][0], times[place])):
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
