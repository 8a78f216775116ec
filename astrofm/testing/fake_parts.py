"""The torch half of the fakes: an encoder, an aligner and a head of a few hundred weights."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import nn
from torch.nn import functional

from ..data import Batch
from ..interfaces.aligner import Aligner
from ..interfaces.encoder import Encoder
from ..interfaces.head import Head, Label


def waves_of(coordinate: torch.Tensor, count: int) -> torch.Tensor:
    """Describe wavelengths by ``count`` cosines and sines of their logarithm, shape ``(..., 2 * count)``."""
    phase = torch.log(coordinate.clamp_min(1.0) / 1000.0)[..., None]
    angle = 2 * torch.pi * phase * torch.arange(1, count + 1, dtype=torch.float64, device=coordinate.device)
    return torch.cat([angle.cos(), angle.sin()], -1).float()


class FakeEncoder(Encoder):
    """Embed any spectrum: its mean over log-wavelength waves, weighted by the errors, then one linear layer.

    Parameters
    ----------
    dim : int
        Numbers a star.
    waves : int
        Number of cosines and of sines.
    """

    name = "fake"

    def __init__(self, *, dim: int = 8, waves: int = 12):
        super().__init__(dim=dim, waves=waves)
        self.dim, self.waves = dim, waves
        self.linear = nn.Linear(2 * waves, dim)

    def _embed(self, batch: Batch) -> torch.Tensor:
        good = ~batch.mask
        value = torch.where(good, batch.value, 0.0)
        count = good.sum(1, keepdim=True).clamp_min(1)
        scale = (value.abs().sum(1, keepdim=True) / count).clamp_min(1e-30)
        noise = torch.where(good, batch.error, 0.0) / scale
        weight = torch.where(good, 1 / (1 + noise**2), 0.0)
        waves = waves_of(batch.coordinate, self.waves)
        if waves.ndim == 2:
            waves = waves.expand(len(batch), -1, -1)
        power = ((weight * value / scale)[..., None] * waves).sum(1)
        return self.linear(power / weight.sum(1, keepdim=True).clamp_min(1e-6))


class FakeAligner(Aligner):
    """Bring embeddings into a shared space by one linear layer; decode them as a sum of waves.

    Parameters
    ----------
    source_dim, dim : int
        Numbers a star, in and out.
    waves : int
        Number of cosines and of sines of a decoded spectrum.
    """

    name = "fake"

    def __init__(self, *, source_dim: int = 8, dim: int = 4, waves: int = 12):
        super().__init__(source_dim=source_dim, dim=dim, waves=waves)
        self.source_dim, self.dim, self.waves = source_dim, dim, waves
        self.shared = nn.Linear(source_dim, dim)
        self.spectrum = nn.Linear(dim, 2 * 2 * waves)

    def _align(self, embedding: torch.Tensor, instrument: str) -> torch.Tensor:
        return self.shared(embedding)

    def _decode(self, aligned: torch.Tensor, coordinate: torch.Tensor, instrument: str,
                source: str) -> tuple[torch.Tensor, torch.Tensor]:
        value, error = self.spectrum(aligned).chunk(2, -1)
        waves = waves_of(coordinate, self.waves).T
        return 1 + value @ waves, 1e-3 + functional.softplus(error @ waves)


class FakeHead(Head):
    """Read ``teff`` and ``logg`` with errors, and a spectral type, by one linear layer.

    Parameters
    ----------
    dim : int
        Numbers a star in the embedding it reads.
    """

    name = "fake"
    labels = (
        Label("teff", "K", "effective temperature", 3500.0, 12000.0),
        Label("logg", "dex", "log10 of g in cm/s2", 0.0, 5.5),
        Label("spectral_type", description="spectral type", classes=("A", "F", "G", "K")),
    )

    def __init__(self, *, dim: int = 4):
        super().__init__(dim=dim)
        self.dim = dim
        self.linear = nn.Linear(dim, 8)

    def _read(self, embedding: torch.Tensor) -> Mapping[str, torch.Tensor]:
        out = self.linear(embedding).float()
        error = 1e-2 + functional.softplus(out[:, 2:4])
        return {
            "teff": 6000 + 1000 * out[:, 0], "teff_err": 100 * error[:, 0],
            "logg": 4 + out[:, 1], "logg_err": error[:, 1],
            "spectral_type_probability": out[:, 4:].softmax(-1),
        }
