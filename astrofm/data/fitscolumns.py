"""Some columns of a wide FITS table, whatever the others are: spectra carry tables of hundreds, and need a dozen."""

from __future__ import annotations

import re
from collections.abc import Collection
from functools import lru_cache
from pathlib import Path

import numpy as np

from ..errors import ReadError
from .fitsdata import COLUMNS
from .fitsfile import Header

#: bytes of one element by the letter of TFORM
BYTES = {"L": 1, "B": 1, "I": 2, "J": 4, "K": 8, "A": 1, "E": 4, "D": 8, "C": 8, "M": 16, "P": 8, "Q": 16}
CARD = re.compile(rb"(?<![A-Z_])(TTYPE|TFORM|TSCAL|TZERO)(\d+) *= *(?:'([^']*)'|([^ /]+))")
FORM = re.compile(r"(\d*)([LXBIJKAEDCMPQ])")


def columns(path: Path, data: bytes, header: Header, wanted: Collection[str]) -> dict[str, np.ndarray]:
    """View columns of a binary table whose header has been read.

    Parameters
    ----------
    path : Path
        For messages.
    data : bytes
        The file, or its memory map.
    header : Header
        Of the table.
    wanted : collection of str
        Names in capitals; the case of the table's own does not count.

    Returns
    -------
    dict of str to ndarray, shape ``(rows,)`` or ``(rows, count)``
        Those that are there, by the name in capitals: big-endian as they stand in the file; integers stored with an
        offset come out as unsigned ones.

    Raises
    ------
    ReadError
        If it is no binary table, contradicts itself, breaks off, or a wanted column is no plain array.
    """
    if header.get("XTENSION") != "BINTABLE":
        raise ReadError(f"{path}: expected a binary table, found {header.get('XTENSION')!r}")
    count, width = header.number("NAXIS2"), header.number("NAXIS1")
    layout, unsigned, wrong = _layout(bytes(data[header.start: header.stop]), header.number("TFIELDS"), frozenset(wanted))
    if layout is None:
        raise ReadError(f"{path}: {wrong}: fetch it again")
    if layout.itemsize != max(width, 1):
        raise ReadError(f"{path}: its columns take {layout.itemsize} bytes and NAXIS1 says {width}: fetch it again")
    if header.stop + count * width > len(data):
        raise ReadError(f"{path} breaks off inside its table of {count} rows: fetch it again")
    if not width or not layout.names:
        return {}
    rows = np.frombuffer(data, layout, count, header.stop)
    return {name: _unsigned(rows[name]) if name in unsigned else rows[name] for name in layout.names}


@lru_cache(maxsize=64)
def _layout(cards: bytes, fields: int, wanted: frozenset[str]) -> tuple[np.dtype | None, frozenset[str], str]:
    """Give the wanted columns' places in a row, which of them are unsigned, or what is wrong."""
    said: dict[tuple[bytes, int], str] = {}
    for word, number, text, value in CARD.findall(cards):
        said[word, int(number)] = (text or value).decode("ascii", "replace").strip()
    place, unsigned = 0, set()
    found: dict[str, tuple] = {}
    for number in range(1, min(fields, 999) + 1):
        told = said.get((b"TFORM", number), "")
        form = FORM.match(told)
        if not form:
            return None, frozenset(), f"column {number} has the format {told!r}, which FITS does not know"
        repeat, letter = int(form[1] or 1), form[2]
        name = said.get((b"TTYPE", number), "").upper()
        if name in wanted and name not in found:
            if letter not in COLUMNS or not repeat:
                return None, frozenset(), f"column {name} has the format {told}; numbers or text were expected"
            scale, zero = (_number(said.get((word, number), plain)) for word, plain in ((b"TSCAL", "1"), (b"TZERO", "0")))
            dtype = np.dtype(f"S{repeat}" if letter == "A" else COLUMNS[letter])
            if scale != 1 or zero not in (0, 2.0 ** (8 * dtype.itemsize - 1) if dtype.kind == "i" else 0):
                return None, frozenset(), f"column {name} is scaled (TSCAL {scale:g}, TZERO {zero:g}); a spectrum's are not"
            unsigned |= {name} if zero else set()
            found[name] = (dtype if letter == "A" or repeat == 1 else (dtype, (repeat,)), place)
        place += -(-repeat // 8) if letter == "X" else repeat * BYTES[letter]
    kinds, offsets = ([each[k] for each in found.values()] for k in (0, 1))
    return np.dtype({"names": list(found), "formats": kinds, "offsets": offsets, "itemsize": max(place, 1)}), \
        frozenset(unsigned), ""


def _number(word: str) -> float:
    try:
        return float(word.replace("D", "E"))
    except ValueError:
        return float("nan")


def _unsigned(values: np.ndarray) -> np.ndarray:
    size = values.dtype.itemsize
    return values.astype(f"i{size}").view(f"u{size}") ^ np.array(2 ** (8 * size - 1), f"u{size}")


def texts(values: np.ndarray) -> list[str]:
    """Give a column as text, without the blanks and zeros that fill it up."""
    return [str(value, "ascii", "replace").strip("\0 ") if isinstance(value, bytes) else str(value)
            for value in values.tolist()]
