"""Read DESI and SDSS spectra in bulk, and by loops that do the same job, in the same run.

    python benchmarks/reading_desi.py --data DATA

DATA holds the folders desi and sdss. DESI: a loop over astropy.io.fits that joins the arms star by star, and specutils'
reader, whose arms are joined by the same loop. SDSS: specutils' reader and `sample`, file by file. All give flux, error and
mask on the survey's grid. The real files of DESI have five rows; a copy with more rows, made here, stands for a whole file.
Medians of alternating runs.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
from astrofm_desi.arms import GRID
from astropy.io import fits

from astrofm.compat import Spectrum, SpectrumList
from astrofm.registry import get_instrument


def by_astropy(paths: list[Path]) -> list[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """Read DESI files with astropy.io.fits and join each star's arms; value, error and mask a star."""
    found = []
    for path in paths:
        with fits.open(path) as hdus:
            hdus["FIBERMAP"].data["TARGETID"].tolist()
            arms = [[hdus[f"{arm}_{part}"].data for part in ("WAVELENGTH", "FLUX", "IVAR", "MASK")] for arm in "BRZ"]
            found += [_joined([(arm[0], *(part[row] for part in arm[1:])) for arm in arms]) for row in range(len(arms[0][1]))]
    return found


def by_specutils(paths: list[Path]) -> list[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """Read DESI files with specutils and join each star's arms."""
    found = []
    for path in paths:
        name = "DESI coadd" if "coadd" in path.name else "DESI spectra"
        arms = [(arm.spectral_axis.value, arm.flux.value, arm.uncertainty.array, arm.mask)
                for arm in SpectrumList.read(path, format=name)]
        found += [_joined([(arm[0], *(part[row] for part in arm[1:])) for arm in arms]) for row in range(len(arms[0][1]))]
    return found


def _joined(arms: list[tuple[np.ndarray, ...]]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    total, weight = np.zeros(len(GRID)), np.zeros(len(GRID))
    for wave, flux, ivar, mask in arms:
        start = round((wave[0] - GRID[0]) / 0.8)
        good = np.where((mask == 0) & (ivar > 0), ivar, 0).astype(np.float64)
        total[start: start + len(wave)] += good * flux
        weight[start: start + len(wave)] += good
    bad = weight == 0
    some = np.where(bad, 1, weight)
    return (total / some).astype(np.float32), np.where(bad, 0, 1 / np.sqrt(some)).astype(np.float32), bad


def by_sampling(paths: list[Path]) -> list[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """Read SDSS files with specutils and sample them, one by one; specutils masks where any bit of the and-mask is set."""
    instrument = get_instrument("sdss-optical")
    found = []
    for path in paths:
        sample = instrument.sample(Spectrum.read(path, format="SDSS-III/IV spec"))
        found.append((sample.value, sample.error, sample.mask))
    return found


def by_reading(name: str) -> Callable[[list[Path]], list[tuple[np.ndarray, np.ndarray, np.ndarray]]]:
    """Give a loop over this package's own `read` and `sample`."""
    def loop(paths: list[Path]) -> list[tuple[np.ndarray, np.ndarray, np.ndarray]]:
        instrument = get_instrument(name)
        samples = [instrument.sample(star) for path in paths for star in instrument.read(path)]
        return [(sample.value, sample.error, sample.mask) for sample in samples]

    return loop


def in_bulk(name: str, paths: list[Path]) -> int:
    """Read in batches, and say how many stars there were."""
    return sum(len(batch) for batch in get_instrument(name).read_batches(paths))


def longer(path: Path, rows: int, folder: Path) -> Path:
    """Write a copy of a DESI file with so many rows, its own over and over; masks are packed as they were."""
    with fits.open(path) as hdus:
        out = fits.HDUList([fits.PrimaryHDU(header=hdus[0].header)])
        for hdu in hdus[1:]:
            data = hdu.data
            if "WAVELENGTH" not in hdu.name and hdu.name != "EXP_FIBERMAP":
                data = data[np.resize(np.arange(len(data)), rows)]
            if isinstance(hdu, fits.CompImageHDU):
                out.append(fits.CompImageHDU(data, name=hdu.name, compression_type="GZIP_1"))
            else:
                out.append((fits.BinTableHDU if isinstance(hdu, fits.BinTableHDU) else fits.ImageHDU)(data, name=hdu.name))
            if "BUNIT" in hdu.header:
                out[-1].header["BUNIT"] = hdu.header["BUNIT"]
        out.writeto(folder / path.name, overwrite=True)
    return folder / path.name


def compare(label: str, name: str, paths: list[Path], others: dict[str, Callable], repeats: int) -> None:
    """Check that all give the same, and print a line for each of the others."""
    batches = list(get_instrument(name).read_batches(paths))
    ours = [np.concatenate([getattr(batch, part) for batch in batches]) for part in ("value", "error", "mask")]
    stars = len(ours[0])
    for other, task in others.items():
        found = task(paths)
        assert len(found) == stars, (other, len(found), stars)
        for row, (value, error, mask) in enumerate(found):
            assert not np.any(ours[2][row] & ~mask), f"{other}: a pixel is bad here and good there"
            good = ~mask
            assert other == "specutils + sample" or np.array_equal(mask, ours[2][row]), other
            assert np.allclose(value[good], ours[0][row][good], rtol=1e-5, atol=1e-6), other
            assert np.allclose(error[good], ours[1][row][good], rtol=1e-5), other
    times: dict[str, list[float]] = {key: [] for key in ("bulk", *others)}
    for _ in range(repeats):
        for key, task in (("bulk", lambda p: in_bulk(name, p)), *others.items()):
            start = time.perf_counter()
            task(paths)
            times[key].append((time.perf_counter() - start) / stars)
    mine = np.median(times["bulk"])
    for key in others:
        theirs = np.median(times[key])
        print(f"{label:34s} {stars:6d} stars   {key:20s} {1 / theirs:7.0f}/s   read_batches {1 / mine:7.0f}/s   "
              f"{theirs / mine:6.1f} times", flush=True)


def main() -> None:
    """Print rates and ratios."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", type=Path, required=True, help="folder with the folders desi and sdss")
    parser.add_argument("--rows", type=int, default=300, help="rows of the long DESI files")
    parser.add_argument("--repeats", type=int, default=7)
    options = parser.parse_args()
    warnings.filterwarnings("ignore")
    print(f"{os.cpu_count()} cores")
    desi = {"astropy.io.fits": by_astropy, "specutils": by_specutils, "read + sample": by_reading("desi")}
    with tempfile.TemporaryDirectory() as folder:
        for path in sorted((options.data / "desi").glob("*.fits")):
            compare(path.name, "desi", [path], desi, options.repeats)
            compare(f"{path.stem[:20]}, {options.rows} rows", "desi", [longer(path, options.rows, Path(folder))], desi,
                    options.repeats)
    sdss = {"specutils + sample": by_sampling, "read + sample": by_reading("sdss-optical")}
    for label, pattern in (("sdss, plain", "spec-*.fits"), ("sdss and boss, gzip", "spec-*.fits.gz")):
        paths = sorted((options.data / "sdss").glob(pattern)) * 20
        compare(label, "sdss-optical", paths, sdss, options.repeats)


if __name__ == "__main__":
    main()
