"""StarCLR's backbone on light curves of mixed lengths: ours against the way of the published scripts, at equal answers.

    OMP_NUM_THREADS=1 python benchmarks/starclr_speed.py --curves 128
    python benchmarks/starclr_speed.py --memory

The scripts' way, written down again here from its description: each row is clipped and scaled on its own, rows are padded
to the longest of their batch, and every layer sees padding under an additive mask of shape (n, 1, t, t). They sort rows by
length first; so both orders are timed: as the catalogue has it, and sorted. Weights are random, of the size told; lengths are
log-uniform. Ways take turns, and medians are told of the time of the processor, which other work on the machine does not
stretch. Beside them stands the time of the matrix products alone, without padding, at the speed of large products here: no
way in that precision is faster. ``--memory`` tells the peak of one light curve of up to five million points.
"""

from __future__ import annotations

import argparse
import resource
import statistics
import subprocess
import sys
import time

import numpy as np
import torch
from astrofm_zoo.starclr.published import PERIODS, VIEWS
from torch.nn import functional as F

from astrofm.data import Batch
from astrofm.data.curves import Curves, pad_curves, settle
from astrofm.models import Model
from astrofm.nn.plain import PlainAligner
from astrofm.nn.points import PointEncoder


def light_curves(count: int, shortest: int, longest: int) -> list[tuple[np.ndarray, np.ndarray]]:
    """Make times (days) and fluxes."""
    random = np.random.default_rng(0)
    made = []
    for length in np.exp(random.uniform(np.log(shortest), np.log(longest), count)).astype(int):
        days = np.sort(random.uniform(0, 27, length))
        made.append((days, 1 + 0.1 * np.sin(days * random.uniform(0.5, 20)) + 0.01 * random.standard_normal(length)))
    return made


def ours(model: Model, stars: list[tuple[np.ndarray, np.ndarray]]) -> np.ndarray:
    """From raw columns to embeddings."""
    lengths = [len(days) for days, _ in stars]
    days, value = (np.concatenate(column) for column in zip(*stars, strict=True))
    points = len(days)
    curves = settle(Curves(np.concatenate([[0], np.cumsum(lengths)]), np.full(len(stars), 2459000.5), days, value,
                           np.full(points, 0.01), np.zeros(points, bool), np.zeros(points, np.int16)))
    size = model.encoder.cpu_batch
    return np.concatenate([model.embed(pad_curves(curves[start: start + size], "tess"))
                           for start in range(0, len(curves), size)])


def scripts(encoder: PointEncoder, stars: list[tuple[np.ndarray, np.ndarray]], size: int, *, ordered: bool) -> np.ndarray:
    """From raw columns to embeddings, the scripts' way."""
    rows = [_row(days, value) for days, value in stars]
    return padded(encoder, rows, size, ordered=ordered)


@torch.inference_mode()
def padded(encoder: PointEncoder, rows: list[tuple[np.ndarray, np.ndarray]], size: int, *, ordered: bool) -> np.ndarray:
    """Embed rows of days and scaled values the scripts' way, padded to the longest of ``size``."""
    order = np.argsort([len(days) for days, _ in rows], kind="stable") if ordered else np.arange(len(rows))
    found = np.zeros((len(rows), encoder.dim), np.float32)
    for start in range(0, len(rows), size):
        chosen = order[start: start + size]
        longest = max(len(rows[k][0]) for k in chosen)
        days, value, seen = (torch.zeros(len(chosen), longest) for _ in range(3))
        for place, k in enumerate(chosen):
            length = len(rows[k][0])
            days[place, :length], value[place, :length] = torch.tensor(rows[k][0]), torch.tensor(rows[k][1])
            seen[place, :length] = 1
        x = _hidden(encoder, days, value, seen)
        found[chosen] = (x * seen[..., None]).sum(1).div(seen.sum(1, keepdim=True)).numpy()
    return found


