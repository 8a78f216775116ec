"""SpecCLIP in the small: retrieval, translation and labels on simulated LAMOST-XP pairs of held-out stars.

    python benchmarks/specclip.py --data DATA -o runs/specclip

``DATA`` holds ``star-archetypes spectral-libraries sdss`` (docs/sky.rst). The stars to learn from are archetypes and stars
made between MILES stars; those measured on are other archetypes, and other MILES stars with their labels. Both encoders and
the alignment are trained by the commands and the small recipes of astrofm-zoo; started again, the run goes on.
"""

from __future__ import annotations

import argparse
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from astrofm_sky import Sources, libraries, pairs, truth
from astrofm_sky.alike import alike
from astrofm_zoo.specclip.views import XP_ONE, lrs_grid
from torch import nn

from astrofm.cli import main as astrofm
from astrofm.data import Batch
from astrofm.models import Model
from astrofm.registry import get_instrument
from astrofm.training import ShardedData, ShardWriter

ROOT = Path(__file__).resolve().parents[1]
RECIPES = ROOT / "plugins" / "astrofm-zoo" / "recipes"
sys.path.insert(0, str(ROOT / "plugins" / "astrofm-sky" / "recipes"))
LRS, XP = "lamost-lrs", "gaia-xp"
LABELS = ("teff", "logg", "fe_h")
#: stars to learn from of each kind, stars measured on, and how often a held-out MILES star is seen
LEARN, RETRIEVED, SEEN = 12_000, 500, 12
#: numbers of labels that heads learn from, and repetitions
COUNTS, SEEDS = (100, 1_000, 10_000), 3


class Stars:
    """The stars, cut in two: one to learn from, one to measure on."""

    def __init__(self, data: Path, cache: Path):
        from astrofm_sky.between import Between
        from corpus import GROUPS, load_corpus

        corpus = load_corpus(data, cache=cache)
        self.wave = corpus.wavelength
        random = np.random.default_rng(0)
        miles = np.flatnonzero((corpus.group == list(GROUPS).index("miles")) & np.isfinite(corpus.labels).all(1))
        held = random.random(len(miles)) < 0.2
        self.flux, self.labels, self.rows, self.held = corpus.flux, corpus.labels, miles[~held], miles[held]
        self.between = Between(self.labels[self.rows], self.flux[self.rows])
        models = libraries.archetypes(data, count=9_000, seed=5)
        group = alike(models)  # the same star is there many times: all of it is learned from, or one of it measured on
        measured = random.permutation(group.max() + 1)[:RETRIEVED]
        others, learned = np.unique(group, return_index=True)[1][measured], np.flatnonzero(~np.isin(group, measured))
        models = libraries.extend(models, models[random.permutation(learned)[:300]])[0]
        self.archetypes, self.others = models[learned], models[others]

    def made(self, random: np.random.Generator, count: int) -> Sources:
        flux, labels = self.between.draw(random, random.integers(len(self.rows), size=count))
        return self._sources(flux, labels)

    def library(self) -> Sources:
        rows = np.repeat(self.held, SEEN)
        return self._sources(self.flux[rows], self.labels[rows])

    def _sources(self, log_flux: np.ndarray, labels: np.ndarray) -> Sources:
        counts = (1000 * np.exp(log_flux)).astype(np.float32)
        return Sources(self.wave, counts, labels=dict(zip(LABELS, labels.T, strict=True)))


def observed(stars: Sources, seed: int, name: str) -> tuple[dict[str, Batch], dict[str, np.ndarray]]:
    """Observe stars by both, with random motion, dust and S/N; also what is true of them."""
    random = np.random.default_rng([7, seed])
    sky = {"rv": random.normal(0, 50, len(stars)), "a_v": random.exponential(0.3, len(stars)).clip(0, 3)}
    seen = pairs(stars, [LRS, XP], **sky, snr=10 ** random.uniform(1.3, 2.2, len(stars)), seed=seed)
    meta = {"id": [f"{name}-{seed}-{k}" for k in range(len(stars))], **{k: np.asarray(v) for k, v in stars.labels.items()}}
    return {key: replace(batch, meta=meta) for key, batch in seen.items()}, sky


