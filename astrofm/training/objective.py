"""What a recipe makes small: an `Objective` over an encoder and an aligner, offered by plugins under a name."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import nn

from ..data import Batch
from ..interfaces.aligner import Aligner
from ..interfaces.encoder import Encoder
from ..interfaces.head import Head
from .loop import Loss


class Objective(ABC):
    """What parts learn from spectra or light curves.

    A subclass sets `name` and `command`, fills `modules` and implements `loss`; its constructor takes plain values besides.

    Parameters
    ----------
    encoder : Encoder
    aligner : Aligner
    instruments : sequence of str
        Whose spectra are learned from, in order.

    Attributes
    ----------
    modules : ModuleDict
        What learns; the rest stays as it is.
    heads : mapping of str to Head
        What the model has besides encoder and aligner; nothing, unless the objective learns it.
    """

    name: str = ""
    #: the command that it belongs to: "pretrain" or "align"
    command: str = "pretrain"
    #: what it takes over from the models that it starts from: "encoder", "aligner", "heads"
    takes_over: tuple[str, ...] = ("encoder",)
    #: whether it learns from stars that only some of the instruments saw, too
    partial: bool = False

    def __init__(self, encoder: Encoder, aligner: Aligner, instruments: Sequence[str]):
        self.encoder, self.aligner, self.instruments = encoder, aligner, tuple(instruments)
        self.modules = nn.ModuleDict()
        self.heads: Mapping[str, Head] = {}

    @property
    def described(self) -> tuple[str, ...]:
        """Instruments that the model's card describes: all that are learned from, unless they are none."""
        return self.instruments

    @property
    def seen_by(self) -> Any:
        """What `see` depends on, plain JSON: the encoder's and the objective's names and arguments, unless told (None)."""
        return None

    @abstractmethod
    def see(self, batch: Batch) -> torch.Tensor:
        """Give what the weights see of a batch of tensors, float32, shape ``(n, k)``: always the same; kept on disk."""

    @abstractmethod
    def loss(self, seen: Sequence[torch.Tensor]) -> Loss:
        """Score stars.

        Parameters
        ----------
        seen : sequence of Tensor, each ``(n, k)``
            One for each instrument, finite; row ``i`` of all is the same star. Where the objective is `partial`, rows of
            stars that an instrument did not see are NaN. Random numbers come from torch's own generator, which is seeded
            for each piece of a step.
        """

    def embed(self, seen: Sequence[torch.Tensor]) -> torch.Tensor | None:
        """Embed stars as training shows them, by chance as `loss` does, ``(n, dim)``: the model flags what is unlike them.

        None, where an objective does not say: then its models flag none.
        """
        return None

    def finish(self, stars: Callable[[], Sequence[Sequence[torch.Tensor]]]) -> None:
        """Do what is left when training has ended, on batches of validation stars: nothing, unless a subclass does."""
        return None
