"""Calibrate continuous XP spectra to absolute flux: one matrix product for any number of sources."""

from __future__ import annotations

import functools
import warnings
from typing import Any, NamedTuple

import numpy as np

from astrofm.data import Batch
from astrofm.errors import DataError, PluginError

from .coefficients import N_BASES, N_PAIRS, XPCoefficients, as_source_id, check_columns, fill

#: BP reaches up to here and RP down to here, in nm: without the other photometer nothing is known beyond
#: (Gaia DR3, and what GaiaXPy leaves of a source with one photometer)
BP_END, RP_START = 643.0, 635.0
#: sources a block: what a block needs stays in the processor's cache
BLOCK = 256


class Design(NamedTuple):
    """The instrument model as matrices, for one combination of photometers.

    ``pixels``: those that BP and RP reach; ``flux``: for each a float64 (55, pixels) matrix, W m-2 nm-1 a
    unit of coefficient; ``variance``: for each a float64 (1540, pixels) matrix from packed covariances;
    ``mask``: bool (343,), True where this combination knows nothing.
    """

    pixels: tuple[slice, slice]
    flux: tuple[np.ndarray, np.ndarray]
    variance: tuple[np.ndarray, np.ndarray]
    mask: np.ndarray


@functools.cache
def instrument_model() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Load the official instrument model of Gaia DR3, once a process.

    Returns
    -------
    grid : ndarray, shape ``(343,)``
        nm, vacuum.
    bases : ndarray, shape ``(2, 55, 343)``
        The basis functions of BP and RP on the grid, W m-2 nm-1 a unit of coefficient.
    merge : ndarray, shape ``(2, 343)``
        The weight of BP and RP in each pixel.

    Raises
    ------
    PluginError
        If GaiaXPy is absent or its files have changed shape.

    Notes
    -----
    Montegriffo et al. 2023, 2023A&A...674A...3M; GaiaXPy, https://github.com/gaia-dpci/GaiaXPy.
    """
    try:
        from matplotlib import rc_context  # GaiaXPy needs it, and at import sets all plots to LaTeX

        with rc_context(), warnings.catch_warnings():
            warnings.filterwarnings("ignore", "The 'mode.chained_assignment' option is deprecated")
            warnings.filterwarnings("ignore", "unclosed file .*available_systems", ResourceWarning)
            from gaiaxpy.core.config import load_xpmerge_from_xml, load_xpsampling_from_xml

        grid, merge = load_xpmerge_from_xml()
        bases = load_xpsampling_from_xml()
        grid, merge = np.asarray(grid, float), np.array([merge["bp"], merge["rp"]], float)
        bases = np.array([bases["bp"], bases["rp"]], float)
    except (ImportError, KeyError, AttributeError) as error:
        raise PluginError(f"the instrument model of GaiaXPy cannot be loaded ({error}): "
                          "pip install 'gaiaxpy>=2.1,<3'") from error
    if bases.shape != (2, N_BASES, len(grid)) or merge.shape != (2, len(grid)):
        raise PluginError(f"the instrument model of GaiaXPy has shapes {bases.shape} and {merge.shape}: this "
                          "is another version than astrofm-gaia knows; pip install -U astrofm-gaia")
    return grid, bases, merge


@functools.cache
def design(has_bp: bool, has_rp: bool) -> Design:
    """Give the matrices for sources with both photometers or one, the merge applied."""
    grid, bases, merge = instrument_model()
    mask = np.zeros(len(grid), bool)
    if not (has_bp and has_rp):
        merge = np.repeat(np.array([[has_bp], [has_rp]], float), len(grid), axis=1)
        mask = grid >= BP_END if has_bp else grid <= RP_START if has_rp else ~mask
    pixels, fluxes, variances = [], [], []
    rows, columns = np.tril_indices(N_BASES, -1)
    for matrix in np.where(mask, 0.0, bases * merge[:, None, :]):
        used = np.flatnonzero(matrix.any(axis=0))
        pixels.append(slice(used[0], used[-1] + 1) if len(used) else slice(0, 0))
        fluxes.append(np.ascontiguousarray(matrix[:, pixels[-1]]))
        variances.append(np.vstack([2 * fluxes[-1][rows] * fluxes[-1][columns], fluxes[-1]**2]))
    return Design(tuple(pixels), tuple(fluxes), tuple(variances), mask)


def flux(coefficients: XPCoefficients | Any) -> np.ndarray:
    """Compute fluxes only, the quickest way.

    Parameters
    ----------
    coefficients : XPCoefficients, or a table with ``source_id``, ``bp_coefficients`` and ``rp_coefficients``

    Returns
    -------
    ndarray of float64, shape ``(n, 343)``
        W m-2 nm-1; NaN where the photometer is missing.
    """
    if not isinstance(coefficients, XPCoefficients):
        values, missing = _coefficients_of(coefficients)
    else:
        values, missing = coefficients.coefficients, coefficients.missing
    out = _flux(values, design(True, True))
    for rows, model in _groups(missing) if missing.any() else ():
        if model.mask.any():
            out[rows] = np.where(model.mask, np.nan, _flux(values[rows], model))
    return out


def flux_error(coefficients: XPCoefficients) -> np.ndarray:
    """Compute the one-sigma errors of `flux` with all correlations: the root of ``diag(A C A^T)``.

    Returns
    -------
    ndarray of float64, shape ``(n, 343)``
        W m-2 nm-1; NaN where the photometer is missing.
    """
    out = np.empty((len(coefficients), len(design(True, True).mask)))
    packed = np.empty((min(BLOCK, len(coefficients)), N_PAIRS + N_BASES))
    for rows, model in _groups(coefficients.missing):
        for start in range(0, len(rows), BLOCK):
            block = rows[start:start + BLOCK]
            variance = np.zeros((len(block), out.shape[1]))
            for band, (pixels, matrix) in enumerate(zip(model.pixels, model.variance, strict=True)):
                if matrix.shape[1]:
                    variance[:, pixels] += _pack(coefficients, band, block, packed) @ matrix
            with np.errstate(invalid="ignore"):
                out[block] = np.where(model.mask, np.nan, np.sqrt(variance))
    return out


def calibrate(coefficients: XPCoefficients | Any) -> Batch:
    """Calibrate continuous spectra to absolute flux on the archive's grid, with errors.

    Parameters
    ----------
    coefficients : XPCoefficients, or a table that `XPCoefficients.from_table` takes

    Returns
    -------
    Batch
        Of instrument ``gaia-xp``, in the order given; ``meta`` has ``id`` (the source id as str),
        ``source_id`` (int), ``missing`` (``"bp"``, ``"rp"``, both or nothing) and the columns of
        ``coefficients.meta``. The pixels are correlated: see `covariance`.
    """
    from .instrument import GaiaXP

    if not isinstance(coefficients, XPCoefficients):
        coefficients = XPCoefficients.from_table(coefficients)
    value, error = flux(coefficients), flux_error(coefficients)
    names = np.array(["", "rp", "bp", "bp rp"])[coefficients.missing @ [2, 1]]
    meta = {"id": [str(item) for item in coefficients.source_id.tolist()],
            "source_id": coefficients.source_id.tolist(), "missing": names.tolist(), **coefficients.meta}
    return GaiaXP().batch(value, error, np.isnan(value), meta)


def covariance(coefficients: XPCoefficients, row: int = 0) -> np.ndarray:
    """Compute the covariance of the pixels of one source.

    Returns
    -------
    ndarray of float64, shape ``(343, 343)``
        (W m-2 nm-1) squared, of rank 110 at most; NaN in the rows and columns where the photometer is
        missing. Its diagonal is the square of `flux_error`.
    """
    one = coefficients[row:row + 1] if row != -1 else coefficients[-1:]
    if not len(one):
        raise DataError(f"there is no row {row} among {len(coefficients)} sources")
    model = design(*(~one.missing[0]).tolist())
    out = np.zeros((len(model.mask), len(model.mask)))
    for band, (pixels, matrix) in enumerate(zip(model.pixels, model.flux, strict=True)):
        correlation = np.eye(N_BASES)
        correlation[np.tril_indices(N_BASES, -1)] = one.correlations[0, band * N_PAIRS:(band + 1) * N_PAIRS]
        correlation = np.tril(correlation) + np.tril(correlation, -1).T
        error = one.errors[0, band * N_BASES:(band + 1) * N_BASES].astype(float)
        out[pixels, pixels] += matrix.T @ (correlation * error * error[:, None]) @ matrix
    out[model.mask, :] = np.nan
    out[:, model.mask] = np.nan
    return out


def _flux(values: np.ndarray, model: Design) -> np.ndarray:
    """Multiply coefficients with the matrices; each photometer only where it reaches."""
    bp, rp = model.pixels
    out = np.zeros((len(values), len(model.mask)))
    if bp.stop:
        out[:, bp] = values[:, :N_BASES] @ model.flux[0]
    if rp.stop:
        out[:, rp] += values[:, N_BASES:] @ model.flux[1]
    return out


def _groups(missing: np.ndarray) -> list[tuple[np.ndarray, Design]]:
    found = []
    for pattern in np.unique(missing, axis=0):
        rows = np.flatnonzero((missing == pattern).all(axis=1))
        found.append((rows, design(*(~pattern).tolist())))
    return found


def _pack(coefficients: XPCoefficients, band: int, rows: np.ndarray, packed: np.ndarray) -> np.ndarray:
    """Covariances of the rows as vectors: the lower triangle row by row, then the variances."""
    out = packed[:len(rows)]
    whole = slice(rows[0], rows[-1] + 1) if rows[-1] - rows[0] + 1 == len(rows) else rows
    error = coefficients.errors[whole, band * N_BASES:(band + 1) * N_BASES].astype(float)
    correlation = coefficients.correlations[whole, band * N_PAIRS:(band + 1) * N_PAIRS]
    start = 0
    for i in range(1, N_BASES):
        np.multiply(error[:, :i], error[:, i:i + 1], out=out[:, start:start + i])
        start += i
    out[:, :N_PAIRS] *= correlation
    out[:, N_PAIRS:] = error**2
    return out


def _coefficients_of(table: Any) -> tuple[np.ndarray, np.ndarray]:
    columns = ("bp_coefficients", "rp_coefficients")
    check_columns(list(table.keys()), ("source_id", *columns))
    source_id = as_source_id(table["source_id"])
    values, missing = np.zeros((len(source_id), 2 * N_BASES)), np.zeros((len(source_id), 2), bool)
    for band, name in enumerate(columns):
        missing[:, band] = fill(values[:, band * N_BASES:(band + 1) * N_BASES], table[name], name, source_id)
    return values, missing
