"""One trunk or one encoder an instrument: trained alike, then shown an instrument that the trunk never met.

    python benchmarks/trunk.py --data DATA -o RUN

DATA holds ``spectral-libraries star-archetypes sdss apogee`` (docs/sky.rst). Every design sees the same stars through
lamost-lrs, gaia-xp, sdss-optical and apogee, step by step, with the same noise; two of the four see them through desi, too.
Views are drawn towards the LAMOST view of the same star, and labels are read from the LAMOST view alone, so that any other
instrument has its labels by the head that LAMOST taught. Measured on stars that none of them saw. Started again, it goes on.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from torch import nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from trunk_stars import APOGEE, DESI, INSTRUMENTS, LABELS, LRS, SDSS, XP, Stars, real_stars

from astrofm import load_model
from astrofm.data import Batch
from astrofm.interfaces import degrade
from astrofm.nn.heads import GaussianHead
from astrofm.nn.shared import SharedSpace
from astrofm.nn.trunk import AnyWavelengthEncoder
from astrofm.registry import get_instrument
from astrofm.training import Loss, Schedule, contrastive_loss, label_loss, train

HEAD = [{"name": "teff", "unit": "K", "description": "effective temperature", "low": 2800.0, "high": 36000.0,
         "centre": 3.76, "spread": 0.12, "log": True},
        {"name": "logg", "unit": "dex", "description": "log10 of surface gravity in cm/s2", "low": 0.0, "high": 5.5,
         "centre": 3.2, "spread": 1.2},
        {"name": "fe_h", "unit": "dex", "description": "iron abundance relative to the Sun", "low": -2.9, "high": 1.0,
         "centre": -0.4, "spread": 0.6},
        {"name": "a_v", "unit": "mag", "description": "extinction in V", "low": 0.0, "high": 4.0,
         "centre": 0.8, "spread": 0.8}]
OTHERS = (XP, SDSS, APOGEE)
#: for each design, whether one encoder serves all instruments, and the instruments
DESIGNS = {"trunk": (True, (LRS, *OTHERS)), "trunk-desi": (True, (LRS, *OTHERS, DESI)),
           "each": (False, (LRS, *OTHERS)), "each-desi": (False, (LRS, *OTHERS, DESI))}
DIM, WIDTH, DEPTH, HEADS = 128, 128, 3, 4
#: least part of the patches that a view shows in training, and what contrast and labels count
KEEP, CONTRAST, READ = 0.6, 0.5, 3.0
#: stars embedded at a time
BLOCK = 128
#: by kind of stars: what instruments see of them, and their labels
Tests = dict[str, tuple[dict[str, Batch], np.ndarray]]


class Design:
    """The parts of one design, and how it embeds what an instrument saw."""

    def __init__(self, name: str, seed: int):
        torch.manual_seed(seed)
        self.shared, self.instruments = DESIGNS[name]
        names = ("all",) if self.shared else self.instruments
        self.parts = nn.ModuleDict({
            "encoders": nn.ModuleDict({one: AnyWavelengthEncoder(dim=DIM, width=WIDTH, depth=DEPTH, heads=HEADS)
                                       for one in names}),
            "aligner": SharedSpace(source_dim=DIM, dim=DIM, width=32, depth=0),
            "head": GaussianHead(dim=DIM, labels=HEAD, hidden=DIM, depth=1)})

    def see(self, batch: Batch, keep: float = 1.0, generator: torch.Generator | None = None) -> torch.Tensor:
        """Give shared embeddings ``(n, DIM)`` of a batch of tensors."""
        encoder = self.parts["encoders"]["all" if self.shared else batch.instrument]
        return self.parts["aligner"].align(encoder.embed_part(batch, keep, generator), batch.instrument)

    def embed(self, batch: Batch) -> np.ndarray:
        """Give shared embeddings of a batch."""
        with torch.no_grad():
            return np.concatenate([self.see(batch[k: k + BLOCK].tensors()).numpy() for k in range(0, len(batch), BLOCK)])

    def labels(self, batch: Batch) -> np.ndarray:
        """Give ``teff logg fe_h`` ``(n, 3)`` by the head that LAMOST taught."""
        with torch.no_grad():
            found = self.parts["head"].read(torch.from_numpy(self.embed(batch)))
        return np.stack([found[name].numpy() for name in LABELS], axis=1)


class Shipped:
    """The same verbs by a model that ships with astrofm."""

    def __init__(self, name: str):
        self.model = load_model(name)

    def embed(self, batch: Batch) -> np.ndarray:
        """Give shared embeddings of a batch."""
        return np.asarray(self.model.embed(batch))

    def labels(self, batch: Batch) -> np.ndarray:
        """Give ``teff logg fe_h`` ``(n, 3)``."""
        table = self.model.predict(batch)
        return np.stack([np.asarray(table[name].value, float) for name in LABELS], axis=1)


class Losses:
    """What a step of training makes small: the sum over designs, which share views and nothing else."""

    def __init__(self, designs: dict[str, Design], stars: Stars, count: int, seed: int):
        self.designs, self.stars, self.count, self.seed = designs, stars, count, seed
        self.instruments = tuple(dict.fromkeys(name for design in designs.values() for name in design.instruments))
        self.pool, self.ahead = ThreadPoolExecutor(1), {}

    def __call__(self, step: int, piece: int) -> Loss:
        for later in (step, step + 1):  # views are made a step ahead
            if later not in self.ahead:
                self.ahead[later] = self.pool.submit(self.stars.views, (self.seed, later), self.count, self.instruments)
        views, labels = self.ahead.pop(step).result()
        views = {name: (batch.tensors(), torch.from_numpy(rows)) for name, (batch, rows) in views.items()}
        parts, total = {}, 0.0
        with sdpa_kernel(SDPBackend.MATH):  # on CPUs the fused kernel is slow backward
            for name, design in self.designs.items():
                own = {key: views[key] for key in design.instruments}
                contrast, read = self._of(design, own, torch.from_numpy(labels), step)
                total = total + CONTRAST * contrast + READ * read
                parts |= {f"{name} contrast": float(contrast.detach()), f"{name} labels": float(read.detach())}
        return Loss(total, parts)

    def _of(self, design: Design, views: dict[str, tuple[Batch, torch.Tensor]], labels: torch.Tensor,
            step: int) -> tuple[torch.Tensor, torch.Tensor]:
        shared = {}
        for name, (batch, _) in views.items():
            generator = torch.Generator().manual_seed(10 * step + INSTRUMENTS.index(name))
            keep = KEEP + (1 - KEEP) * float(torch.rand((), generator=generator))
            shared[name] = design.see(batch, keep, generator)
        first, head = shared[LRS], design.parts["head"]
        contrast = sum(contrastive_loss(first[rows], shared[name]) for name, (_, rows) in views.items() if name != LRS)
        return contrast / (len(views) - 1), label_loss(*head.standardised(first), head.standardise(labels))


def recall(first: np.ndarray, second: np.ndarray) -> tuple[float, float]:
    """Give the parts of stars whose own other spectrum is the nearest, and among the ten nearest."""
    first, second = (x / np.linalg.norm(x, axis=1, keepdims=True) for x in (first, second))
    scores = first @ second.T
    rank = (scores > np.diag(scores)[:, None]).sum(1)
    return float((rank < 1).mean()), float((rank < 10).mean())


def errors(found: np.ndarray, truth: np.ndarray) -> str:
    """Give robust scatter and rms about the truth: teff in per cent, logg, fe_h."""
    away = np.c_[100 * np.log(found[:, 0] / truth[:, 0]), found[:, 1:] - truth[:, 1:]]
    away = away[np.isfinite(away).all(1)]
    scatter, rms = 1.4826 * np.median(np.abs(away), axis=0), np.sqrt(np.mean(away**2, axis=0))
    return (f"teff {scatter[0]:5.1f} ({rms[0]:5.1f}) %   logg {scatter[1]:.2f} ({rms[1]:.2f})   "
            f"fe_h {scatter[2]:.2f} ({rms[2]:.2f})   {len(away)} of {len(found)}")


def on_lamost(batch: Batch) -> Batch:
    """Bring DESI spectra to LAMOST's line spread and pixels."""
    return degrade(batch, get_instrument(DESI), get_instrument(LRS))


