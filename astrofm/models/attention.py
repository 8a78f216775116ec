"""Where in a spectrum a label comes from: what the label's question attends to, or how it moves with the flux."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from astropy import units as u
from astropy.table import QTable

from ..data import Batch
from ..errors import DataError, UnknownNameError
from ..nn.asking import AskedNames
from ..nn.pixels import PixelTokens
from ..nn.tokens import choose
from . import inputs

if TYPE_CHECKING:
    from ..compat import Spectrum
    from .model import Model

HOW = ("attention", "gradient")


def attention(model: Model, data: Any, label: str, how: str) -> list[Spectrum]:
    """Give the maps of stars; see `Model.attention`."""
    from ..compat import Spectrum

    place = _place(model, label, how)
    maps: dict[int, Spectrum] = {}
    for piece in inputs.gather(data):
        if piece.batch is None or piece.failed:
            one = next(iter(piece.failed.values()))
            raise DataError(f"{one.file or 'a star'} can't be read: {one.message}")
        weights, wavelength, present = of_batch(model, piece.batch, place, how)
        ids = piece.batch.meta.get("id", [""] * len(weights))
        for k, row in enumerate(piece.rows):
            maps[int(row)] = Spectrum(spectral_axis=wavelength * u.AA, flux=weights[k] * u.dimensionless_unscaled,
                                      mask=~present[k], meta={"id": str(ids[k]), "label": label, "map": how,
                                                              "medium": "vacuum", **model.provenance()})
    return [maps[row] for row in sorted(maps)]


def of_batch(model: Model, batch: Batch, place: int, how: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Map the stars of a batch.

    Returns
    -------
    weights : ndarray, shape ``(n, p)``
        Each star's mean over its good pixels is 1; 0 elsewhere.
    wavelength : ndarray, shape ``(p,)``
    present : ndarray of bool, shape ``(n, p)``
    """
    encoder, size = model.encoder, model.encoder.cpu_batch
    found = []
    for start in range(0, len(batch), size):
        some = batch[start: start + size].tensors(model.device)
        value, wavelength, present = encoder.tokens(some)
        passes = max(1, -(-int(present.sum(dim=1).max()) // encoder.context))
        rank = present.cumsum(dim=1) - 1
        total = torch.zeros_like(value)
        for k in range(passes):
            index, chosen = choose(present & (rank % passes == k), min(encoder.context, present.shape[1]))
            part = _of_tokens(model, value.gather(1, index), wavelength[index], chosen, place, how)
            total.scatter_add_(1, index, torch.where(chosen, part, 0.0))
        if how == "gradient":  # by the flux, not by what is left of it when centre and spread are taken off
            total = total / encoder.columns(some.coordinate)[2]
        mean = total.sum(dim=1, keepdim=True) / present.sum(dim=1, keepdim=True).clamp_min(1)
        found.append(((total / mean.clamp_min(1e-30)).cpu().numpy(), present.cpu().numpy()))
    return np.concatenate([w for w, _ in found]), wavelength.cpu().numpy(), np.concatenate([p for _, p in found])


def _of_tokens(model: Model, value: torch.Tensor, wavelength: torch.Tensor, present: torch.Tensor, place: int,
               how: str) -> torch.Tensor:
    encoder, aligner = model.encoder, model.aligner
    with torch.set_grad_enabled(how == "gradient"):
        value = value.detach().requires_grad_(how == "gradient")
        tokens = encoder.encode(torch.full_like(wavelength, encoder.pixel_row, dtype=torch.long), value, present,
                                encoder.asked, place=encoder.place(wavelength))
        asked = len(encoder.asked)
        if how == "attention":
            return aligner.attention(tokens, asked)[:, place]
        head = next(iter(model.heads.values()))
        answer, _ = head.numbers(aligner.answers(tokens, asked))
        return torch.autograd.grad(answer[:, place].nan_to_num().sum(), value)[0].abs().nan_to_num()


def _place(model: Model, label: str, how: str) -> int:
    if how not in HOW:
        raise DataError(f"how is one of {', '.join(HOW)}, not {how!r}")
    if not isinstance(model.encoder, PixelTokens) or not isinstance(model.aligner, AskedNames):
        raise DataError(f"model {model.name!r} has no pixels that labels attend to: this needs encoder 'pixel-tokens' and "
                        "aligner 'asked-names'")
    asked = list(model.encoder.arguments["asked"])
    if label not in asked:
        raise UnknownNameError(f"the model is not asked for {label!r}: say one of {', '.join(asked)}")
    return asked.index(label)


def peaks(spectrum: Spectrum, count: int, *, apart: float = 3.0) -> QTable:
    """List the wavelengths at which a map is highest.

    Parameters
    ----------
    spectrum : Spectrum
        As `Model.attention` gives it.
    count : int
        At most so many.
    apart : float
        Least distance between two (Angstrom).

    Returns
    -------
    QTable
        ``wavelength`` (vacuum) and ``weight`` (over the mean of the spectrum), highest first.
    """
    wave = spectrum.spectral_axis.to_value(u.AA)
    weight = np.where(spectrum.mask, -np.inf, spectrum.flux.value)
    chosen: list[int] = []
    for k in np.argsort(-weight):
        if len(chosen) == count or not np.isfinite(weight[k]):
            break
        if all(abs(wave[k] - wave[other]) >= apart for other in chosen):
            chosen.append(int(k))
    return QTable({"wavelength": wave[chosen] * u.AA, "weight": weight[chosen]})
