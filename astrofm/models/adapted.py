"""Labels learned through a model's own weights: what is learned from, where it begins, and what its answers are worth."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import nn

from ..errors import DataError
from ..interfaces.head import Head
from ..nn.lowrank import LowRank
from .adapt import ClassGoal, NumberGoal, Stars, adapt, embed
from .class_stars import FOLDS, known_classes, read
from .class_stars import Stars as KnownStars
from .classifiers import judged, trained
from .familiarity import ClassDistance
from .labels import ClassColumn
from .numbers import Known, factors_of, learn_numbers

if TYPE_CHECKING:
    from .learned import Given
    from .model import Model


@dataclass(frozen=True)
class How:
    """How weights are adapted: see `Model.fit`."""

    method: str
    places: Sequence[str]
    rank: int
    alpha: float
    rates: Sequence[float] | None
    seed: int
    progress: Callable[[str], None] | None

    @property
    def about(self) -> dict[str, Any]:
        """What a card says of it."""
        return {"method": self.method, "places": list(self.places),
                **({"rank": self.rank, "alpha": self.alpha} if self.method == "lora" else {})}

    def adapt(self, model: Model, head: Head, goal: NumberGoal | ClassGoal, stars: Stars, own: np.ndarray,
              kept: np.ndarray) -> tuple[nn.ModuleDict, dict[str, LowRank]]:
        """See `adapt`."""
        return adapt(model, head, goal, stars, own, kept, method=self.method, places=self.places, rank=self.rank,
                     alpha=self.alpha, rates=self.rates, seed=self.seed, progress=self.progress)


@dataclass(frozen=True, eq=False)
class Adapted:
    """A model's parts with weights of their own, the adapters, and what goes with the head: see `Model`."""

    name: str
    parts: nn.ModuleDict
    adapters: dict[str, LowRank]
    calibration: Mapping[str, Any]
    distances: Mapping[str, ClassDistance]
    about: Mapping[str, Any]


def adapt_numbers(model: Model, data: Any, embedding: np.ndarray, known: Known, kept: np.ndarray, how: How) -> Adapted:
    """Learn labels that are numbers; from the model's own head, where it has one for these."""
    own, other = np.flatnonzero(known.usable & ~kept), np.flatnonzero(known.usable & kept)
    names = [label["name"] for label in known.told]
    name = next((name for name, part in model.heads.items()
                 if {label.name for label in part.labels} >= set(names) and hasattr(part, "standardised")), None)
    head = learn_numbers(model, embedding, known, kept, "gaussian", how.seed, None)[0] if name is None else model.heads[name]
    order = [names.index(label.name) if label.name in names else -1 for label in head.labels]
    values, errors = (np.stack([array[:, k] if k >= 0 else np.full(len(array), np.nan) for k in order], axis=1)
                      for array in (known.values, known.errors))
    stars = Stars.gather(data, model.encoder)
    goal = NumberGoal(torch.from_numpy(values).float(), torch.from_numpy(errors).float())
    parts, adapters = how.adapt(model, head, goal, stars, own, other)
    factors = factors_of(parts["head"].cpu(), embed(model, parts, stars, other), values[other])
    return Adapted(name or "fitted", parts, adapters, factors, {}, {})


def adapt_classes(model: Model, data: Any, given: Given, column: ClassColumn, how: How, *, smoothing: float,
                  parents: Mapping[str, str] | None, prior: str | Mapping[str, float],
                  keys: Sequence[Any] | None) -> Adapted:
    """Learn classes, from a head of the embeddings as they were; a fifth of the stars says when to stop.

    What the answers are worth is measured on these stars by weights that have not seen them: learned from three fifths, with
    another to stop by, and thrown away.
    """
    rows, known, told = known_classes(given, column, parents=parents, prior=prior, stars=keys, seed=how.seed,
                                      progress=how.progress)
    own, kept, stop = known.fold != 0, known.fold == 0, known.fold == 1
    if not (own & ~stop).any():
        raise DataError(f"all rows are of {len(np.unique(known.fold))} stars: one to learn from, one to stop by and one to "
                        "measure are the least")
    stars, beside = Stars.gather(data, model.encoder), torch.from_numpy(given.beside).float()
    goal = ClassGoal(torch.from_numpy(np.where(column.place >= 0, column.place, 0)), beside,
                     torch.from_numpy(known.log_part).float(), smoothing)

    def learned(some: np.ndarray, until: np.ndarray) -> tuple[nn.ModuleDict, dict[str, LowRank], KnownStars, ClassDistance]:
        head, _, _ = trained(known[some], told, smoothing, how.seed, None)
        parts, adapters = how.adapt(model, head, goal, stars, rows[some], rows[until])
        new = replace(known, given=np.concatenate([embed(model, parts, stars, rows), given.beside[rows]], axis=1))
        return parts, adapters, new, ClassDistance.fit(new.given[some], new.truth[some], dim=told["dim"],
                                                       classes=len(told["classes"]))

    parts, adapters, _, distance = learned(own, kept)
    other, _, new, off = learned(own & ~stop, stop)
    one = judged(parts["head"].cpu(), read(other["head"].cpu(), new, kept), new.truth[kept], new.weight[kept], distance,
                 off.distance(new.given[kept]), column, f"one part of {FOLDS}", how.progress)
    return Adapted(column.name, parts, adapters, {column.name: one.calibration}, {column.name: distance},
                   {"classes": {column.name: one.about}})
