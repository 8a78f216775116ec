"""Epoch photometry in the layouts of DataLink and VizieR: made here, small."""

from __future__ import annotations

import zipfile
from pathlib import Path

import numpy as np
from astropy.table import MaskedColumn, Table
from gaia_fakes import write as write_arrays

SOURCE = 1420761029600606592
#: transits of which BP was not measured, G was rejected by variability, all was rejected by photometry
NO_BP, G_REJECTED, REJECTED = 3, 5, 7


def transits(source: int = SOURCE, count: int = 12, seed: int = 0) -> Table:
    """Make DataLink's table of one source: a row a transit, and the columns that DR3 serves."""
    random = np.random.default_rng(seed)
    time = 1700 + np.sort(random.uniform(0, 900, count))
    table = Table({"solution_id": np.full(count, 375316653866487564), "source_id": np.full(count, source),
                   "transit_id": 18766825743095534 + np.arange(count)})
    for band, name, level in (("g", "g_transit", 6000), ("bp", "bp", 4500), ("rp", "rp", 2500)):
        flux = level * (1 + 0.1 * random.standard_normal(count))
        error = 0.004 * flux
        columns = {"g_transit_time" if band == "g" else f"{band}_obs_time": time + (0 if band == "g" else 3e-4),
                   f"{name}_flux": flux, f"{name}_flux_error": error, f"{name}_flux_over_error": (flux / error).astype("f4"),
                   f"{name}_mag": 25.7 - 2.5 * np.log10(flux)}
        for key, column in columns.items():
            table[key] = MaskedColumn(column, mask=(band == "bp") & (np.arange(count) == NO_BP))
    for band in ("g", "bp", "rp"):
        table[f"variability_flag_{band}_reject"] = (np.arange(count) == G_REJECTED) & (band == "g")
        table[f"{band}_other_flags"] = np.zeros(count, int)
    table["rejected_by_photometry"] = np.arange(count) == REJECTED
    return table


def by_band(table: Table) -> Table:
    """Write the same as a row a transit and band, as DataLink does, too."""
    rows: dict[str, list] = {}
    for band, time, name in (("G", "g_transit_time", "g_transit"), ("BP", "bp_obs_time", "bp"), ("RP", "rp_obs_time", "rp")):
        part = table[~np.ma.getmaskarray(table[time].data)] if np.ma.is_masked(table[time].data) else table
        columns = {"source_id": part["source_id"], "transit_id": part["transit_id"], "band": np.full(len(part), band),
                   "time": part[time], "mag": part[f"{name}_mag"], "flux": part[f"{name}_flux"],
                   "flux_error": part[f"{name}_flux_error"], "flux_over_error": part[f"{name}_flux_over_error"],
                   "rejected_by_photometry": part["rejected_by_photometry"],
                   "rejected_by_variability": part[f"variability_flag_{band.lower()}_reject"],
                   "other_flags": part[f"{band.lower()}_other_flags"]}
        for key, column in columns.items():
            rows.setdefault(key, []).append(np.asarray(column))
    return Table({key: np.concatenate(parts) for key, parts in rows.items()})


def raw(*tables: Table) -> dict[str, list]:
    """Write sources as a row each, with arrays, as DataLink's RAW structure does; flags as 0 and 1."""
    found: dict[str, list] = {"source_id": [int(table["source_id"][0]) for table in tables],
                              "n_transits": [len(table) for table in tables]}
    for name in tables[0].colnames[3:]:
        if "other_flags" not in name:
            found[name] = [np.ma.filled(np.ma.asarray(table[name]).astype(float), np.nan) for table in tables]
    return found


def vizier(table: Table) -> Table:
    """Write VizieR's names for the same."""
    new = Table({"Source": table["source_id"], "TransitID": table["transit_id"]})
    for band, time, name in (("G", "g_transit_time", "g_transit"), ("BP", "bp_obs_time", "bp"), ("RP", "rp_obs_time", "rp")):
        for key, column in (("Time", time), ("F", f"{name}_flux"), ("e_F", f"{name}_flux_error")):
            new[f"{key}{band}"] = table[column]
    new["noisyFlag"] = table["rejected_by_photometry"].astype(int)
    new["GrVFlag"] = table["variability_flag_g_reject"].astype(int)
    for band in ("BP", "RP"):
        new[f"{band}uFlag"] = table["rejected_by_photometry"].astype(int)
    return new


def write(table: Table | dict, folder: Path, layout: str) -> Path:
    """Write a table as csv, ecsv, votable, fits or parquet; one of arrays (a dict) as `gaia_fakes.write` does."""
    if isinstance(table, dict):
        return write_arrays(table, folder, {"votable": "xml"}.get(layout, layout))
    path = folder / f"EPOCH_PHOTOMETRY-Gaia DR3 {SOURCE}.{layout}"
    form = {"csv": "ascii.csv", "ecsv": "ascii.ecsv"}.get(layout, layout)
    if layout in ("csv", "ecsv"):
        table.write(path, format=form, delimiter=",", overwrite=True)
    elif layout == "parquet":
        import pyarrow
        import pyarrow.parquet

        columns = {name: pyarrow.array(np.ma.getdata(table[name]), mask=np.ma.getmaskarray(np.ma.asarray(table[name])))
                   for name in table.colnames}
        pyarrow.parquet.write_table(pyarrow.table(columns), path)
    else:
        table.write(path, format=form, overwrite=True)
    return path


def pack(paths: list[Path], archive: Path) -> Path:
    """Pack files as DataLink sends them."""
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as packed:
        for path in paths:
            packed.write(path, path.name)
    return archive
