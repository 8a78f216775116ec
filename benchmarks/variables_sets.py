"""Real labelled variable stars as batches: ASAS, ACVS, Hipparcos with OGLE, and EROS.

None of these surveys has a plugin: each gets a small instrument of its own here, as a user of astrofm would write one.
"""

from __future__ import annotations

import csv
import gzip
import json
import tarfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from astropy import units as u
from astropy.time import Time

from astrofm.data import Batch
from astrofm.data.curves import Curves, pad_curves, settle
from astrofm.interfaces import LightCurveInstrument


class Photometer(LightCurveInstrument):
    """A survey in magnitudes that has no plugin."""

    unit = u.mag

    def __init__(self, name: str, *bands: str):
        self.name, self.bands = name, bands
        self.example_meta = {"telescope": name}

    def matches(self, data: Any) -> bool:
        """Say whether a light curve names this telescope."""
        return data.meta.get("telescope") == self.name


#: ASAS: Pojmanski 2002, 2002AcA....52..397P; Hipparcos: ESA 1997, 1997ESASP1200.....E; OGLE: Udalski et al. 1997,
#: 1997AcA....47..319U; EROS-2: Tisserand et al. 2007, 2007A&A...469..387T
PHOTOMETERS = {"asas": Photometer("asas", "V"), "acvs": Photometer("acvs", "V"),
               "hipparcos-ogle": Photometer("hipparcos-ogle", "Hp", "I"), "eros": Photometer("eros", "b", "r")}
#: EROS counts its types only; what they are is inferred from periods and colours of the stars (MANIFEST.md beside the data)
EROS_TYPES = {1: "eclipsing", 2: "Cepheid", 3: "RR Lyrae", 4: "long-period"}
#: Julian date from which EROS-2 counts its days (Tisserand et al. 2007)
EROS_ZERO = 2447892.5


@dataclass(frozen=True, eq=False)
class LabelledSet:
    """Stars of one survey with their classes.

    Parameters
    ----------
    name : str
        Of `SETS`.
    batch : Batch
        Magnitudes.
    classes : ndarray of str, shape ``(n,)``
        As the set itself writes them.
    period : ndarray, shape ``(n,)``
        As the set gives it, days; NaN where it gives none.
    """

    name: str
    batch: Batch
    classes: np.ndarray
    period: np.ndarray

    def __len__(self) -> int:
        return len(self.classes)

    def __getitem__(self, rows: np.ndarray | slice) -> LabelledSet:
        """Select stars; the batch is as wide as before."""
        index = np.arange(len(self))[rows]
        batch = self.batch
        part = replace(batch, coordinate=batch.coordinate[index], value=batch.value[index], error=batch.error[index],
                       mask=batch.mask[index], band=batch.band[index],
                       meta={key: [column[i] for i in index] for key, column in batch.meta.items()})
        return LabelledSet(self.name, part, self.classes[index], self.period[index])

    def of_at_least(self, members: int) -> LabelledSet:
        """Keep the classes that have so many members."""
        names, counts = np.unique(self.classes, return_counts=True)
        return self[np.isin(self.classes, names[counts >= members])]


def _labelled(name: str, times: Sequence[np.ndarray], values: Sequence[np.ndarray], errors: Sequence[np.ndarray],
              zero: np.ndarray | float, ids: Sequence[str], classes: Sequence[str], *, bands: Sequence[np.ndarray] | None = None,
              period: Sequence[float] | None = None) -> LabelledSet:
    sizes = np.array([len(each) for each in times], np.int64)
    days, value, error = (np.concatenate([np.asarray(each, np.float64) for each in many]) if len(many) else np.zeros(0)
                          for many in (times, values, errors))
    band = np.zeros(len(days), np.int16) if bands is None else np.concatenate(bands).astype(np.int16)
    curves = Curves(np.concatenate([[0], np.cumsum(sizes)]), np.broadcast_to(np.asarray(zero, float), len(sizes)).copy(), days,
                    value, error, np.zeros(len(days), bool), band,
                    {"id": [str(each) for each in ids], "unit": ["mag"] * len(sizes)})
    given = np.full(len(sizes), np.nan) if period is None else np.asarray(period, float)
    return LabelledSet(name, pad_curves(settle(curves), name), np.asarray(classes, str), given)


def tdb(julian_date: float) -> float:
    """Give the Julian date (TDB) of a heliocentric one that was counted in UTC; good to seconds."""
    return float(Time(julian_date, format="jd", scale="utc").tdb.jd)


