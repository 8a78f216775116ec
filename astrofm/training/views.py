"""Views of light curves: what another night, another survey or another filter would have left of a star."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch

from ..errors import DataError
from ..nn.packed import PackedCurves
from ..nn.ragged import percentiles
from .windows import DropBand, Overlap, Resample, Thin, uniform


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
        more = self.high * uniform(curves, 1, generator) * usual * (uniform(curves, 1, generator) < self.chance)
        noise = torch.randn(curves.value.shape, generator=generator, device=curves.value.device)
        return replace(curves, value=torch.where(curves.there, curves.value + more * noise, curves.value),
                       error=torch.where(curves.there, (curves.error**2 + more**2).sqrt(), curves.error))


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
        chance = uniform(curves, 1, generator)[:, 0]
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
        forgotten = (uniform(curves, 1, generator) < self.chance) & (curves.wave > 0)
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
