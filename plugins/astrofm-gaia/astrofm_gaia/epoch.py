"""The instrument ``gaia-epoch``: light curves of Gaia, one by one and in DataLink's archives."""

from __future__ import annotations

import struct
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from astropy import units as u
from astropy.timeseries import BaseTimeSeries

from astrofm.data.curves import Curves, join_curves
from astrofm.data.tables import HEAD, column_names, read_head
from astrofm.errors import ReadError
from astrofm.interfaces import LightCurveInstrument
from astrofm.interfaces.series import band_places

from .transits import BANDS, layout_of, read_table

#: members of an archive that are looked into to recognise it
LOOKED_AT = 50
#: a member is no larger than this (bytes)
LARGEST = 512 * 2**20
ZIP = b"PK\x03\x04"
#: what zipfile raises on damage
UNREADABLE = (OSError, EOFError, ValueError, RuntimeError, NotImplementedError, zipfile.BadZipFile, zlib.error, struct.error)


class GaiaEpoch(LightCurveInstrument):
    """Epoch photometry of Gaia: fluxes in electrons a second in G, BP and RP, one of each a transit of the field of view.

    Notes
    -----
    Gaia Collaboration, Vallenari et al. 2023, 2023A&A...674A...1G; zero points (Vega) of Riello et al. 2021,
    2021A&A...649A...3R. Times are barycentric (TCB) in the files.
    """

    name = "gaia-epoch"
    bands = BANDS
    band_names = {"g": "G", "bp": "BP", "rp": "RP"}
    unit = u.electron / u.s
    wavelengths = {"G": 6218.0, "BP": 5110.0, "RP": 7769.0}
    calibration = "absolute"
    zero_points = {"G": 25.6873668671, "BP": 25.3385422158, "RP": 24.7478955012}
    example_meta = {"survey": "Gaia DR3 epoch photometry"}

    def matches(self, data: Any) -> bool:
        """Say whether a time series says that it is Gaia's epoch photometry."""
        return isinstance(data, BaseTimeSeries) and data.meta.get("survey") == "Gaia DR3 epoch photometry"

    def claims_file(self, path: Path) -> bool:
        """Say from the column names whether a table, or one in a zip archive, holds epoch photometry; never raises."""
        path = Path(path)
        if not path.is_file():
            return False
        if not read_head(path, 4).startswith(ZIP):
            return bool(layout_of(column_names(path)))
        try:
            with zipfile.ZipFile(path) as archive:
                return any(layout_of(column_names(_head(archive, name))) for name in archive.namelist()[:LOOKED_AT])
        except UNREADABLE:
            return False

    def read_curves(self, path: Path) -> Curves:
        """Read every source of a table, or of the tables of epoch photometry in a zip archive.

        Raises
        ------
        ReadError
            It is damaged, or no table in it is epoch photometry; see `astrofm_gaia.transits.read_table`.
        """
        path = Path(path)
        if not read_head(path, 4).startswith(ZIP):
            return read_table(path, self._places)
        parts, others = [], []
        for name, data in _members(path):
            if layout_of(column_names(data)):
                parts.append(read_table(Path(f"{path}[{name}]"), self._places, data, name))
            else:
                others.append(name)
        if not parts:
            raise ReadError(f"{path} holds no epoch photometry, but {', '.join(others[:4]) or 'nothing'}: ask DataLink for "
                            "EPOCH_PHOTOMETRY, or unzip it and read its spectra")
        return join_curves(parts)

    def _places(self, names: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        return band_places(names, self)


def _head(archive: zipfile.ZipFile, name: str) -> bytes:
    with archive.open(name) as member:
        head = member.read(HEAD)
        return head + member.read() if head.startswith(b"PAR1") else head  # Parquet says its columns at its end


def _members(path: Path) -> Iterator[tuple[str, bytes]]:
    try:
        with zipfile.ZipFile(path) as archive:
            for member in archive.infolist():
                if member.is_dir():
                    continue
                if member.file_size > LARGEST:
                    raise ReadError(f"{path}: {member.filename} has {member.file_size} bytes, too many for light curves")
                yield member.filename, archive.read(member)
    except UNREADABLE as error:
        if isinstance(error, ReadError):
            raise
        raise ReadError(f"cannot read {path}: {error}: is the download complete?") from error
