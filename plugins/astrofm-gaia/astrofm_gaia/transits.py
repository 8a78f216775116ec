"""Epoch photometry in every layout that the archives serve it in, by column names."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from astropy.time import Time

from astrofm.data.curves import Curves
from astrofm.data.tables import Ragged, as_numbers, column_names, read_columns, true_cells
from astrofm.data.times import tdb_days
from astrofm.errors import DataError, ReadError

from .text import parse_arrays

#: times are barycentric days (TCB) since this Julian date, 2010-01-01T00:00:00
ORIGIN = 2455197.5
BANDS = ("G", "BP", "RP")
Columns = Mapping[str, "np.ndarray | Ragged"]


@dataclass(frozen=True)
class Wide:
    """Names of the columns of one band where a row is a transit: lower case.

    Parameters
    ----------
    time, flux, error : str
    over_error : str
        Flux over error, for tables without ``error``.
    flags : tuple of str
        Each says, where it is true, that the measurement is bad.
    """

    time: str
    flux: str
    error: str
    over_error: str
    flags: tuple[str, ...]


ARCHIVE = (Wide("g_transit_time", "g_transit_flux", "g_transit_flux_error", "g_transit_flux_over_error",
                ("variability_flag_g_reject", "rejected_by_photometry", "photometry_flag_noisy_data")),
           *(Wide(f"{band}_obs_time", f"{band}_flux", f"{band}_flux_error", f"{band}_flux_over_error",
                  (f"variability_flag_{band}_reject", "rejected_by_photometry", f"photometry_flag_{band}_reject",
                   f"photometry_flag_{band}_unavailable")) for band in ("bp", "rp")))
VIZIER = (Wide("timeg", "fg", "e_fg", "rfg", ("noisyflag", "grvflag")),
          *(Wide(f"time{band}", f"f{band}", f"e_f{band}", f"rf{band}", (f"{band}uflag", f"{band}rflag", f"{band}rvflag"))
            for band in ("bp", "rp")))
#: where a row is a transit in one band
LONG = frozenset({"band", "time", "flux", "flux_error"})
LONG_FLAGS = ("rejected_by_photometry", "rejected_by_variability")
WANTED = LONG | {"source_id", "source", "transit_id", *LONG_FLAGS} | {
    name for table in (ARCHIVE, VIZIER) for band in table for name in (band.time, band.flux, band.error, band.over_error,
                                                                       *band.flags)}


def layout_of(names: Collection[str]) -> str:
    """Say which layout these columns (lower case) make: "long", "archive", "vizier", or ""."""
    names = set(names)
    for layout, bands in (("archive", ARCHIVE), ("vizier", VIZIER)):
        if {bands[0].time, bands[0].flux} <= names and names & {bands[0].error, bands[0].over_error}:
            return layout
    return "long" if LONG <= names and names & {"transit_id", *LONG_FLAGS} else ""


def read_table(path: Path, places: Callable[[np.ndarray], tuple[np.ndarray, np.ndarray]], data: bytes | None = None,
               name: str = "") -> Curves:
    """Read the light curves of a table, as it stands.

    Parameters
    ----------
    path : Path
    places : callable
        From names of bands to their places, and whether there is one.
    data : bytes, optional
        What is in a member of an archive.
    name : str
        Of the member; the source's id is in it where the table has no column of them.

    Raises
    ------
    ReadError
        It is damaged, empty, or of no layout that is known.
    """
    names = column_names(path if data is None else data)
    layout = layout_of(names)
    columns = {key: _arrays(column, key) for key, column in read_columns(path, WANTED, data).items()}
    if not layout:
        raise ReadError(f"{path} is no epoch photometry: it has the columns {', '.join(names[:12]) or 'none'}; DataLink's "
                        "has g_transit_time, g_transit_flux, g_transit_flux_error and so on, or band, time, flux, flux_error")
    if layout_of(columns) != layout:
        raise ReadError(f"{path} names columns in its header that are not in it: fetch it again")
    if not len(next(iter(columns.values()))):
        raise ReadError(f"{path} holds no transits: Gaia DR3 has epoch photometry of variable sources and of one field only")
    if layout == "long":
        return _long(columns, places, name or Path(path).name)
    return _wide(columns, ARCHIVE if layout == "archive" else VIZIER, name or Path(path).name)


def _long(columns: Columns, places: Callable[[np.ndarray], tuple[np.ndarray, np.ndarray]], name: str) -> Curves:
    if any(isinstance(column, Ragged) for column in columns.values()):
        raise DataError("it has a column of bands and arrays, too: no archive serves that")
    band, known = places(columns["band"])
    bad = ~known
    for flag in LONG_FLAGS:
        bad = bad | true_cells(columns.get(flag, False))
    star, ids = _stars(columns, len(band), name)
    time, flux, error = (as_numbers(columns[key], key) for key in ("time", "flux", "flux_error"))
    return _curves(star, ids, time, flux, error, bad, band)


def _wide(columns: Columns, layout: tuple[Wide, ...], name: str) -> Curves:
    ragged = isinstance(columns[layout[0].time], Ragged)
    if ragged:  # a row is a source
        starts = columns[layout[0].time].starts
        _, ids = _stars(columns, len(starts) - 1, name, unique=False)
        star = np.repeat(np.arange(len(ids)), np.diff(starts))
        columns = {key: _flat(column, key, starts) for key, column in columns.items() if isinstance(column, Ragged)}
    else:
        star, ids = _stars(columns, len(columns[layout[0].time]), name)
    parts = [_of_band(columns, band, len(star)) for band in layout]
    time, flux, error, bad = (np.stack([part[k] for part in parts], 1).reshape(-1) for k in range(4))
    band = np.tile(np.arange(len(layout), dtype=np.int16), len(star))
    there = np.isfinite(time) | np.isfinite(flux)  # a band that saw nothing is no bad measurement
    return _curves(np.repeat(star, len(layout))[there], ids, *(array[there] for array in (time, flux, error, bad, band)))


def _of_band(columns: Columns, band: Wide, count: int) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    nothing = np.full(count, np.nan)
    time, flux = (as_numbers(columns.get(key, nothing), key) for key in (band.time, band.flux))
    if band.error in columns:
        error = as_numbers(columns[band.error], band.error)
    else:
        with np.errstate(divide="ignore", invalid="ignore"):
            error = flux / as_numbers(columns.get(band.over_error, nothing), band.over_error)
    bad = np.zeros(count, bool)
    for flag in band.flags:
        bad |= true_cells(columns.get(flag, False))
    return time, flux, error, bad


def _curves(star: np.ndarray, ids: list[int], time: np.ndarray, flux: np.ndarray, error: np.ndarray, bad: np.ndarray,
            band: np.ndarray) -> Curves:
    known = np.isfinite(time)
    epoch, days = tdb_days(Time(np.full(len(time), ORIGIN), np.where(known, time, 0.0), format="jd", scale="tcb"))
    days = np.where(known, days, np.nan)
    order, count = np.argsort(star, kind="stable"), len(ids)
    starts = np.concatenate([[0], np.cumsum(np.bincount(star, minlength=count))])
    meta = {"id": [str(number) if number >= 0 else "" for number in ids], "source_id": ids,
            "time_reference": ["barycentric"] * count}
    return Curves(starts, np.full(count, epoch), days[order], flux[order], error[order], bad[order],
                  band[order].astype(np.int16), meta)


def _stars(columns: Columns, rows: int, name: str, *, unique: bool = True) -> tuple[np.ndarray, list[int]]:
    """Give the star of each row, counted in the order they come, and their source ids; -1 where nothing says it."""
    column = columns.get("source_id", columns.get("source"))
    if column is None:
        found = re.search(r"Gaia\s*E?DR\d\s*(\d{5,19})", name)
        return np.zeros(rows, int), [int(found[1]) if found else -1] * (1 if unique else rows)
    if isinstance(column, Ragged) or column.dtype.kind not in "iu":
        raise DataError("source_id holds no whole numbers: a float column has lost its digits, or some are missing")
    if not unique:
        return np.arange(rows), column.tolist()
    ids, first, star = np.unique(column, return_index=True, return_inverse=True)
    place = np.argsort(np.argsort(first))
    return place[star.reshape(-1)], column[np.sort(first)].tolist()


def _arrays(column: np.ndarray | Ragged, name: str) -> np.ndarray | Ragged:
    """Make arrays of cells of text such as ``(1.0, 2.0)`` or ``[true,false]``."""
    if isinstance(column, Ragged) or column.dtype.kind != "U" or not _opens(column):
        return column
    cells = np.char.lower(column)
    for word, number in (("true", "1"), ("false", "0")):
        cells = np.char.replace(cells, word, number)
    rows = parse_arrays(cells.tolist(), name)
    return Ragged(np.concatenate(rows), np.cumsum([0, *map(len, rows)]))


def _flat(column: Ragged, name: str, starts: np.ndarray) -> np.ndarray:
    if not np.array_equal(column.starts, starts):
        raise DataError(f"the arrays in {name} are of other lengths than the times")
    return column.values


def _opens(column: np.ndarray) -> bool:
    return bool((np.char.startswith(column, "(") | np.char.startswith(column, "[")).any())
