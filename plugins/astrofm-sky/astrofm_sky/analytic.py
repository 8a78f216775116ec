"""A small analytic star with known labels, so that everything works without any data. A toy: for demos and tests."""

from __future__ import annotations

import numpy as np

from astrofm.data import LineSpread

from .sources import SOURCE_GRID, Sources

#: Balmer lines, vacuum Angstrom, and how their strength falls along the series
BALMER = ((6564.6, 1.0), (4862.7, 0.9), (4341.7, 0.8), (4102.9, 0.75), (3971.2, 0.7), (3890.2, 0.6), (3836.5, 0.5))
#: metal lines, vacuum Angstrom: (wavelength, strength, temperature where they are strongest, width, gravity sensitivity)
METALS = ((3934.8, 1.3, 5000, 9.0, 0.0), (3969.6, 1.1, 5000, 8.0, 0.0), (4227.9, 0.6, 4200, 3.0, 0.3),
          (4305.0, 0.35, 5200, 9.0, -0.05), (5168.8, 0.35, 4600, 2.0, 0.25), (5174.1, 0.45, 4600, 2.2, 0.3),
          (5185.0, 0.5, 4600, 2.5, 0.3), (5891.6, 0.6, 4300, 2.0, 0.3), (5897.6, 0.5, 4300, 2.0, 0.3),
          (8500.4, 0.4, 5000, 3.0, -0.15), (8544.4, 0.65, 5000, 4.0, -0.15), (8664.5, 0.55, 5000, 3.5, -0.15))
#: heads of TiO bands, vacuum Angstrom, degraded to the red
BANDS = (4762.0, 4956.0, 5169.0, 5450.0, 5849.0, 6160.0, 6653.0, 7055.0, 7590.0, 8433.0, 8860.0)


def analytic_stars(n: int, *, seed: int = 0, hottest: float = 12000.0) -> Sources:
    """Make stars of 3600 K to ``hottest`` with labels ``teff logg fe_h``.

    A black body with a Balmer jump; Balmer lines strongest near 9500 K; metal lines and a forest of weak ones
    that grow with metallicity; TiO bands below 4000 K. The trends are those of real stars, the numbers are not.

    Parameters
    ----------
    n : int
    seed : int
    hottest : float
        K. Up to about 6000 K a model of real stars recognises these; hotter ones are too simple to be taken for real.

    Returns
    -------
    Sources
        On `SOURCE_GRID`, broadened by 2.5 Angstrom FWHM.

    Examples
    --------
    >>> from astrofm_sky import analytic_stars
    >>> stars = analytic_stars(3, seed=1)
    >>> stars.flux.shape[0], sorted(stars.labels)
    (3, ['fe_h', 'logg', 'teff'])
    """
    random = np.random.default_rng(seed)
    teff = 10 ** random.uniform(np.log10(3600), np.log10(hottest), n)
    giant = (random.random(n) < 0.3) & (teff < 5500)
    logg = np.where(giant, random.uniform(1.0, 3.4, n), random.uniform(3.9, 4.9, n))
    fe_h = random.normal(-0.2, 0.3, n).clip(-2.0, 0.5)
    flux = _continuum(SOURCE_GRID, teff) * np.exp(-_depth(SOURCE_GRID, teff, logg, fe_h))
    flux /= np.median(flux, axis=1, keepdims=True)
    return Sources(SOURCE_GRID, flux.astype(np.float32), None, {"teff": teff, "logg": logg, "fe_h": fe_h},
                   [f"analytic-{seed}-{k}" for k in range(n)], LineSpread.gaussian(2.5))


def _continuum(wave: np.ndarray, teff: np.ndarray) -> np.ndarray:
    """Planck's law with a jump at 3646 Angstrom, arbitrary unit; shape ``(n, P)``."""
    scaled = 1.438777e8 / (wave[None] * teff[:, None])
    jump = 0.9 * np.exp(-0.5 * (np.log(teff / 9500) / 0.3) ** 2)[:, None]
    return wave[None] ** -5 / np.expm1(scaled) * np.exp(-jump / (1 + np.exp((wave[None] - 3700) / 25)))


def _depth(wave: np.ndarray, teff: np.ndarray, logg: np.ndarray, fe_h: np.ndarray) -> np.ndarray:
    depth = np.zeros((len(teff), len(wave)))
    metals = 10 ** (0.35 * fe_h)[:, None]
    balmer = 1.4 * np.exp(-0.5 * (np.log(teff / 9500) / 0.28) ** 2)[:, None]
    width = (6 * 10 ** (0.12 * (logg - 4)) * (teff / 8000).clip(0.5, 1.3))[:, None]
    for line, strength in BALMER:
        depth += balmer * strength / (1 + ((wave[None] - line) / width) ** 2)
    for line, strength, peak, core, pressure in METALS:
        grown = strength * np.exp(-0.5 * (np.log(teff / peak) / 0.3) ** 2) * 10 ** (pressure * (logg - 4) / 2)
        depth += grown[:, None] * metals / (1 + ((wave[None] - line) / core) ** 2)
    depth += _forest(wave)[None] * np.exp(-0.5 * (np.log(teff / 4300) / 0.33) ** 2)[:, None] * metals
    cool = (1.5 / (1 + np.exp((teff - 3750) / 130)))[:, None]
    for head in BANDS:
        beyond = wave[None] - head
        depth += cool * np.where(beyond > 0, np.exp(-beyond / 110), 0)
    return depth


def _forest(wave: np.ndarray) -> np.ndarray:
    """Give the same 700 weak iron-like lines each time, denser in the blue."""
    random = np.random.default_rng(1234)
    lines = 3300 * 10 ** (0.45 * random.random(700) ** 1.8)
    strength = random.exponential(0.25, 700) * (5000 / lines) ** 2
    depth = np.zeros(len(wave))
    for line, s in zip(lines, strength, strict=True):
        low, high = np.searchsorted(wave, [line - 12, line + 12])
        depth[low:high] += s * np.exp(-0.5 * ((wave[low:high] - line) / 1.3) ** 2)
    return depth
