"""Tables of photometry as archives serve them: CSV, ECSV, IPAC, VOTable, FITS and Parquet, told by their content."""

from __future__ import annotations

import gzip
import io
import re
import warnings
import zlib
from collections.abc import Collection
from pathlib import Path
from typing import Any
from xml.parsers.expat import ExpatError

import numpy as np

from ..errors import DataError, ReadError
from .parquet import Ragged, parquet_columns, parquet_names

#: bytes that are looked at to recognise a table
HEAD = 65536
#: what the readers of tables raise on damage
DAMAGE = (OSError, EOFError, ValueError, TypeError, IndexError, KeyError, AttributeError, OverflowError, zlib.error,
          ExpatError, AssertionError)
#: what stands in a cell of text where there is nothing
EMPTY = [("", "0"), ("null", "0"), ("--", "0")]


def read_head(source: Path | bytes, size: int = HEAD) -> bytes:
    """Give the first bytes of a file, unpacked if it is gzip, whatever its suffix; none where it can't be read."""
    try:
        with _open(source) as stream:
            return stream.read(size)
    except (OSError, EOFError, zlib.error):
        return b""


def column_names(source: Path | bytes) -> list[str]:
    """Give the names of a table's columns, lower case, from its head; none if it is no table. Never raises.

    Parameters
    ----------
    source : Path or bytes
        The file, or what is in it; plain or gzip.
    """
    head = read_head(source)
    kind = _kind(head)
    if kind == "parquet":
        return parquet_names(source)
    if kind == "fits":
        found = re.findall(rb"(?<![A-Z_])TTYPE\d+ *= *'([^']*)'", head)
    elif kind == "votable":
        fields = re.findall(rb"<FIELD\b([^>]*)>", head.split(b"<DATA")[0])
        found = [match[1] for match in (re.search(rb"\bname\s*=\s*[\"']([^\"']*)[\"']", field) for field in fields) if match]
    elif kind == "ipac":
        found = next((line for line in head.splitlines() if line.startswith(b"|")), b"").strip(b"| \r").split(b"|")
    else:
        lines = [line for line in head.splitlines() if line.strip() and not line.startswith(b"#")] if kind == "text" else []
        found = lines[0].removeprefix(b"\xef\xbb\xbf").split(_delimiter(head).encode()) if lines else []
    return [name.decode("utf-8", "replace").strip().strip('"').lower() for name in found]


def read_columns(path: Path, wanted: Collection[str], source: Path | bytes | None = None) -> dict[str, np.ndarray | Ragged]:
    """Read columns of a table, those that are there.

    Parameters
    ----------
    path : Path
        For messages, and what is read where ``source`` is not given.
    wanted : collection of str
        Names in lower case; the case of the table's own does not count.
    source : bytes, optional
        What is in the file: a member of an archive.

    Returns
    -------
    dict of str to ndarray, shape ``(rows,)``, or Ragged
        By name in lower case, in the machine's byte order. Missing numbers are NaN, whole ones then float64.

    Raises
    ------
    ReadError
        The file is damaged or breaks off.
    """
    source = path if source is None else source
    head = read_head(source)
    kind = _kind(head)
    if kind in ("", "zip"):
        what = ("is empty" if not head else "is a zip archive: unzip it" if kind == "zip" else
                "looks like a web page: the download failed" if head.lstrip()[:1] == b"<" else "is no table")
        raise ReadError(f"{path} {what}; CSV, ECSV, IPAC, VOTable, FITS and Parquet are read")
    try:
        if kind == "parquet":
            return parquet_columns(path, source, wanted)
        with _open(source) as stream:
            data = stream.read()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of units and headers that no column of numbers needs
            warnings.filterwarnings("error", "File may have been truncated")
            found = {"fits": _fits, "votable": _votable, "ipac": _ipac, "text": _text}[kind](data, wanted)
        return {name.lower(): _column(column) for name, column in found.items()}
    except ReadError:
        raise
    except (*DAMAGE, UserWarning) as error:
        raise ReadError(f"cannot read {path}: {str(error) or type(error).__name__}: is the download complete?") from error


def true_cells(column: np.ndarray | bool) -> np.ndarray:
    """Read a column of flags, whatever stands for True: booleans, numbers, or text such as "true", "T" and "1"."""
    array = np.asarray(column)
    if array.dtype.kind == "S":
        array = np.char.decode(array, "ascii", "replace")
    if array.dtype.kind == "U":
        return np.isin(np.char.lower(np.char.strip(array)), ["true", "t", "1"])
    return np.nan_to_num(array.astype(float)) != 0


