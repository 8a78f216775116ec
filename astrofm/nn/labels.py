"""Labels as heads learn them: standardised, some of them as logarithms."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import torch
from torch import nn

from ..interfaces.head import Label

TEFF = {"name": "teff", "unit": "K", "description": "effective temperature", "low": 3000.0, "high": 30000.0,
        "centre": 3.75, "spread": 0.15, "log": True}


def describe(labels: Sequence[Mapping]) -> tuple[Label, ...]:
    """Make what a head promises of the mappings it is built from."""
    return tuple(Label(label["name"], label.get("unit", ""), label.get("description", ""), label.get("low"),
                       label.get("high")) for label in labels)


class LabelScale(nn.Module):
    """Bring labels into standardised units and back.

    Parameters
    ----------
    labels : sequence of mapping
        For each label ``centre`` and ``spread`` (of the label, or of its log10), and ``log`` (True to learn log10).
    """

    def __init__(self, labels: Sequence[Mapping]):
        super().__init__()
        self.register_buffer("centre", torch.tensor([float(x.get("centre", 0)) for x in labels]), persistent=False)
        self.register_buffer("spread", torch.tensor([float(x.get("spread", 1)) for x in labels]), persistent=False)
        self.register_buffer("log", torch.tensor([bool(x.get("log", False)) for x in labels]), persistent=False)

    def standardise(self, truth: torch.Tensor) -> torch.Tensor:
        """Bring labels ``(..., number of labels)`` into standardised units; NaN stays NaN."""
        value = torch.where(self.log, truth.clamp_min(1e-30).log10(), truth)
        return (value - self.centre) / self.spread

    def physical(self, standardised: torch.Tensor) -> torch.Tensor:
        """Bring standardised labels ``(..., number of labels)`` back into their units."""
        value = standardised * self.spread + self.centre
        return torch.where(self.log, 10.0 ** value.clamp(-30, 30), value)

    def standardise_error(self, truth: torch.Tensor, error: torch.Tensor) -> torch.Tensor:
        """Bring errors of labels ``(..., number of labels)`` into standardised units; NaN stays NaN."""
        return torch.where(self.log, error / (truth.clamp_min(1e-30) * math.log(10)), error) / self.spread

    def of(self, rows: torch.Tensor) -> LabelScale:
        """Give the scale of some of the labels."""
        some = LabelScale([])
        some.centre, some.spread, some.log = self.centre[rows], self.spread[rows], self.log[rows]
        return some

    def numbers(self, value: torch.Tensor, error: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Give standardised values and errors ``(..., number of labels)`` in the labels' units."""
        value, error = self.physical(value), error * self.spread
        return value, torch.where(self.log, value * math.log(10) * error, error)

    def columns(self, labels: Sequence[Label], value: torch.Tensor, error: torch.Tensor) -> dict[str, torch.Tensor]:
        """Give the columns of standardised values and errors ``(n, number of labels)`` in the labels' units."""
        value, error = self.numbers(value, error)
        found = {}
        for k, label in enumerate(labels):
            found[label.name], found[f"{label.name}_err"] = value[:, k], error[:, k]
        return found
