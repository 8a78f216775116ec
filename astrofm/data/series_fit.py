"""Fourier series fitted point by point, and their frequency with them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .harmonics import HELD, STEEP
from .waves import Waves

#: points that are worked on at a time
MOST = 400_000


@dataclass(frozen=True, eq=False)
class FourierSeries:
    """Fourier series of ``n`` stars: ``sum of cosine[k] cos(2 pi (k + 1) f t) + sine[k] sin(2 pi (k + 1) f t)``.

    Parameters
    ----------
    frequency, frequency_err : ndarray of float64, shape ``(n,)``
        1/d; the error is NaN where there are no more points than numbers that were fitted.
    cosine, sine : ndarray of float64, shape ``(n, k)``
        In units of each band's spread, ``t`` from the first good point; 0 beyond a star's own number of harmonics.
    left : ndarray of float64, shape ``(n,)``
        The part of the variance that is left.
    """

    frequency: np.ndarray
    frequency_err: np.ndarray
    cosine: np.ndarray
    sine: np.ndarray
    left: np.ndarray

    def at(self, phase: np.ndarray) -> np.ndarray:
        """Give the series at phases ``(n, m)``, or ``(m,)`` for all stars; shape ``(n, m)``."""
        order = 2 * np.pi * np.arange(1, self.cosine.shape[1] + 1)
        angle = np.atleast_2d(phase)[..., None] * order
        return np.einsum("nmk,nk->nm", np.broadcast_to(np.cos(angle), (len(self.cosine), *angle.shape[1:])), self.cosine) + (
            np.einsum("nmk,nk->nm", np.broadcast_to(np.sin(angle), (len(self.sine), *angle.shape[1:])), self.sine))

    def along(self, days: np.ndarray) -> np.ndarray:
        """Give the series at days ``(n, p)`` from the first good point; shape ``(n, p)``."""
        wave = np.exp(2j * np.pi * np.modf(days * self.frequency[:, None])[0])
        total, coefficients = np.zeros_like(wave), self.cosine - 1j * self.sine
        for k in range(self.cosine.shape[1])[::-1]:  # Horner
            total = (total + coefficients[:, k, None]) * wave
        return total.real


def fit_series(waves: Waves, frequency: np.ndarray, orders: np.ndarray, *, rounds: int = 2,
               least: np.ndarray | float = 0.0) -> FourierSeries:
    """Fit a Fourier series to each star, and its frequency by Gauss-Newton steps from the one given.

    Parameters
    ----------
    waves : Waves
    frequency : ndarray of float64, shape ``(n,)``
        1/d, within a quarter of a cycle of the span.
    orders : ndarray of int, shape ``(n,)``
        Harmonics of each star.
    rounds : int
        Steps of the frequency; 0 leaves it as it is.
    least : float or ndarray, shape ``(n,)``
        The smallest frequency that it may become, 1/d.

    Returns
    -------
    FourierSeries
    """
    n, most = len(waves), max(int(orders.max(initial=1)), 1)
    order = np.arange(1, most + 1)
    held = np.repeat(np.where(order <= orders[:, None], HELD * order**STEEP, 1e12), 2, axis=1)
    frequency, error = np.array(frequency, np.float64), np.full(n, np.nan)
    reach = 0.1 / (np.maximum(waves.span, 1e-9) * np.maximum(orders, 1))
    coefficients = np.zeros((n, 2 * most))
    for step in range(rounds + 1):
        normal, right = _normal(waves, frequency, coefficients, most, moving=step > 0)
        diagonal = np.arange(2 * most)
        normal[:, diagonal, diagonal] += held
        if step > 0:  # the derivative by the frequency is the last row
            scale = np.where(normal[:, -1, -1] > 0, normal[:, -1, -1], 1.0)
            normal[:, -1, -1] += 1e-9 * scale + (scale == 1.0)
        solved = np.linalg.solve(normal, right[..., None])[..., 0]
        coefficients = solved[:, :2 * most]
        explained = (right[:, :2 * most] * coefficients).sum(1)
        left = np.clip(1 - explained / np.maximum(waves.variance(), 1e-300), 1e-12, 1.0)
        if step > 0:
            variance = np.linalg.inv(normal)[:, -1, -1]
            freedom = waves.free - 2 * orders - 1
            noise = left * waves.variance() / np.maximum(freedom, 1)
            error = np.where(freedom > 0, np.sqrt(np.maximum(variance, 0) * noise), np.nan)
            frequency = np.maximum(frequency + np.clip(solved[:, -1], -reach, reach), least)
    return FourierSeries(frequency, error, coefficients[:, 0::2], coefficients[:, 1::2], left)


def _normal(waves: Waves, frequency: np.ndarray, coefficients: np.ndarray, most: int, *,
            moving: bool) -> tuple[np.ndarray, np.ndarray]:
    """Give the normal equations with the means of the bands taken out; with the derivative by the frequency where moving."""
    n, points = waves.days.shape
    size = 2 * most + moving
    whole = np.zeros((n, size + waves.bands, size + waves.bands))
    right = np.zeros((n, size + waves.bands))
    width = max(1, MOST // max(n * (size + waves.bands), 1))
    for start in range(0, points, width):
        part = slice(start, start + width)
        days, weight, band = waves.days[:, part], waves.weight[:, part], waves.band[:, part]
        columns = np.empty((n, size + waves.bands, days.shape[1]))
        wave = np.exp(2j * np.pi * np.modf(days * frequency[:, None])[0])
        turned, slope = np.ones_like(wave), np.zeros(days.shape)
        for k in range(most):
            turned = turned * wave
            columns[:, 2 * k], columns[:, 2 * k + 1] = turned.real, turned.imag
            if moving:
                cosine, sine = coefficients[:, 2 * k, None], coefficients[:, 2 * k + 1, None]
                slope += (k + 1) * (sine * turned.real - cosine * turned.imag)
        if moving:
            columns[:, 2 * most] = 2 * np.pi * days * slope
        columns[:, size:] = band[:, None] == np.arange(waves.bands)[:, None]
        weighed = columns * weight[:, None]
        whole += weighed @ columns.transpose(0, 2, 1)
        right += (weighed @ waves.value[:, part, None])[..., 0]
    means = whole[:, size:, size:]
    weight = np.where(means.diagonal(axis1=1, axis2=2) > 0, means.diagonal(axis1=1, axis2=2), 1.0)
    mixed = whole[:, :size, size:]
    normal = whole[:, :size, :size] - (mixed / weight[:, None]) @ mixed.transpose(0, 2, 1)
    return normal, right[:, :size]
