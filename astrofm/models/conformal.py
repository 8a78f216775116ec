"""What is promised of class probabilities, by stars of known class that nothing was learned from."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from scipy.optimize import minimize_scalar

#: stars of known class from which a class has a threshold of its own
ENOUGH = 20
#: scores that are kept of many
KEPT = 200
#: least probability of a class
FLOOR = 1e-5


def calibration_of(card: Mapping[str, Any], instrument: str, label: str) -> Mapping[str, Any]:
    """Give what is known of a class label's probabilities for an instrument; empty where nothing is."""
    calibration = card.get("calibration", {})
    return next((calibration[key][label] for key in (instrument, "*") if label in calibration.get(key, {})), {})


def calibrated(card: Mapping[str, Any], instrument: str, label: str, probability: np.ndarray) -> np.ndarray:
    """Bring what a head reads to probabilities that are right on average; rows that are NaN stay NaN."""
    own = calibration_of(card, instrument, label)
    return tempered(probability, own["temperature"]) if own and len(probability) else probability


def chosen(label: Mapping[str, Any], probability: np.ndarray) -> np.ndarray:
    """Give the place of the class that is given: the most probable, or the median of ordered ones; ``(n,)``."""
    if not label.get("ordered"):
        return probability.argmax(axis=1)
    return (probability.cumsum(axis=1) < 0.5).sum(axis=1).clip(max=probability.shape[1] - 1)


def tempered(probability: np.ndarray, temperature: float) -> np.ndarray:
    """Flatten probabilities, or sharpen them: their powers of ``1 / temperature`` (Guo et al. 2017, arXiv:1706.04599).

    Parameters
    ----------
    probability : ndarray, shape ``(n, k)``
        Those below 1e-5 count as that.
    temperature : float
    """
    power = np.log(np.maximum(np.asarray(probability, float), FLOOR)) / temperature
    power = np.exp(power - power.max(axis=1, keepdims=True))
    return power / power.sum(axis=1, keepdims=True)


def best_temperature(probability: np.ndarray, truth: np.ndarray, weight: np.ndarray) -> float:
    """Find the temperature of least mean log loss for true classes ``(n,)``, the stars weighted by ``weight``."""
    def loss(log_temperature: float) -> float:
        chance = tempered(probability, math.exp(log_temperature))[np.arange(len(truth)), truth]
        return float(np.average(-np.log(np.maximum(chance, 1e-300)), weights=weight))

    return float(np.exp(minimize_scalar(loss, bounds=(-3.0, 3.0), method="bounded").x))


def measure_sets(probability: np.ndarray, truth: np.ndarray, classes: Sequence[str]) -> dict[str, Any]:
    """Keep what prediction sets are drawn by, as plain JSON.

    Parameters
    ----------
    probability : ndarray, shape ``(n, k)``
        Calibrated, of stars that nothing was learned from.
    truth : ndarray of int, shape ``(n,)``
    classes : sequence of str

    Returns
    -------
    dict
        The scores ``-ln p`` of the true class: of ``"every"`` star, of the ``"few"`` stars of rare classes together, and by
        class where there are 20 stars or more.
    """
    score = -np.log(probability[np.arange(len(truth)), truth])
    counts = np.bincount(truth, minlength=len(classes))
    found = {"every": keep(score), "few": keep(score[counts[truth] < ENOUGH])}
    return {**found, "classes": {one: keep(score[truth == k]) for k, one in enumerate(classes) if counts[k] >= ENOUGH}}


def keep(scores: np.ndarray) -> dict[str, Any]:
    """Keep the order of scores: all of a few, or those at 200 ranks, rounded up."""
    ranked, n = np.sort(np.asarray(scores, float)), len(scores)
    return {"stars": n, "scores": (np.ceil(ranked[_ranks(n) - 1] * 1e5) / 1e5).round(5).tolist()}


def threshold(kept: Mapping[str, Any], coverage: float) -> float:
    """Give the score that a new star exceeds with at most ``1 - coverage`` (Vovk et al. 2005); infinite for too few stars."""
    n = int(kept["stars"])
    rank = math.ceil(round((n + 1) * coverage, 9))
    if rank > n:
        return math.inf
    return float(kept["scores"][int(np.searchsorted(_ranks(n), rank))])


def p_value(kept: Mapping[str, Any], score: np.ndarray) -> np.ndarray:
    """Give which part of known stars, and the star itself, has scores at least as large; shape ``(n,)``, NaN stays NaN."""
    n, scores = int(kept["stars"]), np.asarray(kept["scores"], float)
    below = np.concatenate([[0], _ranks(n)])[np.searchsorted(scores, np.nan_to_num(score), side="left")]
    return np.where(np.isnan(score), np.nan, (1 + n - below) / (n + 1))


def members(sets: Mapping[str, Any], probability: np.ndarray, classes: Sequence[str], coverage: float) -> np.ndarray:
    """Draw prediction sets: the classes whose probability is no smaller than that of ``coverage`` of their own stars.

    Parameters
    ----------
    sets : mapping
        As `measure_sets` gives it.
    probability : ndarray, shape ``(n, k)``
    classes : sequence of str
    coverage : float

    Returns
    -------
    ndarray of bool, shape ``(n, k)``
        Sadinle et al. 2019, JASA 114, 223: the smallest sets of that coverage in each class. Classes of which the coverage
        takes more stars than there are share a threshold, that of their stars together; where that takes more, too, of all.
    """
    own = {one: threshold(kept, coverage) for one, kept in sets["classes"].items()}
    few = [sets["few"], *(sets["classes"][one] for one, limit in own.items() if math.isinf(limit))]
    shared = threshold(_joined(few), coverage)
    shared = shared if math.isfinite(shared) else threshold(sets["every"], coverage)
    limit = [own[one] if math.isfinite(own.get(one, math.inf)) else shared for one in classes]
    return -np.log(np.maximum(probability, 1e-300)) <= np.array(limit)


def _joined(parts: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Keep the order of the scores of several groups; those that were not kept count as the next that was."""
    return keep(np.concatenate([np.repeat(np.asarray(part["scores"], float), np.diff(_ranks(int(part["stars"])), prepend=0))
                                for part in parts]))


def uncalibrated(probability: np.ndarray, coverage: float) -> np.ndarray:
    """Draw the smallest sets whose probabilities add up to ``coverage``: right as far as these are; ``(n, k)``."""
    order = np.argsort(-probability, axis=1, kind="stable")
    ranked = np.take_along_axis(probability, order, axis=1)
    ahead = ranked.cumsum(axis=1) - ranked
    inside = np.zeros(probability.shape, bool)
    np.put_along_axis(inside, order, ahead < coverage, axis=1)
    return inside


def _ranks(n: int) -> np.ndarray:
    """Give the ranks, from 1, of the scores that are kept of ``n``."""
    return np.arange(1, n + 1) if n <= KEPT else -(-np.arange(1, KEPT + 1) * n // KEPT)
