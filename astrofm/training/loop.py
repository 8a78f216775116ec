"""The training loop: plain torch, with progress, a log, checkpoints and exact resume."""

from __future__ import annotations

import math
import os
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import torch
from torch import nn

from ..errors import DataError, ModelFileError
from .log import Log, forget_after
from .team import Team


class Loss(NamedTuple):
    """What a piece of a step gives.

    Parameters
    ----------
    value : Tensor, shape ``()``
        To be made small: a mean.
    parts : mapping of str to float
        Numbers for the log.
    weight : float
        How many terms the mean is of; pieces are joined by it.
    """

    value: torch.Tensor
    parts: Mapping[str, float]
    weight: float = 1.0


@dataclass(frozen=True)
class Schedule:
    """How long and how fast to learn.

    Parameters
    ----------
    steps : int
        Optimiser steps.
    learning_rate : float
        Highest; reached after ``warmup`` steps, then cosine to ``final`` times it.
    warmup : int
    final : float
    weight_decay, clip : float
        Of the optimiser, and largest norm of the gradient.
    checkpoint_every, log_every : int
        In steps.
    precision : str
        ``"bfloat16"`` for autocast, or ``"float32"``.
    optimiser : str
        ``"adamw"``, or ``"muon"`` (torch 2.9 and later) for the matrices and AdamW for the rest.
    betas : pair of float
        Of AdamW.
    pieces : int
        Pieces a step's stars are computed in, one after the other or spread over processes: gradients add up, so
        memory is that of a piece. What compares stars (contrasts, batch norms) sees those of its own piece. The
        result does not depend on how many processes share the pieces.
    check_every : int
        Steps between looks at the validation stars, where there are any.
    """

    steps: int
    learning_rate: float = 1e-3
    warmup: int = 200
    final: float = 0.02
    weight_decay: float = 0.02
    clip: float = 1.0
    checkpoint_every: int = 250
    log_every: int = 25
    precision: str = "bfloat16"
    optimiser: str = "adamw"
    betas: tuple[float, float] = (0.9, 0.98)
    pieces: int = 1
    check_every: int = 250

    def rate(self, step: int) -> float:
        """Give the learning rate at a step: linear warm-up, then cosine."""
        if step < self.warmup:
            return self.learning_rate * (step + 1) / self.warmup
        part = (step - self.warmup) / max(1, self.steps - self.warmup)
        return self.learning_rate * (self.final + (1 - self.final) * 0.5 * (1 + math.cos(math.pi * min(1.0, part))))


def train(modules: nn.ModuleDict, losses: Callable[[int, int], Loss], schedule: Schedule, *, folder: Path,
          progress: Callable[[str], None] = print, check: Callable[[], Mapping[str, float]] | None = None,
          team: Team | None = None, tensorboard: bool = False) -> None:
    """Train until the schedule ends; started again, go on from the last checkpoint.

    Parameters
    ----------
    modules : ModuleDict
        What learns, in place.
    losses : callable
        Takes the number of the step and of the piece and gives a `Loss`. It must draw its data from these numbers
        alone, so that a resumed run equals one that was never stopped. The loss is computed in the schedule's precision.
    schedule : Schedule
    folder : Path
        For ``checkpoint.pt`` (replaced whole), ``log.csv``, and ``valid.csv`` where ``check`` is given.
    progress : callable
        Called with one line each ``log_every`` steps.
    check : callable, optional
        Called with the modules in evaluation mode; gives numbers for ``valid.csv``.
    team : Team, optional
        The processes that train together, as ``torchrun`` started them; one alone by default.
    tensorboard : bool
        Write the log for TensorBoard, too.

    Raises
    ------
    ModelFileError
        If the folder's checkpoint belongs to other modules or another schedule.
    DataError
        If the team has more processes than there are pieces a step, or they do not divide evenly.
    """
    folder, team = Path(folder), team or Team()
    if schedule.pieces % team.size:
        raise DataError(f"{team.size} processes can't share {schedule.pieces} pieces a step: set pieces in the schedule "
                        f"to {team.size} or a multiple")
    folder.mkdir(parents=True, exist_ok=True)
    parameters = [p for p in modules.parameters() if p.requires_grad]
    optimisers = _optimisers(parameters, schedule)
    start = _resume(folder, modules, optimisers, schedule, team)
    log = Log(folder, tensorboard=tensorboard) if team.first else None
    began = time.monotonic()
    modules.train()
    for step in range(start, schedule.steps):
        for optimiser in optimisers:
            for group in optimiser.param_groups:
                group["lr"] = schedule.rate(step)
        modules.zero_grad(set_to_none=True)
        loss, parts = _pieces(modules, parameters, losses, schedule, team, step)
        norm = float(nn.utils.clip_grad_norm_(parameters, schedule.clip))
        if math.isfinite(norm):
            for optimiser in optimisers:
                optimiser.step()
        last = step + 1 == schedule.steps
        if log and (step + 1) % schedule.log_every == 0:
            row = {"loss": loss, "norm": norm, "rate": schedule.rate(step), **parts}
            log.write("log", step + 1, row)
            progress(_line(step + 1, schedule.steps, (step + 1 - start) / (time.monotonic() - began), row))
        if log and check and ((step + 1) % schedule.check_every == 0 or last):
            modules.eval()
            row = dict(check())
            modules.train()
            log.write("valid", step + 1, row)
            progress(f"{step + 1}/{schedule.steps}  valid  " + _numbers(row))
        if log and ((step + 1) % schedule.checkpoint_every == 0 or last):
            _save(folder, modules, optimisers, schedule, step + 1)
    team.wait()
    modules.eval()


