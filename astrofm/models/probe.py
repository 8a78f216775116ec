"""A linear probe in closed form: ridge regression whose strength is chosen by leaving each star out in turn."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch

from ..nn.heads import LinearHead

#: strengths of the ridge that are tried, over the largest eigenvalue
STRENGTHS = np.logspace(-8, 2, 41)
#: rounds in which weights of the stars and scatter of the labels settle
ROUNDS = 3


def probe(embedding: np.ndarray, told: Sequence[Mapping[str, Any]], values: np.ndarray,
          errors: np.ndarray) -> tuple[LinearHead, np.ndarray]:
    """Fit every label by itself on the stars whose label is known.

    Parameters
    ----------
    embedding : ndarray, shape ``(n, d)``
        Finite.
    told : sequence of mapping
        What the head is built from; see `LinearHead`.
    values, errors : ndarray, shape ``(n, k)``
        Labels and their errors, in the labels' units; NaN where unknown (an error: 0).

    Returns
    -------
    head : LinearHead
    off : ndarray, shape ``(n, k)``
        Of each star, how far a fit without it is off, over the head's error; NaN where the label is unknown.
    """
    head = LinearHead(dim=embedding.shape[1], labels=told)
    truth = head.standardise(torch.from_numpy(values).float()).double().numpy()
    given = head.scale.standardise_error(torch.from_numpy(values), torch.from_numpy(errors)).double().numpy()
    off = np.full(values.shape, np.nan)
    weight, bias, log_error = [], [], []
    for k in range(len(told)):
        known = np.isfinite(truth[:, k])
        fitted = _fit(embedding[known].astype(float), truth[known, k], np.nan_to_num(given[known, k]))
        weight.append(fitted[0])
        bias.append(fitted[1])
        log_error.append(np.log(fitted[2]))
        off[known, k] = fitted[3] / fitted[2]
    with torch.no_grad():
        head.layer.weight.copy_(torch.from_numpy(np.stack(weight)))
        head.layer.bias.copy_(torch.tensor(bias))
        head.log_error.copy_(torch.tensor(log_error))
    return head.eval(), off


def _fit(x: np.ndarray, y: np.ndarray, error: np.ndarray) -> tuple[np.ndarray, float, float, np.ndarray]:
    """Give weights, bias, scatter of the label about them, and what each star is off when it is left out."""
    scatter = 0.5 * y.std()
    for _ in range(ROUNDS):
        share = 1 / (error**2 + scatter**2)
        share *= len(y) / share.sum()
        middle, level = np.average(x, axis=0, weights=share), np.average(y, weights=share)
        root = np.sqrt(share)
        left, size, right = np.linalg.svd(root[:, None] * (x - middle), full_matrices=False)
        left_y = left.T @ (root * (y - level))
        best = None
        for strength in STRENGTHS * size[0] ** 2:
            kept = size**2 / (size**2 + strength)
            leverage = (left**2 * kept).sum(1) + share / share.sum()
            alone = (root * (y - level) - left @ (kept * left_y)) / np.clip(1 - leverage, 1e-10, None) / root
            score = np.average(alone**2, weights=share)
            if best is None or score < best[0]:
                best = score, strength, alone
        _, strength, alone = best
        square = np.average(alone**2, weights=share)
        # what is left when the labels' errors are taken off is known no better than the square itself
        least = max(square * np.sqrt(2 / len(y)), 1e-6 * max(y.var(), 1e-12))
        scatter = float(np.sqrt(max(square - np.average(error**2, weights=share), least)))
    weight = right.T @ (size / (size**2 + strength) * left_y)
    return weight, float(level - middle @ weight), scatter, alone
