"""Stars of known class, as heads of classes learn from them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from ..errors import DataError
from ..interfaces.head import Head
from ..nn.classes import LearnedClassHead
from ..training import part_of
from .classes import hierarchy
from .labels import ClassColumn

if TYPE_CHECKING:
    from .learned import Given

#: parts in which the stars are left out in turn
FOLDS = 5

Told = Callable[[str], None] | None


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

    def __getitem__(self, rows: np.ndarray) -> Stars:
        return replace(self, given=self.given[rows], truth=self.truth[rows], fold=self.fold[rows], weight=self.weight[rows])

    def tensor(self, rows: np.ndarray) -> tuple[torch.Tensor, torch.Tensor]:
        """Give what is read and the class of some."""
        return torch.from_numpy(self.given[rows]).float(), torch.from_numpy(self.truth[rows])


def known_classes(given: Given, column: ClassColumn, *, parents: Mapping[str, str] | None, prior: str | Mapping[str, float],
                  stars: Sequence[Any] | None, seed: int, progress: Told) -> tuple[np.ndarray, Stars, dict[str, Any]]:
    """Gather stars of known class: their rows, what is known of them, and what a head of these classes is built from.

    Raises
    ------
    DataError
        Fewer than 20 stars, or all of one class; a hierarchy or a prior of other classes.
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
    return rows, known, {"dim": given.embedding.shape[1], "extras": extras, "label": column.name,
                         "classes": list(column.classes), "parents": own, "description": column.description}


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


def begun(known: Stars, told: Mapping[str, Any], rows: np.ndarray, hidden: Sequence[int]) -> LearnedClassHead:
    """Make a head that knows the scales of what it reads, and the prior, and nothing else."""
    head = LearnedClassHead(**told, hidden=hidden)
    head.enter.settle(known.tensor(rows)[0])
    head.log_prior.copy_(torch.from_numpy(np.log(known.prior)))
    return head


def read(head: Head, known: Stars, rows: np.ndarray) -> np.ndarray:
    """Give a head's probabilities of some stars; ``(n, k)``."""
    with torch.inference_mode():
        return head.read(known.tensor(rows)[0])[f"{head.labels[0].name}_probability"].double().numpy()