def _pieces(modules: nn.ModuleDict, parameters: list[nn.Parameter], losses: Callable[[int, int], Loss],
            schedule: Schedule, team: Team, step: int) -> tuple[float, dict[str, float]]:
    """Compute a step's pieces and leave their joint gradient; give the joint loss and numbers for the log."""
    device = parameters[0].device.type
    buffers = [b for b in modules.buffers() if b.is_floating_point()] if schedule.pieces > 1 else []
    counters = [(b, b.clone()) for b in modules.buffers() if not b.is_floating_point()]
    before, after = [b.clone() for b in buffers], [torch.zeros_like(b) for b in buffers]
    totals: dict[str, float] = {"weight": 0.0, "loss": 0.0}
    for piece in range(team.rank, schedule.pieces, team.size):
        for buffer, kept in zip(buffers, before, strict=True):  # each piece starts from the same running means
            buffer.copy_(kept)
        torch.manual_seed(step * schedule.pieces + piece)
        with torch.autocast(device, torch.bfloat16, enabled=schedule.precision == "bfloat16"):
            loss = losses(step, piece)
        (loss.value * loss.weight).backward()
        for total, buffer in zip(after, buffers, strict=True):
            total += buffer
        numbers = {"weight": 1.0, "loss": float(loss.value.detach()), **loss.parts}
        for name, number in numbers.items():
            totals[name] = totals.get(name, 0.0) + loss.weight * number
    present = torch.tensor([float(p.grad is not None) for p in parameters], device=parameters[0].device)
    used = [p for p, some in zip(parameters, team.join([present])[0].tolist(), strict=True) if some]
    joined = team.join([p.grad if p.grad is not None else torch.zeros_like(p) for p in used], totals)
    for parameter, gradient in zip(used, joined, strict=True):
        parameter.grad = gradient / totals["weight"]
    for buffer, total in zip(buffers, team.join(after), strict=True):
        buffer.copy_(total / schedule.pieces)
    for counter, kept in counters:  # a step counts once, however many pieces a process did
        counter.copy_(torch.where(counter != kept, kept + 1, kept))
    weight = totals.pop("weight")
    means = {name: total / weight for name, total in totals.items()}
    return means.pop("loss"), means


def _line(step: int, steps: int, speed: float, row: Mapping[str, float]) -> str:
    left = (steps - step) / speed
    eta = f"{left / 60:.0f} min" if left >= 90 else f"{left:.0f} s"
    return f"{step}/{steps}  {speed:.2f} steps/s  {eta} left  " + _numbers(row)


def _numbers(row: Mapping[str, float]) -> str:
    return "  ".join(f"{name} {number:.3g}" for name, number in row.items())


def _optimisers(parameters: list[nn.Parameter], schedule: Schedule) -> list[torch.optim.Optimizer]:
    matrices = [p for p in parameters if p.ndim == 2]
    others = [p for p in parameters if p.ndim != 2]
    made: list[torch.optim.Optimizer] = []
    if matrices and schedule.optimiser == "muon":
        made.append(torch.optim.Muon(matrices, lr=schedule.learning_rate, weight_decay=schedule.weight_decay,
                                     adjust_lr_fn="match_rms_adamw"))
    else:
        others = parameters
    if others:
        made.append(torch.optim.AdamW(others, lr=schedule.learning_rate, betas=schedule.betas,
                                      weight_decay=schedule.weight_decay))
    return made


def _save(folder: Path, modules: nn.ModuleDict, optimisers: list[torch.optim.Optimizer], schedule: Schedule,
          step: int) -> None:
    state = {"modules": modules.state_dict(), "optimisers": [o.state_dict() for o in optimisers], "step": step,
             "schedule": vars(schedule)}
    temporary = folder / "checkpoint.pt.tmp"
    torch.save(state, temporary)
    os.replace(temporary, folder / "checkpoint.pt")


def _resume(folder: Path, modules: nn.ModuleDict, optimisers: list[torch.optim.Optimizer], schedule: Schedule,
            team: Team) -> int:
    path = folder / "checkpoint.pt"
    if not path.exists():
        return 0
    state = torch.load(path, weights_only=True, map_location=next(modules.parameters()).device)
    if state["schedule"] != vars(schedule):
        raise ModelFileError(f"{path} was written under another schedule ({state['schedule']}): use the same one, "
                             "or another folder")
    try:
        modules.load_state_dict(state["modules"])
    except RuntimeError as error:
        raise ModelFileError(f"{path} belongs to other modules: use another folder ({error})") from error
    for optimiser, kept in zip(optimisers, state["optimisers"], strict=True):
        optimiser.load_state_dict(kept)
    if team.first:
        for name in ("log.csv", "valid.csv"):
            forget_after(folder / name, state["step"])
    return int(state["step"])
