"""The trunk: one encoder for spectra of any wavelength range and sampling."""

from __future__ import annotations

import torch
from torch import nn

from ..data import Batch
from ..interfaces.encoder import Encoder
from .blocks import Block
from .lattice import Lattice
from .patches import PatchTokens, describe_patches, star_scale


class AnyWavelengthEncoder(Encoder):
    """Encode spectra as patches that know their own wavelength, sampling, errors and masks.

    Parameters
    ----------
    dim : int
        Numbers of the embedding.
    width, depth, heads, expansion : int
        Of the transformer.
    patch : int
        Lattice pixels a token.
    hidden : int
        Width of the perceptron that embeds a patch.

    Notes
    -----
    Patches of flux as tokens follow masked spectrum models; keeping a random part of the tokens in
    training follows He et al. 2022 (arXiv:2111.06377). Patches without data become one learned
    token at their own wavelength, so no attention mask is needed.
    """

    name = "any-wavelength"

    def __init__(self, *, dim: int = 256, width: int = 192, depth: int = 5, heads: int = 6,
                 expansion: int = 3, patch: int = 64, hidden: int = 256):
        super().__init__(dim=dim, width=width, depth=depth, heads=heads, expansion=expansion, patch=patch,
                         hidden=hidden)
        self.dim = dim
        self.lattice = Lattice(patch)
        self.tokens = PatchTokens(width, size=patch, hidden=hidden)
        self.summary = nn.Parameter(0.02 * torch.randn(width))
        self.noise = nn.Linear(1, width)
        self.blocks = nn.ModuleList(Block(width, heads, expansion) for _ in range(depth))
        self.norm = nn.LayerNorm(2 * width)
        self.project = nn.Linear(2 * width, dim)

    def _embed(self, batch: Batch) -> torch.Tensor:
        return self.embed_part(batch)

    def embed_part(self, batch: Batch, keep: float = 1.0,
                   generator: torch.Generator | None = None) -> torch.Tensor:
        """Embed from a random part of the patches of each star.

        Parameters
        ----------
        batch : Batch
            Of tensors, at least one star.
        keep : float
            Part of the patches that are seen; 1 for all.
        generator : Generator, optional
            For the choice.

        Returns
        -------
        Tensor, shape ``(n, dim)``, float32
        """
        plan = self.lattice.plan(batch.coordinate)
        scale = star_scale(batch.value, batch.mask)
        patches = self.lattice.patches(plan, batch.value / scale, batch.error / scale, batch.mask)
        features, missing, noise = describe_patches(*patches)
        index = plan.first + self.lattice.size * torch.arange(plan.patches, device=features.device)
        tokens = self.tokens(features, missing, index, plan.level)
        if keep < 1.0:
            tokens, missing = _keep(tokens, missing, keep, generator)
        first = self.summary + self.noise(noise[:, None])
        x = torch.cat([first[:, None].to(tokens.dtype), tokens], dim=1)
        for block in self.blocks:
            x = block(x)
        seen = (~missing).to(x.dtype)[..., None]
        mean = (x[:, 1:] * seen).sum(1) / seen.sum(1).clamp_min(1.0)
        return self.project(self.norm(torch.cat([x[:, 0], mean], dim=-1))).float()


def _keep(tokens: torch.Tensor, missing: torch.Tensor, keep: float,
          generator: torch.Generator | None) -> tuple[torch.Tensor, torch.Tensor]:
    n, t, d = tokens.shape
    count = max(1, round(keep * t))
    order = torch.rand(n, t, generator=generator).to(tokens.device).argsort(dim=1)[:, :count]
    return tokens.gather(1, order[..., None].expand(-1, -1, d)), missing.gather(1, order)
