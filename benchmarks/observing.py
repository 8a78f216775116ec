"""Observe stars by simulation, in batches and by a plain loop per star, in the same run.

    python benchmarks/observing.py

The loop convolves with scipy and resamples with specutils; noise and mishaps are ours only. Medians of ``--repeats`` runs.
"""

from __future__ import annotations

import argparse
import time

import numpy as np
from astrofm_sky import SOURCE_GRID, analytic_stars, observe, truth
from astropy import units as u
from dust_extinction.parameter_averages import G23
from scipy.ndimage import gaussian_filter1d
from specutils.manipulation import FluxConservingResampler

from astrofm.compat import Spectrum
from astrofm.registry import get_instrument


def one_by_one(stars, grid: np.ndarray, resolution: float, rv: np.ndarray, a_v: np.ndarray) -> np.ndarray:
    """Give what the instrument would see without noise, star by star."""
    step = np.log(SOURCE_GRID[1] / SOURCE_GRID[0])
    seen = []
    for flux, velocity, dust in zip(stars.flux.astype(float), rv, a_v, strict=True):
        wave = SOURCE_GRID * (1 + velocity / 299792.458)
        flux = flux * G23(Rv=3.1).extinguish(wave * u.AA, Av=dust)
        # the sources' own 2.5 Angstrom is taken off at 6000 Angstrom only: a plain convolution has one width
        sigma = np.sqrt(max(1 / resolution**2 - (2.5 / 6000) ** 2, 0)) / 2.3548 / step
        spectrum = Spectrum(spectral_axis=wave * u.AA, flux=gaussian_filter1d(flux, sigma) * u.one)
        seen.append(FluxConservingResampler()(spectrum, grid * u.AA).flux.value)
    return np.array(seen)


def main() -> None:
    """Print rates, and how well the two agree."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--stars", type=int, default=2000)
    parser.add_argument("--repeats", type=int, default=5)
    options = parser.parse_args()
    stars = analytic_stars(options.stars, seed=0)
    random = np.random.default_rng(0)
    rv, a_v = random.normal(0, 50, options.stars), random.exponential(0.3, options.stars)
    for name in ("lamost-lrs", "gaia-xp"):
        observe(stars[:10], name)
        times = []
        for seed in range(options.repeats):
            start = time.perf_counter()
            observe(stars, name, rv=rv, a_v=a_v, snr=50, seed=seed)
            times.append(time.perf_counter() - start)
        print(f"{name:12s} {options.stars / np.median(times):8.0f} spectra/s")
    few = stars[:5]
    grid = get_instrument("lamost-lrs").wavelength()
    start = time.perf_counter()
    plain = one_by_one(few, grid, 1800, rv[:5], a_v[:5])
    rate = 5 / (time.perf_counter() - start)
    ours = truth(few, "lamost-lrs", rv=rv[:5], a_v=a_v[:5])
    inside = (grid > 5500) & (grid < 6500)
    print(f"{'one by one':12s} {rate:8.1f} spectra/s; median difference at 5500-6500 Angstrom "
          f"{np.median(np.abs(ours / plain - 1)[:, inside]):.4f}")


if __name__ == "__main__":
    main()
