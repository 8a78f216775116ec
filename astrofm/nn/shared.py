"""The shared space: align embeddings of any instrument, and decode them at any wavelength."""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional as F

from ..interfaces.aligner import Aligner
from .blocks import ResidualMLP
from .coordinates import LogWavelengthEncoding
from .lattice import STEP, level_of, span

#: log flux is decoded within this range of the star's own scale
LOG_RANGE = 12.0


class SharedSpace(Aligner):
    """Bring every instrument's embeddings into one space, and decode spectra out of it patch by patch.

    Parameters
    ----------
    source_dim, dim : int
        Numbers of the embedding that comes in and of the shared one.
    width, depth : int
        Of the decoder, a perceptron that is asked for one patch at a time.
    patch : int
        Lattice pixels a decoded patch.
    """

    name = "shared-space"

    def __init__(self, *, source_dim: int = 256, dim: int = 256, width: int = 320, depth: int = 2,
                 patch: int = 64):
        super().__init__(source_dim=source_dim, dim=dim, width=width, depth=depth, patch=patch)
        self.source_dim, self.dim, self.patch = source_dim, dim, patch
        self.enter = nn.Linear(source_dim, dim)
        self.mix = ResidualMLP(dim, 2 * dim)
        self.norm = nn.LayerNorm(dim)
        self.query = LogWavelengthEncoding(width)
        self.gain = LogWavelengthEncoding(width)
        self.ask = nn.Linear(dim, width)
        self.layers = nn.ModuleList(ResidualMLP(width, 2 * width) for _ in range(depth))
        self.out_norm = nn.LayerNorm(width)
        self.out = nn.Linear(width, patch + 2)

    def _align(self, embedding: torch.Tensor, instrument: str) -> torch.Tensor:
        return self.norm(self.mix(self.enter(embedding))).float()

    def decode_patches(self, aligned: torch.Tensor, index: torch.Tensor,
                       level: int) -> tuple[torch.Tensor, torch.Tensor]:
        """Decode patches.

        Parameters
        ----------
        aligned : Tensor, shape ``(n, dim)``
        index : Tensor of int, shape ``(t,)`` or ``(n, t)``
            Lattice index of each patch's first pixel.
        level : int
            Lattice level.

        Returns
        -------
        log_value : Tensor, shape ``(n, t, patch)``
            Natural log of the flux, up to one constant a star.
        log_error : Tensor, shape ``(n, t, 1)``
            Natural log of its relative error.
        """
        middle = (index.double() + 0.5 * (self.patch - 1)) * (STEP * 2**level)
        at = torch.tensor(float(level), dtype=torch.float64, device=middle.device)
        query, gain = self.query(middle, at), self.gain(middle, at)
        if index.ndim == 1:
            query, gain = query[None], gain[None]
        x = self.ask(aligned)[:, None] * (1.0 + gain) + query
        for layer in self.layers:
            x = layer(x)
        out = self.out(self.out_norm(x)).float()
        log_value = (out[..., :-2] + out[..., -2:-1]).clamp(-LOG_RANGE, LOG_RANGE)
        return log_value, out[..., -1:].clamp(-7.0, 2.0) - 2.0

    def _decode(self, aligned: torch.Tensor, coordinate: torch.Tensor, instrument: str,
                source: str) -> tuple[torch.Tensor, torch.Tensor]:
        wavelength = coordinate.detach().cpu().double().numpy()
        level = level_of(wavelength)
        first, patches = span(wavelength, level, self.patch)
        index = first + self.patch * torch.arange(patches, device=aligned.device)
        log_value, log_error = self.decode_patches(aligned, index, level)
        log_error = log_error.expand_as(log_value).flatten(1)
        log_value = log_value.flatten(1)
        place = coordinate.to(aligned.device).log10() / (STEP * 2**level) - first
        low = place.floor().long().clamp(0, log_value.shape[1] - 2)
        share = (place - low).clamp(0.0, 1.0).float()
        value = torch.exp(log_value[:, low] * (1 - share) + log_value[:, low + 1] * share)
        relative = torch.exp(log_error[:, low] * (1 - share) + log_error[:, low + 1] * share)
        return value, value * relative


def similarity(first: torch.Tensor, second: torch.Tensor) -> torch.Tensor:
    """Cosine similarity of every pair; shapes ``(n, d)`` and ``(m, d)`` give ``(n, m)``."""
    return F.normalize(first, dim=-1) @ F.normalize(second, dim=-1).T
