"""Heads for a model: labels learned from its embeddings of stars whose labels are known."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from astropy import units as u
from astropy.table import QTable, Table

from ..errors import DataError
from ..interfaces.head import Head
from ..training import label_loss, part_of

if TYPE_CHECKING:
    from .model import Model

#: kinds of heads and what they are called in a model
HEADS = ("gaussian", "posterior")
#: part of the stars that is kept to stop in time and to calibrate errors
KEPT = 0.2
#: labels learned as logarithms where all are positive and they span more than this factor
SPAN = 1.8
#: batch, highest learning rate, and epochs' worth of steps without progress before it stops
BATCH, RATE, PATIENCE = 256, 2e-3, 20


def fit_head(model: Model, data: Any, labels: Table, *, head: str = "gaussian",
             stars: Sequence[Any] | None = None, seed: int = 0,
             progress: Callable[[str], None] | None = None) -> tuple[Head, dict[str, float]]:
    """Train a head on a model's embeddings; see `Model.fit`.

    Returns
    -------
    head : Head
    factors : dict of str to float
        By what the errors of each label must be multiplied, so that 68.27 % of the kept stars lie within them.
    """
    from ..registry import get_part

    if head not in HEADS:
        raise DataError(f"head is one of {', '.join(HEADS)}, not {head!r}")
    embedding = model.embed(data)
    if embedding.ndim == 1:
        raise DataError("a head learns from many stars: give a list, a Batch or files")
    told, values = describe_labels(labels)
    if len(values) != len(embedding):
        raise DataError(f"there are {len(embedding)} stars and {len(values)} rows of labels: a row for each is wanted")
    usable = np.isfinite(embedding).all(axis=1) & (np.isfinite(values).all(axis=1) if head == "posterior"
                                                   else np.isfinite(values).any(axis=1))
    if usable.sum() < 20:
        raise DataError(f"{usable.sum()} stars have an embedding and labels: 20 are the least to learn from")
    kept = _kept(stars, len(values), usable, seed)
    torch.manual_seed(seed)
    part = get_part("heads", head)(dim=model.dim, labels=told, **({"hidden": 128} if head == "gaussian" else {}))
    part = _train(part, embedding, values, usable & ~kept, usable & kept, seed, progress)
    return part, _factors(part, embedding[usable & kept], values[usable & kept])


def fit(model: Model, data: Any, labels: Table, *, head: str, stars: Sequence[Any] | None, keep: Sequence[str], seed: int,
        progress: Callable[[str], None] | None) -> Model:
    """Make a model with a fitted head; see `Model.fit`."""
    from .model import Model

    unknown = [name for name in keep if name not in model.heads]
    if unknown:
        raise DataError(f"the model has no head {unknown[0]!r} to keep; it has {', '.join(model.heads) or 'none'}")
    part, factors = fit_head(model, data, labels, head=head, stars=stars, seed=seed, progress=progress)
    heads = dict(sorted({**{name: model.heads[name] for name in keep}, "fitted": part}.items()))  # as a file lists them
    calibration = {key: {name: factor for name, factor in value.items() if name not in factors}
                   for key, value in model.about["calibration"].items()}
    calibration["*"] = {**calibration.get("*", {}), **factors}
    card = {key: value for key, value in model.about.items() if key not in ("parts", "labels", "format")}
    card |= {"name": f"{model.name}-fitted", "calibration": calibration,
             "provenance": {**model.about["provenance"], "fitted_from": model.sha256, "head": head, "spectra": len(labels)}}
    return Model(model.encoder, model.aligner, heads, card=card, familiarity=model.familiarity).to(
        model.device, precision=model.precision)


def describe_labels(labels: Table) -> tuple[list[dict[str, Any]], np.ndarray]:
    """Turn a table's columns into what a head is built from, and their values ``(n, k)``; NaN where masked.

    Raises
    ------
    DataError
        A column that is no number, or holds fewer than two different ones.
    """
    table = QTable(labels)
    told, values = [], []
    for name in table.colnames:
        column = table[name]
        if getattr(column, "ndim", 1) != 1 or np.asarray(column).dtype.kind not in "iuf":
            raise DataError(f"label {name!r} is no column of numbers: a head learns numbers; choose columns with "
                            "table[[...]]")
        unit = column.unit
        value = np.ma.filled(np.ma.asarray(column.value if isinstance(column, u.Quantity) else column, float), np.nan)
        known = value[np.isfinite(value)]
        if len(np.unique(known)) < 2:
            raise DataError(f"label {name!r} has {len(np.unique(known))} different values: there is nothing to learn")
        log = bool(known.min() > 0 and known.max() > SPAN * known.min())
        scaled = np.log10(known) if log else known
        told.append({"name": name, "unit": "" if unit is None else unit.to_string(),
                     "description": column.info.description or "", "low": float(known.min()), "high": float(known.max()),
                     "centre": float(scaled.mean()), "spread": float(scaled.std()), "log": log})
        values.append(value)
    if not told:
        raise DataError("the table of labels has no column")
    return told, np.stack(values, axis=1)


def _kept(stars: Sequence[Any] | None, n: int, usable: np.ndarray, seed: int) -> np.ndarray:
    """Choose the stars that are kept, whole stars where keys say which spectra are of one."""
    if stars is not None and len(stars) != n:
        raise DataError(f"stars names {len(stars)} stars, there are {n} spectra")
    keys = range(n) if stars is None else stars
    kept = np.array([part_of(f"{seed} {key}") < KEPT for key in keys])
    if (kept & usable).sum() < 4 or (~kept & usable).sum() < 4:
        raise DataError("too few different stars to keep some of them for calibration")
    return kept


def _train(part: Head, embedding: np.ndarray, values: np.ndarray, own: np.ndarray, kept: np.ndarray, seed: int,
           progress: Callable[[str], None] | None) -> Head:
    given, truth = torch.from_numpy(embedding[own]), torch.from_numpy(values[own]).float()
    other, wanted = torch.from_numpy(embedding[kept]), torch.from_numpy(values[kept]).float()
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
            _score(part, given[rows], truth[rows]).backward()
            torch.nn.utils.clip_grad_norm_(part.parameters(), 5.0)
            optimiser.step()
        part.eval()
        with torch.no_grad():
            score = float(_score(part, other, wanted, beta=0.0))
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


def _score(part: Head, embedding: torch.Tensor, truth: torch.Tensor, *, beta: float = 0.5) -> torch.Tensor:
    if hasattr(part, "log_density"):
        return -part.log_density(embedding, truth).mean()
    return label_loss(*part.standardised(embedding), part.standardise(truth), beta=beta)


def _factors(part: Head, embedding: np.ndarray, values: np.ndarray) -> dict[str, float]:
    """Give the quantile of errors over predicted errors (Vovk et al. 2005; Lei et al. 2018, JASA 113, 1094)."""
    with torch.inference_mode():
        read: Mapping[str, torch.Tensor] = part.read(torch.from_numpy(embedding))
    factors = {}
    for k, label in enumerate(part.labels):
        known = np.isfinite(values[:, k])
        off = np.abs(read[label.name].numpy() - values[:, k])[known] / read[f"{label.name}_err"].numpy()[known]
        rank = min(1.0, 0.6827 * (1 + 1 / max(1, known.sum())))
        factors[label.name] = float(np.quantile(off, rank, method="higher")) if known.any() else 1.0
    return factors
