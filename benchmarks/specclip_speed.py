"""Speed of SpecCLIP's LAMOST encoder and of its aligned model, against plain float32 PyTorch with the same weights.

    python benchmarks/specclip_speed.py

Random weights of the published size; the plain implementation is the published one: products, softmax and linear layers in
float32, all stars at once. Rates are medians; the peak is that of a bfloat16 product of matrices as large as the encoder's.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable

import numpy as np
import torch
from astrofm_zoo.specclip.aligner import SpecCLIPAligner
from astrofm_zoo.specclip.backbones import LRSTransformer
from astrofm_zoo.specclip.encoder import SpecCLIPEncoder

from astrofm.data import Batch
from astrofm.models import Model
from astrofm.registry import get_instrument


def plain(backbone: LRSTransformer, flux: torch.Tensor) -> torch.Tensor:
    """Embed as the published code does."""
    trunk = backbone.trunk
    tokens = backbone.tokens(flux)
    x = trunk.enter(tokens) + trunk.place.weight[: tokens.shape[1]]
    n, t, d = x.shape
    for block in trunk.blocks:
        heads = block.attention.heads
        q, k, v = block.attention.qkv(block.norm_attention(x)).reshape(n, t, 3, heads, d // heads).permute(2, 0, 3, 1, 4)
        mixed = ((q @ k.transpose(-1, -2)) * block.attention.scale).softmax(-1) @ v
        x = x + block.attention.out(mixed.transpose(1, 2).reshape(n, t, d))
        x = x + block.mlp(block.norm_mlp(x))
    return trunk.norm(x)


def seconds(task: Callable[[], object], repeats: int) -> float:
    """Give the median time of a task, after one run that does not count."""
    task()
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        task()
        times.append(time.perf_counter() - start)
    return float(np.median(times))


def peak() -> float:
    """Measure the rate of bfloat16 products, in floating-point operations a second."""
    a, b = torch.randn(4096, 768).bfloat16(), torch.randn(768, 3072).bfloat16()
    return 2 * 4096 * 768 * 3072 / seconds(lambda: a @ b, 15)


def operations(backbone: LRSTransformer, tokens: int) -> float:
    """Count the operations of one star."""
    d = backbone.dim
    return len(backbone.trunk.blocks) * (2 * tokens * 12 * d * d + 4 * tokens * tokens * d)


@torch.inference_mode()
def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--stars", type=int, default=256)
    parser.add_argument("--repeats", type=int, default=3)
    options = parser.parse_args()
    torch.manual_seed(0)
    instrument = get_instrument("lamost-lrs")
    n, wave = options.stars, instrument.wavelength()
    slope = np.random.default_rng(0).uniform(0.5, 3, (n, 1))
    flux = 100 * (wave / 5000) ** slope * (1 + 0.05 * np.random.default_rng(1).standard_normal((n, len(wave))))
    batch: Batch = instrument.batch(flux, 0.05 * flux, np.zeros(flux.shape, bool))
    encoder, aligner = SpecCLIPEncoder(lrs={}, xp={}), SpecCLIPAligner(kind="pr")
    model = Model(encoder, aligner, {}, card={"name": "random", "instruments": ["lamost-lrs", "gaia-xp"]})
    backbone, pixels = encoder.lrs, encoder.see(batch.tensors())
    rate = n / seconds(lambda: plain(backbone, pixels), options.repeats)
    print(f"{torch.get_num_threads()} threads, {n} stars; plain float32: {rate:.1f}/s")
    expected = model.aligner.align(plain(backbone, pixels[:32]), "lamost-lrs").numpy()
    for name, task in (("encoder alone", lambda: _embed(backbone, pixels, encoder.cpu_batch)),
                       ("model, from the survey's pixels", lambda: model.embed(batch))):
        ours = n / seconds(task, options.repeats)
        part = operations(backbone, 146) * ours / peak()
        print(f"{name:32s} {ours:6.1f}/s   {ours / rate:.2f} times   {part:.2f} of the bfloat16 peak")
    print(f"cosine of embeddings with float32: least {cosine(model.embed(batch[:32]), expected):.5f}")
    model.to("cpu", precision="int8")
    ours = n / seconds(lambda: model.embed(batch), options.repeats)
    print(f"{'model with int8 linear layers':32s} {ours:6.1f}/s   {ours / rate:.2f} times   "
          f"cosine least {cosine(model.embed(batch[:32]), expected):.5f}")
    model.to("cpu", precision="auto")
    one = batch[:1]
    alone, ours = seconds(lambda: plain(backbone, pixels[:1]), 9), seconds(lambda: model.embed(one), 9)
    print(f"one star: plain {1e3 * alone:.0f} ms, model {1e3 * ours:.0f} ms, {alone / ours:.2f} times")


def cosine(found: np.ndarray, expected: np.ndarray) -> float:
    """Give the least cosine of matching rows."""
    return float(((found * expected).sum(1) / np.linalg.norm(found, axis=1) / np.linalg.norm(expected, axis=1)).min())


def _embed(backbone: LRSTransformer, flux: torch.Tensor, size: int) -> torch.Tensor:
    with torch.autocast("cpu", torch.bfloat16):
        return torch.cat([backbone(part) for part in flux.split(size)])


if __name__ == "__main__":
    main()
