"""Numbers of a star that heads read beside the embedding: looked up by name, never by place."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from astropy import units as u
from astropy.table import QTable, Table

from ..data import Batch
from ..errors import DataError, UnknownNameError
from ..interfaces.encoder import MEASURED
from ..interfaces.head import Extra, Head
from .pieces import Piece

if TYPE_CHECKING:
    from .build import Parts


def measured(parts: Parts, batch: Batch, device: torch.device) -> Batch:
    """Measure what heads read beside the embedding, into ``meta``; the encoder finds there what it reads of that, too."""
    names = [extra.name for head in _reading(parts, batch).values() for extra in head.extras if extra.measured]
    if not names:
        return batch
    names += [name.removeprefix(MEASURED) for name in parts.encoder.reads if name.startswith(MEASURED)]
    unit = {"unit": batch.meta["unit"]} if "unit" in batch.meta else {}
    with torch.inference_mode():
        found = parts.encoder.measure(replace(batch, meta=unit).tensors(device), list(dict.fromkeys(names)))
    return replace(batch, meta={**batch.meta, **{MEASURED + name: values.cpu().numpy() for name, values in found.items()}})


def extras_of(parts: Parts, batch: Batch) -> dict[str, np.ndarray]:
    """Give what each head reads beside the embedding, ``(n, number of extras)`` by the head; NaN where a star has none.

    Parameters
    ----------
    parts : Parts
    batch : Batch
        As `measured` gives it.

    Raises
    ------
    DataError
        No column of ``meta`` has an extra's name; one holds no numbers; two names of one extra contradict each other.
    """
    found = {}
    for name, head in _reading(parts, batch).items():
        columns = [batch.meta[MEASURED + extra.name] if extra.measured else _column(extra, batch.meta, len(batch))
                   for extra in head.extras]
        found[name] = np.stack(columns, axis=1) if len(batch) else np.zeros((0, len(columns)))
    return found


def missing(parts: Parts, given: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Flag the stars that lack an extra: ``missing:NAME``."""
    flags: dict[str, np.ndarray] = {}
    for name, values in given.items():
        for extra, column in zip(parts.heads[name].extras, values.T, strict=True):
            flag = f"missing:{extra.name}"
            flags[flag] = flags.get(flag, False) | ~np.isfinite(column)
    return flags


def listing(parts: Parts) -> QTable:
    """List the extras of all heads, a row each."""
    rows = [(name, extra.name, extra.unit, ", ".join(extra.also), "the model" if extra.measured else "you", extra.description)
            for name, head in parts.heads.items() for extra in head.extras]
    columns = ("head", "name", "unit", "also", "measured_by", "description")
    return QTable({key: np.array([row[k] for row in rows], dtype=str) for k, key in enumerate(columns)})


class Given:
    """A table of extras, to be put into the ``meta`` of batches.

    Parameters
    ----------
    parts : Parts
    table : Table or mapping of columns
        Of numbers, Quantities where they have units; ``id`` says whose.
    """

    def __init__(self, parts: Parts, table: Table | Mapping[str, Any]):
        wanted = [extra for head in parts.heads.values() for extra in head.extras if not extra.measured]
        if not wanted:
            raise DataError("this model reads nothing beside its embedding: leave `extras` out")
        if not isinstance(table, (Table, Mapping)) and not hasattr(table, "columns"):
            names = ", ".join(extra.name for extra in wanted)
            raise DataError(f"extras are a table or a mapping of columns with names, got {type(table).__name__}: say "
                            f"extras={{{wanted[0].name!r}: numbers}}; the model reads {names}")
        columns = {name: table[name] for name in (table.colnames if isinstance(table, Table) else table)}
        ids = columns.pop("id", None)
        self.columns = {}
        for extra in wanted:
            for name in (extra.name, *extra.also):
                if name in columns:
                    self.columns[name] = _plain(name, columns[name], extra.unit)
        sizes = {name: len(column) for name, column in self.columns.items()} | ({} if ids is None else {"id": len(ids)})
        if len(set(sizes.values())) > 1 or not self.columns:
            told = ", ".join(f"{name} {size}" for name, size in sizes.items())
            if self.columns:
                raise DataError(f"the columns of extras have different numbers of rows: {told}")
            raise _unknown(wanted[0], list(columns))
        for extra in wanted:  # what no star says in its meta either is refused there; a slip of the pen is found here
            if not {extra.name, *extra.also} & set(columns) and _near(extra, set(columns) - set(self.columns)):
                raise _unknown(extra, list(columns))
        self.rows = next(iter(sizes.values()))
        self.place = None if ids is None else _places(ids)

    def into(self, piece: Piece) -> Piece:
        """Put the extras of a piece's stars into its batch."""
        if piece.batch is None:
            return piece
        if self.place is None:
            rows = np.asarray(piece.rows)
            if len(rows) and rows.max() >= self.rows:
                raise DataError(f"the table of extras has {self.rows} rows, and there are more stars: give a row a star, or "
                                "a column 'id' to join by")
        else:
            ids = piece.batch.meta.get("id", [""] * len(piece.batch))
            rows = np.array([self.place.get(str(one), -1) for one in ids], int)
        columns = {name: np.where(rows >= 0, column[rows], np.nan).tolist() for name, column in self.columns.items()}
        return replace(piece, batch=replace(piece.batch, meta={**piece.batch.meta, **columns}))

    def beside(self, batch: Batch) -> Batch:
        """Put the extras beside the stars of a batch, which may be any part of the whole: by ``id`` alone."""
        if self.place is None:
            raise DataError("the table of extras has no column 'id' to join by: add the ids that the light curves have")
        return self.into(Piece(batch, np.arange(len(batch)))).batch

    def check(self, stars: int) -> None:
        """Check that a table without ids has a row for each star, and no more."""
        if self.place is None and stars != self.rows:
            raise DataError(f"the table of extras has {self.rows} rows for {stars} stars: give a row a star, or a column "
                            "'id' to join by")


