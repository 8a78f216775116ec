"""How common classes are among the stars that are asked about, in place of what was learned."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ..errors import DataError
from ..interfaces.head import Head


def check_prior(prior: Mapping[str, float], classes: Sequence[str]) -> None:
    """Check what is said of how common classes are.

    Raises
    ------
    DataError
        No mapping; a name that is no class; a part that is not above 0, or parts that leave nothing for the others.
    """
    if not isinstance(prior, Mapping):
        raise DataError(f"prior says what part of the stars is of a class, by name, such as {{{classes[0]!r}: 0.95}}; not "
                        f"{prior!r}")
    unknown = [name for name in prior if name not in classes]
    if unknown:
        raise DataError(f"prior names class {unknown[0]!r}; the model's are {', '.join(classes)}")
    for name, part in prior.items():
        if not (isinstance(part, (int, float, np.number)) and 0 < part < np.inf):
            raise DataError(f"prior gives {part!r} of the stars to {name}: give each class that it names a number above 0")
    total = sum(prior.values())
    if len(prior) < len(classes) and total >= 1:
        raise DataError(f"prior gives {total:.6g} of the stars to {', '.join(prior)} and leaves none for the other classes: "
                        "give parts that add up to less than 1, or name all classes")


def common(prior: Mapping[str, float], classes: Sequence[str], learned: np.ndarray) -> np.ndarray:
    """Say how common each class is; those that are not named share the rest as they were learned; ``(k,)``."""
    part = np.array([prior.get(name, np.nan) for name in classes], float)
    named = np.array([name in prior for name in classes])
    total = part[named].sum()
    return part / total if named.all() else np.where(named, part, (1 - total) * learned / learned[~named].sum())


def reweighed(probability: np.ndarray, head: Head, label: Mapping[str, Any], prior: Mapping[str, float]) -> np.ndarray:
    """Give probabilities ``(n, k)`` for stars among which classes are as common as is said (Saerens et al. 2002).

    Notes
    -----
    2002NeCom..14...21S: they are divided by how common classes were when they were learned, and multiplied by how common
    they are now.

    Raises
    ------
    DataError
        The head does not say how common classes were.
    """
    if not hasattr(head, "log_prior"):
        raise DataError(f"the head of {label['name']!r} ({head.name}) does not say how common classes were when it learned, "
                        "so no prior can be put in its place: teach it with model.fit(..., method=\"head\")")
    learned = head.log_prior.softmax(-1).double().cpu().numpy()
    found = probability * (common(prior, label["classes"], learned) / learned)
    return found / np.maximum(found.sum(axis=1, keepdims=True), 1e-300)
