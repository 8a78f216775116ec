"""StarCLR's published checkpoints as our model, tensor by tensor."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import torch

from astrofm.errors import DataError, ModelFileError
from astrofm.models import Model
from astrofm.nn.blocks import ACTIVATIONS
from astrofm.nn.plain import ExtraClassHead, PlainAligner
from astrofm.nn.points import PointEncoder

from ..filling import fill, sha256
from .layout import Folder, backbone_tensors, head_tensors, read_folder

CITATION = "Ding, Chen et al. 2026, arXiv:2604.24516 (StarCLR); weights: Zenodo 10.5281/zenodo.19728042"
#: what the published scripts do to the light curves of each instrument
VIEWS: dict[str, dict[str, Any]] = {"tess": {"clip": 5.0}, "ztf": {"clip": 3.0, "magnitudes": True, "band": "most"},
                                    "gaia-epoch": {"clip": 3.0, "band": 0}}
#: folder of each instrument's head
FOLDERS = {"tess": "tess", "ztf": "ztf", "gaia-epoch": "gaia"}
EXTRAS: dict[str, dict[str, Any]] = {
    "period": {"unit": "d", "also": ["Period"], "description": "period"},
    "amplitude": {"also": ["Amp", "amp"], "description": "amplitude, as the survey's table has it"},
    "abs_g_mag": {"unit": "mag", "also": ["M_G"], "description": "absolute magnitude in Gaia G"},
    "bp_rp": {"unit": "mag", "also": ["BP-RP"], "description": "Gaia colour BP-RP"},
    "parallax": {"unit": "mas", "also": ["Parallax"], "description": "Gaia parallax"},
    "parallax_err": {"unit": "mas", "also": ["Parallax_err", "parallax_error"], "description": "its error"},
    "g_mag": {"unit": "mag", "also": ["Gmag", "phot_g_mean_mag"], "description": "Gaia G magnitude"}}
#: what each head reads beside the embedding, in its own order
ORDER = {"tess": ("period", "amplitude", "abs_g_mag", "bp_rp", "parallax"),
         "ztf": ("period", "amplitude", "bp_rp", "parallax", "parallax_err", "g_mag"),
         "gaia-epoch": ("parallax", "parallax_err", "bp_rp", "period", "amplitude", "g_mag")}
#: the survey whose amplitude is measured on the clipped magnitudes, between their 5th and 95th percentiles
MEASURED = "ztf"
#: points of a window, unless other is said
WINDOW = 4096
#: range of the periods (days) that time is encoded by
PERIODS = (1.0, 10000.0)


def import_weights(path: str | os.PathLike, *, instrument: str | None = None, window: int | None = WINDOW) -> Model:
    """Make a model of StarCLR's published checkpoints.

    Parameters
    ----------
    path : path
        Folder with ``backbone`` and those of ``tess``, ``ztf`` and ``gaia`` that there are; or that of the backbone alone.
        Each holds ``config.json`` and ``model.safetensors``; sizes are read off them.
    instrument : str, optional
        Take this one's head alone: ``tess``, ``ztf`` or ``gaia-epoch``.
    window : int, optional
        Longer light curves are embedded window by window, and averaged. None: whole, as the published scripts do.

    Returns
    -------
    Model
        Its weights are the checkpoint's to the last bit.

    Raises
    ------
    ModelFileError
        Another model's folder, or a damaged one; a tensor missing, unknown or of another shape.
    """
    path = Path(path)
    if instrument is not None and instrument not in VIEWS:
        raise DataError(f"StarCLR has heads for {', '.join(VIEWS)}, not {instrument!r}")
    whole = (path / "backbone").is_dir()
    backbone = read_folder(path / "backbone" if whole else path)
    instruments = list(VIEWS) if instrument is None else [instrument]
    encoder = _encoder(backbone, instruments, window)
    folders = {name: path / FOLDERS[name] for name in instruments} if whole else {}
    found = {name: read_folder(folder) for name, folder in folders.items()
             if (folder / "config.json").exists() or (folder / "model.safetensors").exists()}
    if instrument is not None and instrument not in found:
        raise ModelFileError(f"{path} has no head for {instrument!r}: {path / FOLDERS[instrument]} holds none")
    heads = {FOLDERS[name]: _head(folder, name, encoder.dim) for name, folder in found.items()}
    files = {"backbone": backbone, **{FOLDERS[name]: folder for name, folder in found.items()}}
    return Model(encoder, PlainAligner(dim=encoder.dim), heads, card={
        "name": "starclr", "instruments": {name: {"normalisation": "by the encoder"} for name in instruments},
        "license": "MIT", "citation": CITATION,
        "summary": "light curves of one band embedded"
                   + (f"; variable stars of {', '.join(heads)} classified" if heads else ""),
        "notes": "Imported weights of the authors. Errors of points are not used. Classes need a period and Gaia's data of "
                 "each star: model.extras() lists them. A patent application, CN-122020279-A, concerns the authors' recipe.",
        "provenance": {"importer": "starclr", "imported_from": path.name,
                       **{f"sha256_{name}": sha256(folder.weights) for name, folder in files.items()}}})


def _encoder(folder: Folder, instruments: list[str], window: int | None) -> PointEncoder:
    config = folder.config
    dim, heads, layers = (folder.number(key) for key in ("hidden_size", "num_attention_heads", "num_hidden_layers"))
    if config.get("hidden_act", "gelu") not in ACTIVATIONS or config.get("position_embedding_type", "absolute") != "absolute":
        raise ModelFileError(f"{folder.path}/config.json: activation {config.get('hidden_act')!r} with positions "
                             f"{config.get('position_embedding_type')!r} is no StarCLR that is known here")
    if dim % heads:
        raise ModelFileError(f"{folder.path}/config.json: {dim} numbers do not divide into {heads} heads")
    tensors = backbone_tensors(folder, layers)
    with torch.device("meta"):
        encoder = PointEncoder(
            dim=dim, depth=layers, heads=heads, hidden=folder.number("intermediate_size"), errors=False, bands=0,
            views={name: VIEWS[name] for name in instruments}, periods=PERIODS, paired=False, post=True,
            activation=config.get("hidden_act", "gelu"), epsilon=folder.number("layer_norm_eps", default=1e-12),
            dropout=folder.number("hidden_dropout_prob", default=0.1), window=window, exact=True)
    fill(folder.weights, encoder, tensors)
    return encoder


def extras_of(instrument: str) -> list[dict[str, Any]]:
    """Give what an instrument's head reads beside the embedding, in order, as arguments of `~astrofm.interfaces.Extra`."""
    return [{"name": name, **EXTRAS[name], **({"measured": True} if (name, instrument) == ("amplitude", MEASURED) else {})}
            for name in ORDER[instrument]]


def _head(folder: Folder, instrument: str, dim: int) -> ExtraClassHead:
    classes, tensors = folder.classes(), head_tensors(folder)
    if folder.number("hidden_size") != dim:
        raise ModelFileError(f"{folder.path}/config.json says hidden_size = {folder.config['hidden_size']}, and the "
                             f"backbone's is {dim}: they do not belong together")
    extras = extras_of(instrument)
    survey = FOLDERS[instrument]
    with torch.device("meta"):
        head = ExtraClassHead(dim=dim, extras=extras, label=f"{survey}_class", classes=classes, instruments=[instrument],
                              description=f"class of the variable star, as StarCLR's head for {survey} names it",
                              hidden=[tensors[f"layers.{k}.weight"].shape[0] for k in (0, 3, 6)], slope=0.1,
                              epsilon=folder.number("layer_norm_eps", default=1e-12))
    fill(folder.weights, head, tensors)
    return head
