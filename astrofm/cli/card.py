"""``astrofm card``: one picture of what a model makes of a star."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from ..errors import DataError, OutputError
from ..models.defaults import TOLD, default_model

SUFFIXES = (".png", ".pdf", ".svg")


def add_arguments(verb: str, parser: argparse.ArgumentParser) -> None:
    """Add what `run` needs."""
    parser.add_argument("file", type=Path, metavar="FILE", help="spectrum or light curve of a star")
    parser.add_argument("-o", "--output", type=Path, required=True, metavar="PICTURE", help=f"{', '.join(SUFFIXES)}")
    parser.add_argument("-m", "--model", help=f"a name, a file or a pinned address ({TOLD})")
    parser.add_argument("--index", type=Path, help="where neighbours are looked up: `astrofm index` makes it")
    parser.add_argument("--to", nargs="+", metavar="INSTRUMENT", help="translate spectra to these; to the model's others by "
                        "default")
    parser.add_argument("--star", type=int, default=1, metavar="N", help="which star of a file of several (%(default)s)")
    parser.add_argument("--overwrite", action="store_true", help="replace a file of that name")


def run(options: argparse.Namespace) -> int:
    """Draw the card; give 0."""
    from ..models import load_model
    from ..registry import read
    from ..search import Index

    if options.output.suffix.lower() not in SUFFIXES:
        raise OutputError(f"{options.output}: a picture is written as {', '.join(SUFFIXES)}")
    if options.output.exists() and not options.overwrite:
        raise OutputError(f"{options.output} exists already: choose another name, or say --overwrite")
    stars = read(options.file)
    stars = list(stars) if isinstance(stars, (list, tuple)) else [stars]
    if not 1 <= options.star <= len(stars):
        raise DataError(f"{options.file} holds {len(stars)} stars: --star counts from 1 to {len(stars)}")
    index = Index.load(options.index) if options.index else None
    model = load_model(options.model or default_model(options.file))
    model.card(stars[options.star - 1], index=index, to=options.to, path=options.output)
    print(f"{options.output}: {options.file.name}", file=sys.stderr)
    return 0
