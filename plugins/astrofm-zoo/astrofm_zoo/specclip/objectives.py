"""What SpecCLIP learns (Zhao et al. 2025, arXiv:2507.01939): hidden runs, an autoencoder's input, and its alignment."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch.nn import functional as F

from astrofm.data import Batch
from astrofm.errors import DataError
from astrofm.nn.sequence import standardise
from astrofm.training import Loss, Objective, contrastive_loss, mask_runs, masked_loss

from .aligner import SIDES

#: what the cosines of the published alignment are multiplied by: it is not learned
LOGIT_SCALE = 15.5


class _OfOneBackbone(Objective):
    """Learn one backbone of a `SpecCLIPEncoder`."""

    def __init__(self, encoder, aligner, instruments: Sequence[str]):
        super().__init__(encoder, aligner, instruments)
        if len(self.instruments) != 1:
            raise DataError(f"objective {self.name!r} learns from one instrument, not from {', '.join(instruments)}")
        self.backbone = getattr(encoder, SIDES.get(self.instruments[0], ""), None)
        if self.backbone is None:
            raise DataError(f"the recipe's encoder has no backbone for {self.instruments[0]!r}")
        self.modules["backbone"] = self.backbone

    def see(self, batch: Batch) -> torch.Tensor:
        return self.encoder.see(batch)


class MaskedRuns(_OfOneBackbone):
    """Predict tokens that were set to zero in runs, from the others.

    Parameters
    ----------
    encoder, aligner, instruments
        As for `~astrofm.training.Objective`; one instrument with a transformer.
    runs, length : int
        See `~astrofm.training.mask_runs`: 6 of 10 tokens for LAMOST (41 %), 6 of 20 for XP (35 %).
    """

    name = "specclip-masked"

    def __init__(self, encoder, aligner, instruments: Sequence[str], *, runs: int = 6, length: int = 10):
        super().__init__(encoder, aligner, instruments)
        if not hasattr(self.backbone, "trunk"):
            raise DataError("runs are hidden from a transformer: say xp_kind = \"transformer\", or take the objective "
                            "'specclip-autoencoder'")
        self.runs, self.length = runs, length

    def loss(self, seen: Sequence[torch.Tensor]) -> Loss:
        tokens = self.backbone.tokens(seen[0])
        masked = mask_runs(tokens, runs=self.runs, length=self.length)
        predicted = self.backbone.reconstruct(self.backbone.trunk(masked)).float()
        value, count = masked_loss(predicted, tokens, masked)
        return Loss(value, {}, count)


class Autoencoder(_OfOneBackbone):
    """Give mean, spread and shape of a spectrum back through a bottleneck."""

    name = "specclip-autoencoder"

    def __init__(self, encoder, aligner, instruments: Sequence[str]):
        super().__init__(encoder, aligner, instruments)
        if hasattr(self.backbone, "trunk"):
            raise DataError("an autoencoder is learned whole: say xp_kind = \"autoencoder\", or take 'specclip-masked'")

    def loss(self, seen: Sequence[torch.Tensor]) -> Loss:
        value = F.mse_loss(self.backbone.reconstruct(self.backbone(seen[0])).float(), self.backbone.tokens(seen[0]))
        return Loss(value, {}, float(len(seen[0])))


class Alignment(Objective):
    """Bring the two spectra of a star together, and decode them from each other; the backbones stay as they are.

    Symmetric InfoNCE on the shared part, and the absolute errors of all decoders of *pr* and *split*. The contrast is
    among the stars of a piece.

    Parameters
    ----------
    encoder, aligner, instruments
        As for `~astrofm.training.Objective`; LAMOST and XP.
    scale : float
        What cosines are multiplied by.
    contrast, own, other : float
        Weights of the contrast, of the decoders of a star's own spectrum and of those of the other one.
    """

    name = "specclip-alignment"
    command = "align"

    def __init__(self, encoder, aligner, instruments: Sequence[str], *, scale: float = LOGIT_SCALE, contrast: float = 1.0,
                 own: float = 1.0, other: float = 1.0):
        super().__init__(encoder, aligner, instruments)
        if sorted(self.instruments) != sorted(SIDES):
            raise DataError(f"the alignment is of {' and '.join(SIDES)}, not of {', '.join(self.instruments)}")
        self.scale, self.weights = scale, {"contrast": contrast, "own": own, "other": other}
        encoder.requires_grad_(False)
        self.modules["aligner"] = aligner

    def see(self, batch: Batch) -> torch.Tensor:
        return self.encoder.see(batch)

    def loss(self, seen: Sequence[torch.Tensor]) -> Loss:
        spectra, embedding = self._embedded(seen)
        first, second = (embedding[name][:, : self.aligner.shared].float() for name in self.instruments)
        parts = {"contrast": contrastive_loss(first, second, temperature=1.0 / self.scale)}
        for what in ("own", "other") if self.aligner.decoders is not None else ():
            parts[what] = sum((decoded - target).abs().mean() for decoded, target
                              in self._decoded(spectra, embedding, what).values())
        value = sum(self.weights[name] * part for name, part in parts.items())
        with torch.no_grad():
            nearest = (F.normalize(first, dim=1) @ F.normalize(second, dim=1).T).argmax(1)
            found = (nearest == torch.arange(len(first), device=first.device)).float().mean()
        return Loss(value, {**{name: float(part.detach()) for name, part in parts.items()}, "recall": float(found)},
                    float(len(first)))

    def _embedded(self, seen: Sequence[torch.Tensor]) -> tuple[dict[str, torch.Tensor], dict[str, torch.Tensor]]:
        spectra = dict(zip(self.instruments, seen, strict=True))
        with torch.no_grad():
            tokens = {name: self._tokens(SIDES[name], flux) for name, flux in spectra.items()}
        return spectra, {name: self.aligner.projections(x, SIDES[name]) for name, x in tokens.items()}

    def _tokens(self, side: str, flux: torch.Tensor) -> torch.Tensor:
        size = self.encoder.cpu_batch if flux.device.type == "cpu" else len(flux)  # small pieces stay in a CPU's cache
        return torch.cat([getattr(self.encoder, side)(part).float() for part in flux.split(size)])

    def _decoded(self, spectra: dict[str, torch.Tensor], embedding: dict[str, torch.Tensor],
                 what: str) -> dict[str, tuple[torch.Tensor, torch.Tensor]]:
        found = {}
        for target, flux in spectra.items():
            source = target if what == "own" else next(name for name in spectra if name != target)
            if what == "own" and SIDES[target] == "lrs":  # its own decoder gives the spectrum standardised
                flux = standardise(flux)[0]
            found[SIDES[target]] = self.aligner.decoders(embedding[source], SIDES[source], SIDES[target]).float(), flux
        return found

    def finish(self, stars: Callable[[], Sequence[Sequence[torch.Tensor]]]) -> None:
        """Measure the errors of the decoders on validation stars."""
        if self.aligner.decoders is None:
            return
        total: dict[tuple[str, str], list[torch.Tensor]] = {}
        for seen in stars():
            spectra, embedding = self._embedded(seen)
            for what in ("own", "other"):
                for side, (decoded, target) in self._decoded(spectra, embedding, what).items():
                    total.setdefault((what, side), []).append((decoded - target).abs())
        for (what, side), errors in total.items():
            self.aligner.errors.set(what, side, torch.cat(errors).quantile(0.6827, dim=0))
