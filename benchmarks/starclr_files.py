"""StarCLR on a file of light curves, end to end: from Parquet to a table of classes, ours against the way of the scripts.

    python benchmarks/starclr_files.py --curves 5000

A file as ZTF's data releases have it (lists of times, magnitudes and errors, a row a light curve) is written first, with
lengths that are log-uniform, and a table of what the head reads beside the embedding. Backbone and head are of the size
told, with random weights. The scripts' way is written down again here from its description: rows are read, clipped,
turned into flux and scaled one by one, sorted by length or not, padded to the longest of their batch, every layer sees
padding under a mask, and probabilities are written as CSV. Every way is run once, from the file to the written table.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from astrofm_zoo.starclr.published import EXTRAS, ORDER, PERIODS, VIEWS, extras_of
from astropy import units as u
from astropy.table import QTable
from pandas import DataFrame, read_parquet
from starclr_speed import padded

from astrofm.models import Model
from astrofm.nn.plain import ExtraClassHead, PlainAligner
from astrofm.nn.points import PointEncoder

SURVEY = "ztf"
CLASSES = [f"class-{k:02d}" for k in range(11)]
#: what the user gives of each star, in the head's order and units
GIVEN = [name for name in ORDER[SURVEY] if name != "amplitude"]


def write(path: Path, count: int, shortest: int, longest: int) -> QTable:
    """Write light curves, and give what else is known of the stars."""
    random = np.random.default_rng(0)
    rows = []
    for row, length in enumerate(np.exp(random.uniform(np.log(shortest), np.log(longest), count)).astype(int)):
        days = np.sort(random.uniform(58200, 59600, length))
        error = np.full(length, 0.02, np.float32)
        magnitude = 16 + 0.3 * np.sin(2 * np.pi * days / random.uniform(0.2, 20)) + error * random.standard_normal(length)
        rows.append({"objectid": 10**15 + row, "filterid": 2, "objra": 180.0, "objdec": 20.0, "nepochs": length,
                     "hmjd": days, "mag": magnitude.astype(np.float32), "magerr": error,
                     "catflags": np.zeros(length, np.int32)})
    DataFrame(rows).to_parquet(path)
    table = QTable({"id": [str(row["objectid"]) for row in rows]})
    for name in GIVEN:
        table[name] = random.uniform(0.1, 2, count) * u.Unit(EXTRAS[name].get("unit", ""))
    return table


def build(dim: int, depth: int, heads: int) -> Model:
    """Make the model with random weights."""
    torch.manual_seed(0)
    encoder = PointEncoder(dim=dim, depth=depth, heads=heads, hidden=4 * dim, errors=False, bands=0, views=VIEWS,
                           periods=PERIODS, paired=False, post=True, epsilon=1e-12, window=None, exact=True)
    head = ExtraClassHead(dim=dim, extras=extras_of(SURVEY), classes=CLASSES, hidden=[2048, 1024, 512], epsilon=1e-12)
    return Model(encoder.eval(), PlainAligner(dim=dim), {SURVEY: head.eval()}, card={"name": "starclr-size"})


def plain(model: Model) -> Model:
    """Give the model in float32."""
    return model.to("cpu", precision="float32")


def ours(model: Model, path: Path, table: QTable, out: Path) -> np.ndarray:
    """From the file to a table of classes, and the probabilities of the first three classes of each star."""
    found = model.classify([path], extras=table)
    found.write(out, format="ascii.ecsv", overwrite=True)
    return np.stack([found[f"variable_class_{k}_probability"] for k in (1, 2, 3)], 1)


@torch.inference_mode()
def scripts(model: Model, path: Path, table: QTable, out: Path, size: int, *, ordered: bool) -> np.ndarray:
    """Do the same the scripts' way."""
    frame = read_parquet(path)
    rows = frame.apply(_row, axis=1).tolist()
    amplitude = np.array([row[2] for row in rows])
    given = np.stack([amplitude if name == "amplitude" else table[name].value for name in ORDER[SURVEY]], 1)
    embedding = padded(model.encoder, [row[:2] for row in rows], size, ordered=ordered)
    seen = torch.tensor(np.concatenate([embedding, given], axis=1), dtype=torch.float32)
    probability = model.heads[SURVEY].scores(seen).softmax(1).numpy()
    DataFrame({"predicted_label": np.array(CLASSES)[probability.argmax(1)],
               "predicted_probability": probability.max(1)}).to_csv(out)
    return -np.sort(-probability, axis=1)[:, :3]


def _row(row: object) -> tuple[np.ndarray, np.ndarray, float]:
    days, value = np.asarray(row["hmjd"]), np.asarray(row["mag"], float)
    keep = np.abs(value - np.mean(value)) <= VIEWS[SURVEY]["clip"] * np.std(value)
    days, value = days[keep], value[keep]
    amplitude = np.percentile(value, 95) - np.percentile(value, 5)
    flux = 10 ** (-0.4 * value)
    low, high = np.percentile(flux, 5), np.percentile(flux, 95)
    return days - days.min(), (flux - low) / (high - low), amplitude


def main() -> None:
    """Run each way once."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    for name, number in (("curves", 5000), ("shortest", 20), ("longest", 2000), ("dim", 256), ("depth", 6), ("heads", 8),
                         ("batch", 64)):
        parser.add_argument(f"--{name}", type=int, default=number, help="(%(default)s)")
    told = parser.parse_args()
    model = build(told.dim, told.depth, told.heads)
    with tempfile.TemporaryDirectory() as folder:
        path, out = Path(folder) / "light_curves.parquet", Path(folder) / "classes"
        table = write(path, told.curves, told.shortest, told.longest)
        few = Path(folder) / "few.parquet"
        ours(model, few, write(few, 8, 20, 40), out)  # what is loaded once
        ways: dict[str, Callable[[], np.ndarray]] = {
            "ours, float32": lambda: ours(plain(model), path, table, out),
            "ours, bfloat16": lambda: ours(model.to("cpu", precision="bfloat16"), path, table, out),
            "scripts, sorted": lambda: scripts(plain(model), path, table, out, told.batch, ordered=True),
            "scripts, as they come": lambda: scripts(plain(model), path, table, out, told.batch, ordered=False)}
        seconds, exact = {}, None
        print(f"{told.curves} light curves of {told.shortest}-{told.longest} points; {told.dim} wide, {told.depth} deep; "
              f"{torch.get_num_threads()} threads; one run, seconds of wall and of the processor", flush=True)
        for name, way in ways.items():
            start = time.perf_counter(), time.process_time()
            answer = way()
            wall, own = time.perf_counter() - start[0], time.process_time() - start[1]
            seconds[name], exact = (wall, own), answer if exact is None else exact
            print(f"{name:24s} {wall:8.1f} s wall {own:8.1f} s processor {told.curves / wall:8.1f} stars/s   probabilities "
                  f"differ by {np.abs(answer - exact).max():.1e}", flush=True)
    for name in list(ways)[:2]:
        for peer in list(ways)[2:]:
            print(f"{name:15s} is {seconds[peer][0] / seconds[name][0]:5.1f} x as fast as {peer:22s} "
                  f"({seconds[peer][1] / seconds[name][1]:.1f} x in time of the processor)")


if __name__ == "__main__":
    main()
