"""How classes are learned: a head on all stars, and what its answers are worth by heads that did not see the star."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from ..errors import DataError
from ..interfaces.head import Head
from ..nn.classes import LearnedClassHead
from ..training import part_of
from . import conformal
from .classes import hierarchy
from .familiarity import ClassDistance
from .labels import ClassColumn

if TYPE_CHECKING:
    from .learned import Given

#: parts in which the stars are left out in turn
FOLDS = 5
#: batch, highest learning rate, rounds without progress before it stops, and rounds at most
BATCH, RATE, PATIENCE, ROUNDS = 256, 2e-3, 15, 200
#: how far the covariance of a linear probe is shrunk, as tried
SHRUNK = (1e-4, 1e-3, 1e-2, 0.03, 0.1, 0.3, 0.6, 1.0)
#: stars that a class's mean is held to the mean of all by
HELD = 0.5

Told = Callable[[str], None] | None


@dataclass(frozen=True, eq=False)
class Learned:
    """A head of classes, what its answers are worth (plain JSON), how far stars lie from the classes, and how it went."""

    head: Head
    calibration: dict[str, Any]
    distance: ClassDistance
    about: dict[str, Any]


@dataclass(frozen=True, eq=False)
class Stars:
    """Stars of known class: what heads read of each ``(n, dim + extras)``, its class, its fold, and its weight."""

    given: np.ndarray
    truth: np.ndarray
    fold: np.ndarray
    weight: np.ndarray
    prior: np.ndarray
    log_part: np.ndarray
    repeated: bool

    def tensor(self, rows: np.ndarray) -> tuple[torch.Tensor, torch.Tensor]:
        """Give what is read and the class of some."""
        return torch.from_numpy(self.given[rows]).float(), torch.from_numpy(self.truth[rows])


def learn_classes(given: Given, column: ClassColumn, *, method: str, parents: Mapping[str, str] | None,
                  prior: str | Mapping[str, float], smoothing: float, stars: Sequence[Any] | None, seed: int,
                  progress: Told) -> Learned:
    """Learn a column of classes; see `Model.fit`.

    Raises
    ------
    DataError
        Fewer than 20 stars, a hierarchy or a prior of other classes, scikit-learn is wanted and is not installed.
    """
    own = hierarchy(column.name, column.classes, parents or {})
    if parents and not own:
        raise DataError(f"parents name the class above none of {column.name!r}: {', '.join(column.classes)}")
    alone = [one for one in column.classes if one not in own]
    if progress and own and alone:
        progress(f"{column.name}: parents name nothing above {', '.join(alone)}")
    rows = np.flatnonzero((column.place >= 0) & np.isfinite(given.embedding).all(axis=1))
    if len(rows) < 20:
        raise DataError(f"{len(rows)} stars have an embedding and a {column.name}: 20 are the least to learn from")
    truth = column.place[rows]
    counts = np.bincount(truth, minlength=len(column.classes))
    if np.count_nonzero(counts) < 2:
        raise DataError(f"the stars that have an embedding are of one {column.name}: there is nothing to tell apart")
    part = (counts + 0.5) / (counts + 0.5).sum()
    wanted = _prior(prior, column, part)
    keys = [str(one) for one in (rows if stars is None else np.asarray(stars, dtype=str)[rows])]
    known = Stars(given.whole[rows], truth, folds_of(keys, truth, seed), (wanted / part)[truth], wanted, np.log(part),
                  len(set(keys)) < len(keys))
    extras = [{**asdict(extra), "also": list(extra.also)} for extra in given.extras]
    told = {"dim": given.embedding.shape[1], "extras": extras,
            "label": column.name, "classes": list(column.classes), "parents": own, "description": column.description}
    if method == "forest":
        from .trees import grow

        head, chance, how = grow(known, told, seed=seed, progress=progress)
    elif method == "probe":
        head, chance, how = _probed(known, told)
    else:
        head, chance, how = _trained(known, told, smoothing, seed, progress)
    calibration = measured(chance, known.truth, column.classes, known.weight)
    distance, off = _distance(known, told)
    calibration |= {"distance": conformal.keep(off), "how": how}
    found = conformal.tempered(chance, calibration["temperature"])
    right = found.argmax(axis=1) == truth
    about = {"counts": column.counts, "right": round(float(right.mean()), 4),
             "right_of_each": round(float(np.mean([right[truth == k].mean() for k in range(len(counts)) if counts[k]])), 4),
             "log_loss": round(float(-np.log(found[np.arange(len(truth)), truth]).mean()), 4), "how": how}
    if progress:
        few = [one for one, n in column.counts.items() if n < conformal.ENOUGH]
        progress(f"{column.name}: {len(truth)} stars of {len(counts)} classes; of stars left out ({how}) "
                 f"{100 * right.mean():.1f} % are given the right class, {100 * about['right_of_each']:.1f} % of each")
        if few:
            progress(f"{column.name}: {', '.join(few)} have fewer than {conformal.ENOUGH} stars and share a threshold")
    return Learned(head.eval(), calibration, distance, about)


def measured(chance: np.ndarray, truth: np.ndarray, classes: Sequence[str], weight: np.ndarray) -> dict[str, Any]:
    """Measure what probabilities ``(n, k)`` are worth, on stars that nothing was learned from: temperature and sets."""
    temperature = conformal.best_temperature(chance, truth, weight)
    found = conformal.tempered(chance, temperature)
    return {"temperature": temperature, "sets": conformal.measure_sets(found, truth, classes)}


def folds_of(keys: Sequence[str], truth: np.ndarray, seed: int) -> np.ndarray:
    """Deal stars into folds, class by class, so that each fold has its part of every class; a star's rows stay together."""
    first = {key: k for k, key in reversed(list(enumerate(keys)))}
    names = sorted(first, key=lambda key: (truth[first[key]], part_of(f"{seed} {key}"), key))
    place = {key: k % FOLDS for k, key in enumerate(names)}
    return np.array([place[key] for key in keys])


