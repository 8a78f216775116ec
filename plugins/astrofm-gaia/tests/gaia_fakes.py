"""Write small fakes in the layouts of the archive, from seeded random numbers."""

from __future__ import annotations

import gzip
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from astropy.io import fits, votable
from astropy.table import MaskedColumn, Table

ARRAYS = [f"{band}_{what}" for band in ("bp", "rp")
          for what in ("coefficients", "coefficient_errors", "coefficient_correlations")]


def fake_table(n: int, *, no_bp: Sequence[int] = (), no_rp: Sequence[int] = (),
               twice: Sequence[tuple[int, int]] = (), seed: int = 3) -> dict[str, list]:
    """Make ``n`` continuous spectra as columns of lists; a missing photometer is an empty array."""
    random = np.random.default_rng(seed)
    rows = np.tril_indices(55, -1)
    table: dict[str, list] = {"source_id": [5853498713190525000 + 7 * i for i in range(n)],
                              "ra": list(random.uniform(0, 360, n)), "dec": list(random.uniform(-90, 90, n))}
    for band, absent in (("bp", no_bp), ("rp", no_rp)):
        for name in ("n_parameters", "standard_deviation", *(a[3:] for a in ARRAYS[:3])):
            table[f"{band}_{name}"] = []
        for row in range(n):
            here = row not in absent
            coefficients = 3e4 * random.normal(1, 0.1) * random.normal(0, 1, 55) / np.arange(1, 56) ** 2
            coefficients[0] = abs(coefficients[0]) + 3e4
            noise = random.normal(0, 1, (400, 55)) + 0.5 * random.normal(0, 1, (400, 1))
            values = (coefficients, random.uniform(20, 60, 55) / np.sqrt(np.arange(1, 56)),
                      np.corrcoef(noise.T)[rows])
            for name, value, kind in zip(ARRAYS[:3], values, ("f8", "f4", "f4"), strict=True):
                table[band + name[2:]].append(value.astype(kind) if here else np.empty(0, kind))
            table[f"{band}_n_parameters"].append(55 if here else None)
            table[f"{band}_standard_deviation"].append(random.uniform(1, 1.3) if here else None)
    for one, other in twice:
        for column in table.values():
            column[other] = column[one]
    return table


def fake_sampled(n: int, seed: int = 4) -> dict[str, list]:
    """Make ``n`` sampled spectra as columns of lists."""
    random = np.random.default_rng(seed)
    flux = [(1e-15 * random.uniform(0.5, 2, 343)).astype("f4") for _ in range(n)]
    return {"source_id": [4295806720 + i for i in range(n)], "ra": list(random.uniform(0, 360, n)),
            "dec": list(random.uniform(-90, 90, n)), "flux": flux, "flux_error": [f / 50 for f in flux]}


def cell(value, brackets: str = "()", empty: str = "") -> str:
    """Write one cell as the archive does: exactly."""
    if value is None or np.size(value) == 0:
        return empty
    if np.ndim(value) == 0:
        return str(value)
    return '"' + brackets[0] + ",".join(str(x) for x in value) + brackets[1] + '"'


def write(table: dict[str, list], path: Path, layout: str) -> Path:
    """Write a table of lists as csv, csv.gz, ecsv, fits, fits.gz, fixed.fits, xml or parquet."""
    path = path / f"XP.{layout}"
    if layout in ("csv", "csv.gz", "ecsv"):
        text = _text(table, ecsv=layout == "ecsv").encode()
        path.write_bytes(gzip.compress(text) if layout.endswith("gz") else text)
    elif layout in ("fits", "fits.gz", "fixed.fits"):
        _fits(table, fixed=layout.startswith("fixed")).writeto(path)
    elif layout == "xml":
        votable.from_table(_astropy(table)).to_xml(str(path), tabledata_format="binary2")
    else:
        import pyarrow
        import pyarrow.parquet

        columns = {name: [item if item is None or np.size(item) else None for item in column]
                   for name, column in table.items()}
        pyarrow.parquet.write_table(pyarrow.table(columns), path)
    return path


def _text(table: dict[str, list], *, ecsv: bool) -> str:
    head = "# %ECSV 1.0\n# ---\n# delimiter: ','\n# datatype:\n" if ecsv else ""
    style = ("[]", "null") if ecsv else ("()", "")
    lines = [",".join(cell(value, *style) for value in row) for row in zip(*table.values(), strict=True)]
    return head + "\n".join([",".join(table), *lines]) + "\n"


def _astropy(table: dict[str, list]) -> Table:
    columns = {}
    for name, column in table.items():
        if any(np.ndim(item) for item in column):
            columns[name] = np.empty(len(column), object)
            columns[name][:] = [np.ma.array(item, float, mask=np.zeros(len(item), bool))
                                for item in column]
        else:
            bare = [item is None for item in column]
            columns[name] = MaskedColumn([0 if item is None else item for item in column], mask=bare)
    return Table(columns)


def _fits(table: dict[str, list], *, fixed: bool) -> fits.BinTableHDU:
    columns = []
    for name, column in table.items():
        if any(np.ndim(item) for item in column):
            length = max(map(len, column))
            kind = "D" if name.endswith(("coefficients", "_time")) else "E"
            if fixed:
                full = np.array([item if len(item) else np.full(length, np.nan) for item in column])
                columns.append(fits.Column(name, f"{length}{kind}", array=full))
            else:
                ragged = np.empty(len(column), object)
                ragged[:] = column
                columns.append(fits.Column(name, f"P{kind}({length})", array=ragged))
        else:
            kind = "K" if name == "source_id" else "D"
            columns.append(fits.Column(name, kind, array=[np.nan if x is None else x for x in column]))
    return fits.BinTableHDU.from_columns(columns)
