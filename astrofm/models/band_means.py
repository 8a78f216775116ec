"""Spectra as quantities: mean fluxes in bands, taken from spectra and put together to spectra again."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from astropy import units as u
from astropy.nddata import StdDevUncertainty

from ..data import band_means
from ..errors import DataError
from . import inputs
from .answers import star_values
from .spectra import spectrum_instrument

if TYPE_CHECKING:
    from ..compat import SpectrumList

#: part of a spectrum's bands outside their ranges above which the spectrum is
OUTSIDE = 0.1


@dataclass(frozen=True, eq=False)
class Measured:
    """The quantities that stand for the spectra of an instrument.

    Parameters
    ----------
    instrument : str
    names : tuple of str
        Of the quantities, by wavelength.
    bands : ndarray, shape ``(b, 2)``
        Ends of each band (vacuum Angstrom).
    reference : tuple of float or None
        Ends of the band whose mean is the unit of the others.
    """

    instrument: str
    names: tuple[str, ...]
    bands: np.ndarray
    reference: tuple[float, float] | None

    @property
    def stem(self) -> str:
        """What the names have in common, such as ``"xp"`` for ``xp0`` to ``xp37``."""
        return re.sub(r"\d+$", "", self.names[0])

    def take(self, data: Any) -> tuple[np.ndarray, np.ndarray, list[str]]:
        """Measure spectra of the instrument, however they come.

        Returns
        -------
        value : ndarray, shape ``(n, b)``
            NaN where a band has no data.
        scale : ndarray, shape ``(n,)``
            What 1 is, in the instrument's unit.
        ids : list of str

        Raises
        ------
        DataError
            A star is none of this instrument's, or a file can't be read.
        """
        pieces = list(inputs.gather(data))
        n = sum(map(len, pieces))
        value, scale, ids = np.full((n, len(self.names)), np.nan), np.full(n, np.nan), np.full(n, "", dtype=object)
        for piece in pieces:
            for row, one in piece.failed.items():
                raise DataError(f"star {row}{f' ({one.file})' * bool(one.file)}: {one.message}")
            batch = piece.batch
            if batch is None:
                continue
            if batch.instrument != self.instrument:
                raise DataError(f"star {piece.rows[0]} was seen by {batch.instrument!r}, and {self.stem!r} stands for "
                                f"spectra of {self.instrument!r}: leave it out, or give its labels")
            value[piece.rows], _, scale[piece.rows] = band_means(
                np.asarray(batch.coordinate), batch.value, batch.error, batch.mask, self.bands, reference=self.reference)
            ids[piece.rows] = star_values(batch)["id"]
        return value, scale, ids.tolist()

    def spectra(self, value: np.ndarray, error: np.ndarray, scale: np.ndarray | None, ids: Sequence[str],
                flags: Sequence[str], meta: Mapping[str, Any]) -> SpectrumList:
        """Make spectra of answers ``(n, b)``: mean flux in each band, at its middle.

        Parameters
        ----------
        value, error : ndarray, shape ``(n, b)``
        scale : ndarray, shape ``(n,)``, or None
            What 1 is, in the instrument's unit; without it fluxes have no unit.
        ids, flags : sequence of str
        meta : mapping
            What all spectra have in their ``meta``.
        """
        from ..compat import Spectrum, SpectrumList

        unit, middle = self.unit(scale), self.bands.mean(axis=1) * u.AA
        if scale is not None:
            value, error = value * scale[:, None], error * scale[:, None]
        return SpectrumList([
            Spectrum(spectral_axis=middle, flux=flux * unit, mask=~np.isfinite(flux),
                     uncertainty=StdDevUncertainty(spread, unit=unit), meta={**meta, "id": name, "flags": flag})
            for flux, spread, name, flag in zip(value, error, ids, flags, strict=True)])

    def unit(self, scale: np.ndarray | None) -> u.UnitBase:
        """Give the unit of spectra that come out."""
        return u.dimensionless_unscaled if scale is None else spectrum_instrument(self.instrument).unit

    def merge(self, flags: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Make one flag for the spectrum of those for its bands."""
        own = [f"outside-range:{name}" for name in self.names]
        if not any(flag in flags for flag in own):
            return dict(flags)
        some = next(flags[flag] for flag in own if flag in flags)
        count = sum((flags.get(flag, np.zeros_like(some)).astype(int) for flag in own), np.zeros(len(some), int))
        others = {name: rows for name, rows in flags.items() if name not in own}
        return {**others, f"outside-range:{self.instrument}": count > OUTSIDE * len(own)}


def measured(quantities: Mapping[str, Mapping[str, Any]]) -> dict[str, Measured]:
    """List the spectra among a model's quantities, by instrument and by what their names have in common."""
    names: dict[str, list[str]] = {}
    for name, one in quantities.items():
        if one.get("spectrum"):
            names.setdefault(one["spectrum"], []).append(name)
    found = {}
    for instrument, own in names.items():
        bands = np.array([quantities[name]["band"] for name in own], float)
        order = np.argsort(bands.mean(axis=1))
        reference = quantities[own[0]].get("reference")
        one = Measured(instrument, tuple(own[k] for k in order), bands[order], tuple(reference) if reference else None)
        found[instrument] = found[one.stem] = one
    return found


def holds_spectra(value: Any) -> bool:
    """Say whether what is given under a name are stars or files, and not numbers."""
    if isinstance(value, (u.Quantity, np.ndarray, int, float, np.generic)) or value is None:
        return False
    if isinstance(value, Sequence) and not isinstance(value, str) and len(value):
        return holds_spectra(value[0])
    return not isinstance(value, Sequence) or isinstance(value, str)
