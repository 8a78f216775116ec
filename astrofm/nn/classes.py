"""A head of classes that is learned from few stars: of an embedding and named numbers, some of which may be missing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import nn

from ..interfaces.head import Extra, Head, Label


def as_extras(extras: Sequence[Mapping[str, Any]]) -> tuple[Extra, ...]:
    """Make extras of plain JSON values.

    Raises
    ------
    ValueError
        Two of them have one name.
    """
    made = tuple(Extra(**{**extra, "also": tuple(extra.get("also", ()))}) for extra in extras)
    names = [name for extra in made for name in (extra.name, *extra.also)]
    if len(set(names)) < len(names):
        raise ValueError(f"two extras have one name: {', '.join(names)}")
    return made


class BesideInput(nn.Module):
    """Bring an embedding and the numbers beside it to like scales, and say which numbers are missing.

    Parameters
    ----------
    dim, extras : int
        Numbers of the embedding, and of the extras behind them.

    Notes
    -----
    The embedding is shifted and scaled to mean 0 and deviation 1. Extras have heavy tails: they are measured from their
    median in units of their quartiles, and beyond that like logarithms (arsinh). Each is joined by one that is 1 where it is
    missing.
    """

    def __init__(self, dim: int, extras: int):
        super().__init__()
        self.dim, self.size = dim, dim + 2 * extras
        self.register_buffer("centre", torch.zeros(dim + extras))
        self.register_buffer("spread", torch.ones(dim + extras))

    def settle(self, given: torch.Tensor) -> None:
        """Learn the scales from stars, ``(n, dim + extras)``; NaN is missing."""
        given = given.double().numpy()
        centre, spread = np.zeros(given.shape[1]), np.full(given.shape[1], np.inf)
        if self.dim and len(given) > 1:
            centre[: self.dim], own = given[:, : self.dim].mean(axis=0), given[:, : self.dim].std(axis=0, ddof=1)
            spread[: self.dim] = np.where(own > 1e-6 * max(own.max(), 1e-30), own, np.inf)
        for k in range(self.dim, given.shape[1]):
            known = given[np.isfinite(given[:, k]), k]
            if len(known):
                low, centre[k], high = np.quantile(known, [0.25, 0.5, 0.75])
                own = (high - low) / 1.349 or np.abs(known - centre[k]).mean()  # where most stars have one value
                spread[k] = own if own > 0 else np.inf
        self.centre.copy_(torch.from_numpy(centre))
        self.spread.copy_(torch.from_numpy(spread))

    def forward(self, given: torch.Tensor) -> torch.Tensor:
        """Give ``(n, size)``: all finite."""
        scaled = (given - self.centre) / self.spread
        beside = scaled[:, self.dim:]
        missing = ~torch.isfinite(beside)
        beside = torch.where(missing, 0.0, torch.asinh(torch.where(missing, 0.0, beside)))
        return torch.cat([scaled[:, : self.dim], beside, missing.to(beside)], dim=1)


class LearnedClassHead(Head):
    """Read the probabilities of named classes out of an embedding and named numbers of the star, which may be missing.

    Parameters
    ----------
    dim : int
        Numbers of the embedding.
    extras : sequence of mapping
        The arguments of `~astrofm.interfaces.Extra`, in the order in which they are read.
    label : str
        Name of the column.
    classes : sequence of str
    parents : mapping of str to str
        The class above each; see `~astrofm.interfaces.Label`.
    description : str
    hidden : sequence of int
        Layers of the perceptron; none of them is a weighted sum.
    dropout : float
        While it learns.

    Notes
    -----
    The scores say how much likelier the star is in one class than in another; how common classes are is added at the end
    (``log_prior``), so that it can be said anew (Menon et al. 2021, arXiv:2007.07314).
    """

    name = "learned-classes"
    takes_missing = True

    def __init__(self, *, dim: int = 128, extras: Sequence[Mapping[str, Any]] = (), label: str = "variable_class",
                 classes: Sequence[str] = ("constant", "variable"), parents: Mapping[str, str] | None = None,
                 description: str = "", hidden: Sequence[int] = (128,), dropout: float = 0.1):
        super().__init__(dim=dim, extras=[{**extra} for extra in extras], label=label, classes=list(classes),
                         parents=dict(parents or {}), description=description, hidden=list(hidden), dropout=dropout)
        self.extras = as_extras(extras)
        self.dim = dim + len(self.extras)
        self.labels = (Label(label, "", description, classes=tuple(classes), parents=dict(parents or {})),)
        self.enter = BesideInput(dim, len(self.extras))
        layers: list[nn.Module] = []
        for low, high in zip((self.enter.size, *hidden[:-1]), hidden, strict=False):
            layers += [nn.Linear(low, high), nn.LayerNorm(high), nn.GELU(), nn.Dropout(dropout)]
        self.layers = nn.Sequential(*layers, nn.Linear((self.enter.size, *hidden)[-1], len(classes)))
        self.register_buffer("log_prior", torch.zeros(len(classes)))

    def scores(self, embedding: torch.Tensor) -> torch.Tensor:
        """Give the log-likelihoods of the classes but for a number a star, ``(n, number of classes)``, float32."""
        return self.layers(self.enter(embedding)).float()

    def scores_of_part(self, given: torch.Tensor, without: tuple[float, float],
                       generator: torch.Generator | None = None) -> torch.Tensor:
        """Give scores as `scores` does, but of some stars, by chance, without the embedding or without what stands beside it.

        So a head learns to read either alone, and does not lean on the one that tells most of the stars it learns from.

        Parameters
        ----------
        given : Tensor, shape ``(n, dim + extras)``
        without : tuple of float
            Part of the stars that are read without their embedding, and without their extras.
        generator : Generator, optional
        """
        hidden = torch.rand(2, len(given), 1, generator=generator).to(given.device) < torch.tensor(without)[:, None, None]
        hidden[1] &= ~hidden[0]
        seen = self.enter(given)
        return self.layers(torch.cat([seen[:, : self.enter.dim].masked_fill(hidden[0], 0.0),
                                      seen[:, self.enter.dim:].masked_fill(hidden[1], 0.0)], dim=1)).float()

    def _read(self, embedding: torch.Tensor) -> Mapping[str, torch.Tensor]:
        return {f"{self.labels[0].name}_probability": (self.scores(embedding) + self.log_prior).softmax(-1)}
