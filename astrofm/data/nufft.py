"""Sums of cosines and sines at regular frequencies over points at irregular times, through the fast Fourier transform."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from scipy import fft

#: grid points that a time is spread over
WIDTH = 6
#: grid points for each frequency
UPSAMPLING = 1.5
#: points that are put on the grid at a time
SPREAD = 65536
#: of the kernel, for this width and upsampling (Barnett et al. 2019, SIAM J. Sci. Comput. 41, C479)
SHAPE = 0.97 * np.pi * WIDTH * (1 - 0.5 / UPSAMPLING)


def fourier_sums(turns: np.ndarray, values: np.ndarray, first: np.ndarray, count: int) -> np.ndarray:
    """Sum ``values * exp(2 pi i k turns)`` over points, for whole numbers ``k`` (Dutt & Rokhlin 1993).

    Parameters
    ----------
    turns : ndarray of float64, shape ``(n, p)``
        Time over the period that frequencies are multiples of the inverse of.
    values : ndarray of float, shape ``(n, s, p)``
        ``s`` sets of weights on the points of each star.
    first : ndarray of int, shape ``(n,)``
        The smallest ``k`` of each star.
    count : int
        How many ``k``.

    Returns
    -------
    ndarray of complex64, shape ``(n, s, count)``
        True to about 1e-4 of the sum of the values' sizes.
    """
    n, sets, points = values.shape
    size, half = grid_size(count), count // 2
    grid = np.zeros(n * sets * size, np.complex64)
    for start in range(0, points, SPREAD):
        part = slice(start, start + SPREAD)
        _spread(grid, turns[:, part], values[..., part], first + half, size)
    waves = fft.ifft(grid.reshape(n, sets, size), norm="forward", overwrite_x=True)
    found = np.concatenate([waves[..., size - half:] if half else waves[..., :0], waves[..., :count - half]], axis=-1)
    found *= _undo(count, size)
    return found


def _spread(grid: np.ndarray, turns: np.ndarray, values: np.ndarray, middle: np.ndarray, size: int) -> None:
    """Add points to the grid points around them, turned so that frequency ``middle`` becomes 0."""
    turned = turns * middle[:, None]
    turned -= np.floor(turned)
    phase = np.exp((2j * np.pi * turned).astype(np.complex64))
    place = (turns - np.floor(turns)) * size
    left = np.ceil(place - WIDTH / 2)
    steps = np.arange(WIDTH, dtype=np.float32)
    away = ((left - place).astype(np.float32)[..., None] + steps) * np.float32(2 / WIDTH)
    kernel = np.exp(np.float32(SHAPE) * (np.sqrt(np.maximum(1 - away * away, 0)) - 1))
    index = (left.astype(np.int64)[..., None] + np.arange(WIDTH)) % size
    n, sets = values.shape[:2]
    spread = (values * phase[:, None])[..., None].astype(np.complex64) * kernel[:, None]
    row = np.arange(n * sets).reshape(n, sets, 1, 1) * size
    np.add.at(grid, (index[:, None] + row).ravel(), spread.ravel())


def grid_size(count: int) -> int:
    """Give the length of the transform for ``count`` frequencies."""
    return fft.next_fast_len(max(int(np.ceil(UPSAMPLING * count)), 4 * WIDTH))


@lru_cache(maxsize=32)
def _undo(count: int, size: int) -> np.ndarray:
    """Give what takes the kernel's transform out again, shape ``(count,)``."""
    node, weight = np.polynomial.legendre.leggauss(24)
    node, weight = node[12:], 2 * weight[12:]
    kernel = weight * np.exp(SHAPE * (np.sqrt(1 - node**2) - 1)) * WIDTH / 2
    k = (np.arange(count) - count // 2) / size
    return (1 / (np.cos(np.pi * WIDTH * np.outer(k, node)) @ kernel)).astype(np.float32)
