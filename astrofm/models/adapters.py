"""Adapters in files: what was learned beside the weights, laid out as peft does it, and the head."""

from __future__ import annotations

import copy
import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from safetensors.torch import load, save
from torch import nn

from ..errors import DataError, ModelFileError
from ..interfaces.head import Head
from ..nn.lowrank import load_adapters, merge, save_adapters
from .adapt import again
from .familiarity import ClassDistance

if TYPE_CHECKING:
    from .model import Model

#: file of the head in a folder of adapters
HEAD = "head.safetensors"
#: what tensors of distances from the classes begin with
DISTANCES = "distances."


def write_adapter(model: Model, folder: Path) -> Path:
    """Write a model's adapters and its head; see `Model.save_adapter`."""
    if not model.adapters:
        raise DataError("this model was not made by fit(method=\"lora\"): it has no adapters to save")
    save_adapters(model.adapters, folder, base=model.about["provenance"]["fitted_from"])
    name, head = next((name, head) for name, head in model.heads.items() if name in model.about["provenance"]["heads"])
    told = {"name": name, "part": head.name, "arguments": head.arguments, "calibration": model.about["calibration"],
            "provenance": model.about["provenance"]}
    tensors = dict(head.state_dict())
    for label, distance in model.distances.items():
        if label in {one.name for one in head.labels}:
            tensors |= {f"{DISTANCES}{label}.{key}": x for key, x in distance.state_dict().items()}
    tensors = {key: x.detach().cpu().contiguous() for key, x in tensors.items()}
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
        tensors = load(data)
        head.load_state_dict({key: x for key, x in tensors.items() if not key.startswith(DISTANCES)})
        distances = {label.name: _distance(head, label.name, len(label.classes), tensors) for label in head.labels
                     if f"{DISTANCES}{label.name}.mean" in tensors}
    except Exception as error:  # safetensors raises its own classes, and they differ between versions
        raise ModelFileError(f"{folder} holds no adapters with a head ({error}): Model.save_adapter writes such folders"
                             ) from error
    if told["provenance"].get("fitted_from") != model.sha256:
        raise ModelFileError(f"{folder} belongs to the model {told['provenance'].get('fitted_from')!r:.20}, not to "
                             f"{model.name!r} ({model.sha256[:12]}): load that one first")
    parts = nn.ModuleDict({"encoder": again(model.encoder), "aligner": again(model.aligner)}).eval()
    adapters = load_adapters(parts, folder, passing_over="head.")
    written = {name: copy.deepcopy(one) for name, one in adapters.items()}
    merge(parts)
    card = {key: value for key, value in model.about.items() if key not in ("parts", "labels", "format")}
    card |= {"name": f"{model.name}-fitted", "familiarity": {}, "calibration": told["calibration"],
             "provenance": told["provenance"]}
    fitted = Model(parts["encoder"], parts["aligner"], {told["name"]: head.eval()}, card=card, distances=distances)
    fitted.adapters = written
    return fitted.to(model.device, precision=model.precision)


def _distance(head: Head, label: str, classes: int, tensors: Mapping[str, torch.Tensor]) -> ClassDistance:
    made, start = ClassDistance(head.dim - len(head.extras), len(head.extras), classes), f"{DISTANCES}{label}."
    made.load_state_dict({key.removeprefix(start): x for key, x in tensors.items() if key.startswith(start)})
    return made
