"""Which XP product a file holds, said by its column names, whatever its name and compression."""

from __future__ import annotations

import csv
import gzip
import io
import re
import zlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, BinaryIO

from astrofm.errors import ReadError

#: how many bytes are looked at to recognise a file
HEAD = 65536
#: pixels of a sampled spectrum
N_PIXELS = 343
#: columns that tell other tables of fluxes (photometry of epochs, internal calibration, other grids) apart
STRANGERS = frozenset({"time", "band", "transit_id", "xp", "wl", "wavelength"})


def container_of(head: bytes) -> str:
    """Say what a file is by its first bytes: fits, votable, parquet, zip, text, or nothing known."""
    if head.startswith(b"SIMPLE  ="):
        return "fits"
    if head.startswith(b"PAR1"):
        return "parquet"
    if head.startswith(b"Obj\x01"):
        return ""
    if head.startswith(b"PK\x03\x04"):
        return "zip"
    if b"<VOTABLE" in head[:4096]:
        return "votable"
    return "" if not head or b"\0" in head[:4096] or head.lstrip()[:1] == b"<" else "text"


def read_head(path: Path) -> bytes:
    """Read the first bytes of a file, decompressed if it begins like gzip, whatever its suffix.

    Raises
    ------
    OSError, EOFError, zlib.error
        If it cannot be read.
    """
    with open_bytes(path) as stream:
        return stream.read(HEAD)


def open_bytes(path: Path) -> BinaryIO:
    """Open a file for reading, decompressed if it begins like gzip, whatever its suffix."""
    stream = open(path, "rb")
    magic = stream.read(2)
    stream.seek(0)
    if magic == b"\x1f\x8b":
        stream.close()
        return io.BufferedReader(gzip.open(path, "rb"))
    return stream


def columns_of(head: bytes, container: str) -> dict[str, int | None]:
    """Give the column names (lower case) with the length of their arrays: 1 for scalars, None if unsaid."""
    if container == "fits":
        return _fits_columns(head)
    if container == "votable":
        return _votable_columns(head)
    return _text_columns(head) if container == "text" else {}


def product_of(columns: Mapping[str, int | None]) -> str:
    """Say which product these columns make: ``"continuous"``, ``"sampled"`` or ``""``."""
    if {"source_id", "bp_coefficients", "rp_coefficients"} <= columns.keys():
        return "continuous"
    arrays = all(columns.get(name, 1) in (None, N_PIXELS) for name in ("flux", "flux_error"))
    if {"source_id", "flux", "flux_error"} <= columns.keys() and arrays and not STRANGERS & columns.keys():
        return "sampled"
    return ""


def identify(path: Path) -> str:
    """Say which XP product a file holds: ``"continuous"``, ``"sampled"``, or ``""``; never raises."""
    try:
        head = read_head(path)
        container = container_of(head)
        if container == "parquet":
            from .binary import parquet_columns

            return product_of(parquet_columns(path))
        return product_of(columns_of(head, container))
    except (OSError, EOFError, zlib.error, ValueError, csv.Error):
        return ""


def read_table(path: Path, *, rows: int = 512) -> tuple[str, Iterator[dict[str, Any]]]:
    """Open an XP file and hand out its rows in blocks of columns, in order.

    Returns
    -------
    product : str
        ``"continuous"`` or ``"sampled"``.
    blocks : iterator of dict
        Column name to column; text and Parquet files are held in memory ``rows`` sources at a time.

    Raises
    ------
    ReadError
        The file cannot be read, is empty, or is no XP product; while iterating, if it is damaged.
    """
    try:
        head = read_head(path)
    except (OSError, EOFError, zlib.error) as error:
        raise ReadError(f"cannot read {path}: {error or type(error).__name__}") from error
    container = container_of(head)
    _explain(path, head, container)
    from . import binary, text

    if container == "parquet":
        columns: Mapping[str, int | None] = binary.parquet_columns(path, strict=True)
    else:
        columns = columns_of(head, container)
    product = product_of(columns)
    if not product:
        there = ", ".join(list(columns)[:12]) or "none that can be read"
        raise ReadError(f"{path} is no XP spectrum: it has the columns {there}; a continuous one has "
                        "source_id, bp_coefficients, rp_coefficients, their errors and correlations, a "
                        f"sampled one source_id, flux and flux_error of {N_PIXELS} pixels")
    reader = {"fits": binary.fits_blocks, "votable": binary.votable_blocks, "parquet": binary.parquet_blocks,
              "text": text.text_blocks}[container]
    return product, reader(path, product, rows)


def _explain(path: Path, head: bytes, container: str) -> None:
    if not head:
        raise ReadError(f"{path} is empty: download it again")
    if container == "zip":
        raise ReadError(f"{path} is a zip archive, as DataLink sends it: unzip it and read the files inside")
    if not container:
        raise ReadError(f"{path} is neither FITS, VOTable, CSV, ECSV nor Parquet: if it is a web page, the "
                        "download failed")


def _fits_columns(head: bytes) -> dict[str, int | None]:
    cards = [head[i:i + 80].decode("ascii", "replace") for i in range(0, len(head) - 79, 80)]
    names, forms = {}, {}
    for card in cards:
        found = re.match(r"(TTYPE|TFORM)(\d+) *= '([^']*)'", card)
        if found:
            (names if found[1] == "TTYPE" else forms)[int(found[2])] = found[3].strip()
    columns: dict[str, int | None] = {}
    for number, name in names.items():
        form = re.match(r"(\d*)([A-Z])", forms.get(number, ""))
        columns[name.lower()] = None if form is None or form[2] in "PQ" else int(form[1] or 1)
    return columns


def _votable_columns(head: bytes) -> dict[str, int | None]:
    columns: dict[str, int | None] = {}
    for field in re.findall(r"<FIELD\b([^>]*)>", head.decode("utf-8", "replace").split("<DATA")[0]):
        given = dict(re.findall(r"(\w+)\s*=\s*[\"']([^\"']*)[\"']", field))
        size = given.get("arraysize", "1")
        columns[given.get("name", "").lower()] = int(size) if size.isdigit() else None
    return columns


def _text_columns(head: bytes) -> dict[str, int | None]:
    from .text import delimiter_of

    lines = head.decode("utf-8-sig", "replace").splitlines()
    content = [line for line in lines if line.strip() and not line.startswith("#")]
    if not content:
        return {}
    delimiter = delimiter_of([line for line in lines if line.startswith("#")])
    names = [name.strip().lower() for name in next(csv.reader(content[:1], delimiter=delimiter))]
    columns: dict[str, int | None] = dict.fromkeys(names)
    cells = next(csv.reader(content[1:2], delimiter=delimiter), [])
    for name, cell in zip(names, cells, strict=False):
        whole = cell.strip()[-1:] in (")", "]")
        columns[name] = cell.count(",") + 1 if whole else None if cell[:1] in ("(", "[") or not cell else 1
    return columns
