"""Find the period of unevenly sampled stars: many at once, by a transform on a fine grid and a fit of harmonics."""

from __future__ import annotations

import math

import torch

#: steps of the frequency grid within one over the time that a star was seen for
FINE = 2
#: cells of the time grid in the shortest period
CELLS = 3
#: longest grid, and cells that are transformed at a time
LONGEST, AT_ONCE = 2**21, 2**20
#: peaks that harmonics are fitted at, places around each and then around the best, and harmonics
PEAKS, AROUND, AGAIN, HARMONICS = 8, 3, 9, 3
#: variance over mean square of what varies by no more than single precision's last digit
ROUNDED = 1e-13
#: points and frequencies that are fitted at a time
FITTED = 200_000


def find_periods(days: torch.Tensor, value: torch.Tensor, weight: torch.Tensor, *,
                 fastest: float = 24.0) -> tuple[torch.Tensor, torch.Tensor]:
    """Find the period that explains most of each star's variance.

    Peaks of the periodogram of weighted points on a grid (Press & Rybicki 1989, 1989ApJ...338..277P, with points spread
    over two cells and without their correction for the sampling) are compared by a fit of three harmonics at the points
    themselves.

    Parameters
    ----------
    days, value, weight : Tensor, shape ``(n, p)``
        ``days`` from 0 on and in double precision; the mean of ``value`` is taken off; points of weight 0 do not count.
    fastest : float
        Highest frequency, cycles a day; lower for a star that was seen for so long that the grid would have more than two
        million cells.

    Returns
    -------
    period : Tensor of float64, shape ``(n,)``
        Days; 0 where there is none: fewer than ten points, at one time, or all of one value.
    power : Tensor of float64, shape ``(n,)``
        Part of the weighted variance that the harmonics explain, less what they would of noise; 0 to 1.
    """
    days, weight = days.double(), weight.double()
    counted = weight > 0
    total = weight.sum(1, keepdim=True).clamp_min(1e-300)
    weight = weight / total
    value = torch.where(counted, value.double(), 0.0)
    size = (weight * value**2).sum(1)
    value = torch.where(counted, value - (weight * value).sum(1, keepdim=True), 0.0)
    variance = (weight * value**2).sum(1)
    span = torch.where(counted, days, 0.0).amax(1)
    period, power = torch.zeros_like(span), torch.zeros_like(span)
    usable = (counted.sum(1) >= 10) & (span > 0) & (variance > ROUNDED * size)
    cells = (CELLS * FINE * fastest * span).clamp(64, LONGEST).log2().ceil().long()
    for size in torch.unique(cells[usable]).tolist():
        rows = (usable & (cells == size)).nonzero()[:, 0]
        for part in rows.split(max(1, AT_ONCE >> size)):
            steps = _peaks(days[part], weight[part] * value[part], span[part], 2**size, fastest)
            period[part], power[part] = _best(days[part], value[part], weight[part], variance[part], span[part], steps)
    return period, power


def _peaks(days: torch.Tensor, weighted: torch.Tensor, span: torch.Tensor, cells: int, fastest: float) -> torch.Tensor:
    """Give the highest peaks of each star's periodogram, ``(n, PEAKS)``, as places on a grid of steps ``1 / FINE / span``."""
    n = len(days)
    place = (days / (FINE * span[:, None]) * cells).clamp(0, cells - 1)
    low = place.floor()
    share = place - low
    grid = torch.zeros(n * cells, dtype=torch.float32, device=days.device)
    row = torch.arange(n, device=days.device)[:, None] * cells
    low = low.long()
    for index, part in ((low, 1 - share), ((low + 1) % cells, share)):
        grid.index_add_(0, (row + index).flatten(), (weighted * part).float().flatten())
    spectrum = torch.fft.rfft(grid.view(n, cells))[:, : cells // CELLS + 1]
    spectrum = spectrum.real**2 + spectrum.imag**2
    step = torch.arange(spectrum.shape[1], device=days.device)
    spectrum = spectrum / torch.sinc(step / cells) ** 4
    outside = (step < FINE) | (step[None] > (fastest * FINE * span)[:, None])
    spectrum = spectrum.masked_fill(outside, 0.0)
    highest = torch.nn.functional.max_pool1d(spectrum[:, None], 2 * FINE + 1, 1, FINE)[:, 0]
    return torch.where(spectrum == highest, spectrum, 0.0).topk(min(PEAKS, spectrum.shape[1]), 1).indices


def _best(days: torch.Tensor, value: torch.Tensor, weight: torch.Tensor, variance: torch.Tensor, span: torch.Tensor,
          steps: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    near = torch.linspace(-0.33, 0.33, AROUND, dtype=torch.float64, device=days.device)
    for offsets in (near, torch.linspace(-0.2, 0.2, AGAIN, dtype=torch.float64, device=days.device)):
        places = (steps[..., None] + offsets).flatten(1).clamp_min(1e-9 + 0.5 * FINE)
        frequency = places / (FINE * span)[:, None]
        rows = max(1, FITTED // (frequency.shape[1] * days.shape[1]))
        explained = torch.cat([_explained(*(x[at: at + rows] for x in (days, value, weight, variance, frequency)))
                               for at in range(0, len(days), rows)])
        power, best = explained.max(1, keepdim=True)
        steps = places.gather(1, best)
    power = power[:, 0]
    free = 2 * HARMONICS + 1
    count = (weight > 0).sum(1)
    power = 1 - (1 - power) * (count - 1) / (count - free).clamp_min(1)
    return FINE * span / steps[:, 0], power.clamp(0, 1)


def _explained(days: torch.Tensor, value: torch.Tensor, weight: torch.Tensor, variance: torch.Tensor,
               frequency: torch.Tensor) -> torch.Tensor:
    """Give the part of the variance that harmonics explain at frequencies ``(n, f)``."""
    phase = (days[:, None] * frequency[..., None] % 1.0).float() * (2 * math.pi)
    columns = [torch.ones_like(phase)]
    for k in range(1, HARMONICS + 1):
        columns += [(k * phase).sin(), (k * phase).cos()]
    x = torch.stack(columns, 2)  # (n, f, 7, p)
    weighted = x * weight.float()[:, None, None]
    normal = (weighted @ x.transpose(2, 3)).double()
    right = weighted @ value.float()[:, None, :, None]
    normal = normal + 1e-6 * torch.eye(normal.shape[-1], dtype=torch.float64, device=days.device)
    solved = torch.linalg.solve(normal, right.double())
    return (solved * right.double()).sum((2, 3)) / variance[:, None]
