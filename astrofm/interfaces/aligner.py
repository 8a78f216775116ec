"""The third noun: an `Aligner` brings embeddings into one shared space, and back out of it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import nn


class Aligner(nn.Module, ABC):
    """Map the embeddings of any instrument into a shared space of ``dim`` numbers, and decode them.

    A subclass sets `name`, keeps its constructor's plain JSON values in `arguments`, and implements
    `_align` and `_decode`.
    """

    name: str = ""
    #: numbers a star in the embedding that comes in, and in the shared one that goes out
    source_dim: int = 0
    dim: int = 0
    #: whether it pools sequences of tokens ``(n, t, source_dim)``, and does not take one vector a star
    takes_tokens: bool = False
    #: whether it decodes spectra at all
    decodes: bool = True
    #: instruments whose spectra it decodes relative to something, and to what ("its continuum"), on `pixels` of its own
    normalised: Mapping[str, str] = {}
    #: instruments whose own spectra it decodes at mean 0 and standard deviation 1
    standardised: tuple[str, ...] = ()

    def __init__(self, **arguments: Any):
        super().__init__()
        self.arguments = arguments

    def align(self, embedding: torch.Tensor, instrument: str) -> torch.Tensor:
        """Bring embeddings of ``instrument`` into the shared space.

        Parameters
        ----------
        embedding : Tensor, shape ``(n, source_dim)``, or ``(n, t, source_dim)`` where `takes_tokens` is set
        instrument : str
            Where the embeddings come from.

        Returns
        -------
        Tensor, shape ``(n, dim)``
        """
        if embedding.ndim != 2 + self.takes_tokens or embedding.shape[-1] != self.source_dim:
            raise ValueError(f"aligner {self.name!r} takes (n, {'t, ' if self.takes_tokens else ''}{self.source_dim}), "
                             f"got {tuple(embedding.shape)}")
        aligned = self._align(embedding, instrument)
        if aligned.shape != (len(embedding), self.dim):
            raise ValueError(f"aligner {self.name!r} promised {(len(embedding), self.dim)}, "
                             f"gave {tuple(aligned.shape)}")
        return aligned

    def decode(self, aligned: torch.Tensor, coordinate: torch.Tensor, instrument: str, *,
               source: str) -> tuple[torch.Tensor, torch.Tensor]:
        """Decode shared embeddings into what ``instrument`` would see, up to one factor a star.

        Parameters
        ----------
        aligned : Tensor, shape ``(n, dim)``
        coordinate : Tensor of float64, shape ``(p,)``
            Vacuum Angstrom.
        instrument : str
            Whose data are wanted.
        source : str
            The instrument that the embeddings come from.

        Returns
        -------
        value, error : Tensor, shape ``(n, p)``
            Flux and its one-sigma error relative to the star's own scale; NaN where nothing can be said. Of `normalised`
            spectra the flux is relative to what is named there, and errors are NaN where nobody has measured them.
        """
        value, error = self._decode(aligned, coordinate, instrument, source)
        for what, array in (("value", value), ("error", error)):
            if array.shape != (len(aligned), len(coordinate)):
                raise ValueError(f"aligner {self.name!r} decoded {what} of shape {tuple(array.shape)}, "
                                 f"promised {(len(aligned), len(coordinate))}")
        return value, error

    def pixels(self, instrument: str) -> np.ndarray:
        """Give the wavelengths (vacuum Angstrom) at which a `normalised` spectrum is decoded."""
        raise NotImplementedError(f"aligner {self.name!r} decodes {instrument!r} at any wavelength")

    def forward(self, embedding: torch.Tensor, instrument: str) -> torch.Tensor:
        return self.align(embedding, instrument)

    @abstractmethod
    def _align(self, embedding: torch.Tensor, instrument: str) -> torch.Tensor: ...

    @abstractmethod
    def _decode(self, aligned: torch.Tensor, coordinate: torch.Tensor, instrument: str,
                source: str) -> tuple[torch.Tensor, torch.Tensor]: ...
