"""Lomb-Scargle periodograms of many stars in several bands, with a mean of its own for each band."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from .nufft import fourier_sums
from .ranges import Highest
from .waves import Waves

#: frequencies that are looked at together
CHUNK = 16384
#: what their number is a multiple of
EVEN = 1024
#: what is added to the squares of sine and cosine, in points of mean weight: keeps two points from being a perfect wave
RIDGE = 0.05


def powers(waves: Waves, step: np.ndarray, first: np.ndarray, count: int) -> np.ndarray:
    """Give the part of the variance that a sine of one amplitude and phase in all bands explains, at regular frequencies.

    Parameters
    ----------
    waves : Waves
    step : ndarray of float64, shape ``(n,)``
        Of the frequencies, 1/d.
    first : ndarray of int, shape ``(n,)``
        The smallest frequency of each star, in steps.
    count : int
        How many.

    Returns
    -------
    ndarray of float32, shape ``(n, count)``
        0 to 1: the "standard" normalisation, with a floating mean for each band (Zechmeister & Kuerster 2009; VanderPlas &
        Ivezic 2015).
    """
    turns = waves.days * step[:, None]
    weight = waves.weight.astype(np.float32)
    sums = fourier_sums(turns, np.concatenate([(weight * waves.value)[:, None], waves.in_band(weight)], axis=1), first, count)
    total = weight.sum(1)[:, None]
    double = fourier_sums(2 * turns, weight[:, None], first, count)[:, 0]
    cosine, sine, both = total + double.real, total - double.real, double.imag.copy()
    each = sums[:, 1:] * np.sqrt(2 / waves.band_weights()).astype(np.float32)[..., None]
    for b in range(waves.bands):
        real, imaginary = each[:, b].real, each[:, b].imag
        cosine -= real * real
        sine -= imaginary * imaginary
        both -= real * imaginary
    cosine += 2 * RIDGE
    sine += 2 * RIDGE
    real, imaginary = sums[:, 0].real, sums[:, 0].imag
    power = real * real * sine + imaginary * imaginary * cosine - 2 * real * imaginary * both
    power *= 2 / np.maximum(cosine * sine - both * both, 1e-6)
    variance = waves.variance()
    power /= np.where(variance > 0, variance, 1.0)[:, None].astype(np.float32)
    return power


def scan(waves: Waves, step: np.ndarray, first: np.ndarray, last: np.ndarray, keep: int,
         block: int, highest: Highest | None = None) -> tuple[np.ndarray, np.ndarray]:
    """Find the highest peaks of the periodogram, a chunk of frequencies at a time.

    Parameters
    ----------
    waves, step
        As for `powers`.
    first, last : ndarray of int, shape ``(n,)``
        The smallest frequency of each star, and the largest, in steps.
    keep : int
        Peaks a star.
    block : int
        Steps within which only the highest is a peak.
    highest : Highest, optional
        What takes down the highest power in each range of periods, of these steps.

    Returns
    -------
    place : ndarray of int, shape ``(n, keep)``
        Frequency in steps, highest peak first.
    power : ndarray of float32, shape ``(n, keep)``
        -1 where there are no more peaks.
    """
    n = len(waves)
    place, power = np.zeros((n, 0), np.int64), np.zeros((n, 0), np.float32)
    for offset, count in _chunks(int((last - first).max()) + 1, block):
        here = powers(waves, step, first + offset, count)
        beyond = offset + np.arange(count) > (last - first)[:, None]
        here[beyond] = -1
        if highest is not None:
            highest.look(here, first + offset)
        blocks = here.reshape(n, -1, block)
        inside = blocks.argmax(2)
        best = np.take_along_axis(blocks, inside[..., None], 2)[..., 0]
        index = np.arange(best.shape[1]) * block + inside
        # a slope that goes on into the next block is no peak
        for side in (-1, 1):
            there = index + side
            inner = (there >= 0) & (there < count)
            beside = np.take_along_axis(here, np.clip(there, 0, count - 1), 1)
            best[inner & (beside > best)] = -1
        place = np.concatenate([place, (first + offset)[:, None] + index], axis=1)
        power = np.concatenate([power, best], axis=1)
        if power.shape[1] > keep:
            top = np.argpartition(-power, keep - 1, axis=1)[:, :keep]
            place, power = np.take_along_axis(place, top, 1), np.take_along_axis(power, top, 1)
    order = np.argsort(-power, axis=1, kind="stable")
    return np.take_along_axis(place, order, 1), np.take_along_axis(power, order, 1)


def _chunks(count: int, block: int) -> Iterator[tuple[int, int]]:
    """Cut ``count`` frequencies into chunks of whole blocks, of one length wherever that does."""
    size = CHUNK - CHUNK % block
    if count < size:  # few lengths of transform, as each has a kernel of its own
        size = max(2 ** int(np.ceil(np.log2(count))), 4 * block)
        size += -size % block
    else:  # chunks alike, so that the last is not mostly empty
        size = min(size, -(-count // -(-count // size) // EVEN) * EVEN)
        size += -size % block
    for first in range(0, count, size):
        yield first, size
