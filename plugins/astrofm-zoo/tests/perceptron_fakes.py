"""Folders as SpectraFM and Leung & Bovy's model are published, small; and a forward pass by torch's own attention."""

import json

import numpy as np
import torch
from torch.nn import functional as F

STARS = [f"bp{k}" for k in range(55)] + [f"rp{k}" for k in range(55)] + ["bprp", "jh", "jk", "teff", "logg", "m_h", "logebv",
                                                                        "g_fakemag"]


def _state(rows, dim, dense, decoder, seed):
    torch.manual_seed(seed)
    shapes = {"embedding_layer.embeddings": (rows, dim), "embedding_layer.bias": (rows, dim)}

    def block(place, hidden):
        sizes = {"attention.in_proj_weight": (3 * dim, dim), "attention.in_proj_bias": (3 * dim,),
                 "attention.bias_k": (1, 1, dim), "attention.bias_v": (1, 1, dim), "attention.out_proj.weight": (dim, dim),
                 "attention.out_proj.bias": (dim,), "dense_1.weight": (hidden, dim), "dense_1.bias": (hidden,),
                 "dense_2.weight": (dim, hidden), "dense_2.bias": (dim,), "layernorm_1.weight": (dim,),
                 "layernorm_1.bias": (dim,), "layernorm_2.weight": (dim,), "layernorm_2.bias": (dim,)}
        shapes.update({f"{place}.{name}": shape for name, shape in sizes.items()})

    for k, hidden in enumerate((dense, dense // 2), 1):
        block(f"torch_encoder.encoder_transformer_block_{k}", hidden)
    for k, hidden in enumerate((decoder, decoder // 2, decoder // 4), 1):
        block(f"torch_decoder.decoder_transformer_block_{k}", hidden)
    sizes = (dim, decoder, decoder // 2, decoder // 4, decoder // 8)
    for k, (one, other) in enumerate(zip(sizes, sizes[1:], strict=False), 3):
        shapes |= {f"torch_decoder.decoder_dense_{k}.weight": (other, one), f"torch_decoder.decoder_dense_{k}.bias": (other,)}
    for name in ("out", "logvar_out"):
        shapes |= {f"torch_decoder.decoder_{name}.weight": (1, sizes[-1]), f"torch_decoder.decoder_{name}.bias": (1,)}
    return {name: 0.3 * torch.randn(shape) for name, shape in shapes.items()}


def _write(folder, names, state, prefix, heads, dense, decoder):
    folder.mkdir(parents=True)
    random = np.random.default_rng(3)
    count = len(names) + 1
    config = {"nn_config": {"context_length": 64, "encoder_head_num": heads, "encoder_dense_num": dense,
                            "encoder_dropout_rate": 0.1, "decoder_head_num": heads, "decoder_dense_num": decoder,
                            "decoder_dropout_rate": 0.1},
              "tokenizer_config": {"vocabs": names, "vocab_tokens": list(range(1, count))},
              "norm_config": {"_input_mean": [0.0, *random.normal(size=count - 1).tolist()],
                              "_input_std": [1.0, *random.uniform(0.5, 2, count - 1).tolist()],
                              "_input_standardized": [False] + [True] * (count - 1)}}
    (folder / "config.json").write_text(json.dumps(config))
    torch.save({"model_state_dict": {prefix + name: x for name, x in state.items()}, "epoch": 1}, folder / "weights.pt")
    return folder


def stars_folder(folder, *, prefix=""):
    """Write a folder of Leung & Bovy's layout; give it and its tensors."""
    state = _state(len(STARS) + 1, 16, 24, 32, 0)
    return _write(folder, STARS, state, prefix, 8, 24, 32), state


def spectrafm_folder(folder, *, pixels):
    """Write a folder of SpectraFM's layout."""
    names = [f"syn_apogee{k}" for k in range(pixels)] + ["TEFF", "LOGG", "O_FE", "MG_FE", "FE_H"]
    _write(folder, names, _state(len(names) + 1, 16, 24, 32, 1), "", 8, 24, 32)
    rows = np.arange(len(names) + 1)
    np.savez(folder / "embed_map.npz", keys=rows, values=np.where((rows > 0) & (rows <= pixels), 1, rows))
    return folder


def forward(state, config, value, asked):
    """Give values and errors ``(n, 2 k)`` for values ``(n, names)`` that may be NaN, by `torch.nn.functional`."""
    mean, deviation = (np.array(config["norm_config"][name]) for name in ("_input_mean", "_input_std"))
    names = np.arange(1, len(mean))
    x = torch.tensor((value - mean[names]) / deviation[names]).float()
    absent = torch.isnan(x)
    row = torch.where(absent, 0, torch.tensor(names))
    table, bias = state["embedding_layer.embeddings"], state["embedding_layer.bias"]
    heads = config["nn_config"]["encoder_head_num"]
    x = F.gelu(table[row] * torch.nan_to_num(x)[..., None] + bias[row])
    for k in (1, 2):
        x = _block(state, f"torch_encoder.encoder_transformer_block_{k}.", x, x, absent, heads // k)
    q = table[asked].expand(len(x), -1, -1)
    for k in (1, 2, 3):
        q = _block(state, f"torch_decoder.decoder_transformer_block_{k}.", q, x, absent, heads // 2 ** (k - 1))
    for k in (3, 4, 5, 6):
        q = F.gelu(_linear(state, f"torch_decoder.decoder_dense_{k}", q))
    found, log_variance = (_linear(state, f"torch_decoder.decoder_{name}", q)[..., 0].numpy()
                           for name in ("out", "logvar_out"))
    return np.concatenate([found * deviation[asked] + mean[asked], np.exp(0.5 * log_variance) * deviation[asked]], axis=1)


def _linear(state, name, x):
    return F.linear(x, state[f"{name}.weight"], state[f"{name}.bias"])


def _block(state, place, x, tokens, absent, heads):
    def norm(k, y):
        return F.layer_norm(y, y.shape[-1:], state[f"{place}layernorm_{k}.weight"], state[f"{place}layernorm_{k}.bias"])

    a = f"{place}attention."
    mixed, _ = F.multi_head_attention_forward(
        x.transpose(0, 1), tokens.transpose(0, 1), tokens.transpose(0, 1), x.shape[-1], heads, state[a + "in_proj_weight"],
        state[a + "in_proj_bias"], state[a + "bias_k"], state[a + "bias_v"], False, 0.0, state[a + "out_proj.weight"],
        state[a + "out_proj.bias"], training=False, key_padding_mask=absent, need_weights=False)
    x = norm(1, x + mixed.transpose(0, 1))
    return norm(2, x + _linear(state, f"{place}dense_2", F.gelu(_linear(state, f"{place}dense_1", x))))
