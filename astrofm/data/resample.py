"""Resampling that conserves flux, for many spectra at once, with errors and masks."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from threading import Lock

import numpy as np
from scipy import sparse

from ..errors import DataError

#: a target pixel needs at least this fraction of its width covered by good pixels
COVERED = 0.5
#: stars of a block, so that it stays in the cache
BLOCK = 64
#: pairs of grids whose matrices are kept
CAPACITY = 16

_matrices: OrderedDict[tuple[bytes, bytes], sparse.csr_matrix] = OrderedDict()
_lock = Lock()


def pixel_edges(wave: np.ndarray) -> np.ndarray:
    """Give the edges of pixels, half-way between centres; shape ``(..., p)`` becomes ``(..., p + 1)``."""
    wave = np.asarray(wave, np.float64)
    if wave.shape[-1] < 2:
        raise DataError("a grid needs at least two pixels")
    middle = 0.5 * (wave[..., 1:] + wave[..., :-1])
    first = 2 * wave[..., :1] - middle[..., :1]
    last = 2 * wave[..., -1:] - middle[..., -1:]
    return np.concatenate([first, middle, last], axis=-1)


def overlap_matrix(wave: np.ndarray, grid: np.ndarray) -> sparse.csr_matrix:
    """Give how many Angstrom of each input pixel lie in each target pixel.

    Parameters
    ----------
    wave : ndarray, shape ``(p,)``
        Centres of the input pixels, increasing.
    grid : ndarray, shape ``(m,)``
        Centres of the target pixels, increasing.

    Returns
    -------
    csr_matrix, shape ``(m, p)``
        Kept for the grids met last; do not write into it.
    """
    wave, grid = np.ascontiguousarray(wave, np.float64), np.ascontiguousarray(grid, np.float64)
    key = (wave.tobytes(), grid.tobytes())
    with _lock:
        if key in _matrices:
            _matrices.move_to_end(key)
            return _matrices[key]
    _check_increasing(wave, grid)
    edges, target = pixel_edges(wave), pixel_edges(grid)
    low = np.clip(np.searchsorted(edges, target[:-1], side="right") - 1, 0, len(wave))
    high = np.clip(np.searchsorted(edges, target[1:], side="left"), 0, len(wave))
    count = np.clip(high - low, 0, None)
    rows = np.repeat(np.arange(len(grid)), count)
    columns = low[rows] + np.arange(len(rows)) - np.repeat(np.cumsum(count) - count, count)
    width = np.minimum(edges[columns + 1], target[rows + 1]) - np.maximum(edges[columns], target[rows])
    inside = width > 0
    matrix = sparse.csr_matrix((width[inside], (rows[inside], columns[inside])), shape=(len(grid), len(wave)))
    with _lock:
        _matrices[key] = matrix
        while len(_matrices) > CAPACITY:
            _matrices.popitem(last=False)
    return matrix


def resample(wave: np.ndarray, value: np.ndarray, error: np.ndarray, mask: np.ndarray,
             grid: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Put ``n`` spectra on another grid: each target pixel is the mean over what it covers.

    Parameters
    ----------
    wave : ndarray of float64, shape ``(p,)`` where all share a grid, or ``(n, p)``
        Centres of the input pixels, increasing.
    value, error : ndarray, shape ``(n, p)``
        Flux density and its one-sigma error; errors of different pixels are independent.
    mask : ndarray of bool, shape ``(n, p)``
        True = bad; such pixels don't count.
    grid : ndarray of float64, shape ``(m,)``
        Centres of the target pixels, increasing.

    Returns
    -------
    value, error : ndarray, shape ``(n, m)``, of the dtype of ``value`` (at least float32)
        0 under the mask.
    mask : ndarray of bool, shape ``(n, m)``
        True where good pixels cover less than half of the target pixel.

    Raises
    ------
    DataError
        If shapes disagree or a grid does not increase.

    Notes
    -----
    The flux of a target pixel is the overlap-weighted mean and its variance the sum of squared weights times
    variances (Carnall 2017, arXiv:1705.05165), as in specutils' ``FluxConservingResampler``.

    Examples
    --------
    >>> import numpy as np
    >>> from astrofm.data import resample
    >>> wave, grid = np.arange(5000.0, 5100.0), np.arange(5010.0, 5090.0, 4.0)
    >>> value, error = np.ones((3, 100)), np.full((3, 100), 0.1)
    >>> new, new_error, new_mask = resample(wave, value, error, np.zeros((3, 100), bool), grid)
    >>> new.shape, float(new[0, 0]), float(new_error[0, 5].round(3))
    ((3, 20), 1.0, 0.047)
    """
    wave, grid = np.asarray(wave, np.float64), np.asarray(grid, np.float64)
    value, error, mask = np.asarray(value), np.asarray(error), np.asarray(mask, bool)
    if value.ndim != 2 or error.shape != value.shape or mask.shape != value.shape:
        raise DataError(f"value, error and mask must share a shape (n, p), got {value.shape}, {error.shape}, "
                        f"{mask.shape}")
    if wave.shape not in (value.shape, value.shape[1:]):
        raise DataError(f"wave has shape {wave.shape}, the spectra have {value.shape}")
    _check_increasing(wave, grid)
    dtype = np.result_type(value.dtype, np.float32)
    part = _shared_grid(wave, grid, dtype) if wave.ndim == 1 else _own_grids(grid)
    least = (COVERED * np.diff(pixel_edges(grid))).astype(dtype)
    n = len(value)
    out = np.empty((n, len(grid)), dtype), np.empty((n, len(grid)), dtype), np.empty((n, len(grid)), bool)
    for start in range(0, n, BLOCK):
        rows = slice(start, start + BLOCK)
        good = ~mask[rows]
        whole = bool(good.all())
        block = [x[rows] if whole else np.where(good, x[rows], 0) for x in (value, error)]
        total, spread, covered = part(wave[rows] if wave.ndim == 2 else wave, *block, good)
        bad = covered < least
        covered = np.where(bad, 1, covered)
        total[bad] = spread[bad] = 0
        np.divide(total, covered, out=out[0][rows], casting="same_kind")
        np.divide(spread, covered, out=out[1][rows], casting="same_kind")
        out[2][rows] = bad
    return out


