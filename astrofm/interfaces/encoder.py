"""The second noun: an `Encoder` turns a batch into embeddings."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Collection, Mapping
from typing import Any

import torch
from torch import nn

from ..data import Batch
from ..errors import DataError, UnknownNameError

#: how columns of a batch's ``meta`` begin that hold what `Encoder.measure` gave, before its name
MEASURED = "measured:"


class Encoder(nn.Module, ABC):
    """Turn the stars of a batch into embeddings of ``dim`` numbers each.

    A subclass sets `name`, takes only plain JSON values in its constructor, keeps them in
    `arguments` (they go into the model card), and implements `_embed`.
    """

    #: registered name
    name: str = ""
    #: what ``_embed`` gives: numbers a star, or a token
    dim: int = 0
    #: whether it gives a sequence of tokens a star, for an aligner that pools them, and not one vector
    gives_tokens: bool = False
    #: whether it takes light curves, and not spectra
    takes_light_curves: bool = False
    #: whether it takes spectra divided by their continuum only
    over_continuum: bool = False
    #: stars it takes at a time on a CPU: as fast as larger batches, and memory stays flat
    cpu_batch: int = 48
    #: whether ``"auto"`` precision is float32 for it: where rounding changes its answers
    keeps_float32: bool = False
    #: columns of a batch's ``meta`` that it reads; ``MEASURED + name`` is what `measure` gives by that name, and is there
    #: where it was measured before, for a head or by `prepare`
    reads: tuple[str, ...] = ()
    #: instruments it can embed; None for any wavelength or cadence
    instruments: tuple[str, ...] | None = None

    def __init__(self, **arguments: Any):
        super().__init__()
        self.arguments = arguments

    def embed(self, batch: Batch) -> torch.Tensor:
        """Embed a batch.

        Parameters
        ----------
        batch : Batch
            ``n`` stars of one instrument, as NumPy arrays or tensors.

        Returns
        -------
        Tensor, shape ``(n, dim)``, or ``(n, t, dim)`` where `gives_tokens` is set
            On the device of the encoder's weights. A token that is absent is NaN.

        Raises
        ------
        DataError
            If the encoder was not made for the batch's instrument.
        ValueError
            If the implementation breaks its promise about the shape.
        """
        if self.instruments is not None and batch.instrument not in self.instruments:
            raise DataError(f"encoder {self.name!r} embeds {', '.join(self.instruments)}, "
                            f"not {batch.instrument!r}")
        if self.takes_light_curves != (batch.band is not None):
            raise DataError(f"encoder {self.name!r} embeds {'light curves' if self.takes_light_curves else 'spectra'}, and "
                            f"{batch.instrument!r} gave {'spectra' if self.takes_light_curves else 'light curves'}: choose "
                            "another model, see `astrofm models`")
        device = next((p.device for p in self.parameters()), torch.device("cpu"))
        if len(batch) == 0:
            return torch.zeros(*((0, 1, self.dim) if self.gives_tokens else (0, self.dim)), device=device)
        embedding = self._embed(batch.tensors(device))
        shape = (len(batch), *embedding.shape[1:-1], self.dim)
        if embedding.shape != shape or embedding.ndim != 2 + self.gives_tokens:
            promised = (len(batch), "t", self.dim) if self.gives_tokens else (len(batch), self.dim)
            raise ValueError(f"encoder {self.name!r} promised {promised}, gave {tuple(embedding.shape)}")
        return embedding

    def prepare(self, batch: Batch) -> Batch:
        """Do once what is done of a batch whatever the weights are, before these learn from it again and again.

        Parameters
        ----------
        batch : Batch

        Returns
        -------
        Batch
            One that is embedded the same, and sooner; here the same one.
        """
        return batch

    def see(self, batch: Batch) -> torch.Tensor:
        """Give what the weights see, where that is a spectrum normalised on pixels of the encoder's own.

        Parameters
        ----------
        batch : Batch
            Of tensors.

        Returns
        -------
        Tensor of float32, shape ``(n, p)``

        Raises
        ------
        DataError
            Another grid than the survey's, or spectra that are normalised already.
        """
        raise NotImplementedError(f"encoder {self.name!r} normalises nothing on pixels of its own")

    def measure(self, batch: Batch, names: Collection[str]) -> Mapping[str, torch.Tensor]:
        """Give numbers of the stars themselves that heads may read beside the embedding, by name.

        Parameters
        ----------
        batch : Batch
            Of tensors; its ``meta`` is empty but for the ``unit``.
        names : collection of str
            What is wanted; nothing else is computed.

        Returns
        -------
        dict of str to Tensor, shape ``(n,)``
            NaN where a star has too few points.

        Raises
        ------
        UnknownNameError
            This encoder measures nothing of a name.
        """
        for name in names:
            raise UnknownNameError(f"encoder {self.name!r} measures no {name!r}: give it to the head from outside")
        return {}

    def forward(self, batch: Batch) -> torch.Tensor:
        return self.embed(batch)

    @abstractmethod
    def _embed(self, batch: Batch) -> torch.Tensor:
        """Compute; ``batch`` holds tensors on the right device and at least one star."""
