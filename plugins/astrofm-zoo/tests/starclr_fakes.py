"""Folders as StarCLR is published, small, with random weights; and a forward pass of them, star by star."""

import json

import numpy as np
import torch
from safetensors.torch import save_file
from torch import nn
from torch.nn import functional as F

CONFIG = {"architectures": ["BertForPositionEmbeddingHiddenStates"], "attention_probs_dropout_prob": 0.1,
          "hidden_act": "gelu", "hidden_dropout_prob": 0.1,
          "hidden_size": 24, "intermediate_size": 40, "layer_norm_eps": 1e-12,
          "model_type": "bert", "num_attention_heads": 3, "num_hidden_layers": 2, "position_embedding_type": "absolute"}
#: numbers beside the embedding, and classes, of each head
HEADS = {"tess": (5, 18), "ztf": (6, 11), "gaia": (6, 24)}
HIDDEN = (64, 32, 16)


def _random(shapes, seed):
    random = torch.Generator().manual_seed(seed)
    return {name: (1.0 if "ayerNorm" in name and name.endswith("weight") else 0.0) + 0.3 * torch.randn(
        shape, generator=random) for name, shape in shapes.items()}


def _linear(name, out, into):
    return {f"{name}.weight": (out, into), f"{name}.bias": (out,)}


def _norm(name, size):
    return {f"{name}.weight": (size,), f"{name}.bias": (size,)}


def backbone(config=CONFIG, seed=0):
    """Make the tensors of a backbone."""
    dim, wide = config["hidden_size"], config["intermediate_size"]
    shapes = _linear("bert.embeddings.toEmbedding", dim, 1) | _norm("bert.embeddings.LayerNorm", dim)
    for k in range(config["num_hidden_layers"]):
        place = f"bert.encoder.layer.{k}."
        for name in ("query", "key", "value"):
            shapes |= _linear(f"{place}attention.self.{name}", dim, dim)
        shapes |= _linear(f"{place}attention.output.dense", dim, dim) | _norm(f"{place}attention.output.LayerNorm", dim)
        shapes |= _linear(f"{place}intermediate.dense", wide, dim) | _linear(f"{place}output.dense", dim, wide)
        shapes |= _norm(f"{place}output.LayerNorm", dim)
    return _random(shapes, seed)


def head(survey, dim, seed=1, hidden=HIDDEN):
    """Make the tensors of a head."""
    extras, classes = HEADS[survey]
    shapes, low = {}, dim + extras
    for k, high in enumerate(hidden, 1):
        shapes |= _linear(f"MLP{k}", high, low) | _norm(f"FineTuningLayerNorm{k}", high)
        low = high
    return _random(shapes | _linear("score", classes, low), seed)


def write(folder, config, tensors):
    """Write one folder."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.json").write_text(json.dumps(config))
    save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})


def checkpoints(folder, surveys=tuple(HEADS), config=CONFIG):
    """Write the whole of it; give the folder and all tensors."""
    tensors = {"backbone": backbone(config)}
    write(folder / "backbone", config, tensors["backbone"])
    for k, survey in enumerate(surveys, 1):
        tensors[survey] = head(survey, config["hidden_size"], seed=k)
        names = {str(n): f"{survey.upper()}{n}" for n in range(HEADS[survey][1])}
        write(folder / survey, {"hidden_size": config["hidden_size"], "layer_norm_eps": 1e-12, "id2label": names},
              tensors[survey])
    return folder, tensors


def cleaned(survey, time, value):
    """Clip and scale one light curve as the paper says; give times, values and the amplitude in magnitudes."""
    keep = np.abs(value - value.mean()) <= {"tess": 5, "ztf": 3, "gaia": 3}[survey] * value.std()
    time, value = time[keep], value[keep]
    amplitude = np.percentile(value, 95) - np.percentile(value, 5)
    if survey == "ztf":
        value = np.power(10, -0.4 * value)
    low, high = np.percentile(value, 5), np.percentile(value, 95)
    return time - time.min(), (value - low) / (high - low), amplitude


def encoder(state, config=CONFIG):
    """Build the backbone out of torch's own encoder layers; give the function of ``(days, values)`` that embeds."""
    dim, heads = config["hidden_size"], config["num_attention_heads"]
    layers = []
    for k in range(config["num_hidden_layers"]):
        p = f"bert.encoder.layer.{k}."
        layer = nn.TransformerEncoderLayer(dim, heads, config["intermediate_size"], activation="gelu", batch_first=True,
                                           layer_norm_eps=1e-12).eval()
        packed = {kind: torch.cat([state[f"{p}attention.self.{name}.{kind}"] for name in ("query", "key", "value")])
                  for kind in ("weight", "bias")}
        own = {"self_attn.in_proj_weight": packed["weight"], "self_attn.in_proj_bias": packed["bias"]}
        for theirs, ours in (("attention.output.dense", "self_attn.out_proj"), ("intermediate.dense", "linear1"),
                             ("output.dense", "linear2"), ("attention.output.LayerNorm", "norm1"),
                             ("output.LayerNorm", "norm2")):
            own |= {f"{ours}.{kind}": state[f"{p}{theirs}.{kind}"] for kind in ("weight", "bias")}
        layer.load_state_dict(own)
        layers.append(layer)

    @torch.no_grad()
    def embed(days, value):
        j = torch.arange(dim, dtype=torch.float32)
        phase = torch.tensor(days).float()[:, None] * (2 * np.pi / 10000 ** (j / dim))
        x = F.linear(torch.tensor(value).float()[:, None], state["bert.embeddings.toEmbedding.weight"],
                     state["bert.embeddings.toEmbedding.bias"]) + torch.where(j % 2 == 0, phase.sin(), phase.cos())
        x = F.layer_norm(x, (dim,), state["bert.embeddings.LayerNorm.weight"], state["bert.embeddings.LayerNorm.bias"], 1e-12)
        for layer in layers:
            x = layer(x[None])[0]
        return x.mean(0)

    return embed


def probabilities(state, embedding, extras):
    """Read a head, star by star."""
    x = torch.cat([torch.as_tensor(embedding), torch.tensor(extras).float()])
    for k in (1, 2, 3):
        x = F.linear(x, state[f"MLP{k}.weight"], state[f"MLP{k}.bias"])
        x = F.layer_norm(x, x.shape, state[f"FineTuningLayerNorm{k}.weight"], state[f"FineTuningLayerNorm{k}.bias"], 1e-12)
        x = F.leaky_relu(x, 0.1)
    return F.linear(x, state["score.weight"], state["score.bias"]).softmax(0).numpy()
