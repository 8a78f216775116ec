"""An encoder of light curves of any survey: points in time, the curve folded at its own period, and numbers of the star."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence

import torch
from torch import nn

from ..data import Batch
from ..interfaces.encoder import Encoder
from .blocks import RaggedBlock
from .coordinates import TimeEncoding
from .measuring import measure_curves
from .packed import FOUND, PackedCurves, pack, with_periods
from .points import CADENCE
from .ragged import CurveView, percentiles

#: percentiles of the values that are told the encoder
LEVELS = (5.0, 16.0, 25.0, 50.0, 75.0, 84.0, 95.0)
#: cycles a dex that the period is told in
PERIOD_CYCLES = (0.15, 0.3, 0.6, 1.2, 2.4, 4.8)
#: numbers of a star beside its points
NUMBERS = len(LEVELS) + 17 + 2 * len(PERIOD_CYCLES)
#: bins of the folded curve that make a token
BINS = 4
#: values beyond so many times the range from the 5th to the 95th percentile are told as that
FAR = 20.0


class AnyCadenceEncoder(Encoder):
    """Embed light curves of any survey, cadence and bands.

    Magnitudes less the median of their band are seen in units of their range, so that the zero point plays no part; range,
    noise, colour, sampling and period are numbers that the encoder sees beside them. The curve is also seen folded at twice
    the period that is found in it, from its faintest phase on.

    Parameters
    ----------
    dim, depth, heads, hidden : int
        Of the transformer; ``dim`` is also that of the embedding.
    patch : int
        Neighbouring points that make one token.
    length : int
        Points of a star that become tokens; of longer light curves so many, evenly chosen by their number. Period and folded
        curve are those of all points.
    folded : int
        Bins of the folded curve, a multiple of 4; 0 for none.
    bands : mapping, optional
        By instrument, wavelengths (Angstrom) of its bands; see `~astrofm.nn.packed.pack`.

    Notes
    -----
    A star none of whose good points has an error is NaN.
    """

    name = "any-cadence"
    takes_light_curves = True
    cpu_batch = 256
    reads = ("unit", *FOUND)

    def __init__(self, *, dim: int = 128, depth: int = 4, heads: int = 4, hidden: int = 384, patch: int = 8,
                 length: int = 256, folded: int = 64,
                 bands: Mapping[str, Sequence[float]] | None = None):
        bands = None if bands is None else {name: list(waves) for name, waves in bands.items()}
        super().__init__(dim=dim, depth=depth, heads=heads, hidden=hidden, patch=patch, length=length, folded=folded,
                         bands=bands)
        if patch < 1 or length < patch or folded % BINS or folded < 0:
            raise ValueError("a patch has a point at least, a light curve a patch, and the folded curve a multiple of "
                             f"{BINS} bins: not {patch}, {length} and {folded}")
        self.dim, self.patch, self.length, self.folded = dim, patch, length, folded
        self.bands = bands
        self.enter = nn.Linear(patch * 5 + 2, dim)
        self.time = TimeEncoding(dim, shortest=0.02, longest=5000.0)
        self.numbers = nn.Sequential(nn.Linear(NUMBERS, hidden), nn.GELU(), nn.Linear(hidden, dim))
        if folded:
            self.enter_folded = nn.Linear(2 * BINS, dim)
            self.phase = nn.Parameter(0.02 * torch.randn(folded // BINS, dim))
        self.blocks = nn.ModuleList(RaggedBlock(dim, heads, hidden) for _ in range(depth))
        self.norm = nn.LayerNorm(dim)
        self.leave = nn.Linear(3 * dim if folded else 2 * dim, dim)

    def measure(self, batch: Batch, names: Collection[str]) -> dict[str, torch.Tensor]:
        """Give the ``amplitude`` of the points, and features: those of `astrofm.data.FEATURES`."""
        return measure_curves(self, batch, names, CurveView())

    def pack(self, batch: Batch, *, length: int | None = None) -> PackedCurves:
        """Bring a batch of tensors into the form that is seen, of at most ``length`` points a star; see `pack`."""
        return pack(batch, bands=self.bands, length=length)

    def prepare(self, batch: Batch) -> Batch:
        """Give a batch that holds the period of each star; see `~astrofm.nn.packed.with_periods`."""
        return with_periods(batch)

    def _embed(self, batch: Batch) -> torch.Tensor:
        curves = self.pack(batch)
        unseen = ~curves.there.any(1) & ~batch.mask.all(1)
        return self.encode(curves).masked_fill(unseen[:, None], torch.nan)

    def encode(self, curves: PackedCurves) -> torch.Tensor:
        """Embed packed light curves; shape ``(n, dim)``, float32."""
        return self.pooled(*self.tokens(curves))

    def pooled(self, tokens: torch.Tensor, seen: torch.Tensor) -> torch.Tensor:
        """Make the embedding ``(n, dim)`` of what `tokens` gives."""
        bins = self.folded // BINS
        points = (tokens * seen[..., None])[:, 1 + bins:].float().sum(1)
        parts = [tokens[:, 0].float(), points / seen[:, 1 + bins:].sum(1, keepdim=True).clamp_min(1)]
        if bins:
            parts.append(tokens[:, 1: 1 + bins].float().mean(1))
        return self.leave(torch.cat(parts, 1)).float()

    def tokens(self, curves: PackedCurves) -> tuple[torch.Tensor, torch.Tensor]:
        """Turn packed light curves into tokens: one of numbers, those of the folded curve, and those of points.

        Returns
        -------
        tokens : Tensor, shape ``(n, t, dim)``
        seen : Tensor of bool, shape ``(n, t)``
        """
        curves = curves.dense()
        value, middle = curves.centred()
        levels = torch.cat([level.nan_to_num() for level in percentiles(value.double(), curves.there, LEVELS)], 1)
        scale = (levels[:, -1:] - levels[:, :1]).clamp_min(1e-5)
        scaled = torch.where(curves.there, (value / scale).float(), 0.0).clamp(-FAR, FAR)
        first = self.numbers(_numbers(curves, value, middle, levels, scale))[:, None]
        parts, there = [first], [torch.ones_like(curves.there[:, :1])]
        if self.folded:
            parts.append(self.enter_folded(fold(curves, scaled, scale, self.folded)[0]) + self.phase)
            there.append(there[0].expand(-1, self.folded // BINS))
        shown = curves.thinned(self.length)
        if shown is not curves:
            scaled = (shown.centred()[0] / scale).float().clamp(-FAR, FAR)
        points, seen = self._points(shown, scaled, scale)
        seen = torch.cat([*there, seen], 1)
        x = torch.cat([*parts, points], 1)
        for block in self.blocks:
            x = block(x, seen)
        return self.norm(x), seen

    def _points(self, curves: PackedCurves, scaled: torch.Tensor,
                scale: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Make tokens of patches of points."""
        more = -scaled.shape[1] % self.patch

        def cut(x: torch.Tensor) -> torch.Tensor:
            return nn.functional.pad(x, (0, more)).unflatten(1, (-1, self.patch))

        good, days = cut(curves.there), cut(curves.days)
        count = good.sum(2).clamp_min(1)
        middle = torch.where(good, days, 0.0).sum(2) / count
        offset = (days - middle[..., None]) / CADENCE
        offset = (offset.sign() * offset.abs().log1p() / 10).float()
        error = (cut(curves.error) / scale[..., None].float()).clamp(1e-4, 1e3).log10()
        wave = cut(curves.wave)
        wave = torch.where(wave > 0, 4 * (wave - 3.75), 0.0)
        features = [torch.where(good, x, 0.0) for x in (cut(scaled), error, offset, wave)]
        last = torch.where(good, days, 0.0).amax(2, keepdim=True)
        span = (last - torch.where(good, days, torch.inf).amin(2, keepdim=True).nan_to_num(posinf=0.0)).clamp_min(1e-4)
        known = (curves.wave > 0).any(1)[:, None, None].expand_as(span).float()
        x = self.enter(torch.cat([*features, good.float(), span.log10().float() / 2, known], 2))
        return x + self.time(middle), good.any(2)


