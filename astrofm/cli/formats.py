"""ECSV, FITS and Parquet, written chunk by chunk and joined in the memory of one chunk."""

from __future__ import annotations

import io
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import OutputError

if TYPE_CHECKING:
    from astropy.table import QTable

    from .verbs import Job

SUFFIX = {"ecsv": ".ecsv", "fits": ".fits", "parquet": ".parquet"}
FITS_BLOCK = 2880


def of_suffix(path: Path) -> str:
    """Say which form a file name asks for."""
    for form, suffix in SUFFIX.items():
        if path.suffix.lower() == suffix or (form, path.suffix.lower()) == ("fits", ".fit"):
            return form
    raise OutputError(f"{path}: a table is written as {', '.join(SUFFIX.values())}: give the name one of them, or say "
                      "--format")


def check(form: str) -> None:
    """Check that the form can be written here."""
    if form == "parquet":
        try:
            import pyarrow  # noqa: F401
        except ImportError as error:
            raise OutputError("Parquet is written with pyarrow, which is not installed: pip install pyarrow, or choose "
                              ".fits or .ecsv") from error


def chunk_suffix(form: str) -> str:
    """Give the suffix of a chunk: ECSV can be read by people and joined as it is, the others wait as arrays."""
    return ".ecsv" if form == "ecsv" else ".npy"


def write_chunk(path: Path, job: Job, arrays: dict[str, np.ndarray], *, form: str) -> None:
    """Write rows under a temporary name and rename it; strings are as wide as they will be in the joined table."""
    temporary = path.with_name("new-" + path.name)
    if form == "fits":
        arrays = _ascii(arrays)
    if path.suffix == ".ecsv":
        table(job, arrays).write(temporary, format="ascii.ecsv", overwrite=True)
    else:
        n = len(arrays["flags"])
        rows = np.empty(n, [(name, array.dtype, array.shape[1:]) for name, array in arrays.items()])
        for name, array in arrays.items():
            rows[name] = array
        np.save(temporary, rows, allow_pickle=False)
    temporary.replace(path)


def table(job: Job, arrays: dict[str, np.ndarray] | np.ndarray) -> QTable:
    """Make a table with units, descriptions and the job's provenance."""
    from ..models.answers import make_table

    made = make_table(job.columns, arrays)
    made.meta.update(job.meta)
    return made


def join(path: Path, form: str, job: Job, chunks: Sequence[Path]) -> None:
    """Join the chunks of a job into one table."""
    {"ecsv": _join_ecsv, "fits": _join_fits, "parquet": _join_parquet}[form](path, job, chunks)


def _join_ecsv(path: Path, job: Job, chunks: Sequence[Path]) -> None:
    with path.open("w", encoding="utf-8") as joined:
        for number, chunk in enumerate(chunks):
            with chunk.open(encoding="utf-8") as lines:
                header = True
                for line in lines:
                    in_header = header
                    header = header and line.startswith("#")  # the line of column names ends the header
                    if number == 0 or not in_header:
                        joined.write(line)


def _arrays(chunks: Sequence[Path]) -> Iterator[np.ndarray]:
    """Give the chunks as structured arrays of one dtype: strings as wide as the widest."""
    dtypes = [np.load(chunk, mmap_mode="r", allow_pickle=False).dtype for chunk in chunks]
    widest = [(name, max((dtype[name] for dtype in dtypes), key=lambda one: one.itemsize)) for name in dtypes[0].names]
    for chunk in chunks:
        yield np.load(chunk, allow_pickle=False).astype(widest)


def _join_fits(path: Path, job: Job, chunks: Sequence[Path]) -> None:
    from astropy.io import fits

    total = sum(len(np.load(chunk, mmap_mode="r", allow_pickle=False)) for chunk in chunks)
    with path.open("wb") as joined:
        joined.write(fits.PrimaryHDU().header.tostring().encode("ascii"))
        written = 0
        for number, rows in enumerate(_arrays(chunks)):
            header, data = _fits_bytes(table(job, rows), "STARS")
            if number == 0:
                header["NAXIS2"] = total
                joined.write(header.tostring().encode("ascii"))
            written += joined.write(data)
        joined.write(bytes(-written % FITS_BLOCK))
        for name, extra in job.extra.items():
            header, data = _fits_bytes(extra, name)
            joined.write(header.tostring().encode("ascii") + data + bytes(-len(data) % FITS_BLOCK))


def _fits_bytes(made: QTable, name: str) -> tuple[Any, bytes]:
    """Give the header and the rows of a table as FITS, as astropy writes it."""
    from astropy.io import fits

    memory = io.BytesIO()
    made.meta = {key[:8].upper(): value for key, value in made.meta.items() if value}
    with warnings.catch_warnings():  # astropy keeps such a unit (dex) in its own words, and says that others can't
        warnings.filterwarnings("ignore", message=".*could not be saved in native FITS format")
        made.write(memory, format="fits")
    raw = memory.getvalue()
    with fits.open(io.BytesIO(raw)) as hdus:
        header = hdus[1].header.copy()
        start = hdus[1].fileinfo()["datLoc"]
    header["EXTNAME"] = name
    return header, raw[start: start + header["NAXIS1"] * header["NAXIS2"]]


def _ascii(arrays: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """FITS strings are ASCII: other characters become backslash escapes."""
    return {name: np.char.decode(np.char.encode(array, "ascii", "backslashreplace"), "ascii")
            if array.dtype.kind == "U" else array for name, array in arrays.items()}


def _join_parquet(path: Path, job: Job, chunks: Sequence[Path]) -> None:
    import pyarrow.parquet as pq

    writer, piece = None, path.with_name("piece.parquet")
    try:
        for rows in _arrays(chunks):
            table(job, rows).write(piece, format="parquet", overwrite=True)
            found = pq.read_table(piece)
            writer = writer or pq.ParquetWriter(path, found.schema)
            writer.write_table(found)
    finally:
        if writer is not None:
            writer.close()
        piece.unlink(missing_ok=True)
