"""Low-rank adapters (Hu et al. 2021, arXiv:2106.09685): what is learned beside layers that stay as they are."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path

import torch
from safetensors.torch import load, save
from torch import nn

from ..errors import ModelFileError

#: files of a folder of adapters, and what its tensors are called: as the package peft has them
CONFIG, TENSORS = "adapter_config.json", "adapter_model.safetensors"
PREFIX, DOWN, UP = "base_model.model.", ".lora_A.weight", ".lora_B.weight"


class LowRank(nn.Module):
    """A linear layer that stays as it is, and a product of two narrow ones beside it: ``W x + b + alpha / rank * B A x``.

    Parameters
    ----------
    layer : Linear
    rank : int
    alpha : float
    """

    def __init__(self, layer: nn.Linear, rank: int, alpha: float):
        super().__init__()
        if rank < 1 or rank > min(layer.in_features, layer.out_features):
            raise ValueError(f"rank {rank} does not fit a layer of {layer.in_features} and {layer.out_features}")
        self.layer, self.factor = layer.requires_grad_(False), alpha / rank
        self.in_features, self.out_features = layer.in_features, layer.out_features
        self.down = nn.Parameter(torch.empty(rank, layer.in_features))
        self.up = nn.Parameter(torch.zeros(layer.out_features, rank))
        nn.init.kaiming_uniform_(self.down, a=math.sqrt(5))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        beside = nn.functional.linear(nn.functional.linear(x, self.down), self.up)
        return self.layer(x) + self.factor * beside

    @property
    def weight(self) -> torch.Tensor:
        """The weight of the one layer that does the same."""
        return self.layer.weight + self.factor * (self.up @ self.down)

    @property
    def bias(self) -> torch.Tensor | None:
        """Its bias."""
        return self.layer.bias

    def merged(self) -> nn.Linear:
        """Give the one layer that does the same."""
        with torch.no_grad():
            self.layer.weight.copy_(self.weight)
        return self.layer


def insert(module: nn.Module, *, rank: int, alpha: float, under: Sequence[str] = ("",)) -> dict[str, LowRank]:
    """Put adapters beside the linear layers of a module, in place.

    Parameters
    ----------
    module : Module
    rank, alpha
        See `LowRank`; layers narrower than the rank are left alone.
    under : sequence of str
        Names of parts of the module, with dots; all of it by default.

    Returns
    -------
    dict of str to LowRank
        By the name of the layer.
    """
    found = {name: layer for name, layer in module.named_modules() if type(layer) is nn.Linear
             and any(not part or name == part or name.startswith(f"{part}.") for part in under)
             and min(layer.in_features, layer.out_features) >= rank}
    return {name: _put(module, name, LowRank(layer, rank, alpha)) for name, layer in found.items()}


def merge(module: nn.Module) -> None:
    """Put one layer in place of each layer and its adapter."""
    for name, layer in [(name, layer) for name, layer in module.named_modules() if isinstance(layer, LowRank)]:
        _put(module, name, layer.merged())


def _put(module: nn.Module, name: str, layer: nn.Module):
    place, _, last = name.rpartition(".")
    setattr(module.get_submodule(place), last, layer)
    return layer


def save_adapters(adapters: Mapping[str, LowRank], folder: Path, *, base: str = "") -> None:
    """Write adapters to a folder as peft lays them out.

    Parameters
    ----------
    adapters : mapping of str to LowRank
        All of one rank.
    folder : Path
    base : str
        Name of the model that they belong to.
    """
    first = next(iter(adapters.values()))
    rank = len(first.down)
    folder.mkdir(parents=True, exist_ok=True)
    config = {"peft_type": "LORA", "r": rank, "lora_alpha": first.factor * rank, "lora_dropout": 0.0, "bias": "none",
              "fan_in_fan_out": False, "target_modules": sorted(adapters), "task_type": None, "inference_mode": True,
              "base_model_name_or_path": base}
    (folder / CONFIG).write_text(json.dumps(config, indent=1))
    tensors = {f"{PREFIX}{name}{end}": getattr(one, side).detach().cpu().contiguous()
               for name, one in adapters.items() for end, side in ((DOWN, "down"), (UP, "up"))}
    (folder / TENSORS).write_bytes(save(tensors, {"format": "pt"}))


def load_adapters(module: nn.Module, folder: Path, *, passing_over: str | None = None) -> dict[str, LowRank]:
    """Put the adapters of a folder, written by `save_adapters` or peft, beside the layers of a module, in place.

    Parameters
    ----------
    module : Module
    folder : Path
    passing_over : str, optional
        Adapters of layers whose names begin so are left out.

    Raises
    ------
    ModelFileError
        It is no such folder, or its tensors do not fit the module.
    """
    try:
        config = json.loads((folder / CONFIG).read_text())
        tensors = load((folder / TENSORS).read_bytes())
        rank, alpha = int(config["r"]), float(config["lora_alpha"])
    except Exception as error:  # safetensors raises its own classes, and they differ between versions
        raise ModelFileError(f"{folder} holds no low-rank adapters ({error}): {CONFIG} and {TENSORS} are needed") from error
    if passing_over is not None:
        tensors = {key: x for key, x in tensors.items() if not key.startswith(PREFIX + passing_over)}
    names = {key.removeprefix(PREFIX).removesuffix(DOWN) for key in tensors if key.endswith(DOWN)}
    layers = dict(module.named_modules())
    for name in sorted(names):
        shapes = tensors[f"{PREFIX}{name}{DOWN}"].shape, tensors.get(f"{PREFIX}{name}{UP}", torch.empty(0)).shape
        layer = layers.get(name)
        if type(layer) is not nn.Linear or shapes != ((rank, layer.in_features), (layer.out_features, rank)):
            raise ModelFileError(f"{folder}: the adapter of {name!r} does not fit this model: is it another one's?")
    if len(tensors) != 2 * len(names) or not (names or passing_over):
        raise ModelFileError(f"{folder}: {TENSORS} holds {len(tensors)} tensors, two for each layer were expected")
    found = {name: _put(module, name, LowRank(layers[name], rank, alpha)) for name in sorted(names)}
    with torch.no_grad():
        for name, one in found.items():
            one.down.copy_(tensors[f"{PREFIX}{name}{DOWN}"])
            one.up.copy_(tensors[f"{PREFIX}{name}{UP}"])
    return found