def as_lamost(batch: Batch) -> Batch:
    """Take DESI spectra for LAMOST's, on their own pixels."""
    return replace(batch, instrument=LRS)


def as_is(batch: Batch) -> Batch:
    """Leave DESI spectra as they are."""
    return batch


def measure(model: Design | Shipped, tests: Tests, *, views: tuple[str, ...], desi: Callable[[Batch], Batch]) -> None:
    """Print retrieval and labels by a model, DESI's spectra prepared by ``desi``."""
    tests = {test: ({**seen, DESI: desi(seen[DESI])}, truth) for test, (seen, truth) in tests.items()}
    optical, infrared = sorted(set(views) - {APOGEE}), [APOGEE] * (APOGEE in views)
    for test, names in (("unseen", optical), ("dwarfs", infrared)):
        seen, _ = tests[test]
        first = model.embed(seen[LRS])
        for name in names:
            second = model.embed(seen[name])
            there, back = recall(second, first), recall(first, second)
            print(f"  {test:10s} {name:12s} recall@1 @10 to LAMOST {there[0]:.3f} {there[1]:.3f}   from LAMOST {back[0]:.3f} "
                  f"{back[1]:.3f}", flush=True)
    for test, names in (("library", [LRS, *optical]), ("dwarfs", [LRS, APOGEE] * len(infrared))):
        seen, truth = tests[test]
        for name in names:
            print(f"  {test:10s} {name:12s} {errors(model.labels(seen[name]), truth)}", flush=True)


