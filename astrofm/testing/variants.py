"""The same spectrum written differently: other units, directions, kinds of uncertainty, bad pixels."""

from __future__ import annotations

from collections.abc import Mapping
from copy import deepcopy
from typing import TYPE_CHECKING, Any

import numpy as np
from astropy import units as u
from astropy.io import fits
from astropy.nddata import InverseVariance, NDUncertainty, StdDevUncertainty, VarianceUncertainty
from astropy.time import Time

from ..compat import Spectrum
from ..data import Sample
from ..data.wavelength import to_vacuum

if TYPE_CHECKING:
    from ..interfaces import SpectrumInstrument


def vary(spectrum: Spectrum, *, axis: u.Quantity | None = None, flux: u.Quantity | None = None,
         error: u.Quantity | None = None, uncertainty: NDUncertainty | None = None,
         mask: np.ndarray | None = None, meta: Mapping[str, Any] | None = None) -> Spectrum:
    """Make a new spectrum, the same but for what is given; ``error`` is a one-sigma error."""
    axis = u.Quantity(spectrum.spectral_axis) if axis is None else axis
    flux = spectrum.flux if flux is None else flux
    if uncertainty is None:
        uncertainty = StdDevUncertainty(errors(spectrum) if error is None else error)
    return Spectrum(spectral_axis=axis.copy(), flux=flux.copy(), uncertainty=uncertainty,
                    mask=deepcopy(spectrum.mask) if mask is None else mask,
                    meta={**deepcopy(spectrum.meta), **(meta or {})})


def errors(spectrum: Spectrum) -> u.Quantity:
    """Give the one-sigma errors as a Quantity, shape ``(p,)``, in the unit of the flux."""
    return spectrum.uncertainty.represent_as(StdDevUncertainty).quantity.to(spectrum.flux.unit)


def vacuum_angstrom(spectrum: Spectrum, instrument: SpectrumInstrument) -> np.ndarray:
    """Give the vacuum wavelength of each pixel in Angstrom, shape ``(p,)``, in the spectrum's order."""
    wave = np.array(u.Quantity(spectrum.spectral_axis).to_value(u.AA, u.spectral()), np.float64)
    medium = spectrum.meta.get("medium", getattr(instrument, "medium", "vacuum"))
    return to_vacuum(wave) if medium == "air" else wave


def reverse(spectrum: Spectrum) -> Spectrum:
    """Turn the order of the pixels round."""
    mask = None if spectrum.mask is None else spectrum.mask[::-1].copy()
    return vary(spectrum, axis=u.Quantity(spectrum.spectral_axis)[::-1], flux=spectrum.flux[::-1],
                error=errors(spectrum)[::-1], mask=mask)


def uncertainties(spectrum: Spectrum) -> dict[str, NDUncertainty]:
    """Write the errors as standard deviation, variance and inverse variance."""
    error = errors(spectrum)
    with np.errstate(divide="ignore"):
        return {"std": StdDevUncertainty(error), "var": VarianceUncertainty(error**2),
                "ivar": InverseVariance(error**-2)}


def with_bad_pixels(spectrum: Spectrum, pixels: np.ndarray) -> dict[str, Spectrum]:
    """Spoil ``pixels`` in every way that the data contract names, one way a spectrum."""
    spoilt = {}
    for what, number in (("NaN", np.nan), ("Inf", np.inf), ("-Inf", -np.inf)):
        flux = spectrum.flux.astype(float)
        flux[pixels] = number * flux.unit
        spoilt[f"flux {what}"] = vary(spectrum, flux=flux)
    for what, number in (("NaN", np.nan), ("Inf", np.inf), ("0", 0.0), ("negative", -1.0)):
        error = errors(spectrum).astype(float)
        error[pixels] = number * (abs(error[pixels]) if number == -1.0 else error.unit)
        spoilt[f"error {what}"] = vary(spectrum, error=error)
    inverse = uncertainties(spectrum)["ivar"].array.astype(float)
    inverse[pixels] = 0.0
    spoilt["inverse variance 0"] = vary(
        spectrum, uncertainty=InverseVariance(inverse, unit=spectrum.flux.unit**-2))
    mask = np.zeros(len(spectrum.flux), bool) if spectrum.mask is None else np.array(spectrum.mask, bool)
    mask[pixels] = True
    spoilt["mask True"] = vary(spectrum, mask=mask)
    return spoilt


def snapshot(data: Any) -> list[Any]:
    """Copy what a spectrum (or any object with ``meta``) holds, to compare with `same_snapshot`."""
    parts = [deepcopy(getattr(data, "meta", None))]
    if isinstance(data, Spectrum):
        kind = None if data.uncertainty is None else data.uncertainty.uncertainty_type
        array = None if data.uncertainty is None else np.array(data.uncertainty.array)
        parts += [str(data.flux.unit), np.array(data.flux.value), str(data.spectral_axis.unit),
                  np.array(data.spectral_axis.value), kind, array, deepcopy(data.mask)]
    elif hasattr(data, "colnames"):
        parts += [part for name in data.colnames for part in _parts(data[name])]
    return parts


def _parts(column: Any) -> list[np.ndarray]:
    if isinstance(column, Time):
        return [np.array(column.jd1), np.array(column.jd2)]
    return [np.array(getattr(column, "unmasked", column)), np.array(getattr(column, "mask", False))]


def same_snapshot(first: Any, second: Any) -> bool:
    """Compare two snapshots, NaN equal to NaN."""
    if isinstance(first, Mapping) and isinstance(second, Mapping):
        return list(first) == list(second) and all(same_snapshot(first[key], second[key]) for key in first)
    if isinstance(first, (list, tuple)) and isinstance(second, (list, tuple)):
        return len(first) == len(second) and all(map(same_snapshot, first, second))
    if isinstance(first, fits.Header) and isinstance(second, fits.Header):
        return first.tostring() == second.tostring()
    first, second = np.asarray(first), np.asarray(second)
    numbers = first.dtype.kind in "fc" and second.dtype.kind in "fc"
    return bool(np.array_equal(first, second, equal_nan=numbers))


def differences(first: Sample, second: Sample, *, tolerance: float = 3e-6) -> list[str]:
    """Name the arrays in which two samples differ by more than ``tolerance`` of their typical size."""
    found = []
    one, other = first.coordinate, second.coordinate
    if one.shape != other.shape or not np.allclose(one, other, rtol=1e-14, atol=0 if first.band is None else 1e-9):
        found.append("coordinate")
    for name in ("mask", "band"):
        one, other = getattr(first, name), getattr(second, name)
        if (one is None) != (other is None) or (one is not None and not np.array_equal(one, other)):
            found.append(name)
    for name in ("value", "error"):
        with np.errstate(invalid="ignore"):
            one, other = (np.asarray(getattr(sample, name), float) for sample in (first, second))
        good = abs(one[~first.mask])
        scale = np.median(good) if len(good) else 0.0
        if one.shape != other.shape or not np.allclose(one, other, rtol=tolerance, atol=tolerance * scale):
            found.append(name)
    return found