def _reading(parts: Parts, batch: Batch) -> dict[str, Head]:
    return {name: head for name, head in parts.heads.items()
            if head.extras and (head.instruments is None or batch.instrument in head.instruments)}


def _places(ids: Any) -> dict[str, int]:
    ids = np.asarray(ids).astype(str).tolist()
    if len(set(ids)) < len(ids):
        twice = next(one for k, one in enumerate(ids) if one in ids[:k])
        raise DataError(f"the table of extras has two rows of id {twice!r}: which one is meant?")
    return {one: k for k, one in enumerate(ids)}


def _column(extra: Extra, meta: Mapping[str, Sequence[Any]], n: int) -> np.ndarray:
    names = [name for name in (extra.name, *extra.also) if name in meta]
    if not names:
        if not n:
            return np.zeros(0)
        raise DataError(str(_unknown(extra, [str(name) for name in meta])))
    column = np.full(n, np.nan)
    for name in names:
        own = _plain(name, [np.nan if one is None else one for one in meta[name]], extra.unit)
        clash = np.isfinite(column) & np.isfinite(own) & (column != own)
        if clash.any():
            row = int(clash.argmax())
            raise DataError(f"star {row}: {' and '.join(map(repr, names))} are names of one number, and say {column[row]:g} "
                            f"and {own[row]:g}: leave one out")
        column = np.where(np.isfinite(column), column, own)
    return column


def _plain(name: str, column: Any, unit: str) -> np.ndarray:
    """Give a column as float64 in ``unit``, NaN where it is masked or infinite."""
    try:
        own = getattr(column, "unit", None)
        bare = np.ma.filled(np.ma.asarray(getattr(column, "value", column), dtype=float), np.nan)
        values = np.atleast_1d(bare if own is None else bare * u.Unit(own).to(unit or u.dimensionless_unscaled))
    except u.UnitConversionError as error:
        raise DataError(f"extra {name!r} is read in {unit or 'no unit'}, and {error}: convert it first") from error
    except (TypeError, ValueError) as error:
        raise DataError(f"extra {name!r} holds no numbers: {column!r:.60}") from error
    if values.ndim != 1:
        raise DataError(f"extra {name!r} has shape {values.shape}: give a number a star")
    return np.where(np.isfinite(values), values, np.nan)


def _near(extra: Extra, there: Iterable[str]) -> str:
    """Find the name that comes nearest to an extra's, where one is near at all."""
    folded = {one.lower().replace("-", "_"): one for one in there}
    near = [one for name in (extra.name, *extra.also)
            for one in difflib.get_close_matches(name.lower().replace("-", "_"), folded, n=1, cutoff=0.75)]
    return folded[near[0]] if near else ""


def _unknown(extra: Extra, there: list[str]) -> UnknownNameError:
    names, near = (extra.name, *extra.also), _near(extra, there)
    hint = f" Did you mean that by {near!r}? Rename it." if near else ""
    unit = f" ({extra.unit})" if extra.unit else ""
    return UnknownNameError(f"the model reads {extra.name!r}{unit} of each star, and nothing of that name is given.{hint} "
                            f"Give it in predict(..., extras=table) or in `meta`; names that are known: {', '.join(names)}")
