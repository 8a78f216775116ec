"""Open DESI files, which may have gigabytes, as memory maps; and tell them by the names of their HDUs."""

from __future__ import annotations

import gzip
import mmap
import re
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from astrofm.data.fitsfile import BLOCK, GZIP, Header, read_bytes, stored_bytes, unpack, zlib
from astrofm.errors import ReadError

try:
    from isal import igzip as gzip_reader  # the same answers in a third of the time
except ImportError:  # not installed, or not made for this processor
    gzip_reader = gzip

#: HDUs that hold spectra: arms (b, r, z), or several of them joined by the survey
PARTS = re.compile(r"(B|R|Z|BR|RZ|BZ|BRZ)_(WAVELENGTH|FLUX|IVAR|MASK|RESOLUTION)")
#: a primary header ends within so many bytes
HEADER = 40 * BLOCK
#: of packed files, so many bytes are unpacked to recognise them
HEAD = 16 * 2**20
#: a file has no more HDUs
MOST = 200


@contextmanager
def mapped(path: Path) -> Iterator[mmap.mmap]:
    """Map a FITS file into memory; a packed one is unpacked into a temporary file first.

    Raises
    ------
    ReadError
        If it cannot be opened, is no regular file, is no FITS, or its gzip stream is damaged or breaks off.
    """
    head = stored_bytes(path, BLOCK)
    with ExitStack() as stack:
        try:
            stream = stack.enter_context(open(path, "rb"))
            if head.startswith(GZIP):
                stream = stack.enter_context(_unpacked(path))
                head = stream.read(BLOCK)
            unpack(path, head)
            data = mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ)
        except (OSError, ValueError) as error:
            raise ReadError(f"{path} cannot be opened: {getattr(error, 'strerror', None) or error}") from error
        yield data


@contextmanager
def _unpacked(path: Path) -> Iterator:
    with tempfile.TemporaryFile(prefix="astrofm-desi-") as stream:
        try:
            with gzip_reader.open(path, "rb") as packed:
                shutil.copyfileobj(packed, stream, 2**20)
        except EOFError as error:
            raise ReadError(f"{path} breaks off inside its gzip stream: fetch it again") from error
        except (gzip.BadGzipFile, zlib.error) as error:
            raise ReadError(f"{path} is a damaged gzip file ({error}): fetch it again") from error
        stream.flush()
        stream.seek(0)
        yield stream


def forget(data: mmap.mmap) -> None:
    """Let go of the pages of a map that have been read, so that memory stays bounded."""
    if hasattr(mmap, "MADV_DONTNEED"):
        data.madvise(mmap.MADV_DONTNEED)


def hdus(path: Path, data: bytes | mmap.mmap) -> Iterator[tuple[str, Header]]:
    """Walk through the HDUs of a file and give the name, in upper case, and the header of each.

    Raises
    ------
    ReadError
        If the file breaks off, or an HDU is damaged.
    """
    start, count = 0, 0
    while start < len(data):
        header = Header(path, data, start)
        yield str(header.get("EXTNAME", "")).strip().upper(), header
        start, count = header.end, count + 1
        if count == MOST:
            raise ReadError(f"{path} has more than {MOST} HDUs: no file of spectra")
    if start > len(data):
        raise ReadError(f"{path} breaks off: its last HDU ends at byte {start}, the file at {len(data)}: fetch it again")


def is_desi(path: Path) -> bool:
    """Say from its HDUs whether a file holds DESI spectra; never raises.

    It has images such as B_FLUX, and a table FIBERMAP or an image such as B_WAVELENGTH, too: where only the table is
    missing, `read` says so.
    """
    try:
        head = stored_bytes(path, BLOCK)
        packed = head.startswith(GZIP)
        if not packed and not head.startswith(b"SIMPLE  ="):
            return False
        primary = Header(path, read_bytes(path, limit=HEADER), 0)
        if primary.get("NAXIS") != 0:
            return False
        if packed:
            start = read_bytes(path, limit=HEADER)
            first = str(Header(path, start, primary.stop).get("EXTNAME", ""))
            known = first == "FIBERMAP" or PARTS.fullmatch(first)
            return bool(known) and _holds_spectra(path, read_bytes(path, limit=HEAD))
        with mapped(path) as data:
            return _holds_spectra(path, data)
    except ReadError:
        return False


def _holds_spectra(path: Path, data: bytes | mmap.mmap) -> bool:
    fibres, arms = False, set()
    try:
        for name, header in hdus(path, data):
            fibres |= name == "FIBERMAP" and "XTENSION" in header
            arms |= {name} if PARTS.fullmatch(name) else set()
            if arms and (fibres or any({f"{arm}_WAVELENGTH", f"{arm}_FLUX"} <= arms for arm in "BRZ")):
                return True
    except ReadError:  # damaged further on: `read` says so
        return False
    return False
