"""Evolved stars as a survey of giants has them: quantities by name, with errors, and slitless spectra through dust.

Stars are those of `astrofm_sky.evolution`; spectra are what MILES stars of their temperature, gravity and metallicity
agree on; what is measured follows from both.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from astrofm.data import Batch, band_means, transmission
from astrofm.registry import get_instrument

from . import libraries
from .between import Between, scaled
from .evolution import Isochrones
from .noise import NoiseModel
from .observing import truth
from .sources import Sources

INSTRUMENT = "gaia-xp"
#: ends of the bands (nm, vacuum) whose mean fluxes stand for a spectrum, and of the band whose flux is their unit: both
#: spectrographs see it
BANDS = np.stack([np.arange(336.0, 1020.0, 18.0), np.arange(354.0, 1021.0, 18.0)], axis=1)
REFERENCE = (640.0, 680.0)
#: unit, what it is, and whether it is learned as a logarithm
NAMED = {
    "teff": ("K", "effective temperature", False),
    "logg": ("dex", "log10 of surface gravity in cm/s2", False),
    "m_h": ("dex", "metallicity relative to the Sun", False),
    "c_n": ("dex", "carbon over nitrogen on the surface, relative to the Sun", False),
    "log_luminosity": ("dex", "log10 of luminosity over the Sun's", False),
    "a_v": ("mag", "extinction in V", False),
    "jk": ("mag", "colour J - Ks", False),
    "g_fakemag": ("mas", "parallax times 10^(G/5): the flux in G seen from a parallax of 1 mas, to the half", True),
    "mass": ("solMass", "mass", True),
    "age": ("Gyr", "age", True),
}
#: one-sigma errors of what a survey's pipeline measures; mass and age are the truth
ERRORS = {"teff": 40.0, "logg": 0.05, "m_h": 0.03, "c_n": 0.04, "log_luminosity": 0.05, "a_v": 0.05, "jk": 0.02}
#: limits of the stars: where the library has giants
TEFF, LOGG, METALS = (3900.0, 5600.0), (0.8, 3.6), (-1.2, 0.4)
#: effective wavelengths of J and Ks (Cohen et al. 2003, AJ 126, 1090), Angstrom
NEAR_INFRARED = (12350.0, 21590.0)
#: stars whose spectra are made at a time
BLOCK = 512


@dataclass(frozen=True, eq=False)
class Evolved:
    """Where evolved stars come from: stellar evolution, and the spectra of a library's giants."""

    isochrones: Isochrones
    wavelength: np.ndarray
    between: Between

    @classmethod
    def open(cls, folder: Path) -> Evolved:
        """Read ``isochrones``, ``spectral-libraries`` and ``star-archetypes`` of a folder (a minute).

        Raises
        ------
        ReadError
            Something is missing: ``docs/sky.rst`` says where it comes from.
        """
        stars, _ = libraries.extend(libraries.miles(folder), libraries.archetypes(folder))
        labels = np.stack([stars.labels[name] for name in ("teff", "logg", "fe_h")], axis=1)
        rows = np.isfinite(labels).all(axis=1) & (labels[:, 1] < LOGG[1] + 0.3) & (labels[:, 0] < TEFF[1] + 600)
        flux = np.where(stars.mask[rows], np.nan, stars.flux[rows])
        flux = np.log(np.nan_to_num(flux / np.nanmedian(flux, axis=1, keepdims=True), nan=1e-4).clip(1e-4))
        return cls(Isochrones.open(folder), stars.wavelength, Between(labels[rows], flux.astype(np.float32)))

    def draw(self, count: int, seed: int, *, law: str = "G23") -> tuple[dict[str, np.ndarray], np.ndarray, np.ndarray]:
        """Draw stars.

        Parameters
        ----------
        count, seed : int
        law : str
            Extinction law, see `astrofm.data.transmission`.

        Returns
        -------
        truth : dict of str to ndarray, shape ``(count,)``
            `NAMED`, as they are.
        value, error : ndarray, shape ``(count, q)``
            What is measured, in the order of `quantities`.
        """
        random = np.random.default_rng(seed)
        stars = self._stars(count, random)
        stars["a_v"] = random.exponential(0.5, count).clip(0, 4)
        bands, bright = self.spectra(stars, stars["a_v"], law=law)
        near = -2.5 * np.log10(transmission(np.array(NEAR_INFRARED), 1.0, law=law))
        stars["jk"] = colour_jk(stars["teff"], stars["m_h"]) + stars["a_v"] * (near[0] - near[1])
        absolute = 4.74 - 2.5 * stars["log_luminosity"] - bolometric_g(stars["teff"]) - 2.5 * np.log10(bright)
        stars["g_fakemag"] = 100 * 10 ** (0.2 * absolute)
        true = {name: stars[name] for name in NAMED}
        errors = {**{name: np.full(count, ERRORS.get(name, 0.0)) for name in NAMED},
                  "g_fakemag": stars["g_fakemag"] * 10 ** random.uniform(-2, -0.8, count)}
        clean = np.stack(list(true.values()), axis=1)
        error = np.stack([errors[name] for name in NAMED], axis=1)
        noise = NoiseModel(background=(0.01, 0.3)).shape(BANDS.mean(axis=1), bands, random)
        noise *= np.median(bands / noise, axis=1, keepdims=True) / 10 ** random.uniform(1.5, 2.5, (count, 1))
        clean, error = np.concatenate([clean, bands], axis=1), np.concatenate([error, noise], axis=1)
        value = clean + error * random.standard_normal(clean.shape)
        floor = 0.05 * true["g_fakemag"]
        place = list(NAMED).index("g_fakemag")
        value[:, place] = np.maximum(value[:, place], floor)
        return true, value, error

    def spectra(self, labels: Mapping[str, np.ndarray], a_v: np.ndarray, *,
                law: str = "G23") -> tuple[np.ndarray, np.ndarray]:
        """Give band fluxes without noise, and what dust leaves of the light.

        Parameters
        ----------
        labels : mapping of str to ndarray, shape ``(n,)``
            ``teff logg m_h``.
        a_v : ndarray, shape ``(n,)``
        law : str

        Returns
        -------
        bands : ndarray, shape ``(n, b)``
            Over the flux in `REFERENCE`.
        part : ndarray, shape ``(n,)``
            Of the photons between the ends of the spectra.
        """
        instrument = get_instrument(INSTRUMENT)
        grid = instrument.wavelength()
        place = scaled(np.stack([labels[name] for name in ("teff", "logg", "m_h")], axis=1))
        bands, part = np.empty((len(place), len(BANDS))), np.empty(len(place))
        for start in range(0, len(place), BLOCK):
            rows = slice(start, start + BLOCK)
            flux = np.exp(self.between.weights(place[rows]) @ self.between.flux)
            sources = Sources(self.wavelength, flux, None, {}, [""] * len(flux), libraries.RESOLUTION)
            bare = truth(sources, instrument)
            seen = bare * transmission(grid, a_v[rows], law=law)
            nothing = np.zeros_like(seen)
            bands[rows], _, _ = band_means(grid / 10, seen, nothing, nothing > 0, BANDS, reference=REFERENCE)
            part[rows] = (seen @ grid) / (bare @ grid)
        return bands, part

    def _stars(self, count: int, random: np.random.Generator) -> dict[str, np.ndarray]:
        kept: list[dict[str, np.ndarray]] = []
        while sum(len(part["teff"]) for part in kept) < count:
            stars = self.isochrones.giants(2 * count, random, logg=LOGG)
            rows = ((stars["teff"] > TEFF[0]) & (stars["teff"] < TEFF[1]) & (stars["m_h"] > METALS[0])
                    & (stars["m_h"] < METALS[1]))
            kept.append({name: column[rows] for name, column in stars.items()})
        return {name: np.concatenate([part[name] for part in kept])[:count] for name in kept[0]}


