"""How SpecCLIP brings two backbones together: the projections, and the decoders of its *pr* and *split* models."""

from __future__ import annotations

import torch
from torch import nn

from astrofm.nn.pooling import Projection, QueryPooling, deep_decoder

from .backbones import LRS_PIXELS, XP_PIXELS

#: the three published models
KINDS = ("base", "pr", "split")
#: hidden layers of the decoders by kind and instrument
DEEP = {("pr", "xp"): (3072, 1536, 768), ("pr", "lrs"): (3072, 3072, 3072),
        ("split", "xp"): (2048, 1024, 512), ("split", "lrs"): (2048, 2048, 2048)}
#: width of the block of an XP projection
BLOCK = 1160
PIXELS = {"lrs": LRS_PIXELS, "xp": XP_PIXELS}


class Projections(nn.Module):
    """Project the tokens of either instrument into the shared space.

    Parameters
    ----------
    kind : str
        One of `KINDS`. Of *split*, the first two thirds of the vector are shared between the instruments and the
        rest is the instrument's own.
    source : int
        Numbers of a token.
    dim : int
        Of the embedding.
    """

    def __init__(self, kind: str, *, source: int = 768, dim: int = 768, heads: int = 4):
        super().__init__()
        self.shared = shared_part(kind, dim)
        sizes = {"shared": (self.shared, heads)}
        if kind == "split":
            sizes["private"] = (dim - self.shared, heads // 2)
        self.lrs = nn.ModuleDict({name: QueryPooling(dim=size, heads=count, source=source, hidden=4 * size)
                                  for name, (size, count) in sizes.items()})
        self.xp = nn.ModuleDict({name: Projection(dim=size, source=source, block=BLOCK, hidden=4 * size)
                                 for name, (size, _) in sizes.items()})

    def forward(self, tokens: torch.Tensor, which: str) -> torch.Tensor:
        """Project tokens ``(n, t, source)`` of ``"lrs"`` or ``"xp"`` into ``(n, dim)``."""
        if which == "xp":
            tokens = tokens[:, 0]
        return torch.cat([part(tokens) for part in getattr(self, which).values()], dim=1)


class TwoPartDecoder(nn.Module):
    """Decode an instrument's own spectrum from the shared and the private part together."""

    def __init__(self, shared: int, private: int, pixels: int):
        super().__init__()
        self.shared, self.private = nn.Linear(shared, pixels), nn.Linear(private, pixels)
        self.last = nn.Sequential(nn.Linear(2 * pixels, 2 * pixels), nn.GELU(), nn.Linear(2 * pixels, pixels))

    def forward(self, embedding: torch.Tensor) -> torch.Tensor:
        """Decode ``(n, dim)`` into ``(n, pixels)``."""
        at = self.shared.in_features
        return self.last(torch.cat([self.shared(embedding[:, :at]), self.private(embedding[:, at:])], dim=1))


class Decoders(nn.Module):
    """Decode spectra out of the shared space: an instrument's own, and the other one's.

    Parameters
    ----------
    kind : str
        ``"pr"`` or ``"split"``; *base* has none.
    dim : int
        Of the embedding.
    narrow : int
        How many times narrower than the published ones the hidden layers are.
    """

    def __init__(self, kind: str, *, dim: int = 768, narrow: int = 1):
        super().__init__()
        self.shared = shared_part(kind, dim)
        deep = {name: [width // narrow for width in DEEP[kind, name]] for name in PIXELS}
        if kind == "pr":
            own = {name: deep_decoder((dim, *deep[name], pixels)) for name, pixels in PIXELS.items()}
        else:
            own = {name: TwoPartDecoder(self.shared, dim - self.shared, pixels) for name, pixels in PIXELS.items()}
        self.own = nn.ModuleDict(own)
        self.other = nn.ModuleDict({name: deep_decoder((self.shared, *deep[name], pixels))
                                    for name, pixels in PIXELS.items()})

    def forward(self, embedding: torch.Tensor, source: str, target: str) -> torch.Tensor:
        """Decode embeddings ``(n, dim)`` of ``source`` into what ``target`` sees, in the model's normalisation."""
        if source == target:
            return self.own[target](embedding)
        return self.other[target](embedding[:, : self.shared])


class DecoderErrors(nn.Module):
    """Errors of the decoders, one a pixel, as they were on validation stars; NaN where nobody has measured them.

    Parameters
    ----------
    kind : str
        *base* has no decoders and no errors.
    """

    def __init__(self, kind: str):
        super().__init__()
        for what in ("own", "other") if kind != "base" else ():
            for side, pixels in PIXELS.items():
                self.register_buffer(f"{what}_{side}", torch.full((pixels,), torch.nan))

    def set(self, what: str, side: str, errors: torch.Tensor) -> None:
        """Keep the errors of one decoder."""
        getattr(self, f"{what}_{side}").copy_(errors)

    def forward(self, source: str, target: str) -> torch.Tensor:
        """Give the errors ``(pixels,)`` of what ``target`` sees, decoded from ``source``."""
        return getattr(self, f"{'own' if source == target else 'other'}_{target}")


def shared_part(kind: str, dim: int) -> int:
    """Give how many numbers of an embedding the instruments share."""
    if kind not in KINDS:
        raise ValueError(f"kind is one of {', '.join(KINDS)}, not {kind!r}")
    return 2 * dim // 3 if kind == "split" else dim
