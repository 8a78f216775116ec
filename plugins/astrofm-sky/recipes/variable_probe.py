"""Measure an encoder of variable stars on classes it was never told: 519 real ASAS stars, and simulated stars of a seed of
their own.

    python plugins/astrofm-sky/recipes/variable_probe.py --data DATA --model runs/variable-tiny/model.safetensors

Compared are the embedding, that of the same encoder with fresh weights, and the encoder's numbers of a star alone
(percentiles, noise, sampling, period): simple statistics. Classes are read by the five nearest neighbours, by a logistic
regression and by a forest (scikit-learn), in five folds.
"""

from __future__ import annotations

import argparse
import csv
import io
import tarfile
from pathlib import Path

import numpy as np
import torch
from astrofm_sky import variable_pairs, variable_stars
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import f1_score
from sklearn.model_selection import StratifiedKFold, cross_val_predict
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from variable_corpus import _batch

from astrofm.data import Batch
from astrofm.models import Model
from astrofm.nn import cadence
from astrofm.nn.packed import PackedCurves

#: classes with fewer stars are left out
FEWEST = 10


def asas(data: Path) -> tuple[Batch, np.ndarray]:
    """Read the 519 stars that are kept for measurement, and their classes."""
    with (data / "asas/classes.csv").open() as stream:
        classes = {row["id"]: row["class"] for row in csv.DictReader(stream)}
    ids, columns = [], [[], [], []]
    with tarfile.open(data / "asas/light_curves.tar.gz") as tar:
        for member in tar:
            if member.isfile() and member.name.endswith(".dat"):
                table = np.loadtxt(io.BytesIO(tar.extractfile(member).read()), delimiter=",", ndmin=2)
                ids.append(Path(member.name).stem)
                for column, values in zip(columns, table.T, strict=True):
                    column.append(values)
    columns[0] = [days + 2450000.0 for days in columns[0]]
    return _batch("asas", ids, *columns), np.array([classes[key] for key in ids])


def numbers(encoder: cadence.AnyCadenceEncoder, curves: PackedCurves) -> np.ndarray:
    """Give the numbers that the encoder sees beside the points."""
    kept = []
    hook = encoder.numbers.register_forward_pre_hook(lambda _, told: kept.append(told[0].numpy()))
    with torch.inference_mode():
        encoder.tokens(curves)
    hook.remove()
    return kept[0]


def embed(encoder: cadence.AnyCadenceEncoder, batch: Batch) -> np.ndarray:
    """Embed a batch, 256 stars at a time."""
    with torch.inference_mode():
        return np.concatenate([encoder.embed(batch[at: at + 256]).numpy() for at in range(0, len(batch), 256)])


def probe(name: str, x: np.ndarray, y: np.ndarray) -> None:
    """Print accuracy and macro F1 of three ways to read classes, in five folds."""
    folds = StratifiedKFold(5, shuffle=True, random_state=0)
    ways = {"5 nearest": KNeighborsClassifier(5, metric="cosine", weights="distance"),
            "logistic": LogisticRegression(C=0.3, max_iter=400),
            "forest": RandomForestClassifier(300, min_samples_leaf=2, random_state=0)}
    told = []
    for way, reader in ways.items():
        found = cross_val_predict(make_pipeline(StandardScaler(), reader), x, y, cv=folds)
        told.append(f"{way} {np.mean(found == y):.3f} {f1_score(y, found, average='macro'):.3f}")
    print(f"{name:34s} " + "   ".join(told), flush=True)


def main() -> None:
    """Probe."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--model", type=Path, required=True, help="model file, or the checkpoint.pt of a run with --recipe")
    parser.add_argument("--recipe", type=Path)
    parser.add_argument("--simulate", type=int, default=1500)
    options = parser.parse_args()
    if options.model.suffix == ".pt":
        from astrofm.models.learn import make
        from astrofm.models.recipe import read_recipe

        encoder = make(read_recipe(options.recipe)).encoder
        kept = torch.load(options.model, weights_only=True)
        print(f"step {kept['step']}")
        encoder.load_state_dict({key.removeprefix("encoder."): x for key, x in kept["modules"].items()
                                 if key.startswith("encoder.")})
        encoder.eval()
    else:
        encoder = Model.load(options.model).encoder.eval()
    torch.manual_seed(0)
    fresh = type(encoder)(**encoder.arguments).eval()
    batch, kinds = asas(options.data)
    names, counts = np.unique(kinds, return_counts=True)
    kept = np.flatnonzero(np.isin(kinds, names[counts >= FEWEST]))
    batch, kinds = batch[kept], kinds[kept]
    print(f"{len(batch)} real ASAS stars of {len(np.unique(kinds))} classes: accuracy, macro F1")
    with torch.inference_mode():
        statistics = numbers(encoder, encoder.pack(batch.tensors()))
    probe("simple statistics", statistics, kinds)
    probe("fresh weights", embed(fresh, batch), kinds)
    probe("embedding", embed(encoder, batch), kinds)
    probe("embedding and statistics", np.concatenate([embed(encoder, batch), statistics], 1), kinds)
    if not options.simulate:
        return
    stars = variable_stars(options.simulate, seed=987654, magnitude=(11.0, 15.5))
    seen = variable_pairs(stars, ["ztf", "tess", "gaia-epoch"], seed=3)
    good = np.all([(~one.mask).sum(axis=1) >= 12 for one in seen.values()], axis=0)
    embedded = {}
    for name, one in seen.items():
        one = one[np.flatnonzero(good)]
        with torch.inference_mode():
            statistics = np.concatenate([numbers(encoder, encoder.pack(one[at: at + 256].tensors()))
                                         for at in range(0, len(one), 256)])
        probe(f"{name}: simple statistics", statistics, stars.name[good])
        probe(f"{name}: fresh weights", embed(fresh, one), stars.name[good])
        embedded[name] = embed(encoder, one)
        probe(f"{name}: embedding", embedded[name], stars.name[good])
    unit = {name: x / np.linalg.norm(x, axis=1, keepdims=True) for name, x in embedded.items()}
    for first, second in (("ztf", "tess"), ("ztf", "gaia-epoch"), ("tess", "gaia-epoch")):
        rank = (unit[first] @ unit[second].T).argsort(1)[:, ::-1]
        same = rank == np.arange(len(rank))[:, None]
        alike = np.mean(stars.name[good][rank[:, 0]] == stars.name[good])
        print(f"{first} to {second}: same star nearest {same[:, 0].mean():.3f}, in the ten nearest "
              f"{same[:, :10].any(1).mean():.3f}; same class nearest {alike:.3f}, of {len(rank)}")


if __name__ == "__main__":
    main()
