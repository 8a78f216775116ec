"""Light-curve files of the two missions: which product, what columns, and the arrays in them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import isfinite
from pathlib import Path
from typing import Any

import numpy as np

from astrofm.data.curves import Curves
from astrofm.data.fitscolumns import columns
from astrofm.data.fitsfile import Header, headers, read_bytes
from astrofm.data.times import FIRST, LAST
from astrofm.errors import ReadError

from .quality import KEPLER_BAD, TESS_BAD, bad_cadences

#: the headers of the primary HDU and of the first extension end within so many bytes
HEADERS = 64 * 2880
#: electrons a second
ELECTRONS = "electron / s"


@dataclass(frozen=True)
class Product:
    """What one pipeline's files hold.

    Parameters
    ----------
    name : str
        As in ``meta["product"]``.
    flux, error, quality : str
        Columns in capitals.
    unit : str
        Of the flux; empty where it is relative.
    bad : int
        Bits of ``quality`` that make a cadence bad.
    """

    name: str
    flux: str
    error: str
    quality: str
    unit: str
    bad: int


#: by instrument; the first whose columns are there is the file's. QLP renamed its columns in sector 56
PRODUCTS = {
    "tess": (Product("SPOC", "PDCSAP_FLUX", "PDCSAP_FLUX_ERR", "QUALITY", ELECTRONS, TESS_BAD),
             Product("QLP", "KSPSAP_FLUX", "KSPSAP_FLUX_ERR", "QUALITY", "", TESS_BAD),
             Product("QLP", "DET_FLUX", "DET_FLUX_ERR", "QUALITY", "", TESS_BAD)),
    "kepler": (Product("Kepler", "PDCSAP_FLUX", "PDCSAP_FLUX_ERR", "SAP_QUALITY", ELECTRONS, KEPLER_BAD),),
}
#: what the header of each mission says in TELESCOP
TELESCOPES = {"tess": "TESS", "kepler": "Kepler"}
#: our name, the headers' keyword and the type of what travels with a light curve
KEYS = (("ra", "RA_OBJ", float), ("dec", "DEC_OBJ", float), ("sector", "SECTOR", int), ("camera", "CAMERA", int),
        ("ccd", "CCD", int), ("quarter", "QUARTER", int), ("campaign", "CAMPAIGN", int), ("channel", "CHANNEL", int),
        ("tess_mag", "TESSMAG", float), ("kepler_mag", "KEPMAG", float), ("teff", "TEFF", float), ("logg", "LOGG", float),
        ("radius", "RADIUS", float), ("crowdsap", "CROWDSAP", float), ("pipeline", "PROCVER", str))


def product_of(instrument: str, names: set[str]) -> Product | None:
    """Say which product has these columns (in capitals); None for none."""
    return next((each for each in PRODUCTS[instrument] if {"TIME", each.flux, each.quality} <= names), None)


def claims(path: Path, instrument: str) -> bool:
    """Say from the headers whether a file is a light curve of the mission; never raises."""
    try:
        found = headers(path, read_bytes(path, limit=HEADERS), most=2)
    except ReadError:
        return False
    return len(found) == 2 and _telescope(found) == TELESCOPES[instrument] and _names(found[1]) >= {"TIME", "CADENCENO"}


def read_file(path: Path, instrument: str, flux: str | None = None) -> Curves:
    """Read the light curve of a file, as it stands.

    Parameters
    ----------
    path : Path
    instrument : str
    flux : str, optional
        Another column than the pipeline's corrected flux; its errors are in that of the name and ``_ERR``.

    Raises
    ------
    ReadError
        It is damaged, of another mission or product, or lacks a column.
    """
    data = read_bytes(path)
    found = headers(path, data, most=2)
    if len(found) < 2 or _telescope(found) != TELESCOPES[instrument]:
        raise ReadError(f"{path} is no light curve of {TELESCOPES[instrument]}: its header says TELESCOP = "
                        f"{_telescope(found)!r}")
    table, names = found[1], _names(found[1])
    product = product_of(instrument, names)
    if product is None:
        wanted = " or ".join(each.flux for each in PRODUCTS[instrument])
        raise ReadError(f"{path} is no light curve of a pipeline that is known here: it has the columns "
                        f"{', '.join(sorted(names)[:12]) or 'none'}, and {wanted} with TIME and a quality is wanted; a "
                        "target pixel file must be summed to a light curve first")
    value, error = (product.flux, product.error) if flux is None else (flux, f"{flux}_ERR")
    taken = columns(path, data, table, {"TIME", value, error, product.quality})
    for name in (value, error):
        if name not in taken:
            raise ReadError(f"{path} has no column {name}: it has {', '.join(sorted(names)[:16])}")
        if taken[name].ndim != 1:
            raise ReadError(f"{path}: column {name} holds images, no light curve: it is a target pixel file")
    epoch = _epoch(path, table)
    count = len(taken["TIME"])
    if not count:
        raise ReadError(f"{path} holds no cadences: fetch it again")
    quality = taken[product.quality]
    meta = {**describe(Sources(found), instrument), "product": product.name, "flux_column": value, "unit": product.unit}
    return Curves(np.array([0, count]), np.array([epoch]), _days(path, taken["TIME"], epoch), _native(taken[value]),
                  _native(taken[error]), bad_cadences(quality, product.bad), np.zeros(count, np.int16),
                  {key: [item] for key, item in meta.items()})


class Sources:
    """Several headers as one mapping; the first that knows a keyword answers."""

    def __init__(self, found: list[Header]):
        self._found = found

    def get(self, key: str, default: Any = None) -> Any:
        """Give the value of a keyword."""
        return next((header.get(key) for header in self._found if header.get(key) is not None), default)


def describe(header: Mapping[str, Any] | Sources, instrument: str) -> dict[str, Any]:
    """Pick what the headers say of the star: ``id`` and `KEYS`, those that are there."""
    name = header.get("OBJECT")
    if not isinstance(name, str) or not name.strip():
        number = header.get("TICID" if instrument == "tess" else "KEPLERID")
        name = "" if number is None else f"{'TIC' if instrument == 'tess' else 'KIC'} {number}"
    about: dict[str, Any] = {"id": name.strip()}
    for key, word, kind in KEYS:
        item = header.get(word)
        if isinstance(item, (str, int, float, np.generic)) and isinstance(item, str) == (kind is str):
            if kind is str or isfinite(item):
                about[key] = kind(item)
    return about


def _telescope(found: list[Header]) -> str | None:
    return next((str(header.get("TELESCOP")).strip() for header in found if header.get("TELESCOP") is not None), None)


def _names(header: Header) -> set[str]:
    count = header.get("TFIELDS", 0)
    fields = range(1, min(count if isinstance(count, int) else 0, 999) + 1)
    return {str(header.get(f"TTYPE{k}", "")).upper() for k in fields}


def _epoch(path: Path, header: Header) -> float:
    clock = header.get("TIMESYS", "TDB")
    whole, part = header.get("BJDREFI"), header.get("BJDREFF", 0.0)
    if str(clock).strip() != "TDB":
        raise ReadError(f"{path}: TIMESYS = {clock!r}; barycentric times are TDB: fetch it again")
    numbers = isinstance(whole, (int, float)) and isinstance(part, (int, float))
    if not numbers or not FIRST < whole + part < LAST:
        raise ReadError(f"{path}: its times count from BJDREFI = {whole!r}, BJDREFF = {part!r}, which is no date")
    return float(whole) + float(part)


def _days(path: Path, column: np.ndarray, epoch: float) -> np.ndarray:
    days = _native(column)
    known = days[np.isfinite(days)]
    if len(known) and not FIRST < epoch + known.min() <= epoch + known.max() < LAST:
        raise ReadError(f"{path}: TIME goes from {known.min():g} to {known.max():g} days after {epoch}: fetch it again")
    return days


def _native(column: np.ndarray) -> np.ndarray:
    with np.errstate(invalid="ignore"):
        return column.astype(np.float64)
