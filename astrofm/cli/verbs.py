"""``astrofm predict | classify | embed | translate``: files in, one table out."""

from __future__ import annotations

import argparse
import os
import sys
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import DataError, ReadError
from ..models.defaults import TOLD, default_model

if TYPE_CHECKING:
    from astropy.table import QTable

    from ..data import Batch
    from ..models.answers import Declared
    from ..models.extras import Given
    from ..models.model import Model


@dataclass(frozen=True)
class Job:
    """What a verb does with each batch, and the columns it promises."""

    verb: str
    columns: tuple[Declared, ...]
    work: Callable[[Batch], Mapping[str, Any]]
    meta: Mapping[str, str]
    asked: Mapping[str, Any]
    extra: Mapping[str, QTable] = field(default_factory=dict)


def add_arguments(verb: str, parser: argparse.ArgumentParser) -> None:
    """Add what `run` needs."""
    parser.add_argument("files", nargs="+", metavar="FILES-or-FOLDER",
                        help=f"spectra{' or light curves' * (verb != 'translate')}, or folders of them")
    parser.add_argument("-m", "--model", help=f"a name, a file or a pinned address ({TOLD})")
    parser.add_argument("-o", "--output", required=True, type=Path, metavar="OUT", help="the table to write")
    if verb == "translate":
        parser.add_argument("--to", required=True, metavar="INSTRUMENT", help="see `astrofm plugins`")
    if verb == "classify":
        parser.add_argument("--coverage", type=float, default=0.9, metavar="PART",
                            help="part of the stars whose class is in their set (%(default)s)")
        parser.add_argument("--false-alarm", type=float, default=0.01, metavar="PART",
                            help="part of the stars of known classes that may be taken for unknown (%(default)s)")
        parser.add_argument("--prior", nargs="+", type=_part, default=[], metavar="CLASS=PART",
                            help="what part of these stars is of a class, in place of what the model learned")
    if verb in ("predict", "classify"):
        parser.add_argument("--extras", type=Path, metavar="TABLE", help="what the model's heads read beside the embedding, "
                            "a column each, and the star's id: for models that say so")
    parser.add_argument("--format", choices=("ecsv", "fits", "parquet"), help="where the suffix of OUT does not say")
    parser.add_argument("--overwrite", action="store_true", help="replace OUT, and what an interrupted run left of it")
    parser.add_argument("--shard", metavar="I/N", help="do only the I-th of N equal parts of the files, for job arrays")
    parser.add_argument("-r", "--recursive", action="store_true", help="files in folders of a folder, too")
    parser.add_argument("--size", type=int, default=256, metavar="N", help="stars a batch (%(default)s)")
    parser.add_argument("--device", default="cpu", help="cpu or cuda (%(default)s)")
    parser.add_argument("--precision", choices=("auto", "float32", "bfloat16", "int8"), default="auto", help="(%(default)s)")
    parser.add_argument("--no-progress", action="store_true", help="no progress bar")


def run(options: argparse.Namespace) -> int:
    """Do a verb on files; give 0, or 1 where no file could be read."""
    from .given import given_files
    from .output import Output

    if options.size < 1:
        raise DataError(f"--size is {options.size}: say 1 or more stars a batch")
    files = shard(given_files(options), options.shard)
    formats = ("fits",) if options.command == "translate" else None
    output = Output(options.output, form=options.format, overwrite=options.overwrite, forms=formats)
    from ..models import load_model

    model = load_model(options.model or default_model(files), device=options.device, precision=options.precision)
    job = make_job(model, options)
    with output.begin(job, files) as part:
        try:
            elsewhere = _work(part, job, files, options)
        except KeyboardInterrupt:
            part.flush()
            print(f"\nastrofm: interrupted; {part.rows:,} rows are kept in {part.folder}. Run the same command "
                  "again to go on from there", file=sys.stderr)
            return 130
        part.finish()
    failed = part.rows - part.read
    print(f"{options.output}: {part.read:,} stars of {len(files):,} files"
          + (f"; {failed:,} rows say in the column 'error' why nothing was read" if failed else ""), file=sys.stderr)
    if elsewhere:
        low, high = model.about["wavelengths"]
        print(f"astrofm: {elsewhere:,} of them have most of their pixels outside {low:.0f}-{high:.0f} Angstrom, where "
              f"{model.name} was trained: what it says of these means nothing (flag outside-range:wavelength). Choose "
              "another model with -m: see `astrofm models`", file=sys.stderr)
    if not part.read:
        print(f"astrofm: nothing could be done with any of the files: the column 'error' of {options.output} says why, and "
              "`astrofm identify FILES` whose they are", file=sys.stderr)
    return 0 if part.read else 1


def shard(files: Sequence[Path], which: str | None) -> list[Path]:
    """Take the I-th of N equal parts of the files, in order, for ``which = "I/N"`` counted from 1."""
    if which is None:
        return list(files)
    try:
        one, of = (int(number) for number in which.split("/"))
    except ValueError as error:
        raise DataError(f"--shard is {which!r}: say I/N, for example 1/4") from error
    if not 1 <= one <= of:
        raise DataError(f"--shard is {which!r}: it counts from 1/{max(of, 1)} to {max(of, 1)}/{max(of, 1)}")
    cuts = np.linspace(0, len(files), of + 1).round().astype(int)
    chosen = list(files[cuts[one - 1]: cuts[one]])
    if not chosen:
        raise DataError(f"--shard {which} holds none of the {len(files)} files: use fewer shards")
    return chosen


