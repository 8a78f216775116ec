"""Labels of real LAMOST spectra by stellar-tiny, against the survey's own and against two plain peers in the same run.

    python benchmarks/first_light.py --data DATA

``DATA`` is the folder with ``lamost-lrs spectral-libraries sdss``. The peers: the chi-square match against
the normal templates of ``spEigenStar-55734.fits`` (types), and the mean of the five MILES stars nearest in
chi-square (labels).
"""

from __future__ import annotations

import argparse
import csv
import re
from pathlib import Path

import numpy as np
from astropy.io import fits
from scipy.stats import spearmanr

import astrofm
from astrofm.data import Batch
from astrofm.data.resample import resample
from astrofm.data.wavelength import to_vacuum

LETTERS = {letter: 10 * (k + 1) for k, letter in enumerate("OBAFGKM")}
SPEED_OF_LIGHT = 299792.458


def numeric(kind: str) -> float:
    """Turn ``"K5"`` into 65; NaN for what is no normal class."""
    found = re.match(r"(?:d|g)?([OBAFGKM])(\d)", kind)
    return LETTERS[found[1]] + int(found[2]) if found else np.nan


def match(batch: Batch, wave: np.ndarray, flux: np.ndarray, *, low: float, high: float,
          best: int) -> np.ndarray:
    """Find the templates nearest in chi-square after a fourth-order polynomial and a velocity; ``(n, best)``."""
    grid = batch.coordinate[(batch.coordinate > low) & (batch.coordinate < high)]
    inside = np.isin(batch.coordinate, grid)
    powers = np.polynomial.legendre.legvander(np.linspace(-1, 1, len(grid)), 4)
    order = np.full((len(batch), len(flux)), np.inf)
    for velocity in np.arange(-300, 301, 50):
        shifted = wave * (1 + velocity / SPEED_OF_LIGHT)
        value, _, mask = resample(shifted, flux, np.ones_like(flux), np.zeros(flux.shape, bool), grid)
        value = np.where(mask, 0, value) / np.median(value, axis=1, keepdims=True)
        for row in range(len(batch)):
            good = ~batch.mask[row, inside]
            y = batch.value[row, inside][good]
            error = batch.error[row, inside][good] + 0.01 * np.median(y)
            design = value[:, good, None] * powers[good] / error[None, :, None]
            normal = np.einsum("kpi,kpj->kij", design, design)
            right = np.einsum("kpi,p->ki", design, y / error)
            solution = np.linalg.solve(normal + 1e-9 * np.eye(5), right[..., None])[..., 0]
            chi2 = ((y / error) ** 2).sum() - (right * solution).sum(1)
            order[row] = np.minimum(order[row], chi2)
    return order.argsort(axis=1)[:, :best]


def types(table, truth: np.ndarray) -> dict[str, float]:
    """Score numeric classes against the survey's."""
    ok = np.isfinite(truth) & np.isfinite(table)
    return {"letter": np.mean(truth[ok] // 10 == np.round(table[ok]) // 10),
            "mean error": np.mean(np.abs(table[ok] - truth[ok])), "n": int(ok.sum())}


def scatter(difference: np.ndarray) -> str:
    """Print robust scatter, bias and rms."""
    difference = difference[np.isfinite(difference)]
    mad = 1.4826 * np.median(np.abs(difference - np.median(difference)))
    return (f"{mad:8.3f} {np.median(difference):+8.3f} {np.sqrt(np.mean(difference**2)):8.3f}"
            f"   ({len(difference)} stars)")


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--model", default="stellar-tiny")
    parser.add_argument("--no-peers", action="store_true", help="skip the slow chi-square matches")
    options = parser.parse_args()
    folder = options.data / "lamost-lrs"
    paths = sorted(folder.glob("spec-*.fits"))
    model = astrofm.load_model(options.model)
    batch, = astrofm.registry.get_instrument("lamost-lrs").read_batches(paths, size=len(paths))
    table = model.predict(batch)
    survey = np.array([numeric(kind) for kind in batch.meta["subclass"]])
    print(f"{len(paths)} files; flags: { {f: int(sum(f in x for x in table['flags'])) for f in _flags(table)} }")
    print("\nspectral class        Spearman(teff)   letter   mean error")
    known = np.isfinite(survey)
    rank = -spearmanr(table["teff"].value[known], survey[known])[0]
    score = types(np.array([numeric(kind) for kind in table["spectral_type"]]), survey)
    print(f"{options.model:20s}  {rank:8.3f}         {score['letter']:.3f}    {score['mean error']:.2f}")
    if not options.no_peers:
        _template_peer(options.data, batch, survey)
    print("\nlabel     scatter     bias      rms")
    labels = {row["filename"]: row for row in csv.DictReader((folder / "lasp_labels.csv").open())}
    rows = [k for k, path in enumerate(paths) if path.name in labels]
    theirs = {name: np.array([float(labels[paths[k].name][column]) for k in rows])
              for name, column in (("teff", "teff"), ("logg", "logg"), ("fe_h", "feh"), ("rv", "rv"))}
    for name, truth in theirs.items():
        print(f"{name:5s} {scatter(table[name].value[rows] - truth)}  median error given "
              f"{np.median(table[name + '_err'].value[rows]):.3f}")
    if not options.no_peers:
        _miles_peer(options.data, batch[np.array(rows)], theirs)


def _flags(table) -> list[str]:
    return sorted({flag for row in table["flags"] for flag in row.split(",") if flag})


def _template_peer(data: Path, batch: Batch, survey: np.ndarray) -> None:
    with fits.open(data / "sdss/spEigenStar-55734.fits") as hdus:
        header, flux = hdus[0].header, hdus[0].data.astype(float)
    wave = 10 ** (header["COEFF0"] + header["COEFF1"] * np.arange(flux.shape[1]))
    kind = np.array([numeric(header[f"NAME{k}"]) for k in range(len(flux))])
    normal = np.isfinite(kind)
    found = kind[normal][match(batch, wave, flux[normal], low=3900, high=8900, best=1)[:, 0]]
    known = np.isfinite(survey)
    score = types(found, survey)
    print(f"{'template match':20s}  {spearmanr(found[known], survey[known])[0]:8.3f}         {score['letter']:.3f}    "
          f"{score['mean error']:.2f}")


def _miles_peer(data: Path, batch: Batch, theirs: dict[str, np.ndarray]) -> None:
    with np.load(data / "spectral-libraries/miles.npz", allow_pickle=False) as miles:
        good = np.isfinite(miles["teff"]) & np.isfinite(miles["logg"]) & np.isfinite(miles["fe_h"])
        wave, flux = to_vacuum(miles["wavelength_air"]), miles["flux"][good].astype(float)
        labels = {name: miles[name][good] for name in ("teff", "logg", "fe_h")}
    nearest = match(batch, wave, flux, low=3900, high=7300, best=5)
    print("five nearest MILES stars:")
    for name, values in labels.items():
        print(f"{name:5s} {scatter(values[nearest].mean(1) - theirs[name])}")


if __name__ == "__main__":
    main()
