"""SpecCLIP's published checkpoints as our models, tensor by tensor."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from astrofm.errors import ModelFileError
from astrofm.models import Model
from astrofm.models.pickles import read_checkpoint

from ..filling import fill, sha256
from .aligner import SpecCLIPAligner, TokenMean
from .encoder import SpecCLIPEncoder
from .layout import kind_of, ours
from .regressor import import_regressor
from .told import find_number

CITATION = "Zhao, Huang, Xue et al. 2025, arXiv:2507.01939 (SpecCLIP); weights: huggingface.co/astroshawn/SpecCLIP"
NOTES = {
    "lrs": "Masked transformer of LAMOST low-resolution spectra, 4000-5600 Angstrom. Embeds; the mean of its tokens.",
    "xp": "Masked transformer of Gaia XP spectra. Embeds; the mean of its tokens.",
    "xp-autoencoder": "Autoencoder of Gaia XP spectra. Embeds.",
    "base": "LAMOST low-resolution and Gaia XP spectra in one space of 768 numbers. No decoders.",
    "pr": "LAMOST low-resolution and Gaia XP spectra in one space of 768 numbers, with decoders of both.",
    "split": "LAMOST low-resolution and Gaia XP spectra: 512 shared numbers and 256 of each instrument's own."}
#: tensors that only training used: their numbers are kept in the card's provenance
UNUSED = ("logit_scale",)
#: numbers of a token, and heads of the published attention, where a checkpoint does not say
PUBLISHED_DIM, PUBLISHED_HEADS = 768, 6
#: pixels of a published window, and by how many two overlap, where a checkpoint does not say
PUBLISHED_WINDOW, PUBLISHED_OVERLAP = 20, 10


def import_weights(path: str | os.PathLike, *, attention_scale: str = "1/D", attention_heads: int | None = None,
                   slice_overlap: int | None = None, heads: Mapping[str, tuple[Path, Path | None]] | None = None,
                   instrument: str | None = None) -> Model:
    """Make a model of one of SpecCLIP's six published checkpoints.

    Parameters
    ----------
    path : path
        ``lrs_encoder.ckpt``, ``xp_encoder.ckpt``, ``xp_encoder_mlp.ckpt``, or an aligned model's. Nothing in it is run.
    attention_scale : str
        ``"1/D"`` as in the published code, or ``"1/sqrt(D)"``.
    attention_heads, slice_overlap : int, optional
        Of the transformer, where the checkpoint does not say, or says several.
    heads : mapping of str to (path, path or None), optional
        Published perceptrons (``downstream_models/*/mlp/*.pt``) by label, each with the statistics of its inputs.
    instrument : str, optional
        Which instrument the heads are for: the model then takes its spectra alone.

    Returns
    -------
    Model
        Its weights are the checkpoint's to the last bit.

    Raises
    ------
    ModelFileError
        Another model's checkpoint, or a damaged one; a tensor missing, unknown or of another shape.
    """
    path = Path(path)
    whole = read_checkpoint(path)
    state = whole.get("state_dict")
    if not isinstance(state, Mapping) or not all(isinstance(x, torch.Tensor) for x in state.values()):
        raise ModelFileError(f"{path} has no 'state_dict' of tensors: is it the whole file, as Lightning writes it?")
    kind = kind_of(set(state))
    learned = {name: float(x) for name, x in state.items() if name in UNUSED and x.numel() == 1 and bool(x.isfinite())}
    tensors = ours({name: x for name, x in state.items() if name not in learned}, kind)
    if kind == "transformer":
        kind = "xp" if tensors["encoder.transformer.trunk.enter.weight"].shape[1] == 3 else "lrs"
        tensors = {name.replace("encoder.transformer.", f"encoder.{kind}."): x for name, x in tensors.items()}
    try:
        told = _Told(whole.get("hyper_parameters"), attention_scale, attention_heads, slice_overlap)
        encoder, aligner = _parts(kind, tensors, told)
    except (KeyError, ValueError, IndexError) as error:
        raise ModelFileError(f"{path} looks like SpecCLIP's {kind!r} model, and sizes cannot be read off it: {error}"
                             ) from error
    parts = torch.nn.ModuleDict({"encoder": encoder, "aligner": aligner})
    unmeasured = {name: torch.full(tuple(x.shape), torch.nan) for name, x in parts.state_dict().items()
                  if name.startswith("aligner.errors.")}
    fill(path, parts, tensors, unmeasured)
    if heads and len(encoder.instruments) > 1:
        encoder = _only(encoder, instrument)
    read = {f"label-{label}": import_regressor(file, stats, label=label, dim=aligner.dim)
            for label, (file, stats) in sorted((heads or {}).items())}
    return Model(encoder, aligner, read, card={
        "name": f"specclip-{kind}", "instruments": list(encoder.instruments), "license": "MIT", "citation": CITATION,
        "summary": NOTES[kind], "notes": "Imported weights of the authors, on their preprocessing: no errors, no masks; "
        "masked pixels are bridged linearly. Their own labels and errors are not in this file.",
        "provenance": {"imported_from": path.name, "sha256": sha256(path), "importer": "specclip",
                       "attention_scale": attention_scale, **learned}})


def _only(encoder: SpecCLIPEncoder, instrument: str | None) -> SpecCLIPEncoder:
    """Keep the backbone of one instrument: a head reads the embeddings of one only."""
    if instrument not in encoder.instruments:
        raise ModelFileError(f"a published head is for one instrument: say which of {' and '.join(encoder.instruments)}")
    told = dict(encoder.arguments)
    told["xp" if instrument == "lamost-lrs" else "lrs"] = None
    with torch.device("meta"):
        only = SpecCLIPEncoder(**told)
    only.to_empty(device="cpu").load_state_dict({name: x for name, x in encoder.state_dict().items()
                                                 if name in only.state_dict()})
    return only


@dataclass(frozen=True)
class _Told:
    """What is told of a transformer beside its tensors: by the checkpoint, and by the caller."""

    hyper_parameters: Any
    scale: str
    heads: int | None
    overlap: int | None

    def number(self, name: str, given: int | None, argument: str, published: int | None) -> int:
        """Give a number as the caller, the checkpoint or the published description has it, in this order."""
        try:
            found = find_number(self.hyper_parameters, name) if given is None else given
        except ValueError as error:
            raise ValueError(f"{error}: say which, {argument}=...") from error
        if found is None and published is None:
            raise ValueError(f"its hyper-parameters do not give {name}, and its size is not the published one: say "
                             f"{argument}=...")
        return published if found is None else found


def _parts(kind: str, tensors: Mapping[str, torch.Tensor], told: _Told) -> tuple[Any, Any]:
    lrs = _transformer(tensors, "encoder.lrs.", told) if kind not in ("xp", "xp-autoencoder") else None
    xp = None if kind == "lrs" else _transformer(tensors, "encoder.xp.", told) if kind == "xp" else \
        _autoencoder(tensors, "encoder.xp.")
    with torch.device("meta"):
        encoder = SpecCLIPEncoder(lrs=lrs, xp=xp, xp_kind="transformer" if kind == "xp" else "autoencoder")
        if kind in NOTES and kind not in ("base", "pr", "split"):
            aligner: Any = TokenMean(source_dim=encoder.dim)
        else:
            sizes = [tensors[f"aligner.projections.lrs.{part}.query"].shape[-1]
                     for part in (("shared", "private") if kind == "split" else ("shared",))]
            aligner = SpecCLIPAligner(kind=kind, source_dim=encoder.dim, dim=sum(sizes))
    return encoder, aligner


def _transformer(tensors: Mapping[str, torch.Tensor], place: str, told: _Told) -> dict[str, Any]:
    dim, token = tensors[f"{place}trunk.enter.weight"].shape
    heads = told.number("num_heads", told.heads, "attention_heads", PUBLISHED_HEADS if dim == PUBLISHED_DIM else None)
    if heads < 1 or dim % heads:
        raise ValueError(f"{dim} numbers a token do not divide into {heads} heads: say attention_heads=...")
    found = {"dim": dim, "depth": 1 + max(int(name.removeprefix(f"{place}trunk.blocks.").split(".")[0])
                                          for name in tensors if name.startswith(f"{place}trunk.blocks.")),
             "heads": heads, "places": tensors[f"{place}trunk.place.weight"].shape[0], "attention_scale": told.scale}
    if token != 3:
        size = token - 1
        overlap = told.number("slice_overlap", told.overlap, "slice_overlap",
                              PUBLISHED_OVERLAP if size == PUBLISHED_WINDOW else None)
        if not 0 <= overlap < size:
            raise ValueError(f"windows of {size} pixels do not overlap by {overlap}: say slice_overlap=...")
        found |= {"size": size, "stride": size - overlap}
    return found


def _autoencoder(tensors: Mapping[str, torch.Tensor], place: str) -> dict[str, Any]:
    hidden = tensors[f"{place}enter.weight"].shape[0]
    blocks = {name.removeprefix(f"{place}down.").split(".")[0] for name in tensors if name.startswith(f"{place}down.")}
    return {"dim": tensors[f"{place}narrow.weight"].shape[0], "hidden": hidden, "depth": len(blocks),
            "expansion": tensors[f"{place}down.0.1.weight"].shape[0] // hidden}
