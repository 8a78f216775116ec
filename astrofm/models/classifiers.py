"""How classes are learned: a head on all stars, and what its answers are worth by heads that did not see the star."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from ..errors import DataError
from ..interfaces.head import Head
from . import conformal
from .class_stars import FOLDS, Stars, Told, begun, known_classes, read
from .discriminants import discriminate
from .familiarity import ClassDistance
from .labels import ClassColumn

if TYPE_CHECKING:
    from .learned import Given

#: batch, highest learning rate, rounds without progress before it stops, and rounds at most
BATCH, RATE, PATIENCE, ROUNDS = 256, 2e-3, 15, 200
#: part of the stars, in each step, that a head learns from without their embedding, and without their extras, where it reads
#: both: an embedding tells simulated stars apart better than real ones, and a head leans on it
WITHOUT = (0.5, 0.2)


@dataclass(frozen=True, eq=False)
class Learned:
    """A head of classes, what its answers are worth (plain JSON), how far stars lie from the classes, and how it went."""

    head: Head
    calibration: dict[str, Any]
    distance: ClassDistance
    about: dict[str, Any]


def learn_classes(given: Given, column: ClassColumn, *, method: str, parents: Mapping[str, str] | None,
                  prior: str | Mapping[str, float], smoothing: float, stars: Sequence[Any] | None, seed: int,
                  progress: Told) -> Learned:
    """Learn a column of classes; see `Model.fit`.

    Raises
    ------
    DataError
        As for `known_classes`; scikit-learn is wanted and is not installed.
    """
    _, known, told = known_classes(given, column, parents=parents, prior=prior, stars=stars, seed=seed, progress=progress)
    if method == "forest":
        from .trees import grow

        head, chance, how = grow(known, told, seed=seed, progress=progress)
    elif method == "probe":
        head, chance, how = discriminate(known, told)
    else:
        head, chance, how = trained(known, told, smoothing, seed, progress)
    distance, off = _distance(known, told)
    return judged(head.eval(), chance, known.truth, known.weight, distance, off, column, how, progress)


def judged(head: Head, chance: np.ndarray, truth: np.ndarray, weight: np.ndarray, distance: ClassDistance, off: np.ndarray,
           column: ClassColumn, how: str, progress: Told) -> Learned:
    """Measure a head by its probabilities ``(n, k)`` of stars that it did not learn from, and their distances ``(n,)``."""
    calibration = measured(chance, truth, column.classes, weight) | {"distance": conformal.keep(off), "how": how}
    found = conformal.tempered(chance, calibration["temperature"])
    right, seen = found.argmax(axis=1) == truth, np.unique(truth)
    about = {"counts": column.counts, "right": round(float(right.mean()), 4),
             "right_of_each": round(float(np.mean([right[truth == k].mean() for k in seen])), 4),
             "log_loss": round(float(-np.log(found[np.arange(len(truth)), truth]).mean()), 4), "how": how}
    if progress:
        few = [one for one, n in column.counts.items() if n < conformal.ENOUGH]
        progress(f"{column.name}: {sum(column.counts.values())} stars of {len(column.counts)} classes; of stars left out "
                 f"({how}) {100 * right.mean():.1f} % are given the right class, "
                 f"{100 * about['right_of_each']:.1f} % of each")
        if few:
            progress(f"{column.name}: {', '.join(few)} have fewer than {conformal.ENOUGH} stars and share a threshold")
    return Learned(head, calibration, distance, about)


def measured(chance: np.ndarray, truth: np.ndarray, classes: Sequence[str], weight: np.ndarray) -> dict[str, Any]:
    """Measure what probabilities ``(n, k)`` are worth, on stars that nothing was learned from: temperature and sets."""
    temperature = conformal.best_temperature(chance, truth, weight)
    found = conformal.tempered(chance, temperature)
    return {"temperature": temperature, "sets": conformal.measure_sets(found, truth, classes)}


def _distance(known: Stars, told: Mapping[str, Any]) -> tuple[ClassDistance, np.ndarray]:
    """Learn how far stars lie from the classes, and measure it on stars left out."""
    size = {"dim": told["dim"], "classes": len(told["classes"])}
    off = np.empty(len(known.truth))
    for fold in range(FOLDS):
        own = known.fold != fold
        off[~own] = ClassDistance.fit(known.given[own], known.truth[own], **size).distance(known.given[~own])
    return ClassDistance.fit(known.given, known.truth, **size), off


def trained(known: Stars, told: Mapping[str, Any], smoothing: float, seed: int,
            progress: Told) -> tuple[Head, np.ndarray, str]:
    """Train a head for each fold side by side, until those left out are read no better; then one as long on all stars."""
    torch.manual_seed(seed)
    every = np.ones(len(known.truth), bool)
    makers = [_Training(known, told, known.fold != fold, smoothing, seed + fold) for fold in range(FOLDS)]
    chance = np.zeros((len(known.truth), len(told["classes"])))
    best, kept, last, round_ = np.inf, chance, 0, 0
    while round_ - last < PATIENCE and round_ < ROUNDS:
        round_ += 1
        chance = np.zeros_like(chance)
        for fold, one in enumerate(makers):
            one.round()
            chance[known.fold == fold] = one.read(known.fold == fold)
        true = np.maximum(chance[np.arange(len(chance)), known.truth], 1e-30)
        score = float(np.average(-np.log(true), weights=known.weight))
        if score < best - 1e-4:
            best, kept, last = score, chance, round_
        if progress and round_ % 10 == 0:
            progress(f"{told['label']}, round {round_}: {score:.3f} on stars left out, best {best:.3f}")
    if not last:
        raise DataError("the head did not learn anything finite: are embeddings or extras out of range?")
    final = _Training(known, told, every, smoothing, seed)
    for _ in range(last):
        final.round()
    return final.head.eval(), kept, f"{FOLDS}-fold"


class _Training:
    """A head that learns from some stars, round by round."""

    def __init__(self, known: Stars, told: Mapping[str, Any], rows: np.ndarray, smoothing: float, seed: int):
        self.known, self.smoothing = known, smoothing
        self.head = begun(known, told, rows, (128,))
        self.given, self.truth = known.tensor(rows)
        self.log_part = torch.from_numpy(known.log_part).float()
        self.optimiser = torch.optim.AdamW(self.head.parameters(), RATE, weight_decay=0.05)
        self.generator = torch.Generator().manual_seed(seed)
        self.without = WITHOUT if told["extras"] and told["dim"] else (0.0, 0.0)

    def round(self) -> None:
        """Take some steps; how common a class is in the table is added to its score, and so is not learned."""
        self.head.train()
        for _ in range(max(10, -(-len(self.given) // BATCH))):
            rows = torch.randint(len(self.given), (min(BATCH, len(self.given)),), generator=self.generator)
            self.optimiser.zero_grad()
            scores = self.head.scores_of_part(self.given[rows], self.without, self.generator)
            loss = torch.nn.functional.cross_entropy(scores + self.log_part, self.truth[rows],
                                                     label_smoothing=self.smoothing)
            loss.backward()
            torch.nn.utils.clip_grad_norm_(self.head.parameters(), 5.0)
            self.optimiser.step()
        self.head.eval()

    def read(self, rows: np.ndarray) -> np.ndarray:
        """Give probabilities of some stars."""
        return read(self.head, self.known, rows)
