"""Sequences of fixed length: standardised spectra as tokens, and a transformer with learned places."""

from __future__ import annotations

import torch
from torch import nn

from .blocks import Block


def standardise(value: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Take each row to mean 0 and standard deviation 1 (unbiased).

    Parameters
    ----------
    value : Tensor, shape ``(n, p)``

    Returns
    -------
    standardised : Tensor, shape ``(n, p)``
    mean, deviation : Tensor, shape ``(n, 1)``
        The deviation of a flat row is the least positive number.
    """
    mean = value.mean(dim=1, keepdim=True)
    deviation = value.std(dim=1, keepdim=True).clamp_min(torch.finfo(value.dtype).tiny)
    return (value - mean) / deviation, mean, deviation


def windows(value: torch.Tensor, size: int, stride: int) -> torch.Tensor:
    """Cut rows ``(n, p)`` into overlapping windows ``(n, t, size)``; pixels after the last whole one are left out."""
    return value.unfold(1, size, stride)


def lead(first: torch.Tensor, tokens: torch.Tensor, *, columns: int = 0) -> torch.Tensor:
    """Put a token of statistics in front of a sequence.

    Parameters
    ----------
    first : Tensor, shape ``(n, k)``
        The statistics; they fill the first columns of the leading token.
    tokens : Tensor, shape ``(n, t, d)``
    columns : int
        Columns of zeros in front of each other token.

    Returns
    -------
    Tensor, shape ``(n, t + 1, d + columns)``
    """
    tokens = nn.functional.pad(tokens, (columns, 0))
    first = nn.functional.pad(first, (0, tokens.shape[2] - first.shape[1]))
    return torch.cat([first[:, None], tokens], dim=1)


class SequenceTransformer(nn.Module):
    """Embed sequences of numbered tokens: linear entry, learned places, pre-norm blocks, and a linear way back.

    Parameters
    ----------
    token : int
        Numbers of a token.
    dim, depth, heads, expansion : int
        Of the transformer blocks.
    places : int
        Longest sequence.
    scale : float, optional
        See `Attention`.
    """

    def __init__(self, *, token: int, dim: int, depth: int, heads: int, places: int, expansion: int = 4,
                 scale: float | None = None):
        super().__init__()
        self.enter = nn.Linear(token, dim)
        self.place = nn.Embedding(places, dim)
        self.blocks = nn.Sequential(*(Block(dim, heads, expansion, scale=scale) for _ in range(depth)))
        self.norm = nn.LayerNorm(dim)
        self.leave = nn.Linear(dim, token)
        for weight in (self.enter.weight, self.place.weight, self.leave.weight):
            nn.init.trunc_normal_(weight, std=dim**-0.5, a=-3 * dim**-0.5, b=3 * dim**-0.5)
        for block in self.blocks:  # what the blocks add must not grow with their number
            for weight in (block.attention.out.weight, block.mlp[2].weight):
                nn.init.trunc_normal_(weight, std=dim**-0.5 / (2 * depth) ** 0.5)

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        """Embed tokens ``(n, t, token)`` into ``(n, t, dim)``."""
        return self.norm(self.blocks(self.enter(tokens) + self.place.weight[: tokens.shape[1]]))

    def reconstruct(self, embedding: torch.Tensor) -> torch.Tensor:
        """Give tokens back from embeddings."""
        return self.leave(embedding)
