"""Make a model by a recipe from a data set on disk."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch

from ..errors import DataError, ModelFileError
from ..training import Loss, Objective, ShardedData, Team, train
from ..training.seen import keep_seen
from .familiarity import Familiarity
from .files import open_model
from .model import Model
from .recipe import Recipe

#: file of the model in the folder of a run
MODEL = "model.safetensors"
#: validation stars looked at
CHECKED = 1024
#: embeddings of stars that were learned from, by which strangers are told
SEEN = 8192


def learn(recipe: Recipe, data: ShardedData, folder: Path, *, start: Sequence[Path] = (), device: str = "cpu",
          team: Team | None = None, tensorboard: bool = False, progress: Callable[[str], None] = print) -> Path:
    """Train by a recipe and save the model; started again, go on where the run stopped.

    Parameters
    ----------
    recipe : Recipe
    data : ShardedData
    folder : Path
        Of the run: checkpoints, logs, what the weights see of the data, and the model in the end.
    start : sequence of paths
        Models whose encoders' weights are taken over.
    device, team, tensorboard, progress
        As for `train`.

    Returns
    -------
    Path
        Of the model's file.

    Raises
    ------
    DataError
        Too few stars; parts that do not fit each other.
    ModelFileError
        A model to start from gives no weights to this encoder; the run's checkpoint is of another recipe.
    """
    team = team or Team()
    objective = make(recipe, start)
    encoder, aligner = objective.encoder, objective.aligner
    seen = _seen(recipe, objective, data, folder, team, progress)
    learned, checked = _stars(recipe, data, seen, partial=objective.partial)
    progress(f"{len(learned):,} stars to learn from, {len(checked):,} to check on; "
             f"{sum(p.numel() for p in objective.modules.parameters() if p.requires_grad):,} weights learn")
    for part in (encoder, aligner):
        part.to(device).eval()
    objective.modules.to(device)

    def draw(rows: np.ndarray) -> list[torch.Tensor]:
        return [torch.from_numpy(_taken(array, rows[:, k])).to(device) for k, array in enumerate(seen)]

    def losses(step: int, piece: int) -> Loss:
        rows = stars_of_step(len(learned), recipe.stars, step, seed=recipe.seed)
        return objective.loss(draw(learned[rows[piece:: recipe.schedule.pieces]]))

    def some() -> list[list[torch.Tensor]]:
        size = max(2, min(recipe.stars, 256))
        starts = range(0, min(len(checked), CHECKED) - size + 1, size)
        return [draw(checked[at: at + size]) for at in starts] or [draw(checked)]

    train(objective.modules, losses, recipe.schedule, folder=folder, progress=progress, team=team, tensorboard=tensorboard,
          check=(lambda: check(objective, some())) if len(checked) > 1 else None)
    with torch.no_grad():
        objective.finish(some)
    path = folder / MODEL
    if team.first:
        familiarity = familiar(objective, lambda rows: draw(learned[rows]), len(learned), seed=recipe.seed, progress=progress)
        for part in (encoder, aligner):
            part.to("cpu")
        model = Model(encoder, aligner, {name: head.to("cpu").eval() for name, head in objective.heads.items()}, card={
            "name": recipe.name, "instruments": list(objective.described), **recipe.card, "provenance": {
                "recipe": json.loads(json.dumps(asdict(recipe))), "data_sha256": data.sha256, "stars": len(learned),
                "started_from": [open_model(Path(p)).sha256 for p in start]}}, familiarity=familiarity)
        model.save(path, overwrite=True)
        progress(f"{path}: {recipe.name}")
    team.wait()
    return path


def make(recipe: Recipe, start: Sequence[Path] = ()) -> Objective:
    """Build a recipe's parts and its objective, with fresh weights or those of other models' encoders."""
    from ..registry import get_objective, get_part

    torch.manual_seed(recipe.seed)
    kind = get_objective(recipe.objective["name"])
    if kind.command != recipe.command:
        raise DataError(f"objective {recipe.objective['name']!r} belongs to `astrofm {kind.command}`, the recipe says "
                        f"{recipe.command!r}")
    parts: list[Any] = []
    for kinds, told in (("encoders", recipe.encoder), ("aligners", recipe.aligner)):
        try:
            parts.append(get_part(kinds, told["name"])(**told["arguments"]))
        except (TypeError, ValueError) as error:
            raise DataError(f"{kinds[:-1]} {told['name']!r} can't be built from the recipe's arguments: {error}") from error
    try:
        objective = kind(*parts, recipe.instruments, **recipe.objective["arguments"])
    except TypeError as error:
        raise DataError(f"objective {recipe.objective['name']!r} takes no such arguments: {error}") from error
    _take_over(objective, start)
    return objective


def check(objective: Objective, batches: Sequence[Sequence[torch.Tensor]]) -> dict[str, float]:
    """Score validation stars; the random numbers are the same each time."""
    total, weight = {}, 0.0
    with torch.no_grad(), torch.random.fork_rng():
        torch.manual_seed(0)
        for batch in batches:
            loss = objective.loss(batch)
            for name, number in {"loss": float(loss.value), **loss.parts}.items():
                total[name] = total.get(name, 0.0) + loss.weight * number
            weight += loss.weight
    return {name: number / weight for name, number in total.items()}


def familiar(objective: Objective, draw: Callable[[np.ndarray], Sequence[torch.Tensor]], count: int, *, seed: int,
             progress: Callable[[str], None]) -> Familiarity | None:
    """Measure what is like the stars that were learned from, as training shows them.

    Parameters
    ----------
    objective : Objective
    draw : callable
        Gives what the weights see of the stars of some rows.
    count : int
        How many stars were learned from. `SEEN` of them, or fewer more often, are embedded; the threshold is set on a quarter
        that the covariance does not know.
    seed : int
    progress : callable

    Returns
    -------
    Familiarity or None
        None where the objective does not embed stars, or they are too few.
    """
    rows = np.random.default_rng([seed, 1]).permutation(count)[:SEEN]
    found = []
    with torch.no_grad(), torch.random.fork_rng():
        torch.manual_seed(seed)
        for _ in range(max(1, SEEN // max(len(rows), 1))):
            for start in range(0, len(rows), 256):
                some = objective.embed(draw(rows[start: start + 256]))
                if some is None:
                    return None
                found.append(some.cpu().numpy())
    embeddings = np.concatenate(found).reshape(-1, len(rows), found[0].shape[1])
    kept, fitted = np.split(embeddings, [len(rows) // 4], axis=1)
    kept, fitted = (part.reshape(-1, part.shape[2]) for part in (kept, fitted))
    if not len(kept) or len(fitted) <= fitted.shape[1]:
        progress(f"{count} stars are too few to tell what is unlike them: the model flags no strangers")
        return None
    return Familiarity.fit(fitted, kept=kept)


def stars_of_step(count: int, stars: int, step: int, *, seed: int) -> np.ndarray:
    """Give which of ``count`` stars a step sees: each once an epoch, in an order of its own each time."""
    place = np.arange(step * stars, (step + 1) * stars)
    found = np.empty(stars, np.int64)
    for epoch in np.unique(place // count):
        here = place // count == epoch
        found[here] = np.random.default_rng([seed, int(epoch)]).permutation(count)[place[here] % count]
    return found


def _seen(recipe: Recipe, objective: Objective, data: ShardedData, folder: Path, team: Team,
          progress: Callable[[str], None]) -> list[np.ndarray]:
    key = json.dumps(objective.seen_by or [recipe.objective, recipe.encoder], sort_keys=True)
    for turn in (True, False):  # one process prepares, the others wait and find it done
        if team.first is turn:
            found = [keep_seen(data, name, objective.see, folder / "seen", key=key, progress=progress)
                     for name in recipe.instruments]
        team.wait()
    return found


def _taken(array: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """Take rows; those of stars that were not seen, -1, are NaN."""
    taken = array[rows]
    taken[rows < 0] = np.nan
    return taken


def _stars(recipe: Recipe, data: ShardedData, seen: Sequence[np.ndarray], *,
           partial: bool) -> tuple[np.ndarray, np.ndarray]:
    """Give the rows of the stars to learn from and of those to check on; -1 where an instrument did not see a star."""
    cut = recipe.test + recipe.valid
    found = []
    for low, high in ((cut, 1.0), (recipe.test, cut)):
        rows = data.rows(recipe.instruments, low=low, high=high, partial=partial)
        good = np.stack([np.concatenate([np.isfinite(_taken(array, rows[at: at + 4096, k])).all(axis=1)
                                         for at in range(0, len(rows), 4096)] or [np.zeros(0, bool)])
                         for k, array in enumerate(seen)], axis=1)
        rows = np.where(good, rows, -1)
        found.append(rows[good.any(axis=1) if partial else good.all(axis=1)])
    if len(found[0]) < recipe.stars:
        raise DataError(f"{data.folder} has {len(found[0])} stars of {' and '.join(recipe.instruments)} to learn from, the "
                        f"recipe takes {recipe.stars} a step: sample more, or take fewer")
    order = np.random.default_rng(recipe.seed).permutation(len(found[1]))
    return found[0], found[1][order]


def _take_over(objective: Objective, start: Sequence[Path]) -> None:
    """Give the parts the weights of the models to start from; none may be left without."""
    own = {"encoder": objective.encoder, "aligner": objective.aligner,
           **{f"heads.{name}": head for name, head in objective.heads.items()}}
    own = {name: part for name, part in own.items() if name.split(".")[0] in objective.takes_over}
    lacking = {f"{place}.{name}" for place, part in own.items() for name in part.state_dict()} if start else set()
    for path in start:
        model = Model.load(path)
        theirs = {"encoder": model.encoder, "aligner": model.aligner, **{f"heads.{k}": v for k, v in model.heads.items()}}
        taken = set()
        for place, part in own.items():
            wanted = part.state_dict()
            given = theirs[place].state_dict() if place in theirs else {}
            given = {name: x for name, x in given.items() if name in wanted and x.shape == wanted[name].shape}
            part.load_state_dict(given, strict=False)
            taken |= {f"{place}.{name}" for name in given}
        if not taken:
            raise ModelFileError(f"{path} ({model.name}) has no weights for the recipe's "
                                 f"{' or '.join(objective.takes_over)}: are its sizes the recipe's?")
        lacking -= taken
    if lacking:
        raise ModelFileError(f"the models to start from give no weights to {sorted(lacking)[0]!r} of the recipe: name one "
                             "for each instrument with --start")
