"""What objectives of light curves share, and the one that brings views of a star together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import torch
from torch.nn import functional as F

from ..data import Batch
from ..errors import DataError
from ..interfaces.aligner import Aligner
from ..interfaces.encoder import Encoder
from ..nn.cadence import AnyCadenceEncoder
from ..nn.packed import ARRAYS, PackedCurves
from ..registry import cards
from .loop import Loss
from .objective import Objective
from .views import compose

#: what stands for a label that is not known, in what is kept of a star
ABSENT = 1e9


class CurveObjective(Objective):
    """What objectives of light curves share: curves are packed once, and stars need not be seen by all instruments.

    Parameters
    ----------
    encoder, aligner, instruments
        As for `Objective`; the encoder is ``any-cadence``.
    """

    partial = True

    def __init__(self, encoder: Encoder, aligner: Aligner, instruments: Sequence[str]):
        super().__init__(encoder, aligner, instruments)
        if not isinstance(encoder, AnyCadenceEncoder):
            raise DataError(f"objective {self.name!r} is for encoder 'any-cadence', not {encoder.name!r}")
        self.modules["encoder"] = encoder

    @property
    def described(self) -> tuple[str, ...]:
        offered = cards("instruments")  # a data set may have light curves of surveys that no plugin knows
        return tuple(name for name in self.instruments if name in offered)

    @property
    def seen_by(self) -> Any:
        arguments = self.encoder.arguments
        return ["packed-curves", {name: arguments[name] for name in ("length", "bands")}, list(self.columns)]

    #: columns of numbers that are kept beside a star's points
    columns: tuple[str, ...] = ()

    def see(self, batch: Batch) -> torch.Tensor:
        length = self.encoder.length
        curves = self.encoder.pack(batch, length=length)
        if not bool(curves.there.any(1).all()):
            raise DataError("a light curve has no good point with an error above 0: leave it out")
        more = length - curves.days.shape[1]
        curves = replace(curves, **{name: F.pad(getattr(curves, name), (0, more)) for name in ARRAYS})
        told = [_column(batch, name) for name in self.columns]
        return torch.cat([torch.stack(told, 1) if told else curves.value[:, :0], curves.numbers()], 1)

    def chosen(self, seen: Sequence[torch.Tensor], count: int) -> tuple[torch.Tensor, list[PackedCurves], list[torch.Tensor]]:
        """Choose for each star the instruments that it is looked at through: different ones as long as there are such.

        Returns
        -------
        labels : Tensor, shape ``(n, number of columns)``
        curves : list of PackedCurves
            ``count`` of them.
        which : list of Tensor of int, shape ``(n,)``
            Place of the instrument in `instruments`.
        """
        every = torch.stack(list(seen), 1)
        known = torch.isfinite(every[..., 0])
        score = torch.rand(known.shape, device=known.device) - 2.0 * ~known
        order = score.argsort(dim=1, descending=True)
        star = torch.arange(len(order), device=known.device)
        number = known.sum(1)
        which = [order[star, torch.full_like(number, k) % number] for k in range(count)]
        k = len(self.columns)
        rows = [every[star, one] for one in which]
        return rows[0][:, :k], [PackedCurves.of(row[:, k:]).dense() for row in rows], which


class ContrastiveViews(CurveObjective):
    """Bring views of a star together, and those of different stars apart.

    A star that several instruments saw is looked at through two of them; both looks are changed by views of their own. A
    view is told apart only from stars that the other look's instrument saw, so that knowing the instrument does not help.

    Parameters
    ----------
    encoder, aligner, instruments
        See `CurveObjective`.
    views : sequence of mapping
        ``name`` and ``arguments`` of each, in order; see `astrofm.training.views`.
    temperature : float
        Of the similarities.
    """

    name = "contrastive-views"

    def __init__(self, encoder: Encoder, aligner: Aligner, instruments: Sequence[str], *,
                 views: Sequence[Mapping[str, Any]] = ({"name": "overlap"}, {"name": "thin"}, {"name": "add-noise"}),
                 temperature: float = 0.1):
        super().__init__(encoder, aligner, instruments)
        self.view, self.temperature = compose(views), temperature

    def loss(self, seen: Sequence[torch.Tensor]) -> Loss:
        _, curves, which = self.chosen(seen, 2)
        embedded = [self.encoder.encode(self.view(one)) for one in curves]
        value, told = self.contrast(embedded, which)
        return Loss(value, told, float(len(seen[0])))

    def contrast(self, embedded: Sequence[torch.Tensor],
                 which: Sequence[torch.Tensor]) -> tuple[torch.Tensor, dict[str, float]]:
        """Score two embeddings of each star (van den Oord et al. 2018, arXiv:1807.03748), ``(n, d)`` each."""
        first, second = (F.normalize(one.float(), dim=1) for one in embedded)
        scores = first @ second.T / self.temperature
        same = torch.arange(len(first), device=first.device)
        forward = scores.masked_fill(which[1][None] != which[1][:, None], -torch.inf)
        back = scores.T.masked_fill(which[0][None] != which[0][:, None], -torch.inf)
        value = 0.5 * (F.cross_entropy(forward, same) + F.cross_entropy(back, same))
        with torch.no_grad():
            found = float((forward.argmax(1) == same).float().mean())
        return value, {"contrast": float(value.detach()), "recall": found}


def _column(batch: Batch, name: str) -> torch.Tensor:
    column = batch.meta.get(name, [None] * len(batch))
    found = torch.tensor([torch.nan if item is None else float(item) for item in column], dtype=torch.float32)
    return torch.nan_to_num(found, nan=ABSENT, posinf=ABSENT, neginf=ABSENT)
