"""What SDSS says of the object of a spectrum: identifiers, place, class and redshift."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from astrofm.data.fitscolumns import columns
from astrofm.data.fitsfile import Header
from astrofm.errors import ReadError

#: what travels of the row of the catalogue: our name, the survey's columns in order of preference, and the type
KEYS = (("ra", ("PLUG_RA", "FIBER_RA", "RACAT", "RA"), float), ("dec", ("PLUG_DEC", "FIBER_DEC", "DECCAT", "DEC"), float),
        ("class", ("CLASS",), str), ("subclass", ("SUBCLASS",), str), ("z", ("Z",), float), ("z_err", ("Z_ERR",), float),
        ("zwarning", ("ZWARNING",), int), ("snr", ("SN_MEDIAN_ALL", "SNR"), float),
        ("plate", ("PLATE", "FIELD"), int), ("mjd", ("MJD", "MIN_MJD"), int), ("fibre", ("FIBERID", "FIBER_ID"), int),
        ("objtype", ("SOURCETYPE", "OBJTYPE"), str), ("survey", ("SURVEY", "PROGRAMNAME"), str),
        ("catalogid", ("CATALOGID",), int), ("sdss_id", ("SDSS_ID",), int), ("telescope", ("TELESCOPE", "OBS"), str),
        ("run2d", ("RUN2D",), str))
#: the same in the primary header, for files without a catalogue's row; RA and DEC there are the telescope's, but for Astra's
HEADER = {"ra": ("RAOBJ", "PLUG_RA", "PLUGRA"), "dec": ("DECOBJ", "PLUG_DEC", "PLUGDEC"), "z": ("Z",), "z_err": ("Z_ERR",),
          "plate": ("PLATEID", "FIELDID"), "mjd": ("MJD",), "fibre": ("FIBERID",), "run2d": ("RUN2D", "VERS2D"),
          "sdss_id": ("SDSS_ID",), "catalogid": ("CATALOGI", "CAT_ID"), "telescope": ("TELESCOP",)}
#: classes of spSpec files by SPEC_CLN
CLASSES = {1: "STAR", 2: "GALAXY", 3: "QSO", 4: "QSO", 5: "SKY", 6: "STAR", 7: "GALAXY"}
MISSING: Mapping[type, Any] = {float: np.nan, int: -1, str: ""}


class Row:
    """One row of a catalogue, by its columns' names in upper case.

    Parameters
    ----------
    path : Path
        For messages.
    data : bytes
        The file.
    start : int
        Where the header of the table begins; nothing is found where the file ends there or another thing follows.
    """

    def __init__(self, path: Path, data: bytes, start: int):
        self._found: Mapping[str, np.ndarray] = {}
        self._place = 0
        if start < len(data):
            header = Header(path, data, start)
            if header.get("XTENSION") == "BINTABLE" and header.get("NAXIS2") == 1:
                self._found = columns(path, data, header, ("SPECOBJID", *(key for _, keys, _ in KEYS for key in keys)))

    @classmethod
    def of(cls, found: Mapping[str, np.ndarray], place: int) -> Row:
        """Make one of columns that have been read."""
        row = object.__new__(cls)
        row._found, row._place = found, place
        return row

    def get(self, name: str, kind: type) -> Any:
        """Give a value of a type, or None."""
        if name not in self._found:
            return None
        value = self._found[name][self._place]
        if np.ndim(value):
            return None
        plain = value.decode("ascii", "replace").strip("\0 ") if isinstance(value, bytes) else value.item()
        try:
            return kind(plain)
        except (TypeError, ValueError, OverflowError):
            return None


def described(path: Path, primary: Header, row: Row | None, *, astra: bool = False) -> dict[str, Any]:
    """Give what travels in ``meta``: always the same keys, with NaN, -1 or nothing for what is not known.

    ``id`` is the survey's ``SPECOBJID`` as text (it is larger than signed 64 bits allow), of Astra's files the SDSS-V
    identifier, and otherwise plate, day and fibre.
    """
    about: dict[str, Any] = {"id": ""}
    for name, candidates, kind in KEYS:
        value = next((v for v in (row.get(key, kind) for key in candidates) if v is not None), None) if row else None
        if value is None:
            keys = HEADER.get(name, ()) + ((name.upper(),) if astra and name in ("ra", "dec") else ())
            value = next((_cast(primary.get(key), kind) for key in keys if key in primary), None)
        about[name] = MISSING[kind] if value is None else value
    if not about["class"] and primary.get("SPEC_CLN") is not None:
        about["class"] = CLASSES.get(primary.get("SPEC_CLN"), "")
    about["frame"] = "rest" if astra else "heliocentric"
    about["id"] = _identifier(path, about, row, astra)
    return about


def _identifier(path: Path, about: Mapping[str, Any], row: Row | None, astra: bool) -> str:
    if astra and about["sdss_id"] > 0:
        return str(about["sdss_id"])
    given = row.get("SPECOBJID", str) if row else None
    if given and given.strip("0 "):
        return given
    if about["plate"] >= 0 and about["mjd"] > 0:
        last = f"{about['fibre']:04d}" if about["fibre"] >= 0 else str(about["catalogid"])
        return f"{about['plate']:04d}-{about['mjd']}-{last}"
    raise ReadError(f"{path}: neither SPECOBJID nor plate, day and fibre are given: which object it is is not known")


def _cast(value: Any, kind: type) -> Any:
    try:
        return None if value is None else kind(value)
    except (TypeError, ValueError, OverflowError):
        return None
