"""Periods of real RR Lyrae as points become few, and what a period costs beside astropy's and nifty-ls' periodograms.

    python benchmarks/periods.py FOLDER

``FOLDER`` holds ``S82_RRLyr_table1.tar.gz`` and ``S82_RRLyr_table2.dat.gz`` (Sesar et al. 2010, ApJ 708, 717; in
astroML-data), and, for rates, ``--curves FILE``: a Parquet file with the list columns ``mjd``, ``mag`` and ``magerr``. A
period is right where it is within a part in 10,000 of Sesar's; "alias" is right but for one or two cycles a day.
"""

from __future__ import annotations

import argparse
import gzip
import io
import tarfile
import time
from pathlib import Path

import numpy as np

from astrofm.data import FEATURES, Batch, curve_features, find_periods
from astrofm.data.curves import Curves, pad_curves, settle
from astrofm.data.feature_names import PERIODIC

#: columns of a star's file: right ascension, declination, and time, magnitude and error in each of u g r i z
BANDS = "ugriz"
#: how points are chosen: from g; nights of all bands; and points of which no two are of one night
KINDS = ("g", "nights", "points")


def read(folder: Path) -> tuple[dict[str, np.ndarray], dict[str, tuple[str, float]]]:
    """Read the stars' tables, ``(nights, 5, 3)``, and their type and period."""
    with gzip.open(folder / "S82_RRLyr_table2.dat.gz", "rt") as file:
        truth = {line.split()[0]: (line.split()[1], float(line.split()[2])) for line in file if not line.startswith("#")}
    stars = {}
    with tarfile.open(folder / "S82_RRLyr_table1.tar.gz") as archive:
        for member in archive.getmembers():
            if member.name.endswith(".dat"):
                table = np.loadtxt(io.BytesIO(archive.extractfile(member).read()), ndmin=2)
                stars[Path(member.name).stem] = table[:, 2:].reshape(len(table), len(BANDS), 3)
    return {name: stars[name] for name in truth}, truth


def thin(stars: dict[str, np.ndarray], kind: str, count: int, seed: int = 0) -> Batch:
    """Take ``count`` points or nights of each star, at random."""
    random = np.random.default_rng(seed)
    rows, band = [], []
    for table in stars.values():
        good = (table[..., 1] > 0) & (table[..., 1] < 90) & (table[..., 2] > 0) & (table[..., 2] < 9)
        if kind == "g":
            night, place = np.nonzero(good[:, 1])[0], 1
        else:
            night, place = np.nonzero(good.any(1))[0], slice(None)
        night = random.permutation(night)[:count]
        if kind == "points":  # the bands take turns
            place = [random.permutation(np.flatnonzero(good[one]))[0] for one in night]
            part, which = table[night, place], np.array(place)
        else:
            which = np.broadcast_to(np.arange(len(BANDS)), good.shape)[night][:, place][good[night][:, place]]
            part = table[night][:, place][good[night][:, place]]
        rows.append(part)
        band.append(which.ravel())
    points, band = np.concatenate(rows), np.concatenate(band).astype(np.int16)
    starts = np.concatenate([[0], np.cumsum([len(row) for row in rows])])
    meta = {"id": list(stars), "unit": ["mag"] * len(stars)}
    return pad_curves(settle(Curves(starts, np.full(len(stars), 2400000.5), points[:, 0], points[:, 1], points[:, 2],
                                    np.zeros(len(points), bool), band, meta)), "stripe-82")


def judge(period: np.ndarray, truth: np.ndarray) -> tuple[float, float, float]:
    """Give the parts that are right, an alias of a cycle a day, and half or double."""
    right = np.abs(period / truth - 1) < 1e-4
    with np.errstate(invalid="ignore"):
        days = np.abs(1 / period - 1 / truth)
        alias = (np.abs(days - 1) < 3e-3) | (np.abs(days - 2) < 4e-3)
    twice = (np.abs(period / truth / 2 - 1) < 1e-4) | (np.abs(2 * period / truth - 1) < 1e-4)
    return right.mean(), alias.mean(), twice.mean()


def recovery(stars: dict[str, np.ndarray], truth: dict[str, tuple[str, float]], counts: list[int], workers: int) -> None:
    """Print the part of periods that are right."""
    period = np.array([truth[name][1] for name in stars])
    print(f"{len(stars)} RR Lyrae; right / alias of a day / half or double, per cent")
    print(f"{'':8s}{'':8s}{'0.04 d to the time base':>28s}{'0.2 d to 1.2 d':>28s}")
    for kind in KINDS:
        for count in counts:
            batch = thin(stars, kind, count)
            told = []
            for limits in ({}, {"shortest": 0.2, "longest": 1.2}):
                told.append(" / ".join(f"{100 * part:.1f}" for part in judge(
                    find_periods(batch, workers=workers, **limits).period, period)))
            most = int((~batch.mask).sum(1).max())
            print(f"{kind:8s}{min(count, most):6d}  {told[0]:>28s}{told[1]:>28s}", flush=True)


