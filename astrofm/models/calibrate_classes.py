"""Calibrate the probabilities of a model's classes on stars of known class."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from ..data import Batch
from ..errors import DataError
from . import answers, conformal, inputs
from .class_stars import FOLDS, folds_of
from .classifiers import measured
from .extras import Given
from .familiarity import ClassDistance
from .labels import ClassColumn

if TYPE_CHECKING:
    from .model import Model

#: stars of an instrument that a calibration takes at least
LEAST = 20


def measure_classes(model: Model, data: Any, columns: Sequence[ClassColumn], extras: Any,
                    calibration: dict[str, dict[str, Any]], distances: dict[str, ClassDistance]) -> None:
    """Measure what the model's classes are worth for each instrument, and put it into ``calibration`` and ``distances``.

    A label that has no distances yet gets them from these stars; they are measured on fifths that are left out in turn.

    Raises
    ------
    DataError
        The model has no such label or class, or too few stars of an instrument have one.
    """
    heads = {label.name: (name, label) for name, head in model.heads.items() for label in head.labels if label.classes}
    for column in columns:
        if column.name not in heads:
            raise DataError(f"the model has no label {column.name!r} that is a class; it has {', '.join(heads) or 'none'}")
    given = None if extras is None else Given(model.core.parts, extras)
    prepare = {} if given is None else {"prepare": given.into}
    found = inputs.work(data, lambda batch: _read(model, batch), **prepare)
    n = sum(len(piece) for piece, _ in found)
    if given is not None:
        given.check(n)
    if n != len(columns[0].place):
        raise DataError(f"there are {n} stars and {len(columns[0].place)} rows of labels: a row for each is wanted")
    instrument = answers.fill([answers.Declared("instrument", "str", "")], n, found)["instrument"]
    for column in columns:
        name, label = heads[column.name]
        truth = _places(column, label.classes)
        shape = {"chance": len(label.classes), "given": model.heads[name].dim}
        seen = {key: np.full((n, size), np.nan) for key, size in shape.items()}
        for piece, values in found:
            if f"chance:{column.name}" in values:
                for key in seen:
                    seen[key][piece.rows] = values[f"{key}:{column.name if key == 'chance' else name}"]
        use = (truth >= 0) & np.isfinite(seen["chance"]).all(axis=1)
        off = _distances(column.name, seen["given"], truth, use, len(label.classes), model.dim, distances)
        for one in np.unique(instrument[use]).tolist() or [""]:
            own = use & (instrument == one)
            if own.sum() < LEAST:
                raise DataError(f"{own.sum()} stars of {one!r} have a {column.name} and an answer: {LEAST} are the least "
                                "to calibrate on")
            entry = measured(seen["chance"][own], truth[own], label.classes, np.ones(own.sum()))
            entry |= {"distance": conformal.keep(off[own]), "how": "other stars"}
            calibration.setdefault(one, {})[column.name] = entry


def _read(model: Model, batch: Batch) -> dict[str, Any]:
    """Give what heads of classes read, and what of; stars without an embedding are NaN."""
    embedding, given, read = model.core.read_batch(batch)
    values: dict[str, Any] = {"instrument": np.full(len(batch), batch.instrument)}
    nothing = ~np.isfinite(embedding).all(axis=1)
    for name, head in model.heads.items():
        for label in head.labels:
            if label.classes and f"{label.name}_probability" in read:
                values[f"chance:{label.name}"] = np.where(nothing[:, None], np.nan, read[f"{label.name}_probability"])
                values[f"given:{name}"] = np.concatenate([embedding, given[name]], axis=1) if head.extras else embedding
    return values


def _places(column: ClassColumn, classes: Sequence[str]) -> np.ndarray:
    """Give the place of each star's class among those of the model; -1 where it is unknown."""
    strange = [one for one in column.classes if one not in classes]
    if strange:
        folded = {one.lower(): one for one in classes}
        near = difflib.get_close_matches(strange[0].lower(), folded, n=1)
        hint = f" Did you mean {folded[near[0]]!r}?" if near else ""
        raise DataError(f"the model's {column.name} has no class {strange[0]!r}.{hint} It has {', '.join(classes)}; leave "
                        "the cell empty where it is another")
    to = np.array([classes.index(one) for one in column.classes] + [-1])
    return to[column.place]


def _distances(name: str, given: np.ndarray, truth: np.ndarray, use: np.ndarray, classes: int, dim: int,
               distances: dict[str, ClassDistance]) -> np.ndarray:
    """Give how far stars lie from the classes, by distances that are there or else learned from the others of these stars."""
    off = np.full(len(truth), np.nan)
    if name in distances:
        off[use] = distances[name].distance(given[use])
        return off
    rows = np.flatnonzero(use)
    if len(rows) < LEAST:
        return off
    fold = folds_of([str(row) for row in rows], truth[rows], 0)
    for k in range(FOLDS):
        own = rows[fold != k]
        off[rows[fold == k]] = ClassDistance.fit(given[own], truth[own], dim=dim, classes=classes).distance(
            given[rows[fold == k]])
    distances[name] = ClassDistance.fit(given[rows], truth[rows], dim=dim, classes=classes)
    return off
