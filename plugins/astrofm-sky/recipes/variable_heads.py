"""Teach ``variable-tiny`` class, period and amplitude on simulated stars, and measure what it learned on others.

    python plugins/astrofm-sky/recipes/variable_heads.py --data DATA --model RUN/model.safetensors -o MODEL

Each survey's stars are as bright as it sees well. Some are seen for a part of the survey only, in one band, or with fewer
points, as archives have them; and some at the real times of the ZTF stars in ``DATA/ztf``, with their errors and magnitudes.
The head of classes reads the embedding and the features of `astrofm.data.FEATURES`, but for those that say how a star was
sampled. The period is the one that is measured; its error is calibrated on stars whose cycle is the right one, and how many
these are is printed. In the end the model is asked other stars, simulated likewise; ``--check`` does that alone, of MODEL.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
from astrofm_sky import CLASSES, observe_variables, variable_stars
from astrofm_sky.real_times import Real
from astropy import units as u
from astropy.table import Column, QTable

from astrofm.data import FEATURES, Batch
from astrofm.models import Model
from astrofm.nn.plain import MeasuredHead
from astrofm.registry import cards, get_instrument

#: surveys, range of V magnitudes, and part of the stars
SURVEYS = {"ztf": ((13.0, 20.0), 1.0), "gaia-epoch": ((9.0, 19.0), 1.0), "tess": ((7.0, 14.5), 0.6),
           "kepler": ((9.0, 15.0), 0.2)}
#: features that say how a star was sampled, and how bright it is
SAMPLING = {"points_all", "points", "bands", "negative", "median", "median_error", "mean_error", "time_base", "cadence",
            "longest_gap", "duty_cycle"}
#: part of the stars that are seen in one band, for a part of the time, with fewer points, and at real times
ONE_BAND, SHORTER, FEWER, REAL = 0.35, 0.4, 0.3, 0.25
#: a period is right that is off by no more than this part
SAME = 0.01
#: fewest good points of a star to learn from, and stars that are observed at a time
POINTS, BLOCK = 12, 500
CITATION = ("astrofm variable-tiny; its encoder has seen light curves of ASAS (Pojmanski 2002, 2002AcA....52..397P), EROS-2 "
            "(Derue et al. 2002, 2002A&A...389..149D), Hipparcos and OGLE (Debosscher et al. 2007, 2007A&A...475.1159D), "
            "ZTF (Masci et al. 2019, 2019PASP..131a8003M), TESS (Ricker et al. 2015, 2015JATIS...1a4003R) and Kepler "
            "(Borucki et al. 2010, 2010Sci...327..977B); sources of the simulated stars: astrofm_sky.CLASSES")
NOTES = ("Learned from simulated variable stars alone, of 38 classes as common as each other; the encoder has also seen real "
         "light curves of ASAS, EROS, Hipparcos, OGLE and ZTF, without labels. Where stars are unlike the simulated ones, or "
         "classes not as common: model.calibrate measures sets and errors anew on stars of known class, model.fit teaches "
         "other classes.")


def observed(name: str, count: int, seed: int, real: Real | None = None) -> list[Batch]:
    """Observe simulated stars of all classes, as many of each; some of them at real times."""
    found = []
    for first in range(0, count, BLOCK):
        random = np.random.default_rng([seed, first, *name.encode()])
        stars = variable_stars(min(BLOCK, count - first), seed=int(random.integers(2**31)), magnitude=SURVEYS[name][0])
        cut = int(REAL * len(stars)) if real is not None else 0
        parts = [(stars[np.arange(cut, len(stars))], None)] + [(stars[np.arange(cut)], real)] * (cut > 0)
        for part, cadence in parts:
            batch = as_archives_have(observe_variables(part, name, seed=int(random.integers(2**31)), cadence=cadence), random)
            found.append(batch[np.flatnonzero((~batch.mask).sum(axis=1) >= POINTS)])
    return found


def as_archives_have(batch: Batch, random: np.random.Generator) -> Batch:
    """Take away bands, stretches of time and points of some stars."""
    n, days = len(batch), batch.coordinate
    mask = batch.mask.copy()
    own = random.integers(0, int(batch.band.max(initial=0)) + 1, n)
    mask |= (random.random(n) < ONE_BAND)[:, None] & (batch.band != own[:, None])
    span = np.where(mask, 0.0, days).max(axis=1)
    length = np.where(random.random(n) < SHORTER, span * 10 ** random.uniform(-1.3, 0, n), np.inf)
    start = random.uniform(0, 1, n) * np.maximum(span - length, 0)
    mask |= (days < start[:, None]) | (days > (start + length)[:, None])
    part = np.where(random.random(n) < FEWER, random.uniform(0.2, 1, n), 1.0)
    return replace(batch, mask=mask | (random.random(mask.shape) >= part[:, None]))


def truth(batches: list[Batch], *names: str) -> QTable:
    """Make a table of what is known of simulated stars."""
    columns = {"variable_class": ("true_class", None, "class of variable star"),
               "amplitude": ("true_amplitude", u.mag, "faintest less brightest V magnitude"),
               "period": ("true_period", u.d, "period")}
    table = QTable()
    for name in names:
        key, unit, text = columns[name]
        values = np.concatenate([np.asarray(batch.meta[key]) for batch in batches])
        table[name] = Column(values, unit=unit, description=text)
    if "amplitude" in names:  # of stars that do not vary there is none
        values = np.asarray(table["amplitude"], float)
        table["amplitude"] = Column(np.where(values > 1e-4, values, np.nan), unit=u.mag, description=columns["amplitude"][2],
                                    meta={"log": True})
    if "period" in names:
        values = np.asarray(table["period"], float)
        table["period"] = np.where(values > 0, values, np.nan) * u.d
    return table


def right_cycle(model: Model, batches: list[Batch], known: QTable, progress: Callable[[str], None]) -> np.ndarray:
    """Say whose measured period is the true one within `SAME`, and print how many are, by survey."""
    table = model.predict(batches)
    ratio = np.asarray(table["period"].to_value("d") / known["period"].to_value("d"))
    for name in SURVEYS:
        own = (table["instrument"] == name) & np.isfinite(ratio)
        near = {text: np.mean(np.abs(ratio[own] / factor - 1) < SAME) for text, factor in
                (("right", 1), ("half", 0.5), ("double", 2))}
        progress(f"{name}: of {own.sum():,} stars with a period, " + ", ".join(f"{100 * part:.0f} % {text}"
                                                                              for text, part in near.items()))
    return np.abs(ratio - 1) < SAME


def check(model: Model, stars: int, seed: int, real: dict[str, Real], progress: Callable[[str], None]) -> None:
    """Print how often classes, families and sets of 90 % are right, by survey."""
    for name in SURVEYS:
        batches = observed(name, stars, seed, real.get(name))
        truth = np.concatenate([np.asarray(batch.meta["true_class"]) for batch in batches])
        table = model.classify(batches, coverage=0.9)
        found = np.asarray(table["variable_class_1"], str)
        family = np.mean([one in CLASSES and CLASSES[one].parent == CLASSES[own].parent
                          for one, own in zip(found, truth, strict=True)])
        inside = np.mean([own in has.split(",") for own, has in zip(truth, table["variable_class_set"], strict=True)])
        progress(f"{name}: {len(truth):,} others, class right {np.mean(found == truth):.2f}, family {family:.2f}; set of 90 "
                 f"% holds {inside:.2f} and has {np.mean(table['variable_class_set_size']):.1f} classes; unknown "
                 f"{100 * np.mean(table['variable_class'] == 'unknown'):.1f} %")


def main() -> None:
    """Fit, calibrate, measure, save."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", type=Path, required=True, help="folder of the real light curves")
    parser.add_argument("--model", type=Path, help="what the encoder's training made; not with --check")
    parser.add_argument("--check", action="store_true", help="ask the model that is there, and learn nothing")
    parser.add_argument("-o", "--output", type=Path, required=True)
    parser.add_argument("--stars", type=int, default=14000, help="simulated stars of a survey to learn from (%(default)s)")
    parser.add_argument("--seed", type=int, default=11)
    options = parser.parse_args()
    if not (options.check or options.model):
        parser.error("name the encoder's model: --model RUN/model.safetensors")
    started = time.monotonic()

    def progress(text: str) -> None:
        print(f"{(time.monotonic() - started) / 60:5.1f} min  {text}", flush=True)

    ztf = get_instrument("ztf")
    seen, = ztf.read_batches([options.data / "ztf/ztf_dr3_zr400_1000.parquet"], size=2000)
    real = {"ztf": Real.of(seen, ztf)}
    if options.check:
        check(Model.load(options.output), 1500, options.seed + 2, real, progress)
        return
    made = Model.load(options.model)
    learn, measure = ([batch for name, (_, part) in SURVEYS.items()
                       for batch in observed(name, int(part * count), seed, real.get(name))]
                      for count, seed in ((options.stars, options.seed), (options.stars // 8, options.seed + 1)))
    progress(f"{sum(map(len, learn)):,} stars to learn from, {sum(map(len, measure)):,} to measure on")
    known = {name for name in made.about["instruments"] if name in cards("instruments")}
    named = Model(made.encoder, made.aligner, {}, card={
        **made.about, "instruments": sorted(known | set(SURVEYS)), "notes": NOTES, "citation": CITATION,
        "summary": "class, period and amplitude of variable stars from light curves of any survey"})
    parents = {name: one.parent for name, one in CLASSES.items() if one.parent != name}
    model = named.fit(learn, truth(learn, "variable_class", "amplitude"), method="head", parents=parents, prior="even",
                      extras=[name for name in FEATURES if name not in SAMPLING], progress=progress)
    heads = {("amplitude" if name == "fitted" else name): head for name, head in model.heads.items()}
    heads["period"] = MeasuredHead(dim=model.dim)
    model = Model(model.encoder, model.aligner, heads, card={**model.about, "name": "variable-tiny"},
                  distances=model.distances)
    known = truth(measure, "variable_class", "amplitude", "period")
    known["period"][~right_cycle(model, measure, known, progress)] = np.nan
    model = model.calibrate(measure, known)
    model.save(options.output, overwrite=True, dtype="float16")
    check(Model.load(options.output), 1500, options.seed + 2, real, progress)
    progress(f"{options.output}: {options.output.stat().st_size / 1e6:.2f} MB, SHA-256 {Model.load(options.output).sha256}")


if __name__ == "__main__":
    main()
