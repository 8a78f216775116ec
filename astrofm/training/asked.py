"""Labels asked of tokens: the objective of models that answer names."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch

from ..data import Batch
from ..errors import DataError
from ..interfaces.aligner import Aligner
from ..interfaces.encoder import Encoder
from ..nn.asking import AskedNames, AskedNumbers
from ..nn.pixels import PixelTokens
from ..registry import get_instrument
from .loop import Loss
from .objective import Objective

#: smallest variance of a standardised label
LEAST = 1e-8
#: what stands for a pixel or a label that is not there, in what the weights see
ABSENT = 1e9


def asked_loss(value: torch.Tensor, log_variance: torch.Tensor, truth: torch.Tensor, error: torch.Tensor) -> torch.Tensor:
    """Score answers by their own variance and that of the truth (Leung & Bovy 2023, arXiv:2308.10944).

    Parameters
    ----------
    value, log_variance : Tensor, shape ``(n, k)``
    truth, error : Tensor, shape ``(n, k)``
        Standardised, as the values are; a truth that is NaN does not count, an error that is NaN is 0.

    Returns
    -------
    Tensor
        Mean of ``((truth - value)^2 / V + ln V) / 2`` with ``V = exp(log_variance) + error^2``.
    """
    known = torch.isfinite(truth)
    variance = log_variance.exp() + torch.nan_to_num(error) ** 2 + LEAST
    score = 0.5 * ((torch.where(known, truth, 0.0) - value) ** 2 / variance + variance.log())
    return torch.where(known, score, 0.0).sum() / known.sum().clamp_min(1)


class AskedLabels(Objective):
    """Learn labels of spectra from random pixels of them (Koblischke & Bovy 2024, arXiv:2411.04750).

    Parameters
    ----------
    encoder, aligner, instruments
        As for `Objective`: ``pixel-tokens``, ``asked-names`` and one instrument.
    labels : sequence of mapping
        As `~astrofm.nn.asking.AskedNumbers` takes them, in the encoder's order. The data set has a column for each, and may
        have ``NAME_err``; a label that is NaN is not known.
    hidden : sequence of int
        Of the head.
    learn : sequence of str, optional
        Which of them is learned; all by default.
    wavelengths : sequence of two floats, optional
        Range (Angstrom) of the pixels that are learned from; the encoder's by default.
    frozen : sequence of str
        Names of what stays as it is, or how they begin: ``"encoder.blocks.1"``, ``"aligner"``, ``"head"``.
    """

    name = "asked-labels"
    takes_over = ("encoder", "aligner", "heads")

    def __init__(self, encoder: Encoder, aligner: Aligner, instruments: Sequence[str], *,
                 labels: Sequence[Mapping[str, Any]], hidden: Sequence[int] = (512, 256), learn: Sequence[str] | None = None,
                 wavelengths: Sequence[float] | None = None, frozen: Sequence[str] = ()):
        super().__init__(encoder, aligner, instruments)
        fits = isinstance(encoder, PixelTokens) and isinstance(aligner, AskedNames)
        if not fits or len(self.instruments) != 1:
            raise DataError(f"objective {self.name!r} is for encoder 'pixel-tokens', aligner 'asked-names' and one "
                            "instrument")
        self.names = [label["name"] for label in labels]
        if self.names != list(encoder.arguments["asked"]):
            raise DataError(f"the encoder is asked for {encoder.arguments['asked']} and the labels are {self.names}")
        unknown = sorted(set(learn or ()) - set(self.names))
        if unknown:
            raise DataError(f"{unknown[0]!r} is to be learned and none of the labels {self.names}")
        self.learn = torch.tensor([learn is None or name in learn for name in self.names])
        self.head = AskedNumbers(dim=aligner.dim, labels=labels, hidden=hidden)
        self.heads = {"labels": self.head}
        self.modules.update({"encoder": encoder, "aligner": aligner, "head": self.head})
        self._freeze(frozen)
        grid = torch.from_numpy(get_instrument(self.instruments[0]).wavelength())
        self.wavelength = grid[encoder.columns(grid)[0]]
        low, high = wavelengths or (-torch.inf, torch.inf)
        self.inside = (self.wavelength >= low) & (self.wavelength <= high)
        if not self.inside.any():
            raise DataError(f"{self.instruments[0]!r} has no pixel between {low:g} and {high:g} Angstrom")
        self.wavelength = self.wavelength[self.inside]

    def _freeze(self, frozen: Sequence[str]) -> None:
        for beginning in frozen:
            hit = [p for name, p in self.modules.named_parameters() if name == beginning or name.startswith(f"{beginning}.")]
            if not hit:
                raise DataError(f"{beginning!r} is to be frozen and is no part of the model")
            for parameter in hit:
                parameter.requires_grad_(False)

    def see(self, batch: Batch) -> torch.Tensor:
        value, _, present = self.encoder.tokens(batch)
        flux = torch.where(present, value, ABSENT)[:, self.inside]
        if (flux == ABSENT).all(dim=1).any():
            raise DataError("a star has no pixel in the range that is learned from")
        labels = [_column(batch, name) for name in (*self.names, *(f"{name}_err" for name in self.names))]
        return torch.cat([flux, torch.nan_to_num(torch.stack(labels, dim=1), nan=ABSENT)], dim=1)

    def loss(self, seen: Sequence[torch.Tensor]) -> Loss:
        k = len(self.names)
        flux, truth, error = seen[0][:, : -2 * k], seen[0][:, -2 * k: -k], seen[0][:, -k:]
        truth = self.head.standardise(torch.where(truth == ABSENT, torch.nan, truth))
        truth = torch.where(self.learn.to(truth.device), truth, torch.nan)
        error = torch.where(error == ABSENT, torch.nan, error) / self.head.scale.spread
        value, log_variance = self.head.numbers(self._answers(flux))
        with torch.no_grad():
            known = torch.isfinite(truth)
            square = torch.where(known, (value - torch.nan_to_num(truth)) ** 2, 0.0).sum(0) / known.sum(0).clamp_min(1)
            told = {f"rms_{name}": float(one.sqrt()) for name, one, some in zip(self.names, square, known.any(0), strict=True)
                    if bool(some)}
        return Loss(asked_loss(value, log_variance, truth, error), told, float(known.sum()))

    def embed(self, seen: Sequence[torch.Tensor]) -> torch.Tensor:
        return self._answers(seen[0][:, : -2 * len(self.names)]).flatten(1).float()

    def _answers(self, flux: torch.Tensor) -> torch.Tensor:
        """Answer the labels out of random pixels of each star."""
        present = flux != ABSENT
        chance = torch.rand(flux.shape, device=flux.device) - 2.0 * ~present
        index = chance.topk(min(self.encoder.context, flux.shape[1]), dim=1).indices
        tokens = self.encoder.encode(torch.full_like(index, self.encoder.pixel_row), flux.gather(1, index),
                                     present.gather(1, index), self.encoder.asked,
                                     place=self.encoder.place(self.wavelength.to(flux.device)[index]))
        return self.aligner.answers(tokens, len(self.names))


def _column(batch: Batch, name: str) -> torch.Tensor:
    column = batch.meta.get(name)
    if column is None:
        return torch.full((len(batch),), torch.nan)
    return torch.tensor([torch.nan if item is None else float(item) for item in column])
