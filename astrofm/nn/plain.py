"""For encoders that stand alone: embeddings left as they are, classes read with named extras, and numbers as measured."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import nn

from ..errors import DataError
from ..interfaces.aligner import Aligner
from ..interfaces.head import Extra, Head, Label
from .classes import as_extras

#: no error that is measured is smaller
LEAST = 1e-30
#: the period; its error holds if the cycle is the right one
PERIOD = {"name": "period", "unit": "d", "description": "period of most evidence; the error holds if the cycle is right",
          "value": "period", "error": "period_err"}


class PlainAligner(Aligner):
    """Leave embeddings as they are; nothing can be decoded from them.

    Parameters
    ----------
    dim : int
    """

    name = "plain"
    decodes = False

    def __init__(self, *, dim: int = 128):
        super().__init__(dim=dim)
        self.source_dim = self.dim = dim

    def _align(self, embedding: torch.Tensor, instrument: str) -> torch.Tensor:
        return embedding.float()

    def _decode(self, aligned: torch.Tensor, coordinate: torch.Tensor, instrument: str,
                source: str) -> tuple[torch.Tensor, torch.Tensor]:
        raise DataError("this model embeds and has no decoder: use an aligned one to translate or reconstruct")


class ExtraClassHead(Head):
    """Read the probabilities of named classes out of an embedding and named numbers of the star.

    Parameters
    ----------
    dim : int
        Numbers of the embedding.
    extras : sequence of mapping
        The arguments of `~astrofm.interfaces.Extra`, in the order in which they are read.
    label : str
        Name of the column.
    classes : sequence of str
    description : str
    instruments : sequence of str, optional
        Whose stars it reads.
    hidden : sequence of int
        Layers, each with a norm and a leaky ReLU.
    slope, epsilon : float
        Of the leaky ReLU, and of the norms.
    """

    name = "classes-with-extras"

    def __init__(self, *, dim: int = 128, extras: Sequence[Mapping[str, Any]] = (), label: str = "variable_class",
                 classes: Sequence[str] = ("constant", "variable"), description: str = "",
                 instruments: Sequence[str] | None = None, hidden: Sequence[int] = (256, 128), slope: float = 0.1,
                 epsilon: float = 1e-5):
        super().__init__(dim=dim, extras=[{**extra} for extra in extras], label=label, classes=list(classes),
                         description=description, instruments=None if instruments is None else list(instruments),
                         hidden=list(hidden), slope=slope, epsilon=epsilon)
        self.extras = as_extras(extras)
        self.dim = dim + len(self.extras)
        self.instruments = None if instruments is None else tuple(instruments)
        self.labels = (Label(label, "", description, classes=tuple(classes)),)
        layers: list[nn.Module] = []
        for low, high in zip((self.dim, *hidden[:-1]), hidden, strict=True):
            layers += [nn.Linear(low, high), nn.LayerNorm(high, eps=epsilon), nn.LeakyReLU(slope)]
        self.layers = nn.Sequential(*layers, nn.Linear(hidden[-1], len(classes)))

    def scores(self, embedding: torch.Tensor) -> torch.Tensor:
        """Give the log-odds, ``(n, number of classes)``, float32."""
        return self.layers(embedding).float()

    def _read(self, embedding: torch.Tensor) -> Mapping[str, torch.Tensor]:
        return {f"{self.labels[0].name}_probability": self.scores(embedding).softmax(-1)}


class MeasuredHead(Head):
    """Give numbers that the encoder measures on the star, with their errors, as labels.

    Parameters
    ----------
    dim : int
        Numbers of the embedding, none of which is read.
    labels : sequence of mapping
        ``name``, ``unit``, ``description``, and the names of what is measured: ``value`` and ``error``.
    """

    name = "as-measured"

    def __init__(self, *, dim: int = 128, labels: Sequence[Mapping[str, str]] | None = None):
        labels = [dict(label) for label in labels or [PERIOD]]
        super().__init__(dim=dim, labels=labels)
        self.extras = tuple(Extra(label[which], label.get("unit", ""), measured=True)
                            for label in labels for which in ("value", "error"))
        if len({extra.name for extra in self.extras}) < len(self.extras):
            raise ValueError("each label has a value and an error of its own")
        self.own, self.dim = dim, dim + len(self.extras)
        self.labels = tuple(Label(label["name"], label.get("unit", ""), label.get("description", "")) for label in labels)

    def _read(self, embedding: torch.Tensor) -> Mapping[str, torch.Tensor]:
        columns = [name for label in self.labels for name in (label.name, f"{label.name}_err")]
        found = dict(zip(columns, embedding[:, self.own:].T, strict=True))
        return {name: value.clamp_min(LEAST) if name.endswith("_err") else value for name, value in found.items()}
