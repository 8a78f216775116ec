"""Model spectra of dwarfs in the H band, from the networks of El-Badry et al. 2018 (MNRAS 473, 5043; binspec, MIT).

Each of 7214 pixels is a network of its own, with five inputs, five hidden units and one output, fitted to Kurucz models at
APOGEE's resolution. The file is not part of this package; ``docs/sky.rst`` says where it comes from.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy.ndimage import gaussian_filter1d
from scipy.special import expit

from astrofm.errors import DataError, ReadError

#: labels of the networks, in their order, and units
LABELS = {"teff": "K", "logg": "dex", "fe_h": "dex", "mg_fe": "dex", "vmac": "km / s"}
#: stars computed at a time
BLOCK = 32


@dataclass(frozen=True, eq=False)
class Emulator:
    """Continuum-normalised flux as a function of labels.

    Parameters
    ----------
    wavelength : ndarray of float64, shape ``(p,)``
        Vacuum Angstrom.
    low, high : ndarray of float64, shape ``(5,)``
        Range of each of `LABELS` that the networks were fitted over.
    hidden : ndarray, shape ``(5, p, 5)``
        Weights by label, pixel and unit; units of the label over its range.
    hidden_bias, output : ndarray, shape ``(p, 5)``
    output_bias : ndarray, shape ``(p,)``
    """

    wavelength: np.ndarray
    low: np.ndarray
    high: np.ndarray
    hidden: np.ndarray
    hidden_bias: np.ndarray
    output: np.ndarray
    output_bias: np.ndarray

    @classmethod
    def open(cls, folder: Path) -> Emulator:
        """Read ``apogee/NN_normalized_spectra.npz`` and ``apogee/apogee_wavelength.npz`` of a folder.

        Raises
        ------
        ReadError
            They are missing, or no such networks.
        """
        paths = [Path(folder) / "apogee" / name for name in ("NN_normalized_spectra.npz", "apogee_wavelength.npz")]
        try:
            with np.load(paths[0], allow_pickle=False) as network, np.load(paths[1], allow_pickle=False) as grid:
                found = cls(grid["wavelength"].astype(float), network["x_min"].astype(float), network["x_max"].astype(float),
                            np.ascontiguousarray(network["w_array_0"].transpose(2, 0, 1)), network["b_array_0"],
                            network["w_array_1"], network["b_array_1"])
        except (OSError, KeyError, ValueError) as error:
            raise ReadError(f"{paths[0].parent} has no networks of APOGEE spectra ({error}): see docs/sky.rst") from error
        if found.hidden.shape != (len(LABELS), len(found.wavelength), found.output.shape[1]):
            raise ReadError(f"{paths[0]}: networks of shape {found.hidden.shape} for {len(found.wavelength)} pixels")
        return found

    def draw(self, count: int, random: np.random.Generator) -> np.ndarray:
        """Draw labels evenly over their ranges; float64, shape ``(count, 5)``."""
        return random.uniform(self.low, self.high, (count, len(self.low)))

    def flux(self, labels: np.ndarray) -> np.ndarray:
        """Give the spectra of stars.

        Parameters
        ----------
        labels : ndarray, shape ``(n, 5)``
            In the order and the units of `LABELS`.

        Returns
        -------
        ndarray of float32, shape ``(n, p)``

        Raises
        ------
        DataError
            A label lies outside the range of the networks.
        """
        found = np.empty((len(labels), len(self.wavelength)), np.float32)
        for start in range(0, len(labels), BLOCK):
            unit = expit(self._inside(labels[start: start + BLOCK]))
            found[start: start + BLOCK] = np.einsum("npk,pk->np", unit, self.output) + self.output_bias
        return found

    def sensitivity(self, labels: np.ndarray) -> np.ndarray:
        """Give the derivative of the flux by each label, in its unit; float32, shape ``(n, p, 5)``."""
        found = np.empty((len(labels), len(self.wavelength), len(LABELS)), np.float32)
        for start in range(0, len(labels), BLOCK):
            unit = expit(self._inside(labels[start: start + BLOCK]))
            slope = unit * (1 - unit) * self.output
            for k in range(len(LABELS)):
                by_unit = np.einsum("npk,pk->np", slope, self.hidden[k])
                found[start: start + BLOCK, :, k] = by_unit / (self.high[k] - self.low[k])
        return found

    def _inside(self, labels: np.ndarray) -> np.ndarray:
        labels = np.asarray(labels, float)
        if labels.ndim != 2 or labels.shape[1] != len(LABELS):
            raise DataError(f"labels are {', '.join(LABELS)} of each star, shape (n, 5), not {labels.shape}")
        for k, name in enumerate(LABELS):
            if not np.all((labels[:, k] >= self.low[k]) & (labels[:, k] <= self.high[k])):
                raise DataError(f"{name} lies outside {self.low[k]:.5g} to {self.high[k]:.5g} {LABELS[name]}, where there "
                                "are no models")
        scaled = ((labels - self.low) / (self.high - self.low) - 0.5).astype(np.float32)
        return (scaled @ self.hidden.reshape(len(LABELS), -1)).reshape(-1, *self.hidden_bias.shape) + self.hidden_bias


def as_observed(flux: np.ndarray, random: np.random.Generator, *, snr: tuple[float, float] = (100.0, 300.0),
                broadening: tuple[float, float] = (0.3, 1.2), continuum: float = 0.01, strengths: float = 0.1,
                seed_of_strengths: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Make of model spectra what a telescope would give: what the models have wrong, optics, continuum, noise, bad pixels.

    Parameters
    ----------
    flux : ndarray, shape ``(n, p)``
        Continuum-normalised.
    random : Generator
    snr : tuple of float
        Range a pixel, drawn log-uniformly for each star.
    broadening : tuple of float
        Range of the Gaussian sigma of each star's line spread beyond the models', pixels.
    continuum : float
        Spread of each term of the error of the continuum, five smooth ones over the spectrum.
    strengths : float
        Spread of the relative error of line depths in the models, over some 30 pixels; the same for all stars.
    seed_of_strengths : int

    Returns
    -------
    value, error : ndarray of float32, shape ``(n, p)``
    mask : ndarray of bool, shape ``(n, p)``
    """
    n, p = flux.shape
    wrong = gaussian_filter1d(np.random.default_rng(seed_of_strengths).standard_normal(p), 30)
    value = 1 - (1 - flux) * (1 + strengths * wrong / wrong.std())
    sigma = random.uniform(*broadening, n)
    for step in np.unique(np.round(sigma, 1)):  # stars of one width at a time
        rows = np.round(sigma, 1) == step
        if step > 0:
            value[rows] = gaussian_filter1d(value[rows], step, axis=1)
    place = np.polynomial.legendre.legvander(np.linspace(-1, 1, p), 5)[:, 1:]
    value = value * (1 + continuum * random.standard_normal((n, 5)) @ place.T)
    error = np.broadcast_to(1 / np.exp(random.uniform(*np.log(snr), (n, 1))), value.shape)
    value = (value + error * random.standard_normal(value.shape)).astype(np.float32)
    mask = random.random((n, p), dtype=np.float32) < 0.01
    error = np.where(mask, 0, error).astype(np.float32)
    value[mask] = 0
    return value, error, mask
