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

#: part of the stars that are asked for what they show, too
ECHO = 0.1


class AskedQuantities(Objective):
    """Learn any quantity of a star from any others (Leung & Bovy 2023, arXiv:2308.10944).

    In each step each star shows a random part of what is known of it, and is asked for random quantities: half of the stars
    show any number of single quantities, the other half whole groups of them. One in ten is asked for what it shows, too.

    Parameters
    ----------
    encoder, aligner, instruments
        As for `Objective`: ``named-quantities`` for the first and the last, ``asked-names``. The data set has a column for
        each of the encoder's quantities, with its error (0 where there is none); what is masked is not known.
    hidden : sequence of int
        Of the head.
    asks : int
        Quantities that are asked for in a step; all of them if there are fewer.
    always : sequence of str
        Some that are asked for in every step.
    together : sequence of sequence of str
        Groups of quantities that users give or lack as one, such as the pixels of a spectrum; each other quantity is a
        group of its own.

    Raises
    ------
    DataError
        The parts do not fit, or a name is no quantity of the encoder or is in two groups.
    """

    name = "asked-quantities"
    takes_over = ("encoder", "aligner", "heads")

    def __init__(self, encoder: Encoder, aligner: Aligner, instruments: Sequence[str], *, hidden: Sequence[int] = (512, 256),
                 asks: int = 16, always: Sequence[str] = (), together: Sequence[Sequence[str]] = ()):
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
        places = {name: k for k, name in enumerate(encoder.quantities)}
        grouped = [name for names in together for name in names]
        for name in [*always, *grouped]:
            if name not in places:
                raise DataError(f"the encoder knows no quantity {name!r}: always and together name its own")
            if grouped.count(name) > 1:
                raise DataError(f"{name!r} is in two groups, or twice in one: name it once in together")
        self.always = torch.tensor([places[name] for name in always], dtype=torch.long)
        group = torch.arange(len(places))
        for k, names in enumerate(together, len(places)):
            group[[places[name] for name in names]] = k
        self.group = group.unique(return_inverse=True)[1]

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
        present = self._shown(known)
        always = self.always.to(value.device)
        others = torch.randperm(count, device=value.device)
        others = others[~torch.isin(others, always)]
        asked = torch.cat([always, others])[: max(self.asks, len(always))]
        name = torch.arange(1, count + 1, device=value.device).expand(n, -1)
        tokens = self.encoder.encode(name, value, present, asked + 1)
        answer, log_variance = self.head.numbers(self.aligner.answers(tokens, len(asked)))
        echo = present & (torch.rand(n, 1, device=value.device) > ECHO)  # what is shown is easy, and would drown the rest
        truth = torch.where(known & ~echo, value, torch.nan)[:, asked]
        loss = asked_loss(answer, log_variance, truth, error[:, asked])
        hidden = torch.isfinite(truth) & ~present[:, asked]
        with torch.no_grad():
            square = torch.where(hidden, (answer - torch.nan_to_num(truth)) ** 2, 0.0).sum() / hidden.sum().clamp_min(1)
        return Loss(loss, {"rms_hidden": float(square.sqrt())}, float(torch.isfinite(truth).sum()))

    def _shown(self, known: torch.Tensor) -> torch.Tensor:
        """Choose what each star ``(n, q)`` shows: never nothing, never more than the encoder's context."""
        (n, count), device = known.shape, known.device
        most = known.sum(dim=1).clamp_max(self.encoder.context)
        number = (torch.rand(n, device=device) * most).floor().long() + 1  # each number of them is as likely
        order = torch.rand(n, count, device=device) - 2.0 * ~known
        group = self.group.to(device)
        whole = torch.rand(n, int(group.max()) + 1, device=device)[:, group] < torch.rand(n, 1, device=device)
        grouped = (torch.rand(n, 1, device=device) < 0.5) & (whole & known).any(dim=1, keepdim=True)
        single = order.argsort(dim=1, descending=True).argsort(dim=1) < number[:, None]
        chosen = torch.where(grouped, whole, single) & known
        rank = torch.where(chosen, order, -3.0).argsort(dim=1, descending=True).argsort(dim=1)
        return chosen & (rank < self.encoder.context)
