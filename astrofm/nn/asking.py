"""Ask a set of tokens for names: cross-attention from what is asked, and numbers with errors out of it.

An encoder that gives tokens for this (`Asked`) puts the vectors of the names that are asked in front of a star's tokens, and
NaN where a token is absent: what is asked and what is known then share one table of names.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import nn

from ..errors import DataError
from ..interfaces.aligner import Aligner
from ..interfaces.head import Head
from .blocks import attend
from .labels import TEFF, LabelScale, describe


class NullAttention(nn.Module):
    """Multi-head attention to tokens and to one learned token that is always there.

    Parameters
    ----------
    dim, heads : int
    """

    def __init__(self, dim: int, heads: int):
        super().__init__()
        if dim % heads:
            raise ValueError(f"{dim} dimensions do not divide into {heads} heads")
        self.heads = heads
        self.enter = nn.Linear(dim, 3 * dim)
        self.out = nn.Linear(dim, dim)
        self.key, self.value = nn.Parameter(torch.randn(dim) * dim**-0.5), nn.Parameter(torch.randn(dim) * dim**-0.5)

    def forward(self, x: torch.Tensor, tokens: torch.Tensor | None = None,
                present: torch.Tensor | None = None) -> torch.Tensor:
        """Attend from ``x`` ``(n, t, dim)`` to ``tokens`` ``(n, s, dim)``, or to itself, where ``present`` ``(n, s)``."""
        if tokens is not None and x.shape[1] * self.heads < tokens.shape[1]:
            return self.out(self._from_few(x, tokens, present))
        q, k, v, seen = self._enter(x, tokens, present)
        return self.out(attend(q, k, v, seen=seen).transpose(1, 2).flatten(2))

    def weights(self, x: torch.Tensor, tokens: torch.Tensor | None = None,
                present: torch.Tensor | None = None) -> torch.Tensor:
        """Give how much of each token is attended to, ``(n, heads, t, s + 1)``; the last is the one always there."""
        q, k, _, seen = self._enter(x, tokens, present)
        scores = q @ k.transpose(-1, -2) * q.shape[-1] ** -0.5
        return (scores if seen is None else scores.masked_fill(~seen[:, None, None], -torch.inf)).softmax(-1)

    def _from_few(self, x: torch.Tensor, tokens: torch.Tensor, present: torch.Tensor | None) -> torch.Tensor:
        """Attend from few to many: what is asked goes through the keys' weights, and the tokens stay as they are."""
        n, t, d = x.shape
        w = d // self.heads
        of_q, of_k, of_v = self.enter.weight.unflatten(0, (3, self.heads, w))
        for_q, for_k, for_v = self.enter.bias.unflatten(0, (3, self.heads, w))
        q = (torch.einsum("ntd,hwd->nhtw", x, of_q) + for_q[:, None]) * w**-0.5
        within = torch.einsum("nhtw,hwd->nhtd", q, of_k).flatten(1, 2)
        scores = (within @ tokens.transpose(1, 2)).unflatten(1, (self.heads, t)) + (q @ for_k[..., None])
        if present is not None:
            scores = scores.masked_fill(~present[:, None, None], -torch.inf)
        always = q @ self.key.view(self.heads, w, 1)
        share = torch.cat([scores, always], dim=-1).float().softmax(-1).to(scores.dtype)
        of_tokens, of_null = share[..., :-1], share[..., -1:]
        mixed = (of_tokens.flatten(1, 2) @ tokens).unflatten(1, (self.heads, t))
        values = torch.einsum("nhtd,hwd->nhtw", mixed, of_v) + (1 - of_null) * for_v[:, None]
        return (values + of_null * self.value.view(self.heads, 1, w)).transpose(1, 2).flatten(2)

    def _enter(self, x: torch.Tensor, tokens: torch.Tensor | None,
               present: torch.Tensor | None) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor | None]:
        n, _, d = x.shape
        if tokens is None:
            q, k, v = self.enter(x).chunk(3, dim=-1)
        else:
            weight, bias = self.enter.weight, self.enter.bias
            q = nn.functional.linear(x, weight[:d], bias[:d])
            k, v = nn.functional.linear(tokens, weight[d:], bias[d:]).chunk(2, dim=-1)
        k = torch.cat([k, self.key.to(k.dtype).expand(n, 1, d)], dim=1)
        v = torch.cat([v, self.value.to(v.dtype).expand(n, 1, d)], dim=1)
        q, k, v = (part.unflatten(-1, (self.heads, -1)).transpose(1, 2) for part in (q, k, v))
        return q, k, v, None if present is None else torch.cat([present, present.new_ones(n, 1)], dim=1)


class PostNormBlock(nn.Module):
    """One post-norm transformer block (Vaswani et al. 2017, arXiv:1706.03762) around a `NullAttention`.

    Parameters
    ----------
    dim, heads, hidden : int
    dropout : float
    """

    def __init__(self, dim: int, heads: int, hidden: int, *, dropout: float = 0.0):
        super().__init__()
        self.attention = NullAttention(dim, heads)
        self.norm_attention = nn.LayerNorm(dim)
        self.mlp = nn.Sequential(nn.Linear(dim, hidden), nn.GELU(), nn.Dropout(dropout), nn.Linear(hidden, dim))
        self.norm_mlp = nn.LayerNorm(dim)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: torch.Tensor, tokens: torch.Tensor | None = None,
                present: torch.Tensor | None = None) -> torch.Tensor:
        x = self.norm_attention(x + self.dropout(self.attention(x, tokens, present)))
        return self.norm_mlp(x + self.dropout(self.mlp(x)))


