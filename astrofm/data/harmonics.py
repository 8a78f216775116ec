"""Fourier series at given frequencies: how well they describe light curves, and the one that does it best."""

from __future__ import annotations

import numpy as np
from scipy import fft

from .waves import Waves

#: bins of phase
BINS = 128
#: pseudo-observations that hold the first harmonic at 0, and the power of k by which those of harmonic k are more
HELD, STEEP = 0.02, 3.0
#: folded points, or bins, at a time
MOST = 4_000_000


def folded_sums(waves: Waves, frequency: np.ndarray, orders: int) -> tuple[np.ndarray, np.ndarray]:
    """Sum weights, and weighted values, times ``exp(2 pi i k phase)`` for ``k`` from 0, points being put in bins of phase.

    Parameters
    ----------
    waves : Waves
    frequency : ndarray of float64, shape ``(n, c)``
        1/d
    orders : int
        How many ``k``.

    Returns
    -------
    weights : ndarray of complex, shape ``(n, bands, c, orders)``
    values : ndarray of complex, shape ``(n, c, orders)``
    """
    n, c = frequency.shape
    flat = (n, c, waves.bands)
    turns = waves.days[:, None] * frequency[..., None]
    turns -= np.floor(turns)
    index = (turns * BINS).astype(np.int32)
    np.minimum(index, BINS - 1, out=index)
    index += (np.arange(n)[:, None] * c + np.arange(c))[..., None].astype(np.int32) * BINS
    values = np.bincount(index.ravel(), _wide(waves.weight * waves.value, c), n * c * BINS)
    if waves.bands > 1:
        values, index = values, index + waves.band[:, None].astype(np.int32) * (n * c * BINS)
    weights = np.bincount(index.ravel(), _wide(waves.weight, c), waves.bands * n * c * BINS)
    # the middle of a bin stands for what is in it
    shift = np.exp(1j * np.pi / BINS * np.arange(orders))
    weights = fft.rfft(weights.reshape(waves.bands, n, c, BINS))[..., :orders].conj() * shift
    return weights.transpose(1, 0, 2, 3).reshape(n, flat[2], c, orders), fft.rfft(
        values.reshape(n, c, BINS))[..., :orders].conj() * shift


def _wide(values: np.ndarray, c: int) -> np.ndarray:
    return np.broadcast_to(values[:, None], (len(values), c, values.shape[1])).ravel()


def scores(waves: Waves, frequency: np.ndarray, most: int) -> tuple[np.ndarray, np.ndarray]:
    """Weigh Fourier series of 1 to ``most`` harmonics at each frequency: their Bayesian evidence, up to a constant.

    All bands share the series, each has a mean of its own; coefficients have a prior that falls with the order, and the noise
    is scaled by how well the series fits (a conjugate linear model: O'Hagan & Forster 2004, chapter 11).

    Parameters
    ----------
    waves : Waves
    frequency : ndarray of float64, shape ``(n, c)``
        1/d
    most : int
        Harmonics.

    Returns
    -------
    score : ndarray of float64, shape ``(n, c, most)``
        log evidence over that of no variation, by number of harmonics.
    left : ndarray of float64, shape ``(n, c, most)``
        The part of the variance that is left.
    """
    n, c = frequency.shape
    size = max(waves.days.shape[1], BINS * waves.bands)
    rows = max(1, MOST // max(c * size, 1))
    if rows < n:
        parts = [scores(waves[np.arange(k, min(k + rows, n))], frequency[k:k + rows], most) for k in range(0, n, rows)]
        return np.concatenate([part[0] for part in parts]), np.concatenate([part[1] for part in parts])
    columns = max(1, MOST // size)
    if columns < c:
        parts = [scores(waves, frequency[:, k:k + columns], most) for k in range(0, c, columns)]
        return np.concatenate([part[0] for part in parts], axis=1), np.concatenate([part[1] for part in parts], axis=1)
    weights, values = folded_sums(waves, frequency, 2 * most + 1)
    return _evidence(waves, weights, values, most)


def _evidence(waves: Waves, weights: np.ndarray, values: np.ndarray, most: int) -> tuple[np.ndarray, np.ndarray]:
    n, _, c, _ = weights.shape
    k = np.arange(1, most + 1)
    add, away, sign = k[:, None] + k, np.abs(k[:, None] - k), np.sign(k[:, None] - k)
    total = weights.sum(1)
    plus, minus = total[..., add], total[..., away]
    size = 2 * most
    normal = np.empty((n, c, size + 1, size + 1))
    normal[..., :-1:2, :-1:2] = (plus.real + minus.real) / 2
    normal[..., 1:-1:2, 1:-1:2] = (minus.real - plus.real) / 2
    mixed = (plus.imag - sign * minus.imag) / 2  # cosine of the row's order, sine of the column's
    normal[..., :-1:2, 1:-1:2] = mixed
    normal[..., 1:-1:2, :-1:2] = mixed.swapaxes(-1, -2)
    means = np.empty((n, c, waves.bands, size))
    own = (weights[..., 1:most + 1] / np.sqrt(waves.band_weights())[..., None, None]).transpose(0, 2, 1, 3)
    means[..., 0::2], means[..., 1::2] = own.real, own.imag
    normal[..., :-1, :-1] -= means.swapaxes(-1, -2) @ means
    normal[..., -1, 0:-1:2], normal[..., -1, 1:-1:2] = values[..., 1:most + 1].real, values[..., 1:most + 1].imag
    variance = waves.variance()
    held = HELD * np.repeat(k, 2) ** STEEP
    diagonal = np.arange(size)
    normal[..., diagonal, diagonal] += held
    normal[..., -1, -1] = 2 * np.maximum(variance, 1e-300)[:, None]
    factor = np.linalg.cholesky(normal)
    explained = np.cumsum(factor[..., -1, :-1] ** 2, axis=-1)[..., 1::2]
    left = 1 - explained / np.maximum(variance, 1e-300)[:, None, None]
    left = np.maximum(left, 1e-12)
    loss = np.cumsum(np.log(factor[..., diagonal, diagonal]) - 0.5 * np.log(held), axis=-1)[..., 1::2]
    return -0.5 * waves.free[:, None, None] * np.log(left) - loss, left