def write(stars: Stars, folder: Path) -> None:
    """Write the data set to learn from."""
    writer = ShardWriter(folder, {"made": LEARN, "archetypes": LEARN})
    random = np.random.default_rng(3)
    for block in range(2 * LEARN // 1000):
        some = stars.made(random, 1000) if block % 2 else stars.archetypes[random.integers(len(stars.archetypes), size=1000)]
        if block < writer.done:
            continue
        seen, _ = observed(some, block, "made" if block % 2 else "archetype")
        writer.write(list(seen.values()), done=block + 1)
    writer.finish()


def recall(first: np.ndarray, second: np.ndarray) -> tuple[float, float]:
    """Give the parts of stars whose own other spectrum is the nearest, and among the ten nearest."""
    first, second = (x / np.linalg.norm(x, axis=1, keepdims=True) for x in (first, second))
    scores = first @ second.T
    rank = (scores > np.diag(scores)[:, None]).sum(1)
    return float((rank < 1).mean()), float((rank < 10).mean())


def ridge(x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Fit a linear map with the penalty that does best on a tenth of the stars."""
    cut = len(x) // 10
    best = None
    for penalty in (1e-1, 1e0, 1e1, 1e2, 1e3):
        middle, level = x[cut:].mean(0), y[cut:].mean(0)
        z = (x[cut:] - middle).astype(np.float64)
        slope = np.linalg.solve(z.T @ z + penalty * np.eye(x.shape[1]), z.T @ (y[cut:] - level))
        score = np.abs((x[:cut] - middle) @ slope + level - y[:cut]).mean()
        if best is None or score < best[0]:
            best = score, middle, slope, level
    return best[1:]


def fit_labels(x: np.ndarray, y: np.ndarray, test: np.ndarray, seed: int) -> np.ndarray:
    """Learn labels by a perceptron with early stopping on a fifth of them; give them for the test stars."""
    torch.manual_seed(seed)
    middle, spread = x.mean(0), x.std(0) + 1e-6
    level, width = y.mean(0), y.std(0)
    given, wanted, asked = (torch.from_numpy(np.asarray(a, np.float32)) for a in
                            ((x - middle) / spread, (y - level) / width, (test - middle) / spread))
    order = torch.randperm(len(given))
    valid, own = order[: len(order) // 5], order[len(order) // 5:]
    best, answer = np.inf, None
    for decay in (1e-3, 1e-1):
        net = nn.Sequential(nn.Linear(x.shape[1], 256), nn.GELU(), nn.Dropout(0.1), nn.Linear(256, 256), nn.GELU(),
                            nn.Dropout(0.1), nn.Linear(256, y.shape[1]))
        optimiser = torch.optim.AdamW(net.parameters(), 1e-3, weight_decay=decay)
        stale, step = 0, 0
        while stale < 12 and step < 6000:
            net.train()
            for _ in range(50):
                rows = own[torch.randint(len(own), (128,))]
                loss = (net(given[rows]) - wanted[rows]).abs().mean()
                optimiser.zero_grad()
                loss.backward()
                optimiser.step()
            step += 50
            net.eval()
            with torch.no_grad():
                score = float((net(given[valid]) - wanted[valid]).abs().mean())
                stale = stale + 1 if score >= best else 0
                if score < best:
                    best, answer = score, net(asked).numpy() * width + level
    return answer


def spread(error: np.ndarray) -> float:
    """Half the width of the middle 68.27 % of the errors."""
    return float(np.diff(np.quantile(error, (0.15865, 0.84135)))[0] / 2)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("-o", "--output", type=Path, required=True)
    options = parser.parse_args()
    began, out = time.monotonic(), options.output
    out.mkdir(parents=True, exist_ok=True)
    print(f"0 s: reading {options.data} and simulating stars as both instruments see them: minutes", flush=True)
    stars = Stars(options.data, out / "corpus.npz")
    write(stars, out / "data")
    print(f"{time.monotonic() - began:.0f} s: data written", flush=True)
    for stage, command, start in (("lrs", "pretrain", ()), ("xp", "pretrain", ()), ("pr", "align", ("lrs", "xp"))):
        more = ["--start", *(str(out / name / "model.safetensors") for name in start)] if start else []
        print(f"{time.monotonic() - began:.0f} s: {stage} is trained now", flush=True)
        if astrofm([command, str(RECIPES / f"specclip_{stage}_small.toml"), "--data", str(out / "data"), "-o",
                    str(out / stage), *more]):
            raise SystemExit(1)
        print(f"{time.monotonic() - began:.0f} s: {stage} trained", flush=True)
    models = {name: Model.load(out / name / "model.safetensors") for name in ("lrs", "xp", "pr")}
    print(f"{time.monotonic() - began:.0f} s: held-out stars are observed, found and translated now", flush=True)
    _retrieval_and_translation(models, stars, ShardedData.open(out / "data"))
    print(f"{time.monotonic() - began:.0f} s: heads learn labels now", flush=True)
    _labels(models, stars, ShardedData.open(out / "data"))
    print(f"{time.monotonic() - began:.0f} s in all")


def _see(model: Model, batch: Batch) -> np.ndarray:
    with torch.no_grad():
        return np.concatenate([model.encoder.see(batch[at: at + 256].tensors()).numpy() for at in range(0, len(batch), 256)])


def _retrieval_and_translation(models: dict[str, Model], stars: Stars, data: ShardedData) -> None:
    seen, sky = observed(stars.others, 99_001, "other")
    before = [models[key].embed(seen[name]) for key, name in (("lrs", LRS), ("xp", XP))]
    after = [models["pr"].embed(seen[name]) for name in (LRS, XP)]
    print(f"\n(a) own spectrum found among {len(before[0]):,} held-out stars, recall@1 / @10")
    for name, (ours, theirs) in (("before alignment", before), ("aligned", after)):
        there, back = recall(ours, theirs), recall(theirs, ours)
        print(f"  {name:18s} LAMOST to XP {there[0]:.4f} / {there[1]:.4f}   XP to LAMOST {back[0]:.4f} / {back[1]:.4f}")
    rows = data.rows([LRS, XP])
    x, y = (_see(models["pr"], data.batch(name, rows[:, k])) for k, name in enumerate((LRS, XP)))
    both = np.isfinite(x).all(1) & np.isfinite(y).all(1)
    x, y = x[both], y[both]
    own = {name: _see(models["pr"], batch) for name, batch in seen.items()}
    clean = {name: truth(stars.others, name, **sky) for name in seen}
    ideal = {name: _see(models["pr"], replace(seen[name], value=clean[name], mask=np.zeros_like(seen[name].mask)))
             for name in seen}
    wave = get_instrument(LRS).wavelength()
    nearest = np.searchsorted(wave, lrs_grid().numpy() - 0.2)
    with np.errstate(divide="ignore", invalid="ignore"):
        noise = {XP: seen[XP].error / clean[XP][:, XP_ONE: XP_ONE + 1],
                 LRS: seen[LRS].error[:, nearest] / clean[LRS][:, nearest] * ideal[LRS]}
    good = {XP: ~seen[XP].mask, LRS: ~seen[LRS].mask[:, nearest]}
    good = {name: good[name] & np.isfinite(noise[name]) & (noise[name] > 0) & np.isfinite(ideal[name]) for name in good}
    print("\n(b) other spectrum predicted: median over stars of the rms error in units of the noise (median relative error)")
    for source, target, given, wanted, z in ((LRS, XP, x, y, after[0]), (XP, LRS, y, x, after[1])):
        middle, slope, level = ridge(given, wanted)
        with torch.no_grad():
            ours = models["pr"].aligner.spectrum(torch.from_numpy(z), target, source=source).numpy()
        fits = {"ridge on pixels": (own[source] - middle) @ slope + level, "pr": ours, "mean spectrum": level[None]}
        usable = np.isfinite(own[source]).all(1) & (good[target].mean(1) > 0.9)
        for name, found in fits.items():
            away = np.where(good[target], found - ideal[target], np.nan)[usable]
            rms = np.median(np.sqrt(np.nanmean((away / noise[target][usable]) ** 2, axis=1)))
            relative = np.nanmedian(np.abs(away / ideal[target][usable]))
            print(f"  {source} to {target}: {name:16s} {rms:6.2f}   ({100 * relative:.2f} %)")


def _labels(models: dict[str, Model], stars: Stars, data: ShardedData) -> None:
    seen, _ = observed(stars.library(), 99_002, "library")
    batch = seen[LRS]
    truth_ = np.stack([batch.meta[name] for name in LABELS], axis=1)
    known = np.isfinite(np.stack([data.column(LRS, name) for name in LABELS], axis=1)).all(1)
    rows = np.random.default_rng(1).permutation(np.flatnonzero(known))[: max(COUNTS)]
    learn = data.batch(LRS, rows)
    labels = np.stack([np.asarray(learn.meta[name], float) for name in LABELS], axis=1)
    given = {"aligned": (models["pr"].embed(learn), models["pr"].embed(batch)),
             "unaligned": (models["lrs"].embed(learn), models["lrs"].embed(batch)),
             "raw flux": (_see(models["pr"], learn), _see(models["pr"], batch))}
    print(f"\n(c) labels of {len(stars.held)} held-out MILES stars seen {SEEN} times each: scatter of teff (%), logg, fe_h; "
          f"mean of {SEEDS}")
    for count in COUNTS:
        for name, (x, test) in given.items():
            target = np.c_[np.log10(labels[:, 0]), labels[:, 1:]]
            found = []
            for seed in range(SEEDS):
                chosen = np.random.default_rng(seed).permutation(len(x))[:count]
                error = fit_labels(x[chosen], target[chosen], test, seed) - np.c_[np.log10(truth_[:, 0]), truth_[:, 1:]]
                found.append([100 * np.log(10) * spread(error[:, 0]), spread(error[:, 1]), spread(error[:, 2])])
            mean = np.mean(found, axis=0)
            print(f"  {count:6,} labels  {name:10s} {mean[0]:5.2f}  {mean[1]:.3f}  {mean[2]:.3f}", flush=True)


if __name__ == "__main__":
    main()
