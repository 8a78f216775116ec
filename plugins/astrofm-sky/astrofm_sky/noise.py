"""Noise: how the error runs along the spectrum, and what else goes wrong."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class NoiseModel:
    """Photons of the star and of the background, through a throughput that falls at both ends.

    Parameters
    ----------
    background : tuple of float
        Range of the background over the star's median flux; drawn log-uniformly for each star.
    edge : float
        Throughput at the ends of the range over that in its middle.
    """

    background: tuple[float, float] = (0.03, 3.0)
    edge: float = 0.07

    def throughput(self, wave: np.ndarray) -> np.ndarray:
        """Give the relative throughput at ``wave`` (Angstrom), shape ``(p,)``: flat inside, down at both ends."""
        place = np.interp(wave, [wave[0], wave[-1]], [-1.0, 1.0])
        return (1 - self.edge) * np.exp(-0.5 * (np.abs(place) / 0.75) ** 4) + self.edge

    def shape(self, wave: np.ndarray, flux: np.ndarray, random: np.random.Generator) -> np.ndarray:
        """Give the relative run of the errors, shape ``(n, p)``, for noise-free flux over each star's median."""
        low, high = np.log10(self.background)
        background = 10 ** random.uniform(low, high, (len(flux), 1)).astype(np.float32)
        throughput = self.throughput(wave).astype(np.float32)
        return np.sqrt(np.clip(flux, 0, None) * throughput + background) / throughput


def calibration_error(size: tuple[int, int], random: np.random.Generator) -> np.ndarray:
    """Draw the smooth factor by which relative flux calibration is off, shape ``(n, p)``: a few percent a term."""
    n, p = size
    spread = np.array([0.07, 0.05, 0.03, 0.025, 0.02])
    terms = np.polynomial.legendre.legvander(np.linspace(-1, 1, p), len(spread))[:, 1:]
    return np.exp((random.normal(0, 1, (n, len(spread))) * spread) @ terms.T).astype(np.float32)


def bad_pixels(size: tuple[int, int], random: np.random.Generator) -> np.ndarray:
    """Draw masked pixels, shape ``(n, p)``: scattered ones, runs, and ends that are cut off."""
    n, p = size
    place = np.arange(p)[None]
    mask = random.random((n, p), dtype=np.float32) < 0.003
    for _ in range(3):
        start = random.integers(0, p, (n, 1))
        length = random.integers(1, max(2, p // 25), (n, 1)) * (random.random((n, 1)) < 0.3)
        mask |= (place >= start) & (place < start + length)
    low = np.where(random.random((n, 1)) < 0.12, random.integers(0, p // 3 + 1, (n, 1)), 0)
    high = np.where(random.random((n, 1)) < 0.12, random.integers(2 * p // 3, p, (n, 1)), p)
    return mask | (place < low) | (place >= high)


def cosmic_hits(size: tuple[int, int], random: np.random.Generator) -> np.ndarray:
    """Draw what unmasked cosmic-ray hits add, over each star's median flux, shape ``(n, p)``."""
    hits = random.random(size, dtype=np.float32) < 0.0004
    added = np.zeros(size, np.float32)
    added[hits] = 3.0 * random.exponential(1.0, int(hits.sum()))
    return added