def fold(curves: PackedCurves, scaled: torch.Tensor, scale: torch.Tensor,
         bins: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Fold light curves at twice their period, from the faintest phase on: two cycles, or one orbit of a binary.

    Parameters
    ----------
    curves : PackedCurves
    scaled : Tensor, shape ``(n, p)``
        The values that are folded.
    scale : Tensor, shape ``(n, 1)``
        Magnitudes of one of their units.
    bins : int

    Returns
    -------
    folded : Tensor, shape ``(n, bins / 4, 8)``
        Of each bin the weighted mean, and how well it is known (0: not at all); zeros where there is no period.
    start : Tensor, shape ``(n,)``
        The phase that comes first, in cycles of twice the period since day 0.
    """
    periodic = curves.there & (curves.period > 0)[:, None]
    phase = curves.days / (2 * curves.period.clamp_min(1e-9)[:, None]) % 1.0
    place = (phase * bins).long().clamp(0, bins - 1)
    weight = torch.where(periodic, 1 / ((curves.error / scale.float()) ** 2 + 0.05**2), 0.0)
    total = torch.zeros(len(curves), bins, device=weight.device).scatter_add_(1, place, weight)
    mean = torch.zeros_like(total).scatter_add_(1, place, weight * scaled) / total.clamp_min(1e-6)
    ring = (torch.arange(bins, device=weight.device)[:, None] + torch.arange(-2, 3, device=weight.device)) % bins
    smooth = (mean * total)[:, ring].sum(2) / total[:, ring].sum(2).clamp_min(1e-6)
    faintest = torch.where(total > 0, smooth, -torch.inf).argmax(1, keepdim=True)
    turn = (faintest + torch.arange(bins, device=weight.device)) % bins
    found = torch.stack([mean.gather(1, turn), total.gather(1, turn).log1p() / 5], 1)
    return found.unflatten(2, (-1, BINS)).transpose(1, 2).flatten(2), faintest[:, 0] / bins


def _numbers(curves: PackedCurves, value: torch.Tensor, middle: torch.Tensor, levels: torch.Tensor,
             scale: torch.Tensor) -> torch.Tensor:
    """Give the numbers of a star beside its points, each of the order of one; shape ``(n, NUMBERS)``."""
    there, count = curves.there, curves.there.sum(1, keepdim=True)
    error = percentiles(curves.error.double(), there, (50.0,))[0].nan_to_num(nan=1.0).clamp_min(1e-6)
    span = torch.where(there, curves.days, 0.0).amax(1, keepdim=True).clamp_min(1e-4)
    steps, follows = curves.days.diff(dim=1), there[:, 1:] & there[:, :-1]
    step = percentiles(steps, follows, (50.0,))[0].nan_to_num(nan=1.0).clamp_min(1e-4)
    square = torch.where(there, value.double() ** 2, 0.0).sum(1, keepdim=True) / count.clamp_min(1)
    turns = torch.where(follows, value.double().diff(dim=1) ** 2, 0.0).sum(1, keepdim=True) / (count - 1).clamp_min(1)
    chi = torch.where(there, (value.double() / curves.error.double().clamp_min(1e-6)) ** 2, 0.0)
    chi = chi.sum(1, keepdim=True) / count.clamp_min(1)
    far = torch.where(there, (value.double() / scale) ** 3, 0.0).sum(1, keepdim=True) / count.clamp_min(1)
    known = there & (curves.wave > 0)
    wave = torch.where(known, curves.wave.double(), 0.0).sum(1, keepdim=True) / known.sum(1, keepdim=True).clamp_min(1)
    away = torch.where(known, curves.wave.double() - wave, 0.0)
    wide = (away**2).sum(1, keepdim=True)
    coloured = (wide > 1e-6) & curves.absolute[:, None]
    slope = (away * middle.double()).sum(1, keepdim=True) / wide.clamp_min(1e-6)
    slope = torch.where(coloured, slope, 0.0).clamp(-40, 40)
    power, period = curves.power[:, None].double(), curves.period[:, None].double()
    periodic = period > 0
    log_period = torch.where(periodic, period.clamp_min(1e-6).log10(), 0.0)
    angles = 2 * math.pi * log_period * torch.tensor(PERIOD_CYCLES, dtype=torch.float64, device=period.device)
    parts = [levels / scale, scale.log10(), error.log10(), (scale / error).log10(), count.double().clamp_min(1).log10() - 2,
             span.log10() - 2, step.log10(), (square.sqrt() / scale).clamp_min(1e-3).log10() + 0.5,
             (turns / square.clamp_min(1e-12)).clamp(1e-4, 4).log10(), chi.clamp(1e-3, 1e8).log10() / 2,
             far.clamp(-50, 50) / 5, slope / 5, coloured.double(),
             torch.where(wave > 0, 4 * (wave - 3.75), 0.0), (wave > 0).double(), power, log_period,
             torch.where(periodic, (period / span).clamp(1e-6, 10).log10() / 2, 0.0),
             torch.where(periodic, angles.sin(), 0.0), torch.where(periodic, angles.cos(), 0.0)]
    return torch.cat(parts, 1).float()
