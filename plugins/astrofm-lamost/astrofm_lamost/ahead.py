"""Read files ahead of whoever parses them: disks and gzip work while Python does something else."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from pathlib import Path

from astrofm.errors import ReadError

from .fitsfile import read_bytes

#: files a thread reads in one go
CHUNK = 16


def read_ahead(paths: Sequence[Path]) -> Iterator[tuple[Path, bytes | ReadError]]:
    """Give each file's bytes, or why it has none, in order; no more than a few dozen are held at a time."""
    waiting = iter([Path(path) for path in paths])
    threads = min(4, os.cpu_count() or 1)
    with ThreadPoolExecutor(threads) as pool:
        running = deque(pool.submit(_read, list(islice(waiting, CHUNK))) for _ in range(threads + 1))
        while running:
            yield from running.popleft().result()
            chunk = list(islice(waiting, CHUNK))
            if chunk:
                running.append(pool.submit(_read, chunk))


def _read(paths: list[Path]) -> list[tuple[Path, bytes | ReadError]]:
    found: list[tuple[Path, bytes | ReadError]] = []
    for path in paths:
        try:
            found.append((path, read_bytes(path)))
        except ReadError as error:
            found.append((path, error))
    return found
