"""What every way of varying has in common, and the distributions that periods and amplitudes are drawn from."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from scipy.special import ndtr, ndtri


@dataclass(frozen=True)
class Span:
    """A range, even in the logarithm, or normal in it around a centre and cut at the ends.

    Parameters
    ----------
    low, high : float
    centre : float, optional
        Median of the normal distribution before it is cut.
    dex : float
        Its deviation.
    """

    low: float
    high: float
    centre: float | None = None
    dex: float = 0.2

    def draw(self, random: np.random.Generator, count: int) -> np.ndarray:
        """Draw ``count`` numbers."""
        low, high, share = np.log10(self.low), np.log10(self.high), random.random(count)
        if self.centre is None:
            return 10 ** (low + share * (high - low))
        centre = np.log10(self.centre)
        first, last = ndtr((low - centre) / self.dex), ndtr((high - centre) / self.dex)
        return 10 ** np.clip(centre + self.dex * ndtri(first + share * (last - first)), low, high)


class Shape(ABC):
    """A way of varying: `draw` gives the parameters of stars, `offset` their magnitudes at any time and wavelength."""

    @abstractmethod
    def draw(self, random: np.random.Generator, teff: np.ndarray) -> dict[str, np.ndarray]:
        """Draw the parameters of ``n`` stars.

        Parameters
        ----------
        random : Generator
        teff : ndarray, shape ``(n,)``
            Effective temperatures, K.

        Returns
        -------
        dict of str to ndarray, shape ``(n,)`` or ``(n, k)``
            ``period`` (days; NaN where there is none), ``amplitude`` (magnitudes in V) and ``epoch`` (days; of greatest
            light, of the main eclipse, or NaN) among them.
        """

    @abstractmethod
    def offset(self, own: Mapping[str, np.ndarray], days: np.ndarray, wavelength: np.ndarray) -> np.ndarray:
        """Give magnitudes over the mean, fainter being positive.

        Parameters
        ----------
        own : mapping of str to ndarray
            As `draw` gave them, with ``teff`` and ``seed`` of the stars.
        days : ndarray of float64, shape ``(n, p)``
        wavelength : ndarray, shape ``(n, p)``
            Angstrom.

        Returns
        -------
        ndarray, shape ``(n, p)``
        """


class Constant(Shape):
    """A star that does not vary."""

    def draw(self, random: np.random.Generator, teff: np.ndarray) -> dict[str, np.ndarray]:
        """Draw nothing."""
        n = len(teff)
        return {"period": np.full(n, np.nan), "amplitude": np.zeros(n), "epoch": np.full(n, np.nan)}

    def offset(self, own: Mapping[str, np.ndarray], days: np.ndarray, wavelength: np.ndarray) -> np.ndarray:
        """Give zeros."""
        return np.zeros(days.shape)


def column(own: Mapping[str, np.ndarray], name: str) -> np.ndarray:
    """Give a parameter as a column that broadcasts over points, shape ``(n, 1)``."""
    return own[name][:, None]
