"""Heads for a model: labels learned from its embeddings of stars whose labels are known."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from astropy.table import Table

from ..errors import DataError
from ..interfaces.head import Head
from ..training import part_of
from .adapted import Adapted, How, adapt_classes, adapt_numbers
from .classifiers import learn_classes
from .familiarity import ClassDistance
from .labels import ClassColumn, describe_labels, split_labels
from .learned import gather
from .numbers import Known, learn_numbers, probe_numbers

if TYPE_CHECKING:
    from .model import Model

#: ways to learn labels
METHODS = ("head", "probe", "lora", "full", "forest")
#: those that change the weights under the head
ADAPTING = ("lora", "full")
#: kinds of heads and what they are called in a model
HEADS = ("gaussian", "posterior")
#: part of the stars that is kept to stop in time and to calibrate errors
KEPT = 0.2


@dataclass(frozen=True, eq=False)
class Made:
    """Heads that were learned, by name, and what goes with them: see `Model`."""

    heads: Mapping[str, Head]
    calibration: Mapping[str, Any]
    distances: Mapping[str, ClassDistance] = field(default_factory=dict)


def fit(model: Model, data: Any, labels: Table, *, method: str, head: str, places: Sequence[str], rank: int, alpha: float,
        rates: Sequence[float] | None, stars: Sequence[Any] | None, keep: Sequence[str], seed: int,
        progress: Callable[[str], None] | None, extras: Any, parents: Mapping[str, str] | None,
        prior: str | Mapping[str, float], smoothing: float) -> Model:
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
    if keep and method in ADAPTING and set(places) != {"head"}:
        raise DataError(f"method {method!r} changes the embeddings that head {keep[0]!r} has learned to read: keep none, or "
                        "adapt places=[\"head\"] alone")
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
    how = How(method, places, rank, alpha, rates, seed, progress)
    if columns and method in ADAPTING:
        adapted = adapt_classes(model, data, given, columns[0], how, smoothing=smoothing, parents=parents, prior=prior,
                                keys=stars)
        more = {"prior": prior if isinstance(prior, str) else dict(prior), "extras": [one.name for one in given.extras]}
        return _with_weights(model, adapted, keep=keep, about={**how.about, "spectra": len(labels), **more})
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
        part, factors = probe_numbers(embedding, known)
        return _with_heads(model, [*made, Made({"fitted": part}, factors)], keep=keep, about=about)
    kept = _kept(stars, len(values), known.usable, seed)
    if method == "head":
        part, factors = learn_numbers(model, embedding, known, kept, head, seed, progress)
        return _with_heads(model, [*made, Made({"fitted": part}, factors)], keep=keep, about=about)
    return _with_weights(model, adapt_numbers(model, data, embedding, known, kept, how), keep=keep,
                         about={**how.about, "spectra": len(values)})


def _check_classes(columns: Sequence[ClassColumn], numbers: Table, method: str, extras: Any, parents: Any, prior: Any,
                   smoothing: float) -> None:
    """Check that what is asked of classes is asked where there are some."""
    if columns and method in ADAPTING and len(columns) + len(numbers.colnames) > 1:
        raise DataError(f"method {method!r} learns one column of classes, or numbers: choose {columns[0].name!r} alone with "
                        "table[[...]], or method=\"head\" for all")
    if method == "forest" and numbers.colnames:
        raise DataError(f"a forest learns classes, and label {numbers.colnames[0]!r} is none: choose columns with "
                        "table[[...]], or method=\"head\" for both")
    asked = {"extras": extras is not None, "parents": bool(parents), "prior": prior != "table", "smoothing": smoothing != 0}
    if not columns and any(asked.values()):
        raise DataError(f"`{next(name for name, yes in asked.items() if yes)}` is for labels that are classes, and no "
                        "column is one: classes are text")
    if not 0 <= smoothing < 1:
        raise DataError(f"smoothing is {smoothing}: give a part of the probability, from 0 to below 1")


def _with_weights(model: Model, adapted: Adapted, *, keep: Sequence[str], about: Mapping[str, Any]) -> Model:
    """Make a model of adapted parts."""
    made = Made({adapted.name: adapted.parts["head"]}, adapted.calibration, adapted.distances)
    fitted = _with_heads(model, [made], keep=keep, about={**about, "heads": [adapted.name], **adapted.about},
                         parts=adapted.parts)
    fitted.adapters = adapted.adapters
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
