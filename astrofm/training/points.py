"""Hidden points of light curves, told from the others."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import torch
from torch import nn

from ..errors import DataError
from ..interfaces.aligner import Aligner
from ..interfaces.encoder import Encoder
from ..nn.blocks import attend
from ..nn.cadence import fold
from ..nn.coordinates import TimeEncoding
from ..nn.packed import PackedCurves
from ..nn.ragged import percentiles
from .curves import CurveObjective
from .loop import Loss
from .views import compose
from .windows import FEWEST

#: harmonics of twice the period that hidden points are told by
HARMONICS = 6
#: bins in which the first phase is found
FOLDED = 64


class PointTeller(nn.Module):
    """Tell magnitudes at times and wavelengths from the tokens of a star; thrown away when training has ended.

    Parameters
    ----------
    dim, heads : int
        Of the encoder.
    """

    def __init__(self, dim: int, heads: int):
        super().__init__()
        self.heads = heads
        self.time = TimeEncoding(dim, shortest=0.02, longest=5000.0)
        self.ask = nn.Sequential(nn.Linear(dim + 2 * HARMONICS + 2, dim), nn.GELU(), nn.Linear(dim, dim))
        self.tell = nn.Linear(dim, 2 * dim)
        self.read = nn.Sequential(nn.LayerNorm(dim), nn.Linear(dim, 2 * dim), nn.GELU(), nn.Linear(2 * dim, 2))

    def forward(self, tokens: torch.Tensor, seen: torch.Tensor, days: torch.Tensor, wave: torch.Tensor,
                period: torch.Tensor, start: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Tell points ``(n, q)``: their values in units of the star's range, and the natural log of their errors.

        ``start`` is the phase that the folded curve begins at, see `~astrofm.nn.cadence.fold`.
        """
        cycles = (days / (2 * period.clamp_min(1e-9))[:, None] - start[:, None]) % 1.0
        turns = 2 * torch.pi * cycles[..., None] * torch.arange(1, HARMONICS + 1, device=days.device)
        turns = torch.cat([turns.sin(), turns.cos()], -1).float() * (period > 0)[:, None, None]
        colour = torch.stack([torch.where(wave > 0, 4 * (wave - 3.75), 0.0), (wave > 0).float()], -1)
        query = self.ask(torch.cat([self.time(days), turns, colour], -1))
        key, value = self.tell(tokens).chunk(2, -1)

        def split(x: torch.Tensor) -> torch.Tensor:
            return x.unflatten(2, (self.heads, -1)).transpose(1, 2)

        found = attend(split(query), split(key), split(value), seen=seen).transpose(1, 2).flatten(2)
        mean, log_error = self.read(query + found).float().unbind(-1)
        return mean, log_error.clamp(-5, 3)


class MaskedPoints(CurveObjective):
    """Tell hidden points from the others, given their times, bands and errors.

    Stretches of points or single ones are hidden before anything is computed of the star, so that neither its range nor its
    folded curve knows them; its period is that of all points. The score is Gaussian, with the variance told plus that of
    the point's own error.

    Parameters
    ----------
    encoder, aligner, instruments
        See `CurveObjective`.
    hidden : float
        Part of the points.
    views : sequence of mapping
        What is done to the stars before.
    asked : int
        Hidden points that are told a star and step.
    """

    name = "masked-points"

    def __init__(self, encoder: Encoder, aligner: Aligner, instruments: Sequence[str], *, hidden: float = 0.4,
                 views: Sequence[Mapping[str, Any]] = (), asked: int = 32):
        super().__init__(encoder, aligner, instruments)
        if not 0 < hidden < 1:
            raise DataError(f"a part of the points is hidden, between 0 and 1, not {hidden:g}")
        self.view, self.hidden, self.asked = compose(views), hidden, asked
        self.teller = PointTeller(encoder.dim, encoder.arguments["heads"])
        self.modules["teller"] = self.teller

    def loss(self, seen: Sequence[torch.Tensor]) -> Loss:
        curves = self.view(self.chosen(seen, 1)[1][0])
        hidden = hide(curves, self.hidden)
        shown = replace(curves, there=curves.there & ~hidden)
        value, told, count = points_loss(self.teller, *self.encoder.tokens(shown), curves, shown, hidden, self.asked)
        return Loss(value, told, count)


def hide(curves: PackedCurves, part: float) -> torch.Tensor:
    """Choose points to hide, ``(n, p)``: of half of the stars single ones, of the others a stretch; never all but a few."""
    count, rank = curves.there.sum(1, keepdim=True), curves.there.cumsum(1) - 1
    chance = torch.rand(curves.there.shape, device=count.device)
    start = (torch.rand(len(curves), 1, device=count.device) * (1 - part) * count).floor()
    stretch = (rank >= start) & (rank < start + (part * count).floor())
    hidden = torch.where(torch.rand(len(curves), 1, device=count.device) < 0.5, chance < part, stretch) & curves.there
    return hidden & ((curves.there & ~hidden).sum(1, keepdim=True) >= FEWEST)


def points_loss(teller: PointTeller, tokens: torch.Tensor, seen: torch.Tensor, curves: PackedCurves, shown: PackedCurves,
                hidden: torch.Tensor, asked: int) -> tuple[torch.Tensor, dict[str, float], float]:
    """Score ``asked`` random hidden points of each star: the loss, numbers for the log, and how many were scored."""
    middle = _median_of_band(curves, shown)
    low, high = percentiles((curves.value - middle).double(), shown.there, (5.0, 95.0))
    scale = (high - low).nan_to_num().clamp_min(1e-3).float()
    order = torch.rand(hidden.shape, device=hidden.device).masked_fill(~hidden | torch.isnan(middle), -1.0)
    chance, index = order.topk(min(asked, order.shape[1]), 1)
    known = chance >= 0
    truth = (((curves.value - middle) / scale).gather(1, index)).nan_to_num().clamp(-10, 10)
    noise = (curves.error / scale).gather(1, index)
    scaled = torch.where(shown.there, (curves.value - middle) / scale, 0.0).nan_to_num()
    start = fold(shown, scaled, scale, FOLDED)[1]
    mean, log_error = teller(tokens, seen, curves.days.gather(1, index), curves.wave.gather(1, index), curves.period, start)
    variance = (2 * log_error).exp() + noise**2
    score = 0.5 * ((truth - mean) ** 2 / variance + variance.log())
    count = known.sum()
    value = torch.where(known, score, 0.0).sum() / count.clamp_min(1)
    with torch.no_grad():
        square = torch.where(known, (truth - mean) ** 2, 0.0).sum() / count.clamp_min(1)
        plain = torch.where(known, truth**2, 0.0).sum() / count.clamp_min(1)
    return value, {"points": float(value.detach()), "rms": float(square.sqrt()), "rms_of_median": float(plain.sqrt())}, \
        float(count.clamp_min(1))


def _median_of_band(curves: PackedCurves, shown: PackedCurves) -> torch.Tensor:
    """Give for each point the median of what is shown of its band; NaN where nothing is."""
    middle = torch.full_like(curves.value, torch.nan)
    left = curves.there
    while bool(left.any()):
        first = left.to(torch.uint8).argmax(1, keepdim=True)
        own = left & (curves.wave == curves.wave.gather(1, first))
        median = percentiles(curves.value, own & shown.there, (50.0,))[0].float()
        middle = torch.where(own, median, middle)
        left = left & ~own
    return middle