def _shared_grid(wave: np.ndarray, grid: np.ndarray, dtype: np.dtype) -> Callable[..., tuple[np.ndarray, ...]]:
    """Give the function that integrates a block of spectra which share ``wave``."""
    matrix = overlap_matrix(wave, grid).astype(dtype)
    squared = matrix.multiply(matrix).tocsr()
    width = np.asarray(matrix.sum(1)).ravel()

    def part(wave, value, error, good):
        scale = np.max(error, initial=0) or 1.0
        total = matrix @ np.ascontiguousarray(value.T, dtype)
        variance = squared @ np.square(np.ascontiguousarray(error.T, dtype) / dtype.type(scale))
        covered = width if good.all() else (matrix @ np.ascontiguousarray(good.T, dtype)).T
        return total.T, np.sqrt(variance).T * dtype.type(scale), np.broadcast_to(covered, total.T.shape)

    return part


def _own_grids(grid: np.ndarray) -> Callable[..., tuple[np.ndarray, ...]]:
    """Give the function that integrates a block of spectra which have a grid each."""
    target = pixel_edges(grid)
    return lambda wave, value, error, good: _block(wave, value, error, good, target)


def _block(wave: np.ndarray, value: np.ndarray, error: np.ndarray, good: np.ndarray,
           target: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Integrate each row between the target edges by running sums: exact for pixels of constant flux."""
    k, p = value.shape
    edges = pixel_edges(wave)
    width = np.diff(edges)
    inside = np.clip(target, edges[:, :1], edges[:, -1:])
    row = np.arange(k)[:, None]
    reach = max(edges.max(), target.max()) - min(edges.min(), target.min()) + 1.0
    place = np.searchsorted((edges[:, 1:-1] + row * reach).ravel(), (inside + row * reach).ravel(), side="right")
    pixel = np.clip(place.reshape(inside.shape) - row * (p - 1), 0, p - 1) + row * p
    part = inside - np.take(edges, pixel + row)

    def between(density):
        running = np.zeros((k, p))
        np.cumsum((density * width)[:, :-1], axis=1, out=running[:, 1:])
        at = np.take(running, pixel) + np.take(density, pixel) * part
        return np.diff(at, axis=1)

    total, covered = between(value.astype(np.float64)), between(good.astype(np.float64))
    squared = error.astype(np.float64) ** 2
    running = np.zeros((k, p))
    np.cumsum((squared * width**2)[:, :-1], axis=1, out=running[:, 1:])
    first, last = pixel[:, :-1], pixel[:, 1:]
    end = np.take(squared, last) * part[:, 1:] ** 2
    begin = np.take(squared, first) * (np.take(width, first) - part[:, :-1]) ** 2
    whole = np.take(running, last) - np.take(running, first) - np.take(squared * width**2, first)
    single = np.take(squared, first) * (part[:, 1:] - part[:, :-1]) ** 2
    variance = np.where(first == last, single, begin + whole + end)
    return total, np.sqrt(np.clip(variance, 0, None)), covered


def _check_increasing(*grids: np.ndarray) -> None:
    for grid in grids:
        if np.any(np.diff(grid, axis=-1) <= 0):
            raise DataError("wavelengths must increase: sort them first")
