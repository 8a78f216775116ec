"""Mean fluxes of many spectra in wavelength bands."""

from __future__ import annotations

import numpy as np

from ..errors import DataError


def band_means(wave: np.ndarray, value: np.ndarray, error: np.ndarray, mask: np.ndarray, bands: np.ndarray, *,
               reference: tuple[float, float] | None = None) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Average spectra on one grid over bands.

    Parameters
    ----------
    wave : ndarray, shape ``(p,)``
        Wavelengths, of any unit that those of ``bands`` have too.
    value, error, mask : ndarray, shape ``(n, p)``
        Flux, its error, and True where there is none.
    bands : ndarray, shape ``(b, 2)``
        Ends of each band; a pixel belongs to it if its wavelength is at the lower end or above, and below the upper one.
    reference : tuple of float, optional
        Ends of the band whose mean is the unit of the others.

    Returns
    -------
    mean, error : ndarray, shape ``(n, b)``
        NaN where less than half of a band's pixels have data. Errors in a band are taken as those of one measurement, as
        neighbouring pixels of a slitless spectrograph share theirs: the mean error, not less.
    scale : ndarray, shape ``(n,)``
        Mean in the reference band, 1 without one; NaN where it has no data or is not positive.

    Raises
    ------
    DataError
        If a band holds no pixel.
    """
    bands = np.atleast_2d(np.asarray(bands, float))
    every = bands if reference is None else np.concatenate([bands, [reference]])
    inside = ((wave >= every[:, :1]) & (wave < every[:, 1:])).astype(float)
    if not inside.any(axis=1).all():
        low, high = every[~inside.any(axis=1)][0]
        raise DataError(f"no pixel lies between {low:.6g} and {high:.6g}: the grid goes from {wave[0]:.6g} to {wave[-1]:.6g}")
    usable = ~mask & np.isfinite(value) & np.isfinite(error)
    count = usable @ inside.T
    with np.errstate(invalid="ignore", divide="ignore"):
        share = np.where(count >= 0.5 * inside.sum(axis=1), 1 / count, np.nan)
        mean = (np.where(usable, value, 0.0) @ inside.T) * share
        spread = (np.where(usable, error, 0.0) @ inside.T) * share
    if reference is None:
        return mean, spread, np.ones(len(mean))
    scale = np.where(mean[:, -1] > 0, mean[:, -1], np.nan)
    return mean[:, :-1] / scale[:, None], spread[:, :-1] / scale[:, None], scale
