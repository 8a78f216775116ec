"""Train the stars that ``astrofm_sky.typical_stars`` makes: spectra as a smooth function of three labels.

    python plugins/astrofm-sky/recipes/typical.py --data DATA --cache runs/stellar-tiny/corpus.npz -o FILE

Stars made between those of MILES (`astrofm_sky.between`; held-out ones left out), reduced to principal components, which a
small perceptron learns as a function of temperature, gravity and metallicity. Two minutes.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import safetensors.numpy
import torch
from corpus import load_corpus
from torch import nn

COMPONENTS, HIDDEN = 16, 48
COUNT, STEPS = 12000, 6000


def main() -> None:
    """Draw, reduce, train, say how near it comes to held-out stars, save."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--cache", type=Path, required=True, help="corpus.npz of a run of stellar_tiny.py")
    parser.add_argument("-o", "--output", type=Path, required=True)
    options = parser.parse_args()
    corpus = load_corpus(options.data, cache=options.cache)
    random = np.random.default_rng(0)
    torch.manual_seed(0)
    rows, between = corpus.between[0]
    rows_drawn = random.choice(len(rows), COUNT, p=corpus.chance[rows] / corpus.chance[rows].sum())
    made = [between.draw(random, rows_drawn[k: k + 500], own=False) for k in range(0, COUNT, 500)]
    flux, labels = np.concatenate([f for f, _ in made]), np.concatenate([x for _, x in made])
    inside = (labels[:, 0] > 3400) & (labels[:, 0] < 9500)
    flux, place = flux[inside].clip(-7, 3), standard(labels[inside])
    mean = flux.mean(0)
    _, _, components = np.linalg.svd((flux - mean)[:4000], full_matrices=False)
    components = components[:COMPONENTS]
    scores = (flux - mean) @ components.T
    spread = scores.std(0)
    net = nn.Sequential(nn.Linear(3, HIDDEN), nn.Tanh(), nn.Linear(HIDDEN, HIDDEN), nn.Tanh(), nn.Linear(HIDDEN, COMPONENTS))
    x, y = torch.from_numpy(place).float(), torch.from_numpy(scores / spread).float()
    optimiser = torch.optim.Adam(net.parameters(), 3e-3)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, STEPS)
    weight = torch.from_numpy(spread / spread.max()).float()
    for step in range(STEPS):
        chosen = torch.from_numpy(random.integers(0, len(x), 256))
        loss = (weight * (net(x[chosen]) - y[chosen])).square().sum(1).mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        schedule.step()
        if step % 1000 == 0:
            print(step, f"{loss.item():.4f}", flush=True)
    tensors = {f"layer.{k}.{what}": getattr(net[2 * k], what).detach().numpy().copy()
               for k in range(3) for what in ("weight", "bias")}
    tensors["layer.2.weight"] *= spread[:, None].astype(np.float32)
    tensors["layer.2.bias"] *= spread.astype(np.float32)
    tensors |= {"mean": mean.astype(np.float16), "components": components.astype(np.float16)}
    safetensors.numpy.save_file(tensors, options.output)
    held = np.flatnonzero(corpus.held_out & (corpus.labels[:, 0] > 3600) & (corpus.labels[:, 0] < 9000))
    with torch.inference_mode():
        guess = mean + (net(torch.from_numpy(standard(corpus.labels[held])).float()).numpy() * spread) @ components
    window = (corpus.wavelength > 3900) & (corpus.wavelength < 7300)
    away = (corpus.flux[held] - guess)[:, window]
    away = np.abs(away - np.median(away, axis=1, keepdims=True))
    print(f"{options.output}: {options.output.stat().st_size / 1e3:.0f} kB; off {len(held)} held-out stars by "
          f"{np.median(away):.3f} (median of log flux, 3900-7300 Angstrom)")


def standard(labels: np.ndarray) -> np.ndarray:
    """Bring ``teff logg fe_h`` to numbers of order one."""
    return np.column_stack([(np.log10(labels[:, 0]) - 3.72) / 0.1, (labels[:, 1] - 3.5) / 1.2, (labels[:, 2] + 0.2) / 0.5])


if __name__ == "__main__":
    main()
