"""Checkpoints in SpecCLIP's published layout with random tensors, and its forward path written once more from the paper.

Names and shapes are those of the published files' tables; nothing here uses the code that is tested.
"""

import torch
from torch.nn import functional as F

KINDS = ("lrs", "xp", "xp-autoencoder", "base", "pr", "split")
#: parameters of the published models
PUBLISHED = {"lrs": 42_677_013, "xp": 42_802_947, "xp-autoencoder": 42_846_129, "base": 99_710_814, "pr": 168_293_752,
             "split": 126_229_506}
FULL = {"d": 768, "layers": 6, "hidden": 1290, "block": 1160, "places": 150}
SMALL = {"d": 48, "layers": 2, "hidden": 40, "block": 1160, "places": 150}


def linear(name, out, into):
    return {f"{name}.weight": (out, into), f"{name}.bias": (out,)}


def norm(name, dim):
    return {f"{name}.weight": (dim,), f"{name}.bias": (dim,)}


def transformer(token, places, *, d, layers, fused=False):
    shapes = {**linear("data_embed", d, token), "position_embed.weight": (places, d)}
    for k in range(layers):
        at = f"blocks.{k}"
        if fused:
            shapes |= linear(f"{at}.attention.attention", 3 * d, d)
        else:
            shapes |= linear(f"{at}.attention.q_proj", d, d) | linear(f"{at}.attention.kv_proj", 2 * d, d)
        shapes |= linear(f"{at}.attention.out_proj", d, d) | norm(f"{at}.ln1", d) | norm(f"{at}.ln2", d)
        shapes |= linear(f"{at}.mlp.0", 4 * d, d) | linear(f"{at}.mlp.2", d, 4 * d)
    return shapes | norm("final_layernorm", d) | linear("head", token, d)


def autoencoder(*, d, hidden):
    shapes = linear("input_proj", hidden, 345)
    for side in ("encoder", "decoder"):
        for k in range(2):
            at = f"{side}_blocks.{k}"
            shapes |= linear(f"{at}.mlp.0", 3 * hidden, hidden) | linear(f"{at}.mlp.3", hidden, 3 * hidden)
            shapes |= norm(f"{at}.norm", hidden)
    return (shapes | linear("bottleneck_down", d, hidden) | norm("bottleneck_norm", d) | linear("bottleneck_up", hidden, d)
            | linear("output_proj", 345, hidden))


def deep(name, sizes):
    shapes = {}
    for k, (low, high) in enumerate(zip(sizes[:-1], sizes[1:], strict=True)):
        shapes |= linear(f"{name}.decoder.{4 * k}", high, low)
        if k < len(sizes) - 2:
            at = f"{name}.decoder.{4 * k + 2}"
            shapes |= {f"{at}.{x}": (high,) for x in ("weight", "bias", "running_mean", "running_var")}
            shapes[f"{at}.num_batches_tracked"] = ()
    return shapes


