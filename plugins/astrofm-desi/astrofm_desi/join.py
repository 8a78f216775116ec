"""Join the arms of many stars on one grid, and give the width of their line-spread functions.

Where arms overlap, the joined flux is the mean of theirs weighted by inverse variance, ``sum(w f) / sum(w)``, and its
inverse variance ``sum(w)``: what ``desispec.coaddition.coadd_cameras`` of the survey does (Guy et al. 2023,
2023AJ....165..144G, section 4.10). There a masked pixel keeps its weight and loses its mask; here it has no weight, so that
a joined pixel is bad only where it is bad in every arm.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from astrofm.data.linespread import FWHM

from .arms import GRID, PIXELS, STEP, Arm

#: pixels of the grid that each arm has to itself
ALONE = {"b": slice(0, 2700), "r": slice(2751, 4900), "z": slice(5026, 7781)}
#: the middle pixel of each arm
MIDDLE = {"b": 1375, "r": 3863, "z": 6340}
#: widths are medians over so many pixels on either side
AROUND = 25
#: weight of a bad pixel in the mean of two widths: it counts where there is no good one
BARELY = 1e-30


def join(arms: Sequence[Arm], rows: slice) -> tuple[np.ndarray, np.ndarray]:
    """Join the arms of some rows.

    Parameters
    ----------
    arms : sequence of Arm
        By wavelength.
    rows : slice

    Returns
    -------
    flux, ivar : ndarray of float64, shape ``(n, 7781)``
        Both 0 where no arm has a good pixel.
    """
    n = len(range(*rows.indices(len(arms[0].flux))))
    flux, ivar = np.zeros((n, PIXELS)), np.zeros((n, PIXELS))
    reached = 0
    for arm in arms:
        value, weight = arm.pixels(rows)
        shared = min(max(reached - arm.start, 0), value.shape[1])
        both, own = slice(arm.start, arm.start + shared), slice(arm.start + shared, arm.place.stop)
        if shared:
            total = ivar[:, both] + weight[:, :shared]
            total_flux = flux[:, both] * ivar[:, both] + value[:, :shared] * weight[:, :shared]
            flux[:, both] = np.divide(total_flux, total, out=np.zeros_like(total), where=total > 0)
            ivar[:, both] = total
        flux[:, own], ivar[:, own] = value[:, shared:], weight[:, shared:]
        reached = max(reached, arm.place.stop)
    return flux, ivar


def missing_arms(bad: np.ndarray) -> list[str]:
    """Name the arms in which a star has no good pixel, for example ``"rz"``.

    Parameters
    ----------
    bad : ndarray of bool, shape ``(n, 7781)``
    """
    lost = {arm: bad[:, alone].all(1).tolist() for arm, alone in ALONE.items()}
    return ["".join(arm for arm in lost if lost[arm][row]) for row in range(len(bad))]


def width(diagonals: np.ndarray) -> np.ndarray:
    """Give the standard deviation (Angstrom) of the line-spread function from the diagonals of a resolution matrix.

    Parameters
    ----------
    diagonals : ndarray, shape ``(..., d, p)``
        As in the files: ``d`` diagonals, an odd number, from the one furthest above the main one to that furthest below.

    Returns
    -------
    ndarray of float32, shape ``(..., p)``
        The second moment of each column about its mean; NaN where there is none. It does not hold the width of the
        pixel itself.
    """
    diagonals = np.asarray(diagonals, np.float32)
    offset = (diagonals.shape[-2] // 2 - np.arange(diagonals.shape[-2])).astype(np.float32)
    with np.errstate(all="ignore"):
        total, first, second = (np.einsum("...dp,d->...p", diagonals, offset**k) for k in range(3))
        variance = second / total - (first / total) ** 2
        return np.where((total > 0) & (variance > 0), np.sqrt(variance) * np.float32(STEP), np.float32(np.nan))


def resolutions(arms: Sequence[Arm], rows: slice) -> dict[str, list[float]]:
    """Give the resolving power, wavelength over FWHM, in the middle of each arm: ``resolution_b``, ``_r``, ``_z``.

    NaN where a star's fibre has none.
    """
    n = len(range(*rows.indices(len(arms[0].flux))))
    found = {}
    for letter, middle in MIDDLE.items():
        power = np.full(n, np.nan)
        arm = next((arm for arm in arms if letter in arm.name and arm.resolution is not None), None)
        if arm is not None and arm.place.start <= middle - AROUND and middle + AROUND < arm.place.stop:
            near = slice(middle - AROUND - arm.start, middle + AROUND + 1 - arm.start)
            widths = width(arm.resolution[rows, :, near]).astype(np.float64)
            middles = np.median(widths, axis=1)
            for row in np.flatnonzero(np.isnan(middles) & np.isfinite(widths).any(1)):  # few: some pixels without a width
                middles[row] = np.nanmedian(widths[row])
            power = GRID[middle] / (FWHM * middles)
        found[f"resolution_{letter}"] = power.tolist()
    return found


def dispersion(arms: Sequence[Arm], row: int) -> np.ndarray:
    """Give the standard deviation (Angstrom) of one star's line-spread function on the grid.

    Returns
    -------
    ndarray of float32, shape ``(7781,)``
        Where arms overlap, the root of the mean of their variances, weighted as their fluxes are; known under the mask
        too, and NaN where the matrix has no width.
    """
    variance, weight = np.zeros(PIXELS), np.zeros(PIXELS)
    for arm in arms:
        if arm.resolution is None:
            continue
        sigma = width(arm.resolution[row]).astype(np.float64)
        ivar = np.where(np.isfinite(sigma), arm.pixels(slice(row, row + 1))[1][0] + BARELY, 0.0)
        variance[arm.place] += ivar * np.nan_to_num(sigma) ** 2
        weight[arm.place] += ivar
    with np.errstate(invalid="ignore"):
        return np.sqrt(np.where(weight > 0, variance, np.nan) / np.where(weight > 0, weight, 1)).astype(np.float32)
