"""From stars to an index of them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from astropy.table import Column, QTable, Table, hstack

from ..errors import DataError
from ..models import answers, inputs
from ..models.pieces import Piece
from .index import Index

if TYPE_CHECKING:
    from ..models import Model


def build_index(model: Model, data: Any, table: Table | None = None) -> Index:
    """Embed stars and make them searchable.

    Parameters
    ----------
    model : Model
    data : Spectrum, list, Batch, path or list of paths
        Instruments may be mixed. Stars that can't be read or embedded stay in the table, with the reason, and are never
        found.
    table : Table, optional
        More about the stars, a row a star in the same order. Its ``id``, if it has one, must be that of the star, and
        stands in for ids that the files do not give.

    Returns
    -------
    Index

    Raises
    ------
    DataError
        The table has another number of rows than there are stars, ids of others, or a column that the index has itself.
    """
    return from_pieces(model, inputs.work(data, lambda batch: embedded(model, batch)), table)


def embedded(model: Model, batch: Any) -> dict[str, Any]:
    """Give what an index keeps of a batch."""
    embedding, star = model.core.embed(batch), answers.star_values(batch)
    return {**star, "embedding": embedding, "flags": model.core.flags(batch, star, embedding)}


def from_pieces(model: Model, pieces: Sequence[tuple[Piece, Any]], table: Table | None = None) -> Index:
    """Make an index of embedded pieces of a stream."""
    column = answers.embedding_column(model.dim)
    columns = (*answers.FIRST, *answers.LAST)
    n = sum(len(piece) for piece, _ in pieces)
    arrays = answers.fill((*columns, column), n, pieces)
    own = answers.make_table(columns, arrays)
    if table is not None:
        if len(table) != n:
            raise DataError(f"the table has {len(table)} rows and there are {n} stars: give a row for each, in the same "
                            "order")
        twice = [name for name in table.colnames if name in own.colnames and name != "id"]
        if twice:
            raise DataError(f"the table has a column {twice[0]!r}, which the index has itself: rename it")
        if "id" in table.colnames:
            _match_ids(own, table["id"])
        more = [name for name in table.colnames if name != "id"]
        own = hstack([own, QTable(table)[more]]) if more else own
    shared = getattr(model.aligner, "shared", model.dim)
    return Index(arrays[column.name], own, model=model.name, sha256=model.sha256,
                 shared=shared if isinstance(shared, int) else model.dim)


def _match_ids(own: QTable, ids: Iterable[Any]) -> None:
    """Fill ids that are not known, and raise `DataError` where the others differ."""
    known = np.asarray(own["id"])
    given = np.array(["" if one is np.ma.masked else str(one) for one in ids], dtype=str)
    differ = np.flatnonzero((known != given) & (known != "") & (given != ""))
    if len(differ):
        row = differ[0]
        raise DataError(f"row {row} of the table has id {str(given[row])!r} and the star there is {str(known[row])!r}: put "
                        "the rows in the order of the stars, or rename the column")
    description = own["id"].info.description
    own["id"] = Column(np.where(known == "", given, known), description=description)
