"""Import time, speed of inference, and memory of a long run.

    python benchmarks/footprint.py --data DATA/lamost-lrs

Import: medians of fresh interpreters, specutils alone and astrofm. Speed: stellar-tiny on LAMOST batches, float32 and
bfloat16, and how well they agree. Memory: peak of ``astrofm predict`` on a folder of 1,000 and of 10,000 files (links to
those of DATA).
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

import astrofm
from astrofm.registry import get_instrument


def import_seconds(module: str, repeats: int = 7) -> float:
    """Give the median seconds that a fresh interpreter takes to import a module."""
    code = f"import time; t = time.perf_counter(); import {module}; print(time.perf_counter() - t)"
    return float(np.median([float(subprocess.run([sys.executable, "-c", code], capture_output=True, text=True,
                                                 check=True).stdout) for _ in range(repeats)]))


def speed(paths: list[Path]) -> None:
    """Print spectra a second and the cosine between precisions."""
    batch = next(get_instrument("lamost-lrs").read_batches(paths, size=512))
    found = {}
    for precision in ("float32", "bfloat16"):
        model = astrofm.load_model("stellar-tiny", precision=precision)
        found[precision] = model.embed(batch)
        times = {"embed": [], "predict": []}
        for _ in range(5):
            for verb, seconds in times.items():
                start = time.perf_counter()
                getattr(model, verb)(batch)
                seconds.append(time.perf_counter() - start)
        print(f"{precision:9s} " + "   ".join(f"{verb} {len(batch) / np.median(seconds):7.0f}/s"
                                              for verb, seconds in times.items()))
    a, b = found.values()
    cosine = (a * b).sum(1) / np.linalg.norm(a, axis=1) / np.linalg.norm(b, axis=1)
    print(f"cosine between them: median {np.median(cosine):.5f}, least {cosine.min():.5f}")


def peak_memory(paths: list[Path], count: int) -> float:
    """Give the peak memory (MB) of predicting ``count`` files by the command."""
    with tempfile.TemporaryDirectory() as folder:
        for k in range(count):
            (Path(folder) / f"{k:06d}.fits").symlink_to(paths[k % len(paths)].resolve())
        code = ("import resource, sys; from astrofm.cli import main; "
                f"code = main(['predict', {folder!r}, '-o', {folder + '/out.ecsv'!r}, '--no-progress']); "
                "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, file=sys.stderr); sys.exit(code)")
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return float(done.stderr.split()[-1])


def main() -> None:
    """Print the numbers."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", type=Path, required=True, help="folder with LAMOST files")
    options = parser.parse_args()
    paths = sorted(options.data.glob("spec-*.fits"))
    alone, ours = import_seconds("specutils"), import_seconds("astrofm")
    print(f"import: specutils {alone:.2f} s, astrofm {ours:.2f} s, {ours / alone:.2f} times")
    speed(paths)
    small, large = peak_memory(paths, 1000), peak_memory(paths, 10_000)
    print(f"peak memory: {small:.0f} MB for 1,000 files, {large:.0f} MB for 10,000")


if __name__ == "__main__":
    main()
