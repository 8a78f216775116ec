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
        return self.features(self.norm(self.dropout(self._attended(tokens))))

    def _attended(self, tokens: torch.Tensor) -> torch.Tensor:
        """Attend with the one query there is.

        A score is a product of tokens with one vector a head, and values are projected after they are averaged: the same
        numbers as by projecting every token, for a hundredth of the work.
        """
        part, dim = self.attention, self.query.shape[-1]
        weights = (part.in_proj_weight.chunk(3) if part.in_proj_weight is not None
                   else (part.q_proj_weight, part.k_proj_weight, part.v_proj_weight))
        bias_q, _, bias_v = part.in_proj_bias.chunk(3)  # that of the keys shifts all scores alike
        heads, width = part.num_heads, dim // part.num_heads
        query = nn.functional.linear(self.query[0, 0], weights[0], bias_q).view(heads, 1, width)
        asked = (query @ weights[1].view(heads, width, -1))[:, 0] * width**-0.5
        share = (tokens @ asked.T).softmax(dim=1).transpose(1, 2)
        share = nn.functional.dropout(share, part.dropout, self.training)
        mean = share @ tokens
        value = torch.einsum("nhs,hws->nhw", mean, weights[2].view(heads, width, -1))
        value = value + share.sum(2, keepdim=True) * bias_v.view(heads, width)
        return part.out_proj(value.flatten(1))


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