def as_numbers(column: np.ndarray, name: str) -> np.ndarray:
    """Read a column as float64; NaN where a cell of text is empty.

    Raises
    ------
    DataError
        A cell holds something else than a number: the message names the row.
    """
    array = np.asarray(column)
    if array.dtype.kind in "US":
        array = np.where(array == array.dtype.type(), array.dtype.type("nan" if array.dtype.kind == "U" else b"nan"), array)
    try:
        return array.astype(np.float64)
    except (TypeError, ValueError) as error:
        for row, cell in enumerate(array.tolist()):
            try:
                float(cell)
            except (TypeError, ValueError):
                raise DataError(f"{name} in row {row} is {cell!r}, not a number: is the file damaged?") from error
        raise DataError(f"{name} holds something else than numbers") from error


def _open(source: Path | bytes) -> Any:
    stream = io.BytesIO(source) if isinstance(source, bytes) else open(source, "rb")
    magic = stream.read(2)
    stream.seek(0)
    if magic != b"\x1f\x8b":
        return stream
    if isinstance(source, bytes):
        return gzip.GzipFile(fileobj=stream)
    stream.close()
    return gzip.open(source, "rb")


def _kind(head: bytes) -> str:
    if head.startswith(b"SIMPLE  ="):
        return "fits"
    if head.startswith(b"PAR1"):
        return "parquet"
    if head.startswith(b"PK\x03\x04"):
        return "zip"
    if b"<VOTABLE" in head[:4096]:
        return "votable"
    if not head or b"\0" in head[:4096] or head.lstrip()[:1] == b"<":
        return ""
    return "ipac" if head[:1] in (b"\\", b"|") else "text"


def _delimiter(head: bytes) -> str:
    if not head.startswith(b"# %ECSV"):
        return ","
    found = re.search(rb"^#\s*delimiter:\s*['\"]?([^'\"\s])", head, re.MULTILINE)
    return found[1].decode() if found else " "


def _text(data: bytes, wanted: Collection[str]) -> dict[str, Any]:
    from astropy.io import ascii

    names = [name for name in column_names(data) if name in wanted]
    delimiter = _delimiter(data[:HEAD])
    rest = data.decode("utf-8-sig").lstrip()
    while rest.startswith("#"):
        rest = rest.partition("\n")[2].lstrip()
    first, _, rest = rest.partition("\n")
    if not rest.strip():
        return {name: np.zeros(0) for name in names}
    return dict(ascii.read(f"{first.lower()}\n{rest}", format="basic", delimiter=delimiter, guess=False, fill_values=EMPTY,
                           include_names=names).items())


def _ipac(data: bytes, wanted: Collection[str]) -> dict[str, Any]:
    from astropy.table import Table

    table = Table.read(data.decode(), format="ascii.ipac")
    return {name: table[name] for name in table.colnames if name.lower() in wanted}


def _votable(data: bytes, wanted: Collection[str]) -> dict[str, Any]:
    from astropy.io.votable import parse_single_table

    array = parse_single_table(io.BytesIO(data)).array
    return {name: array[name] for name in array.dtype.names if name.lower() in wanted}


def _fits(data: bytes, wanted: Collection[str]) -> dict[str, Any]:
    from astropy.io import fits

    try:
        with fits.open(io.BytesIO(data)) as hdus:
            table = next((hdu for hdu in hdus if isinstance(hdu, fits.BinTableHDU)), None)
            if table is None:
                raise ValueError("it holds no table")
            return {name: table.data[name] for name in table.columns.names if name.lower() in wanted}
    except fits.VerifyError as error:
        raise ValueError(f"its header is damaged ({error})") from error


def _column(column: Any) -> np.ndarray | Ragged:
    """Make a plain array of a table's column: NaN for what is masked; rows of arrays become one after the other."""
    mask = np.ma.getmaskarray(column) if isinstance(column, np.ma.MaskedArray) else getattr(column, "mask", None)
    bare = np.ma.getdata(column)
    bare = np.asarray(bare)
    if bare.dtype.kind == "O" and len(bare) and not isinstance(bare[0], (str, bytes)):
        rows = [np.ma.filled(np.ma.asarray(row, None), np.nan) if np.ma.asarray(row).dtype.kind == "f"
                else np.ma.getdata(row) for row in bare]
        return Ragged(np.concatenate([np.atleast_1d(row) for row in rows]), np.cumsum([0, *map(np.size, rows)]))
    if bare.ndim == 2:
        return Ragged(_native(bare).reshape(-1), np.arange(len(bare) + 1) * bare.shape[1])
    if bare.dtype.kind == "O":
        bare = bare.astype(str)
    bare = _native(bare)
    if mask is not None and np.any(mask):
        if bare.dtype.kind in "iub":
            bare = bare.astype(np.float64)
        bare = np.where(mask, np.nan if bare.dtype.kind == "f" else "", bare)
    return bare


def _native(array: np.ndarray) -> np.ndarray:
    return array.astype(array.dtype.newbyteorder("="))
