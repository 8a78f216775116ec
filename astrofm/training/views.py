"""Views of light curves: what another night, another survey or another filter would have left of a star."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch

from ..errors import DataError
from ..nn.packed import PackedCurves
from ..nn.ragged import percentiles

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
        part = self.low + (self.high - self.low) * _random(curves, 1, generator)
        kept = (part * count).ceil().clamp_min(FEWEST).minimum(count)
        first = (_random(curves, 1, generator) * (count - kept + 1)).floor()
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
        part = self.low + (self.high - self.low) * _random(curves, 1, generator)
        return _kept(curves, _random(curves, curves.days.shape[1], generator) < part)


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
        score = _random(curves, curves.days.shape[1], generator).masked_fill(~curves.there, -1.0)
        band = curves.wave.gather(1, score.argmax(1, keepdim=True))  # of a random point
        gone = (curves.wave == band) & (_random(curves, 1, generator) < self.chance)
        return _kept(curves, ~gone)


@dataclass(frozen=True)
class AddNoise:
    """Add noise, and say so in the errors.

    Parameters
    ----------
    high : float
        The noise of each star is a random part of so many times its median error.
    chance : float
        Part of the stars.
    """

    high: float = 2.0
    chance: float = 0.5

    def __call__(self, curves: PackedCurves, generator: torch.Generator | None = None) -> PackedCurves:
        usual = percentiles(curves.error.double(), curves.there, (50.0,))[0].nan_to_num().float()
        more = self.high * _random(curves, 1, generator) * usual * (_random(curves, 1, generator) < self.chance)
        noise = torch.randn(curves.value.shape, generator=generator, device=curves.value.device)
        return replace(curves, value=torch.where(curves.there, curves.value + more * noise, curves.value),
                       error=torch.where(curves.there, (curves.error**2 + more**2).sqrt(), curves.error))


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
        shift = (last - last[donor]) * _random(curves, 1, generator).double()
        wanted = own[donor] + shift
        after = torch.searchsorted(own, torch.where(torch.isfinite(wanted), wanted, 0.0)).clamp(1, own.shape[1] - 1)
        nearest = torch.where((wanted - own.gather(1, after - 1)).abs() <= (own.gather(1, after) - wanted).abs(),
                              after - 1, after)
        close = ((own.gather(1, nearest) - wanted).abs() <= self.near * step) & torch.isfinite(wanted)
        chosen = torch.zeros_like(own).scatter_reduce(1, nearest, close.to(own.dtype), "amax") > 0
        chosen &= dense.there
        rich = (chosen.sum(1, keepdim=True) >= self.fewest) & (_random(curves, 1, generator) < self.chance)
        return replace(dense, there=torch.where(rich, chosen, dense.there))


@dataclass(frozen=True)
class Shift:
    """Shift the zero point of each band, by itself.

    Parameters
    ----------
    spread : float
        Standard deviation, mag.
    """

    spread: float = 0.05

    def __call__(self, curves: PackedCurves, generator: torch.Generator | None = None) -> PackedCurves:
        seed = torch.randint(1, 2**20, (len(curves), 1), generator=generator, device=curves.value.device)
        turn = torch.sin(curves.wave.double() * 1e4 + seed) * 1e4  # one number a star and wavelength
        away = torch.special.ndtri((turn - turn.floor()).clamp(1e-4, 1 - 1e-4)).float()
        return replace(curves, value=torch.where(curves.there, curves.value + self.spread * away, curves.value))


@dataclass(frozen=True)
class Scale:
    """Scale the variation of each star, and not its errors, as another filter would.

    Parameters
    ----------
    spread : float
        Standard deviation of the natural log of the factor.
    """

    spread: float = 0.15

    def __call__(self, curves: PackedCurves, generator: torch.Generator | None = None) -> PackedCurves:
        factor = (self.spread * torch.randn(len(curves), 1, generator=generator, device=curves.value.device)).exp()
        centred, middle = curves.centred()
        return replace(curves, value=torch.where(curves.there, middle + factor * centred, curves.value))


@dataclass(frozen=True)
class Misjudge:
    """Take the period for twice or half of itself, or for unknown, as searches do.

    Parameters
    ----------
    twice, half, none : float
        Part of the stars.
    """

    twice: float = 0.05
    half: float = 0.05
    none: float = 0.1

    def __call__(self, curves: PackedCurves, generator: torch.Generator | None = None) -> PackedCurves:
        chance = _random(curves, 1, generator)[:, 0]
        factor = torch.ones_like(curves.period)
        factor = torch.where(chance < self.twice, 2.0, factor)
        factor = torch.where((chance >= self.twice) & (chance < self.twice + self.half), 0.5, factor)
        none = chance >= 1 - self.none
        return replace(curves, period=torch.where(none, 0.0, curves.period * factor),
                       power=torch.where(none, 0.0, curves.power))


@dataclass(frozen=True)
class ForgetWavelength:
    """Forget which wavelengths the bands have, as of surveys that do not say.

    Parameters
    ----------
    chance : float
        Part of the stars.
    """

    chance: float = 0.1

    def __call__(self, curves: PackedCurves, generator: torch.Generator | None = None) -> PackedCurves:
        forgotten = (_random(curves, 1, generator) < self.chance) & (curves.wave > 0)
        return replace(curves, wave=torch.where(forgotten, -curves.wave, curves.wave))


#: the views that recipes name
VIEWS: dict[str, type] = {
    "overlap": Overlap, "thin": Thin, "drop-band": DropBand, "add-noise": AddNoise, "resample": Resample, "shift": Shift,
    "scale": Scale, "misjudge": Misjudge, "forget-wavelength": ForgetWavelength}


def compose(views: Sequence[Mapping[str, Any]]) -> Callable[..., PackedCurves]:
    """Make one view of several, one after the other, as a recipe names them.

    Parameters
    ----------
    views : sequence of mapping
        ``name``, of `VIEWS`, and ``arguments``.

    Returns
    -------
    callable
        From packed curves, and a generator of random numbers (torch's own unless given), to packed curves.

    Raises
    ------
    DataError
        A view is unknown, or takes no such arguments.

    Examples
    --------
    >>> from astrofm.training.views import compose
    >>> view = compose([{"name": "thin", "arguments": {"low": 0.5}}, {"name": "add-noise"}])
    """
    made = []
    for told in views:
        unknown = sorted(set(told) - {"name", "arguments"})
        if unknown or told.get("name") not in VIEWS:
            raise DataError(f"a view is a name, of {', '.join(VIEWS)}, and arguments; not {dict(told)}")
        try:
            made.append(VIEWS[told["name"]](**told.get("arguments", {})))
        except TypeError as error:
            raise DataError(f"view {told['name']!r} takes no such arguments: {error}") from error

    def view(curves: PackedCurves, generator: torch.Generator | None = None) -> PackedCurves:
        for one in made:
            curves = one(curves, generator)
        return curves.dense().rebased()

    return view


def _random(curves: PackedCurves, columns: int, generator: torch.Generator | None) -> torch.Tensor:
    return torch.rand(len(curves), columns, generator=generator, device=curves.days.device)


def _kept(curves: PackedCurves, chosen: torch.Tensor) -> PackedCurves:
    """Keep the chosen points of stars of whom enough remain; others stay as they are."""
    there = curves.there & chosen
    return replace(curves, there=torch.where(there.sum(1, keepdim=True) >= FEWEST, there, curves.there))
