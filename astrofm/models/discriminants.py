"""Classes read off an embedding in closed form."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch

from ..interfaces.head import Head
from ..nn.classes import LearnedClassHead
from . import conformal
from .class_stars import FOLDS, Stars, begun, read

#: how far the covariance of a linear probe is shrunk, as tried
SHRUNK = (1e-4, 1e-3, 1e-2, 0.03, 0.1, 0.3, 0.6, 1.0)
#: stars that a class's mean is held to the mean of all by
HELD = 0.5


def discriminate(known: Stars, told: Mapping[str, Any]) -> tuple[Head, np.ndarray, str]:
    """Fit Gaussians of one covariance in closed form (Fisher 1936), shrunk as is best for stars left out."""
    chance = np.zeros((len(SHRUNK), len(known.truth), len(told["classes"])))
    for fold in range(FOLDS):
        out = known.fold == fold
        head, fits = _discriminants(known, told, ~out)
        for k, (weight, bias) in enumerate(fits):
            _set_linear(head, weight, bias)
            chance[k, out] = read(head, known, out)
    losses = []
    for one in chance:
        found = conformal.tempered(one, conformal.best_temperature(one, known.truth, known.weight))
        losses.append(np.average(-np.log(found[np.arange(len(found)), known.truth]), weights=known.weight))
    best = int(np.argmin(losses))
    head, fits = _discriminants(known, told, np.ones(len(known.truth), bool))
    _set_linear(head, *fits[best])
    return head.eval(), chance[best], f"{FOLDS}-fold"


def _discriminants(known: Stars, told: Mapping[str, Any],
                   rows: np.ndarray) -> tuple[LearnedClassHead, list[tuple[np.ndarray, np.ndarray]]]:
    head = begun(known, told, rows, ()).eval()
    with torch.no_grad():
        seen = head.enter(known.tensor(rows)[0]).double().numpy()
    truth, classes = known.truth[rows], len(told["classes"])
    counts, middle = np.bincount(truth, minlength=classes), seen.mean(axis=0)
    mean = np.tile(HELD * middle, (classes, 1))
    np.add.at(mean, truth, seen)
    mean /= (counts + HELD)[:, None]
    off = seen - mean[truth]
    covariance = off.T @ off / max(len(off) - np.count_nonzero(counts), 1)
    values, vectors = np.linalg.eigh(covariance)
    level, turned = max(values.mean(), 1e-12), (mean - middle) @ vectors
    fits = []
    for shrunk in SHRUNK:
        inverse = 1 / ((1 - shrunk) * np.maximum(values, 0) + shrunk * level)
        weight = (turned * inverse) @ vectors.T
        fits.append((weight, -0.5 * (turned**2 * inverse).sum(axis=1) - weight @ middle))
    return head, fits


def _set_linear(head: LearnedClassHead, weight: np.ndarray, bias: np.ndarray) -> None:
    with torch.no_grad():
        head.layers[-1].weight.copy_(torch.from_numpy(weight))
        head.layers[-1].bias.copy_(torch.from_numpy(bias))
