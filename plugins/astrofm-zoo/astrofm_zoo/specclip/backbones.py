"""The three backbones of SpecCLIP (Zhao et al. 2025, arXiv:2507.01939), from normalised fluxes to tokens and back."""

from __future__ import annotations

import torch
from torch import nn

from astrofm.nn.sequence import SequenceTransformer, lead, standardise, windows

#: pixels of the two views
LRS_PIXELS, XP_PIXELS = 1462, 343
#: what attention divides by: a head's width, as the published code does, or its root
SCALES = ("1/D", "1/sqrt(D)")


def attention_scale(name: str, width: int) -> float:
    """Give the factor that a scale's name stands for, at a head of that width."""
    if name not in SCALES:
        raise ValueError(f"attention_scale is one of {', '.join(SCALES)}, not {name!r}")
    return 1.0 / width if name == "1/D" else width**-0.5


class LRSTransformer(nn.Module):
    """Masked transformer over windows of a continuum-normalised spectrum, with its spread as the first token.

    Parameters
    ----------
    dim, depth, heads : int
    places : int
        Rows of the table of places.
    size, stride : int
        Of the windows, in pixels.
    attention_scale : str
        ``"1/D"``: the published code scales the queries and then again in the attention, and its weights were
        trained so. ``"1/sqrt(D)"`` is the usual one.
    """

    def __init__(self, *, dim: int = 768, depth: int = 6, heads: int = 6, places: int = 150, size: int = 20,
                 stride: int = 10, attention_scale: str = "1/D"):
        super().__init__()
        self.dim, self.size, self.stride = dim, size, stride
        self.trunk = SequenceTransformer(token=size + 1, dim=dim, depth=depth, heads=heads, places=places,
                                         scale=_scale(attention_scale, dim, heads))

    def tokens(self, flux: torch.Tensor) -> torch.Tensor:
        """Cut flux ``(n, 1462)`` into tokens ``(n, 146, 21)``: log10 of the spread, then windows in its units."""
        value, _, deviation = standardise(flux)
        return lead(deviation.log10(), windows(value, self.size, self.stride), columns=1)

    def forward(self, flux: torch.Tensor) -> torch.Tensor:
        """Embed flux ``(n, 1462)`` into ``(n, 146, dim)``."""
        return self.trunk(self.tokens(flux))

    def reconstruct(self, embedding: torch.Tensor) -> torch.Tensor:
        """Give the tokens back."""
        return self.trunk.reconstruct(embedding)


class XPTransformer(nn.Module):
    """Masked transformer over the pixels of an XP spectrum, with its mean and spread as the first token."""

    def __init__(self, *, dim: int = 768, depth: int = 6, heads: int = 6, places: int = 350,
                 attention_scale: str = "1/D"):
        super().__init__()
        self.dim = dim
        self.trunk = SequenceTransformer(token=3, dim=dim, depth=depth, heads=heads, places=places,
                                         scale=_scale(attention_scale, dim, heads))

    def tokens(self, flux: torch.Tensor) -> torch.Tensor:
        """Turn flux ``(n, 343)`` into tokens ``(n, 344, 3)``."""
        value, mean, deviation = standardise(flux)
        return lead(torch.cat([mean, deviation], dim=1), value[..., None], columns=2)

    def forward(self, flux: torch.Tensor) -> torch.Tensor:
        """Embed flux ``(n, 343)`` into ``(n, 344, dim)``."""
        return self.trunk(self.tokens(flux))

    def reconstruct(self, embedding: torch.Tensor) -> torch.Tensor:
        """Give the tokens back."""
        return self.trunk.reconstruct(embedding)


class XPAutoencoder(nn.Module):
    """Perceptron autoencoder of an XP spectrum's mean, spread and shape, without skips.

    Parameters
    ----------
    dim : int
        Of the bottleneck.
    hidden, depth, expansion : int
        Of the blocks on either side.
    """

    def __init__(self, *, dim: int = 768, hidden: int = 1290, depth: int = 2, expansion: int = 3):
        super().__init__()
        self.dim = dim
        self.enter = nn.Linear(XP_PIXELS + 2, hidden)
        self.down = nn.Sequential(*(_plain_block(hidden, expansion) for _ in range(depth)))
        self.narrow, self.norm = nn.Linear(hidden, dim), nn.LayerNorm(dim)
        self.widen = nn.Linear(dim, hidden)
        self.up = nn.Sequential(*(_plain_block(hidden, expansion) for _ in range(depth)))
        self.leave = nn.Linear(hidden, XP_PIXELS + 2)

    def tokens(self, flux: torch.Tensor) -> torch.Tensor:
        """Turn flux ``(n, 343)`` into mean, spread and shape ``(n, 345)``."""
        value, mean, deviation = standardise(flux)
        return torch.cat([mean, deviation, value], dim=1)

    def forward(self, flux: torch.Tensor) -> torch.Tensor:
        """Embed flux ``(n, 343)`` into one token ``(n, 1, dim)``."""
        return self.norm(self.narrow(self.down(self.enter(self.tokens(flux)))))[:, None]

    def reconstruct(self, embedding: torch.Tensor) -> torch.Tensor:
        """Give mean, spread and shape back, ``(n, 345)``."""
        return self.leave(self.up(self.widen(embedding[:, 0])))


def _plain_block(dim: int, expansion: int) -> nn.Sequential:
    return nn.Sequential(nn.LayerNorm(dim), nn.Linear(dim, expansion * dim), nn.GELU(),
                         nn.Linear(expansion * dim, dim))


def _scale(name: str, dim: int, heads: int) -> float:
    return attention_scale(name, dim // heads)
