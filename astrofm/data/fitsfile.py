"""Just enough FITS to read thousands of small files a second: bytes, and headers by walking their cards."""

from __future__ import annotations

import os
from functools import cache, cached_property
from math import isfinite, prod
from pathlib import Path
from stat import S_ISDIR, S_ISREG
from struct import iter_unpack
from typing import Any

from ..errors import ReadError

try:
    from isal import isal_zlib as zlib  # the same answers in 0.6 of the time
except ImportError:  # not installed, or not made for this processor
    import zlib

BLOCK = 2880
CARD = 80
#: a header is no longer than this (bytes): longer ones are damage
LONGEST_HEADER = 200 * BLOCK
#: a file unpacks to no more than this (bytes)
LARGEST_FILE = 64 * 2**20
GZIP = b"\x1f\x8b"
END = b"END" + b" " * 77


def read_bytes(path: Path, limit: int | None = None) -> bytes:
    """Read a file, unpacked if it is gzip, whatever its suffix.

    Parameters
    ----------
    path : Path
    limit : int, optional
        Stop after about so many bytes.

    Raises
    ------
    ReadError
        If it cannot be opened, is no file or far too large, is no FITS, or its gzip stream is damaged or
        breaks off.
    """
    return unpack(path, stored_bytes(path, limit), limit)


def stored_bytes(path: Path, limit: int | None = None) -> bytes:
    """Read a file as it is stored; see `read_bytes`."""
    try:
        state = os.stat(path)
        if not S_ISREG(state.st_mode):
            raise ReadError(f"{path} is {'a folder' if S_ISDIR(state.st_mode) else 'no regular file'}: "
                            "give the files themselves")
        if limit is None and state.st_size > LARGEST_FILE:
            raise ReadError(f"{path} has {state.st_size} bytes, too many for one spectrum: is it a catalogue?")
        with open(path, "rb", buffering=0) as stream:
            return (stream.readall() if limit is None else stream.read(limit)) or b""
    except ReadError:
        raise
    except (OSError, ValueError) as error:
        raise ReadError(f"{path} cannot be opened: {getattr(error, 'strerror', None) or error}") from error


def unpack(path: Path, data: bytes, limit: int | None = None) -> bytes:
    """Unpack what a file holds, if it is gzip; see `read_bytes`."""
    if data.startswith(GZIP):
        data = _gunzip(path, data, limit)
    if not data.startswith(b"SIMPLE  ="):
        what = "is empty" if not data else "looks like a web page" if b"<" in data[:64] else "is no FITS file"
        raise ReadError(f"{path} {what} (it begins with {data[:16]!r}): fetch it again")
    return data


def _gunzip(path: Path, data: bytes, limit: int | None) -> bytes:
    unpacked, room = b"", limit or LARGEST_FILE
    while data.startswith(GZIP):  # a gzip file may be several, one after the other
        stream = zlib.decompressobj(wbits=31)
        try:
            unpacked += stream.decompress(data, room - len(unpacked))
        except zlib.error as error:
            raise ReadError(f"{path} is a damaged gzip file ({error}): fetch it again") from error
        if len(unpacked) >= room:
            break
        if not stream.eof and limit is None:
            raise ReadError(f"{path} breaks off inside its gzip stream: fetch it again")
        data = stream.unused_data
    if len(unpacked) >= LARGEST_FILE:
        raise ReadError(f"{path} unpacks to more than {LARGEST_FILE} bytes, too many for one spectrum")
    return unpacked


class Header:
    """The cards of one header, parsed when they are asked for.

    Parameters
    ----------
    path : Path
        For messages.
    data : bytes
        The file.
    start : int
        Where the header begins.
    """

    def __init__(self, path: Path, data: bytes, start: int):
        end = data.find(END, start, start + LONGEST_HEADER)
        while end >= 0 and (end - start) % CARD:
            end = data.find(END, end + 1, start + LONGEST_HEADER)
        if end < 0:
            raise ReadError(f"{path} breaks off inside a header (at byte {len(data)}): fetch it again")
        self.path, self.start = path, start
        #: where the data begin
        self.stop = start + -(-(end + CARD - start) // BLOCK) * BLOCK
        self._cards: dict[bytes, bytes] = dict(iter_unpack("8s72s", data[start:end]))

    def get(self, key: str, default: Any = None) -> Any:
        """Give the value of a keyword, or ``default`` where there is none."""
        card = self._cards.get(_padded(key))
        if card is None or card[:2] != b"= ":
            return default
        value = _value(card[2:])
        return default if value is None else value

    def __contains__(self, key: str) -> bool:
        return _padded(key) in self._cards

    def number(self, key: str) -> int:
        """Give a whole number that must be there and not negative."""
        value = self.get(key)
        if not isinstance(value, int) or isinstance(value, bool) or value < 0 or value > 10**8:
            raise ReadError(f"{self.path}: header says {key} = {value!r}, which can't be: fetch it again")
        return value

    def plain(self) -> dict[str, Any]:
        """Give all values; commentary cards are left out."""
        keys = (key.decode("ascii", "replace").strip() for key, card in self._cards.items() if card[:2] == b"= ")
        return {key: self.get(key) for key in keys}


    @cached_property
    def end(self) -> int:
        """Where the data of this HDU end, padding included."""
        bits = self.get("BITPIX", 8)
        if bits not in (8, 16, 32, 64, -32, -64) or isinstance(bits, float):
            raise ReadError(f"{self.path}: header says BITPIX = {bits!r}, which can't be: fetch it again")
        axes = [self.number(f"NAXIS{k}") for k in range(1, min(self.number("NAXIS"), 9) + 1)]
        pixels = (prod(axes) if axes else 0) + (self.number("PCOUNT") if "XTENSION" in self and "PCOUNT" in self else 0)
        size = abs(bits) // 8 * pixels
        return self.stop + -(-size // BLOCK) * BLOCK


def headers(path: Path, data: bytes, most: int = 100) -> list[Header]:
    """Walk through the HDUs of a file and give the header of each, the first ``most`` of them.

    Raises
    ------
    ReadError
        If the file breaks off inside one.
    """
    found = [Header(path, data, 0)]
    while found[-1].end < len(data) and len(found) < most:
        found.append(Header(path, data, found[-1].end))
    return found


@cache
def _padded(key: str) -> bytes:
    return key.ljust(8).encode()


def _value(text: bytes) -> Any:
    text = text.lstrip()
    if text[:1] == b"'":
        end = text.find(b"'", 1)
        while 0 < end < len(text) - 1 and text[end + 1: end + 2] == b"'":
            end = text.find(b"'", end + 2)
        return text[1:end].replace(b"''", b"'").decode("ascii", "replace").rstrip() if end > 0 else None
    word = text.split(b"/", 1)[0].strip()
    if word in (b"T", b"F"):
        return word == b"T"
    try:
        number = int(word) if word.lstrip(b"+-").isdigit() else float(word.replace(b"D", b"E"))
    except ValueError:
        return None
    return number if isfinite(number) else None
