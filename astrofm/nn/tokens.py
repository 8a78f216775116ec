"""Tokens of named values, and the encoders that make a set of them of a star."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import nn

from ..interfaces.encoder import Encoder
from .asking import PostNormBlock

#: how a token that is absent takes part: not at all, or as a token of its own
ABSENT = ("hidden", "token")


class NamedTokens(nn.Module):
    """Make a token of a value and its name: ``GELU(row * value + bias)``, after Leung & Bovy 2023, arXiv:2308.10944.

    Parameters
    ----------
    rows : int
        Names in the table; row 0 is that of no name.
    dim : int
    """

    def __init__(self, rows: int, dim: int):
        super().__init__()
        self.row = nn.Parameter(torch.randn(rows, dim) * dim**-0.5)
        self.bias = nn.Parameter(torch.zeros(rows, dim))

    def forward(self, name: torch.Tensor, value: torch.Tensor) -> torch.Tensor:
        """Embed names (int) and standardised values of one shape ``(..., t)``; shape ``(..., t, dim)``."""
        return nn.functional.gelu(self.row[name] * value[..., None] + self.bias[name])


class TokenEncoder(Encoder):
    """Base of the encoders that turn a star into a set of tokens, led by the names that it is asked for.

    What it gives is for `~astrofm.nn.asking.AskedNames`: first the vector of each name asked, then a star's tokens after
    the blocks of self-attention, NaN where a token is absent.

    Parameters
    ----------
    rows : int
        Of the table of names.
    dim : int
        Numbers of a token.
    heads, hidden : sequence of int
        Of the blocks.
    dropout : float
    absent : str
        ``"hidden"``: what is absent takes no part. ``"token"``: it is a token of its own, as one published system has it.
    **arguments
        What else goes into the model card.
    """

    gives_tokens = True
    cpu_batch = 8

    def __init__(self, *, rows: int, dim: int, heads: Sequence[int], hidden: Sequence[int], dropout: float, absent: str,
                 **arguments: Any):
        super().__init__(rows=rows, dim=dim, heads=list(heads), hidden=list(hidden), dropout=dropout, absent=absent,
                         **arguments)
        if absent not in ABSENT:
            raise ValueError(f"absent is one of {', '.join(ABSENT)}, not {absent!r}")
        self.dim, self.absent = dim, absent
        self.table = NamedTokens(rows, dim)
        self.blocks = nn.ModuleList(PostNormBlock(dim, one, wide, dropout=dropout)
                                    for one, wide in zip(heads, hidden, strict=True))

    def encode(self, name: torch.Tensor, value: torch.Tensor, present: torch.Tensor, asked: torch.Tensor, *,
               place: torch.Tensor | None = None) -> torch.Tensor:
        """Encode sets of tokens.

        Parameters
        ----------
        name : Tensor of int, shape ``(n, t)``
            Rows of the table.
        value : Tensor, shape ``(n, t)``
            Standardised.
        present : Tensor of bool, shape ``(n, t)``
        asked : Tensor of int, shape ``(k,)``
            Rows of the names that are asked.
        place : Tensor, shape ``(n, t, dim)``, optional
            Added to the tokens.

        Returns
        -------
        Tensor, shape ``(n, k + t, dim)``
            All NaN for a star without a token.
        """
        x = self.table(torch.where(present, name, 0), torch.where(present, value, 0.0))
        if place is not None:
            x = x + torch.where(present[..., None], place, 0.0)
        everything = self.absent == "token" or bool(present.all())
        for block in self.blocks:
            x = block(x, None, None if everything else present)
        led = self.table.row[asked].to(x.dtype).expand(len(x), -1, -1)
        if not everything:
            x = x.masked_fill(~present[..., None], torch.nan)
            led = led.masked_fill(~present.any(dim=1)[:, None, None], torch.nan)
        return torch.cat([led, x], dim=1)


def choose(present: torch.Tensor, count: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Choose ``count`` tokens a star evenly among those present.

    Parameters
    ----------
    present : Tensor of bool, shape ``(n, p)``
    count : int

    Returns
    -------
    index : Tensor of int, shape ``(n, count)``
        Increasing; where a star has fewer, the rest repeats.
    chosen : Tensor of bool, shape ``(n, count)``
        False for that rest.
    """
    there = present.sum(dim=1, keepdim=True)
    step = torch.arange(count, device=present.device)
    rank = torch.where(there > count, ((step + 0.5) * there / count).floor().long(), step.expand(len(present), -1))
    index = torch.searchsorted(present.cumsum(dim=1), rank + 1)
    return index.clamp_max(present.shape[1] - 1), rank < there
