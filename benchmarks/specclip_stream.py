"""Memory of embedding a stream of spectra by an aligned SpecCLIP model: the peak must not grow with their number.

    python benchmarks/specclip_stream.py runs/specclip/pr/model.safetensors --data runs/specclip/data [--spectra 1000000]

Spectra are read through the memory map from a data set (benchmarks/specclip.py leaves one), again and again from its start,
and embedded 256 at a time; the peak of the process's memory is printed as it goes.
"""

from __future__ import annotations

import argparse
import resource
import time
from pathlib import Path

import numpy as np

from astrofm.models import Model
from astrofm.training import ShardedData

BATCH = 256


def main() -> None:
    """Print the peak as the stream goes on."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("model", type=Path)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--spectra", type=int, default=1_000_000)
    parser.add_argument("--instrument", default="gaia-xp")
    options = parser.parse_args()
    model, data = Model.load(options.model), ShardedData.open(options.data)
    count = len(data.stars[options.instrument])
    began, done, tell = time.monotonic(), 0, 10_000
    total = np.zeros(model.dim)
    while done < options.spectra:
        rows = np.arange(done, min(done + BATCH, options.spectra)) % count
        found = model.embed(data.batch(options.instrument, rows))
        total += np.nansum(found, axis=0)
        done += len(rows)
        if done >= tell or done == options.spectra:
            peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
            rate = done / (time.monotonic() - began)
            print(f"{done:>9,} spectra of {options.instrument}  {rate:.0f}/s  peak {peak:.0f} MB", flush=True)
            tell = 10 * tell if done < options.spectra else tell
    print(f"sum of all embeddings: {total.sum():.3f}")


if __name__ == "__main__":
    main()
