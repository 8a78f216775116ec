"""SpecCLIP's published perceptrons of single labels, as heads."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import nn

from astrofm.errors import ModelFileError
from astrofm.interfaces import Head, Label
from astrofm.models.pickles import read_checkpoint

#: labels by our names: unit and description
LABELS = {
    "teff": ("K", "effective temperature"), "logg": ("dex", "log10 of surface gravity in cm/s2"),
    "fe_h": ("dex", "iron abundance relative to the Sun"), "alpha_fe": ("dex", "alpha elements relative to iron"),
    "e_bp_rp": ("mag", "reddening E(BP-RP)"), "rv": ("km/s", "radial velocity"),
    **{f"{x}_fe": ("dex", f"{x.capitalize()} relative to iron") for x in ("c", "n", "mg", "o", "al", "si", "ca", "ti", "mn",
                                                                          "ni", "cr")}}


class PublishedRegressor(Head):
    """Read one label by a perceptron whose inputs are standardised; it says nothing of errors, so they are NaN.

    Parameters
    ----------
    dim : int
        Numbers of the embedding.
    label : str
        One of `LABELS`.
    hidden : sequence of int
        Layers, each with batch norm and ReLU.
    """

    name = "specclip-regressor"

    def __init__(self, *, dim: int = 768, label: str = "fe_h", hidden: Sequence[int] = (1024, 512, 64)):
        super().__init__(dim=dim, label=label, hidden=list(hidden))
        if label not in LABELS:
            raise ValueError(f"label is one of {', '.join(LABELS)}, not {label!r}")
        self.dim = dim
        unit, description = LABELS[label]
        self.labels = (Label(label, unit, description),)
        self.register_buffer("mean", torch.zeros(dim))
        self.register_buffer("deviation", torch.ones(dim))
        layers: list[nn.Module] = []
        for low, high in zip((dim, *hidden[:-1]), hidden, strict=True):
            layers += [nn.Linear(low, high), nn.BatchNorm1d(high), nn.ReLU(), nn.Dropout(0.1)]
        self.network = nn.Sequential(*layers, nn.Linear(hidden[-1], 1))

    def _read(self, embedding: torch.Tensor) -> Mapping[str, torch.Tensor]:
        value = self.network((embedding - self.mean) / self.deviation)[:, 0]
        return {self.labels[0].name: value, f"{self.labels[0].name}_err": torch.full_like(value, torch.nan)}


def import_regressor(path: str | os.PathLike, stats: str | os.PathLike | None, *, label: str, dim: int) -> PublishedRegressor:
    """Make a head of a published ``downstream_models/*/mlp/LABEL.pt``; nothing in it is run.

    Parameters
    ----------
    path : path
    stats : path, optional
        The ``stats/*/*_mean_std.json`` of its inputs; None where it has none.
    label : str
        Which of `LABELS` it reads.
    dim : int
        Numbers of the aligned model's embedding.

    Raises
    ------
    ModelFileError
        A posterior of sbi, which is a program and is not read; another file; other sizes.
    """
    path = Path(path)
    if path.suffix == ".pkl":
        raise ModelFileError(f"{path} is a posterior of sbi: a pickle of live objects, which is a program and is not read. "
                             "Fit a posterior head of ours on stars with known labels: model.fit(..., head=\"posterior\")")
    if label not in LABELS:
        raise ModelFileError(f"{path}: label is one of {', '.join(LABELS)}, not {label!r}")
    state = read_checkpoint(path).get("model_state_dict")
    if not isinstance(state, Mapping) or not all(isinstance(x, torch.Tensor) for x in state.values()):
        raise ModelFileError(f"{path} has no 'model_state_dict' of tensors: is it one of SpecCLIP's downstream_models/*/mlp?")
    linear = sorted(int(found[1]) for name in state if (found := re.fullmatch(r"network\.(\d+)\.weight", name))
                    and state[name].ndim == 2)
    if not linear or state[f"network.{linear[0]}.weight"].shape[1] != dim:
        raise ModelFileError(f"{path} does not read {dim} numbers: is it a head of another model, or no ParamRegressor?")
    hidden = [state[f"network.{k}.weight"].shape[0] for k in linear[:-1]]
    head = PublishedRegressor(dim=dim, label=label, hidden=hidden)
    wanted = {name for name in head.state_dict() if name.startswith("network.")}
    if wanted != set(state) or any(head.state_dict()[name].shape != x.shape for name, x in state.items()):
        odd = sorted(wanted ^ set(state)) or ["shapes"]
        raise ModelFileError(f"{path} is not laid out as SpecCLIP's heads are (at {odd[0]!r}): is it of another version?")
    mean, deviation = (torch.zeros(dim), torch.ones(dim)) if stats is None else _stats(Path(stats), dim)
    head.load_state_dict({**state, "mean": mean, "deviation": deviation})
    return head.eval()


def _stats(path: Path, dim: int) -> tuple[torch.Tensor, torch.Tensor]:
    try:
        told: Any = json.loads(path.read_text())
        mean, deviation = (torch.tensor(told[key], dtype=torch.float32).reshape(-1) for key in ("mean", "std"))
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ModelFileError(f"{path} does not give 'mean' and 'std' of a head's inputs ({error})") from error
    if mean.shape != (dim,) or deviation.shape != (dim,) or not bool((deviation > 0).all()):
        raise ModelFileError(f"{path} gives {len(mean)} means and {len(deviation)} deviations, {dim} positive ones are "
                             "wanted")
    return mean, deviation
