"""The fourth noun: a `Head` reads labels with errors, or classes, out of an embedding."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import nn


@dataclass(frozen=True)
class Label:
    """What a head promises about one column.

    Parameters
    ----------
    name : str
        From the vocabulary: ``teff``, ``logg``, ``fe_h`` …
    unit : str
        astropy unit string of the column; empty for a class.
    description : str
        For the column's description.
    low, high : float, optional
        Range of the training labels; outside of it a row is flagged.
    classes : tuple of str
        Class names, in the order of the head's scores; empty for a number.
    ordered : bool
        The classes are steps of a scale: the one given is their median, not the most probable.
    parents : mapping of str to str
        The class above each class, and the one above that, as far as it goes: ``{"rrab": "rrlyr", "rrlyr": "pulsating"}``.

    Raises
    ------
    ValueError
        ``parents`` names what is neither a class nor above one, or goes round in a circle.
    """

    name: str
    unit: str = ""
    description: str = ""
    low: float | None = None
    high: float | None = None
    classes: tuple[str, ...] = ()
    ordered: bool = False
    parents: Mapping[str, str] = field(default_factory=dict, hash=False)

    def __post_init__(self):
        check_parents(self.classes, self.parents)


def check_parents(classes: Sequence[str], parents: Mapping[str, str]) -> None:
    """Check that a hierarchy is one of these classes; see `Label`."""
    used = {one for name in classes for one in (name, *above(name, parents))}
    idle = sorted(set(parents) - used)
    if idle:
        raise ValueError(f"parents name {idle[0]!r}, which is neither a class nor above one; the classes are "
                         f"{', '.join(classes) or 'none'}")


def above(name: str, parents: Mapping[str, str]) -> tuple[str, ...]:
    """Give what is above a class, the nearest first."""
    found: list[str] = []
    while name in parents:
        name = parents[name]
        if not isinstance(name, str) or name in found or len(found) > len(parents):
            raise ValueError(f"parents go round in a circle, or are no names: {', '.join(map(str, [*found, name]))}")
        found.append(name)
    return tuple(found)


@dataclass(frozen=True)
class Extra:
    """A number of a star that a head reads beside the embedding.

    Parameters
    ----------
    name : str
        As in a table of extras, or in the ``meta`` of a star.
    unit : str
        astropy unit string of the numbers as they are read.
    also : tuple of str
        Other names that are known.
    measured : bool
        The encoder measures it on the star itself; what is given under its name is not used.
    description : str
    """

    name: str
    unit: str = ""
    also: tuple[str, ...] = ()
    measured: bool = False
    description: str = ""


class Head(nn.Module, ABC):
    """Read labels out of shared embeddings.

    A subclass sets `name`, keeps its constructor's plain JSON values in `arguments`, fills `labels`
    and implements `_read`.
    """

    name: str = ""
    #: numbers a star that it reads: those of the embedding, and behind them the `extras`
    dim: int = 0
    #: what it reads beside the embedding, in this order
    extras: Sequence[Extra] = ()
    #: whether it reads stars that lack some of the extras: they are NaN
    takes_missing: bool = False
    #: whether its tensors are never rounded: thresholds that decide
    keeps_float32: bool = False
    #: instruments whose stars it reads; None for any
    instruments: tuple[str, ...] | None = None
    labels: Sequence[Label] = ()

    def __init__(self, **arguments: Any):
        super().__init__()
        self.arguments = arguments

    def read(self, embedding: torch.Tensor) -> Mapping[str, torch.Tensor]:
        """Read the labels of ``n`` stars.

        Parameters
        ----------
        embedding : Tensor, shape ``(n, dim)``
            The last columns are the `extras`, where it has some.

        Returns
        -------
        dict of str to Tensor
            For a number ``NAME`` and ``NAME_err``, both ``(n,)``, in the label's unit; for a class
            ``NAME_probability``, ``(n, number of classes)``, each row summing to one.
        """
        if embedding.ndim != 2 or embedding.shape[1] != self.dim:
            raise ValueError(f"head {self.name!r} takes (n, {self.dim}), got {tuple(embedding.shape)}")
        columns = self._read(embedding)
        n = len(embedding)
        expected = {}
        for label in self.labels:
            if label.classes:
                expected[f"{label.name}_probability"] = (n, len(label.classes))
            else:
                expected[label.name] = expected[f"{label.name}_err"] = (n,)
        got = {key: tuple(value.shape) for key, value in columns.items()}
        if got != expected:
            raise ValueError(f"head {self.name!r} promised columns {expected}, gave {got}")
        return columns

    def forward(self, embedding: torch.Tensor) -> Mapping[str, torch.Tensor]:
        return self.read(embedding)

    @abstractmethod
    def _read(self, embedding: torch.Tensor) -> Mapping[str, torch.Tensor]: ...
