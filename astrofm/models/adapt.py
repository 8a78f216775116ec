"""Adaptation: learn labels through the encoder itself, all of it or by low-rank adapters."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from safetensors.torch import load, save
from torch import nn

from ..data import Batch
from ..errors import DataError, ModelFileError
from ..interfaces.head import Head
from ..nn.lowrank import LowRank, insert, load_adapters, merge, save_adapters
from ..training import label_loss
from . import inputs
from .precision import autocast

if TYPE_CHECKING:
    from .model import Model

#: where adapters may lie, and the parts of a model that these are
PLACES = {"encoder": "encoder", "projection": "aligner", "head": "head"}
#: stars a step, rounds without progress before it stops, rounds at most
BATCH, PATIENCE, ROUNDS = 32, 12, 100
#: file of the head in a folder of adapters
HEAD = "head.safetensors"
#: learning rates that are tried; the best on the kept stars is taken
RATES = {"lora": (1e-3,), "full": (1e-4, 1e-5)}


@dataclass(frozen=True, eq=False)
class Stars:
    """Spectra of several instruments, and what is known of them.

    Parameters
    ----------
    batches : list of (Batch, ndarray)
        Of one instrument each, and which rows they are.
    truth, error : Tensor, shape ``(n, k)``
        Labels and their errors, in their units; NaN where unknown.
    """

    batches: list[tuple[Batch, np.ndarray]]
    truth: torch.Tensor
    error: torch.Tensor
    places: dict[int, tuple[int, int]] = field(default_factory=dict)

    @classmethod
    def gather(cls, data: Any, values: np.ndarray, errors: np.ndarray) -> Stars:
        """Read all spectra once."""
        batches = [(piece.batch, np.asarray(piece.rows)) for piece in inputs.gather(data) if piece.batch is not None]
        places = {int(row): (k, at) for k, (_, rows) in enumerate(batches) for at, row in enumerate(rows)}
        return cls(batches, torch.from_numpy(values).float(), torch.from_numpy(errors).float(), places)

    def pieces(self, rows: np.ndarray) -> list[tuple[Batch, np.ndarray]]:
        """Give batches that hold ``rows``, each of one instrument, and which of them each holds."""
        found = []
        for k, (batch, _) in enumerate(self.batches):
            own = np.array([row for row in rows.tolist() if self.places[row][0] == k], int)
            if len(own):
                found.append((batch[np.array([self.places[row][1] for row in own.tolist()])], own))
        return found


def adapt(model: Model, head: Head, stars: Stars, own: np.ndarray, kept: np.ndarray, *, method: str,
          places: Sequence[str], rank: int, alpha: float, seed: int,
          progress: Callable[[str], None] | None) -> tuple[nn.ModuleDict, dict[str, LowRank]]:
    """Train copies of a model's parts and a head.

    Parameters
    ----------
    model : Model
    head : Head
        Where to start from; with `standardised`.
    stars : Stars
    own, kept : ndarray of int
        Rows that are learned from, and those that say when to stop.
    method : str
        ``"lora"`` or ``"full"``.
    places : sequence of str
        Of `PLACES`.
    rank, alpha, seed, progress
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
    parts = nn.ModuleDict({"encoder": _again(model.encoder), "aligner": _again(model.aligner), "head": _again(head)})
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
    for rate in RATES[method]:
        parts.load_state_dict(first)
        optimiser, order, stale = torch.optim.AdamW(learned, rate, weight_decay=0.01), np.random.default_rng(seed), 0
        for round_ in range(ROUNDS + 1):
            rows = order.permutation(own) if round_ else own[:0]  # the first look is at the model as it was
            for start in range(0, len(rows), BATCH):
                _step(model, parts, stars, rows[start: start + BATCH], learned, optimiser)
            with torch.no_grad():
                score = sum(float(_loss(model, parts, batch, stars, some, beta=0.0)) * len(some)
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


def _step(model: Model, parts: nn.ModuleDict, stars: Stars, rows: np.ndarray, learned: Sequence[nn.Parameter],
          optimiser: torch.optim.Optimizer) -> None:
    optimiser.zero_grad()
    for batch, some in stars.pieces(rows):
        (_loss(model, parts, batch, stars, some) * len(some) / len(rows)).backward()
    nn.utils.clip_grad_norm_(learned, 1.0)
    optimiser.step()


def _loss(model: Model, parts: nn.ModuleDict, batch: Batch, stars: Stars, rows: np.ndarray, *,
          beta: float = 0.5) -> torch.Tensor:
    head, device = parts["head"], model.device
    with autocast(model.precision if model.precision != "int8" else "auto", device, model.encoder):
        own = parts["encoder"].embed(batch.tensors(device))
    mean, log_error = head.standardised(parts["aligner"].align(own.float(), batch.instrument))
    truth, error = stars.truth[rows].to(device), stars.error[rows].to(device)
    return label_loss(mean, log_error, head.standardise(truth), beta=beta, error=head.scale.standardise_error(truth, error))


def _again(part: nn.Module) -> nn.Module:
    """Build a part once more, with the same weights."""
    other = type(part)(**part.arguments)
    other.load_state_dict(part.state_dict())
    return other


def write_adapter(model: Model, folder: Path) -> Path:
    """Write a model's adapters and its head; see `Model.save_adapter`."""
    if not model.adapters:
        raise DataError("this model was not made by fit(method=\"lora\"): it has no adapters to save")
    save_adapters(model.adapters, folder, base=model.about["provenance"]["fitted_from"])
    name, head = next((name, head) for name, head in model.heads.items() if name in model.about["provenance"]["heads"])
    told = {"name": name, "part": head.name, "arguments": head.arguments, "calibration": model.about["calibration"],
            "provenance": model.about["provenance"]}
    tensors = {key: x.detach().cpu().contiguous() for key, x in head.state_dict().items()}
    (folder / HEAD).write_bytes(save(tensors, {"astrofm": json.dumps(told)}))
    return folder


def with_adapter(model: Model, folder: Path) -> Model:
    """Apply a folder of adapters to the model that they were learned beside; see `Model.with_adapter`."""
    from ..registry import get_part
    from .model import Model

    try:
        data = (folder / HEAD).read_bytes()
        told = json.loads(json.loads(data[8: 8 + int.from_bytes(data[:8], "little")])["__metadata__"]["astrofm"])
        head = get_part("heads", told["part"])(**told["arguments"])
        head.load_state_dict(load(data))
    except Exception as error:  # safetensors raises its own classes, and they differ between versions
        raise ModelFileError(f"{folder} holds no adapters with a head ({error}): Model.save_adapter writes such folders"
                             ) from error
    if told["provenance"].get("fitted_from") != model.sha256:
        raise ModelFileError(f"{folder} belongs to the model {told['provenance'].get('fitted_from')!r:.20}, not to "
                             f"{model.name!r} ({model.sha256[:12]}): load that one first")
    parts = nn.ModuleDict({"encoder": _again(model.encoder), "aligner": _again(model.aligner)}).eval()
    adapters = load_adapters(parts, folder, passing_over="head.")
    written = {name: copy.deepcopy(one) for name, one in adapters.items()}
    merge(parts)
    card = {key: value for key, value in model.about.items() if key not in ("parts", "labels", "format")}
    card |= {"name": f"{model.name}-fitted", "familiarity": {}, "calibration": told["calibration"],
             "provenance": told["provenance"]}
    fitted = Model(parts["encoder"], parts["aligner"], {told["name"]: head.eval()}, card=card)
    fitted.adapters = written
    return fitted.to(model.device, precision=model.precision)
