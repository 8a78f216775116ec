"""Stars that look real and need no data: spectra as a smooth function of temperature, gravity and metallicity."""

from __future__ import annotations

from functools import cache
from importlib.resources import files

import numpy as np

from astrofm.data import LineSpread

from .sources import SOURCE_GRID, Sources

#: temperature and gravity along the main sequence (Pecaut & Mamajek 2013, ApJS 208, 9) and the giant branch
MAIN_SEQUENCE = np.array([(4300, 4.65), (5200, 4.55), (5770, 4.44), (6300, 4.3), (7200, 4.2), (8500, 4.1)])
GIANT_BRANCH = np.array([(3900, 1.2), (4300, 1.9), (4700, 2.5), (5000, 3.1)])


def typical_stars(n: int, *, seed: int = 0) -> Sources:
    """Make dwarfs of 4300-8500 K and giants of 3900-5000 K with labels ``teff logg fe_h``.

    A perceptron learned the principal components of MILES stars (Falcon-Barroso et al. 2011, A&A 532, A95) as a function of
    their labels (``recipes/typical.py``); of cooler dwarfs it has seen too few. So these are average stars, free of noise
    and of anything peculiar; and as ``stellar-tiny`` learned from MILES too, how well it does on them is no measure of
    how good it is.

    Parameters
    ----------
    n : int
    seed : int

    Returns
    -------
    Sources
        On `SOURCE_GRID`, at the resolution of MILES (2.5 Angstrom FWHM).

    Examples
    --------
    >>> from astrofm_sky import typical_stars
    >>> stars = typical_stars(3, seed=1)
    >>> stars.flux.shape[0], sorted(stars.labels)
    (3, ['fe_h', 'logg', 'teff'])
    """
    random = np.random.default_rng(seed)
    giant = random.random(n) < 0.35
    teff = np.where(giant, random.uniform(3900, 5000, n), 10 ** random.uniform(np.log10(4300), np.log10(8500), n))
    logg = np.where(giant, np.interp(teff, *GIANT_BRANCH.T), np.interp(teff, *MAIN_SEQUENCE.T)) + random.normal(0, 0.15, n)
    fe_h = random.normal(-0.15, 0.25, n).clip(-1.2, 0.4)
    flux = spectra(teff, logg, fe_h)
    flux /= np.median(flux, axis=1, keepdims=True)
    return Sources(SOURCE_GRID, flux, None, {"teff": teff, "logg": logg, "fe_h": fe_h},
                   [f"star-{seed}-{k}" for k in range(n)], LineSpread.gaussian(2.5))


def spectra(teff: np.ndarray, logg: np.ndarray, fe_h: np.ndarray) -> np.ndarray:
    """Give the flux of stars with these labels, float32, shape ``(n, P)`` on `SOURCE_GRID`, arbitrary unit."""
    weights = _weights()
    x = np.column_stack([(np.log10(teff) - 3.72) / 0.1, (logg - 3.5) / 1.2, (fe_h + 0.2) / 0.5]).astype(np.float32)
    for k in range(3):
        x = x @ weights[f"layer.{k}.weight"].T + weights[f"layer.{k}.bias"]
        x = np.tanh(x) if k < 2 else x
    return np.exp(weights["mean"].astype(np.float32) + x @ weights["components"].astype(np.float32))


@cache
def _weights() -> dict[str, np.ndarray]:
    from safetensors.numpy import load

    return load(files("astrofm_sky").joinpath("weights/typical-stars.safetensors").read_bytes())
