"""The recipe of ``stellar-tiny``: public stellar libraries, observed by simulation, make one small model.

    python plugins/astrofm-sky/recipes/stellar_tiny.py --data DATA -o runs/stellar-tiny

``DATA`` is the folder with ``spectral-libraries star-archetypes sdss`` (see docs/sky.rst). Three stages, each with
checkpoints: started again, the run goes on. *pretrain*: hidden patches are predicted from seen ones.
*align*: views of the same star by several instruments are brought together and decode each other.
*fit* and *refit*: most patches are seen, and the learning rate goes to nothing, twice; *last* starts from the mean of
their weights. *types*: the head of classes alone. Labels by the pipeline of any survey are never used.
"""

from __future__ import annotations

import argparse
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import torch
from corpus import Corpus, load_corpus
from torch import nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from views import View, Views

from astrofm.nn.heads import ClassHead, GaussianHead
from astrofm.nn.shared import SharedSpace
from astrofm.nn.trunk import AnyWavelengthEncoder
from astrofm.training import Loss, Schedule, class_loss, contrastive_loss, label_loss, reconstruction_loss, train

LABELS = [
    {"name": "teff", "unit": "K", "description": "effective temperature", "low": 2800.0, "high": 36000.0,
     "centre": 3.76, "spread": 0.12, "log": True},
    {"name": "logg", "unit": "dex", "description": "log10 of surface gravity in cm/s2", "low": 0.0, "high": 5.5,
     "centre": 3.2, "spread": 1.2},
    {"name": "fe_h", "unit": "dex", "description": "iron abundance relative to the Sun", "low": -2.9, "high": 1.0,
     "centre": -0.4, "spread": 0.6},
    {"name": "a_v", "unit": "mag", "description": "extinction in V", "low": 0.0, "high": 4.0,
     "centre": 0.8, "spread": 0.8},
    {"name": "rv", "unit": "km/s", "description": "radial velocity", "low": -500.0, "high": 500.0,
     "centre": 0.0, "spread": 120.0},
]
CLASSES = [f"{letter}{k}" for letter in "OBAFGKM" for k in range(10)][5:]
#: numeric class of the first of CLASSES (O5), on the scale B0 = 20 ... M0 = 70
FIRST_CLASS = 15
#: steps of each stage, the least and the greatest part of the patches it sees, and its highest learning rate over the
#: usual one
STAGES = {"pretrain": (300, (0.5, 0.5), 1.0), "align": (4200, (0.75, 0.75), 1.0), "fit": (1200, (0.6, 1.0), 0.5),
          "refit": (1200, (0.6, 1.0), 0.5), "last": (600, (0.6, 1.0), 0.3), "types": (400, (1.0, 1.0), 0.5)}
#: patches decoded a view and step
DECODED = 8
#: how much the labels count that are read from each view
VIEW_WEIGHTS = (1.0, 0.5, 0.7)


def build() -> nn.ModuleDict:
    """Make the parts with fresh weights."""
    return nn.ModuleDict({
        "encoder": AnyWavelengthEncoder(dim=256, width=192, depth=4, heads=3, expansion=3, patch=64, hidden=512),
        "aligner": SharedSpace(source_dim=256, dim=256, width=320, depth=2, patch=64),
        "atmosphere": GaussianHead(dim=256, labels=LABELS, hidden=256, depth=2),
        "spectral_type": ClassHead(dim=256, label="spectral_type", classes=CLASSES, description="spectral class",
                                   hidden=192, ordered=True),
    })


