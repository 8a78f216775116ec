"""``astrofm import-weights``: make a model file of somebody's published checkpoint."""

from __future__ import annotations

import argparse
from pathlib import Path

from ..errors import DataError, OutputError


def add_arguments(verb: str, parser: argparse.ArgumentParser) -> None:
    """Add what `run` needs."""
    parser.add_argument("importer", help="whose checkpoint it is: `astrofm plugins` lists the importers")
    parser.add_argument("checkpoint", type=Path, metavar="CHECKPOINT", help="file or folder, as its authors published it")
    parser.add_argument("-o", "--output", type=Path, required=True, metavar="MODEL", help="file to write (.safetensors)")
    parser.add_argument("--head", action="append", default=[], metavar="LABEL=FILE[,STATS]", dest="heads",
                        help="a published head of a label, with the statistics of its inputs; once for each label")
    parser.add_argument("--instrument", help="which instrument the heads are for")
    parser.add_argument("--overwrite", action="store_true", help="replace a file of that name")


def run(options: argparse.Namespace) -> int:
    """Import, say whose it is and under which licence, save; give 0."""
    from ..registry import get_importer

    if options.output.exists() and not options.overwrite:
        raise OutputError(f"{options.output} exists already: choose another name, or say --overwrite")
    more = {"heads": _heads(options.heads)} if options.heads else {}
    more |= {"instrument": options.instrument} if options.instrument else {}
    try:
        model = get_importer(options.importer)(options.checkpoint, **more)
    except TypeError as error:
        if not more:
            raise
        raise DataError(f"importer {options.importer!r} knows no heads ({error})") from error
    model.save(options.output, overwrite=options.overwrite)
    count = sum(weights.numel() for part in (model.encoder, model.aligner, *model.heads.values())
                for weights in part.parameters())
    takes = " and ".join(model.instruments) or "named quantities"
    print(f"{options.output}: {model.name}, {count:,} parameters, for {takes}")
    print(f"licence of the weights: {model.about['license'] or 'none given: do not pass them on'}")
    print(f"please cite: {model.about['citation']}")
    return 0


def _heads(told: list[str]) -> dict[str, tuple[Path, Path | None]]:
    found: dict[str, tuple[Path, Path | None]] = {}
    for text in told:
        label, _, files = text.partition("=")
        file, _, stats = files.partition(",")
        if not label or not file:
            raise DataError(f"--head is {text!r}: say LABEL=FILE or LABEL=FILE,STATS")
        found[label] = Path(file), Path(stats) if stats else None
    return found
