"""Light curves a second: embedded, classified, and their features measured by a model that comes along.

    python benchmarks/classifying.py [--curves ZTF.parquet]

Stars are simulated ones as ZTF sees them, or real ones of a file. What is timed is from a batch of points to the table of
classes; medians of wall time, which other work on the machine stretches, and of the processor's time, which it hardly does.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable
from pathlib import Path

import torch
from astrofm_sky import observe_variables, variable_stars

from astrofm import load_model
from astrofm.data import Batch
from astrofm.registry import get_instrument


def timed(work: Callable[[], object], repeats: int) -> tuple[float, float]:
    """Give the median seconds of the wall and of the processor."""
    wall, own = [], []
    for _ in range(repeats):
        start = time.perf_counter(), time.process_time()
        work()
        wall.append(time.perf_counter() - start[0])
        own.append(time.process_time() - start[1])
    return statistics.median(wall), statistics.median(own)


def main() -> None:
    """Time each way."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", default="variable-tiny")
    parser.add_argument("--curves", type=Path, help="light curves of ZTF in Parquet, in place of simulated ones")
    parser.add_argument("--stars", type=int, default=500)
    parser.add_argument("--repeats", type=int, default=3)
    told = parser.parse_args()
    ztf, model = get_instrument("ztf"), load_model(told.model)
    if told.curves:
        batch: Batch = next(iter(ztf.read_batches([told.curves], size=told.stars)))
    else:
        batch = observe_variables(variable_stars(told.stars, seed=1, magnitude=(13.0, 18.5)), "ztf", seed=2)
    model.classify(batch[:20])
    points = (~batch.mask).sum(axis=1)
    print(f"{len(batch)} light curves of {points.min()} to {points.max()} points (median {statistics.median(points):.0f}); "
          f"{torch.get_num_threads()} threads, medians of {told.repeats}")
    for name, work in (("embed", lambda: model.embed(batch)), ("classify", lambda: model.classify(batch)),
                       ("all features", lambda: ztf.features(batch))):
        wall, own = timed(work, told.repeats)
        print(f"{name:14s} {len(batch) / wall:7.0f} light curves/s, {len(batch) / own:7.0f} a second of one processor",
              flush=True)


if __name__ == "__main__":
    main()
