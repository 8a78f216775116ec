"""The training loop: plain torch, with progress, a log, checkpoints and exact resume."""

from __future__ import annotations

import csv
import math
import os
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import nn

from ..errors import ModelFileError

#: what a step gives: the loss to make small, and numbers for the log
Losses = tuple[torch.Tensor, Mapping[str, float]]


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

    def rate(self, step: int) -> float:
        """Give the learning rate at a step: linear warm-up, then cosine."""
        if step < self.warmup:
            return self.learning_rate * (step + 1) / self.warmup
        part = (step - self.warmup) / max(1, self.steps - self.warmup)
        return self.learning_rate * (self.final + (1 - self.final) * 0.5 * (1 + math.cos(math.pi * min(1.0, part))))


def train(modules: nn.ModuleDict, losses: Callable[[int], Losses], schedule: Schedule, *, folder: Path,
          progress: Callable[[str], None] = print) -> None:
    """Train until the schedule ends; started again, go on from the last checkpoint.

    Parameters
    ----------
    modules : ModuleDict
        What learns, in place.
    losses : callable
        Takes the step number and gives the loss and its parts. It must draw its data from the step
        number alone, so that a resumed run equals one that was never stopped.
    schedule : Schedule
    folder : Path
        For ``checkpoint.pt`` (replaced whole) and ``log.csv``.
    progress : callable
        Called with one line each ``log_every`` steps.

    Raises
    ------
    ModelFileError
        If the folder's checkpoint belongs to other modules or another schedule.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    parameters = [p for p in modules.parameters() if p.requires_grad]
    optimisers = _optimisers(parameters, schedule)
    start = _resume(folder, modules, optimisers, schedule)
    device = parameters[0].device.type
    began, since = time.monotonic(), start
    modules.train()
    for step in range(start, schedule.steps):
        for optimiser in optimisers:
            for group in optimiser.param_groups:
                group["lr"] = schedule.rate(step)
        torch.manual_seed(step)
        with torch.autocast(device, torch.bfloat16, enabled=schedule.precision == "bfloat16"):
            loss, parts = losses(step)
        modules.zero_grad(set_to_none=True)
        loss.backward()
        norm = float(nn.utils.clip_grad_norm_(parameters, schedule.clip))
        if math.isfinite(norm):
            for optimiser in optimisers:
                optimiser.step()
        if (step + 1) % schedule.log_every == 0:
            speed = (step + 1 - since) / (time.monotonic() - began)
            row = {"step": step + 1, "loss": float(loss.detach()), "norm": norm, **parts}
            _log(folder / "log.csv", row)
            left = (schedule.steps - step - 1) / speed / 60
            progress(f"{step + 1}/{schedule.steps}  {speed:.2f} steps/s  {left:.0f} min left  "
                     + "  ".join(f"{k} {v:.3f}" for k, v in row.items() if k != "step"))
        if (step + 1) % schedule.checkpoint_every == 0 or step + 1 == schedule.steps:
            _save(folder, modules, optimisers, schedule, step + 1)
    modules.eval()


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
        made.append(torch.optim.AdamW(others, lr=schedule.learning_rate, betas=(0.9, 0.98),
                                      weight_decay=schedule.weight_decay))
    return made


def _save(folder: Path, modules: nn.ModuleDict, optimisers: list[torch.optim.Optimizer], schedule: Schedule,
          step: int) -> None:
    state = {"modules": modules.state_dict(), "optimisers": [o.state_dict() for o in optimisers], "step": step,
             "schedule": vars(schedule)}
    temporary = folder / "checkpoint.pt.tmp"
    torch.save(state, temporary)
    os.replace(temporary, folder / "checkpoint.pt")


def _resume(folder: Path, modules: nn.ModuleDict, optimisers: list[torch.optim.Optimizer],
            schedule: Schedule) -> int:
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
    _forget_after(folder / "log.csv", state["step"])
    return int(state["step"])


def _log(path: Path, row: Mapping[str, float]) -> None:
    new = not path.exists()
    with path.open("a", newline="") as stream:
        writer = csv.DictWriter(stream, list(row), extrasaction="ignore")
        if new:
            writer.writeheader()
        writer.writerow({key: f"{item:.6g}" for key, item in row.items()})


def _forget_after(path: Path, step: int) -> None:
    """Drop the log's rows after a checkpoint, which a resumed run writes again."""
    if not path.exists():
        return
    with path.open(newline="") as stream:
        lines = stream.read().splitlines()
    kept = [line for line in lines[1:] if int(float(line.split(",")[0])) <= step]
    path.write_text("\n".join([lines[0], *kept]) + "\n")
