"""Spectra out of the shared space: translated to another instrument, or reconstructed on their own grid."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
from astropy import units as u
from astropy.nddata import StdDevUncertainty

from ..data import Batch
from ..errors import DataError
from ..interfaces.instrument import F_LAMBDA
from . import inputs, scaling
from .answers import NOT_READ, star_values

if TYPE_CHECKING:
    from ..compat import Spectrum
    from ..interfaces import SpectrumInstrument
    from .model import Model


def spectrum_instrument(name: str) -> SpectrumInstrument:
    """Get an instrument whose spectra can be decoded.

    Raises
    ------
    UnknownNameError
        No plugin offers it.
    DataError
        It is no spectrograph.
    """
    from ..interfaces import SpectrumInstrument
    from ..registry import get_instrument

    instrument = get_instrument(name)
    if not isinstance(instrument, SpectrumInstrument):
        raise DataError(f"{name!r} is no spectrograph: spectra are translated to one, see `astrofm plugins`")
    return instrument


def in_f_lambda(unit: u.UnitBase, wavelength: np.ndarray) -> np.ndarray | None:
    """Give the factors ``(p,)`` that turn values in ``unit`` into F_lambda; None for a unit that has no scale."""
    if unit == u.dimensionless_unscaled:
        return None
    return np.broadcast_to(unit.to(F_LAMBDA, 1.0, u.spectral_density(wavelength * u.AA)), wavelength.shape)


def decode_to(model: Model, batch: Batch, target: SpectrumInstrument,
              embedding: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray, bool]:
    """Decode what ``target`` would see of each star, on the input's scale.

    Returns
    -------
    value, error : ndarray, shape ``(n, p)``
        In the target's unit, or the input's own where that has no scale. NaN for unusable stars.
    misfit : ndarray, shape ``(n,)``
        Reduced chi-square of the decode on the input's own grid.
    scaled : bool
        Whether the unit is the target's.
    """
    source = spectrum_instrument(batch.instrument)
    own_wave, wave = np.asarray(batch.coordinate), target.wavelength()
    own_unit, unit = in_f_lambda(source.unit, own_wave), in_f_lambda(target.unit, wave)
    own, own_error = model.core.decode(np.nan_to_num(embedding), own_wave, batch.instrument, source=batch.instrument)
    if own_unit is not None:
        own, own_error = own / own_unit, own_error / own_unit
    factor, factor_error = scaling.amplitude(batch.value, batch.error, batch.mask, own, own_error)
    factor = np.where(np.isfinite(embedding).all(axis=1), factor, np.nan)[:, None]
    misfit = scaling.reduced_chi2(batch.value, batch.error, batch.mask, factor * own, floor=0.0)
    value, error = model.core.decode(np.nan_to_num(embedding), wave, target.name, source=batch.instrument)
    scaled = (own_unit is None) == (unit is None)
    if own_unit is not None:  # the answer is in the target's unit, or in the source's own where the target has none
        out = in_f_lambda(source.unit, wave) if unit is None else unit
        value, error = value / out, error / out
    return factor * value, np.hypot(factor * error, factor_error[:, None] * value), misfit, scaled


def decoded_at(model: Model, target: SpectrumInstrument) -> np.ndarray:
    """Give the wavelengths at which spectra of ``target`` are decoded: its own, or the model's where it normalises."""
    return model.aligner.pixels(target.name) if target.name in model.aligner.normalised else target.wavelength()


