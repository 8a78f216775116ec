"""Heads: numbers with errors, and classes with probabilities."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import nn

from ..interfaces.head import Head, Label
from .blocks import ResidualMLP
from .labels import TEFF, LabelScale, describe


class GaussianHead(Head):
    """Read numbers, each with its own error, out of an embedding (Nix & Weigend 1994).

    Parameters
    ----------
    dim : int
        Numbers of the embedding.
    labels : sequence of mapping
        For each label ``name``, ``unit``, ``description``, ``low`` and ``high`` (training range),
        ``centre`` and ``spread`` (of the label, or of its log10), and ``log`` (True to learn log10).
    hidden, depth : int
        Of the perceptron.
    """

    name = "gaussian"

    def __init__(self, *, dim: int = 256, labels: Sequence[Mapping] | None = None, hidden: int = 384, depth: int = 2):
        labels = [dict(label) for label in labels or [TEFF]]
        super().__init__(dim=dim, labels=labels, hidden=hidden, depth=depth)
        self.dim = dim
        self.labels = describe(labels)
        self.scale = LabelScale(labels)
        self.enter = nn.Linear(dim, hidden)
        self.layers = nn.Sequential(*(ResidualMLP(hidden, hidden) for _ in range(depth)), nn.LayerNorm(hidden),
                                    nn.GELU(), nn.Linear(hidden, 2 * len(labels)))

    def standardised(self, embedding: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Give mean and log error, both ``(n, number of labels)``, in standardised units."""
        mean, log_error = self.layers(self.enter(embedding)).float().chunk(2, dim=-1)
        return mean, log_error.clamp(-5.0, 2.0)

    def standardise(self, truth: torch.Tensor) -> torch.Tensor:
        """Bring true labels ``(n, number of labels)`` into standardised units; NaN stays NaN."""
        return self.scale.standardise(truth)

    def _read(self, embedding: torch.Tensor) -> Mapping[str, torch.Tensor]:
        mean, log_error = self.standardised(embedding)
        return self.scale.columns(self.labels, mean, log_error.exp())


class LinearHead(Head):
    """Read numbers as weighted sums of an embedding, each label with one error for all stars: what a closed form gives.

    Parameters
    ----------
    dim : int
        Numbers of the embedding.
    labels : sequence of mapping
        As for `GaussianHead`.
    """

    name = "linear"

    def __init__(self, *, dim: int = 256, labels: Sequence[Mapping] | None = None):
        labels = [dict(label) for label in labels or [TEFF]]
        super().__init__(dim=dim, labels=labels)
        self.dim, self.labels, self.scale = dim, describe(labels), LabelScale(labels)
        self.layer = nn.Linear(dim, len(labels))
        self.log_error = nn.Parameter(torch.zeros(len(labels)))

    def standardised(self, embedding: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Give mean and log error, both ``(n, number of labels)``, in standardised units."""
        mean = self.layer(embedding).float()
        return mean, self.log_error.expand_as(mean)

    def standardise(self, truth: torch.Tensor) -> torch.Tensor:
        """Bring true labels ``(n, number of labels)`` into standardised units; NaN stays NaN."""
        return self.scale.standardise(truth)

    def _read(self, embedding: torch.Tensor) -> Mapping[str, torch.Tensor]:
        mean, log_error = self.standardised(embedding)
        return self.scale.columns(self.labels, mean, log_error.exp())


class ClassHead(Head):
    """Read the probabilities of named classes out of an embedding.

    Parameters
    ----------
    dim : int
    label : str
        Name of the column.
    classes : sequence of str
    description : str
    hidden : int
    ordered : bool
        The classes are steps of a scale.
    parents : mapping of str to str
        The class above each; see `~astrofm.interfaces.Label`.
    """

    name = "classes"

    def __init__(self, *, dim: int = 256, label: str = "spectral_type", classes: Sequence[str] = ("A", "F", "G"),
                 description: str = "", hidden: int = 256, ordered: bool = False,
                 parents: Mapping[str, str] | None = None):
        super().__init__(dim=dim, label=label, classes=list(classes), description=description, hidden=hidden,
                         ordered=ordered, **({"parents": dict(parents)} if parents else {}))
        self.dim = dim
        self.labels = (Label(label, "", description, classes=tuple(classes), ordered=ordered, parents=dict(parents or {})),)
        self.layers = nn.Sequential(nn.Linear(dim, hidden), ResidualMLP(hidden, hidden), nn.LayerNorm(hidden),
                                    nn.GELU(), nn.Linear(hidden, len(classes)))

    def scores(self, embedding: torch.Tensor) -> torch.Tensor:
        """Give the log-odds, ``(n, number of classes)``, float32."""
        return self.layers(embedding).float()

    def _read(self, embedding: torch.Tensor) -> Mapping[str, torch.Tensor]:
        return {f"{self.labels[0].name}_probability": self.scores(embedding).softmax(-1)}