def _prior(prior: str | Mapping[str, float], column: ClassColumn, part: np.ndarray) -> np.ndarray:
    if prior == "table":
        return part
    if prior == "even":
        return np.full(len(part), 1 / len(part))
    if isinstance(prior, str):
        raise DataError(f"prior is 'table', 'even', or how common each class is by name, not {prior!r}")
    lacking = [one for one in column.classes if one not in prior]
    if lacking or set(prior) - set(column.classes):
        wrong = lacking[0] if lacking else sorted(set(prior) - set(column.classes))[0]
        raise DataError(f"prior {'lacks' if lacking else 'names'} class {wrong!r}; the classes of {column.name!r} are "
                        f"{', '.join(column.classes)}")
    wanted = np.array([prior[one] for one in column.classes], float)
    if not (np.isfinite(wanted).all() and (wanted > 0).all()):
        raise DataError("prior says how common classes are: positive numbers, which are divided by their sum")
    return wanted / wanted.sum()


def _distance(known: Stars, told: Mapping[str, Any]) -> tuple[ClassDistance, np.ndarray]:
    """Learn how far stars lie from the classes, and measure it on stars left out."""
    size = {"dim": told["dim"], "classes": len(told["classes"])}
    off = np.empty(len(known.truth))
    for fold in range(FOLDS):
        own = known.fold != fold
        off[~own] = ClassDistance.fit(known.given[own], known.truth[own], **size).distance(known.given[~own])
    return ClassDistance.fit(known.given, known.truth, **size), off


def _head(known: Stars, told: Mapping[str, Any], rows: np.ndarray, hidden: Sequence[int]) -> LearnedClassHead:
    head = LearnedClassHead(**told, hidden=hidden)
    head.enter.settle(known.tensor(rows)[0])
    head.log_prior.copy_(torch.from_numpy(np.log(known.prior)))
    return head


def _trained(known: Stars, told: Mapping[str, Any], smoothing: float, seed: int,
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
        self.head = _head(known, told, rows, (128,))
        self.given, self.truth = known.tensor(rows)
        self.log_part = torch.from_numpy(known.log_part).float()
        self.optimiser = torch.optim.AdamW(self.head.parameters(), RATE, weight_decay=0.05)
        self.generator = torch.Generator().manual_seed(seed)

    def round(self) -> None:
        """Take some steps; how common a class is in the table is added to its score, and so is not learned."""
        self.head.train()
        for _ in range(max(10, -(-len(self.given) // BATCH))):
            rows = torch.randint(len(self.given), (min(BATCH, len(self.given)),), generator=self.generator)
            self.optimiser.zero_grad()
            loss = torch.nn.functional.cross_entropy(self.head.scores(self.given[rows]) + self.log_part, self.truth[rows],
                                                     label_smoothing=self.smoothing)
            loss.backward()
            torch.nn.utils.clip_grad_norm_(self.head.parameters(), 5.0)
            self.optimiser.step()
        self.head.eval()

    def read(self, rows: np.ndarray) -> np.ndarray:
        """Give probabilities of some stars."""
        return _read(self.head, self.known, rows)


def _read(head: Head, known: Stars, rows: np.ndarray) -> np.ndarray:
    with torch.inference_mode():
        return head.read(known.tensor(rows)[0])[f"{head.labels[0].name}_probability"].double().numpy()


def _probed(known: Stars, told: Mapping[str, Any]) -> tuple[Head, np.ndarray, str]:
    """Fit Gaussians of one covariance in closed form (Fisher 1936), shrunk as is best for stars left out."""
    chance = np.zeros((len(SHRUNK), len(known.truth), len(told["classes"])))
    for fold in range(FOLDS):
        out = known.fold == fold
        head, fits = _discriminants(known, told, ~out)
        for k, (weight, bias) in enumerate(fits):
            _set_linear(head, weight, bias)
            chance[k, out] = _read(head, known, out)
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
    head = _head(known, told, rows, ()).eval()
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