def decode_normalised(model: Model, batch: Batch, target: SpectrumInstrument,
                      embedding: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Decode what ``target`` would see in the model's own normalisation; value and error, NaN for unusable stars."""
    import torch

    known = np.isfinite(embedding).all(axis=1)[:, None]
    value, error = model.core.decode(np.nan_to_num(embedding), decoded_at(model, target), target.name,
                                     source=batch.instrument)
    if target.name == batch.instrument and target.name in model.aligner.standardised:
        with torch.no_grad():
            seen = model.encoder.see(batch.tensors()).numpy()
        spread = seen.std(axis=1, ddof=1, keepdims=True)
        value, error = value * spread + seen.mean(axis=1, keepdims=True), error * spread
    return np.where(known, value, np.nan), np.where(known, error, np.nan)


def translate(model: Model, data: Any, to: str) -> list[Spectrum]:
    """Translate every star of ``data``; see `Model.translate`."""
    target = spectrum_instrument(to)
    return _in_order(target, data, lambda batch: list(_translated(model, batch, target)), decoded_at(model, target))


def reconstruct(model: Model, data: Any) -> list[Spectrum]:
    """Reconstruct every star of ``data``; see `Model.reconstruct`."""
    return _in_order(None, data, lambda batch: list(_reconstructed(model, batch)))


def translated_values(model: Model, batch: Batch, target: SpectrumInstrument) -> dict[str, Any]:
    """Give the columns of a table of translated spectra, ``flux error mask`` beside those every star has; and their unit."""
    embedding = model.core.embed(batch)
    star, source = star_values(batch), spectrum_instrument(batch.instrument)
    to = model.aligner.normalised.get(target.name)
    if to is not None:
        value, error = decode_normalised(model, batch, target, embedding)
        bad, unit, scale = ~np.isfinite(value), u.dimensionless_unscaled, f"relative to {to}"
        misfit = np.full(len(batch), np.nan)
    else:
        value, error, misfit, scaled = decode_to(model, batch, target, embedding)
        bad = ~(np.isfinite(value) & np.isfinite(error))
        unit, scale = (target.unit, source.calibration) if scaled else (source.unit, "relative")
    return {**star, "flux": np.where(bad, np.nan, value), "error": np.where(bad, np.nan, error), "mask": bad,
            "flags": model.core.flags(batch, star, embedding), "reduced_chi2": misfit, "unit": unit,
            "calibration": np.full(len(batch), scale)}


def _translated(model: Model, batch: Batch, target: SpectrumInstrument) -> Iterator[Spectrum]:
    values = translated_values(model, batch, target)
    for row in range(len(batch)):
        meta = {**batch.sample(row).meta, "instrument": target.name, "translated_from": batch.instrument,
                "calibration": str(values["calibration"][row]), "flags": str(values["flags"][row]),
                "reduced_chi2": float(values["reduced_chi2"][row]), **model.provenance()}
        yield _spectrum(decoded_at(model, target), values["flux"][row], values["error"][row], values["unit"], meta)


def _reconstructed(model: Model, batch: Batch) -> Iterator[Spectrum]:
    source = spectrum_instrument(batch.instrument)
    wave = np.asarray(batch.coordinate)
    values = translated_values(model, batch, _own_grid(source, wave))
    filled, at = np.asarray(batch.mask, bool).sum(axis=1), decoded_at(model, source)
    for row in range(len(batch)):
        meta = {**batch.sample(row).meta, "instrument": source.name, "calibration": str(values["calibration"][row]),
                "n_filled": int(filled[row]), "flags": str(values["flags"][row]),
                "reduced_chi2": float(values["reduced_chi2"][row]), **model.provenance()}
        yield _spectrum(at, values["flux"][row], values["error"][row], values["unit"], meta)


def _own_grid(source: SpectrumInstrument, wave: np.ndarray) -> SpectrumInstrument:
    if not np.array_equal(source.wavelength(), wave):
        raise DataError(f"the batch is not on the grid of {source.name!r}: sample it through the instrument first")
    return source


def _spectrum(wave: np.ndarray, value: np.ndarray, error: np.ndarray, unit: u.UnitBase,
              meta: dict[str, Any]) -> Spectrum:
    from ..compat import Spectrum

    known = np.isfinite(error) if np.isfinite(error).any() or not np.isfinite(value).any() else None
    return Spectrum(spectral_axis=wave * u.AA, flux=np.array(value, float) * unit,
                    uncertainty=None if known is None else StdDevUncertainty(np.array(error, float), unit=unit),
                    mask=~np.isfinite(value) if known is None else ~(np.isfinite(value) & known),
                    meta={**meta, "medium": "vacuum"})


def _in_order(target: SpectrumInstrument | None, data: Any, work: Any, wave: np.ndarray | None = None) -> list[Spectrum]:
    found: dict[int, Spectrum] = {}
    for piece, spectra in inputs.work(data, work):
        found.update(zip(piece.rows.tolist(), spectra, strict=True))
        for row, one in piece.failed.items():
            if target is None:
                raise DataError(f"{one.file or f'star {row}'} cannot be reconstructed: {one.message}")
            nothing = np.full(len(wave), np.nan)
            found[row] = _spectrum(wave, nothing, nothing, target.unit,
                                   {"id": one.id, "file": one.file, "instrument": target.name, "flags": NOT_READ,
                                    "error": one.message, "calibration": "relative"})
    return [found[row] for row in sorted(found)]
