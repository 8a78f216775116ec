"""Line-spread functions, and observing finely sampled spectra through them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import sparse
from scipy.special import ndtr

from ..errors import DataError
from .resample import pixel_edges

#: FWHM of a Gaussian over its sigma
FWHM = 2.0 * np.sqrt(2.0 * np.log(2.0))
#: the kernel ends at this many sigma
REACH = 4.0


@dataclass(frozen=True)
class LineSpread:
    """Gaussian line-spread function whose width follows wavelength.

    Make one with `constant`, `gaussian` or `sampled`.

    Parameters
    ----------
    wave : tuple of float
        Wavelengths (Angstrom, increasing); empty where one number says it all.
    fwhm : tuple of float
        FWHM (Angstrom) at those wavelengths; one number without wavelengths.
    resolution : float, optional
        Constant resolving power, wavelength over FWHM, in place of both.

    Examples
    --------
    >>> from astrofm.data import LineSpread
    >>> print(LineSpread.constant(1800).sigma(5000.0).round(3))
    1.18
    """

    wave: tuple[float, ...] = ()
    fwhm: tuple[float, ...] = ()
    resolution: float | None = None

    @classmethod
    def constant(cls, resolution: float) -> LineSpread:
        """Make one of constant resolving power ``wavelength / FWHM``."""
        _positive(resolution)
        return cls(resolution=float(resolution))

    @classmethod
    def gaussian(cls, fwhm: float) -> LineSpread:
        """Make one of constant ``fwhm`` in Angstrom."""
        _positive(fwhm)
        return cls(fwhm=(float(fwhm),))

    @classmethod
    def sampled(cls, wave: np.ndarray, fwhm: np.ndarray) -> LineSpread:
        """Make one from ``fwhm`` (Angstrom) at wavelengths ``wave`` (Angstrom, increasing); linear between."""
        wave, fwhm = np.asarray(wave, float), np.asarray(fwhm, float)
        _positive(fwhm)
        if wave.ndim != 1 or wave.shape != fwhm.shape or np.any(np.diff(wave) <= 0):
            raise DataError("a sampled line-spread function needs increasing wavelengths and one FWHM each")
        return cls(wave=tuple(wave.tolist()), fwhm=tuple(fwhm.tolist()))

    def sigma(self, wave: np.ndarray) -> np.ndarray:
        """Give the standard deviation (Angstrom) at wavelengths ``wave`` (Angstrom); same shape."""
        wave = np.asarray(wave, np.float64)
        if self.resolution is not None:
            return wave / (self.resolution * FWHM)
        if self.wave:
            return np.interp(wave, self.wave, self.fwhm) / FWHM
        return np.full_like(wave, self.fwhm[0] / FWHM)


def broadening_matrix(source_wave: np.ndarray, target_wave: np.ndarray, line_spread: LineSpread, *,
                      source: LineSpread | None = None) -> sparse.csr_matrix:
    """Give the matrix that observes finely sampled spectra: line-spread function, then pixels.

    Parameters
    ----------
    source_wave : ndarray, shape ``(p,)``
        Angstrom, increasing; finer than the line-spread function.
    target_wave : ndarray, shape ``(m,)``
        Centres of the instrument's pixels, Angstrom, increasing.
    line_spread : LineSpread
        Of the instrument.
    source : LineSpread, optional
        What the source spectra are broadened by already; taken off in quadrature. Where it is the wider
        of the two, only the pixels act.

    Returns
    -------
    csr_matrix of float64, shape ``(m, p)``
        Rows sum to one; rows that the source does not reach are empty.
    """
    source_wave = np.ascontiguousarray(source_wave, np.float64)
    target_wave = np.ascontiguousarray(target_wave, np.float64)
    edges, target = pixel_edges(source_wave), pixel_edges(target_wave)
    variance = line_spread.sigma(target_wave) ** 2
    if source is not None:
        variance = variance - source.sigma(target_wave) ** 2
    sigma = np.sqrt(np.clip(variance, 0, None))
    step = np.interp(target_wave, source_wave, np.diff(edges))
    sigma = np.maximum(sigma, 0.05 * step)
    low = np.clip(np.searchsorted(edges, target[:-1] - REACH * sigma, side="right") - 1, 0, len(source_wave))
    high = np.clip(np.searchsorted(edges, target[1:] + REACH * sigma, side="left"), 0, len(source_wave))
    count = np.clip(high - low, 0, None)
    rows = np.repeat(np.arange(len(target_wave)), count)
    columns = low[rows] + np.arange(len(rows)) - np.repeat(np.cumsum(count) - count, count)
    weight = _pixel_through_gaussian(edges[columns], edges[columns + 1], target[rows], target[rows + 1], sigma[rows])
    matrix = sparse.csr_matrix((weight, (rows, columns)), shape=(len(target_wave), len(source_wave)))
    total = np.asarray(matrix.sum(1)).ravel()
    reached = total > 0.5 * np.diff(target)
    return sparse.diags(np.where(reached, 1.0 / np.where(reached, total, 1.0), 0.0)).dot(matrix).tocsr()


def _pixel_through_gaussian(low: np.ndarray, high: np.ndarray, first: np.ndarray, last: np.ndarray,
                            sigma: np.ndarray) -> np.ndarray:
    """Integrate a Gaussian over a source pixel and a target pixel: exact for pixels of constant flux."""
    def twice_integrated(x):
        scaled = x / sigma
        return sigma * (scaled * ndtr(scaled) + np.exp(-0.5 * scaled**2) / np.sqrt(2 * np.pi))

    return (twice_integrated(last - low) - twice_integrated(last - high)
            - twice_integrated(first - low) + twice_integrated(first - high))


def _positive(width: np.ndarray | float) -> None:
    if not np.all(np.isfinite(width)) or np.any(np.asarray(width) <= 0):
        raise DataError(f"the width of a line-spread function must be positive, got {width}")
