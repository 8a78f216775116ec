"""``astrofm sample``: spectra from files, or simulated ones, as a data set to train on."""

from __future__ import annotations

import argparse
import hashlib
import os
import sys
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import DataError, PluginError, ReadError

if TYPE_CHECKING:
    from ..data import Batch
    from ..models.pieces import Failure
    from ..training import ShardWriter

#: simulated stars made at a time
STARS = 1024


def add_arguments(verb: str, parser: argparse.ArgumentParser) -> None:
    """Add what `run` needs."""
    parser.add_argument("files", nargs="*", metavar="FILES-or-FOLDER", help="spectra or light curves, or "
                        "folders of them")
    parser.add_argument("-o", "--output", type=Path, required=True, metavar="FOLDER", help="of the data set")
    parser.add_argument("--table", type=Path, help="labels to keep beside the spectra: a row for each id")
    parser.add_argument("--key", default="id", help="column of the table that holds the spectra's ids (%(default)s)")
    parser.add_argument("--star", default="star", help="column of the table that says whose spectra belong to one star, by "
                                                       "which they are paired and split (%(default)s; without it, the id)")
    parser.add_argument("-r", "--recursive", action="store_true", help="files in folders of a folder, too")
    parser.add_argument("--simulate", type=int, metavar="N", help="N simulated stars instead of files")
    parser.add_argument("--through", nargs="+", default=[], metavar="INSTRUMENT", help="that see the simulated stars")
    parser.add_argument("--seed", type=int, default=0, help="of the simulated stars (%(default)s)")
    parser.add_argument("--size", type=int, default=8192, metavar="N", help="spectra a shard, about (%(default)s)")


def run(options: argparse.Namespace) -> int:
    """Write the data set; give 0, or 130 after Ctrl-C, when the same command goes on."""
    from ..training import ShardWriter

    if bool(options.files) == (options.simulate is not None):
        raise DataError("say which files to sample, or how many stars to --simulate")
    if options.size < 1 or (options.simulate is not None and (options.simulate < 1 or not options.through)):
        raise DataError("--size and --simulate are 1 or more, and --through names the instruments that see simulated stars")
    if options.files:
        from .given import given_files

        files = given_files(options)
        names = "\n".join(str(path) for path in files)
        source: dict[str, Any] = {"files": len(files), "first": str(files[0]), "table": str(options.table or ""),
                                  "sha256": hashlib.sha256(names.encode()).hexdigest()}
        total, unit = len(files), "file"
    else:
        source = {"simulated": options.simulate, "through": options.through, "seed": options.seed}
        total, unit = options.simulate, "star"
    writer = ShardWriter(options.output, {**source, "size": options.size})
    labels = _labels(options)
    pieces = (_from_files(files, writer.done, labels) if options.files
              else _simulated(_sky(), options, writer.done))
    try:
        failed = _write(writer, pieces, options.size, total, unit)
    except KeyboardInterrupt:
        print(f"\nastrofm: interrupted after {writer.done:,} of {total:,}; run the same command again to go on",
              file=sys.stderr)
        return 130
    for one in failed[:5]:
        print(f"astrofm: left out {one.file}: {one.message}", file=sys.stderr)
    if len(failed) > 5:
        print(f"astrofm: left out {len(failed) - 5:,} more", file=sys.stderr)
    shards = writer.listed["shards"]
    for name in dict.fromkeys(shard["instrument"] for shard in shards):
        own = [shard for shard in shards if shard["instrument"] == name]
        print(f"{options.output}: {sum(s['rows'] for s in own):,} stars of {name} in {len(own)} shards")
    if not shards:
        raise ReadError(f"none of the {total} files could be read: `astrofm identify FILES` says whose they are")
    writer.finish()
    return 0