def aligned(kind, *, d, layers, hidden, block, places, fused=False):
    lrs, xp = "lamost_lrs_encoder", "gaia_xp_encoder"
    shapes = {f"{lrs}.backbone.{k}": s for k, s in transformer(21, places, d=d, layers=layers, fused=fused).items()}
    shapes |= {f"{xp}.backbone.{k}": s for k, s in autoencoder(d=d, hidden=hidden).items()}
    sizes = {"": d} if kind != "split" else {"shared_": 2 * d // 3, "private_": d - 2 * d // 3}
    for prefix, e in sizes.items():
        at = f"{lrs}.{prefix or 'cross_'}attention"
        shapes |= {f"{at}.query": (1, 1, e)} | norm(f"{at}.layernorm", e)
        if e == d:
            shapes |= {f"{at}.multihead_attn.in_proj_weight": (3 * e, e)}
        else:
            shapes |= {f"{at}.multihead_attn.{x}_proj_weight": (e, e if x == "q" else d) for x in "qkv"}
        shapes |= {f"{at}.multihead_attn.in_proj_bias": (3 * e,)} | linear(f"{at}.multihead_attn.out_proj", e, e)
        shapes |= linear(f"{xp}.{prefix}projection", e, d) | linear(f"{xp}.{prefix}feature_mlp.0", block, e)
        shapes |= norm(f"{xp}.{prefix}feature_mlp.1", block) | linear(f"{xp}.{prefix}feature_mlp.3", e, block)
        shapes |= norm(f"{xp}.{prefix}feature_mlp.4", e)
        for side in (lrs, xp):
            shapes |= linear(f"{side}.{prefix}mlp.encoder", 4 * e, e) | linear(f"{side}.{prefix}mlp.decoder", e, 4 * e)
    if kind == "pr":
        for which in ("decoder", "cross_decoder"):
            shapes |= deep(f"gaia_xp_{which}", (d, 3072, 1536, 768, 343)) | deep(f"lamost_lrs_{which}",
                                                                                (d, 3072, 3072, 3072, 1462))
    if kind == "split":
        e = sizes["shared_"]
        shapes |= deep("gaia_xp_cross_decoder", (e, 2048, 1024, 512, 343))
        shapes |= deep("lamost_lrs_cross_decoder", (e, 2048, 2048, 2048, 1462))
        for name, out in (("gaia_xp_decoder", 343), ("lamost_lrs_decoder", 1462)):
            shapes |= linear(f"{name}.shared_proj", out, e) | linear(f"{name}.private_proj", out, d - e)
            shapes |= linear(f"{name}.final_layer.0", 2 * out, 2 * out) | linear(f"{name}.final_layer.2", out, 2 * out)
    return shapes


class AttributeDict(dict):
    """What Lightning keeps hyper-parameters of a module in: a dict of a class of its own."""


class Attention(torch.nn.Module):
    """The attention of a block of the backbone."""

    def __init__(self, num_heads):
        super().__init__()
        self.num_heads = num_heads


class Backbone(torch.nn.Module):
    """What Lightning pickles among the hyper-parameters: a module, whose class an importer must not need."""

    def __init__(self, num_heads, *, hparams=True, own=True, blocks=None):
        super().__init__()
        self.blocks = torch.nn.ModuleList(Attention(number) for number in blocks or ([num_heads] * 2 if own else []))
        if hparams:
            self._hparams = AttributeDict(num_heads=num_heads, slice_overlap=10)


class Pooling(torch.nn.Module):
    """What pools the tokens: it has a number of heads, too, and of the same name."""

    def __init__(self):
        super().__init__()
        self.multihead_attn = torch.nn.MultiheadAttention(8, 4)


class LRSHead(torch.nn.Module):
    """The LAMOST side of an aligned model as it is pickled: its parts in the order in which they were made."""

    def __init__(self, backbone, *, order=("backbone", "cross_attention")):
        super().__init__()
        for name in order:
            setattr(self, name, backbone if name == "backbone" else Pooling())


def checkpoint(kind, *, size=SMALL, fused=False, seed=0, heads=6):
    """Make one of the six checkpoints."""
    if kind == "lrs":
        shapes = transformer(21, size["places"], d=size["d"], layers=size["layers"], fused=fused)
    elif kind == "xp":
        shapes = transformer(3, 350, d=size["d"], layers=size["layers"], fused=fused)
    elif kind == "xp-autoencoder":
        shapes = autoencoder(d=size["d"], hidden=size["hidden"])
    else:
        shapes = aligned(kind, fused=fused, **size)
    generator = torch.Generator().manual_seed(seed)
    state = {}
    for name, shape in shapes.items():
        scale = 0.5 / shape[-1] ** 0.5 if len(shape) > 1 else 0.1
        state[name] = scale * torch.randn(shape, generator=generator)
        if "running_var" in name:
            state[name] = state[name].abs() + 0.5
        if name.endswith("num_batches_tracked"):
            state[name] = torch.tensor(7)
    told = {"num_heads": heads, "slice_overlap": 10} if kind in ("lrs", "xp") else \
        {"lamost_lrs_encoder": LRSHead(Backbone(heads)), "logit_scale": 15.5}
    return {"state_dict": state, "hyper_parameters": told, "epoch": 110, "optimizer_states": [{"state": {}}],
            "pytorch-lightning_version": "1.9.5"}


def published_tokens(state, flux, heads):
    """Run the published transformer of LAMOST or XP spectra on normalised flux, straight from its tensors."""
    deviation, mean = flux.std(dim=1, keepdim=True), flux.mean(dim=1, keepdim=True)
    z = (flux - mean) / deviation
    if state["data_embed.weight"].shape[1] == 3:  # XP: a token a pixel, mean and deviation in front
        x = F.pad(F.pad(z[..., None], (2, 0)), (0, 0, 1, 0))
        x[:, 0, :2] = torch.cat([mean, deviation], dim=1)
    else:
        x = torch.stack([z[:, start: start + 20] for start in range(0, 1450, 10)][:145], dim=1)
        x = F.pad(F.pad(x, (1, 0)), (0, 0, 1, 0))
        x[:, 0, 0] = deviation[:, 0].log10()
    x = _linear(state, "data_embed", x) + state["position_embed.weight"][: x.shape[1]]
    n, t, d = x.shape
    width = d // heads
    for k in range(1 + max(int(key.split(".")[1]) for key in state if key.startswith("blocks."))):
        at = f"blocks.{k}"
        y = _norm(state, f"{at}.ln1", x)
        query = _linear(state, f"{at}.attention.q_proj", y)
        key, value = _linear(state, f"{at}.attention.kv_proj", y).chunk(2, dim=-1)
        q, k_, v = (part.reshape(n, t, heads, width).transpose(1, 2) for part in (query, key, value))
        mixed = ((q @ k_.transpose(-1, -2)) / width).softmax(-1) @ v
        x = x + _linear(state, f"{at}.attention.out_proj", mixed.transpose(1, 2).reshape(n, t, d))
        y = _linear(state, f"{at}.mlp.0", _norm(state, f"{at}.ln2", x))
        x = x + _linear(state, f"{at}.mlp.2", F.gelu(y))
    return _norm(state, "final_layernorm", x)


def published_pooling(state, tokens, *, prefix="", heads=4):
    """Run the head that pools LAMOST tokens."""
    at = f"lamost_lrs_encoder.{prefix or 'cross_'}attention"
    e = state[f"{at}.query"].shape[-1]
    if f"{at}.multihead_attn.in_proj_weight" in state:
        weights = state[f"{at}.multihead_attn.in_proj_weight"].chunk(3)
    else:
        weights = [state[f"{at}.multihead_attn.{x}_proj_weight"] for x in "qkv"]
    biases = state[f"{at}.multihead_attn.in_proj_bias"].chunk(3)
    n, width = len(tokens), e // heads
    given = (state[f"{at}.query"].expand(n, -1, -1), tokens, tokens)
    q, k, v = (F.linear(x, w, b).reshape(n, -1, heads, width).transpose(1, 2)
               for x, w, b in zip(given, weights, biases, strict=True))
    mixed = (q @ k.transpose(-1, -2) / width**0.5).softmax(-1) @ v
    x = _linear(state, f"{at}.multihead_attn.out_proj", mixed.transpose(1, 2).reshape(n, e))
    x = _norm(state, f"{at}.layernorm", x)
    at = f"lamost_lrs_encoder.{prefix}mlp"
    return x + _linear(state, f"{at}.decoder", F.gelu(_linear(state, f"{at}.encoder", x)))


def published_projection(state, latent, *, prefix=""):
    """Run the head that projects the XP latent."""
    at = "gaia_xp_encoder"
    x = _linear(state, f"{at}.{prefix}projection", latent)
    x = F.gelu(_norm(state, f"{at}.{prefix}feature_mlp.1", _linear(state, f"{at}.{prefix}feature_mlp.0", x)))
    x = _norm(state, f"{at}.{prefix}feature_mlp.4", _linear(state, f"{at}.{prefix}feature_mlp.3", x))
    at = f"{at}.{prefix}mlp"
    return x + _linear(state, f"{at}.decoder", F.gelu(_linear(state, f"{at}.encoder", x)))


def published_two_parts(state, name, shared, private):
    """Run split's decoder of an instrument's own spectrum."""
    x = torch.cat([_linear(state, f"{name}.shared_proj", shared), _linear(state, f"{name}.private_proj", private)], dim=1)
    return _linear(state, f"{name}.final_layer.2", F.gelu(_linear(state, f"{name}.final_layer.0", x)))


def published_decoder(state, name, x):
    """Run a decoder of linear layers, GELU and batch norm."""
    for k in range(4):
        x = _linear(state, f"{name}.decoder.{4 * k}", x)
        if k < 3:
            at = f"{name}.decoder.{4 * k + 2}"
            x = F.batch_norm(F.gelu(x), state[f"{at}.running_mean"], state[f"{at}.running_var"], state[f"{at}.weight"],
                             state[f"{at}.bias"])
    return x


def _linear(state, name, x):
    return F.linear(x, state[f"{name}.weight"], state[f"{name}.bias"])


def _norm(state, name, x):
    return F.layer_norm(x, x.shape[-1:], state[f"{name}.weight"], state[f"{name}.bias"])
