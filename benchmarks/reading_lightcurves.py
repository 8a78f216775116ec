"""Read light curves in bulk, and by a loop over astropy's readers, in the same run.

    python benchmarks/reading_lightcurves.py --data DATA

DATA is a folder with ``tess`` and ``ztf`` in it. Real files of TESS and Kepler are copied until there are many; the
loop reads each by ``TimeSeries.read`` and samples it, or only reads it. The real Parquet file of a ZTF data release
is read to batches, and star by star into a TimeSeries that is sampled; a table of IRSA's with many stars is written
from it as CSV, and read by astropy's ``Table.read`` alone, and star by star. Both ways must give the same numbers.
Medians of alternating runs.
"""

from __future__ import annotations

import argparse
import os
import shutil
import tempfile
import time
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
from astropy.table import Table
from astropy.timeseries import TimeSeries

import astrofm
from astrofm.data import Batch, Sample
from astrofm.interfaces import LightCurveInstrument
from astrofm.registry import get_instrument


def compare(ways: dict[str, Callable[[], object]], repeats: int, count: int, what: str) -> None:
    """Time the ways in turn, and print the rate of each and how many times faster the last is."""
    times: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(repeats):
        for name, way in ways.items():
            start = time.perf_counter()
            way()
            times[name].append(time.perf_counter() - start)
    medians = {name: float(np.median(taken)) for name, taken in times.items()}
    fastest = list(medians.values())[-1]
    for name, median in medians.items():
        print(f"{what:24s} {name:34s} {count / median:9.1f} light curves/s   {median / fastest:6.1f} x")


def agree(batch: Batch, samples: list[Sample]) -> None:
    """Stop unless the stars of a batch are these samples."""
    assert len(batch) == len(samples)
    for row, sample in enumerate(samples):
        size = len(sample)
        for name in ("value", "error", "mask", "band"):
            assert np.array_equal(getattr(batch, name)[row, :size], getattr(sample, name)), name
        assert np.allclose(batch.coordinate[row, :size], sample.coordinate, rtol=0, atol=1e-9)
        assert batch.mask[row, size:].all()


def missions(folder: Path, count: int, repeats: int) -> None:
    """Compare on files of TESS and Kepler."""
    for name, form, pattern in (("tess", "tess.fits", "hlsp_tess*_lc.fits"), ("kepler", "kepler.fits", "kplr*.fits")):
        source, = folder.glob(pattern)
        instrument = get_instrument(name)
        with tempfile.TemporaryDirectory() as place:
            paths = [Path(shutil.copy(source, Path(place) / f"{k}.fits")) for k in range(count)]
            agree(next(instrument.read_batches(paths[:2])), [instrument.sample(TimeSeries.read(path, format=form))
                                                             for path in paths[:2]])

            def loop(paths: list[Path] = paths, form: str = form, instrument: LightCurveInstrument = instrument) -> list:
                return [instrument.sample(TimeSeries.read(path, format=form)) for path in paths]

            def read(paths: list[Path] = paths, form: str = form) -> list:
                return [TimeSeries.read(path, format=form) for path in paths]

            def ours(paths: list[Path] = paths) -> list:
                return [astrofm.read(path) for path in paths]

            def bulk(paths: list[Path] = paths, instrument: LightCurveInstrument = instrument) -> list:
                return list(instrument.read_batches(paths, size=16))

            compare({"TimeSeries.read, sample": loop, "TimeSeries.read": read, "astrofm.read": ours, "read_batches": bulk},
                    repeats, count, f"{name}, {len(read()[0])} points")


def releases(path: Path, repeats: int) -> None:
    """Compare on a file of many stars: lists in Parquet, and rows in CSV."""
    ztf = get_instrument("ztf")
    table = pq.read_table(path)
    count = table.num_rows

    def loop() -> list[Sample]:
        columns = {name: pq.read_table(path)[name].to_pylist()
                   for name in ("oid", "filter", "mjd", "mag", "magerr", "catflags")}
        samples = []
        for oid, band, mjd, mag, error, flags in zip(*columns.values(), strict=True):
            star = {"t": np.array(mjd), "m": np.array(mag), "e": np.array(error), "b": np.full(len(mjd), band),
                    "k": np.array(flags) >= 32768}
            samples.append(ztf.sample(astrofm.light_curve(star, time="t", mag="m", error="e", band="b", mask="k",
                                                          format="mjd", scale="utc", id=oid)))
        return samples

    def bulk() -> list[Batch]:
        return list(ztf.read_batches([path], size=count))

    agree(bulk()[0], loop())
    compare({"a TimeSeries each, sample": loop, "read_batches": bulk}, repeats, count, "ztf, Parquet, 400 points")
    with tempfile.TemporaryDirectory() as place:
        rows = Path(place) / "irsa.csv"
        few, size = table.slice(0, 200), 400
        lists = {name: np.concatenate([np.asarray(cell) for cell in few[name].to_pylist()])
                 for name in ("mjd", "mag", "magerr", "catflags")}
        Table({"oid": np.repeat(few["oid"].to_numpy(), size), **lists, "filtercode": np.repeat(np.array(few["filter"]), size),
               "ra": np.repeat(few["ra"].to_numpy(), size), "dec": np.repeat(few["dec"].to_numpy(), size)}).write(rows)

        def stars() -> list[Sample]:
            made = astrofm.light_curves(Table.read(rows), id="oid", time="mjd", mag="mag", error="magerr", band="filtercode",
                                        format="mjd", scale="utc", instrument="ztf")
            return [ztf.sample(star) for star in made]

        agree(next(ztf.read_batches([rows])), stars())
        compare({"Table.read, a TimeSeries each": stars, "Table.read alone": lambda: Table.read(rows),
                 "read_batches": lambda: list(ztf.read_batches([rows]))}, repeats, 200, "ztf, CSV, 400 points")


def main() -> None:
    """Print rates and ratios."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", type=Path, required=True, help="folder with tess and ztf in it")
    parser.add_argument("--count", type=int, default=48, help="copies of each file (%(default)s)")
    parser.add_argument("--repeats", type=int, default=5)
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    print(f"{os.cpu_count()} cores, medians of {options.repeats}; x: times the time of the last way")
    missions(options.data / "tess", options.count, options.repeats)
    releases(options.data / "ztf" / "ztf_dr3_zr400_1000.parquet", options.repeats)


if __name__ == "__main__":
    main()
