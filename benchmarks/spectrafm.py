"""SpectraFM's three stages in the small: model spectra, real ones in half of the band, 100 stars in a band never seen.

    python benchmarks/spectrafm.py --data DATA -o RUN

DATA holds ``apogee/NN_normalized_spectra.npz`` (docs/sky.rst). "Real" spectra are the models with what models lack: wrong
line strengths, other line spread, continuum errors, noise, bad pixels, and labels on a shifted scale with errors. The last
stage learns [Fe/H] from 100 iron-rich stars between 16,110 and 16,220 Angstrom; all are tested on stars of any [Fe/H] there.
Started again, it goes on where it stopped.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import numpy as np
from astrofm_apogee.grid import GRID, expand, pixels_of
from astrofm_apogee.lines import name_lines
from astrofm_sky.emulator import LABELS, Emulator, as_observed
from astropy import units as u
from astropy.table import QTable
from scipy.ndimage import gaussian_filter1d

from astrofm.compat import Spectrum
from astrofm.data import Batch
from astrofm.models import Model
from astrofm.models.attention import peaks
from astrofm.models.learn import learn
from astrofm.models.recipe import read_recipe
from astrofm.registry import get_instrument
from astrofm.training import ShardedData, ShardWriter

RECIPES = Path(__file__).resolve().parents[1] / "plugins" / "astrofm-zoo" / "recipes"
BLOCK = 3000
#: the band that the last stage learns in (Angstrom)
BAND = (16110.0, 16220.0)
#: the half that the stage before learns in
HALF = (15150.0, 16030.0)
#: scale and zero point of the "real" labels over the models', and their errors
SCALE = {"teff": (1.01, -70.0, 20.0), "logg": (1.0, 0.05, 0.03), "fe_h": (1.08, 0.06, 0.02), "mg_fe": (0.95, -0.03, 0.02),
         "vmac": (1.0, 0.0, 1.0)}
RICH, POOR = -0.3, -0.5


def stars(emulator: Emulator, count: int, seed: int, *, real: bool, low: float | None = None) -> Batch:
    """Draw stars, as models or as if they were real; with [Fe/H] above ``low`` only."""
    random = np.random.default_rng(seed)
    labels = emulator.draw(count, random)
    if low is not None:
        labels[:, 2] = random.uniform(low, emulator.high[2], count)
    flux = emulator.flux(labels)
    if real:
        value, error, mask = as_observed(flux, random)
        given, errors = labels.copy(), {}
        for k, name in enumerate(LABELS):
            factor, zero, sigma = SCALE[name]
            given[:, k] = factor * labels[:, k] + zero + sigma * random.standard_normal(count)
            errors[f"{name}_err"] = np.full(count, sigma)
    else:
        value, error, mask, given, errors = flux, np.full_like(flux, 0.005), None, labels, {}
    ids = [f"{'real' if real else 'model'}-{seed}-{k}" for k in range(count)]
    return expand(value, error, mask, normalised=True, meta={
        "id": ids, "star": ids, **{name: given[:, k] for k, name in enumerate(LABELS)}, **errors})


def data_set(folder: Path, emulator: Emulator, count: int, seed: int, *, real: bool, low: float | None = None) -> ShardedData:
    """Write a data set, or go on with one, and open it."""
    writer = ShardWriter(folder, {"benchmark": "spectrafm", "count": count, "seed": seed, "real": real, "low": low})
    for start in range(writer.done, count, BLOCK):
        size = min(BLOCK, count - start)
        writer.write([stars(emulator, size, 1_000_000 * seed + start, real=real, low=low)], done=start + size)
    writer.finish()
    return ShardedData.open(folder)


def within(batch: Batch, low: float, high: float) -> Batch:
    """Mask what lies outside a range of wavelengths (Angstrom)."""
    outside = (GRID < low) | (GRID > high)
    return Batch(batch.instrument, batch.coordinate, np.where(outside, 0, batch.value), np.where(outside, 0, batch.error),
                 batch.mask | outside, meta={"id": batch.meta["id"]})


def in_band(batch: Batch) -> Batch:
    """Mask what lies outside the band of the last stage."""
    return within(batch, *BAND)


def score(model: Model, batch: Batch, name: str) -> str:
    """Give the errors of a label in the band: rms of all and of the iron-poor, robust spread, and of the pulls."""
    table, truth = model.predict(in_band(batch)), np.asarray(batch.meta[name], float)
    away = np.asarray(table[name].value, float) - truth
    poor = np.asarray(batch.meta["fe_h"], float) < POOR
    pull = away / np.hypot(np.asarray(table[f"{name}_err"].value, float), SCALE[name][2])
    return (f"rms {rms(away):6.3f}   iron-poor {rms(away[poor]):6.3f}   iron-rich {rms(away[~poor]):6.3f}   "
            f"spread {spread(away):6.3f}   spread of pulls {spread(pull):5.2f}")


def rms(away: np.ndarray) -> float:
    """Root mean square."""
    return float(np.sqrt(np.mean(away**2)))


def spread(away: np.ndarray) -> float:
    """Median absolute deviation, as a standard deviation."""
    return float(1.4826 * np.median(np.abs(away - np.median(away))))


def main() -> None:
    """Run the stages and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("-o", "--output", type=Path, required=True)
    parser.add_argument("--stars", type=int, default=90_000, help="model spectra")
    parser.add_argument("--real", type=int, default=15_000, help="'real' ones")
    parser.add_argument("--labelled", type=int, default=100, help="stars of the last stage")
    options = parser.parse_args()
    begin, run = time.monotonic(), options.output

    def told(what: str) -> None:
        print(f"{time.monotonic() - begin:.0f} s: {what}", flush=True)

    emulator = Emulator.open(options.data)
    models = data_set(run / "models", emulator, options.stars, 0, real=False)
    real = data_set(run / "real", emulator, options.real, 1, real=True)
    few = data_set(run / "few", emulator, options.labelled, 2, real=True, low=RICH)
    test = stars(emulator, 3000, 3_000_000, real=True)
    told("data sets")
    made: dict[str, Path] = {}
    for name, recipe, data, start in (
            ("synthetic", "synthetic", models, ()), ("real", "real", real, ("synthetic",)),
            ("transferred", "fewshot", few, ("real",)), ("synthetic, then 100 stars", "fewshot", few, ("synthetic",)),
            ("from scratch", "fewshot_scratch", few, ())):
        told_recipe = read_recipe(RECIPES / f"spectrafm_{recipe}_small.toml")
        made[name] = learn(told_recipe, data, run / name.replace(", then 100 stars", "-direct").replace(" ", "-"),
                           start=[made[one] for one in start])
        told(f"{name} trained")
    print(f"\n[Fe/H] of 3,000 'real' stars between {BAND[0]:.0f} and {BAND[1]:.0f} Angstrom")
    for name, path in made.items():
        print(f"  {name:26s} {score(Model.load(path), test, 'fe_h')}", flush=True)
    flagged(made, test, options.data)
    others = stars(emulator, 200, 4_000_000, real=True)
    known = QTable({"fe_h": np.asarray(others.meta["fe_h"]) * u.dex, "fe_h_err": np.full(200, SCALE["fe_h"][2]) * u.dex})
    fitting = Model.load(made["transferred"]).calibrate(in_band(others), known)
    print(f"  {'transferred, calibrated':26s} {score(fitting, test, 'fe_h')}")
    truth = np.asarray(test.meta["fe_h"], float)
    print(f"  {'the mean of the 100':26s} rms {rms(truth - np.mean(few_labels(few))):6.3f}")
    looks(Model.load(made["synthetic"]), emulator, run / "attention.png")
    told("done")


