"""From lattice patches to tokens: shape and lines apart, errors and masks beside them."""

from __future__ import annotations

import torch
from torch import nn

from .coordinates import LogWavelengthEncoding
from .lattice import STEP

#: numbers that sum a patch up beside its pixels
SUMMARY = 4


def describe_patches(value: torch.Tensor, error: torch.Tensor,
                     mask: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Turn patches into numbers of order one.

    Parameters
    ----------
    value, error : Tensor, shape ``(n, t, size)``
        Flux and error on the lattice, over the star's own scale; 0 under the mask.
    mask : bool Tensor, shape ``(n, t, size)``

    Returns
    -------
    features : Tensor, shape ``(n, t, 3 * size + SUMMARY)``
        Deviation from the patch mean (shrunk by the noise), log relative error and mask of each
        pixel; log mean, log relative error of the mean, good fraction and sign of the mean.
    missing : bool Tensor, shape ``(n, t)``
        Patches with fewer than one good pixel in eight.
    noise : Tensor, shape ``(n,)``
        log10 of the median relative error of the star.
    """
    good = ~mask
    weight = torch.where(good, 1.0 / (error**2 + 0.05**2), 0.0)
    total = weight.sum(-1, keepdim=True).clamp_min(1e-12)
    mean = (weight * value).sum(-1, keepdim=True) / total
    mean_error = ((weight * error) ** 2).sum(-1, keepdim=True).sqrt() / total
    level = torch.maximum(mean, 0.01 + mean_error)
    relative = torch.where(good, error / level, 1.0)
    deviation = torch.where(good, (value - mean) / level, 0.0).clamp(-4.0, 4.0)
    pixels = 5.0 * deviation / (1.0 + (relative / 0.3) ** 2)
    log_error = torch.where(good, relative.clamp(1e-3, 10.0).log10() + 1.5, 0.0)
    fraction = good.float().mean(-1, keepdim=True)
    summary = torch.cat([1.5 * level.clamp(0.005, 200.0).log10(),
                         (mean_error / level).clamp(1e-4, 10.0).log10() + 2.0, 2.0 * fraction - 1.0,
                         (mean / level).clamp(-2.0, 1.0)], dim=-1)
    features = torch.cat([pixels, log_error, mask.float(), summary], dim=-1)
    missing = fraction[..., 0] < 0.125
    pooled = torch.where(good, error / level, torch.nan).flatten(1).nanmedian(dim=1).values
    noise = torch.nan_to_num(pooled, nan=1.0).clamp(1e-4, 10.0).log10()
    return features, missing, noise


def star_scale(value: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    """Give each star's positive scale, shape ``(n, 1)``: the median of |flux| over good pixels, or 1."""
    scale = torch.nan_to_num(torch.where(mask, torch.nan, value.abs()).nanmedian(dim=1).values, nan=1.0)
    return torch.where(scale > 0, scale, 1.0)[:, None]


class PatchTokens(nn.Module):
    """Embed patches with their wavelength, sampling, error and mask.

    Parameters
    ----------
    dim : int
        Width of a token.
    size : int
        Pixels a patch.
    hidden : int
        Number of filters on a patch; each is gated by wavelength, so that the same filter can look for other
        lines elsewhere.
    """

    def __init__(self, dim: int, *, size: int, hidden: int):
        super().__init__()
        self.size = size
        self.filters = nn.Linear(3 * size + SUMMARY, hidden)
        self.gates = LogWavelengthEncoding(hidden)
        self.embed = nn.Sequential(nn.GELU(), nn.Linear(hidden, dim))
        self.place = LogWavelengthEncoding(dim)
        self.missing = nn.Parameter(torch.zeros(dim))

    def forward(self, features: torch.Tensor, missing: torch.Tensor, index: torch.Tensor,
                level: int) -> torch.Tensor:
        """Give tokens of shape ``(n, t, dim)``; ``index`` (t,) is the lattice index of each patch's first pixel."""
        middle = (index.double() + 0.5 * (self.size - 1)) * (STEP * 2**level)
        at = torch.tensor(float(level), dtype=torch.float64, device=middle.device)
        content = self.embed(self.filters(features) * (1.0 + self.gates(middle, at)))
        content = torch.where(missing[..., None], self.missing.to(content.dtype), content)
        return content + self.place(middle, at)