def types(stars: dict[str, np.ndarray], truth: dict[str, tuple[str, float]], counts: list[int], workers: int) -> None:
    """Print how well a forest of the features tells ab from c, in ten folds."""
    from sklearn.ensemble import ExtraTreesClassifier
    from sklearn.metrics import balanced_accuracy_score
    from sklearn.model_selection import StratifiedKFold, cross_val_predict

    kind = np.array([truth[name][0] for name in stars])
    print(f"\ntypes: {(kind == 'ab').sum()} ab, {(kind == 'c').sum()} c; ten folds; accuracy, and the mean of both types'")
    for name, used in (("no period", [one for one in FEATURES if one not in PERIODIC]), ("all", list(FEATURES))):
        for count in counts:
            batch = thin(stars, "nights", count)
            found = curve_features(batch, names=used, bands=BANDS, workers=workers)
            table = np.stack([found[one] for one in used], axis=1)
            forest = ExtraTreesClassifier(500, class_weight="balanced", random_state=0)
            folds = StratifiedKFold(10, shuffle=True, random_state=0)
            told = cross_val_predict(forest, np.nan_to_num(table, nan=-99.0), kind, cv=folds)
            balanced = balanced_accuracy_score(kind, told)
            print(f"{name:10s}{count:5d} nights  {(told == kind).mean():.4f}  {balanced:.4f}", flush=True)


def rates(file: Path, count: int) -> None:
    """Print curves a second of one core, in the same run and over the same frequencies."""
    import pyarrow.parquet
    from astropy.timeseries import LombScargle

    from astrofm.data.periods import OVERSAMPLING, SHORTEST

    table = pyarrow.parquet.read_table(file, columns=["mjd", "mag", "magerr"]).slice(0, count)
    columns = [[np.asarray(row, float) for row in table[name].to_pylist()] for name in table.column_names]
    starts = np.concatenate([[0], np.cumsum([len(row) for row in columns[0]])])
    points = [np.concatenate(column) for column in columns]
    meta = {"id": [str(k) for k in range(count)], "unit": ["mag"] * count}
    batch = pad_curves(settle(Curves(starts, np.full(count, 2400000.5), *points, np.zeros(len(points[0]), bool),
                                     np.zeros(len(points[0]), np.int16), meta)), "parquet")

    def grid(days: np.ndarray) -> np.ndarray:
        span = np.ptp(days)
        return np.arange(OVERSAMPLING, int(span * OVERSAMPLING / SHORTEST) + 1) / (OVERSAMPLING * span)

    def fast(row: int, method: str) -> None:
        days, magnitude, error = (column[row] for column in columns)
        LombScargle(days - days[0], magnitude, error).power(grid(days), method=method, assume_regular_frequency=True)

    def nifty(row: int) -> None:
        import nifty_ls

        days, magnitude, error = (column[row] for column in columns)
        frequency = grid(days)
        nifty_ls.lombscargle(days - days[0], magnitude, error, fmin=frequency[0], fmax=frequency[-1], Nf=len(frequency),
                             nthreads=1)

    print(f"{count} curves of {len(points[0]) / count:.0f} points, {len(grid(columns[0][0]))} frequencies; processor time")
    few = range(min(20, count))
    jobs = {"astropy, fast": lambda: [fast(row, "fast") for row in few], "nifty-ls": lambda: [nifty(row) for row in few],
            "find_periods": lambda: find_periods(batch), "curve_features": lambda: curve_features(batch)}
    find_periods(batch[:8])
    for name, job in jobs.items():
        start = time.process_time()
        try:
            job()
        except ImportError:
            print(f"{name:16s} not installed")
            continue
        spent = (time.process_time() - start) / (count if name in ("find_periods", "curve_features") else len(few))
        print(f"{name:16s}{1000 * spent:8.2f} ms a curve {1 / spent:8.0f} curves/s a core", flush=True)


def main() -> None:
    """Print tables."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("folder", type=Path, help="holds S82_RRLyr_table1.tar.gz and S82_RRLyr_table2.dat.gz")
    parser.add_argument("--curves", type=Path, metavar="FILE", help="measure rates, too: a Parquet file with a star a row, "
                        "and lists in its columns mjd, mag and magerr")
    parser.add_argument("--stars", type=int, help="only so many RR Lyrae")
    parser.add_argument("--points", type=int, nargs="+", default=[1000, 40, 30, 20, 15, 10])
    parser.add_argument("--workers", type=int, default=1)
    options = parser.parse_args()
    if options.curves:
        rates(options.curves, 200)
    stars, truth = read(options.folder)
    stars = {name: stars[name] for name in list(stars)[:options.stars]}
    recovery(stars, truth, options.points, options.workers)
    types(stars, truth, options.points, options.workers)


if __name__ == "__main__":
    main()