def quantities(value: np.ndarray) -> list[dict[str, object]]:
    """Describe what `Evolved.draw` measures, as encoder ``named-quantities`` takes it.

    Parameters
    ----------
    value : ndarray, shape ``(n, q)``
        Stars that set centres, spreads and ranges.
    """
    described: list[dict[str, object]] = [{"name": name, "unit": unit, "description": text, "log": log}
                                          for name, (unit, text, log) in NAMED.items()]
    described += [{"name": f"xp{k}", "unit": "", "log": False, "spectrum": INSTRUMENT,
                   "band": [float(10 * low), float(10 * high)],
                   "description": f"flux at {low:.0f}-{high:.0f} nm over that at {REFERENCE[0]:.0f}-{REFERENCE[1]:.0f} nm",
                   "reference": [10 * end for end in REFERENCE]} for k, (low, high) in enumerate(BANDS)]
    for one, column in zip(described, value.T, strict=True):
        scale = np.log10(column) if one["log"] else column
        low, high = np.percentile(column, [0.1, 99.9])
        half = 1.4826 * np.median(np.abs(scale - np.median(scale)))
        one |= {"centre": _short(np.median(scale)), "spread": _short(half), "low": _short(low), "high": _short(high)}
    return described


def batch(value: np.ndarray, error: np.ndarray, ids: list[str]) -> Batch:
    """Make a batch of stars ``(n, q)``, as training on quantities reads it."""
    return Batch("named-quantities", np.arange(value.shape[1], dtype=float), value.astype(np.float32),
                 error.astype(np.float32), ~np.isfinite(value), meta={"id": ids, "star": ids})


def colour_jk(teff: np.ndarray, m_h: np.ndarray) -> np.ndarray:
    """Give J - Ks of giants without dust (Gonzalez Hernandez & Bonifacio 2009, A&A 497, 497, turned round)."""
    grid = np.linspace(-0.1, 1.6, 400)
    found = np.empty(len(teff))
    for metal in (steps := np.linspace(-2.5, 0.5, 61)):
        theta = 0.6517 + 0.6312 * grid + 0.0168 * grid**2 - 0.0381 * grid * metal + 0.0256 * metal + 0.0013 * metal**2
        near = np.abs(m_h - metal) <= 0.5 * (steps[1] - steps[0]) + 1e-9
        found[near] = np.interp(5040 / teff[near], theta, grid)
    return found


def bolometric_g(teff: np.ndarray) -> np.ndarray:
    """Give the bolometric correction in Gaia's G (Andrae et al. 2018, A&A 616, A8, table 4)."""
    away = np.asarray(teff, float) - 5772.0
    hot = np.polynomial.polynomial.polyval(away, [6.0e-2, 6.731e-5, -6.647e-8, 2.859e-11, -7.197e-15])
    cool = np.polynomial.polynomial.polyval(away, [1.749, 1.977e-3, 3.737e-7, -8.966e-11, -4.183e-14])
    return np.where(teff >= 4000, hot, cool)


def _short(number: float) -> float:
    return float(f"{number:.4g}")
