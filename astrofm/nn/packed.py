"""Light curves of any survey in one form: magnitudes, wavelengths and a period, at most so many points a star."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import torch

from ..data import Batch, curve_features
from ..data.magnitudes import POGSON
from ..errors import AstrofmError
from ..interfaces.encoder import MEASURED
from .ragged import percentiles

#: numbers of a star beside its points, and of a point, in `PackedCurves.numbers`
HEADER, POINT = 3, 5
#: what there is of each point
ARRAYS = ("days", "value", "error", "wave", "there")
#: features that say the period and what it explains
SEARCHED = ("period", "period_explained", "period_harmonics")
#: columns of `Batch.meta` that hold them, where they were measured before
FOUND = tuple(MEASURED + name for name in SEARCHED)
#: smallest error, mag: a point without one is not there
LEAST = 1e-6


@dataclass(frozen=True, eq=False)
class PackedCurves:
    """Light curves of ``n`` stars, of one survey or many, with room for ``p`` points each.

    Parameters
    ----------
    days : Tensor of float64, shape ``(n, p)``
        Increasing; since each star's first good point.
    value, error : Tensor of float32, shape ``(n, p)``
        Magnitudes.
    wave : Tensor of float32, shape ``(n, p)``
        log10 of the wavelength of each point's band (Angstrom); bands of unknown wavelength are 0, -1, -2, ...
    there : Tensor of bool, shape ``(n, p)``
        False where there is no point.
    absolute : Tensor of bool, shape ``(n,)``
        Magnitudes of several bands can be compared: their difference is a colour.
    period : Tensor of float64, shape ``(n,)``
        Of `astrofm.data.find_periods`; 0 where there is none.
    power : Tensor of float64, shape ``(n,)``
        Part of the variance that the Fourier series at the period explains, less what it would of noise; 0 to 1.
    """

    days: torch.Tensor
    value: torch.Tensor
    error: torch.Tensor
    wave: torch.Tensor
    there: torch.Tensor
    absolute: torch.Tensor
    period: torch.Tensor
    power: torch.Tensor

    def __len__(self) -> int:
        return len(self.days)

    def __getitem__(self, rows: torch.Tensor | slice) -> PackedCurves:
        """Select stars; the order is kept."""
        return PackedCurves(*(getattr(self, name)[rows] for name in self.__dataclass_fields__))

    def numbers(self) -> torch.Tensor:
        """Give everything as float32, shape ``(n, 3 + 5 p)``; days as two numbers, good to a microsecond."""
        high = self.days.float()
        points = torch.stack([high, (self.days - high.double()).float(), self.value, self.error, self.wave], 1)
        points = torch.where(self.there[:, None], points, 0.0)
        header = torch.stack([self.absolute.float(), self.period.float(), self.power.float()], 1)
        return torch.cat([header, points.flatten(1)], 1)

    @classmethod
    def of(cls, numbers: torch.Tensor) -> PackedCurves:
        """Undo `numbers`."""
        high, low, value, error, wave = numbers[:, HEADER:].unflatten(1, (POINT, -1)).unbind(1)
        return cls(high.double() + low.double(), value, error, wave, error > 0, numbers[:, 0] > 0, numbers[:, 1].double(),
                   numbers[:, 2].double())

    def dense(self) -> PackedCurves:
        """Bring the points that are there to the front, in order, and leave out room that none needs but for two points."""
        need = max(int(self.there.sum(1).max()) if len(self) else 0, 2)
        order = (~self.there).to(torch.uint8).argsort(dim=1, stable=True)[:, :need]
        found = {name: getattr(self, name).gather(1, order) for name in ARRAYS}
        more = need - order.shape[1]
        return replace(self, **{name: torch.nn.functional.pad(x, (0, more)) if more else x for name, x in found.items()})

    def rebased(self) -> PackedCurves:
        """Count days from each star's first point that is there."""
        first = torch.where(self.there, self.days, torch.inf).amin(1, keepdim=True).nan_to_num(posinf=0.0)
        return replace(self, days=torch.where(self.there, self.days - first, 0.0))

    def thinned(self, most: int) -> PackedCurves:
        """Keep at most so many points of each star, evenly chosen by their number; the period is that of all."""
        count = self.there.sum(1, keepdim=True)
        if int(count.max() if len(self) else 0) <= most:
            return self
        rank = self.there.cumsum(1) - 1
        kept = count.clamp_max(most)
        chosen = (rank * kept) // count.clamp_min(1) != ((rank - 1) * kept).div(count.clamp_min(1), rounding_mode="floor")
        return replace(self, there=self.there & chosen).dense()

    def centred(self) -> tuple[torch.Tensor, torch.Tensor]:
        """Give values less the median of their band, and that median; both ``(n, p)``."""
        middle = torch.zeros_like(self.value)
        left = self.there
        while bool(left.any()):  # a turn for each of a star's bands
            first = left.to(torch.uint8).argmax(1, keepdim=True)
            own = left & (self.wave == self.wave.gather(1, first))
            median = percentiles(self.value, own, (50.0,))[0]
            middle = torch.where(own, median.to(middle.dtype), middle)
            left = left & ~own
        return torch.where(self.there, self.value - middle, 0.0), middle


