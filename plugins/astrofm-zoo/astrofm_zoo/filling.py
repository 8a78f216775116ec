"""Put the tensors of a checkpoint into our parts, each and every one."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path

import torch

from astrofm.errors import ModelFileError


def fill(path: Path, parts: torch.nn.Module, tensors: Mapping[str, torch.Tensor],
         own: Mapping[str, torch.Tensor] | None = None) -> None:
    """Put tensors (under our names) into parts that may be without memory so far.

    Parameters
    ----------
    path : Path
        Where they are from.
    parts : Module
    tensors : mapping of str to Tensor
    own : mapping of str to Tensor, optional
        Buffers that the checkpoint does not have.

    Raises
    ------
    ModelFileError
        One is missing, unknown, or of another shape, or not finite.
    """
    if broken := sorted(name for name, x in tensors.items() if not bool(torch.isfinite(x).all())):
        raise ModelFileError(f"{path}: {len(broken)} of its tensors hold numbers that are not finite, {broken[0]} first: its "
                             "training failed, or it is damaged")
    tensors = {**tensors, **(own or {})}
    wanted = parts.state_dict()
    missing, extra = sorted(set(wanted) - set(tensors)), sorted(set(tensors) - set(wanted))
    other = [f"{name} is {tuple(tensors[name].shape)} instead of {tuple(wanted[name].shape)}"
             for name in sorted(set(wanted) & set(tensors)) if tensors[name].shape != wanted[name].shape]
    for what, names in (("lacks", missing), ("has besides", extra), ("has of another shape:", other)):
        if names:
            more = f" and {len(names) - 3} more" if len(names) > 3 else ""
            raise ModelFileError(f"{path} {what} {', '.join(names[:3])}{more}: is it damaged, or of another version?")
    if any(tensor.is_meta for tensor in wanted.values()):
        parts.to_empty(device="cpu")
    parts.load_state_dict({name: tensor.to(wanted[name].dtype) for name, tensor in tensors.items()})


def sha256(path: Path) -> str:
    """Give the SHA-256 of a file."""
    with open(path, "rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
