"""Read APOGEE files in bulk, and by a loop over the readers of specutils, in the same run.

    python benchmarks/reading_apogee.py --data DATA/apogee

Real files are copied until there are several hundred of each product, packed and plain. The loop reads each with specutils'
own reader and puts it on the grid with ``instrument.sample``; both give the same flux where neither masks. Visits, which
have wavelengths of their own, are also put on the grid by specutils' resampler, some of them, as is done without
``instrument.sample``. Unpacking alone is what no reader of packed files can be faster than. Medians of alternating runs.
"""

from __future__ import annotations

import argparse
import gzip
import os
import tempfile
import time
import warnings
from pathlib import Path

import numpy as np
from astropy.nddata import StdDevUncertainty
from specutils.manipulation import FluxConservingResampler

from astrofm.compat import Spectrum
from astrofm.data import fitsfile
from astrofm.interfaces import Instrument
from astrofm.registry import get_instrument

#: how often visits are resampled by specutils
RESAMPLED = 5
#: files of unknown format that are read
IDENTIFIED = 20
#: folder of each product, and the format of specutils
PRODUCTS = {"apStar": ("apstar", "APOGEE apStar"), "apVisit": ("apvisit", "APOGEE apVisit"),
            "aspcapStar": ("aspcap", "APOGEE aspcapStar")}


def by_specutils(paths: list[Path], form: str, instrument: Instrument) -> list:
    """Read and sample one file after the other."""
    return [instrument.sample(Spectrum.read(path, format=form)) for path in paths]


def by_specutils_alone(paths: list[Path], form: str, instrument: Instrument) -> list:
    """Read one file after the other, turn it round (its wavelengths fall), and resample it as specutils does."""
    resampler, found = FluxConservingResampler(), []
    for path in paths:
        star = Spectrum.read(path, format=form)
        rising = np.argsort(star.spectral_axis.value)
        star = Spectrum(spectral_axis=star.spectral_axis[rising], flux=star.flux[rising],
                        uncertainty=StdDevUncertainty(star.uncertainty.array[rising], unit=star.flux.unit))
        found.append(resampler(star, instrument.grid))
    return found


def in_bulk(paths: list[Path], form: str, instrument: Instrument) -> list:
    """Read straight into batches."""
    return list(instrument.read_batches(paths))


def by_name_unknown(paths: list[Path], form: str, instrument: Instrument) -> list:
    """Read and sample one file after the other, and leave it to specutils to find out what they are."""
    return [instrument.sample(Spectrum.read(path)) for path in paths[:IDENTIFIED]]


def unpacked(paths: list[Path]) -> list[bytes]:
    """Unpack files, and no more."""
    return [fitsfile.zlib.decompress(path.read_bytes(), 31) for path in paths]


def copies(sources: list[Path], folder: Path, count: int, packed: bool) -> list[Path]:
    """Write so many files, each a copy of a real one."""
    paths = []
    for k in range(count):
        data = sources[k % len(sources)].read_bytes()
        paths.append(folder / f"{k:04d}.fits{'.gz' * packed}")
        paths[-1].write_bytes(data if packed else gzip.decompress(data))
    return paths


def readable(paths: list[Path], form: str) -> list[Path]:
    """Keep the files that specutils reads; it fails on apStar files of one visit."""
    kept = []
    for path in paths:
        try:
            Spectrum.read(path, format=form)
            kept.append(path)
        except IndexError:
            print(f"specutils can't read {path.name}")
    return kept


def check(paths: list[Path], form: str, instrument: Instrument) -> None:
    """Stop unless both ways give the same flux and error wherever neither masks, and `read` and `sample` all of it."""
    bulk, = instrument.read_batches(paths, size=len(paths))
    for row, theirs in enumerate(by_specutils(paths, form, instrument)):
        both = ~bulk.mask[row] & ~theirs.mask
        assert both.mean() > 0.5 and not (theirs.mask & ~bulk.mask[row]).mean() > 0.01
        for name in ("value", "error"):
            mine, other = getattr(bulk, name)[row][both], getattr(theirs, name)[both]
            same = np.isclose(mine, other, rtol=1e-5, atol=0)
            # a pixel of the grid that holds part of a flagged pixel of a visit differs
            assert same.mean() > (0.9 if bulk.meta["resampled"][row] else 0.9999)
        one = instrument.sample(instrument.read(paths[row])[0])
        assert all(np.array_equal(getattr(one, name), getattr(bulk, name)[row]) for name in ("value", "error", "mask"))


def main() -> None:
    """Print rates and ratios."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", type=Path, required=True, help="folder with apstar, apvisit and aspcap in it")
    parser.add_argument("--count", type=int, default=300)
    parser.add_argument("--repeats", type=int, default=5)
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    instrument = get_instrument("apogee")
    print(f"gzip unpacked by {fitsfile.zlib.__name__}, {os.cpu_count()} cores, {options.count} files of each")
    for product, (folder, form) in PRODUCTS.items():
        sources = readable(sorted((options.data / folder).glob("*.fits.gz")), form)
        check(sources, form, instrument)
        for packed in (False, True):
            times: dict[str, list[float]] = {"specutils": [], "astrofm": []}
            with tempfile.TemporaryDirectory() as name:
                paths = copies(sources, Path(name), options.count, packed)
                for _ in range(options.repeats):
                    for label, task in (("specutils", by_specutils), ("astrofm", in_bulk)):
                        start = time.perf_counter()
                        task(paths, form, instrument)
                        times[label].append((time.perf_counter() - start) / len(paths))
                start = time.perf_counter()
                unpacked(paths) if packed else by_name_unknown(paths, form, instrument)
                alone = (time.perf_counter() - start) / len(paths)
                told = alone * len(paths) / len(paths[:IDENTIFIED])
            theirs, mine = (np.median(times[label]) for label in ("specutils", "astrofm"))
            print(f"{product:11s} {'gzip' if packed else 'plain':6s} specutils and sample {1 / theirs:6.0f}/s   "
                  f"astrofm {1 / mine:6.0f}/s   {theirs / mine:5.1f} times, same answers; "
                  + (f"if it did nothing but unpack, {theirs / alone:.1f} times" if packed else
                     f"against Spectrum.read(path), no format named, {told / mine:.0f} times"))
        if product == "apVisit":
            start = time.perf_counter()
            by_specutils_alone(sources * RESAMPLED, form, instrument)
            loop = (time.perf_counter() - start) / (RESAMPLED * len(sources))
            print(f"{product:11s} gzip   specutils and its resampler {1 / loop:6.1f}/s   {loop / mine:5.0f} times")


if __name__ == "__main__":
    main()
