"""Speed of models that answer names: SpectraFM's and Leung & Bovy's in the published sizes, against a loop over stars.

    python benchmarks/asking.py

Random weights. The loop does what the published code does: one star at a time through torch's own attention, in float32.
"""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np
import torch
from astrofm_apogee.grid import GRID, expand, pixels_of
from torch.nn import functional as F

from astrofm.models import Model
from astrofm.models.request import answer
from astrofm.nn.asking import AskedNames, AskedNumbers, PostNormBlock
from astrofm.nn.pixels import PixelTokens
from astrofm.nn.quantities import NamedQuantities

LABELS = [{"name": name, "unit": ""} for name in ("teff", "logg", "o_fe", "mg_fe", "fe_h")]
STARS = 128


def block(part: PostNormBlock, x: torch.Tensor, tokens: torch.Tensor) -> torch.Tensor:
    """One block by torch's own multi-head attention."""
    own, d = part.attention, x.shape[-1]
    mixed, _ = F.multi_head_attention_forward(
        x.transpose(0, 1), tokens.transpose(0, 1), tokens.transpose(0, 1), d, own.heads, own.enter.weight, own.enter.bias,
        own.key.reshape(1, 1, -1), own.value.reshape(1, 1, -1), False, 0.0, own.out.weight, own.out.bias, training=False,
        need_weights=False)
    x = part.norm_attention(x + mixed.transpose(0, 1))
    return part.norm_mlp(x + part.mlp(x))


def alone(model: Model, tokens: torch.Tensor, asked: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Answer for one star, tokens ``(1, t, d)`` as they enter."""
    for one in model.encoder.blocks:
        tokens = block(one, tokens, tokens)
    x = model.encoder.table.row[asked][None]
    for one in model.aligner.blocks:
        x = block(one, x, tokens)
    return next(iter(model.heads.values())).numbers(x)


def seconds(task: Callable[[], object], repeats: int = 3) -> float:
    """Give the median time of a task, after one run that does not count."""
    task()
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        task()
        times.append(time.perf_counter() - start)
    return float(np.median(times))


def operations(encoder: PixelTokens, aligner: AskedNames, tokens: int) -> float:
    """Count the floating-point operations in the products of one star."""
    count = 0.0
    for blocks, rows, asked in ((encoder.blocks, tokens, tokens), (aligner.blocks, tokens, aligner.asked)):
        for part in blocks:
            d = encoder.dim
            linear = 2 * d * d * rows + 2 * d * d * asked + sum(layer.weight.numel() for layer in part.mlp[::3]) * asked
            count += 2 * (linear + 2 * asked * rows * d)
    return count


def products(kind: torch.dtype) -> float:
    """Measure how many operations a second large matrix products reach."""
    one = torch.randn(2048, 2048).to(kind)
    return 2 * 2048**3 / seconds(lambda: one @ one, 7)


@torch.inference_mode()
def spectra() -> None:
    """SpectraFM: labels of spectra of 7514 pixels, 512 of them taken."""
    torch.manual_seed(0)
    encoder = PixelTokens(asked=[one["name"] for one in LABELS], wavelengths=(15000.0, 17000.0), instruments=["apogee"])
    model = Model(encoder, AskedNames(source_dim=256, asked=5, hidden=(2048, 1024, 512)),
                  {"labels": AskedNumbers(dim=5 * 256, labels=LABELS, hidden=(2048, 1024, 512, 256))},
                  card={"name": "random"})
    random = np.random.default_rng(0)
    flux = 1 - 0.3 * random.random((STARS, 7514)).astype(np.float32)
    batch = expand(flux, np.full_like(flux, 0.01), normalised=True)
    kept = ((np.arange(512) + 0.5) * 7514 / 512).astype(int)
    wave = torch.from_numpy(GRID[pixels_of(7514)][kept])[None]

    def one(row: int) -> torch.Tensor:
        value = torch.from_numpy((flux[row: row + 1, kept] - encoder.centre) / encoder.spread)
        tokens = encoder.table(torch.full_like(wave, encoder.pixel_row, dtype=torch.long), value) + encoder.place(wave)
        return alone(model, tokens, encoder.asked)[0]

    loop = seconds(lambda: [one(row) for row in range(16)]) / 16
    expected = torch.cat([one(row) for row in range(16)]).numpy()
    work = operations(encoder, model.aligner, 512)
    print(f"SpectraFM, 11.9 M parameters, 512 of 7514 pixels: loop in float32 {1 / loop:.1f} stars/s, "
          f"{work / loop / 1e9:.0f} GFLOP/s")
    for kind in (torch.float32, torch.bfloat16):
        fastest = products(kind)
        print(f"  matrix products of this processor in {str(kind)[6:]:8s} {fastest / 1e9:.0f} GFLOP/s: with no other work, "
              f"{fastest * loop / work:.1f} times the loop")
    for precision in ("float32", "bfloat16"):
        model.to("cpu", precision=precision)
        ours = seconds(lambda: model.predict(batch)) / STARS
        found = np.stack([np.asarray(model.predict(batch[:16])[one["name"]], float) for one in LABELS], axis=1)
        off = np.abs(found - expected).max() / expected.std()
        print(f"  model.predict, {precision:8s} {1 / ours:6.1f} stars/s   {loop / ours:.1f} times   off by {off:.1e} of the "
              "spread")


@torch.inference_mode()
def quantities() -> None:
    """Leung & Bovy's: five quantities from 40 others."""
    torch.manual_seed(0)
    names = [{"name": f"q{k}", "unit": ""} for k in range(118)]
    encoder = NamedQuantities(quantities=names, asked=["q0"])
    model = Model(encoder, AskedNames(source_dim=128, asked=1, hidden=(3096, 1548, 774)),
                  {"labels": AskedNumbers(dim=128, labels=names[:1], hidden=(3096, 1548, 774, 387))}, card={"name": "random"})
    value = np.full((10_000, 118), np.nan)
    value[:, :40] = np.random.default_rng(1).normal(size=(10_000, 40))
    wanted = [f"q{k}" for k in range(100, 105)]
    rows, place = encoder.rows(wanted), torch.arange(1, 41)[None]

    def one(row: int) -> torch.Tensor:
        return alone(model, encoder.table(place, torch.from_numpy(value[row: row + 1, :40]).float()), rows)[0]

    loop = seconds(lambda: [one(row) for row in range(50)]) / 50
    off = np.abs(answer(model, value[:50], wanted)[0] - torch.cat([one(row) for row in range(50)]).numpy()).max()
    print(f"\nLeung & Bovy, 8.8 M parameters, 5 quantities from 40: loop {1 / loop:.1f} stars/s; answers off by {off:.1e}")
    for count in (1_000, 10_000):
        ours = seconds(lambda count=count: answer(model, value[:count], wanted), 1 if count > 1_000 else 3)
        print(f"  {count:6,} stars in one call: {ours:5.1f} s, {1e3 * ours / count:.2f} ms a star, "
              f"{loop * count / ours:.1f} times")


if __name__ == "__main__":
    print(f"{torch.get_num_threads()} threads")
    spectra()
    quantities()
