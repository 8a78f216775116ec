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


def _labelled(name: str, zero: float, ids: Sequence[str], classes: Sequence[str], times: Sequence[np.ndarray],
              values: Sequence[np.ndarray], errors: Sequence[np.ndarray], *, bands: Sequence[np.ndarray] | None = None,
              period: Sequence[float] | None = None, **columns: Sequence[Any]) -> LabelledSet:
    sizes = np.array([len(each) for each in times], np.int64)
    days, value, error = (np.concatenate([np.asarray(each, np.float64) for each in many])
                          for many in (times, values, errors))
    band = np.zeros(len(days), np.int16) if bands is None else np.concatenate(bands).astype(np.int16)
    meta = {"id": [str(each) for each in ids], "unit": ["mag"] * len(sizes), **columns}
    curves = Curves(np.concatenate([[0], np.cumsum(sizes)]), np.full(len(sizes), zero), days, value, error,
                    np.zeros(len(days), bool), band, meta)
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
    return _labelled("asas", tdb(2450000.0), list(classes), list(classes.values()),
                     *([table[:, k] for table in tables] for k in range(3)))


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
    ids, classes, ra, dec, *curves = _columns(folder / "asas" / "acvs_light_curves.parquet", "asas_id", "var_class", "ra",
                                              "dec", "hjd", "vmag", "vmag_err")
    curves[0] = [days - 2450000.0 for days in curves[0]]
    return _labelled("acvs", tdb(2450000.0), ids, classes, *curves, ra=ra, dec=dec)


def hipparcos_ogle(folder: Path) -> LabelledSet:
    """Read the stars of Debosscher et al. 2007, 2007A&A...475.1159D: ``light_curves.parquet``; OGLE's are in I.

    Raises
    ------
    ValueError
        A survey is neither of the two.
    """
    ids, classes, survey, ra, dec, *curves = _columns(folder / "hipparcos-ogle" / "light_curves.parquet", "id", "var_class",
                                                      "survey", "ra", "dec", "time", "mag", "magerr")
    strange = sorted({each for each in survey if not each.startswith(("HIPPARCOS", "OGLE"))})
    if strange:
        raise ValueError(f"{folder / 'hipparcos-ogle'}: survey is HIPPARCOS or OGLE, not {', '.join(strange)}")
    second = [each.startswith("OGLE") for each in survey]
    curves[0] = [days - (2440000.0 if late else 0.0) for days, late in zip(curves[0], second, strict=True)]
    bands = [np.full(len(days), late) for days, late in zip(curves[0], second, strict=True)]
    return _labelled("hipparcos-ogle", 2440000.0, ids, classes, *curves, bands=bands, ra=ra, dec=dec)


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
    return _labelled("eros", EROS_ZERO, list(table), classes, *curves, bands=bands, period=period)


def starembed(folder: Path, part: str, class_column: str) -> LabelledSet:
    """Read a part of StarEmbed's stars (Li et al. 2025, arXiv:2510.06200): ``<part>-*.parquet`` of its data set ZTF_40k.

    Each row has a ``sourceid`` and ``bands_data``, with ``mjd``, ``target`` (taken to be magnitudes) and
    ``past_feat_dynamic_real`` (taken to be their errors) for the bands g, r and i.

    Raises
    ------
    ValueError
        There are no such files, or the lists of a band are not of one length.
    """
    import pyarrow.parquet as parquet

    files = sorted(folder.rglob(f"{part}-*.parquet"))
    if not files:
        raise ValueError(f"no {part}-*.parquet in {folder}: download the data set StarEmbed/ZTF_40k there")
    curves, bands, ids, classes = ([], [], []), [], [], []
    for file in files:
        table = parquet.read_table(file, columns=["sourceid", "bands_data", class_column])
        ids += table["sourceid"].to_pylist()
        classes += map(str, table[class_column].to_pylist())
        for row in table["bands_data"].to_pylist():
            lists = [[(row.get(band) or {}).get(key) or [] for band in "gri"]
                     for key in ("mjd", "target", "past_feat_dynamic_real")]
            sizes = [list(map(len, each)) for each in lists]
            if sizes[0] != sizes[1] or sizes[0] != sizes[2]:
                raise ValueError(f"{file}: a star has {sizes[0]} times, {sizes[1]} values, {sizes[2]} errors in g, r and i")
            for kept, each in zip(curves, lists, strict=True):
                kept.append(np.concatenate([np.asarray(one, float) for one in each]))
            bands.append(np.repeat([0, 1, 2], sizes[0]))
    return _labelled("ztf", 2400000.5, ids, classes, *curves, bands=bands)


def in_one_band(stars: LabelledSet) -> LabelledSet:
    """Show each star in the band that has most of its good points, which becomes the first; the others are masked."""
    batch = stars.batch
    good = np.stack([(~batch.mask & (batch.band == band)).sum(1) for band in range(int(batch.band.max(initial=0)) + 1)], 1)
    mask = batch.mask | (batch.band != good.argmax(1)[:, None])
    value, error = np.where(mask, 0, batch.value), np.where(mask, 0, batch.error)
    return replace(stars, batch=replace(batch, value=value, error=error, mask=mask, band=np.zeros_like(batch.band)))


def same_stars(one: LabelledSet, other: LabelledSet, *, near: float = 60.0) -> np.ndarray:
    """Find the stars of ``one`` that are in ``other``, too; bool, shape ``(n,)``.

    By place where both have ``ra`` and ``dec`` (degrees): within ``near`` arcseconds. Else by points: a third of a star's
    times are also times of the other, within 10 s, with magnitudes that differ by less than 0.02 mag from a constant (median)
    and go together (correlation above 0.5), as the same photometer's have it. Sets of which neither tells are taken to
    share no star.
    """
    found = np.zeros(len(one), bool)
    if "ra" in one.batch.meta and "ra" in other.batch.meta:
        here, there = (np.deg2rad([s.batch.meta["ra"], s.batch.meta["dec"]]) for s in (one, other))
        ends = [np.stack([np.cos(d) * np.cos(a), np.cos(d) * np.sin(a), np.sin(d)], 1) for a, d in (here, there)]
        for star in range(len(one)):
            found[star] = (np.linalg.norm(ends[1] - ends[0][star], axis=1) < np.deg2rad(near / 3600)).any()
        return found
    days, values, middle = [], [], []
    for batch in (one.batch, other.batch):
        good = [~mask for mask in batch.mask]
        days.append([(batch.coordinate[i][own] + batch.meta["first_time"][i]) for i, own in enumerate(good)])
        values.append([batch.value[i][own].astype(float) for i, own in enumerate(good)])
        middle.append(np.array([np.median(value) if len(value) else np.nan for value in values[-1]]))
    for star, (day, value) in enumerate(zip(days[0], values[0], strict=True)):
        for rival in np.flatnonzero(np.abs(middle[1] - middle[0][star]) < 0.5):
            place = np.minimum(np.searchsorted(days[1][rival], day - 1e-4), len(days[1][rival]) - 1)
            both = np.abs(days[1][rival][place] - day) < 1.2e-4
            if both.sum() > max(5, len(day) / 3):
                own, its = value[both], values[1][rival][place[both]]
                gap = own - its
                alike = np.median(np.abs(gap - np.median(gap))) < 0.02
                found[star] |= alike and np.ptp(own) > 0 and np.ptp(its) > 0 and np.corrcoef(own, its)[0, 1] > 0.5
    return found


SETS: dict[str, Callable[[Path], LabelledSet]] = {"asas": asas, "hipparcos-ogle": hipparcos_ogle, "eros": eros, "acvs": acvs}
