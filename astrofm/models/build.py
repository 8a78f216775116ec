"""From a checked model file to torch modules, and back to bytes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import safetensors.torch
import torch
from torch import nn

from ..errors import DataError, ModelFileError, UnknownNameError
from .card_text import card_text
from .familiarity import ClassDistance, Familiarity
from .files import ModelFile

#: what is never rounded
KEPT_WHOLE = ("familiarity.", "distances.")
FLOATING = ("F64", "F32", "F16", "BF16")
DTYPES = {"float32": torch.float32, "float16": torch.float16, "bfloat16": torch.bfloat16}


@dataclass(frozen=True, eq=False)
class Parts:
    """The modules of a model."""

    encoder: nn.Module
    aligner: nn.Module
    heads: Mapping[str, nn.Module]
    familiarity: Familiarity | None
    #: by class label, how far stars are from its classes
    distances: Mapping[str, ClassDistance] = field(default_factory=dict)

    def state(self) -> dict[str, torch.Tensor]:
        """Give every tensor under its name in the file."""
        return {f"{where}.{key}": tensor for where, module in self.modules()
                for key, tensor in module.state_dict().items()}

    def modules(self) -> list[tuple[str, nn.Module]]:
        """List the modules and where their tensors live."""
        found = [("encoder", self.encoder), ("aligner", self.aligner)]
        found += [(f"heads.{name}", head) for name, head in self.heads.items()]
        found += [(f"distances.{name}", distance) for name, distance in self.distances.items()]
        return found + ([("familiarity", self.familiarity)] if self.familiarity is not None else [])


def build(file: ModelFile) -> Parts:
    """Build a model's parts and fill in its tensors, after all of them have been checked.

    Raises
    ------
    ModelFileError
        A part that is not installed or takes no such arguments; a tensor missing, unknown, or of another
        shape or kind than the part's.
    """
    try:
        with torch.device("meta"):
            empty = _make(file)
        _check(file, empty)
    except (NotImplementedError, RuntimeError):
        pass_over = True  # a part that can't be built without memory is checked once it is built
    else:
        pass_over = False
    parts = _make(file)
    if pass_over:
        _check(file, parts)
    tensors = _tensors(file)
    for where, module in parts.modules():
        own = {key: tensors[f"{where}.{key}"] for key in module.state_dict()}
        module.load_state_dict(own)
        module.eval()
    return parts


def _make(file: ModelFile) -> Parts:
    parts = file.card["parts"]
    familiarity = None
    if "familiarity.mean" in file.shapes:
        familiarity = Familiarity(*file.shapes["familiarity.mean"][0][:1] or (1,))
    heads = {name: _part(file, "heads", part) for name, part in parts["heads"].items()}
    return Parts(_part(file, "encoders", parts["encoder"]), _part(file, "aligners", parts["aligner"]), heads, familiarity,
                 {label.name: ClassDistance(head.dim - len(head.extras), len(head.extras), len(label.classes))
                  for head in heads.values() for label in head.labels if f"distances.{label.name}.mean" in file.shapes})


def _part(file: ModelFile, kind: str, part: Mapping[str, Any]) -> nn.Module:
    from ..registry import get_part

    try:
        cls = get_part(kind, part["name"])
    except UnknownNameError as error:
        raise ModelFileError(f"{file.path} is made of parts that are not installed here: {error}") from error
    try:
        return cls(**part["arguments"])
    except (NotImplementedError, RuntimeError):
        raise
    except Exception as error:  # other people's plugins: whatever their constructor raises is the file's fault
        raise ModelFileError(f"{file.path}: {kind[:-1]} {part['name']!r} cannot be built from the arguments in the "
                             f"card ({type(error).__name__}: {error}): is another version of it installed?") from error


def _check(file: ModelFile, parts: Parts) -> None:
    wanted = parts.state()
    missing, extra = sorted(set(wanted) - set(file.shapes)), sorted(set(file.shapes) - set(wanted))
    if missing:
        raise ModelFileError(f"{file.path} lacks tensor {missing[0]!r}{_more(missing)}: it was altered, or is "
                             "of another version of its parts")
    if extra:
        raise ModelFileError(f"{file.path} holds tensor {extra[0]!r}{_more(extra)}, which no part of it has")
    for name, tensor in wanted.items():
        shape, dtype = file.shapes[name]
        if shape != tuple(tensor.shape):
            raise ModelFileError(f"{file.path}: tensor {name!r} has shape {shape}, its part needs "
                                 f"{tuple(tensor.shape)}")
        if tensor.dtype.is_floating_point != (dtype in FLOATING):
            raise ModelFileError(f"{file.path}: tensor {name!r} is {dtype}, its part needs {tensor.dtype}")


def _more(names: list[str]) -> str:
    return f" and {len(names) - 1} more" if len(names) > 1 else ""


def _tensors(file: ModelFile) -> dict[str, torch.Tensor]:
    try:
        return safetensors.torch.load(file.data)
    except Exception as error:  # safetensors raises its own classes, and they differ between versions
        raise ModelFileError(f"{file.path} cannot be loaded ({error}): it is damaged, get it again") from error


def to_bytes(parts: Parts, card: Mapping[str, Any], *, dtype: str = "float32") -> bytes:
    """Write a model as the bytes of its file; the same model gives the same bytes.

    Parameters
    ----------
    parts : Parts
    card : mapping
    dtype : str
        Of the weights that are float32 and learned by descent: ``"float32"`` (exact), or half of the size and rounded.
        Scales, familiarity and distances are always kept as they are, and so are forests.
    """
    if dtype not in DTYPES:
        raise DataError(f"dtype is one of {', '.join(DTYPES)}, not {dtype!r}")
    tensors = {}
    whole = KEPT_WHOLE + tuple(f"heads.{name}." for name, head in parts.heads.items() if head.keeps_float32)
    learned = {f"{where}.{name}" for where, module in parts.modules() for name, _ in module.named_parameters()}
    for name, tensor in parts.state().items():
        tensor = tensor.detach().cpu()
        if name in learned and tensor.dtype == torch.float32 and not name.startswith(whole):
            tensor = tensor.to(DTYPES[dtype])
        tensors[name] = tensor.clone().contiguous()
    return safetensors.torch.save(tensors, {"astrofm": card_text(card)})
