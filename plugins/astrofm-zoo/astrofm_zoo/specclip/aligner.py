"""SpecCLIP's alignment as an aligner: tokens in, one vector in the shared space, and raw spectra out of it."""

from __future__ import annotations

import numpy as np
import torch

from astrofm.errors import DataError
from astrofm.interfaces import Aligner

from .alignment import DecoderErrors, Decoders, Projections, shared_part
from .views import lrs_grid, xp_grid

#: how the instruments are called here
SIDES = {"lamost-lrs": "lrs", "gaia-xp": "xp"}


class SpecCLIPAligner(Aligner):
    """Project tokens into the shared space, and decode spectra out of it (Zhao et al. 2025, arXiv:2507.01939).

    Parameters
    ----------
    kind : str
        ``"base"`` (no decoders), ``"pr"`` or ``"split"``, whose vectors are two thirds shared and one third private.
    source_dim, dim : int
        Numbers of a token, and of the embedding.
    heads : int
        Of the attention that pools tokens.
    narrow : int
        How many times narrower than the published ones the decoders' hidden layers are: 1 for published weights.
    """

    name = "specclip"
    takes_tokens = True
    normalised = {"lamost-lrs": "its pseudo-continuum", "gaia-xp": "its flux at 550 nm"}
    standardised = ("lamost-lrs",)

    def __init__(self, *, kind: str = "pr", source_dim: int = 768, dim: int = 768, heads: int = 4,
                 narrow: int = 1):
        super().__init__(kind=kind, source_dim=source_dim, dim=dim, heads=heads, narrow=narrow)
        self.kind, self.source_dim, self.dim = kind, source_dim, dim
        #: how many numbers of an embedding the instruments share: what search compares
        self.shared = shared_part(kind, dim)
        self.projections = Projections(kind, source=source_dim, dim=dim, heads=heads)
        self.decoders = None if kind == "base" else Decoders(kind, dim=dim, narrow=narrow)
        self.errors = DecoderErrors(kind)

    def _align(self, embedding: torch.Tensor, instrument: str) -> torch.Tensor:
        return self.projections(embedding.float(), _side(instrument))

    def spectrum(self, aligned: torch.Tensor, instrument: str, *, source: str) -> torch.Tensor:
        """Decode on the model's own pixels and in its own normalisation.

        Parameters
        ----------
        aligned : Tensor, shape ``(n, dim)``
        instrument, source : str
            Whose spectra are wanted, and whose the embeddings are.

        Returns
        -------
        Tensor, shape ``(n, 1462)`` or ``(n, 343)``
            XP is relative to its flux at 550 nm. A LAMOST spectrum is relative to its continuum where it is decoded
            from XP, and standardised (mean 0, deviation 1) where it is decoded from itself.
        """
        if self.decoders is None:
            raise DataError("SpecCLIP's base model has no decoders: use 'pr' or 'split' to translate")
        return self.decoders(aligned, _side(source), _side(instrument))

    def pixels(self, instrument: str) -> np.ndarray:
        return (lrs_grid() if _side(instrument) == "lrs" else xp_grid()).numpy()

    def _decode(self, aligned: torch.Tensor, coordinate: torch.Tensor, instrument: str,
                source: str) -> tuple[torch.Tensor, torch.Tensor]:
        if not np.array_equal(coordinate.cpu().numpy(), self.pixels(instrument)):
            raise DataError(f"SpecCLIP decodes {instrument!r} on its own pixels: aligner.pixels({instrument!r}) gives them")
        value = self.spectrum(aligned, instrument, source=source)
        return value, self.errors(_side(source), _side(instrument)).to(value.dtype).expand_as(value)


class TokenMean(Aligner):
    """Take the mean of a star's tokens, for encoders that were never aligned; nothing can be decoded from it.

    Parameters
    ----------
    source_dim : int
        Numbers of a token.
    """

    name = "token-mean"
    takes_tokens = True
    decodes = False

    def __init__(self, *, source_dim: int = 768):
        super().__init__(source_dim=source_dim)
        self.source_dim = self.dim = source_dim

    def _align(self, embedding: torch.Tensor, instrument: str) -> torch.Tensor:
        return embedding.float().mean(dim=1)

    def _decode(self, aligned: torch.Tensor, coordinate: torch.Tensor, instrument: str,
                source: str) -> tuple[torch.Tensor, torch.Tensor]:
        raise DataError("this model embeds and has no decoder: use an aligned one to translate or reconstruct")


def _side(instrument: str) -> str:
    if instrument not in SIDES:
        raise DataError(f"SpecCLIP knows {' and '.join(SIDES)}, not {instrument!r}")
    return SIDES[instrument]
