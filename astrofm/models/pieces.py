"""Stretches of rows that are answered together, and the rows that could not be."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

import numpy as np

from ..data import Batch
from ..errors import DataError


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
    failed = {int(piece.rows[k]): Failure(known(files[k]), message, known(ids[k]), whole.instrument)
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


def known(name: Any) -> str:
    return "" if name is None else str(name)


def runs(items: Sequence[Any], key) -> Iterator[tuple[Any, list[Any]]]:
    run: list[Any] = []
    for item in items:
        if run and key(item) != key(run[0]):
            yield key(run[0]), run
            run = []
        run.append(item)
    if run:
        yield key(run[0]), run
