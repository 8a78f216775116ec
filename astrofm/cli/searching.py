"""``astrofm index | search``: make stars searchable, and find the nearest of others."""

from __future__ import annotations

import argparse
import os
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import DataError, OutputError, ReadError

if TYPE_CHECKING:
    from ..models import Model
    from ..search import Index


def add_arguments(verb: str, parser: argparse.ArgumentParser) -> None:
    """Add what `run` needs."""
    parser.add_argument("files", nargs="+", metavar="FILES-or-FOLDER", help="spectra, or a folder of them")
    parser.add_argument("-m", "--model", default="stellar-tiny", help="a name, a file or a pinned address (%(default)s)")
    parser.add_argument("-r", "--recursive", action="store_true", help="files in folders of a folder, too")
    parser.add_argument("--device", default="cpu", help="cpu or cuda (%(default)s)")
    parser.add_argument("--overwrite", action="store_true", help="replace a file of that name")
    if verb == "index":
        parser.add_argument("-o", "--output", required=True, type=Path, metavar="INDEX", help="file to write (.safetensors)")
        return
    parser.add_argument("--index", required=True, type=Path, metavar="INDEX", help="that `astrofm index` wrote")
    parser.add_argument("-k", type=int, default=10, help="neighbours of each star (%(default)s)")
    parser.add_argument("--instrument", help="only spectra of this instrument")
    parser.add_argument("-o", "--output", type=Path, metavar="OUT", help="table to write (.ecsv, .fits or .parquet); printed "
                                                                         "without it")


def run(options: argparse.Namespace) -> int:
    """Index or search; give 0, or 1 where no file could be read."""
    from ..models import load_model
    from ..search import Index

    if options.output is not None and options.output.exists() and not options.overwrite:
        raise OutputError(f"{options.output} exists already: choose another name, or say --overwrite")
    index = None
    if options.command == "search":
        if options.output is not None:
            from .formats import check, of_suffix

            check(of_suffix(options.output))
        index = Index.load(options.index)
    model = load_model(options.model, device=options.device)
    if index is not None:
        index.check(model)
    return _search(index, model, options) if index is not None else _index(model, options)


def _index(model: Model, options: argparse.Namespace) -> int:
    made = _embedded(model, options)
    if made.unusable == len(made):
        raise ReadError(f"none of the {len(made):,} files could be embedded: `astrofm identify FILES` says whose they are")
    made.save(options.output, overwrite=options.overwrite)
    left = f"; {made.unusable:,} rows say in the column 'error' or 'flags' why they cannot be found" if made.unusable else ""
    print(f"{options.output}: {len(made) - made.unusable:,} stars by {model.name}{left}", file=sys.stderr)
    return 0


def _search(index: Index, model: Model, options: argparse.Namespace) -> int:
    import numpy as np

    asked = _embedded(model, options)
    good = np.isfinite(asked.embeddings).all(axis=1)
    for row in np.flatnonzero(~good)[:5]:
        star = asked.table[int(row)]
        print(f"astrofm: left out {star['file'] or star['id']}: {star['error'] or star['flags']}", file=sys.stderr)
    if not good.any():
        raise DataError("none of the files could be embedded: `astrofm identify FILES` says whose they are")
    found = index.nearest(asked.embeddings[good], options.k, instrument=options.instrument)
    rows = np.flatnonzero(good)[np.asarray(found["query"])]
    for place, name in enumerate(("id", "file")):
        found.add_column(np.asarray(asked.table[name])[rows], index=1 + place, name=f"query_{name}")
    if options.output is None:
        print("\n".join(found["query_id", "similarity", "id", "instrument", "file"].pformat(max_lines=-1, max_width=-1)))
    else:
        found.write(options.output, overwrite=options.overwrite)
        print(f"{options.output}: {len(found):,} neighbours of {int(good.sum()):,} stars", file=sys.stderr)
    return 0


def _embedded(model: Model, options: argparse.Namespace) -> Index:
    from tqdm import tqdm

    from ..models import inputs
    from ..search.index import embedded, from_pieces

    files = inputs.find_files(options.files, recursive=options.recursive)
    pieces: list[tuple[inputs.Piece, Any]] = []
    row = 0
    hidden = None if sys.stderr.isatty() or "ASTROFM_PROGRESS" in os.environ else True
    with tqdm(total=len(files), unit="file", disable=hidden, file=sys.stderr) as bar:
        for piece in inputs.stream(files):
            done = piece.files_done
            piece, values = inputs.attempt(piece, lambda batch: embedded(model, batch))
            failed = {row + k: what for k, what in piece.failed.items()}
            pieces.append((replace(piece, rows=row + piece.rows, failed=failed), values))
            row += len(piece)
            bar.update(done - bar.n)
    return from_pieces(model, pieces)