def flagged(made: dict[str, Path], test: Batch, data: Path) -> None:
    """Say how many stars each model flags as unlike those it learned from: 'real' ones like them, and real cool ones."""
    paths = sorted((data / "apogee" / "aspcap").glob("aspcapStar-*.fits*"))
    poor = np.asarray(test.meta["fe_h"], float) < POOR
    cool = list(get_instrument("apogee").read_batches(paths))
    print("\nflagged as unlike the training set: part of the 3,000 'real' stars (of the iron-poor), and how many of "
          f"{len(paths)} real ones, nearly all far cooler than any that was learned from")
    for name, path in made.items():
        model = Model.load(path)
        for where, (low, high) in {"whole": (0.0, np.inf), "the second stage's half": HALF, "the last band": BAND}.items():
            found = strange(model, within(test, low, high))
            real = sum(strange(model, within(batch, low, high)).sum() for batch in cool)
            print(f"  {name:26s} {where:24s} {found.mean():.3f} ({found[poor].mean():.3f})   {real}", flush=True)


def strange(model: Model, batch: Batch) -> np.ndarray:
    """Say which stars a model flags as unlike those it learned from."""
    return np.array(["unlike-training-set" in one for one in model.predict(batch)["flags"]])


def looks(model: Model, emulator: Emulator, path: Path) -> None:
    """Compare where the model looks with where the flux depends on the labels, and draw it."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot as plt

    batch, pixels = stars(emulator, 64, 77, real=False), pixels_of(len(emulator.wavelength))
    slopes = np.abs(emulator.sensitivity(np.stack([batch.meta[name] for name in LABELS], axis=1))).mean(0)
    print("\ncorrelation over pixels (over 50) with d flux / d label, mean of 64 stars: attention; gradient")
    figure, axes = plt.subplots(len(LABELS), figsize=(11, 2 * len(LABELS)), sharex=True, layout="constrained")
    for axis, (k, name) in zip(axes, enumerate(LABELS), strict=True):
        weight, gradient = (np.mean([one.flux.value for one in model.attention(batch, name, how=how)], axis=0)[pixels]
                            for how in ("attention", "gradient"))
        pair = np.stack([weight, slopes[:, k] / slopes[:, k].mean()])
        fine, coarse = np.corrcoef(pair)[0, 1], np.corrcoef(gaussian_filter1d(pair, 50))[0, 1]
        by_flux = np.corrcoef(gradient, slopes[:, k])[0, 1]
        smooth = Spectrum(spectral_axis=GRID[pixels] * u.AA, flux=gaussian_filter1d(weight, 5) * u.one,
                          mask=np.zeros(len(weight), bool))
        best = peaks(smooth, 8, apart=8.0)["wavelength"].value
        named = dict.fromkeys(line for line in name_lines(best, within=4.0) if line)
        print(f"  {name:6s} {fine:.2f} ({coarse:.2f})   {by_flux:5.2f}   attention strongest near "
              f"{', '.join(named) or 'no line of the list'}")
        for row, color, what in ((1, "0.6", "d flux / d label"), (0, "C0", "attention")):
            whole = np.full(len(GRID), np.nan)
            whole[pixels] = pair[row]
            axis.plot(GRID, whole, color=color, lw=0.4, label=what)
        axis.set(ylabel=f"{name}\nover the mean", ylim=(0, 8))
    axes[0].legend(loc="upper right")
    axes[-1].set(xlabel="wavelength in vacuum (Angstrom)")
    figure.savefig(path, dpi=110)


def few_labels(data: ShardedData) -> np.ndarray:
    """Give [Fe/H] of the last stage's stars."""
    return data.column("apogee", "fe_h")


if __name__ == "__main__":
    main()