def make_job(model: Model, options: argparse.Namespace) -> Job:
    """Say what the verb does and which columns it gives."""
    from ..models import answers

    meta = {**model.provenance(), "verb": options.command}
    asked = {"precision": options.precision}
    if options.command in ("predict", "classify"):
        columns, work = model.columns(), model.core.predict
        if options.command == "classify":
            columns, work, told = _classification(model, options)
            meta, asked = {**meta, **told}, {**asked, **told}
        if options.extras is None:
            return Job(options.command, columns, work, meta, asked)
        given, sha256 = _extras(model, options.extras)
        return Job(options.command, columns, lambda batch: work(given.beside(batch)), meta, {**asked, "extras": sha256})
    if options.command == "embed":
        columns = (*answers.FIRST, answers.embedding_column(model.dim), *answers.LAST)
        return Job("embed", columns, lambda batch: _embedded(model, batch), meta, asked)
    return _translation(model, options.to, meta, {**asked, "to": options.to})


def _part(text: str) -> tuple[str, float]:
    name, _, part = text.partition("=")
    try:
        return name, float(part)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{text!r} is not CLASS=PART, such as CONST=0.95") from error


def _classification(model: Model, options: argparse.Namespace) -> tuple[
        tuple[Declared, ...], Callable[[Batch], Mapping[str, Any]], dict[str, str]]:
    """Give the columns of `Model.classify`, what makes them, and what was asked."""
    from ..models.classes import Question, class_columns, class_labels

    question = Question(options.coverage, options.false_alarm, prior=dict(options.prior))
    columns = class_columns(class_labels(model.about, question), question)
    told = {"coverage": f"{options.coverage:.6g}", "false_alarm": f"{options.false_alarm:.6g}"}
    if options.prior:
        told["prior"] = " ".join(f"{name}={part:.6g}" for name, part in options.prior)
    return columns, lambda batch: model.core.classify(batch, question), told


def _extras(model: Model, path: Path) -> tuple[Given, str]:
    """Read a table of extras; give it and its hash."""
    import hashlib

    from astropy.table import Table

    from ..models.extras import Given

    try:
        table, sha256 = Table.read(path), hashlib.sha256(path.read_bytes()).hexdigest()
    except Exception as error:  # astropy's readers raise what they like
        raise ReadError(f"{path} can't be read as a table ({error}): give ECSV, CSV, FITS or Parquet") from error
    given = Given(model.core.parts, table)
    if given.place is None:
        raise DataError(f"{path} has no column 'id': add the ids that the light curves have")
    return given, sha256


def _embedded(model: Model, batch: Batch) -> dict[str, Any]:
    from ..models import answers

    embedding, star = model.core.embed(batch), answers.star_values(batch)
    return {**star, "embedding": embedding, "flags": model.core.flags(batch, star, embedding)}


def _translation(model: Model, to: str, meta: Mapping[str, str], asked: Mapping[str, Any]) -> Job:
    from astropy import units as u
    from astropy.table import QTable

    from ..models import answers
    from ..models.spectra import decoded_at, spectrum_instrument, translated_values

    target = spectrum_instrument(to)
    wave = decoded_at(model, target)
    shape = (len(wave),)
    spectrum = (
        answers.Declared("flux", "float32", f"flux that {to} would see, on the input's scale", shape=shape),
        answers.Declared("flux_err", "float32", "one-sigma error of flux", shape=shape),
        answers.Declared("unit", "str", "unit of flux and its error; empty where the input's scale has none"),
        answers.Declared("mask", "bool", "True where flux says nothing", shape=shape),
        answers.Declared("calibration", "str", "absolute, relative (only ratios mean something), or relative to what"),
        answers.Declared("reduced_chi2", "float32", "of the decode against the input, on the input's grid"),
    )

    def work(batch: Batch) -> dict[str, Any]:
        values = translated_values(model, batch, target)
        error = values.pop("error")
        return {**values, "flux_err": error, "unit": np.full(len(batch), values["unit"].to_string())}

    wavelength = QTable({"wavelength": wave * u.AA})
    wavelength["wavelength"].info.description = "vacuum wavelength of each flux"
    return Job("translate", (*answers.FIRST, *spectrum, *answers.LAST), work, {**meta, "to": to}, asked,
               {"WAVELENGTH": wavelength})


def _work(part: Any, job: Job, files: Sequence[Path], options: argparse.Namespace) -> int:
    """Do the work; say how many stars of this run lie at wavelengths that the model was not trained on."""
    from tqdm import tqdm

    from ..models.answers import ELSEWHERE

    elsewhere = 0

    hidden = options.no_progress or (None if sys.stderr.isatty() or "ASTROFM_PROGRESS" in os.environ else True)
    with tqdm(total=len(files), initial=part.files_done, unit="file", disable=hidden, file=sys.stderr) as bar, \
            warnings.catch_warnings():
        warnings.simplefilter("once")
        for arrays, files_done, stars_open in _answers(part, job, files, options.size):
            part.add(arrays, files_done, stars_open)
            elsewhere += int(np.count_nonzero(np.char.find(arrays["flags"].astype(str), ELSEWHERE) >= 0))
            bar.update(files_done - bar.n)
    return elsewhere


def _answers(part: Any, job: Job, files: Sequence[Path],
             size: int) -> Iterator[tuple[dict[str, np.ndarray], int, int]]:
    """Give the rows of each piece from where the last run stopped, and where in the files each ends."""
    from ..models import answers, streams
    from ..models.pieces import attempt

    start, skip = part.files_done, part.stars_open
    for piece in streams.stream(files[start:], size=size):
        if not len(piece):
            continue
        piece, values = attempt(piece, job.work)
        arrays = answers.fill(job.columns, len(piece), [(piece, values)])
        dropped, skip = min(skip, len(piece)), max(0, skip - len(piece))
        if dropped < len(piece):
            kept = {name: array[dropped:] for name, array in arrays.items()}
            yield kept, start + piece.files_done, piece.stars_open
