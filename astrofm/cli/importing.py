"""``astrofm import-weights``: make a model file of somebody's published checkpoint."""

from __future__ import annotations

import argparse
import inspect
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ..errors import DataError, OutputError

#: said in place of the statistics of a head's inputs where there are none
PLAIN = "none"


def add_arguments(verb: str, parser: argparse.ArgumentParser) -> None:
    """Add what `run` needs."""
    parser.add_argument("importer", help="whose checkpoint it is: `astrofm plugins` lists the importers")
    parser.add_argument("checkpoint", type=Path, metavar="CHECKPOINT", help="file or folder, as its authors published it")
    parser.add_argument("-o", "--output", type=Path, required=True, metavar="MODEL", help="file to write (.safetensors)")
    parser.add_argument("--head", action="append", default=[], metavar="LABEL=FILE,STATS", dest="heads",
                        help="a published head of a label, with the statistics of its inputs, or 'none'; once for each label")
    parser.add_argument("--instrument", help="which instrument the heads are for")
    parser.add_argument("--option", action="append", default=[], metavar="NAME=VALUE", dest="more",
                        help="an argument of the importer, as its documentation names it; once for each")
    parser.add_argument("--overwrite", action="store_true", help="replace a file of that name")


def run(options: argparse.Namespace) -> int:
    """Import, say whose it is and under which licence, save; give 0."""
    from ..registry import get_importer

    if options.output.exists() and not options.overwrite:
        raise OutputError(f"{options.output} exists already: choose another name, or say --overwrite")
    importer = get_importer(options.importer)
    more = _options(options.more, options.importer, importer)
    more |= {"heads": _heads(options.heads)} if options.heads else {}
    more |= {"instrument": options.instrument} if options.instrument else {}
    if unknown := sorted(set(more) - set(_arguments(importer))):
        raise DataError(f"importer {options.importer!r} knows no {' and no '.join(unknown)}")
    model = importer(options.checkpoint, **more)
    model.save(options.output, overwrite=options.overwrite)
    count = sum(weights.numel() for part in (model.encoder, model.aligner, *model.heads.values())
                for weights in part.parameters())
    takes = " and ".join(model.instruments) or "named quantities"
    print(f"{options.output}: {model.name}, {count:,} parameters, for {takes}")
    print(f"licence of the weights: {model.about['license'] or 'none given: do not pass them on'}")
    print(f"please cite: {model.about['citation']}")
    return 0


def _arguments(importer: Callable[..., Any]) -> list[str]:
    return [name for name, one in inspect.signature(importer).parameters.items() if one.kind is one.KEYWORD_ONLY]


def _options(told: list[str], name: str, importer: Callable[..., Any]) -> dict[str, Any]:
    """Read ``NAME=VALUE``; a value is JSON where it can be, else text."""
    offered = sorted(set(_arguments(importer)) - {"heads", "instrument"})
    found: dict[str, Any] = {}
    for text in told:
        key, equals, value = text.partition("=")
        if not equals:
            raise DataError(f"--option is {text!r}: say NAME=VALUE")
        if key not in offered:
            raise DataError(f"importer {name!r} has no option {key!r}: it has {', '.join(offered) or 'none'}")
        try:
            found[key] = json.loads(value)
        except ValueError:
            found[key] = value
    return found


def _heads(told: list[str]) -> dict[str, tuple[Path, Path | None]]:
    found: dict[str, tuple[Path, Path | None]] = {}
    for text in told:
        label, _, files = text.partition("=")
        file, _, stats = files.partition(",")
        if not label or not file or not stats:
            raise DataError(f"--head is {text!r}: say LABEL=FILE,STATS, the statistics by which its inputs were "
                            f"standardised, or LABEL=FILE,{PLAIN} if they were not")
        found[label] = Path(file), None if stats == PLAIN else Path(stats)
    return found
