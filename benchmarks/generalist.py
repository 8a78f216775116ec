"""Evolved stars by name: mass and age against XGBoost, spectra in and out, dust; trained and measured in one run.

    python benchmarks/generalist.py --data DATA -o RUN

DATA holds ``isochrones spectral-libraries star-archetypes gaia-xp`` (docs/sky.rst). Stars are simulated: PARSEC giants whose
surface [C/N] follows their age, spectra that MILES giants agree on, dust, noise. The model learns any quantity from any
others by ``generalist_small.toml``; XGBoost (``pip install xgboost``) learns mass and age from each set of inputs on its
own, from the same stars. Started again, it goes on where it stopped.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import numpy as np
from astrofm_sky.evolved import BANDS, NAMED, Evolved, batch
from astropy.table import QTable, Table

from astrofm.data import transmission
from astrofm.models import Model
from astrofm.models.learn import learn
from astrofm.models.recipe import read_recipe
from astrofm.registry import get_instrument
from astrofm.training import ShardedData, ShardWriter

RECIPE = Path(__file__).resolve().parents[1] / "plugins" / "astrofm-zoo" / "recipes" / "generalist_small.toml"
NAMES = [*NAMED, *(f"xp{k}" for k in range(len(BANDS)))]
XP = NAMES[len(NAMED):]
BLUE, RED = [name for name, band in zip(XP, BANDS, strict=True) if band[1] <= 644], \
    [name for name, band in zip(XP, BANDS, strict=True) if band[1] > 644]
#: what a user may have of a star
INPUTS = {"labels": ["teff", "logg", "m_h", "c_n", "log_luminosity"], "spectrum, J - K, parallax": [*XP, "jk", "g_fakemag"],
          "both": [name for name in NAMES if name not in ("mass", "age")], "teff and logg": ["teff", "logg"]}
BLOCK, CALIBRATE, TEST = 20_000, 4_000, 5_000


def given(value: np.ndarray, names: list[str]) -> Table:
    """Make a table of some columns."""
    return Table({name: value[:, NAMES.index(name)] for name in names})


def off(found: np.ndarray, truth: np.ndarray) -> tuple[float, float]:
    """Give the rms of the differences and 1.48 times their median size."""
    away = np.asarray(getattr(found, "value", found)) - truth
    return float(np.sqrt(np.mean(away**2))), float(1.4826 * np.median(np.abs(away)))


def prepared(evolved: Evolved, folder: Path, stars: int) -> ShardedData:
    """Write the stars to learn from, unless they are there."""
    writer = ShardWriter(folder, {"made": "evolved", "stars": stars})
    for k in range(writer.done, -(-stars // BLOCK)):
        _, value, error = evolved.draw(min(BLOCK, stars - k * BLOCK), 100 + k)
        writer.write([batch(value, error, [f"giant-{k}-{row}" for row in range(len(value))])], done=k + 1)
    writer.finish()
    return ShardedData.open(folder)


def learned(data: ShardedData) -> np.ndarray:
    """Give what the model learned from, shape ``(n, q)``."""
    return data.batch("named-quantities", np.arange(len(data.stars["named-quantities"]))).value


def boosted(data: ShardedData, test: np.ndarray, names: list[str], target: str) -> np.ndarray | None:
    """Let XGBoost learn the logarithm of a quantity from some others."""
    try:
        import xgboost
    except ImportError:
        return None
    block = learned(data)
    columns = [NAMES.index(name) for name in names]
    table = xgboost.DMatrix(block[:, columns], np.log10(block[:, NAMES.index(target)]))
    trees = xgboost.train({"eta": 0.05, "max_depth": 6, "subsample": 0.8, "seed": 0}, table, 600)
    return 10 ** trees.predict(xgboost.DMatrix(test[:, columns]))


def masses_and_ages(model: Model, data: ShardedData, value: np.ndarray, truth: dict[str, np.ndarray]) -> None:
    """Print mass and age from each set of inputs, beside XGBoost's."""
    print(f"\n{'inputs':28}{'':8}{'rms':>8}{'mad':>8}{'xgb rms':>9}{'mad':>8}{'median err':>12}{'within 1':>10}")
    for label, names in INPUTS.items():
        answer = model.request(given(value, names), ["mass", "age"])
        for target in ("mass", "age"):
            error = answer[f"{target}_err"].value
            inside = np.mean(np.abs(answer[target].value - truth[target]) < error)
            peer = boosted(data, value, names, target)
            others = "".join(f"{x:8.3f}" for x in off(peer, truth[target])) if peer is not None else "       -       -"
            print(f"{label:28}{target:8}" + "".join(f"{x:8.3f}" for x in off(answer[target], truth[target]))
                  + f" {others}{np.median(error):12.3f}{inside:10.2f}", flush=True)


