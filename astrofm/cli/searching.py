"""``astrofm index | search``: make stars searchable, and find the nearest of others."""

from __future__ import annotations

import argparse
import os
import sys
import warnings
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import DataError, OutputError, ReadError
from ..models.defaults import TOLD, default_model
from .output import Output

if TYPE_CHECKING:
    from astropy.table import QTable

    from ..models import Model
    from ..search import Index


def add_arguments(verb: str, parser: argparse.ArgumentParser) -> None:
    """Add what `run` needs."""
    parser.add_argument("files", nargs="+", metavar="FILES-or-FOLDER", help="spectra or light curves, or folders of them")
    parser.add_argument("-m", "--model", help=f"a name, a file or a pinned address ({TOLD})")
    parser.add_argument("-r", "--recursive", action="store_true", help="files in folders of a folder, too")
    parser.add_argument("--device", default="cpu", help="cpu or cuda (%(default)s)")
    parser.add_argument("--overwrite", action="store_true", help="replace a file of that name")
    if verb == "index":
        parser.add_argument("-o", "--output", required=True, type=Path, metavar="INDEX", help="file to write (.safetensors)")
        return
    parser.add_argument("--index", required=True, type=Path, metavar="INDEX", help="that `astrofm index` wrote")
    parser.add_argument("-k", type=int, default=10, help="neighbours of each star (%(default)s)")
    parser.add_argument("--instrument", help="only stars that this instrument saw")
    parser.add_argument("-o", "--output", type=Path, metavar="OUT", help="table to write (.ecsv, .fits or .parquet); printed "
                                                                         "without it")
    parser.add_argument("--format", choices=("ecsv", "fits", "parquet"), help="where the suffix of OUT does not say")


def run(options: argparse.Namespace) -> int:
    """Index or search; give 0, or 1 where no file could be read."""
    from ..models import load_model

    if options.command == "index":
        Output(options.output, form="ecsv", overwrite=options.overwrite)  # refuses what can't be written
        return _index(load_model(options.model or _default(options), device=options.device), options)
    output = None
    if options.output is not None:
        output = Output(options.output, form=options.format, overwrite=options.overwrite)
    index = _open(options)
    model = load_model(options.model or _default(options), device=options.device)
    index.check(model)
    return _search(index, model, output, options)


def _default(options: argparse.Namespace) -> str:
    from ..models.inputs import find_files

    return default_model(find_files(options.files, recursive=options.recursive))


def _open(options: argparse.Namespace) -> Index:
    """Load the index, and refuse now what it will not answer after all the files are read."""
    import numpy as np

    from ..search import Index

    index = Index.load(options.index)
    index.nearest(np.zeros((0, index.embeddings.shape[1])), options.k, instrument=options.instrument)
    return index


def _index(model: Model, options: argparse.Namespace) -> int:
    made = _embedded(model, options)
    if made.unusable == len(made):
        raise ReadError(f"none of the {len(made):,} files could be embedded: `astrofm identify FILES` says whose they are")
    made.save(options.output, overwrite=options.overwrite)
    left = f"; {made.unusable:,} rows say in the column 'error' or 'flags' why they cannot be found" if made.unusable else ""
    print(f"{options.output}: {len(made) - made.unusable:,} stars by {model.name}{left}", file=sys.stderr)
    return 0


def _search(index: Index, model: Model, output: Output | None, options: argparse.Namespace) -> int:
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
    if output is None:
        print("\n".join(found["query_id", "similarity", "id", "instrument", "file"].pformat(max_lines=-1, max_width=-1)))
    else:
        _write(found, output)
        print(f"{options.output}: {len(found):,} neighbours of {int(good.sum()):,} stars", file=sys.stderr)
    return 0


def _write(table: QTable, output: Output) -> None:
    """Write a table under a temporary name and rename it."""
    temporary = output.path.with_name(f".{output.path.name}.new")
    try:
        with warnings.catch_warnings():  # astropy keeps a unit that FITS does not know (dex) in its own words
            warnings.filterwarnings("ignore", message=".*could not be saved in native FITS format")
            if output.form == "fits":
                _to_ascii(table)
            table.write(temporary, format="ascii.ecsv" if output.form == "ecsv" else output.form, overwrite=True)
        os.replace(temporary, output.path)
    except (OSError, ValueError) as error:
        raise OutputError(f"{output.path} cannot be written as {output.form}: {error}") from error
    finally:
        temporary.unlink(missing_ok=True)


def _to_ascii(table: QTable) -> None:
    """Escape what FITS can't hold in texts, as the other verbs do."""
    import numpy as np

    from .formats import _ascii

    for name in table.colnames:
        column = table[name]
        if column.dtype.kind == "U":
            plain = _ascii({name: np.ma.getdata(column)})[name]
            options = {"mask": column.mask} if hasattr(column, "mask") else {}
            table[name] = type(column)(plain, description=column.info.description, **options)


def _embedded(model: Model, options: argparse.Namespace) -> Index:
    from tqdm import tqdm

    from ..models import streams
    from ..models.pieces import Piece, attempt
    from ..search.building import embedded, from_pieces
    from .given import given_files

    files = given_files(options)
    pieces: list[tuple[Piece, Any]] = []
    row = 0
    hidden = None if sys.stderr.isatty() or "ASTROFM_PROGRESS" in os.environ else True
    with tqdm(total=len(files), unit="file", disable=hidden, file=sys.stderr) as bar:
        for piece in streams.stream(files):
            done = piece.files_done
            piece, values = attempt(piece, lambda batch: embedded(model, batch))
            failed = {row + k: what for k, what in piece.failed.items()}
            pieces.append((replace(piece, rows=row + piece.rows, failed=failed), values))
            row += len(piece)
            bar.update(done - bar.n)
    return from_pieces(model, pieces)
