"""The folders in which StarCLR is published: their configuration and tensors, checked before anything is made of them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load

from astrofm.errors import ModelFileError

#: longest config.json, in bytes
CONFIG_LIMIT = 1_000_000
#: names of theirs in front of ``.weight`` and ``.bias``, and ours
EMBEDDING = {"toEmbedding": "enter", "LayerNorm": "norm"}
LAYER = {"attention.output.dense": "attention.out", "attention.output.LayerNorm": "norm_attention",
         "intermediate.dense": "mlp.0", "output.dense": "mlp.2", "output.LayerNorm": "norm_mlp"}
HEAD = {"MLP1": "0", "FineTuningLayerNorm1": "1", "MLP2": "3", "FineTuningLayerNorm2": "4", "MLP3": "6",
        "FineTuningLayerNorm3": "7", "score": "9"}
KINDS = ("weight", "bias")


@dataclass(frozen=True, eq=False)
class Folder:
    """One folder with ``config.json`` and ``model.safetensors``.

    Parameters
    ----------
    path : Path
    config : mapping
    tensors : mapping of str to Tensor
        Under their names.
    """

    path: Path
    config: Mapping[str, Any]
    tensors: Mapping[str, torch.Tensor]

    @property
    def weights(self) -> Path:
        """The file of the tensors."""
        return self.path / "model.safetensors"

    def number(self, key: str, *, default: float | None = None) -> Any:
        """Give a number of the configuration that is not negative: whole where no default says otherwise."""
        value = self.config.get(key, default)
        kinds = (int,) if default is None else (int, float)
        if type(value) not in kinds or not 0 <= value < 1e9 or (default is None and value < 1):
            raise ModelFileError(f"{self.path}/config.json says {key} = {value!r}: a number is needed")
        return value

    def classes(self) -> list[str]:
        """Give the names of the classes, in the order of the scores."""
        told = self.config.get("id2label")
        if not isinstance(told, Mapping) or sorted(told) != sorted(map(str, range(len(told)))):
            raise ModelFileError(f"{self.path}/config.json: id2label does not number its classes 0, 1, 2 ...")
        names = [told[str(k)] for k in range(len(told))]
        texts = all(isinstance(name, str) and name.strip() for name in names)
        if len(names) < 2 or not texts or len(set(names)) < len(names):
            raise ModelFileError(f"{self.path}/config.json: id2label does not give each class a name of its own")
        return names


def read_folder(path: Path) -> Folder:
    """Read a folder; nothing in it is run.

    Raises
    ------
    ModelFileError
        A file is missing or damaged; a tensor is no matrix of finite numbers.
    """
    for name in ("config.json", "model.safetensors"):
        if not (path / name).is_file():
            pickled = ", and its pickles are not read" if list(path.glob("*.bin")) + list(path.glob("*.pt")) else ""
            raise ModelFileError(f"{path} has no {name}{pickled}: give the folder as it was published")
    if (path / "config.json").stat().st_size > CONFIG_LIMIT:
        raise ModelFileError(f"{path}/config.json is longer than any configuration of such a model")
    try:
        config = json.loads((path / "config.json").read_bytes())
    except (ValueError, RecursionError) as error:
        raise ModelFileError(f"{path}/config.json is no JSON ({error}): it is damaged, get it again") from error
    if not isinstance(config, dict):
        raise ModelFileError(f"{path}/config.json is a JSON {type(config).__name__}, no configuration")
    try:
        tensors = load((path / "model.safetensors").read_bytes())
    except Exception as error:  # safetensors raises its own classes, and they differ between versions
        raise ModelFileError(f"{path}/model.safetensors cannot be read ({error}): it is damaged or no safetensors file, "
                             "get it again") from error
    for name, tensor in tensors.items():
        if not tensor.is_floating_point() or not bool(torch.isfinite(tensor).all()):
            raise ModelFileError(f"{path}/model.safetensors: tensor {name!r} holds something else than finite numbers")
    return Folder(path, config, tensors)


def backbone_tensors(folder: Folder, layers: int) -> dict[str, torch.Tensor]:
    """Rename the tensors of a backbone to those of our encoder, queries, keys and values joined.

    Raises
    ------
    ModelFileError
        One is missing, or there is another besides.
    """
    names = {f"bert.embeddings.{theirs}.{kind}": f"{ours}.{kind}" for theirs, ours in EMBEDDING.items() for kind in KINDS}
    own = {name.split(".")[3] for name in folder.tensors if name.startswith("bert.encoder.layer.") and name.count(".") > 3}
    if len(own) != layers or own != set(map(str, range(layers))):
        raise ModelFileError(f"{folder.weights} has {len(own)} layers, and its config.json says {layers}")
    joined = {}
    for k in range(layers):
        place = f"bert.encoder.layer.{k}."
        names |= {f"{place}{theirs}.{kind}": f"blocks.{k}.{ours}.{kind}" for theirs, ours in LAYER.items() for kind in KINDS}
        for kind in KINDS:
            joined[f"blocks.{k}.attention.qkv.{kind}"] = [f"{place}attention.self.{part}.{kind}"
                                                          for part in ("query", "key", "value")]
    _check(folder, {*names, *(name for parts in joined.values() for name in parts)})
    for parts in joined.values():
        if len({folder.tensors[name].shape for name in parts}) > 1 or folder.tensors[parts[0]].ndim == 0:
            raise ModelFileError(f"{folder.weights}: {parts[0]!r}, key and value are not of one shape")
    return {ours: folder.tensors[theirs] for theirs, ours in names.items()} | {
        ours: torch.cat([folder.tensors[name] for name in parts]) for ours, parts in joined.items()}


def head_tensors(folder: Folder) -> dict[str, torch.Tensor]:
    """Rename the tensors of a head to those of ours; errors as for `backbone_tensors`."""
    names = {f"{theirs}.{kind}": f"layers.{ours}.{kind}" for theirs, ours in HEAD.items() for kind in KINDS}
    _check(folder, set(names))
    return {ours: folder.tensors[theirs] for theirs, ours in names.items()}


def _check(folder: Folder, wanted: set[str]) -> None:
    for what, odd in (("lacks", wanted - set(folder.tensors)), ("has besides", set(folder.tensors) - wanted)):
        if odd:
            shown, more = ", ".join(sorted(odd)[:3]), f" and {len(odd) - 3} more" if len(odd) > 3 else ""
            raise ModelFileError(f"{folder.weights} {what} {shown}{more}: is it damaged, or another model's?")
