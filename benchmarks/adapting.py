"""Adaptation to another survey with few labels: a model trained on LAMOST, stars seen by DESI, labels on a shifted scale.

    python benchmarks/adapting.py --data DATA --specclip RUN -o OUT

RUN is the folder in which ``benchmarks/specclip.py`` trained its small models. Made stars with labels teach the aligned model
a head as LAMOST sees them. Then other stars, made between the same MILES stars, are seen by DESI, degraded to LAMOST's line
spread and pixels, with labels on another scale (as between two surveys); 100 or 200 of them are labelled. Errors are those
of other stars again, scatter and median offset, by way of adapting and by place.
"""

from __future__ import annotations

import argparse
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
from astropy import units as u
from astropy.table import QTable
from specclip import LABELS, LRS, Stars, _see, fit_labels, spread

from astrofm.data import Batch
from astrofm.interfaces import degrade
from astrofm.models import Model
from astrofm.registry import get_instrument, get_part

#: labelled stars of LAMOST, test stars, and numbers of labels of DESI
TAUGHT, TESTED, COUNTS = 4000, 1000, (100, 200)
#: scale, zero point and error of DESI's labels
SCALE = {"teff": (1.0, 80.0, 50.0), "logg": (1.0, 0.10, 0.05), "fe_h": (1.1, 0.08, 0.04)}
UNITS = {"teff": u.K, "logg": u.dex, "fe_h": u.dex}


def seen(stars: Stars, count: int, seed: int, through: str) -> tuple[Batch, np.ndarray]:
    """Observe made stars; DESI's are degraded to LAMOST's. Give labels ``(n, 3)`` on the survey's own scale, too."""
    from astrofm_sky import observe

    random = np.random.default_rng([11, seed])
    sources = stars.made(random, count)
    batch = observe(sources, through, rv=random.normal(0, 50, count), a_v=random.exponential(0.3, count).clip(0, 3),
                    snr=10 ** random.uniform(1.3, 2.0, count), seed=seed)
    labels = np.stack([np.asarray(sources.labels[name], float) for name in LABELS], axis=1)
    if through == "desi":
        batch = degrade(batch, get_instrument("desi"), get_instrument(LRS))
        for k, name in enumerate(LABELS):
            factor, zero, error = SCALE[name]
            labels[:, k] = factor * labels[:, k] + zero + error * random.standard_normal(count)
    return replace(batch, meta={"id": [f"{through}-{seed}-{k}" for k in range(count)]}), labels


def table(labels: np.ndarray) -> QTable:
    """Make a table of labels with errors."""
    found = QTable({name: labels[:, k] * UNITS[name] for k, name in enumerate(LABELS)})
    for name in LABELS:
        found[f"{name}_err"] = np.full(len(labels), SCALE[name][2]) * UNITS[name]
    return found


def score(found: np.ndarray, truth: np.ndarray) -> str:
    """Give scatter and offset of each label: teff in K."""
    away = found - truth
    return "   ".join(f"{name} {spread(away[:, k]):7.3f} ({np.median(away[:, k]):+8.3f})" for k, name in enumerate(LABELS))


def predicted(model: Model, batch: Batch) -> np.ndarray:
    """Give labels ``(n, 3)`` as a model has them."""
    answer = model.predict(batch)
    return np.stack([np.asarray(answer[name].value, float) for name in LABELS], axis=1)


def fresh(model: Model) -> Model:
    """Give the same model without what it has learned."""
    from torch import manual_seed

    manual_seed(0)
    parts = [get_part(kind, part.name)(**part.arguments) for kind, part in (("encoders", model.encoder),
                                                                            ("aligners", model.aligner))]
    card = {key: value for key, value in model.about.items() if key not in ("parts", "labels", "format", "calibration")}
    return Model(*parts, {}, card={**card, "name": "fresh"})


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--specclip", type=Path, required=True)
    parser.add_argument("-o", "--output", type=Path, required=True)
    options = parser.parse_args()
    begin = time.monotonic()
    options.output.mkdir(parents=True, exist_ok=True)

    def stage(what: str) -> None:
        print(f"{time.monotonic() - begin:.0f} s: {what}", flush=True)

    stage("reading the stars")
    stars = Stars(options.data, options.specclip / "corpus.npz")
    base = Model.load(options.specclip / "pr" / "model.safetensors")
    stage(f"seeing {TAUGHT:,} stars by LAMOST")
    taught, labels = seen(stars, TAUGHT, 1, LRS)
    path = options.output / "taught.safetensors"
    if not path.exists():
        stage("teaching the head on them")
        base.fit(taught, table(labels)[list(LABELS)]).save(path)
    model, own = Model.load(path), _finite(_see(base, taught))
    stage(f"seeing {TESTED + max(COUNTS):,} stars by DESI")
    test, truth = seen(stars, TESTED, 2, "desi")
    few, given = seen(stars, max(COUNTS), 3, "desi")
    stage(f"taught; scatter (offset) on {TESTED:,} stars seen by DESI")

    def tell(name: str, found: np.ndarray) -> None:
        good = np.isfinite(found).all(axis=1)
        print(f"  {name:34s} {score(found[good], truth[good])}   [{time.monotonic() - begin:.0f} s]", flush=True)

    tell("zero-shot, LAMOST's head", predicted(model, test))
    raw = np.c_[np.log10(labels[:, 0]), labels[:, 1:]]
    asked = _finite(_see(base, test))
    tell("zero-shot, raw-flux perceptron", _physical(fit_labels(own, raw, asked, 0)))
    for count in COUNTS:
        part, told = few[:count], given[:count]
        print(f" {count} labels")
        for method, places in (("probe", ("head",)), ("head", ("head",)), ("lora", ("head",)), ("lora", ("projection",)),
                               ("lora", ("encoder",)), ("lora", ("encoder", "projection", "head")), ("full", ("head",)),
                               ("full", ("encoder", "projection", "head"))):
            fitted = model.fit(part, table(told), method=method, places=places)
            name = method if method in ("probe", "head") else f"{method}: {' + '.join(places)}"
            tell({"probe": "probe", "head": "new head"}.get(name, name), predicted(fitted, test))
        tell("from scratch, all weights", predicted(fresh(model).fit(
            part, table(told), method="full", places=("encoder", "projection", "head")), test))
        alone = fit_labels(_finite(_see(base, part)), np.c_[np.log10(told[:, 0]), told[:, 1:]], asked, 0)
        tell("raw-flux perceptron", _physical(alone))


def _finite(flux: np.ndarray) -> np.ndarray:
    return np.where(np.isfinite(flux), flux, 1.0)


def _physical(found: np.ndarray) -> np.ndarray:
    return np.c_[10 ** found[:, 0], found[:, 1:]]


if __name__ == "__main__":
    main()
