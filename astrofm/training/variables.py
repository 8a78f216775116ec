"""What light curves of real and simulated stars teach together: contrast, hidden points, simulated truth."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import torch
from torch import nn
from torch.nn import functional as F

from ..errors import DataError
from ..interfaces.aligner import Aligner
from ..interfaces.encoder import Encoder
from .curves import ABSENT, ContrastiveViews
from .loop import Loss
from .objectives import label_loss
from .points import PointTeller, hide, points_loss

#: centre and spread of log10 of periods (days) and amplitudes (mag)
NUMBERS = {"log_period": (0.3, 1.2), "log_amplitude": (-0.9, 0.9)}


class VariableStars(ContrastiveViews):
    """Learn from real stars without labels and simulated ones with them.

    Of the two looks at a star, the first lacks points, which are told from it (`MaskedPoints`); both are brought together
    (`ContrastiveViews`); and where the truth is known, class, period and amplitude are read from both by one linear layer,
    which is thrown away when training has ended.

    Parameters
    ----------
    encoder, aligner, instruments
        See `CurveObjective`. The data set may have the columns ``variable_class`` (the number of the class),
        ``log_period`` (log10 of days) and ``log_amplitude`` (log10 of magnitudes); NaN, and stars without, are not known.
    classes : int
        How many classes there are.
    views, temperature
        See `ContrastiveViews`.
    hidden, asked
        See `MaskedPoints`.
    contrast, points, truth : float
        Weights of the three parts of the loss.
    """

    name = "variable-stars"
    columns = ("variable_class", *NUMBERS)

    def __init__(self, encoder: Encoder, aligner: Aligner, instruments: Sequence[str], *, classes: int,
                 views: Sequence[Mapping[str, Any]] = ({"name": "overlap"}, {"name": "thin"}, {"name": "add-noise"}),
                 temperature: float = 0.1, hidden: float = 0.3, asked: int = 24, contrast: float = 1.0, points: float = 1.0,
                 truth: float = 1.0):
        super().__init__(encoder, aligner, instruments, views=views, temperature=temperature)
        if not 0 < hidden < 1:
            raise DataError(f"a part of the points is hidden, between 0 and 1, not {hidden:g}")
        self.classes, self.hidden, self.asked = classes, hidden, asked
        self.weights = {"contrast": contrast, "points": points, "truth": truth}
        self.teller = PointTeller(encoder.dim, encoder.arguments["heads"])
        self.reader = nn.Linear(encoder.dim, classes + 2 * len(NUMBERS))
        self.modules.update({"teller": self.teller, "reader": self.reader})

    def loss(self, seen: Sequence[torch.Tensor]) -> Loss:
        labels, looks, which = self.chosen(seen, 2)
        whole, other = (self.view(look) for look in looks)
        hidden = hide(whole, self.hidden)
        shown = replace(whole, there=whole.there & ~hidden)
        tokens, there = self.encoder.tokens(shown)
        embedded = [self.encoder.pooled(tokens, there), self.encoder.encode(other)]
        parts = {}
        parts["contrast"], told = self.contrast(embedded, which)
        parts["points"], more, _ = points_loss(self.teller, tokens, there, whole, shown, hidden, self.asked)
        parts["truth"], truth = self._truth(embedded, labels)
        value = sum(self.weights[name] * part for name, part in parts.items())
        return Loss(value, {**told, **more, **truth}, float(len(labels)))

    def _truth(self, embedded: Sequence[torch.Tensor], labels: torch.Tensor) -> tuple[torch.Tensor, dict[str, float]]:
        """Score what is read from the embeddings of simulated stars."""
        known = labels[:, 0] < ABSENT / 2
        kind = torch.where(known, labels[:, 0], 0.0).long()
        centre, spread = torch.tensor(list(NUMBERS.values()), device=labels.device).T
        numbers = torch.where(labels[:, 1:] < ABSENT / 2, (labels[:, 1:] - centre) / spread, torch.nan)
        value, right = 0.0, 0.0
        for one in embedded:
            scores, mean, log_error = self.reader(one).float().split([self.classes, len(NUMBERS), len(NUMBERS)], 1)
            kinds = F.cross_entropy(scores, kind, reduction="none")
            value = value + torch.where(known, kinds, 0.0).sum() / known.sum().clamp_min(1) / len(embedded)
            value = value + 0.5 * label_loss(mean, log_error.clamp(-4, 3), numbers) / len(embedded)
            right += float(((scores.argmax(1) == kind) & known).sum() / known.sum().clamp_min(1)) / len(embedded)
        return value, {"truth": float(value.detach()), "right": right}
