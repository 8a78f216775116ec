"""Read files ahead of whoever parses them: threads unpack gzip while Python does something else."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

from ..errors import ReadError
from .fitsfile import GZIP, stored_bytes, unpack

#: packed files that are on their way at a time
AHEAD = 32


def read_ahead(paths: Sequence[Path]) -> Iterator[tuple[Path, bytes | ReadError]]:
    """Give the bytes of each file as `~astrofm.data.fitsfile.read_bytes` does, or why there are none, in order.

    Parameters
    ----------
    paths : sequence of Path
        Any number; no more than a few dozen files are held at a time.

    Yields
    ------
    path : Path
    data : bytes or ReadError
    """
    waiting: deque[tuple[Path, Future[bytes | ReadError]]] = deque()
    with ThreadPoolExecutor(min(4, os.cpu_count() or 1)) as pool:
        for path in map(Path, paths):
            try:
                data = stored_bytes(path)
                if data.startswith(GZIP):
                    waiting.append((path, pool.submit(_unpack, path, data)))
                    if len(waiting) > AHEAD:
                        yield _first(waiting)
                    continue
                data = unpack(path, data)
            except ReadError as error:
                data = error
            while waiting:
                yield _first(waiting)
            yield path, data
        while waiting:
            yield _first(waiting)


def _unpack(path: Path, data: bytes) -> bytes | ReadError:
    try:
        return unpack(path, data)
    except ReadError as error:
        return error


def _first(waiting: deque[tuple[Path, Future[bytes | ReadError]]]) -> tuple[Path, bytes | ReadError]:
    path, future = waiting.popleft()
    return path, future.result()
