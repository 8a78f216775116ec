"""Observe variable stars by simulation, in batches and star by star, in the same run.

    python benchmarks/observing_variables.py

The loop hands over one star at a time to the same functions. Medians of ``--repeats`` runs.
"""

from __future__ import annotations

import argparse
import time

import numpy as np
from astrofm_sky import CLASSES, observe_variables, variable_stars


def seconds(action, repeats: int) -> float:
    """Give the median time of an action."""
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        action()
        times.append(time.perf_counter() - start)
    return float(np.median(times))


def main() -> None:
    """Print rates."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--stars", type=int, default=1000)
    parser.add_argument("--repeats", type=int, default=5)
    options = parser.parse_args()
    drawn = seconds(lambda: variable_stars(options.stars, seed=0), options.repeats)
    print(f"drawn: {options.stars / drawn:.0f} stars/s")
    stars = variable_stars(options.stars, seed=0)
    few = [stars[row:row + 1] for row in range(30)]
    for name in ("ztf", "gaia-epoch", "tess"):
        points = int((~observe_variables(stars, name).mask).sum())
        batch = seconds(lambda name=name: observe_variables(stars, name), options.repeats)
        single = seconds(lambda name=name: [observe_variables(star, name) for star in few], 1)
        print(f"{name:12s} {points / options.stars:6.0f} points a star  {options.stars / batch:7.0f} stars/s  "
              f"{points / batch:9.0f} points/s  one by one {len(few) / single:6.0f} stars/s")
    days = np.sort(np.random.default_rng(0).uniform(0, 1000, (100, 500)), axis=1)
    rates = {}
    for name in CLASSES:
        own = variable_stars(100, seed=0, classes=[name])
        rates[name] = 100 / seconds(lambda own=own: own.at(days, 6000.0), 3)
    slowest = sorted(rates, key=rates.get)[:5]
    print("light at 500 points, slowest classes:", ", ".join(f"{name} {rates[name]:.0f} stars/s" for name in slowest))


if __name__ == "__main__":
    main()
