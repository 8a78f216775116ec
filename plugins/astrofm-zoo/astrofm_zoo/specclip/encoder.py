"""SpecCLIP's backbones as one encoder: tokens of LAMOST low-resolution and Gaia XP spectra."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch

from astrofm.data import Batch
from astrofm.interfaces import Encoder

from .backbones import LRSTransformer, XPAutoencoder, XPTransformer
from .views import lrs_view, xp_view

#: the XP backbones by name
XP = {"autoencoder": XPAutoencoder, "transformer": XPTransformer}


class SpecCLIPEncoder(Encoder):
    """Embed LAMOST or XP spectra by the backbone of their instrument (Zhao et al. 2025, arXiv:2507.01939).

    Parameters
    ----------
    lrs : mapping, optional
        Arguments of `LRSTransformer`; None for an encoder of XP alone.
    xp : mapping, optional
        Arguments of the XP backbone; None for an encoder of LAMOST alone.
    xp_kind : str
        ``"autoencoder"`` (used by the aligned models) or ``"transformer"``.
    """

    name = "specclip"
    gives_tokens = True
    cpu_batch = 20
    reads = ("resampled",)

    def __init__(self, *, lrs: Mapping[str, Any] | None = None, xp: Mapping[str, Any] | None = None,
                 xp_kind: str = "autoencoder"):
        if lrs is None and xp is None:
            lrs, xp = {}, {}
        super().__init__(lrs=None if lrs is None else dict(lrs), xp=None if xp is None else dict(xp), xp_kind=xp_kind)
        if xp_kind not in XP:
            raise ValueError(f"xp_kind is one of {', '.join(XP)}, not {xp_kind!r}")
        self.lrs = None if lrs is None else LRSTransformer(**lrs)
        self.xp = None if xp is None else XP[xp_kind](**xp)
        dims = {part.dim for part in (self.lrs, self.xp) if part is not None}
        if len(dims) > 1:
            raise ValueError(f"the backbones give {' and '.join(map(str, sorted(dims)))} numbers a token: make them alike")
        self.dim = dims.pop()
        self.instruments = (("lamost-lrs",) if lrs is not None else ()) + (("gaia-xp",) if xp is not None else ())

    def see(self, batch: Batch) -> torch.Tensor:
        with torch.autocast(batch.value.device.type, enabled=False):
            return lrs_view(batch) if batch.instrument == "lamost-lrs" else xp_view(batch)

    def _embed(self, batch: Batch) -> torch.Tensor:
        return (self.lrs if batch.instrument == "lamost-lrs" else self.xp)(self.see(batch))
