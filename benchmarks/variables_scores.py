"""How well classes are told apart: folds, F1 scores, AUROC, log-loss, calibration error, sets."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np


def stratified_folds(classes: np.ndarray, count: int = 5, *, seed: int = 0) -> np.ndarray:
    """Deal stars to folds so that each class is spread as evenly as can be.

    Classes with fewer members than folds are dealt too: in some folds such a class has no star, in others its only star is
    tested by a classifier that never saw the class, and counts as an error.

    Parameters
    ----------
    classes : array of str, shape ``(n,)``
    count : int
        Number of folds, at least 2.
    seed : int
        Same seed, same folds.

    Returns
    -------
    ndarray of int, shape ``(n,)``
        Fold of each star, from 0.

    Raises
    ------
    ValueError
        There are fewer stars than folds, or fewer than 2 folds.
    """
    classes = np.asarray(classes)
    if not 2 <= count <= len(classes):
        raise ValueError(f"{len(classes)} stars cannot be dealt to {count} folds: ask for 2 to {len(classes)}")
    random, folds, dealt = np.random.default_rng(seed), np.zeros(len(classes), int), 0
    for name in np.unique(classes):
        members = random.permutation(np.flatnonzero(classes == name))
        folds[members] = (dealt + np.arange(len(members))) % count
        dealt += len(members)
    return folds


def few_of_each(classes: np.ndarray, count: int, *, seed: int = 0) -> np.ndarray:
    """Draw ``count`` stars of each class, or all where there are fewer; indices, shape ``(m,)``."""
    classes, random = np.asarray(classes), np.random.default_rng(seed)
    return np.sort(np.concatenate([random.permutation(np.flatnonzero(classes == name))[:count]
                                   for name in np.unique(classes)]))


def f1_scores(truth: np.ndarray, answer: np.ndarray) -> dict[str, float]:
    """Give the F1 score of each class of the truth: 2 TP / (2 TP + FP + FN)."""
    truth, answer = np.asarray(truth), np.asarray(answer)
    if len(truth) != len(answer) or not len(truth):
        raise ValueError(f"{len(truth)} true classes and {len(answer)} answers: as many of both are compared, at least one")
    pairs = ((name, truth == name, answer == name) for name in np.unique(truth))
    return {str(name): float(2 * (own & said).sum() / (own.sum() + said.sum())) for name, own, said in pairs}


def micro_f1(truth: np.ndarray, answer: np.ndarray) -> float:
    """Give the micro-averaged F1 score; with one answer a star this is the accuracy."""
    f1_scores(truth, answer)
    return float(np.mean(np.asarray(truth) == np.asarray(answer)))


def macro_f1(truth: np.ndarray, answer: np.ndarray) -> float:
    """Give the mean F1 score over the classes of the truth; one that is never answered counts 0."""
    return float(np.mean(list(f1_scores(truth, answer).values())))


def auroc(score: np.ndarray, positive: np.ndarray) -> float:
    """Give the chance that a positive star has a higher score than another, ties counting half; NaN if one kind lacks."""
    score, positive = np.asarray(score, float), np.asarray(positive, bool)
    if not positive.any() or positive.all():
        return float("nan")
    _, place, counts = np.unique(score, return_inverse=True, return_counts=True)
    rank = (np.cumsum(counts) - (counts - 1) / 2)[place]
    here = int(positive.sum())
    return float((rank[positive].sum() - here * (here + 1) / 2) / (here * (len(score) - here)))


def places(truth: np.ndarray, names: Sequence[str]) -> np.ndarray:
    """Find each class among sorted ``names``; -1 where it is not among them; shape ``(n,)``."""
    names = np.asarray(names)
    if len(names) > 1 and not (names[1:] > names[:-1]).all():
        raise ValueError("names of classes must be sorted, and each be there once")
    found = np.minimum(np.searchsorted(names, truth), len(names) - 1)
    return np.where(names[found] == truth, found, -1)


def log_loss(truth: np.ndarray, chances: np.ndarray, names: Sequence[str], *, floor: float = 1e-3) -> float:
    """Give the mean of minus the logarithm of the true class's probability, which counts at least as ``floor``."""
    found = places(truth, names)
    own = np.where(found >= 0, chances[np.arange(len(found)), found], 0.0)
    return float(-np.mean(np.log(np.clip(own, floor, 1.0))))


def calibration_error(truth: np.ndarray, chances: np.ndarray, names: Sequence[str], *, bins: int = 10) -> float:
    """Give the expected calibration error: how far the top probability is from the part that is right.

    In bins of equal width, weighted by their stars (Guo et al. 2017, arXiv:1706.04599).
    """
    top, right = chances.max(1), chances.argmax(1) == places(truth, names)
    bin_of = np.minimum((top * bins).astype(int), bins - 1)
    gaps = [abs(top[bin_of == k].mean() - right[bin_of == k].mean()) * np.mean(bin_of == k) for k in np.unique(bin_of)]
    return float(np.sum(gaps))


def coverage(truth: np.ndarray, sets: np.ndarray, names: Sequence[str]) -> tuple[float, float]:
    """Give the part of the stars whose class is in their set, and the mean number of classes in a set.

    Parameters
    ----------
    truth : array of str, shape ``(n,)``
    sets : array of bool, shape ``(n, c)``
        True where a class is in the star's set.
    names : sequence of str
        The ``c`` classes, sorted.
    """
    found = places(truth, names)
    return float(np.mean((found >= 0) & sets[np.arange(len(found)), found])), float(sets.sum(1).mean())


def confusions(truth: np.ndarray, answer: np.ndarray, most: int = 15) -> list[tuple[str, str, int]]:
    """List the commonest errors: true class, answer, stars."""
    wrong = np.asarray(truth) != np.asarray(answer)
    pairs, counts = np.unique(np.stack([np.asarray(truth, str)[wrong], np.asarray(answer, str)[wrong]]), axis=1,
                              return_counts=True)
    return [(str(pairs[0, i]), str(pairs[1, i]), int(counts[i])) for i in np.argsort(-counts, kind="stable")[:most]]


@dataclass(frozen=True)
class Scores:
    """What the answers of one set of stars are worth."""

    micro: float
    macro: float
    log_loss: float
    calibration: float
    stars: int
    classes: int


def scores(truth: np.ndarray, chances: np.ndarray, names: Sequence[str]) -> Scores:
    """Score probabilities of shape ``(n, c)`` over sorted class names.

    Raises
    ------
    ValueError
        Shapes do not fit, or probabilities of a star do not add up to 1.
    """
    if chances.shape != (len(truth), len(names)):
        raise ValueError(f"probabilities have shape {chances.shape}; expected ({len(truth)}, {len(names)}): stars, classes")
    if not np.allclose(chances.sum(1), 1, atol=1e-3):
        raise ValueError("probabilities of a star must add up to 1: divide them by their sum")
    answer = np.asarray(names)[chances.argmax(1)]
    return Scores(micro_f1(truth, answer), macro_f1(truth, answer), log_loss(truth, chances, names),
                  calibration_error(truth, chances, names), len(truth), len(np.unique(truth)))
