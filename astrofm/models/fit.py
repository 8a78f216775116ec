"""Heads for a model: labels learned from its embeddings of stars whose labels are known."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from astropy.table import Table

from ..errors import DataError
from ..interfaces.head import Head
from ..training import label_loss, part_of
from .classifiers import learn_classes
from .familiarity import ClassDistance
from .labels import ClassColumn, describe_labels, split_labels
from .learned import gather
from .probe import probe

if TYPE_CHECKING:
    from .model import Model

#: ways to learn labels
METHODS = ("head", "probe", "lora", "full", "forest")
#: those that learn classes
OF_CLASSES = ("head", "probe", "forest")
#: kinds of heads and what they are called in a model
HEADS = ("gaussian", "posterior")
#: part of the stars that is kept to stop in time and to calibrate errors
KEPT = 0.2
#: batch, highest learning rate, and epochs' worth of steps without progress before it stops
BATCH, RATE, PATIENCE = 256, 2e-3, 20


@dataclass(frozen=True, eq=False)
class Known:
    """What is known of the stars: how heads are built, labels and errors ``(n, k)``, and who can be learned from ``(n,)``."""

    told: Sequence[Mapping[str, Any]]
    values: np.ndarray
    errors: np.ndarray
    usable: np.ndarray

    def tensors(self, rows: np.ndarray) -> tuple[torch.Tensor, torch.Tensor]:
        """Give labels and errors of some stars."""
        return torch.from_numpy(self.values[rows]).float(), torch.from_numpy(self.errors[rows]).float()


@dataclass(frozen=True, eq=False)
class Made:
    """Heads that were learned, by name, and what goes with them: see `Model`."""

    heads: Mapping[str, Head]
    calibration: Mapping[str, Any]
    distances: Mapping[str, ClassDistance] = field(default_factory=dict)


def fit(model: Model, data: Any, labels: Table, *, method: str, head: str, places: Sequence[str], rank: int, alpha: float,
        stars: Sequence[Any] | None, keep: Sequence[str], seed: int, progress: Callable[[str], None] | None, extras: Any,
        parents: Mapping[str, str] | None, prior: str | Mapping[str, float], smoothing: float) -> Model:
    """Make a model that has learned labels; see `Model.fit`."""
    if method not in METHODS:
        raise DataError(f"method is one of {', '.join(METHODS)}, not {method!r}")
    if head not in HEADS:
        raise DataError(f"head is one of {', '.join(HEADS)}, not {head!r}")
    if head == "posterior" and method != "head":
        raise DataError(f"method {method!r} gives each label its own error: a posterior is learned by method=\"head\"")
    unknown = [name for name in keep if name not in model.heads]
    if unknown:
        raise DataError(f"the model has no head {unknown[0]!r} to keep; it has {', '.join(model.heads) or 'none'}")
    columns, numbers = split_labels(labels)
    _check_classes(columns, numbers, method, extras, parents, prior, smoothing)
    both = [column.name for column in columns if column.name in keep]
    if both:
        raise DataError(f"the new head of classes and one that is kept are both named {both[0]!r}: rename the "
                        "column, or don't keep it")
    given = gather(model, data, extras)
    embedding = given.embedding
    if len(labels) != len(embedding):
        raise DataError(f"there are {len(embedding)} stars and {len(labels)} rows of labels: a row for each is wanted")
    if stars is not None and len(stars) != len(labels):
        raise DataError(f"stars names {len(stars)} stars, there are {len(labels)} spectra")
    about = {"method": method, **({"head": head} if method == "head" else {}), "spectra": len(labels)}
    learned = {column.name: learn_classes(given, column, method=method, parents=parents, prior=prior, smoothing=smoothing,
                                          stars=stars, seed=seed, progress=progress) for column in columns}
    made = [Made({name: one.head for name, one in learned.items()}, {name: one.calibration for name, one in learned.items()},
                 {name: one.distance for name, one in learned.items()})]
    if learned:
        about |= {"classes": {name: one.about for name, one in learned.items()},
                  "prior": prior if isinstance(prior, str) else dict(prior), "extras": [one.name for one in given.extras]}
    if not numbers.colnames:
        return _with_heads(model, made, keep=keep, about=about)
    told, values, errors = describe_labels(numbers)
    every = np.isfinite(values).all(axis=1) if head == "posterior" else np.isfinite(values).any(axis=1)
    known = Known(told, values, errors, np.isfinite(embedding).all(axis=1) & every)
    if known.usable.sum() < 20:
        raise DataError(f"{known.usable.sum()} stars have an embedding and labels: 20 are the least to learn from")
    if method == "probe":
        part, factors = _probed(embedding, known)
        return _with_heads(model, [*made, Made({"fitted": part}, factors)], keep=keep, about=about)
    kept = _kept(stars, len(values), known.usable, seed)
    if method == "head":
        part, factors = _headed(model, embedding, known, kept, head, seed, progress)
        return _with_heads(model, [*made, Made({"fitted": part}, factors)], keep=keep, about=about)
    return _adapted(model, data, embedding, known, kept, method, places, rank, alpha, seed, progress, keep)


def _check_classes(columns: Sequence[ClassColumn], numbers: Table, method: str, extras: Any, parents: Any, prior: Any,
                   smoothing: float) -> None:
    """Check that what is asked of classes is asked where there are some."""
    if columns and method not in OF_CLASSES:
        raise DataError(f"label {columns[0].name!r} is a class, and method {method!r} learns numbers: classes are learned by "
                        f"{', '.join(OF_CLASSES)}")
    if method == "forest" and numbers.colnames:
        raise DataError(f"a forest learns classes, and label {numbers.colnames[0]!r} is none: choose columns with "
                        "table[[...]], or method=\"head\" for both")
    asked = {"extras": extras is not None, "parents": bool(parents), "prior": prior != "table", "smoothing": smoothing != 0}
    if not columns and any(asked.values()):
        raise DataError(f"`{next(name for name, yes in asked.items() if yes)}` is for labels that are classes, and no "
                        "column is one: classes are text")
    if not 0 <= smoothing < 1:
        raise DataError(f"smoothing is {smoothing}: give a part of the probability, from 0 to below 1")


def _probed(embedding: np.ndarray, known: Known) -> tuple[Head, dict[str, float]]:
    rows = known.usable
    part, off = probe(embedding[rows], known.told, known.values[rows], known.errors[rows])
    return part, {label.name: _quantile(np.abs(off[:, k])[np.isfinite(off[:, k])]) for k, label in enumerate(part.labels)}


def _headed(model: Model, embedding: np.ndarray, known: Known, kept: np.ndarray, head: str, seed: int,
            progress: Callable[[str], None] | None) -> tuple[Head, dict[str, float]]:
    from ..registry import get_part

    torch.manual_seed(seed)
    part = get_part("heads", head)(dim=model.dim, labels=known.told, **({"hidden": 128} if head == "gaussian" else {}))
    part = _train(part, embedding, known, known.usable & ~kept, known.usable & kept, seed, progress)
    return part, _factors(part, embedding[known.usable & kept], known.values[known.usable & kept])


def _adapted(model: Model, data: Any, embedding: np.ndarray, known: Known, kept: np.ndarray, method: str,
             places: Sequence[str], rank: int, alpha: float, seed: int, progress: Callable[[str], None] | None,
             keep: Sequence[str]) -> Model:
    from .adapt import Stars, adapt

    own, other = np.flatnonzero(known.usable & ~kept), np.flatnonzero(known.usable & kept)
    names = [label["name"] for label in known.told]
    name = next((name for name, part in model.heads.items()
                 if {label.name for label in part.labels} >= set(names) and hasattr(part, "standardised")), None)
    if name is None:
        head, _ = _headed(model, embedding, known, kept, "gaussian", seed, None)
    else:
        head = model.heads[name]
    order = [names.index(label.name) if label.name in names else -1 for label in head.labels]
    values, errors = (np.stack([array[:, k] if k >= 0 else np.full(len(array), np.nan) for k in order], axis=1)
                      for array in (known.values, known.errors))
    stars = Stars.gather(data, values, errors)
    parts, adapters = adapt(model, head, stars, own, other, method=method, places=places, rank=rank, alpha=alpha, seed=seed,
                            progress=progress)
    about = {"method": method, "places": list(places), "spectra": len(values), "heads": [name or "fitted"]}
    about |= {"rank": rank, "alpha": alpha} if method == "lora" else {}
    fitted = _with_heads(model, [Made({name or "fitted": parts["head"]}, {})], keep=keep, about=about, parts=parts)
    pieces = stars.pieces(other)
    found = np.concatenate([fitted.core.embed(batch) for batch, _ in pieces])
    factors = _factors(parts["head"].cpu(), found, values[np.concatenate([rows for _, rows in pieces])])
    fitted = _with_heads(model, [Made({name or "fitted": parts["head"]}, factors)], keep=keep, about=about, parts=parts)
    fitted.adapters = adapters
    return fitted


def _with_heads(model: Model, made: Sequence[Made], *, keep: Sequence[str], about: Mapping[str, Any],
                parts: Mapping[str, Any] | None = None) -> Model:
    """Make a model of a model's parts, or others, with heads that were learned and those that are kept."""
    from .model import Model

    encoder, aligner = (model.encoder, model.aligner) if parts is None else (parts["encoder"], parts["aligner"])
    heads = {one: model.heads[one] for one in keep} | {name: head for one in made for name, head in one.heads.items()}
    new = {label: entry for one in made for label, entry in one.calibration.items()}
    labels = {label.name for head in heads.values() for label in head.labels}
    calibration = {key: {label: entry for label, entry in value.items() if label not in new
                         and not (isinstance(entry, Mapping) and (parts is not None or label not in labels))}
                   for key, value in model.about["calibration"].items()}
    calibration["*"] = {**calibration.get("*", {}), **new}
    card = {key: value for key, value in model.about.items() if key not in ("parts", "labels", "format")}
    card |= {"name": f"{model.name}-fitted", "calibration": calibration,
             "provenance": {**model.about["provenance"], "fitted_from": model.sha256, **about}}
    kept = {label.name for one in keep for label in model.heads[one].labels}
    distances = {label: one for label, one in model.distances.items() if label in kept and parts is None}
    familiarity = model.familiarity if parts is None else None
    if familiarity is None:
        card["familiarity"] = {key: value for key, value in card["familiarity"].items() if parts is None}
    heads = dict(sorted(heads.items()))  # as a file lists them
    return Model(encoder, aligner, heads, card=card, familiarity=familiarity,
                 distances=distances | {label: one for each in made for label, one in each.distances.items()}).to(
        model.device, precision=model.precision)


