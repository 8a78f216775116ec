"""The images and tables of a FITS file that is in memory: views, not copies."""

from __future__ import annotations

import re
from math import prod
from pathlib import Path

import numpy as np

from ..errors import ReadError
from .fitsfile import Header

DTYPES = {8: "u1", 16: ">i2", 32: ">i4", 64: ">i8", -32: ">f4", -64: ">f8"}
#: types of a table's columns by their letter in TFORM
COLUMNS = {"A": "S", "L": "u1", "B": "u1", "I": ">i2", "J": ">i4", "K": ">i8", "E": ">f4", "D": ">f8"}


def array(path: Path, data: bytes, start: int, dtype: str, count: int) -> np.ndarray:
    """View ``count`` numbers of the file from byte ``start``; read-only, big-endian."""
    need = count * np.dtype(dtype).itemsize
    if start + need > len(data):
        raise ReadError(f"{path} breaks off: {max(len(data) - start, 0)} of {need} bytes of data are there: "
                        "fetch it again")
    return np.frombuffer(data, dtype, count, start)


def image(path: Path, data: bytes, header: Header) -> np.ndarray:
    """View the image of an HDU whose header has been read: read-only, big-endian, shape as numpy has it.

    Raises
    ------
    ReadError
        If there is none, it breaks off, or its numbers are scaled.
    """
    bits, axes = header.get("BITPIX"), [header.number(f"NAXIS{k}") for k in range(min(header.number("NAXIS"), 9), 0, -1)]
    if bits not in DTYPES or not axes or header.get("XTENSION", "IMAGE") != "IMAGE":
        raise ReadError(f"{path}: expected an image, found {header.get('XTENSION', 'a primary HDU')!r} of "
                        f"{len(axes)} axes, BITPIX = {bits}")
    _refuse_scaling(path, header, "BSCALE", "BZERO")
    return array(path, data, header.stop, DTYPES[bits], prod(axes)).reshape(axes)


def _refuse_scaling(path: Path, header: Header, scale: str, zero: str) -> None:
    for key, neutral in ((scale, 1), (zero, 0)):
        if header.get(key, neutral) != neutral:
            raise ReadError(f"{path}: {key} = {header.get(key)!r}; a spectrum's files are not scaled: fetch it again")


def table(path: Path, data: bytes, header: Header) -> np.ndarray:
    """View the rows of a binary table whose header has been read.

    Returns
    -------
    ndarray, shape ``(rows,)``
        Structured, read-only, big-endian; a column of several numbers is an array in each row.

    Raises
    ------
    ReadError
        If it is no binary table, its columns contradict its header, are scaled, or of a type that spectra never have
        (variable length, complex, bits).
    """
    if header.get("XTENSION") != "BINTABLE":
        raise ReadError(f"{path}: expected a binary table, found {header.get('XTENSION')!r}")
    fields = []
    for k in range(1, min(header.number("TFIELDS"), 999) + 1):
        form = re.fullmatch(r"(\d*)([ALBIJKED])", str(header.get(f"TFORM{k}", "")))
        if not form:
            raise ReadError(f"{path}: column {k} has the format {header.get(f'TFORM{k}')!r}, which no spectrum's table has")
        _refuse_scaling(path, header, f"TSCAL{k}", f"TZERO{k}")
        count, name = int(form[1] or 1), str(header.get(f"TTYPE{k}", f"column {k}"))
        kind = COLUMNS[form[2]]
        fields.append((name, f"S{count}") if kind == "S" else (name, kind, () if count == 1 else (count,)))
    try:
        rows = np.dtype(fields)
    except ValueError as error:
        raise ReadError(f"{path}: its table has columns of one name ({error})") from error
    if rows.itemsize != header.number("NAXIS1"):
        raise ReadError(f"{path}: its columns take {rows.itemsize} bytes and NAXIS1 says {header.get('NAXIS1')}: "
                        "fetch it again")
    count = header.number("NAXIS2")
    if header.stop + count * rows.itemsize > len(data):
        raise ReadError(f"{path} breaks off inside its table of {count} rows: fetch it again")
    return np.frombuffer(data, rows, count, header.stop)
