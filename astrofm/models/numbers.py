"""How labels that are numbers are learned from embeddings, and what their errors are worth."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from ..errors import DataError
from ..interfaces.head import Head
from ..training import label_loss
from .probe import probe

if TYPE_CHECKING:
    from .model import Model

#: batch, highest learning rate, and epochs' worth of steps without progress before it stops
BATCH, RATE, PATIENCE = 256, 2e-3, 20


@dataclass(frozen=True, eq=False)
class Known:
    """What is known of the stars: how heads are built, labels and errors ``(n, k)``, and who can be learned from ``(n,)``."""

    told: Sequence[Mapping[str, Any]]
    values: np.ndarray
    errors: np.ndarray
    usable: np.ndarray

    def tensors(self, rows: np.ndarray) -> tuple[torch.Tensor, torch.Tensor]:
        """Give labels and errors of some stars."""
        return torch.from_numpy(self.values[rows]).float(), torch.from_numpy(self.errors[rows]).float()


def probe_numbers(embedding: np.ndarray, known: Known) -> tuple[Head, dict[str, float]]:
    """Fit weighted sums of embeddings in closed form; give them and by what their errors must be multiplied."""
    rows = known.usable
    part, off = probe(embedding[rows], known.told, known.values[rows], known.errors[rows])
    return part, {label.name: _quantile(np.abs(off[:, k])[np.isfinite(off[:, k])]) for k, label in enumerate(part.labels)}


def learn_numbers(model: Model, embedding: np.ndarray, known: Known, kept: np.ndarray, head: str, seed: int,
                  progress: Callable[[str], None] | None) -> tuple[Head, dict[str, float]]:
    """Train a head of a kind on embeddings; give it and by what its errors must be multiplied."""
    from ..registry import get_part

    torch.manual_seed(seed)
    part = get_part("heads", head)(dim=model.dim, labels=known.told, **({"hidden": 128} if head == "gaussian" else {}))
    part = _trained(part, embedding, known, known.usable & ~kept, known.usable & kept, seed, progress)
    return part, factors_of(part, embedding[known.usable & kept], known.values[known.usable & kept])


def _trained(part: Head, embedding: np.ndarray, known: Known, own: np.ndarray, kept: np.ndarray, seed: int,
           progress: Callable[[str], None] | None) -> Head:
    given, truth, error = torch.from_numpy(embedding[own]), *known.tensors(own)
    other, wanted = torch.from_numpy(embedding[kept]), known.tensors(kept)
    generator = torch.Generator().manual_seed(seed)
    _standardise_input(part, given)
    optimiser = torch.optim.AdamW(part.parameters(), RATE, weight_decay=0.05)
    schedule = torch.optim.lr_scheduler.ReduceLROnPlateau(optimiser, factor=0.5, patience=6)
    best, state, stale, round_ = np.inf, None, 0, 0
    steps = max(10, -(-len(given) // BATCH))
    while stale < PATIENCE and round_ < 200:
        part.train()
        for _ in range(steps):
            rows = torch.randint(len(given), (min(BATCH, len(given)),), generator=generator)
            optimiser.zero_grad()
            _score(part, given[rows], truth[rows], error[rows]).backward()
            torch.nn.utils.clip_grad_norm_(part.parameters(), 5.0)
            optimiser.step()
        part.eval()
        with torch.no_grad():
            score = float(_score(part, other, *wanted, beta=0.0))
        schedule.step(score)
        stale = stale + 1 if not score < best - 1e-4 else 0
        if score < best:
            best, state = score, {name: tensor.clone() for name, tensor in part.state_dict().items()}
        round_ += 1
        if progress and round_ % 10 == 0:
            progress(f"round {round_}: {score:.3f} on kept stars, best {best:.3f}")
    if state is None:
        raise DataError("the head did not learn anything finite: are labels or embeddings out of range?")
    part.load_state_dict(state)
    return part.eval()


def _standardise_input(part: Head, embedding: torch.Tensor) -> None:
    """Let the first layer see embeddings of mean 0 and deviation 1, whatever their scale."""
    first = next((layer for layer in part.modules() if isinstance(layer, torch.nn.Linear)), None)
    if first is None or first.in_features != embedding.shape[1]:
        return
    with torch.no_grad():
        spread = embedding.std(0)
        spread = torch.where(spread > 1e-6 * spread.max().clamp_min(1e-30), spread, torch.inf)
        first.weight /= spread
        first.bias -= first.weight @ embedding.mean(0)


def _score(part: Head, embedding: torch.Tensor, truth: torch.Tensor, error: torch.Tensor, *,
           beta: float = 0.5) -> torch.Tensor:
    if hasattr(part, "log_density"):
        return -part.log_density(embedding, truth).mean()
    return label_loss(*part.standardised(embedding), part.standardise(truth), beta=beta,
                      error=part.scale.standardise_error(truth, error))


def factors_of(part: Head, embedding: np.ndarray, values: np.ndarray) -> dict[str, float]:
    """Give the quantile of errors over predicted errors (Vovk et al. 2005; Lei et al. 2018, JASA 113, 1094)."""
    with torch.inference_mode():
        read: Mapping[str, torch.Tensor] = part.read(torch.from_numpy(embedding))
    factors = {}
    for k, label in enumerate(part.labels):
        known = np.isfinite(values[:, k])
        off = np.abs(read[label.name].numpy() - values[:, k])[known] / read[f"{label.name}_err"].numpy()[known]
        factors[label.name] = _quantile(off)
    return factors


def _quantile(off: np.ndarray) -> float:
    """Give by what errors must be multiplied so that 68.27 % of new stars lie within them."""
    rank = min(1.0, 0.6827 * (1 + 1 / max(1, len(off))))
    return float(np.quantile(off, rank, method="higher")) if len(off) else 1.0
