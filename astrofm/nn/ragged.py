"""Light curves as long lists of good points: cleaned, scaled and cut into windows without a loop over stars."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import torch

from ..data import Batch, length_buckets
from ..data.magnitudes import POGSON

#: part of a padded group that is padding, at most
WASTE = 0.1


@dataclass(frozen=True)
class CurveView:
    """What is seen of the light curves of an instrument.

    Parameters
    ----------
    clip : float, optional
        Points farther than so many standard deviations from their mean are left out.
    low, high : float
        The percentiles that become 0 and 1.
    magnitudes : bool
        Values are magnitudes: they are clipped so, and then become fluxes.
    band : int or str, optional
        Place of the only band that is seen, or ``"most"`` for that of most good points, star by star; None for all.
    """

    clip: float | None = None
    low: float = 5.0
    high: float = 95.0
    magnitudes: bool = False
    band: int | str | None = None

    def __post_init__(self):
        if not (self.clip is None or self.clip > 0) or not 0 <= self.low < self.high <= 100:
            raise ValueError(f"clip is above 0 and percentiles are 0 to 100, the lower first, not {self}")
        if not (self.band is None or self.band == "most" or type(self.band) is int):
            raise ValueError(f'band is a place, "most" or None, not {self.band!r}')


@dataclass(frozen=True, eq=False)
class Points:
    """The ``p`` points that are seen of ``n`` light curves, star after star.

    Parameters
    ----------
    value, error : Tensor of float64, shape ``(p,)``
        Scaled.
    days : Tensor of float64, shape ``(p,)``
        Since the star's first point, or that of the window.
    band : Tensor of int, shape ``(p,)``
    row : Tensor of int, shape ``(p,)``
        Star or window of each point, increasing.
    lengths : Tensor of int, shape ``(n,)``
    """

    value: torch.Tensor
    error: torch.Tensor
    days: torch.Tensor
    band: torch.Tensor
    row: torch.Tensor
    lengths: torch.Tensor


def see_points(batch: Batch, view: CurveView) -> tuple[Points, torch.Tensor]:
    """Clip and scale the light curves of a batch, in double precision.

    Parameters
    ----------
    batch : Batch
        Of tensors.
    view : CurveView

    Returns
    -------
    points : Points
        A star all of whose points have one value has zeros.
    amplitude : Tensor of float64, shape ``(n,)``
        Difference of the two percentiles of the clipped values, in the batch's own unit; NaN without a good point.
    """
    value, error, seen = batch.value.double(), batch.error.double(), ~batch.mask
    band = torch.zeros_like(batch.mask, dtype=torch.long) if batch.band is None else batch.band
    seen = seen & _in_band(band, seen, view.band)
    if view.clip is not None:
        count = seen.sum(1, keepdim=True).clamp_min(1)
        mean = torch.where(seen, value, 0.0).sum(1, keepdim=True) / count
        away = torch.where(seen, value - mean, 0.0)
        seen = seen & (away.abs() <= view.clip * (away.square().sum(1, keepdim=True) / count).sqrt())
    low, high = percentiles(value, seen, (view.low, view.high))
    amplitude = (high - low).squeeze(1)
    if view.magnitudes:
        value = torch.where(seen, 10 ** (-0.4 * value), 0.0)
        error = error * value / POGSON
        low, high = percentiles(value, seen, (view.low, view.high))
    scale = torch.where(high > low, high - low, 1.0)
    row, _ = seen.nonzero(as_tuple=True)
    days = batch.coordinate.expand_as(seen)[seen]
    lengths = seen.sum(1)
    return Points(((value - low) / scale)[seen], (error / scale)[seen], days - _first(days, row, len(seen))[row],
                  band[seen], row, lengths), amplitude


def percentiles(value: torch.Tensor, seen: torch.Tensor, which: tuple[float, ...]) -> list[torch.Tensor]:
    """Give percentiles of what is seen of each row, on straight lines between points; shapes ``(n, 1)``, NaN for none."""
    ranked = torch.where(seen, value, torch.inf).sort(dim=1).values
    last = seen.sum(1, keepdim=True) - 1
    found = []
    for one in which:
        place = last.clamp_min(0).double() * (one / 100)
        below = place.floor().long()
        lower, upper = ranked.gather(1, below), ranked.gather(1, torch.minimum(below + 1, last.clamp_min(0)))
        found.append(torch.where(last < 0, torch.nan, lower + (upper - lower) * (place - below)))
    return found


def cut(points: Points, window: int | None) -> tuple[Points, torch.Tensor]:
    """Cut light curves into windows of like length, each with days of its own.

    Parameters
    ----------
    points : Points
    window : int, optional
        Points a window, at most; None leaves light curves whole.

    Returns
    -------
    points : Points
        A row a window.
    star : Tensor of int
        Of each window.
    """
    stars = len(points.lengths)
    count = (points.lengths > 0).long() if window is None else (points.lengths + window - 1) // window
    star = torch.repeat_interleave(torch.arange(stars, device=count.device), count)
    if window is None or len(star) == int((count > 0).sum()):
        lengths = points.lengths[star]
        return replace(points, row=torch.repeat_interleave(torch.arange(len(star), device=star.device), lengths),
                       lengths=lengths), star
    start = points.lengths.cumsum(0) - points.lengths
    place = torch.arange(len(points.row), device=star.device) - start[points.row]
    inside = place * count[points.row] // points.lengths[points.row]
    row = (count.cumsum(0) - count)[points.row] + inside
    lengths = torch.bincount(row, minlength=len(star))
    return replace(points, days=points.days - _first(points.days, row, len(star))[row], row=row, lengths=lengths), star


def groups(lengths: torch.Tensor, most: int) -> Iterator[tuple[torch.Tensor, torch.Tensor, torch.Tensor | None]]:
    """Group rows of like length, so that little is padding.

    Parameters
    ----------
    lengths : Tensor of int, shape ``(n,)``
    most : int
        Points a group, with its padding; a row that is longer is a group of its own.

    Yields
    ------
    rows : Tensor of int, shape ``(g,)``
    index : Tensor of int, shape ``(g, t)``
        Of each row's points; behind the last one that last one.
    seen : Tensor of bool, shape ``(g, t)``, or None
        False on padding; None where there is none.
    """
    start = lengths.cumsum(0) - lengths
    for bucket in length_buckets(lengths.cpu().numpy(), size=max(len(lengths), 1), waste=WASTE):
        chosen = torch.as_tensor(bucket, device=lengths.device)
        longest = int(lengths[chosen[-1]])
        for rows in chosen.split(max(1, most // longest)):
            own = lengths[rows, None]
            place = torch.arange(int(own.max()), device=lengths.device)
            seen = place < own
            yield rows, start[rows, None] + torch.minimum(place, own - 1), None if bool(seen.all()) else seen


def _in_band(band: torch.Tensor, seen: torch.Tensor, which: int | str | None) -> torch.Tensor:
    if which is None:
        return torch.ones_like(seen)
    if which != "most":
        return band == which
    places = torch.unique(band)
    counts = torch.stack([(seen & (band == place)).sum(1) for place in places], dim=1)
    return band == places[counts.argmax(1)][:, None]


def _first(days: torch.Tensor, row: torch.Tensor, rows: int) -> torch.Tensor:
    return days.new_full((rows,), torch.inf).scatter_reduce(0, row, days, "amin")
