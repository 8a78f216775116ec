"""Quantities asked of quantities: the objective of models that take whatever is known of a star."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from ..data import Batch
from ..errors import DataError
from ..interfaces.aligner import Aligner
from ..interfaces.encoder import Encoder
from ..nn.asking import AskedNames, AskedNumbers
from ..nn.quantities import QUANTITIES, NamedQuantities
from .asked import ABSENT, asked_loss
from .loop import Loss
from .objective import Objective


class AskedQuantities(Objective):
    """Learn any quantity of a star from any others (Leung & Bovy 2023, arXiv:2308.10944).

    In each step each star shows a random part of what is known of it, and is asked for random quantities.

    Parameters
    ----------
    encoder, aligner, instruments
        As for `Objective`: ``named-quantities`` for the first and the last, ``asked-names``. The data set has a column for
        each of the encoder's quantities, with its error (0 where there is none); what is masked is not known.
    hidden : sequence of int
        Of the head.
    asks : int
        Quantities that are asked for in a step; all of them if there are fewer.
    """

    name = "asked-quantities"
    takes_over = ("encoder", "aligner", "heads")

    def __init__(self, encoder: Encoder, aligner: Aligner, instruments: Sequence[str], *, hidden: Sequence[int] = (512, 256),
                 asks: int = 16):
        super().__init__(encoder, aligner, instruments)
        fits = isinstance(encoder, NamedQuantities) and isinstance(aligner, AskedNames)
        if not fits or self.instruments != (QUANTITIES,):
            raise DataError(f"objective {self.name!r} is for encoder 'named-quantities', aligner 'asked-names' and "
                            f"instruments = [{QUANTITIES!r}]")
        if aligner.asked != len(encoder.asked):
            raise DataError(f"the encoder is asked for {len(encoder.asked)} quantities and the aligner answers "
                            f"{aligner.asked}")
        asked = encoder.arguments["asked"]
        self.head = AskedNumbers(dim=aligner.dim, labels=[encoder.quantities[name] for name in asked], hidden=hidden)
        self.heads = {"labels": self.head}
        self.modules.update({"encoder": encoder, "aligner": aligner, "head": self.head})
        self.asks = min(asks, len(encoder.quantities))

    @property
    def described(self) -> tuple[str, ...]:
        return ()

    def see(self, batch: Batch) -> torch.Tensor:
        if batch.value.shape[1] != len(self.encoder.quantities):
            raise DataError(f"the data set has {batch.value.shape[1]} columns and the encoder "
                            f"{len(self.encoder.quantities)} quantities")
        value = self.encoder.scale.standardise(batch.value)
        error = self.encoder.scale.standardise_error(batch.value, batch.error)
        known = ~batch.mask & torch.isfinite(value)
        return torch.cat([torch.where(known, value, ABSENT), torch.where(known, torch.nan_to_num(error), 0.0)], dim=1)

    def loss(self, seen: Sequence[torch.Tensor]) -> Loss:
        value, error = seen[0].chunk(2, dim=1)
        known = value != ABSENT
        n, count = value.shape
        most = known.sum(dim=1).clamp_max(self.encoder.context)
        shown = (torch.rand(n, device=value.device) * most).floor().long() + 1  # each number of them is as likely
        rank = (torch.rand(n, count, device=value.device) - 2.0 * ~known).argsort(dim=1, descending=True).argsort(dim=1)
        present = known & (rank < shown[:, None])
        asked = torch.randperm(count, device=value.device)[: self.asks]
        name = torch.arange(1, count + 1, device=value.device).expand(n, -1)
        tokens = self.encoder.encode(name, value, present, asked + 1)
        answer, log_variance = self.head.numbers(self.aligner.answers(tokens, len(asked)))
        truth = torch.where(known, value, torch.nan)[:, asked]
        loss = asked_loss(answer, log_variance, truth, error[:, asked])
        hidden = torch.isfinite(truth) & ~present[:, asked]
        with torch.no_grad():
            square = torch.where(hidden, (answer - torch.nan_to_num(truth)) ** 2, 0.0).sum() / hidden.sum().clamp_min(1)
        return Loss(loss, {"rms_hidden": float(square.sqrt())}, float(torch.isfinite(truth).sum()))