def report(made: dict[str, Design | Shipped], stars: Stars, data: Path, count: int) -> None:
    """Print the tables, of ``count`` stars."""
    print("\nmaking the stars to measure on, which takes minutes the first time in a folder", flush=True)
    tests = stars.tests(count)
    print(f"\nretrieval among {len(tests['unseen'][1]):,} stars that no design has met; scatter (rms) of labels of library "
          "stars that none has met, and of dwarfs made between others")
    every = (DESI, *OTHERS)
    for title, name, views, desi in (
            ("one trunk that never met DESI", "trunk", every, as_is),
            ("the same, DESI put on LAMOST's grid", "trunk", (DESI,), on_lamost),
            ("one trunk that met DESI", "trunk-desi", every, as_is),
            ("an encoder each, DESI's own among them", "each-desi", every, as_is),
            ("an encoder each, none for DESI: LAMOST's, DESI put on its grid", "each", every, on_lamost),
            ("the same, DESI on its own grid", "each", (DESI,), as_lamost),
            ("stellar-tiny, which met neither DESI nor SDSS", "stellar-tiny", (DESI, XP, SDSS), as_is)):
        if name in made:
            print(f"\n{title}")
            measure(made[name], tests, views=views, desi=desi)
    print("\nreal stars, against the surveys' own labels")
    for name, (batch, truth) in real_stars(data).items():
        for title, model in made.items():
            print(f"  {name:12s} {title:12s} {errors(model.labels(batch), truth)}")


def main() -> None:
    """Train the designs and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("-o", "--output", type=Path, required=True)
    parser.add_argument("--steps", type=int, default=1200)
    parser.add_argument("--stars", type=int, default=48, help="stars a step")
    parser.add_argument("--tested", type=int, default=1000, help="stars measured on")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--designs", nargs="+", choices=DESIGNS, default=list(DESIGNS))
    options = parser.parse_args()
    begin, run = time.monotonic(), options.output
    run.mkdir(parents=True, exist_ok=True)
    torch.set_float32_matmul_precision("medium")
    print("making the stars to learn from, which takes minutes the first time in a folder", flush=True)
    stars = Stars(options.data, run)
    print(f"{time.monotonic() - begin:.0f} s: stars", flush=True)
    # no clipping: the norm of the gradient is of all designs together
    schedule = Schedule(steps=options.steps, learning_rate=2e-3, warmup=min(150, options.steps // 4), final=0.01,
                        optimiser="muon", clip=1e6)
    print("training; the first line comes after some steps", flush=True)
    made = {name: Design(name, options.seed) for name in options.designs}
    train(nn.ModuleDict({name: design.parts for name, design in made.items()}),
          Losses(made, stars, options.stars, options.seed), schedule, folder=run / "designs",
          progress=lambda line: print(line, flush=True))
    print(f"{time.monotonic() - begin:.0f} s: trained; parameters of encoders: " + ", ".join(
        f"{name} {sum(p.numel() for p in design.parts['encoders'].parameters()):,}" for name, design in made.items()))
    report(made | {"stellar-tiny": Shipped("stellar-tiny")}, stars, options.data, options.tested)
    print(f"{time.monotonic() - begin:.0f} s in all")


if __name__ == "__main__":
    main()
