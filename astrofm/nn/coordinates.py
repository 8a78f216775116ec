"""Continuous encodings of where a token stands."""

from __future__ import annotations

import math

import torch
from torch import nn


class LogWavelengthEncoding(nn.Module):
    """Encode log10 wavelength and sampling as sines and cosines, then mix them linearly.

    Parameters
    ----------
    dim : int
        Numbers a token that come out.
    frequencies : int
        Number of frequencies, in geometric progression from ``low`` to ``high`` cycles a dex.

    Notes
    -----
    Sinusoids of a continuous coordinate after Vaswani et al. 2017, arXiv:1706.03762.
    """

    def __init__(self, dim: int, *, frequencies: int = 24, low: float = 0.5, high: float = 160.0):
        super().__init__()
        steps = torch.arange(frequencies, dtype=torch.float64) / (frequencies - 1)
        cycles = low * (high / low) ** steps
        self.register_buffer("cycles", (2 * torch.pi * cycles).double(), persistent=False)
        self.mix = nn.Linear(2 * frequencies + 2, dim)

    def forward(self, log_wavelength: torch.Tensor, level: torch.Tensor) -> torch.Tensor:
        """Encode tokens.

        Parameters
        ----------
        log_wavelength : Tensor of float64, shape ``(..., t)``
            log10 of Angstrom at the middle of the token.
        level : Tensor, broadcastable to the same shape
            log2 of the pixel step over the finest one.

        Returns
        -------
        Tensor, shape ``(..., t, dim)``
        """
        centred = log_wavelength - 3.75
        phase = centred[..., None] * self.cycles
        level = level.expand_as(log_wavelength)
        plain = torch.stack([centred * 2.0, level / 3.0 - 0.5], dim=-1)
        return self.mix(torch.cat([phase.sin(), phase.cos(), plain], dim=-1).float())


class ScaledWavelengthEncoding(nn.Module):
    """Encode wavelength as sines and cosines in turn, without weights (Vaswani et al. 2017, arXiv:1706.03762).

    Parameters
    ----------
    dim : int
        Numbers a token that come out; even.
    low, high : float
        Wavelengths (Angstrom) that are 0 and 1; others lie outside.
    steps : float
        Places between them.

    Notes
    -----
    In single precision, as those who published it compute: at 1000 steps over 2000 Angstrom phases are off by 1e-3.
    """

    def __init__(self, dim: int, *, low: float, high: float, steps: float = 1000.0):
        super().__init__()
        if dim % 2 or not high > low:
            raise ValueError(f"an even number of dimensions and a range are needed, got {dim} and {low}-{high} Angstrom")
        self.low, self.high, self.steps = low, high, steps
        self.register_buffer("frequencies", torch.exp(-math.log(10000.0) * torch.arange(0, dim, 2).float() / dim),
                             persistent=False)

    def forward(self, wavelength: torch.Tensor) -> torch.Tensor:
        """Encode wavelengths ``(..., t)`` in Angstrom; shape ``(..., t, dim)``."""
        place = (wavelength.float() - self.low) / (self.high - self.low)
        phase = (self.steps * place)[..., None] * self.frequencies
        return torch.stack([phase.sin(), phase.cos()], dim=-1).flatten(-2)


class TimeEncoding(nn.Module):
    """Encode days as sines and cosines of periods in geometric progression, without weights.

    Parameters
    ----------
    dim : int
        Numbers a token that come out.
    shortest, longest : float
        Periods in days; the longest one itself is left out.
    paired : bool
        True: a sine and a cosine of each period. False: a period of its own for each number, sine and cosine in turn, in
        single precision as those who published it compute (arXiv:2604.24516): after 100 days phases are off by 1e-4.
    """

    def __init__(self, dim: int, *, shortest: float = 1.0, longest: float = 10000.0, paired: bool = True):
        super().__init__()
        if not 0 < shortest < longest or (paired and dim % 2):
            raise ValueError(f"two periods, the shorter first, and an even number of dimensions are needed, got "
                             f"{shortest:g}, {longest:g} days and {dim}")
        self.dim, self.ratio, self.shortest, self.paired = dim, longest / shortest, shortest, paired

    def forward(self, days: torch.Tensor) -> torch.Tensor:
        """Encode days (float64) of shape ``(..., t)``; float32 of shape ``(..., t, dim)``."""
        if self.paired:
            step = torch.arange(0, self.dim, 2, device=days.device, dtype=torch.float64) / self.dim
            phase = days[..., None] * (2 * math.pi / self.shortest / self.ratio**step)
            return torch.stack([phase.sin(), phase.cos()], dim=-1).flatten(-2).float()
        place = torch.arange(self.dim, device=days.device, dtype=torch.float32)
        phase = days.float()[..., None] * (2 * math.pi / self.shortest / self.ratio ** (place / self.dim))
        encoded = torch.empty_like(phase)
        encoded[..., ::2] = phase[..., ::2].sin()
        encoded[..., 1::2] = phase[..., 1::2].cos()
        return encoded