def _write(writer: ShardWriter, pieces: Iterator[tuple[Batch | None, int, bool, list]], size: int, total: int,
           unit: str) -> list[Failure]:
    from tqdm import tqdm

    from ..training.dataset import join

    waiting: dict[tuple, list[Batch]] = {}
    failed: list[Failure] = []
    hidden = None if sys.stderr.isatty() or "ASTROFM_PROGRESS" in os.environ else True
    done = writer.done
    with tqdm(total=total, initial=done, unit=unit, disable=hidden, file=sys.stderr) as bar:
        for batch, done, whole, wrong in pieces:
            failed += wrong
            if batch is not None:
                pixels = batch.coordinate.shape[-1] if batch.band is None else 0  # light curves are padded alike when joined
                grid = (batch.instrument, pixels, batch.coordinate.ndim)
                waiting.setdefault(grid, []).append(batch)
            if whole and sum(len(b) for many in waiting.values() for b in many) >= size * max(1, len(waiting)):
                writer.write([join(many) for many in waiting.values()], done=done)
                waiting = {}
            bar.update(done - bar.n)
        if waiting:
            writer.write([join(many) for many in waiting.values()], done=done)
    return failed


def _from_files(files: list[Path], start: int, labels: tuple[Mapping[str, int], Mapping[str, np.ndarray], str] | None,
                ) -> Iterator[tuple[Batch | None, int, bool, list]]:
    """Give batches, files that are done, whether the last one ended, and what could not be read."""
    from ..models import streams

    for piece in streams.stream(files[start:]):
        batch = piece.batch if piece.batch is None or labels is None else _labelled(piece.batch, *labels)
        yield batch, start + piece.files_done, not piece.stars_open, list(piece.failed.values())


def _labels(options: argparse.Namespace) -> tuple[Mapping[str, int], Mapping[str, np.ndarray], str] | None:
    if options.table is None:
        return None
    from astropy.table import MaskedColumn, Table

    try:
        table = Table.read(options.table)
    except Exception as error:  # astropy's readers raise what they like
        raise ReadError(f"{options.table} can't be read as a table ({error}): give ECSV, CSV, FITS or Parquet") from error
    if options.key not in table.colnames:
        raise DataError(f"{options.table} has no column {options.key!r}; it has {', '.join(table.colnames)}: say --key NAME")
    ids = [str(key) for key in table[options.key]]
    if len(set(ids)) < len(ids):
        raise DataError(f"{options.table} has an id twice in {options.key!r}: labels must be of one row for each id")
    columns = {name: np.asarray(table[name].filled(np.nan) if isinstance(table[name], MaskedColumn)
                                and table[name].dtype.kind == "f" else table[name])
               for name in table.colnames if name != options.key and table[name].ndim == 1}
    return {key: row for row, key in enumerate(ids)}, columns, options.star


def _labelled(batch: Batch, rows: Mapping[str, int], columns: Mapping[str, np.ndarray], star: str) -> Batch:
    """Put a table's labels beside the spectra; NaN, or an empty text, for those it lacks."""
    at = [rows.get(str(key)) for key in batch.meta["id"]]
    own = {name: [None if row is None else column[row].item() for row in at] for name, column in columns.items()}
    if star in own:
        own["star"] = [str(key) if item in (None, "") else str(item)
                       for key, item in zip(batch.meta["id"], own.pop(star), strict=True)]
    return replace(batch, meta={**batch.meta, **own})


def _simulated(sky: Any, options: argparse.Namespace, start: int) -> Iterator[tuple[Batch | None, int, bool, list]]:
    for first in range(start, options.simulate, STARS):
        count = min(STARS, options.simulate - first)
        night = sky.night(options.through, n=count, seed=options.seed * 1_000_003 + first)
        for place, batch in enumerate(night.seen.values()):
            meta = {name.removeprefix("true_"): column for name, column in batch.meta.items()}
            meta["id"] = meta["star"] = [f"simulated-{options.seed}-{first + k}" for k in range(count)]
            last = place == len(night.seen) - 1
            yield replace(batch, meta=meta), first + count if last else first, last, []


def _sky() -> Any:
    try:
        import astrofm_sky
    except ImportError as error:
        raise PluginError("simulated stars need the simulated sky: pip install astrofm-sky") from error
    return astrofm_sky