def labels_and_spectra(model: Model, value: np.ndarray, clean: np.ndarray, truth: dict[str, np.ndarray],
                       data: ShardedData) -> None:
    """Print labels from spectra, halves of spectra from the other, and spectra from labels."""
    answer = model.request(given(value, XP), ["teff", "logg", "m_h", "a_v"])
    print("\nlabels from the spectrum alone, mad: " + ", ".join(
        f"{name} {off(answer[name], truth[name])[1]:.3g}" for name in ("teff", "logg", "m_h", "a_v")))
    known = learned(data)
    print(f"{'spectra':34}{'rms':>8}{'ridge':>8}{'spread':>8}   over the flux at 640-680 nm; truth without noise")
    pairs = {"red half from the blue": (BLUE, RED), "blue half from the red": (RED, BLUE),
             "whole from teff logg m_h a_v": (["teff", "logg", "m_h", "a_v"], XP)}
    for label, (have, want) in pairs.items():
        found = model.request(given(value, have), want)
        rows, columns = [NAMES.index(name) for name in have], [NAMES.index(name) for name in want]
        truth_of = clean[:, [column - len(NAMED) for column in columns]]
        mine = np.stack([np.asarray(found[name]) for name in want], axis=1)
        peer = _ridge(known[:, rows], known[:, columns], value[:, rows])
        print(f"{label:34}" + "".join(f"{np.sqrt(np.mean(x**2)):8.4f}" for x in (
            mine - truth_of, peer - truth_of, truth_of - truth_of.mean(axis=0))))


def _ridge(x: np.ndarray, y: np.ndarray, new: np.ndarray) -> np.ndarray:
    centre, scale = x.mean(axis=0), x.std(axis=0)
    z = np.column_stack([(x - centre) / scale, np.ones(len(x))])
    weights = np.linalg.solve(z.T @ z + 1e-5 * len(x) * np.eye(z.shape[1]), z.T @ y)
    return np.column_stack([(new - centre) / scale, np.ones(len(new))]) @ weights


def extinction(model: Model, evolved: Evolved) -> None:
    """Print how the curve that comes out of asked spectra compares with laws of extinction."""
    labels = {"teff": np.full(2, 4800.0), "logg": np.full(2, 2.6), "m_h": np.full(2, -0.1), "a_v": np.array([0.1, 1.1])}
    bare, dusty = model.request(labels, "gaia-xp")
    middle = bare.spectral_axis.value
    inside = middle > 4000
    curve = -2.5 * np.log10(dusty.flux.value / bare.flux.value)
    print("\nextinction curve A(wavelength) - A(660 nm) for A_V = 1, 400-1020 nm, rms from: " + ", ".join(
        f"{law} {np.sqrt(np.mean((curve - _relative(middle, law))[inside] ** 2)):.3f}" for law in ("G23", "F99", "CCM89"))
        + f" mag (G23 was put in; the curve spans {np.ptp(_relative(middle, 'G23')[inside]):.2f} mag; CCM89 is "
        f"{np.sqrt(np.mean((_relative(middle, 'CCM89') - _relative(middle, 'G23'))[inside] ** 2)):.3f} from G23)")


def _relative(wave: np.ndarray, law: str) -> np.ndarray:
    lost = -2.5 * np.log10(transmission(np.append(wave, 6600.0), 1.0, law=law))
    return lost[:-1] - lost[-1]


