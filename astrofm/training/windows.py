"""Views of light curves that keep some of their points: another night's, another survey's, another filter's."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch

from ..nn.packed import PackedCurves

#: points that a view leaves of a star that has so many
FEWEST = 12


@dataclass(frozen=True)
class Overlap:
    """Keep points that follow each other: a random stretch of each star's. Two stretches of more than half overlap.

    Parameters
    ----------
    low, high : float
        Range of the part of the points that is kept.
    """

    low: float = 0.55
    high: float = 0.95

    def __call__(self, curves: PackedCurves, generator: torch.Generator | None = None) -> PackedCurves:
        count, rank = curves.there.sum(1, keepdim=True), curves.there.cumsum(1) - 1
        part = self.low + (self.high - self.low) * uniform(curves, 1, generator)
        kept = (part * count).ceil().clamp_min(FEWEST).minimum(count)
        first = (uniform(curves, 1, generator) * (count - kept + 1)).floor()
        return replace(curves, there=curves.there & (rank >= first) & (rank < first + kept))


@dataclass(frozen=True)
class Thin:
    """Keep random points.

    Parameters
    ----------
    low, high : float
        Range of the part of the points that is kept.
    """

    low: float = 0.4
    high: float = 1.0

    def __call__(self, curves: PackedCurves, generator: torch.Generator | None = None) -> PackedCurves:
        part = self.low + (self.high - self.low) * uniform(curves, 1, generator)
        return _kept(curves, uniform(curves, curves.days.shape[1], generator) < part)


@dataclass(frozen=True)
class DropBand:
    """Leave out one band of stars that were seen in several.

    Parameters
    ----------
    chance : float
        Part of those stars.
    """

    chance: float = 0.3

    def __call__(self, curves: PackedCurves, generator: torch.Generator | None = None) -> PackedCurves:
        score = uniform(curves, curves.days.shape[1], generator).masked_fill(~curves.there, -1.0)
        band = curves.wave.gather(1, score.argmax(1, keepdim=True))  # of a random point
        gone = (curves.wave == band) & (uniform(curves, 1, generator) < self.chance)
        return _kept(curves, ~gone)


@dataclass(frozen=True)
class Resample:
    """See stars at the times of others of the batch, whichever survey saw those: a real window function.

    Another star's times are laid over the star's own from a random day on, and of its points those remain that are next to
    one of them: nothing is made up between points. Stars that would keep too few stay as they are.

    Parameters
    ----------
    chance : float
        Part of the stars.
    near : float
        Largest distance in time, in units of the star's own median step.
    fewest : int
        Points that remain, at least.
    """

    chance: float = 0.3
    near: float = 2.0
    fewest: int = 24

    def __call__(self, curves: PackedCurves, generator: torch.Generator | None = None) -> PackedCurves:
        n, p = curves.days.shape
        dense = curves.dense()
        last = torch.where(dense.there, dense.days, 0.0).amax(1, keepdim=True)
        own = torch.where(dense.there, dense.days, torch.inf)
        steps = torch.where(dense.there[:, 1:], dense.days.diff(dim=1), 0.0)
        step = torch.where(dense.there[:, 1:], steps, torch.inf).sort(1).values
        middle = (dense.there.sum(1, keepdim=True) - 1).clamp_min(1).div(2, rounding_mode="floor")
        step = step.gather(1, middle.clamp_max(max(step.shape[1] - 1, 0))) if step.shape[1] else torch.ones_like(last)
        donor = torch.randperm(n, generator=generator, device=own.device)
        shift = (last - last[donor]) * uniform(curves, 1, generator).double()
        wanted = own[donor] + shift
        after = torch.searchsorted(own, torch.where(torch.isfinite(wanted), wanted, 0.0)).clamp(1, own.shape[1] - 1)
        nearest = torch.where((wanted - own.gather(1, after - 1)).abs() <= (own.gather(1, after) - wanted).abs(),
                              after - 1, after)
        close = ((own.gather(1, nearest) - wanted).abs() <= self.near * step) & torch.isfinite(wanted)
        chosen = torch.zeros_like(own).scatter_reduce(1, nearest, close.to(own.dtype), "amax") > 0
        chosen &= dense.there
        rich = (chosen.sum(1, keepdim=True) >= self.fewest) & (uniform(curves, 1, generator) < self.chance)
        return replace(dense, there=torch.where(rich, chosen, dense.there))


def uniform(curves: PackedCurves, columns: int, generator: torch.Generator | None) -> torch.Tensor:
    """Give random numbers of 0 to 1, so many a star."""
    return torch.rand(len(curves), columns, generator=generator, device=curves.days.device)


def _kept(curves: PackedCurves, chosen: torch.Tensor) -> PackedCurves:
    """Keep the chosen points of stars of whom enough remain; others stay as they are."""
    there = curves.there & chosen
    return replace(curves, there=torch.where(there.sum(1, keepdim=True) >= FEWEST, there, curves.there))