class Objective:
    """Losses of a step: the data are drawn from the step's number, the next step's while this one learns."""

    def __init__(self, modules: nn.ModuleDict, corpus: Corpus, *, stage: str, stars: int, offset: int, workers: int):
        self.modules, self.stage = modules, stage
        self.views = Views(corpus, stars=stars)
        self.offset = offset
        self.pool = ThreadPoolExecutor(workers)
        self.ahead = {}
        self.workers = workers

    def __call__(self, step: int, piece: int):
        for later in range(step, step + self.workers + 1):
            if later not in self.ahead:
                self.ahead[later] = self.pool.submit(self.views.draw, self.offset + later)
        views, labels, kinds = self.ahead.pop(step).result()
        with sdpa_kernel(SDPBackend.MATH):  # on CPUs the fused kernel is slow backward
            return self.losses(views, torch.from_numpy(labels), torch.from_numpy(kinds), step)

    def losses(self, views: list[View], labels: torch.Tensor, kinds: torch.Tensor, step: int):
        m = self.modules
        if self.stage == "types":
            return self._types(views, kinds)
        generator = torch.Generator().manual_seed(self.offset + step)
        low, high = STAGES[self.stage][1]
        keep = low + (high - low) * float(torch.rand((), generator=generator))
        shared = [m["aligner"].align(m["encoder"].embed_part(v.seen.tensors(), keep, generator), v.seen.instrument)
                  for v in views]
        parts = {"reconstruct": self._reconstruct(shared, views, generator)}
        loss = parts["reconstruct"]
        if self.stage != "pretrain":
            others = range(1, len(views))
            parts["contrast"] = sum(contrastive_loss(shared[0], shared[k]) for k in others) / len(others)
            truth = m["atmosphere"].standardise(labels)
            parts["labels"] = sum(w * label_loss(*m["atmosphere"].standardised(z), truth)
                                  for w, z in zip(VIEW_WEIGHTS, shared, strict=False)) / sum(VIEW_WEIGHTS[:len(views)])
            parts["types"] = sum(w * class_loss(m["spectral_type"].scores(z), kinds)
                                 for w, z in zip(VIEW_WEIGHTS, shared, strict=False)) / sum(VIEW_WEIGHTS[:len(views)])
            loss = 0.3 * loss + 0.2 * parts["contrast"] + 3.0 * parts["labels"] + 0.3 * parts["types"]
        return Loss(loss, {key: float(item.detach()) for key, item in parts.items()})

    def _types(self, views: list[View], kinds: torch.Tensor):
        m = self.modules
        with torch.no_grad():
            shared = [m["aligner"].align(m["encoder"].embed(v.seen), v.seen.instrument) for v in views]
        loss = sum(class_loss(m["spectral_type"].scores(z), kinds) for z in shared) / len(shared)
        return Loss(loss, {"types": float(loss.detach())})

    def _reconstruct(self, shared: list[torch.Tensor], views: list[View], generator: torch.Generator):
        total = 0.0
        lattice, aligner = self.modules["encoder"].lattice, self.modules["aligner"]
        for k, view in enumerate(views):
            wanted = (view.seen if self.stage == "pretrain" else view.truth).tensors()
            plan = lattice.plan(wanted.coordinate)
            patches = lattice.patches(plan, wanted.value, wanted.error, wanted.mask)
            chosen = torch.randperm(plan.patches, generator=generator)[:DECODED].sort().values
            target = [x[:, chosen] for x in patches]
            index = plan.first + lattice.size * chosen
            source = k if self.stage == "pretrain" else int(torch.randint(len(views), (), generator=generator))
            decoded = aligner.decode_patches(shared[source], index, plan.level)
            total = total + reconstruction_loss(*decoded, *target) / len(views)
        return total


def average(modules: nn.ModuleDict, checkpoints: list[Path]) -> None:
    """Set weights to the mean of several checkpoints' (Izmailov et al. 2018, arXiv:1803.05407)."""
    states = [torch.load(path, weights_only=True)["modules"] for path in checkpoints]
    modules.load_state_dict({key: sum(state[key] for state in states) / len(states) for key in states[0]})


def main() -> None:
    """Run the stages."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", type=Path, required=True, help="folder of the libraries")
    parser.add_argument("-o", "--output", type=Path, required=True, help="folder of the run")
    parser.add_argument("--longer", type=float, default=1.0, help="factor on the steps of every stage")
    parser.add_argument("--stars", type=int, default=64, help="stars a step")
    parser.add_argument("--rate", type=float, default=2e-3)
    parser.add_argument("--workers", type=int, default=1)
    options = parser.parse_args()
    options.output.mkdir(parents=True, exist_ok=True)
    corpus = load_corpus(options.data, cache=options.output / "corpus.npz")
    torch.manual_seed(0)
    torch.set_float32_matmul_precision("medium")
    modules = build()
    print(f"{sum(p.numel() for p in modules.parameters()):,} parameters, {len(corpus.flux):,} sources", flush=True)
    offset = 0
    for stage, (usual, _, slower) in STAGES.items():
        steps, rate = int(usual * options.longer), options.rate * slower
        schedule = Schedule(steps=steps, learning_rate=rate, warmup=min(150, steps // 4),
                            final=0.5 if stage == "pretrain" else 0.2 if stage == "align" else 0.005, optimiser="muon")
        if stage == "last":
            average(modules, [options.output / earlier / "checkpoint.pt" for earlier in ("fit", "refit")])
        for name, module in modules.items():
            module.requires_grad_(stage != "types" or name == "spectral_type")
        objective = Objective(modules, corpus, stage=stage, stars=options.stars, offset=offset,
                              workers=options.workers)
        train(modules, objective, schedule, folder=options.output / stage,
              progress=lambda line, stage=stage: print(stage, line, flush=True))
        offset += 1_000_000
    torch.save(modules.state_dict(), options.output / "modules.pt")
    np.save(options.output / "held_out.npy", corpus.held_out)


if __name__ == "__main__":
    main()