def _kept(stars: Sequence[Any] | None, n: int, usable: np.ndarray, seed: int) -> np.ndarray:
    """Choose the stars that are kept, whole stars where keys say which spectra are of one."""
    keys = range(n) if stars is None else stars
    kept = np.array([part_of(f"{seed} {key}") < KEPT for key in keys])
    if (kept & usable).sum() < 4 or (~kept & usable).sum() < 4:
        raise DataError("too few different stars to keep some of them for calibration")
    return kept


def _train(part: Head, embedding: np.ndarray, known: Known, own: np.ndarray, kept: np.ndarray, seed: int,
           progress: Callable[[str], None] | None) -> Head:
    given, truth, error = torch.from_numpy(embedding[own]), *known.tensors(own)
    other, wanted = torch.from_numpy(embedding[kept]), known.tensors(kept)
    generator = torch.Generator().manual_seed(seed)
    _standardise_input(part, given)
    optimiser = torch.optim.AdamW(part.parameters(), RATE, weight_decay=0.05)
    schedule = torch.optim.lr_scheduler.ReduceLROnPlateau(optimiser, factor=0.5, patience=6)
    best, state, stale, round_ = np.inf, None, 0, 0
    steps = max(10, -(-len(given) // BATCH))
    while stale < PATIENCE and round_ < 200:
        part.train()
        for _ in range(steps):
            rows = torch.randint(len(given), (min(BATCH, len(given)),), generator=generator)
            optimiser.zero_grad()
            _score(part, given[rows], truth[rows], error[rows]).backward()
            torch.nn.utils.clip_grad_norm_(part.parameters(), 5.0)
            optimiser.step()
        part.eval()
        with torch.no_grad():
            score = float(_score(part, other, *wanted, beta=0.0))
        schedule.step(score)
        stale = stale + 1 if not score < best - 1e-4 else 0
        if score < best:
            best, state = score, {name: tensor.clone() for name, tensor in part.state_dict().items()}
        round_ += 1
        if progress and round_ % 10 == 0:
            progress(f"round {round_}: {score:.3f} on kept stars, best {best:.3f}")
    if state is None:
        raise DataError("the head did not learn anything finite: are labels or embeddings out of range?")
    part.load_state_dict(state)
    return part.eval()


def _standardise_input(part: Head, embedding: torch.Tensor) -> None:
    """Let the first layer see embeddings of mean 0 and deviation 1, whatever their scale."""
    first = next((layer for layer in part.modules() if isinstance(layer, torch.nn.Linear)), None)
    if first is None or first.in_features != embedding.shape[1]:
        return
    with torch.no_grad():
        spread = embedding.std(0)
        spread = torch.where(spread > 1e-6 * spread.max().clamp_min(1e-30), spread, torch.inf)
        first.weight /= spread
        first.bias -= first.weight @ embedding.mean(0)


def _score(part: Head, embedding: torch.Tensor, truth: torch.Tensor, error: torch.Tensor, *,
           beta: float = 0.5) -> torch.Tensor:
    if hasattr(part, "log_density"):
        return -part.log_density(embedding, truth).mean()
    return label_loss(*part.standardised(embedding), part.standardise(truth), beta=beta,
                      error=part.scale.standardise_error(truth, error))


def _factors(part: Head, embedding: np.ndarray, values: np.ndarray) -> dict[str, float]:
    """Give the quantile of errors over predicted errors (Vovk et al. 2005; Lei et al. 2018, JASA 113, 1094)."""
    with torch.inference_mode():
        read: Mapping[str, torch.Tensor] = part.read(torch.from_numpy(embedding))
    factors = {}
    for k, label in enumerate(part.labels):
        known = np.isfinite(values[:, k])
        off = np.abs(read[label.name].numpy() - values[:, k])[known] / read[f"{label.name}_err"].numpy()[known]
        factors[label.name] = _quantile(off)
    return factors


def _quantile(off: np.ndarray) -> float:
    """Give by what errors must be multiplied so that 68.27 % of new stars lie within them."""
    rank = min(1.0, 0.6827 * (1 + 1 / max(1, len(off))))
    return float(np.quantile(off, rank, method="higher")) if len(off) else 1.0
