"""Class labels as answers: the class, what is above it, its set, its rivals, and whether it is any of them at all."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ..errors import DataError
from ..interfaces.head import Head, above
from . import conformal
from .answers import FIRST, LAST, Declared
from .priors import check_prior, reweighed

#: the class of a star unlike those of all classes
UNKNOWN = "unknown"
#: part of the stars of known classes that is taken for unknown, where nothing else is said
FALSE_ALARM = 0.01
#: classes that are ranked
RANKED = 3


@dataclass(frozen=True)
class Question:
    """What is asked of class labels: see `Model.classify`."""

    coverage: float = 0.9
    false_alarm: float = FALSE_ALARM
    parents: Mapping[str, str] = field(default_factory=dict)
    prior: Mapping[str, float] = field(default_factory=dict)

    def __post_init__(self):
        if not 0 < self.coverage < 1:
            raise DataError(f"coverage is {self.coverage}: give a part of the stars between 0 and 1, such as 0.9")
        if not 0 <= self.false_alarm < 1:
            raise DataError(f"false_alarm is {self.false_alarm}: give a part of the stars, from 0 to below 1")


def class_labels(card: Mapping[str, Any], question: Question) -> list[dict[str, Any]]:
    """Give the labels of a card that are classes, with their hierarchy or that of the question.

    Raises
    ------
    DataError
        There are none, or the hierarchy or the prior is one of other classes.
    """
    found = [dict(label) for label in card["labels"] if label.get("classes")]
    if not found:
        own = ", ".join(label["name"] for label in card["labels"]) or "no label"
        raise DataError(f"model {card['name']!r} has no head of classes (it reads {own}): teach it some with "
                        f"model.fit(stars, table_with_a_column_of_classes), or take a model that has them{_others()}")
    if question.parents:
        told = {label["name"]: hierarchy(label["name"], label["classes"], question.parents) for label in found}
        if not any(told.values()):
            raise DataError(f"parents name the class above none of the model's: {', '.join(found[0]['classes'])}")
        found = [{**label, "parents": told[label["name"]] or label.get("parents", {})} for label in found]
    for label in found if question.prior else ():
        check_prior(question.prior, label["classes"])
    return found


def hierarchy(label: str, classes: Sequence[str], parents: Mapping[str, str]) -> dict[str, str]:
    """Give the part of a hierarchy that is above some classes: it may be one of more classes than a label has.

    Raises
    ------
    DataError
        It goes round in a circle.
    """
    try:
        used = {one for name in classes for one in (name, *above(name, parents))}
    except ValueError as error:
        raise DataError(f"label {label!r}: {error}") from error
    return {one: str(parents[one]) for one in sorted(used & set(parents))}


def _others() -> str:
    """Name the models that are here and have classes."""
    from ..registry import cards
    from .files import read_card
    from .store import locate

    named = []
    for card in cards("models").values():
        if card.location.startswith("https:") or card.importer:
            continue
        own = [label["name"] for label in read_card(locate(card.name)[0])["labels"] if label.get("classes")]
        named += [f"{card.name} ({', '.join(own)})"] if own else []
    return f": {', '.join(named)}; `astrofm models` lists more" if named else ", see `astrofm models`"


def class_columns(labels: Sequence[Mapping[str, Any]], question: Question) -> tuple[Declared, ...]:
    """Declare the columns of `Model.classify`."""
    columns = list(FIRST)
    for label in labels:
        name, text = label["name"], label.get("description") or label["name"]
        columns += [Declared(name, "str", f"{text}; {UNKNOWN!r} for a star unlike all classes"),
                    Declared(f"{name}_probability", "float32", f"probability of the {name} given")]
        for level in range(1, _levels(label) + 1):
            one = f"{name}_parent" + (f"_{level}" if level > 1 else "")
            text = f"what is above the {name}" + (f", {level} steps up" if level > 1 else "")
            columns += [Declared(one, "str", text),
                        Declared(f"{one}_probability", "float32", f"probability of all classes below the {one}")]
        columns += [Declared(f"{name}_set", "str", "classes, the most probable first: one is right for "
                             f"{question.coverage:.6g} of the stars"),
                    Declared(f"{name}_set_size", "int64", "classes of the set; -1 where nothing was read"),
                    Declared(f"{name}_p_value", "float32", "part of the stars of known classes that are at least as far from "
                             "all classes as this one")]
        for rank in range(1, min(RANKED, len(label["classes"])) + 1):
            columns += [Declared(f"{name}_{rank}", "str", f"class of probability rank {rank}, if the star is of a known one"),
                        Declared(f"{name}_{rank}_probability", "float32", f"probability of {name}_{rank}")]
    return (*columns, *LAST)


def class_answers(card: Mapping[str, Any], label: Mapping[str, Any], head: Head, instrument: str, probability: np.ndarray,
                  p_value: np.ndarray, usable: np.ndarray, question: Question) -> dict[str, np.ndarray]:
    """Give the columns of one class label for the stars of a batch.

    Parameters
    ----------
    card, label : mapping
        The model's and the label's.
    head : Head
        What read it.
    instrument : str
    probability : ndarray, shape ``(n, k)``
        Calibrated.
    p_value : ndarray, shape ``(n,)``
        NaN where the model can't say.
    usable : ndarray of bool, shape ``(n,)``
        The other rows stay blank.
    question : Question
    """
    name, classes, n = label["name"], np.array(label["classes"]), len(probability)
    known, every = np.where(usable[:, None], np.nan_to_num(probability), 0.0), np.arange(n)
    inside = _sets(card, instrument, name, known, label["classes"], question.coverage)
    if question.prior:
        known = reweighed(known, head, label, question.prior)
    best = np.where(usable, conformal.chosen(label, known), 0)
    stranger = usable & (p_value < question.false_alarm)
    plain = usable & ~stranger
    values: dict[str, np.ndarray] = {
        name: np.where(plain, classes[best], np.where(stranger, UNKNOWN, "")),
        f"{name}_probability": np.where(plain, known[every, best], np.nan),
        f"{name}_p_value": np.where(usable, p_value, np.nan)}
    chains = [above(one, label.get("parents") or {}) for one in classes.tolist()]
    for level in range(1, _levels(label) + 1):
        one = f"{name}_parent" + (f"_{level}" if level > 1 else "")
        parent = np.array([chain[level - 1] if len(chain) >= level else "" for chain in chains])
        below = np.array([[of != "" and (of in chain or of == other) for other, chain in zip(classes, chains, strict=True)]
                          for of in parent], float)
        there = plain & (parent[best] != "")
        values[one] = np.where(there, parent[best], "")
        values[f"{one}_probability"] = np.where(there, (known * below[best]).sum(axis=1), np.nan)
    order = np.argsort(-known, axis=1, kind="stable")
    inside[every, best], inside[every, order[:, 0]] = True, True
    inside &= usable[:, None]
    values[f"{name}_set"] = _joined(classes, inside, order)
    values[f"{name}_set_size"] = np.where(usable, inside.sum(axis=1), -1)
    for rank in range(1, min(RANKED, len(classes)) + 1):
        place = order[:, rank - 1]
        values[f"{name}_{rank}"] = np.where(usable, classes[place], "")
        values[f"{name}_{rank}_probability"] = np.where(usable, known[every, place], np.nan)
    return values


def _sets(card: Mapping[str, Any], instrument: str, name: str, probability: np.ndarray, classes: Sequence[str],
          coverage: float) -> np.ndarray:
    own = conformal.calibration_of(card, instrument, name)
    if not own:
        return conformal.uncalibrated(probability, coverage)
    return conformal.members(own["sets"], probability, classes, coverage)


def _joined(classes: np.ndarray, inside: np.ndarray, order: np.ndarray) -> np.ndarray:
    """Write sets as names joined by commas, the most probable first."""
    text = np.full(len(inside), "", dtype="U1")
    ranked = np.take_along_axis(inside, order, axis=1)
    for place in range(inside.shape[1]):
        rows = ranked[:, place]
        if rows.any():
            text = np.where(rows, np.char.add(np.char.add(text, ","), classes[order[:, place]]), text)
    return np.char.lstrip(text, ",")


def _levels(label: Mapping[str, Any]) -> int:
    return max(len(above(one, label.get("parents") or {})) for one in label["classes"])
