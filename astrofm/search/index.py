"""An index of embedded stars: exact nearest neighbours by cosine similarity."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from astropy.table import QTable, Table, hstack

from ..errors import DataError
from .storage import read_index, write_index

if TYPE_CHECKING:
    from ..models import Model

#: rows of the index, and queries, compared at a time
ROWS, QUERIES = 32_768, 256
#: columns that an answer has itself
OWN = ("query", "similarity", "query_id", "query_file")


class Index:
    """Embedded stars, and what is known of them, to be searched.

    Made by `build_index`, ``astrofm index`` or `load`.

    Parameters
    ----------
    embeddings : ndarray of float32, shape ``(n, d)``
        Rows that are not finite are never found.
    table : Table
        ``n`` rows; ``id``, ``instrument`` and ``file``, and whatever else.
    model, sha256 : str
        Name and hash of the model that embedded them.
    shared : int
        How many of the ``d`` numbers the instruments share, the first ones: those are compared.

    Raises
    ------
    DataError
        The table has another number of rows, or a column that an answer has itself.

    Notes
    -----
    The search is exact: every star is compared, in float32 and in blocks, so memory stays that of the embeddings.
    """

    def __init__(self, embeddings: np.ndarray, table: Table, *, model: str, sha256: str, shared: int | None = None):
        if embeddings.ndim != 2 or len(embeddings) != len(table):
            raise DataError(f"embeddings have shape {embeddings.shape}, the table has {len(table)} rows: "
                            "a row a star is wanted")
        twice = [name for name in table.colnames if name in OWN]
        if twice:
            raise DataError(f"the table has a column {twice[0]!r}, which the answer of a search has itself: rename it")
        self.embeddings = np.asarray(embeddings, np.float32)
        self.table, self.model, self.sha256 = QTable(table, copy=False), model, sha256
        self.shared = embeddings.shape[1] if shared is None else int(shared)
        self._norm = np.empty(len(table), np.float32)
        for at in range(0, len(table), ROWS):
            self._norm[at: at + ROWS] = np.linalg.norm(self.embeddings[at: at + ROWS, : self.shared], axis=1)

    def __len__(self) -> int:
        return len(self.embeddings)

    def __repr__(self) -> str:
        return f"<Index of {len(self):,} stars by {self.model!r}; {self.unusable:,} cannot be found>"

    @property
    def unusable(self) -> int:
        """How many stars have no embedding."""
        return int((~self._usable(None)).sum())

    def nearest(self, query: np.ndarray, k: int = 10, *, instrument: str | None = None) -> QTable:
        """Find the nearest stars.

        Parameters
        ----------
        query : ndarray, shape ``(d,)`` or ``(m, d)``
            Embeddings by the same model.
        k : int
            Stars for each query; fewer where the index has fewer.
        instrument : str, optional
            Only spectra of this instrument: the query's own, or another one.

        Returns
        -------
        QTable
            Closest first: ``similarity`` (cosine, 1 for the same direction) and the columns of `table`; before them,
            where several queries were given, ``query``, the row of the query. Of stars equally near, the first of the
            index.

        Raises
        ------
        DataError
            A query of another size, not finite or zero, or an instrument that the index does not hold.
        """
        query = np.asarray(query, np.float32)
        many = np.atleast_2d(query)
        if many.ndim != 2 or many.shape[1] != self.embeddings.shape[1]:
            raise DataError(f"a query has shape {query.shape}, the index holds embeddings of "
                            f"{self.embeddings.shape[1]} numbers")
        bad = np.flatnonzero(~np.isfinite(many).all(axis=1))
        if len(bad):
            raise DataError(f"query {bad[0]} is not finite: its spectrum could not be embedded")
        bad = np.flatnonzero(~many[:, : self.shared].any(axis=1))
        if len(bad):
            raise DataError(f"query {bad[0]} is zero: it has no direction")
        if k < 1:
            raise DataError(f"k is {k}: ask for one neighbour or more")
        usable = self._usable(instrument)
        found = [self._top(many[at: at + QUERIES, : self.shared], k, usable) for at in range(0, len(many), QUERIES)]
        if not found:
            found = [(np.zeros((0, 0), np.float32), np.zeros((0, 0), int))]
        score, row = (np.concatenate(part) for part in zip(*found, strict=True))
        columns = {"query": np.repeat(np.arange(len(row)), row.shape[1])} if query.ndim == 2 else {}
        first = QTable({**columns, "similarity": score.ravel()})
        first["similarity"].info.description = "cosine of the angle between the embeddings"
        table = hstack([first, self.table[row.ravel()]])
        table.meta.update(model=self.model, sha256=self.sha256)
        return table

    def search(self, model: Model, data: Any, k: int = 10, *, instrument: str | None = None) -> QTable:
        """Embed stars and find the nearest of each; see `nearest`.

        Raises
        ------
        DataError
            ``model`` is not the one that made the index.
        """
        self.check(model)
        return self.nearest(model.embed(data), k, instrument=instrument)

    def check(self, model: Model) -> None:
        """Raise `DataError` unless ``model`` made this index: spaces of two models have nothing to do with each other."""
        if model.sha256 != self.sha256:
            raise DataError(f"the index was made by {self.model!r} ({self.sha256[:12]}), not by {model.name!r} "
                            f"({model.sha256[:12]}): use that model, or build the index again")

    def save(self, path: str | os.PathLike, *, overwrite: bool = False) -> Path:
        """Save to one safetensors file, whole or not at all."""
        about = {"model": self.model, "model_sha256": self.sha256, "shared": self.shared}
        return write_index(Path(path), self.embeddings, self.table, about, overwrite=overwrite)

    @classmethod
    def load(cls, path: str | os.PathLike) -> Index:
        """Load an index; its content is verified by its SHA-256.

        Raises
        ------
        ModelFileError
            It is damaged, or no index.
        """
        embeddings, table, about = read_index(Path(path))
        return cls(embeddings, table, model=about["model"], sha256=about["model_sha256"], shared=about["shared"])

    def _usable(self, instrument: str | None) -> np.ndarray:
        usable = np.isfinite(self._norm) & (self._norm > 0)
        if instrument is not None:
            own = np.asarray(self.table["instrument"]) == instrument
            if not own.any():
                there = ", ".join(sorted(set(map(str, self.table["instrument"])) - {""}))
                raise DataError(f"the index holds nothing of {instrument!r}, only of {there or 'nothing'}")
            usable &= own
        return usable

    def _top(self, query: np.ndarray, k: int, usable: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Give the ``k`` best scores and rows of each query, closest first."""
        query = query / np.maximum(np.linalg.norm(query, axis=1, keepdims=True), 1e-30)
        k = min(k, int(usable.sum()))
        best, rows = np.zeros((len(query), 0), np.float32), np.zeros((len(query), 0), int)
        for at in range(0, len(self), ROWS):
            here = at + np.flatnonzero(usable[at: at + ROWS])
            if not len(here):
                continue
            score = query @ (self.embeddings[here, : self.shared] / self._norm[here, None]).T
            order = _largest(score, k)
            best = np.concatenate([best, np.take_along_axis(score, order, 1)], axis=1)
            rows = np.concatenate([rows, here[order]], axis=1)
            order = np.lexsort((rows, -best), axis=1)[:, :k]
            best, rows = np.take_along_axis(best, order, 1), np.take_along_axis(rows, order, 1)
        return best.clip(-1, 1), rows


def _largest(score: np.ndarray, k: int) -> np.ndarray:
    """Give the columns of the ``k`` largest of each row, in any order; the first columns of equal ones; ``(n, k)``."""
    if score.shape[1] <= k:
        return np.broadcast_to(np.arange(score.shape[1]), score.shape)
    order = np.argpartition(score, score.shape[1] - k, axis=1)[:, -k:]
    least = np.take_along_axis(score, order[:, :1], 1)
    for row in np.flatnonzero((score >= least).sum(axis=1) > k):
        order[row] = np.argsort(-score[row], kind="stable")[:k]
    return order
