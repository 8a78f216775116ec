"""An encoder of light curves: points, or patches of them, with their own times, errors and bands."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

import torch
from torch import nn

from ..data import Batch
from ..interfaces.encoder import Encoder
from .blocks import RaggedBlock
from .coordinates import LogWavelengthEncoding, TimeEncoding
from .measuring import measure_curves
from .ragged import CurveView, Points, cut, groups, see_points

#: days that offsets within a patch are measured by: the shortest cadence of a survey, 20 seconds
CADENCE = 20 / 86400
#: points, padding included, that are clipped and scaled at a time
VIEWED = 2_000_000


class PointEncoder(Encoder):
    """Embed light curves of any cadence and length: a transformer of their points, and the mean of what comes out.

    Parameters
    ----------
    dim, depth, heads, hidden : int
        Of the transformer; ``dim`` is also that of the embedding.
    patch : int
        Neighbouring points that make one token.
    errors : bool
        Errors are seen.
    bands : int or mapping
        How bands are told apart: 0, not at all; a number of learned vectors, one for each place in an instrument's bands; or,
        by instrument, the wavelengths (Angstrom) of its bands, which are encoded continuously.
    views : mapping, optional
        By instrument, the arguments of `~astrofm.nn.ragged.CurveView`; other instruments are refused. None: any, unclipped.
    periods : sequence of two floats
        Range of the periods (days) that time is encoded by.
    paired : bool
        See `~astrofm.nn.coordinates.TimeEncoding`.
    post, activation, epsilon, dropout
        See `~astrofm.nn.blocks.RaggedBlock`. Post-norm has a norm on the tokens, and pre-norm one behind the last block.
    window : int, optional
        Longer light curves are cut into windows of at most so many points, whose mean counts; memory then grows linearly with
        their length, and so does time. None: every point attends to every other.
    most : int
        Points that are worked on at a time, padding included: what memory is bounded by.
    exact : bool
        Weights were published with answers in single precision: ``"auto"`` keeps to it.

    Notes
    -----
    Masked points take no part: tokens are made of good ones alone, and stars of like length are worked on together. A star
    with good points, but none in the band that is seen, is NaN.
    """

    name = "points"
    takes_light_curves = True
    cpu_batch = 1024

    def __init__(self, *, dim: int = 128, depth: int = 4, heads: int = 4, hidden: int = 384, patch: int = 1,
                 errors: bool = True, bands: int | Mapping[str, Sequence[float]] = 8,
                 views: Mapping[str, Mapping[str, Any]] | None = None, periods: Sequence[float] = (0.01, 10000.0),
                 paired: bool = True, post: bool = False, activation: str = "gelu", epsilon: float = 1e-5,
                 dropout: float = 0.0, window: int | None = 4096, most: int = 16384, exact: bool = False):
        bands = bands if isinstance(bands, int) else {name: list(waves) for name, waves in bands.items()}
        super().__init__(dim=dim, depth=depth, heads=heads, hidden=hidden, patch=patch, errors=errors, bands=bands,
                         views=None if views is None else {name: dict(view) for name, view in views.items()},
                         periods=list(periods), paired=paired, post=post, activation=activation, epsilon=epsilon,
                         dropout=dropout, window=window, most=most, exact=exact)
        if patch < 1 or most < patch or not (window is None or window >= patch):
            raise ValueError(f"a patch has a point at least, and a window a patch: not {patch}, {window} and {most}")
        self.dim, self.patch, self.errors, self.window, self.most = dim, patch, errors, window, most
        self.keeps_float32 = exact
        self.views = None if views is None else {name: CurveView(**view) for name, view in views.items()}
        waves = bands if isinstance(bands, dict) else None
        if self.views is not None or waves is not None:
            self.instruments = tuple(self.views if self.views is not None else waves)
        self.waves = waves
        features = patch * (1 + errors + 2 * (patch > 1))
        self.enter = nn.Linear(features, dim)
        self.time = TimeEncoding(dim, shortest=periods[0], longest=periods[1], paired=paired)
        self.band = LogWavelengthEncoding(dim) if waves is not None else nn.Embedding(bands, dim) if bands else None
        self.norm = nn.LayerNorm(dim, eps=epsilon)
        self.dropout = nn.Dropout(dropout)
        self.blocks = nn.ModuleList(RaggedBlock(dim, heads, hidden, post=post, activation=activation, epsilon=epsilon,
                                                dropout=dropout) for _ in range(depth))
        self.post = post

    def measure(self, batch: Batch, names: Collection[str]) -> dict[str, torch.Tensor]:
        """Give the ``amplitude`` of the points that are seen, and features of all: those of `astrofm.data.FEATURES`."""
        return measure_curves(self, batch, names, CurveView() if self.views is None else self.views[batch.instrument])

    def _points(self, batch: Batch) -> tuple[Points, torch.Tensor]:
        return see_points(batch, CurveView() if self.views is None else self.views[batch.instrument])

    def _embed(self, batch: Batch) -> torch.Tensor:
        rows = max(1, VIEWED // max(batch.value.shape[1], 1))
        if len(batch) <= rows:
            return self._embed_rows(batch)
        return torch.cat([self._embed_rows(batch[first:first + rows]) for first in range(0, len(batch), rows)])

    def _embed_rows(self, batch: Batch) -> torch.Tensor:
        points, star = cut(self._points(batch)[0], self.window)
        total = torch.zeros(len(batch), self.dim, device=batch.value.device)
        for rows, index, seen in groups(points.lengths, self.most):
            total = total.index_add(0, star[rows], self._sum(batch.instrument, points, index, seen))
        tokens = torch.zeros(len(batch), device=total.device).index_add(
            0, star, ((points.lengths + self.patch - 1) // self.patch).float())
        unseen = (tokens == 0) & ~batch.mask.all(1)  # good points, and none in the band that is seen
        return (total / tokens.clamp_min(1.0)[:, None]).masked_fill(unseen[:, None], torch.nan)

    def _sum(self, instrument: str, points: Points, index: torch.Tensor, seen: torch.Tensor | None) -> torch.Tensor:
        """Embed rows of points ``(g, t)``; the sum over each row's tokens, ``(g, dim)``, float32."""
        x, seen = self._tokens(instrument, points, index, seen)
        for block in self.blocks:
            x = block(x, seen)
        x = x if self.post else self.norm(x)
        return (x if seen is None else x.masked_fill(~seen[..., None], 0.0)).float().sum(1)

    def _tokens(self, instrument: str, points: Points, index: torch.Tensor,
                seen: torch.Tensor | None) -> tuple[torch.Tensor, torch.Tensor | None]:
        more = -index.shape[1] % self.patch
        if more:
            seen = torch.ones_like(index, dtype=torch.bool) if seen is None else seen
            index, seen = torch.cat([index, index[:, -1:].expand(-1, more)], 1), nn.functional.pad(seen, (0, more))
        value, days = points.value[index].float(), points.days[index]
        features = [value]
        if self.errors:
            features.append(points.error[index].clamp(1e-6, 1e6).log10().float())
        band = None if self.band is None else self._bands(instrument, points.band[index])
        if self.patch > 1:
            days, band, features, seen = self._patches(days, band, features, seen)
        x = self.enter(torch.stack(features, -1).flatten(2) if self.patch == 1 else torch.cat(features, -1)) + self.time(days)
        x = x if band is None else x + band
        return self.dropout(self.norm(x) if self.post else x), seen

    def _bands(self, instrument: str, band: torch.Tensor) -> torch.Tensor:
        if self.waves is None:
            return self.band(band.clamp_max(self.band.num_embeddings - 1))
        waves = torch.tensor(self.waves[instrument], dtype=torch.float64, device=band.device)
        return self.band(waves.log10()[band], torch.zeros((), device=band.device))

    def _patches(self, days: torch.Tensor, band: torch.Tensor | None, features: list[torch.Tensor],
                 seen: torch.Tensor | None
                 ) -> tuple[torch.Tensor, torch.Tensor | None, list[torch.Tensor], torch.Tensor | None]:
        """Make patches of points: their mean time and band, and what each point is beside them."""
        def fold(x: torch.Tensor) -> torch.Tensor:
            return x.unflatten(1, (-1, self.patch))

        there = torch.ones_like(days, dtype=torch.bool) if seen is None else seen
        good = fold(there)
        count = good.sum(2).clamp_min(1)
        middle = torch.where(good, fold(days), 0.0).sum(2) / count
        offset = (fold(days) - middle[..., None]) / CADENCE
        offset = (offset.sign() * offset.abs().log1p() / 10).float()
        features = [torch.where(good, x, 0.0) for x in (*map(fold, features), offset)] + [good.float()]
        if band is not None:
            band = (fold(band) * good[..., None]).sum(2) / count[..., None]
        return middle, band, features, None if seen is None else good.any(2)
