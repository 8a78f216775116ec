"""Read LAMOST files in bulk, and by a loop over astropy.io.fits that does the same job, in the same run.

    python benchmarks/reading.py --data DATA/lamost-lrs

Both give flux, error and mask on the survey's grid and the same header items. Medians of alternating runs.
"""

from __future__ import annotations

import argparse
import os
import time
from pathlib import Path

import numpy as np
from astrofm_lamost.instrument import KEYS
from astrofm_lamost.layouts import FIRST, PIXELS, STEP
from astropy.io import fits

from astrofm.data import fitsfile
from astrofm.registry import get_instrument


def by_astropy(paths: list[Path]) -> list[tuple]:
    """Read with astropy.io.fits, one file after the other."""
    found = []
    for path in paths:
        with fits.open(path, memmap=False) as hdus:
            header = hdus[0].header
            meta = {key: next((header[word] for word in words if word in header), None) for key, words, _ in KEYS}
            if len(hdus) > 1:
                row = hdus[1].data[0]
                flux, ivar, andmask = row["FLUX"], row["IVAR"], row["ANDMASK"]
            else:
                flux, ivar, _, andmask, _ = hdus[0].data
            value, error = np.zeros(PIXELS, np.float32), np.zeros(PIXELS, np.float32)
            mask = np.ones(PIXELS, bool)
            offset = round((header["COEFF0"] - FIRST) / STEP)
            bad = (andmask != 0) | ~(ivar > 0) | ~np.isfinite(flux)
            place = slice(offset, offset + len(flux))
            value[place], mask[place] = np.where(bad, 0, flux), bad
            error[place][~bad] = 1 / np.sqrt(ivar[~bad])
            found.append((value, error, mask, meta))
    return found


def main() -> None:
    """Print rates and ratios."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", type=Path, required=True, help="folder with LAMOST files, and other-fields in it")
    parser.add_argument("--repeats", type=int, default=7)
    options = parser.parse_args()
    instrument = get_instrument("lamost-lrs")
    print(f"gzip unpacked by {fitsfile.zlib.__name__}, {os.cpu_count()} cores")
    for name, paths in (("plain", sorted(options.data.glob("spec-*.fits"))),
                        ("gzip", sorted((options.data / "other-fields").glob("*.fits.gz")))):
        ours = next(instrument.read_batches(paths, size=len(paths)))
        for row, (value, error, mask, _) in enumerate(by_astropy(paths)):
            assert np.array_equal(value, ours.value[row]) and np.array_equal(mask, ours.mask[row])
            assert np.allclose(error, ours.error[row], rtol=1e-6)
        times: dict[str, list[float]] = {"astropy": [], "astrofm": []}
        for _ in range(options.repeats):
            for label, task in (("astropy", by_astropy), ("astrofm", lambda p: list(instrument.read_batches(p)))):
                start = time.perf_counter()
                task(paths)
                times[label].append((time.perf_counter() - start) / len(paths))
        theirs, mine = (np.median(times[label]) for label in ("astropy", "astrofm"))
        print(f"{name:6s} {len(paths)} files: astropy.io.fits {1 / theirs:8.0f}/s   astrofm {1 / mine:8.0f}/s   "
              f"{theirs / mine:5.1f} times, same answers")


if __name__ == "__main__":
    main()
