"""The tables that ZTF's light curves come in, by their columns."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from pathlib import Path

import numpy as np
from astropy.time import Time

from astrofm.data.curves import Curves
from astrofm.data.magnitudes import blank_magnitudes
from astrofm.data.tables import Ragged, as_numbers, column_names, read_columns, true_cells
from astrofm.data.times import tdb_days
from astrofm.errors import DataError, ReadError

from .stars import same_star

#: bit of catflags of epochs that are not usable: clouds, moonlight, bad calibration (ZTF Science Data System, section 9b)
BAD_EPOCH = 32768
#: what ALeRCE's columns are called, in its database and since 2024
ALERCE = {"mag": ("magpsf_corr", "mag_corr"), "error": ("sigmapsf_corr_ext", "e_mag_corr_ext", "sigmapsf_corr", "e_mag_corr")}
#: columns that any layout may have
WANTED = frozenset({"oid", "objectid", "hjd", "mjd", "hmjd", "mag", "magerr", "catflags", "filtercode", "filter", "filterid",
                    "fid", "ra", "dec", "objra", "objdec", "corrected", "dubious"}
                   | {name for names in ALERCE.values() for name in names})
Columns = Mapping[str, "np.ndarray | Ragged"]
#: from codes or names of bands to the place in g, r, i, and whether there is one
Bands = Callable[[np.ndarray], tuple[np.ndarray, np.ndarray]]


def layout_of(names: Collection[str]) -> str:
    """Say which layout these columns (lower case) make: "irsa", "release", "alerce", or ""."""
    names = set(names)
    if {"oid", "fid", "mjd"} <= names and names & set(ALERCE["mag"]) and names & set(ALERCE["error"]):
        return "alerce"
    if {"oid", "mjd", "mag", "magerr", "catflags", "filtercode"} <= names:
        return "irsa"
    bulk = {"mag", "magerr", "catflags"} <= names and names & {"oid", "objectid"} and names & {"hmjd", "mjd"}
    return "release" if bulk and names & {"filter", "filterid"} else ""


def read_file(path: Path, bands: Bands) -> Curves:
    """Read the stars of a table, as it stands.

    Raises
    ------
    ReadError
        It is damaged, empty, or of no layout that is known.
    """
    names = column_names(path)
    layout = layout_of(names)
    columns = read_columns(path, WANTED)
    if not layout:
        if {"fid", "magpsf"} <= set(names):
            raise ReadError(f"{path} has magpsf, the brightness of a difference of images, and no magpsf_corr, that of the "
                            "star: fetch ALeRCE's corrected detections")
        raise ReadError(f"{path} is no table of ZTF light curves that is known: it has the columns "
                        f"{', '.join(names[:12]) or 'none'}; IRSA's has oid, mjd, mag, magerr, catflags, filtercode")
    if layout_of(columns) != layout:
        raise ReadError(f"{path} names columns in its header that are not in it: fetch it again")
    if not len(next(iter(columns.values()))):
        raise ReadError(f"{path} holds no measurements: nothing was found there, or fetch it again")
    return {"irsa": _irsa, "release": _release, "alerce": _alerce}[layout](columns, bands)


def _irsa(columns: Columns, bands: Bands) -> Curves:
    """One row a measurement; several oids may be one star."""
    oid = _ids(columns["oid"], "oid")
    ra, dec = (as_numbers(columns[name], name) if name in columns else None for name in ("ra", "dec"))
    star, about = same_star(oid, ra, dec)
    bad = _flags(columns["catflags"])
    return _from_rows(star, about, columns, columns["mag"], columns["magerr"], bad, bands(columns["filtercode"]))


def _alerce(columns: Columns, bands: Bands) -> Curves:
    """One row a detection; an oid is a star."""
    _, first, star = np.unique(columns["oid"], return_index=True, return_inverse=True)
    order = np.argsort(np.argsort(first))
    star, first = order[star.reshape(-1)], np.sort(first)
    about = {"id": [str(name) for name in columns["oid"][first].tolist()]}
    magnitude, error = (next(columns[name] for name in ALERCE[role] if name in columns) for role in ("mag", "error"))
    bad = true_cells(columns.get("dubious", False)) | ~true_cells(columns.get("corrected", True)) | np.zeros(len(star), bool)
    return _from_rows(star, about, columns, magnitude, error, bad, bands(columns["fid"]))


def _release(columns: Columns, bands: Bands) -> Curves:
    """One row a star in one band, its measurements as lists."""
    lists = {name: columns[name] for name in ("mag", "magerr", "catflags", "hmjd", "mjd") if name in columns}
    flat = {name: column for name, column in lists.items() if not isinstance(column, Ragged)}
    if flat:
        raise DataError(f"columns {', '.join(flat)} hold single numbers; in the data releases each row has lists of them")
    starts = lists["mag"].starts
    for name, column in lists.items():
        if not np.array_equal(column.starts, starts):
            raise DataError(f"the lists in {name} are of other lengths than those in mag")
    epoch, days, heliocentric = _times({name: column.values for name, column in lists.items()})
    magnitude, error = blank_magnitudes(lists["mag"].values, lists["magerr"].values)
    oid = _ids(columns.get("oid", columns.get("objectid")), "oid")
    band, known = bands(columns.get("filterid", columns.get("filter")))
    sizes = np.diff(starts)
    meta = {"id": [str(number) for number in oid.tolist()], "time_reference": [heliocentric] * len(oid)}
    for name, other in (("ra", "objra"), ("dec", "objdec")):
        if name in columns or other in columns:
            meta[name] = as_numbers(columns.get(name, columns.get(other)), name).tolist()
    bad, band = _flags(lists["catflags"].values) | ~np.repeat(known, sizes), np.repeat(band, sizes)
    return Curves(starts, np.full(len(oid), epoch), days, magnitude, error, bad, band.astype(np.int16), meta)


def _from_rows(star: np.ndarray, about: dict, columns: Columns, magnitude: np.ndarray, error: np.ndarray, bad: np.ndarray,
               band: tuple[np.ndarray, np.ndarray]) -> Curves:
    """Bring the rows of each star together, in their order."""
    epoch, days, reference = _times(columns)
    magnitude, error = blank_magnitudes(as_numbers(magnitude, "mag"), as_numbers(error, "magerr"))
    order, count = np.argsort(star, kind="stable"), len(about["id"])
    starts = np.concatenate([[0], np.cumsum(np.bincount(star, minlength=count))])
    return Curves(starts, np.full(count, epoch), days[order], magnitude[order], error[order], (bad | ~band[1])[order],
                  band[0][order], {**about, "time_reference": [reference] * count})


def _times(columns: Columns) -> tuple[float, np.ndarray, str]:
    """Give an epoch, days since it, and to where the light's way was corrected: heliocentric times come first."""
    name, form = next((name, form) for name, form in (("hjd", "jd"), ("hmjd", "mjd"), ("mjd", "mjd")) if name in columns)
    numbers = as_numbers(columns[name], name)
    if not np.isfinite(numbers).all():
        numbers = np.ma.masked_invalid(numbers)
    return *tdb_days(Time(numbers, format=form, scale="utc")), "observer" if name == "mjd" else "heliocentric"


def _flags(catflags: np.ndarray) -> np.ndarray:
    return np.nan_to_num(as_numbers(catflags, "catflags"), nan=BAD_EPOCH).astype(np.int64) & BAD_EPOCH != 0


def _ids(column: np.ndarray, name: str) -> np.ndarray:
    if column.dtype.kind not in "iu":
        raise DataError(f"{name} holds {column.dtype} and not whole numbers: the ids have lost digits, or are missing")
    return column
