"""What heads learn from: embeddings of stars, and named numbers beside them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from astropy.table import Table
from astropy.units import Quantity
from torch import nn

from ..data import FEATURES, Batch
from ..errors import DataError
from ..interfaces.head import Extra
from . import extras as beside
from . import inputs
from .build import Parts
from .pieces import Piece

if TYPE_CHECKING:
    from .model import Model

#: name under which the extras of a head to be are looked up
TO_BE = "to-be"


@dataclass(frozen=True, eq=False)
class Given:
    """What is known of the stars: embeddings ``(n, d)``, extras ``(n, k)`` (NaN where a star has none), and their names."""

    embedding: np.ndarray
    beside: np.ndarray
    extras: tuple[Extra, ...] = ()

    @property
    def whole(self) -> np.ndarray:
        """Both, as a head reads them; ``(n, d + k)``."""
        return np.concatenate([self.embedding, self.beside], axis=1)


class _HeadToBe(nn.Module):
    """Stands for a head that is not learned yet: it names its extras."""

    instruments = None

    def __init__(self, extras: tuple[Extra, ...]):
        super().__init__()
        self.extras = extras


def gather(model: Model, data: Any, extras: Table | Mapping[str, Any] | Sequence[Any] | None) -> Given:
    """Embed stars and look up their extras.

    Parameters
    ----------
    model : Model
    data : list, Batch, path or list of paths
    extras : Table, mapping of columns, or sequence of names and tables
        Names are of what the encoder measures; see `Model.fit`.

    Raises
    ------
    DataError
        A single star; extras without numbers, or for other stars.
    UnknownNameError
        The encoder measures nothing of that name.
    """
    if inputs.is_one_star(data):
        raise DataError("a head learns from many stars: give a list, a Batch or files")
    names, tables = _sorted(extras)
    told = (*map(_measured, names), *(extra for table in tables for extra in _columns(table)))
    doubled = [extra.name for extra in told if [one.name for one in told].count(extra.name) > 1]
    if doubled:
        raise DataError(f"extra {doubled[0]!r} is given twice: name it once")
    parts = Parts(model.encoder, model.aligner, {TO_BE: _HeadToBe(told)}, None)
    given = [beside.Given(Parts(model.encoder, model.aligner, {TO_BE: _HeadToBe(_columns(table))}, None), table)
             for table in tables]

    def prepare(piece: Piece) -> Piece:
        for table in given:
            piece = table.into(piece)
        return piece

    def verb(batch: Batch) -> dict[str, np.ndarray]:
        batch = beside.measured(parts, batch, model.device)
        values = {"embedding": model.core.embed(batch)}
        if told:
            values["beside"] = beside.extras_of(parts, batch)[TO_BE]
        return values

    found = inputs.work(data, verb, prepare)
    n = sum(len(piece) for piece, _ in found)
    for table in given:
        table.check(n)
    arrays = {"embedding": np.full((n, model.dim), np.nan, np.float32), "beside": np.full((n, len(told)), np.nan)}
    for piece, values in found:
        for name, value in values.items():
            arrays[name][piece.rows] = value
    return Given(arrays["embedding"], arrays["beside"], told)


def _measured(name: str) -> Extra:
    feature = FEATURES.get(name)
    return Extra(name, measured=True) if feature is None else Extra(name, feature.unit, measured=True,
                                                                    description=feature.description)


def _sorted(extras: Any) -> tuple[list[str], list[Any]]:
    """Part extras into names and tables."""
    if extras is None:
        return [], []
    every = list(extras) if isinstance(extras, (list, tuple)) else [extras]
    odd = next((one for one in every if not isinstance(one, (str, Table, Mapping))), None)
    if odd is not None:
        raise DataError(f"extras are a table, or names of what the model's encoder measures, not {odd!r:.60}")
    return [one for one in every if isinstance(one, str)], [one for one in every if not isinstance(one, str)]


def _columns(table: Table | Mapping[str, Any]) -> tuple[Extra, ...]:
    """Describe the columns of a table of extras."""
    found = []
    for name in table.colnames if isinstance(table, Table) else table:
        if name == "id":
            continue
        column = table[name]
        if np.asarray(getattr(column, "value", column)).dtype.kind not in "biuf":
            raise DataError(f"extra {name!r} holds no numbers: leave it out")
        unit = column.unit if isinstance(column, Quantity) else getattr(column, "unit", None)
        text = getattr(getattr(column, "info", None), "description", None) or ""
        found.append(Extra(name, "" if unit is None else unit.to_string(), description=str(text)))
    if not found:
        raise DataError("the table of extras has no column but 'id'")
    return tuple(found)