def loci(model: Model, value: np.ndarray, truth: dict[str, np.ndarray]) -> None:
    """Print the locus of J - K over temperature, and of luminosity over mass at a gravity, beside the stars' own."""
    print("\nlocus                              asked    stars")
    for teff in (4200, 4500, 4800, 5100):
        near = (np.abs(truth["teff"] - teff) < 40) & (truth["a_v"] < 0.15)
        asked = model.request({"teff": teff, "a_v": 0.05}, ["jk"])["jk"].value[0]
        print(f"J - K at {teff} K, little dust      {asked:7.3f}  {_median(truth['jk'][near]):7.3f}")
    for mass in (1.0, 1.4, 2.0):
        near = (np.abs(truth["mass"] / mass - 1) < 0.08) & (np.abs(truth["logg"] - 2.5) < 0.15)
        asked = model.request({"mass": mass, "logg": 2.5}, ["log_luminosity"])["log_luminosity"].value[0]
        print(f"log L at {mass} Msun, logg 2.5         {asked:7.3f}  {_median(truth['log_luminosity'][near]):7.3f}")


def _median(values: np.ndarray) -> float:
    return float(np.median(values)) if len(values) else np.nan


def honesty(model: Model, value: np.ndarray, data: Path) -> None:
    """Print whether little knowledge gives wide errors, and strangers are flagged."""
    for names in (["jk"], ["teff", "logg"], ["teff", "logg", "m_h", "c_n"]):
        answer = model.request(given(value, names), ["mass", "age"])
        print(f"from {', '.join(names)}: median error of mass {np.median(answer['mass_err'].value):.3f}, "
              f"of age {np.median(answer['age_err'].value):.2f}")
    inside = model.request(given(value, XP), ["mass"])["flags"]
    print(f"flagged: {np.mean([bool(flag) for flag in inside]):.3f} of the giants' spectra, ", end="")
    dwarfs = model.request({"teff": 5800.0, "logg": 4.4, "m_h": 0.0}, ["mass"])["flags"][0]
    flagged, count = strangers(model, data)
    print(f"a dwarf by its labels: {dwarfs!r}; real hot subdwarfs: {flagged} of {count}")


def strangers(model: Model, data: Path) -> tuple[int, int]:
    """Count the real spectra of hot subdwarfs that are flagged, and all of them."""
    with np.load(data / "gaia-xp" / "xp_sampled_hot_subdwarfs_2815.npz", allow_pickle=False) as stored:
        flux = stored["flux_W_m2_nm"].astype(np.float32)
    spectra = get_instrument("gaia-xp").batch(flux, np.abs(flux) * 0.02 + 1e-20, ~np.isfinite(flux), {})
    flags = model.request({"xp": spectra}, ["mass"])["flags"]
    return sum(map(bool, flags)), len(flags)


def main() -> None:
    """Make stars, learn, calibrate, measure."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("-o", "--output", type=Path, required=True)
    parser.add_argument("--stars", type=int, default=100_000, help="stars to learn from")
    parser.add_argument("--recipe", type=Path, default=RECIPE)
    options = parser.parse_args()
    evolved = Evolved.open(options.data)
    data = prepared(evolved, options.output / "stars", options.stars)
    started = time.monotonic()
    model = Model.load(learn(read_recipe(options.recipe), data, options.output / "run"))
    print(f"learned in {(time.monotonic() - started) / 60:.0f} min (0 if it was done before)")
    known, value, _ = evolved.draw(CALIBRATE, 9)
    model = model.calibrate(given(value, INPUTS["spectrum, J - K, parallax"]),
                            QTable({name: known[name] for name in ("mass", "age")}))
    truth, value, _ = evolved.draw(TEST, 10)
    clean, _ = evolved.spectra(truth, truth["a_v"])
    masses_and_ages(model, data, value, truth)
    labels_and_spectra(model, value, clean, truth, data)
    extinction(model, evolved)
    loci(model, value, truth)
    honesty(model, value, options.data)
    many = np.tile(value, (2, 1))
    for names in (INPUTS["labels"], INPUTS["both"]):
        started = time.monotonic()
        model.request(given(many, names), ["mass", "age"])
        print(f"{len(many):,} stars, {len(names)} quantities each, in one request: {time.monotonic() - started:.1f} s")


if __name__ == "__main__":
    main()