def asas(folder: Path) -> LabelledSet:
    """Read the ASAS stars of Richards et al. 2012, 2012ApJS..203...32R: ``classes.csv`` and ``light_curves.tar.gz``.

    Raises
    ------
    ValueError
        A star of ``classes.csv`` has no light curve.
    """
    with open(folder / "asas" / "classes.csv", newline="") as file:
        classes = {row["id"]: row["class"] for row in csv.DictReader(file)}
    curves = {}
    with tarfile.open(folder / "asas" / "light_curves.tar.gz") as archive:
        for member in archive:
            if member.isfile() and member.name.endswith(".dat"):
                text = archive.extractfile(member).read().decode()
                table = np.array([line.split(",") for line in text.split()], float)
                curves[Path(member.name).stem] = table.reshape(-1, 3)
    lost = sorted(set(classes) - set(curves))
    if lost:
        raise ValueError(f"{folder / 'asas'}: no light curve of {len(lost)} stars of classes.csv: {', '.join(lost[:5])}")
    tables = [curves[key] for key in classes]
    return _labelled("asas", *([table[:, k] for table in tables] for k in range(3)), tdb(2450000.0), list(classes),
                     list(classes.values()))


def _columns(path: Path, *names: str) -> list[list]:
    import pyarrow.parquet as parquet

    table = parquet.read_table(path, columns=list(names))
    return [table[name].to_pylist() if not str(table[name].type).startswith("list") else
            _lists(table[name].combine_chunks()) for name in names]


def _lists(column: Any) -> list[np.ndarray]:
    ends = column.offsets.to_numpy()
    return np.split(column.values.to_numpy(zero_copy_only=False)[:ends[-1]], ends[1:-1])


def acvs(folder: Path) -> LabelledSet:
    """Read the stars of the ASAS catalogue of variables (Pojmanski 2002): ``acvs_light_curves.parquet``."""
    ids, classes, *curves = _columns(folder / "asas" / "acvs_light_curves.parquet", "asas_id", "var_class", "hjd", "vmag",
                                     "vmag_err")
    curves[0] = [days - 2450000.0 for days in curves[0]]
    return _labelled("acvs", *curves, tdb(2450000.0), ids, classes)


def hipparcos_ogle(folder: Path) -> LabelledSet:
    """Read the stars of Debosscher et al. 2007, 2007A&A...475.1159D: ``light_curves.parquet``; OGLE's are in I.

    Raises
    ------
    ValueError
        A survey is neither of the two.
    """
    ids, classes, survey, *curves = _columns(folder / "hipparcos-ogle" / "light_curves.parquet", "id", "var_class", "survey",
                                             "time", "mag", "magerr")
    strange = sorted({each for each in survey if not each.startswith(("HIPPARCOS", "OGLE"))})
    if strange:
        raise ValueError(f"{folder / 'hipparcos-ogle'}: survey is HIPPARCOS or OGLE, not {', '.join(strange)}")
    second = [each.startswith("OGLE") for each in survey]
    curves[0] = [days - (2440000.0 if late else 0.0) for days, late in zip(curves[0], second, strict=True)]
    zero = tdb(2440000.0)
    bands = [np.full(len(days), late) for days, late in zip(curves[0], second, strict=True)]
    return _labelled("hipparcos-ogle", *curves, zero, ids, classes, bands=bands)


def eros(folder: Path) -> LabelledSet:
    """Read EROS stars in two bands: ``train.csv`` and ``train_varlength_features.csv.gz``.

    The true period is ``period / div_period``.

    Raises
    ------
    ValueError
        The two files do not name the same stars.
    """
    csv.field_size_limit(2**31 - 1)
    with open(folder / "eros" / "train.csv", newline="") as file:
        table = {row["Unnamed: 0"]: row for row in csv.DictReader(file)}
    parts: dict[str, list[list[np.ndarray]]] = {}
    with gzip.open(folder / "eros" / "train_varlength_features.csv.gz", "rt", newline="") as file:
        for row in csv.DictReader(file):
            parts[row[""]] = [[np.array(json.loads(row[f"{kind}_points_{band}"]), float) for band in "br"]
                              for kind in ("time", "light", "error")]
    if set(parts) != set(table):
        raise ValueError(f"{folder / 'eros'}: {len(set(parts) ^ set(table))} stars are in one of the two files only")
    curves = [[np.concatenate(parts[key][k]) for key in table] for k in range(3)]
    bands = [np.repeat([0, 1], [len(each) for each in parts[key][0]]) for key in table]
    classes = [EROS_TYPES[int(float(row["type"]))] for row in table.values()]
    period = [float(row["period"]) / float(row["div_period"]) for row in table.values()]
    return _labelled("eros", *curves, EROS_ZERO, list(table), classes, bands=bands, period=period)


SETS: dict[str, Callable[[Path], LabelledSet]] = {"asas": asas, "hipparcos-ogle": hipparcos_ogle, "eros": eros, "acvs": acvs}