class AskedNames(Aligner):
    """Answer each name that is asked by what the tokens know of it; the embedding of a star is all answers in a row.

    Parameters
    ----------
    source_dim : int
        Numbers of a token.
    asked : int
        How many names stand in front of a star's tokens.
    heads, hidden : sequence of int
        Of the blocks of cross-attention.
    dropout : float
    """

    name = "asked-names"
    takes_tokens = True
    decodes = False

    def __init__(self, *, source_dim: int = 128, asked: int = 1, heads: Sequence[int] = (16, 8, 4),
                 hidden: Sequence[int] = (1024, 512, 256), dropout: float = 0.0):
        super().__init__(source_dim=source_dim, asked=asked, heads=list(heads), hidden=list(hidden), dropout=dropout)
        self.source_dim, self.asked, self.dim = source_dim, asked, asked * source_dim
        self.blocks = nn.ModuleList(PostNormBlock(source_dim, one, wide, dropout=dropout)
                                    for one, wide in zip(heads, hidden, strict=True))

    def answers(self, tokens: torch.Tensor, asked: int) -> torch.Tensor:
        """Answer the first ``asked`` tokens out of the others; ``(n, t, source_dim)`` gives ``(n, asked, source_dim)``."""
        x, known, present = self._split(tokens, asked)
        for block in self.blocks:
            x = block(x, known, present)
        return x

    def attention(self, tokens: torch.Tensor, asked: int) -> torch.Tensor:
        """Give how much of each other token goes into each answer: the mean over blocks and heads, ``(n, asked, s)``."""
        x, known, present = self._split(tokens, asked)
        total = x.new_zeros(len(x), asked, known.shape[1])
        for block in self.blocks:
            total += block.attention.weights(x, known, present)[..., :-1].mean(dim=1) / len(self.blocks)
            x = block(x, known, present)
        return total

    @staticmethod
    def _split(tokens: torch.Tensor, asked: int) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor | None]:
        if tokens.shape[1] <= asked:
            raise ValueError(f"{tokens.shape[1]} tokens cannot answer {asked} names")
        x, known = tokens[:, :asked], tokens[:, asked:]
        present = ~torch.isnan(known[..., 0])
        return x, torch.nan_to_num(known), None if bool(present.all()) else present

    def _align(self, embedding: torch.Tensor, instrument: str) -> torch.Tensor:
        return self.answers(embedding, self.asked).flatten(1).float()

    def _decode(self, aligned: torch.Tensor, coordinate: torch.Tensor, instrument: str,
                source: str) -> tuple[torch.Tensor, torch.Tensor]:
        raise DataError("this model answers names and decodes no spectra: ask it by `model.request`, or use another to "
                        "translate or reconstruct")


class AskedNumbers(Head):
    """Read a number and its error out of each answer, by one perceptron for all.

    Parameters
    ----------
    dim : int
        Numbers of an answer times the number of labels.
    labels : sequence of mapping
        As `~astrofm.nn.heads.GaussianHead` takes them, in the order in which they are asked.
    hidden : sequence of int
        Widths of the perceptron.
    """

    name = "asked-numbers"

    def __init__(self, *, dim: int = 128, labels: Sequence[Mapping] | None = None, hidden: Sequence[int] = (512, 256)):
        labels = [dict(label) for label in labels or [TEFF]]
        super().__init__(dim=dim, labels=labels, hidden=list(hidden))
        if dim % len(labels):
            raise ValueError(f"{dim} numbers do not divide into the answers to {len(labels)} labels")
        self.dim, self.labels, self.scale = dim, describe(labels), LabelScale(labels)
        sizes = [dim // len(labels), *hidden]
        self.layers = nn.ModuleList(nn.Linear(one, other) for one, other in zip(sizes, sizes[1:], strict=False))
        self.value, self.log_variance = nn.Linear(sizes[-1], 1), nn.Linear(sizes[-1], 1)

    def numbers(self, answers: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Read ``(n, k, width)`` answers; value and log variance, standardised, both ``(n, k)``."""
        for layer in self.layers:
            answers = nn.functional.gelu(layer(answers))
        return self.value(answers)[..., 0].float(), self.log_variance(answers)[..., 0].float()

    def standardised(self, embedding: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Give mean and log error, both ``(n, number of labels)``, in standardised units."""
        value, log_variance = self.numbers(embedding.unflatten(1, (len(self.labels), -1)))
        return value, 0.5 * log_variance

    def standardise(self, truth: torch.Tensor) -> torch.Tensor:
        """Bring true labels ``(n, number of labels)`` into standardised units; NaN stays NaN."""
        return self.scale.standardise(truth)

    def _read(self, embedding: torch.Tensor) -> Mapping[str, torch.Tensor]:
        value, log_error = self.standardised(embedding)
        return self.scale.columns(self.labels, value, log_error.exp())
