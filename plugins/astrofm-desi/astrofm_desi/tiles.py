"""Images that FITS packs row by row with gzip, as the masks of DESI's files of exposures are."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from astrofm.data.fitsdata import DTYPES, array
from astrofm.data.fitsfile import Header, zlib
from astrofm.errors import ReadError


class PackedRows:
    """The rows of a packed image of whole numbers, unpacked when they are asked for.

    Only ``GZIP_1`` with one tile a row is known, which is how the survey writes.

    Parameters
    ----------
    path : Path
        For messages.
    data : bytes
        The file, or its memory map.
    header : Header
        Of the binary table that holds the image.

    Raises
    ------
    ReadError
        If it is packed in another way, or the file breaks off.
    """

    def __init__(self, path: Path, data: bytes, header: Header):
        width, rows = header.number("ZNAXIS1"), header.number("ZNAXIS2")
        form = str(header.get("TFORM1", "")).lstrip("01")[:2]
        said = (header.get("ZCMPTYPE"), header.get("ZNAXIS"), header.get("ZTILE1"), header.get("ZTILE2", 1), form[1:])
        if said != ("GZIP_1", 2, width, 1, "B") or form[0] not in "PQ" or header.get("ZBITPIX") not in (8, 16, 32, 64):
            raise ReadError(f"{path}: {header.get('EXTNAME')} is packed by {said[0]} in tiles of {said[2]} x {said[3]}; the "
                            "survey packs row by row with GZIP_1: unpack it with funpack")
        self.path, self.shape, self._data = path, (rows, width), data
        self._kind = np.dtype(DTYPES[header.get("ZBITPIX")])
        table = header.number("NAXIS1") * header.number("NAXIS2")
        self._heap = header.stop + (header.number("THEAP") if "THEAP" in header else table)
        self._end = header.stop + table + header.number("PCOUNT")
        places = array(path, data, header.stop, ">i4" if form[0] == "P" else ">i8", 2 * rows)
        self._places = places.reshape(rows, 2).tolist()
        if self._end > len(data) or any(size < 0 or place < 0 or self._heap + place + size > self._end
                                        for size, place in self._places):
            raise ReadError(f"{path} breaks off inside {header.get('EXTNAME')}: fetch it again")

    def __getitem__(self, rows: slice) -> np.ndarray:
        """Unpack rows; shape ``(n, p)``, big-endian."""
        unpacked = []
        for size, place in self._places[rows]:
            tile = self._data[self._heap + place: self._heap + place + size]
            try:
                unpacked.append(zlib.decompress(tile, 31))
            except zlib.error as error:
                raise ReadError(f"{self.path}: a row of a mask is damaged ({error}): fetch it again") from error
        if any(len(row) != self.shape[1] * self._kind.itemsize for row in unpacked):
            raise ReadError(f"{self.path}: a row of a mask does not unpack to {self.shape[1]} numbers: fetch it again")
        return np.frombuffer(b"".join(unpacked), self._kind).reshape(-1, self.shape[1])