def pack(batch: Batch, *, bands: Mapping[str, Sequence[float]] | None = None, length: int | None = 256) -> PackedCurves:
    """Bring a survey's light curves into one form.

    Fluxes become magnitudes that stay finite at and below zero, by the inverse hyperbolic sine (Lupton et al. 1999,
    1999AJ....118.1406L) softened by each star's own median error. Zero points are the instrument's; where it has none, 0 is
    the median, or the median error where the median flux is below that, zero or negative, as faint stars have it.

    Parameters
    ----------
    batch : Batch
        Of tensors.
    bands : mapping of str to sequence of float, optional
        By instrument, wavelengths (Angstrom) of its bands; other instruments say theirs themselves
        (`~astrofm.interfaces.LightCurveInstrument.wavelengths`), or they are unknown.
    length : int, optional
        Longer light curves are thinned evenly to so many points; the period is found on all of them before (`with_periods`).
    """
    from ..registry import get_instrument

    try:
        instrument = get_instrument(batch.instrument)
    except AstrofmError:  # a name that nobody offers: its batch says all that is known
        instrument = None
    there = ~batch.mask & (batch.error > 0) & torch.isfinite(batch.value)
    units = _units(batch)
    magnitudes = torch.tensor([unit == "mag" for unit in units], dtype=torch.bool, device=there.device)
    band = batch.band.long()
    names = () if instrument is None else instrument.bands
    zero = torch.tensor([getattr(instrument, "zero_points", {}).get(name, torch.nan) for name in names] or [torch.nan],
                        device=there.device)
    value, error = _magnitudes(batch, band, there, magnitudes, zero)
    absolute = magnitudes | bool(torch.isfinite(zero).all() and all(units))
    waves = None if bands is None else bands.get(batch.instrument)
    waves = waves or [getattr(instrument, "wavelengths", {}).get(name, 0.0) for name in names]
    known = torch.tensor([float(wave) for wave in waves] or [0.0], dtype=torch.float64, device=there.device)
    known = torch.where(known > 0, known.clamp_min(1.0).log10(), -torch.arange(len(known), device=there.device).double())
    if int(band.max() if band.numel() else 0) >= len(known):
        known = torch.cat([known, -torch.arange(len(known), int(band.max()) + 1, device=there.device).double()])
    days = batch.coordinate.expand_as(value)
    days = torch.where(there, days - torch.where(there, days, torch.inf).amin(1, keepdim=True).nan_to_num(posinf=0.0), 0.0)
    meta = with_periods(batch).meta
    period, explained, harmonics = (torch.as_tensor(meta[name], dtype=torch.float64, device=there.device) for name in FOUND)
    count = there.sum(1)
    power = 1 - (1 - explained) * (count - 1) / (count - 2 * harmonics - 1).clamp_min(1)
    curves = PackedCurves(days, value, torch.where(there, error.clamp_min(LEAST), 0.0), known[band].float(), there, absolute,
                          period.nan_to_num(), power.nan_to_num().clamp(0, 1)).dense()
    return curves if length is None else curves.thinned(length)


def with_periods(batch: Batch) -> Batch:
    """Give a batch whose ``meta`` holds each star's period, in `FOUND`: searched as for features, unless it does already."""
    if all(name in batch.meta for name in FOUND):
        return batch
    arrays = {name: torch.as_tensor(getattr(batch, name)).cpu().numpy()
              for name in ("coordinate", "value", "error", "mask", "band")}
    plain = replace(batch, **arrays, meta={"unit": _units(batch)})
    found = curve_features(plain, names=SEARCHED, workers=torch.get_num_threads())
    return replace(batch, meta={**batch.meta, **{MEASURED + name: values for name, values in found.items()}})


def _units(batch: Batch) -> list[str]:
    """Say each star's unit of value: by default its instrument's, or magnitudes where nobody offers that."""
    from ..registry import get_instrument

    if "unit" in batch.meta:
        return list(batch.meta["unit"])
    try:
        return [get_instrument(batch.instrument).unit.to_string()] * len(batch)
    except AstrofmError:
        return ["mag"] * len(batch)


def _magnitudes(batch: Batch, band: torch.Tensor, there: torch.Tensor, magnitudes: torch.Tensor,
                zero: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Give values and errors in magnitudes."""
    value, error = batch.value.double(), batch.error.double()
    if bool(magnitudes.all()):
        return value.float(), error.float()
    faint, spread = torch.zeros_like(value), torch.ones_like(error)
    for place in torch.unique(band).tolist():
        own = there & (band == place)
        middle, noise = percentiles(value, own, (50.0,))[0], percentiles(error, own, (50.0,))[0]
        middle = torch.maximum(middle, noise)  # below its noise a star has no flux to be compared with
        soft = (noise / middle).clamp_min(1e-9)
        part, wide = value / middle, error / middle
        shift = zero[place].double() if place < len(zero) and bool(torch.isfinite(zero[place])) else None
        level = shift - POGSON * middle.log() if shift is not None else torch.zeros_like(middle)
        lupton = level - POGSON * ((part / (2 * soft)).asinh() - (1 / (2 * soft)).asinh())
        faint = torch.where(own, lupton, faint)
        spread = torch.where(own, POGSON * wide / (part**2 + 4 * soft**2).sqrt(), spread)
    flux = ~magnitudes[:, None]
    value, error = torch.where(flux, faint, value), torch.where(flux, spread, error)
    return torch.where(there, value, 0.0).float(), torch.where(there, error, 0.0).float()
