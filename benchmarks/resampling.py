"""Resample spectra with astrofm and with specutils in the same run.

    python benchmarks/resampling.py

1,000 spectra of 3,904 pixels of 1e-4 dex go to one linear grid, from one grid and from a grid each; specutils
resamples ``--peer`` of them one by one. Medians of ``--repeats`` runs; the answers are compared.
"""

from __future__ import annotations

import argparse
import time
import warnings

import numpy as np
from astropy import units as u
from astropy.nddata import StdDevUncertainty
from specutils.manipulation import FluxConservingResampler

from astrofm.compat import Spectrum
from astrofm.data import pseudo_continuum, resample


def median_time(task, repeats: int) -> float:
    """Give the median seconds of a call."""
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        task()
        times.append(time.perf_counter() - start)
    return float(np.median(times))


def main() -> None:
    """Print rates and ratios."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--stars", type=int, default=1000)
    parser.add_argument("--peer", type=int, default=10)
    parser.add_argument("--repeats", type=int, default=5)
    options = parser.parse_args()
    random = np.random.default_rng(0)
    wave = 10 ** (3.5682 + 1e-4 * np.arange(3904))
    grid = np.arange(3710.0, 9050.0, 1.5)
    value = random.normal(1, 0.1, (options.stars, len(wave))).astype(np.float32)
    error = random.uniform(0.01, 0.1, value.shape).astype(np.float32)
    mask = random.random(value.shape) < 0.01
    own = wave * (1 + random.uniform(-1e-3, 1e-3, (options.stars, 1)))
    clean = np.zeros_like(mask)

    def peer():
        resampler = FluxConservingResampler()
        return [resampler(Spectrum(spectral_axis=own[k] * u.AA, flux=value[k].astype(float) * u.Jy,
                                   uncertainty=StdDevUncertainty(error[k].astype(float))), grid * u.AA)
                for k in range(options.peer)]

    warnings.simplefilter("ignore")
    theirs = median_time(peer, options.repeats) / options.peer
    print(f"specutils                {1 / theirs:12.1f} spectra/s")
    for name, axis in (("one grid", wave), ("a grid each", own)):
        for what, bad in (("", clean), (", 1 % masked", mask)):
            resample(axis, value, error, bad, grid)
            ours = median_time(lambda a=axis, b=bad: resample(a, value, error, b, grid), options.repeats) / len(value)
            print(f"{name + what:24s} {1 / ours:12.1f} spectra/s   {theirs / ours:8.0f} times")
    ours = resample(own[: options.peer], value.astype(float)[: options.peer], error.astype(float)[: options.peer],
                    clean[: options.peer], grid)
    worst = [max(np.abs(ours[0][k] / s.flux.value - 1).max(),
                 np.abs(ours[1][k] / s.uncertainty.represent_as(StdDevUncertainty).array - 1).max())
             for k, s in enumerate(peer())]
    print(f"largest relative difference of values and errors: {max(worst):.1e}")
    rate = len(value) / median_time(lambda: pseudo_continuum(wave, value, error, mask), 3)
    print(f"pseudo-continuum         {rate:12.1f} spectra/s")


if __name__ == "__main__":
    main()
