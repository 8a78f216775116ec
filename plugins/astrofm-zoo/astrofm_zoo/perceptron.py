"""The folders in which SpectraFM and Leung & Bovy's model are published, tensor by tensor."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from astrofm.errors import ModelFileError
from astrofm.models.pickles import read_checkpoint
from astrofm.nn.asking import AskedNames, AskedNumbers

from .filling import fill, sha256

#: (pattern of their names, ours)
NAMES = (
    (r"embedding_layer\.embeddings", "encoder.table.row"),
    (r"embedding_layer\.bias", "encoder.table.bias"),
    (r"torch_encoder\.encoder_transformer_block_(\d+)\.(.+)", "encoder.blocks."),
    (r"torch_decoder\.decoder_transformer_block_(\d+)\.(.+)", "aligner.blocks."),
    (r"torch_decoder\.decoder_dense_(\d+)\.(weight|bias)", "head.layers."),
    (r"torch_decoder\.decoder_out\.(weight|bias)", "head.value."),
    (r"torch_decoder\.decoder_logvar_out\.(weight|bias)", "head.log_variance."),
)
BLOCK = {"attention.in_proj_weight": "attention.enter.weight", "attention.in_proj_bias": "attention.enter.bias",
         "attention.bias_k": "attention.key", "attention.bias_v": "attention.value",
         **{f"{theirs}.{kind}": f"{ours}.{kind}" for kind in ("weight", "bias") for theirs, ours in (
             ("attention.out_proj", "attention.out"), ("dense_1", "mlp.0"), ("dense_2", "mlp.3"),
             ("layernorm_1", "norm_attention"), ("layernorm_2", "norm_mlp"))}}
#: number of the first layer of the perceptron that reads answers
FIRST_DENSE = 3


@dataclass(frozen=True, eq=False)
class Published:
    """What a folder holds.

    Parameters
    ----------
    folder : Path
    names : tuple of str
        The vocabulary; the k-th has row ``rows[k]`` of the table.
    rows : ndarray of int
    centre, spread : ndarray
        By row; row 0 is that of no name.
    config : mapping
        ``nn_config``.
    tensors : mapping of str to Tensor
        Under our names: ``encoder.``, ``aligner.``, ``head.``.
    """

    folder: Path
    names: tuple[str, ...]
    rows: np.ndarray
    centre: np.ndarray
    spread: np.ndarray
    config: Mapping[str, Any]
    tensors: Mapping[str, torch.Tensor]

    def sizes(self, part: str, layer: str) -> list[int]:
        """Read the widths of a part's layers off its tensors."""
        found = re.compile(rf"{part}\.(\d+)\.{layer}")
        sized = {int(hit[1]): tensor.shape[0] for name, tensor in self.tensors.items() if (hit := found.fullmatch(name))}
        return [sized[k] for k in sorted(sized)]

    def encoder_arguments(self) -> dict[str, Any]:
        """Give what both encoders are built with."""
        heads = self._number("encoder_head_num")
        hidden = self.sizes(r"encoder\.blocks", r"mlp\.0\.weight")
        return {"dim": int(self.tensors["encoder.table.row"].shape[1]), "hidden": hidden,
                "heads": [heads // 2**k for k in range(len(hidden))], "context": self._number("context_length"),
                "dropout": float(self.config.get("encoder_dropout_rate", 0.0))}

    def decoder(self, labels: Sequence[Mapping[str, Any]]) -> tuple[AskedNames, AskedNumbers]:
        """Build the aligner and the head that answer ``labels``."""
        heads, dim = self._number("decoder_head_num"), int(self.tensors["encoder.table.row"].shape[1])
        hidden = self.sizes(r"aligner\.blocks", r"mlp\.0\.weight")
        return (AskedNames(source_dim=dim, asked=len(labels), hidden=hidden,
                           heads=[heads // 2**k for k in range(len(hidden))],
                           dropout=float(self.config.get("decoder_dropout_rate", 0.0))),
                AskedNumbers(dim=dim * len(labels), labels=labels, hidden=self.sizes(r"head\.layers", "weight")))

    def scale(self, row: int) -> dict[str, float]:
        """Give centre and spread of a row as labels have them."""
        return {"centre": float(self.centre[row]), "spread": float(self.spread[row])}

    def _number(self, key: str) -> int:
        value = self.config.get(key)
        if type(value) is not int or value < 1:
            raise ModelFileError(f"{self.folder}/config.json: nn_config says {key} = {value!r}, a number is needed")
        return value

    def fill(self, encoder: torch.nn.Module, aligner: torch.nn.Module, head: torch.nn.Module,
             own: Mapping[str, torch.Tensor] | None = None) -> None:
        """Put the tensors into the parts, each and every one; ``own`` are buffers that are not theirs.

        Raises
        ------
        ModelFileError
            One is missing, unknown, or of another shape.
        """
        parts = torch.nn.ModuleDict({"encoder": encoder, "aligner": aligner, "head": head})
        fill(self.folder / "weights.pt", parts, self.tensors, own)

    def provenance(self, importer: str) -> dict[str, str]:
        """Say where it came from."""
        return {"imported_from": f"{self.folder.name}/weights.pt", "sha256": sha256(self.folder / "weights.pt"),
                "importer": importer}


def read_folder(path: Path) -> Published:
    """Read a published folder; nothing in it is run.

    Raises
    ------
    ModelFileError
        A file is missing or damaged, or says what can't be.
    """
    folder = Path(path) if Path(path).is_dir() else Path(path).parent
    try:
        config = json.loads((folder / "config.json").read_text())
        tokens, norm, network = config["tokenizer_config"], config["norm_config"], config["nn_config"]
        names, rows = tuple(map(str, tokens["vocabs"])), np.array(tokens["vocab_tokens"], int)
        centre, spread = np.array(norm["_input_mean"], float), np.array(norm["_input_std"], float)
        plain = ~np.array(norm["_input_standardized"], bool)
    except FileNotFoundError as error:
        raise ModelFileError(f"{folder} has no config.json: give the folder as it was published, with config.json and "
                             "weights.pt") from error
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ModelFileError(f"{folder}/config.json is no configuration of such a model ({type(error).__name__}: {error})"
                             ) from error
    if len({len(centre), len(spread), len(plain), len(names) + 1}) != 1 or sorted(rows) != list(range(1, len(centre))):
        raise ModelFileError(f"{folder}/config.json: {len(names)} names, {len(centre)} means and {len(spread)} deviations do "
                             "not belong together")
    centre[plain], spread[plain] = 0.0, 1.0
    if not (np.isfinite(centre).all() and np.isfinite(spread).all() and (spread > 0).all()):
        raise ModelFileError(f"{folder}/config.json: a mean is not finite, or a deviation not positive")
    return Published(folder, names, rows, centre, spread, network, _tensors(folder / "weights.pt"))


def _tensors(path: Path) -> dict[str, torch.Tensor]:
    state = read_checkpoint(path).get("model_state_dict")
    if not isinstance(state, Mapping) or not all(isinstance(x, torch.Tensor) for x in state.values()):
        raise ModelFileError(f"{path} has no 'model_state_dict' of tensors: is it the whole file, as it was published?")
    found = {}
    for name, tensor in state.items():
        our = _ours(str(name).removeprefix("module."))
        if our is None:
            raise ModelFileError(f"{path} has a tensor {name!r}, which this kind of model has not")
        found[our] = tensor.reshape(-1) if our.endswith(("attention.key", "attention.value")) else tensor
    if "encoder.table.row" not in found or found["encoder.table.row"].ndim != 2:
        raise ModelFileError(f"{path} has no table of embeddings: is it another model's?")
    return found


def _ours(name: str) -> str | None:
    for pattern, place in NAMES:
        hit = re.fullmatch(pattern, name)
        if hit is None:
            continue
        if place.endswith("blocks."):
            return f"{place}{int(hit[1]) - 1}.{BLOCK[hit[2]]}" if hit[2] in BLOCK else None
        if place == "head.layers.":
            return f"{place}{int(hit[1]) - FIRST_DENSE}.{hit[2]}"
        return place + hit[1] if hit.re.groups else place
    return None
