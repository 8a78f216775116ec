"""Transformer blocks around fused attention."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import nn
from torch.nn import functional as F

#: tokens up to which plain products are faster than the fused kernel on a CPU
SHORT = 2048
#: scores that are worked on at a time, and numbers between the layers of a perceptron: what a processor's cache holds
SCORES = INNER = 2**21
#: sums of exponentials, and their inverse, up to which none of them overflows or is lost
SAFE = 1e30
#: between the layers of a perceptron, by name
ACTIVATIONS = {"gelu": nn.GELU, "relu": nn.ReLU, "silu": nn.SiLU}


class Attention(nn.Module):
    """Multi-head self-attention through torch's fused kernel (Vaswani et al. 2017, arXiv:1706.03762).

    Parameters
    ----------
    dim, heads : int
    scale : float, optional
        Factor of the products of queries and keys; one over the root of a head's width where none is given.
    """

    def __init__(self, dim: int, heads: int, *, scale: float | None = None):
        super().__init__()
        if dim % heads:
            raise ValueError(f"{dim} dimensions do not divide into {heads} heads")
        self.heads, self.scale = heads, scale
        self.qkv = nn.Linear(dim, 3 * dim)
        self.out = nn.Linear(dim, dim)

    def forward(self, x: torch.Tensor, seen: torch.Tensor | None = None) -> torch.Tensor:
        """Attend within ``x`` ``(n, t, dim)``, where ``seen`` ``(n, t)``."""
        n, t, d = x.shape
        q, k, v = self.qkv(x).reshape(n, t, 3, self.heads, d // self.heads).permute(2, 0, 3, 1, 4)
        return self.out(attend(q, k, v, scale=self.scale, seen=seen).transpose(1, 2).reshape(n, t, d))


def attend(q: torch.Tensor, k: torch.Tensor, v: torch.Tensor, *, scale: float | None = None,
           seen: torch.Tensor | None = None) -> torch.Tensor:
    """Mix values by the softmax of products, by the kernel that is fastest here.

    Parameters
    ----------
    q : Tensor, shape ``(n, heads, t, width)``
    k, v : Tensor, shape ``(n, heads, s, width)``
    scale : float, optional
        See `Attention`.
    seen : Tensor of bool, shape ``(n, s)``, optional
        False where a token counts for nothing.

    Returns
    -------
    Tensor, shape ``(n, heads, t, width)``
    """
    if q.device.type == "cpu" and q.dtype == torch.bfloat16 and k.shape[2] <= SHORT:
        return _by_products(q, k, v, scale, seen)
    return F.scaled_dot_product_attention(q, k, v, attn_mask=None if seen is None else seen[:, None, None], scale=scale)


def _by_products(q: torch.Tensor, k: torch.Tensor, v: torch.Tensor, scale: float | None,
                 seen: torch.Tensor | None) -> torch.Tensor:
    """Attend by plain batched products, as many heads at a time as the cache holds: faster than the fused kernel there."""
    n, heads, t, width = q.shape
    q, k, v = (part.reshape(n * heads, part.shape[2], width) for part in (q, k, v))
    hidden = q.new_zeros(1, 1, 1)
    if seen is not None:
        hidden = q.new_zeros(seen.shape).masked_fill(~seen, -torch.inf).repeat_interleave(heads, 0)[:, None]
    size, mixed = max(1, SCORES // (t * k.shape[1])), []
    for first in range(0, n * heads, size):
        rows = slice(first, first + size)
        own = (hidden if seen is None else hidden[rows], q[rows], k[rows].transpose(1, 2))
        how = {"beta": float(seen is not None), "alpha": scale or width**-0.5}
        mixed.append(_mix(lambda own=own, how=how: torch.baddbmm(*own, **how), v[rows]))
    return (mixed[0] if len(mixed) == 1 else torch.cat(mixed)).view(n, heads, t, width)


def _mix(scores: Callable[[], torch.Tensor], v: torch.Tensor) -> torch.Tensor:
    """Mix values by the softmax of scores; where no exponential overflows, without a search for the largest of each row."""
    if not torch.is_grad_enabled():
        powers = scores().exp_()
        total = powers.sum(-1, keepdim=True)
        low, high = total.aminmax()
        if 1 / SAFE < low and high < SAFE:
            return torch.bmm(powers, v).div_(total)
    return torch.bmm(scores().softmax(-1), v)


def by_pieces(layers: nn.Module, x: torch.Tensor, inner: int) -> torch.Tensor:
    """Do layers on tokens ``(..., dim)``, where nothing is learned on a CPU as many at a time as the cache holds.

    Parameters
    ----------
    layers : Module
        What each token goes through alone.
    x : Tensor, shape ``(..., dim)``
    inner : int
        The most numbers a token has between layers.
    """
    size = max(1, INNER // inner)
    if torch.is_grad_enabled() or x.device.type != "cpu" or x.numel() <= size * x.shape[-1]:
        return layers(x)
    return torch.cat([layers(piece) for piece in x.flatten(0, -2).split(size)]).unflatten(0, x.shape[:-1])


class Block(nn.Module):
    """One pre-norm transformer block on ``(n, t, dim)``."""

    def __init__(self, dim: int, heads: int, expansion: int, *, scale: float | None = None):
        super().__init__()
        self.hidden = expansion * dim
        self.norm_attention = nn.LayerNorm(dim)
        self.attention = Attention(dim, heads, scale=scale)
        self.norm_mlp = nn.LayerNorm(dim)
        self.mlp = nn.Sequential(nn.Linear(dim, expansion * dim), nn.GELU(), nn.Linear(expansion * dim, dim))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = x + self.attention(self.norm_attention(x))
        return x + by_pieces(self.mlp, self.norm_mlp(x), self.hidden)


class RaggedBlock(nn.Module):
    """One transformer block on sequences of unlike lengths, pre-norm or post-norm (Vaswani et al. 2017, arXiv:1706.03762).

    Parameters
    ----------
    dim, heads, hidden : int
    post : bool
        Norms behind the sums, and not in front of what is added.
    activation : str
        One of `ACTIVATIONS`.
    epsilon : float
        Of the norms.
    dropout : float
    """

    def __init__(self, dim: int, heads: int, hidden: int, *, post: bool = False, activation: str = "gelu",
                 epsilon: float = 1e-5, dropout: float = 0.0):
        super().__init__()
        if activation not in ACTIVATIONS:
            raise ValueError(f"activation is one of {', '.join(ACTIVATIONS)}, not {activation!r}")
        self.post, self.hidden = post, hidden
        self.attention = Attention(dim, heads)
        self.norm_attention, self.norm_mlp = nn.LayerNorm(dim, eps=epsilon), nn.LayerNorm(dim, eps=epsilon)
        self.mlp = nn.Sequential(nn.Linear(dim, hidden), ACTIVATIONS[activation](), nn.Linear(hidden, dim))
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: torch.Tensor, seen: torch.Tensor | None = None) -> torch.Tensor:
        """Compute ``(n, t, dim)``; what is not ``seen`` ``(n, t)`` counts for nothing."""
        if self.post:
            x = self.norm_attention(x + self.dropout(self.attention(x, seen)))
            return self.norm_mlp(x + self.dropout(by_pieces(self.mlp, x, self.hidden)))
        x = x + self.dropout(self.attention(self.norm_attention(x), seen))
        return x + self.dropout(by_pieces(self.mlp, self.norm_mlp(x), self.hidden))


class ResidualMLP(nn.Module):
    """Pre-norm residual two-layer perceptron on ``(..., dim)``."""

    def __init__(self, dim: int, hidden: int):
        super().__init__()
        self.norm = nn.LayerNorm(dim)
        self.mlp = nn.Sequential(nn.Linear(dim, hidden), nn.GELU(), nn.Linear(hidden, dim))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x + self.mlp(self.norm(x))