def _row(days: np.ndarray, value: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    keep = np.abs(value - np.mean(value)) <= VIEWS["tess"]["clip"] * np.std(value)
    days, value = days[keep], value[keep]
    low, high = np.percentile(value, 5), np.percentile(value, 95)
    return days - days.min(), (value - low) / (high - low)


def _hidden(encoder: PointEncoder, days: torch.Tensor, value: torch.Tensor, seen: torch.Tensor) -> torch.Tensor:
    n, t, d = *days.shape, encoder.dim
    mask = ((1 - seen) * torch.finfo(torch.float32).min)[:, None, None].expand(n, 1, t, t)
    x = encoder.norm(encoder.enter(value[..., None]) + encoder.time(days))
    for block in encoder.blocks:
        attention, split = block.attention, (n, t, -1, d // block.attention.heads)
        weight, bias = attention.qkv.weight.chunk(3), attention.qkv.bias.chunk(3)
        q, k, v = (F.linear(x, w, b).view(split).transpose(1, 2) for w, b in zip(weight, bias, strict=True))
        mixed = F.scaled_dot_product_attention(q, k, v, attn_mask=mask).transpose(1, 2).reshape(n, t, d)
        x = block.norm_attention(x + attention.out(mixed))
        x = block.norm_mlp(x + block.mlp(x))
    return x


def operations(encoder: PointEncoder, stars: list[tuple[np.ndarray, np.ndarray]]) -> float:
    """Count the floating-point operations in the products, without padding."""
    points = np.array([len(days) for days, _ in stars], float)
    layers = sum(layer.weight.numel() for block in encoder.blocks for layer in block.modules()
                 if isinstance(layer, torch.nn.Linear))
    return float(2 * layers * points.sum() + 4 * encoder.dim * len(encoder.blocks) * (points**2).sum())


def products(kind: torch.dtype) -> float:
    """Measure how many operations a second of the processor large matrix products reach."""
    one, spent = torch.randn(2048, 2048).to(kind), []
    for _ in range(8):
        start = time.process_time()
        _ = one @ one
        spent.append(time.process_time() - start)
    return 2 * 2048**3 / statistics.median(spent[1:])


def peak(points: int) -> None:
    """Predict one light curve with a small encoder, 16 wide, in windows of 256, and tell the peak of memory (MiB)."""
    torch.manual_seed(0)
    encoder = PointEncoder(dim=16, depth=1, heads=1, hidden=32, errors=False, bands=0, views=VIEWS, window=256).eval()
    model = Model(encoder, PlainAligner(dim=16), {}, card={"name": "memory"})
    days = np.linspace(0, 3000, points)
    value = 1 + 0.1 * np.sin(days).astype(np.float32)[None]
    batch = Batch("tess", days[None], value, np.full_like(value, 0.01), np.zeros(value.shape, bool),
                  np.zeros(value.shape, np.int16), {"id": ["one"]})
    assert not model.predict(batch)["flags"][0]
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)


def memory() -> None:
    """Tell the peak of memory for light curves of growing length, each in a process of its own."""
    least = None
    for points in (1_000, 1_000_000, 5_000_000):
        told = subprocess.run([sys.executable, __file__, "--peak", str(points)], check=True, capture_output=True, text=True)
        most = float(told.stdout)
        least = most if least is None else least
        print(f"{points:9,} points: peak {most:6.0f} MiB, {(most - least) * 2**20 / points:4.0f} bytes a point above the "
              "first")


def main() -> None:
    """Time the ways in turn."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    for name, number in (("curves", 200), ("shortest", 20), ("longest", 2000), ("dim", 256), ("depth", 6), ("heads", 8),
                         ("batch", 64), ("repeats", 3)):
        parser.add_argument(f"--{name}", type=int, default=number, help="(%(default)s)")
    parser.add_argument("--memory", action="store_true", help="tell the peak of memory instead")
    parser.add_argument("--peak", type=int, help=argparse.SUPPRESS)
    told = parser.parse_args()
    if told.peak:
        return peak(told.peak)
    if told.memory:
        return memory()
    torch.manual_seed(0)
    encoder = PointEncoder(dim=told.dim, depth=told.depth, heads=told.heads, hidden=4 * told.dim, errors=False, bands=0,
                           views=VIEWS, periods=PERIODS, paired=False, post=True, epsilon=1e-12, window=None,
                           exact=True).eval()
    stars = light_curves(told.curves, told.shortest, told.longest)
    model = Model(encoder, PlainAligner(dim=told.dim), {}, card={"name": "speed"})

    def rounded() -> np.ndarray:
        found = ours(model.to("cpu", precision="bfloat16"), stars)
        model.to("cpu", precision="float32")
        return found

    ways = {"ours, float32": lambda: ours(model, stars), "ours, bfloat16": rounded,
            "scripts, sorted": lambda: scripts(encoder, stars, told.batch, ordered=True),
            "scripts, as they come": lambda: scripts(encoder, stars, told.batch, ordered=False)}
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    answers = {}
    for _ in range(told.repeats):
        for name, way in ways.items():
            start = time.process_time()
            answers[name] = way()
            seconds[name].append(time.process_time() - start)
    points, exact, wall = sum(len(days) for days, _ in stars), answers["ours, float32"], {}
    print(f"{told.curves} light curves of {told.shortest}-{told.longest} points, {points:,} in all; {told.dim} wide, "
          f"{told.depth} deep; {torch.get_num_threads()} threads; seconds of the processor, median of {told.repeats}")
    for name, spent in seconds.items():
        wall[name] = statistics.median(spent)
        cosine = (answers[name] * exact).sum(1) / np.linalg.norm(answers[name], axis=1) / np.linalg.norm(exact, axis=1)
        print(f"{name:24s} {wall[name]:8.2f} s {told.curves / wall[name]:8.1f} stars/s   differs by "
              f"{np.abs(answers[name] - exact).max():.1e}, cosine {cosine.min():.6f}")
    for kind in (torch.float32, torch.bfloat16):
        least, name = operations(encoder, stars) / products(kind), f"ours, {str(kind)[6:]}"
        for way in ("scripts, sorted", "scripts, as they come"):
            print(f"{name:15s} is {wall[way] / wall[name]:5.1f} x as fast as {way:22s} (products alone: {least:6.2f} s, "
                  f"{wall[way] / least:5.1f} x)")


if __name__ == "__main__":
    main()
