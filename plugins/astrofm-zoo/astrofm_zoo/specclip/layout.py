"""The layout of SpecCLIP's published checkpoints: which tensor of theirs is which of ours."""

from __future__ import annotations

import re
from collections.abc import Mapping

import torch

from astrofm.errors import ModelFileError

#: rules for the names within a transformer, an autoencoder, and the aligned models: pattern of theirs, name of ours
TRANSFORMER = (
    (r"data_embed\.", "trunk.enter."), (r"position_embed\.", "trunk.place."), (r"final_layernorm\.", "trunk.norm."),
    (r"head\.", "trunk.leave."), (r"blocks\.(\d+)\.attention\.out_proj\.", r"trunk.blocks.\1.attention.out."),
    (r"blocks\.(\d+)\.attention\.qkv\.", r"trunk.blocks.\1.attention.qkv."),
    (r"blocks\.(\d+)\.ln1\.", r"trunk.blocks.\1.norm_attention."), (r"blocks\.(\d+)\.ln2\.", r"trunk.blocks.\1.norm_mlp."),
    (r"blocks\.(\d+)\.mlp\.", r"trunk.blocks.\1.mlp."))
AUTOENCODER = (
    (r"input_proj\.", "enter."), (r"output_proj\.", "leave."), (r"bottleneck_down\.", "narrow."),
    (r"bottleneck_norm\.", "norm."), (r"bottleneck_up\.", "widen."),
    *((rf"{theirs}_blocks\.(\d+)\.{inside}\.", rf"{ours}.\1.{place}.")
      for theirs, ours in (("encoder", "down"), ("decoder", "up"))
      for inside, place in (("norm", 0), (r"mlp\.0", 1), (r"mlp\.3", 3))))
POOLING = (("query", "query"), (r"multihead_attn\.", "attention."), (r"layernorm\.", "norm."))
SIDES = {"lrs": "lamost_lrs", "xp": "gaia_xp"}


def _aligned() -> tuple[tuple[str, str], ...]:
    rules = []
    for part, prefix in (("shared", ""), ("shared", "shared_"), ("private", "private_")):
        attention = "cross_attention" if not prefix else f"{prefix}attention"
        rules += [(rf"lamost_lrs_encoder\.{attention}\.{theirs}", f"aligner.projections.lrs.{part}.{ours}")
                  for theirs, ours in POOLING]
        rules += [(rf"lamost_lrs_encoder\.{prefix}mlp\.", f"aligner.projections.lrs.{part}.features."),
                  (rf"gaia_xp_encoder\.{prefix}mlp\.", f"aligner.projections.xp.{part}.features."),
                  (rf"gaia_xp_encoder\.{prefix}projection\.", f"aligner.projections.xp.{part}.enter."),
                  (rf"gaia_xp_encoder\.{prefix}feature_mlp\.", f"aligner.projections.xp.{part}.block.")]
    for ours, theirs in SIDES.items():
        rules += [(rf"{theirs}_decoder\.decoder\.", f"aligner.decoders.own.{ours}."),
                  (rf"{theirs}_cross_decoder\.decoder\.", f"aligner.decoders.other.{ours}."),
                  (rf"{theirs}_decoder\.(shared|private)_proj\.", rf"aligner.decoders.own.{ours}.\1."),
                  (rf"{theirs}_decoder\.final_layer\.", f"aligner.decoders.own.{ours}.last.")]
    return tuple(rules)


ALIGNED = _aligned()


def kind_of(names: set[str]) -> str:
    """Say which of the six models a checkpoint's tensors are: ``lrs xp xp-autoencoder base pr split``.

    Raises
    ------
    ModelFileError
        None of them.
    """
    parts = {".".join(name.split(".")[:2]) for name in names if name.startswith("lamost_lrs_encoder.")}
    pooling = [f"lamost_lrs_encoder.{part}_attention" for part in ("shared", "private", "cross")]
    if missing := [f"{part}.query" for part in pooling if part in parts and f"{part}.query" not in names]:
        raise ModelFileError(f"this looks like an aligned model of SpecCLIP, and lacks {missing[0]}: is it damaged?")
    if pooling[0] in parts:
        return "split"
    if pooling[2] in parts:
        return "pr" if any(name.startswith("gaia_xp_cross_decoder.") for name in names) else "base"
    if "bottleneck_down.weight" in names:
        return "xp-autoencoder"
    if {"data_embed.weight", "position_embed.weight"} <= names:
        return "transformer"
    shown = ", ".join(sorted(names)[:3]) or "no tensor at all"
    raise ModelFileError(f"these are no tensors of SpecCLIP ({shown} ...): is it the checkpoint of another model?")


def fuse(state: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Join queries, keys and values of each attention; both published layouts give the same names."""
    found: dict[str, torch.Tensor] = {}
    for name, tensor in state.items():
        name = name.replace(".attention.attention.", ".attention.qkv.")
        if ".attention.q_proj." in name:
            other = name.replace("q_proj", "kv_proj")
            if other not in state:
                raise ModelFileError(f"the checkpoint has {name} and lacks {other}")
            name, tensor = name.replace("q_proj", "qkv"), torch.cat([tensor, state[other]])
        elif ".attention.kv_proj." in name:
            if name.replace("kv_proj", "q_proj") not in state:
                raise ModelFileError(f"the checkpoint has {name} and lacks {name.replace('kv_proj', 'q_proj')}")
            continue
        found[name] = tensor
    return found


def ours(state: Mapping[str, torch.Tensor], kind: str) -> dict[str, torch.Tensor]:
    """Rename the tensors of a checkpoint to those of our parts; names that no rule knows are kept as they are."""
    found = {}
    for name, tensor in fuse(state).items():
        renamed = _rename(name, kind)
        if renamed in found:
            raise ModelFileError(f"two tensors of the checkpoint are one of ours, {renamed}")
        found[renamed] = tensor
    return found


def _rename(name: str, kind: str) -> str:
    if kind == "transformer":
        return _backbone(name, "encoder.transformer.", TRANSFORMER)
    if kind == "xp-autoencoder":
        return _backbone(name, "encoder.xp.", AUTOENCODER)
    for start, place, rules in (("lamost_lrs_encoder.backbone.", "encoder.lrs.", TRANSFORMER),
                                ("gaia_xp_encoder.backbone.", "encoder.xp.", AUTOENCODER)):
        if name.startswith(start):
            return _backbone(name.removeprefix(start), place, rules)
    return _backbone(name, "", ALIGNED)


def _backbone(name: str, place: str, rules: tuple[tuple[str, str], ...]) -> str:
    for pattern, new in rules:
        if re.match(pattern, name):
            return place + re.sub(f"^{pattern}", new, name)
    return name
