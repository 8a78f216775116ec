"""Heads: numbers with errors, and classes with probabilities."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import torch
from torch import nn

from ..interfaces.head import Head, Label
from .blocks import ResidualMLP


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
        labels = [dict(label) for label in labels or [_TEFF]]
        super().__init__(dim=dim, labels=labels, hidden=hidden, depth=depth)
        self.dim = dim
        self.labels = tuple(
            Label(label["name"], label.get("unit", ""), label.get("description", ""), label.get("low"),
                  label.get("high")) for label in labels)
        self.register_buffer("centre", torch.tensor([float(x.get("centre", 0)) for x in labels]), persistent=False)
        self.register_buffer("spread", torch.tensor([float(x.get("spread", 1)) for x in labels]), persistent=False)
        self.register_buffer("log", torch.tensor([bool(x.get("log", False)) for x in labels]), persistent=False)
        self.enter = nn.Linear(dim, hidden)
        self.layers = nn.Sequential(*(ResidualMLP(hidden, hidden) for _ in range(depth)), nn.LayerNorm(hidden),
                                    nn.GELU(), nn.Linear(hidden, 2 * len(labels)))

    def standardised(self, embedding: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Give mean and log error, both ``(n, number of labels)``, in standardised units."""
        mean, log_error = self.layers(self.enter(embedding)).float().chunk(2, dim=-1)
        return mean, log_error.clamp(-5.0, 2.0)

    def standardise(self, truth: torch.Tensor) -> torch.Tensor:
        """Bring true labels ``(n, number of labels)`` into standardised units; NaN stays NaN."""
        value = torch.where(self.log, truth.clamp_min(1e-30).log10(), truth)
        return (value - self.centre) / self.spread

    def _read(self, embedding: torch.Tensor) -> Mapping[str, torch.Tensor]:
        mean, log_error = self.standardised(embedding)
        value = mean * self.spread + self.centre
        error = log_error.exp() * self.spread
        power = 10.0 ** value.clamp(-30, 30)
        error = torch.where(self.log, power * math.log(10) * error, error)
        value = torch.where(self.log, power, value)
        columns = {}
        for k, label in enumerate(self.labels):
            columns[label.name], columns[f"{label.name}_err"] = value[:, k], error[:, k]
        return columns


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
    """

    name = "classes"

    def __init__(self, *, dim: int = 256, label: str = "spectral_type", classes: Sequence[str] = ("A", "F", "G"),
                 description: str = "", hidden: int = 256, ordered: bool = False):
        super().__init__(dim=dim, label=label, classes=list(classes), description=description, hidden=hidden,
                         ordered=ordered)
        self.dim = dim
        self.labels = (Label(label, "", description, classes=tuple(classes), ordered=ordered),)
        self.layers = nn.Sequential(nn.Linear(dim, hidden), ResidualMLP(hidden, hidden), nn.LayerNorm(hidden),
                                    nn.GELU(), nn.Linear(hidden, len(classes)))

    def scores(self, embedding: torch.Tensor) -> torch.Tensor:
        """Give the log-odds, ``(n, number of classes)``, float32."""
        return self.layers(embedding).float()

    def _read(self, embedding: torch.Tensor) -> Mapping[str, torch.Tensor]:
        return {f"{self.labels[0].name}_probability": self.scores(embedding).softmax(-1)}


_TEFF = {"name": "teff", "unit": "K", "description": "effective temperature", "low": 3000.0, "high": 30000.0,
         "centre": 3.75, "spread": 0.15, "log": True}
