"""From a `Spectrum` to arrays on an instrument's grid: every check in one place."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from astropy import units as u

from ..errors import DataError

if TYPE_CHECKING:
    from ..compat import Spectrum
    from .instrument import SpectrumInstrument

#: two grids are the same one if no pixel is further off than this fraction of a pixel
SAME_GRID = 0.02


def spectrum_arrays(data: Spectrum, instrument: SpectrumInstrument
                    ) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Check a spectrum and give vacuum Angstrom (increasing), value, error and mask; new arrays."""
    name = instrument.name
    flux = getattr(data, "flux", None)
    axis = getattr(data, "spectral_axis", None)
    if flux is None or axis is None:
        raise DataError(f"instrument {name!r} samples specutils spectra, got {type(data).__name__}")
    if flux.ndim != 1:
        raise DataError(f"instrument {name!r} samples one spectrum at a time, got flux of shape {flux.shape}: "
                        "hand its rows over as a list")
    if data.uncertainty is None:
        raise DataError(f"the spectrum has no uncertainty and {name!r} does not guess one: "
                        "give it, for example uncertainty=StdDevUncertainty(...)")
    wave = _vacuum(data, instrument)
    value, error = _flux(data, wave, instrument)
    mask = ~np.isfinite(value) | ~np.isfinite(error) | ~(error > 0) | ~np.isfinite(wave)
    if data.mask is not None:
        mask |= np.asarray(data.mask, bool)
    order = np.argsort(wave, kind="stable")
    wave, value, error, mask = wave[order], value[order], error[order], mask[order]
    if np.any(np.diff(wave) <= 0):
        raise DataError("the spectral axis has equal wavelengths: join the arms before sampling")
    return wave, np.where(mask, 0.0, value), np.where(mask, 0.0, error), mask


def _vacuum(data: Spectrum, instrument: SpectrumInstrument) -> np.ndarray:
    from ..data.wavelength import to_vacuum

    try:
        wave = np.array(u.Quantity(data.spectral_axis).to_value(u.AA, u.spectral()), np.float64)
    except u.UnitConversionError as error:
        raise DataError(f"the spectral axis is in {data.spectral_axis.unit!s}, which is no wavelength, "
                        "frequency or energy: set its unit, for example u.AA") from error
    medium = data.meta.get("medium", instrument.medium)
    if medium not in ("vacuum", "air"):
        raise DataError(f'meta["medium"] is {medium!r}: say "vacuum" or "air"')
    return to_vacuum(wave) if medium == "air" else wave


def _flux(data: Spectrum, wave: np.ndarray, instrument: SpectrumInstrument) -> tuple[np.ndarray, np.ndarray]:
    unit = instrument.unit
    given = data.flux.unit
    spread = _standard_deviation(data)
    density = u.spectral_density(wave * u.AA)
    if given.is_equivalent(unit, density):
        value = data.flux.to_value(unit, density)
        error = spread.to_value(unit, density)
    elif given == u.dimensionless_unscaled and instrument.calibration == "relative":
        value, error = data.flux.value, spread.to_value(given)
    elif unit == u.dimensionless_unscaled and given.is_equivalent(u.Unit("erg s-1 cm-2 AA-1"), density):
        shape = u.Unit("erg s-1 cm-2 AA-1")
        value, error = data.flux.to_value(shape, density), spread.to_value(shape, density)
    else:
        raise DataError(f"the flux is in {str(given) or 'no unit'}, and {instrument.name!r} needs {unit!s} or what "
                        "converts to it: set the unit, or divide by the flux of the survey's calibration")
    return np.array(value, np.float64), np.array(error, np.float64)


def _standard_deviation(data: Spectrum) -> u.Quantity:
    uncertainty = data.uncertainty
    kind = uncertainty.uncertainty_type
    array = np.asarray(uncertainty.array, np.float64)
    unit = data.flux.unit
    with np.errstate(divide="ignore", invalid="ignore"):
        if kind == "std":
            return (array * (uncertainty.unit or unit)).to(unit)
        if kind == "var":
            return np.sqrt((array * (uncertainty.unit or unit**2)).to_value(unit**2)) * unit
        if kind == "ivar":
            return 1.0 / np.sqrt((array * (uncertainty.unit or unit**-2)).to_value(unit**-2)) * unit
    raise DataError(f"the uncertainty is of type {kind!r}: give a StdDevUncertainty, VarianceUncertainty or "
                    "InverseVariance")


def put_on_grid(wave: np.ndarray, value: np.ndarray, error: np.ndarray, mask: np.ndarray,
                instrument: SpectrumInstrument) -> tuple[np.ndarray, np.ndarray, np.ndarray, bool]:
    """Put one spectrum on the instrument's grid: copied where its pixels are the grid's, else resampled.

    Returns
    -------
    value, error : ndarray of float32, shape ``(p,)``
    mask : ndarray of bool, shape ``(p,)``
        True also where the spectrum does not reach.
    resampled : bool
    """
    grid = instrument.wavelength()
    if not len(wave) or wave[-1] < grid[0] or wave[0] > grid[-1]:
        span = f"{wave[0]:.0f}-{wave[-1]:.0f}" if len(wave) else "nothing"
        raise DataError(f"the spectrum covers {span} Angstrom (vacuum) and {instrument.name!r} covers "
                        f"{grid[0]:.0f}-{grid[-1]:.0f}: is the unit of the spectral axis right?")
    offset = grid_offset(wave, grid)
    if offset is None:
        from ..data.resample import resample

        value, error, mask = resample(wave[None], value[None], error[None], mask[None], grid)  # a grid of its own: no matrix
        value, error, mask = value[0], error[0], mask[0]
    else:
        low, high = max(offset, 0), min(offset + len(wave), len(grid))
        place, taken = slice(low, high), slice(low - offset, high - offset)
        full = np.zeros((2, len(grid)))
        bad = np.ones(len(grid), bool)
        full[0, place], full[1, place], bad[place] = value[taken], error[taken], mask[taken]
        value, error, mask = full[0], full[1], bad
    with np.errstate(over="ignore"):
        value, error = value.astype(np.float32), error.astype(np.float32)
    mask = mask | ~np.isfinite(value) | ~np.isfinite(error) | ~(error > 0)
    value[mask], error[mask] = 0, 0
    return value, error, mask, offset is None


def grid_offset(wave: np.ndarray, grid: np.ndarray) -> int | None:
    """Find where ``wave`` starts on ``grid``, in pixels (negative if before it); None if it is another grid."""
    if len(wave) < 2 or len(grid) < 2:
        return 0 if np.array_equal(wave, grid) else None
    start = int(np.argmin(np.abs(grid - wave[0])))
    offset = start if start else -int(np.argmin(np.abs(wave - grid[0])))
    low, high = max(offset, 0), min(offset + len(wave), len(grid))
    if high - low < 2:
        return None
    ours, theirs = grid[low:high], wave[low - offset: high - offset]
    return offset if np.all(np.abs(ours - theirs) <= SAME_GRID * np.gradient(ours)) else None
