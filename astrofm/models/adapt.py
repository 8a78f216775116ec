"""Adaptation: learn labels through the encoder itself, all of it or by low-rank adapters."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import torch
from torch import nn

from ..data import Batch
from ..errors import DataError
from ..interfaces.encoder import Encoder
from ..interfaces.head import Head
from ..nn.lowrank import LowRank, insert, merge
from ..training import label_loss
from . import inputs
from .precision import autocast

if TYPE_CHECKING:
    from .model import Model

#: where adapters may lie, and the parts of a model that these are
PLACES = {"encoder": "encoder", "projection": "aligner", "head": "head"}
#: stars a step, rounds without progress before it stops, rounds at most
BATCH, PATIENCE, ROUNDS = 32, 12, 100
#: learning rates that are tried; the best on the kept stars is taken
RATES = {"lora": (1e-3,), "full": (1e-4, 1e-5)}


class Goal(Protocol):
    """What is known of the stars, by their rows."""

    def loss(self, head: Head, embedding: torch.Tensor, rows: np.ndarray, *, kept: bool) -> torch.Tensor:
        """Say how wrong a head is about some stars, to learn from, or to stop by (``kept``)."""


@dataclass(frozen=True, eq=False)
class NumberGoal:
    """Labels that are numbers, and their errors, ``(n, k)``, in their units; NaN where unknown."""

    truth: torch.Tensor
    error: torch.Tensor

    def loss(self, head: Head, embedding: torch.Tensor, rows: np.ndarray, *, kept: bool) -> torch.Tensor:
        """See `Goal`."""
        mean, log_error = head.standardised(embedding)
        truth, error = (each[rows].to(embedding.device) for each in (self.truth, self.error))
        return label_loss(mean, log_error, head.standardise(truth), beta=0.0 if kept else 0.5,
                          error=head.scale.standardise_error(truth, error))


@dataclass(frozen=True, eq=False)
class ClassGoal:
    """Classes ``(n,)``, numbers beside the embedding ``(n, e)``, and the logarithm of how common classes are ``(k,)``."""

    truth: torch.Tensor
    beside: torch.Tensor
    log_part: torch.Tensor
    smoothing: float = 0.0

    def loss(self, head: Head, embedding: torch.Tensor, rows: np.ndarray, *, kept: bool) -> torch.Tensor:
        """See `Goal`."""
        truth, beside = (each[rows].to(embedding.device) for each in (self.truth, self.beside))
        scores = head.scores(torch.cat([embedding, beside], dim=1)) + self.log_part.to(embedding.device)
        return nn.functional.cross_entropy(scores, truth, label_smoothing=0.0 if kept else self.smoothing)


@dataclass(frozen=True, eq=False)
class Stars:
    """Stars of several instruments: batches of one instrument each, and which rows they are."""

    batches: list[tuple[Batch, np.ndarray]]
    places: dict[int, tuple[int, int]] = field(default_factory=dict)

    @classmethod
    def gather(cls, data: Any, encoder: Encoder) -> Stars:
        """Read all of them once, and do what the encoder does of them whatever its weights are."""
        read = [piece for piece in inputs.gather(data) if piece.batch is not None]
        batches = [(encoder.prepare(piece.batch), np.asarray(piece.rows)) for piece in read]
        return cls(batches, {int(row): (k, at) for k, (_, rows) in enumerate(batches) for at, row in enumerate(rows)})

    def pieces(self, rows: np.ndarray) -> list[tuple[Batch, np.ndarray]]:
        """Give batches that hold ``rows``, each of one instrument, and which of them each holds."""
        found = []
        for k, (batch, _) in enumerate(self.batches):
            own = np.array([row for row in rows.tolist() if self.places[row][0] == k], int)
            if len(own):
                found.append((batch[np.array([self.places[row][1] for row in own.tolist()])], own))
        return found


def adapt(model: Model, head: Head, goal: Goal, stars: Stars, own: np.ndarray, kept: np.ndarray, *, method: str,
          places: Sequence[str], rank: int, alpha: float, rates: Sequence[float] | None, seed: int,
          progress: Callable[[str], None] | None) -> tuple[nn.ModuleDict, dict[str, LowRank]]:
    """Train copies of a model's parts and a head.

    Parameters
    ----------
    model : Model
    head : Head
        Where to start from.
    goal : Goal
    stars : Stars
    own, kept : ndarray of int
        Rows that are learned from, and those that say when to stop.
    method : str
        ``"lora"`` or ``"full"``.
    places : sequence of str
        Of `PLACES`.
    rank, alpha, rates, seed, progress
        See `Model.fit`.

    Returns
    -------
    parts : ModuleDict
        ``encoder``, ``aligner`` and ``head``, adapters merged.
    adapters : dict of str to LowRank
        As they were before.
    """
    unknown = [place for place in places if place not in PLACES]
    if unknown or not places:
        raise DataError(f"places are of {', '.join(PLACES)}, not {unknown[0] if unknown else 'none'!r}")
    parts = nn.ModuleDict({"encoder": again(model.encoder), "aligner": again(model.aligner), "head": again(head)})
    parts.to(model.device).eval().requires_grad_(False)
    under = [PLACES[place] for place in places]
    torch.manual_seed(seed)
    adapters: dict[str, LowRank] = {}
    if method == "lora":
        adapters = insert(parts, rank=rank, alpha=alpha, under=under)
        if not adapters:
            raise DataError(f"no linear layer of {' and '.join(places)} is as wide as the rank {rank}: lower it, or choose "
                            "another place")
        parts.to(model.device)
    else:
        for place in under:
            parts[place].requires_grad_(True)
    learned = [p for p in parts.parameters() if p.requires_grad]
    if not learned:
        raise DataError(f"{' and '.join(places)} of this model have nothing that learns")
    first, best, state = {name: x.clone() for name, x in parts.state_dict().items()}, np.inf, None
    for rate in rates or RATES[method]:
        parts.load_state_dict(first)
        optimiser, order, stale = torch.optim.AdamW(learned, rate, weight_decay=0.01), np.random.default_rng(seed), 0
        for round_ in range(ROUNDS + 1):
            rows = order.permutation(own) if round_ else own[:0]  # the first look is at the model as it was
            for start in range(0, len(rows), BATCH):
                _step(model, parts, goal, stars.pieces(rows[start: start + BATCH]), learned, optimiser)
            with torch.no_grad():
                score = sum(float(goal.loss(parts["head"], _embed(model, parts, batch), some, kept=True)) * len(some)
                            for batch, some in stars.pieces(kept)) / len(kept)
            stale = 0 if score < best - 1e-4 else stale + 1
            if score < best:
                best, state = score, {name: x.clone() for name, x in parts.state_dict().items()}
            if progress:
                progress(f"rate {rate:g}, round {round_}: {score:.3f} on kept stars, best {best:.3f}")
            if stale >= PATIENCE:
                break
    if state is None:
        raise DataError("nothing finite was learned: are labels out of range, or the rate too high?")
    parts.load_state_dict(state)
    written = {name: copy.deepcopy(one) for name, one in adapters.items()}
    merge(parts)
    return parts.eval(), written


def _step(model: Model, parts: nn.ModuleDict, goal: Goal, pieces: Sequence[tuple[Batch, np.ndarray]],
          learned: Sequence[nn.Parameter], optimiser: torch.optim.Optimizer) -> None:
    optimiser.zero_grad()
    for batch, some in pieces:
        share = len(some) / sum(len(each) for _, each in pieces)
        (goal.loss(parts["head"], _embed(model, parts, batch), some, kept=False) * share).backward()
    nn.utils.clip_grad_norm_(learned, 1.0)
    optimiser.step()


def embed(model: Model, parts: nn.ModuleDict, stars: Stars, rows: np.ndarray) -> np.ndarray:
    """Embed stars by parts that were adapted, a batch at a time; ``(n, dim)`` in the order of ``rows``."""
    places, found = {row: k for k, row in enumerate(rows.tolist())}, np.empty((len(rows), model.dim), np.float32)
    with torch.inference_mode():
        for start in range(0, len(rows), model.encoder.cpu_batch):
            for batch, some in stars.pieces(rows[start: start + model.encoder.cpu_batch]):
                found[[places[row] for row in some.tolist()]] = _embed(model, parts, batch).cpu().numpy()
    return found


def _embed(model: Model, parts: nn.ModuleDict, batch: Batch) -> torch.Tensor:
    with autocast(model.precision if model.precision != "int8" else "auto", model.device, model.encoder):
        own = parts["encoder"].embed(batch.tensors(model.device))
    return parts["aligner"].align(own.float(), batch.instrument)


def again(part: nn.Module) -> nn.Module:
    """Build a part once more, with the same weights."""
    other = type(part)(**part.arguments)
    other.load_state_dict(part.state_dict())
    return other
