"""From many tokens to one vector, and small perceptrons behind it."""

from __future__ import annotations

import torch
from torch import nn

#: part of the features left out in training
DROPOUT = 0.1


class ResidualFeatures(nn.Module):
    """``x + MLP(x)`` without a norm in front."""

    def __init__(self, dim: int, hidden: int, *, dropout: float = DROPOUT):
        super().__init__()
        self.encoder = nn.Linear(dim, hidden)
        self.decoder = nn.Linear(hidden, dim)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x + self.dropout(self.decoder(nn.functional.gelu(self.encoder(x))))


class QueryPooling(nn.Module):
    """Pool tokens by attention with one learned query (Parker et al. 2024, MNRAS 531, 4990).

    Parameters
    ----------
    dim, heads : int
        Numbers of the pooled vector.
    source : int
        Numbers of a token.
    hidden : int
        Of the perceptron behind.
    """

    def __init__(self, *, dim: int, heads: int, source: int, hidden: int, dropout: float = DROPOUT):
        super().__init__()
        self.query = nn.Parameter(torch.empty(1, 1, dim))
        nn.init.trunc_normal_(self.query, std=dim**-0.5)
        self.attention = nn.MultiheadAttention(dim, heads, dropout=dropout, kdim=source, vdim=source, batch_first=True)
        self.norm = nn.LayerNorm(dim)
        self.dropout = nn.Dropout(dropout)
        self.features = ResidualFeatures(dim, hidden, dropout=dropout)

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        """Pool ``(n, t, source)`` into ``(n, dim)``."""
        query = self.query.expand(len(tokens), -1, -1)
        pooled = self.attention(query, tokens, tokens, need_weights=False)[0]
        return self.features(self.norm(self.dropout(pooled))[:, 0])


class Projection(nn.Module):
    """Bring one vector to another size: linear, a bottleneck block with norms, and a residual perceptron."""

    def __init__(self, *, dim: int, source: int, block: int, hidden: int, dropout: float = DROPOUT):
        super().__init__()
        self.enter = nn.Linear(source, dim)
        self.block = nn.Sequential(nn.Linear(dim, block), nn.LayerNorm(block), nn.GELU(), nn.Linear(block, dim),
                                   nn.LayerNorm(dim), nn.Dropout(dropout))
        self.features = ResidualFeatures(dim, hidden, dropout=dropout)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Project ``(n, source)`` to ``(n, dim)``."""
        return self.features(self.block(self.enter(x)))


def deep_decoder(sizes: tuple[int, ...], *, dropout: float = DROPOUT) -> nn.Sequential:
    """Stack linear layers of the given sizes, each but the last followed by GELU, batch norm and dropout."""
    layers: list[nn.Module] = []
    for low, high in zip(sizes[:-2], sizes[1:-1], strict=True):
        layers += [nn.Linear(low, high), nn.GELU(), nn.BatchNorm1d(high), nn.Dropout(dropout)]
    return nn.Sequential(*layers, nn.Linear(sizes[-2], sizes[-1]))
