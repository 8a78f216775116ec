"""Source spectra: stars as they are, before dust, motion and any instrument."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from astropy import units as u

from astrofm.data import LineSpread, resample, to_vacuum
from astrofm.errors import DataError

#: vacuum Angstrom, rest frame: 2990-11200 in steps of 5e-5 dex (34.5 km/s)
SOURCE_GRID = 10 ** (np.log10(2990.0) + 5e-5 * np.arange(int(np.log10(11200.0 / 2990.0) / 5e-5)))


@dataclass(frozen=True, eq=False)
class Sources:
    """``n`` stars on one grid of equal log steps, in their rest frame.

    Parameters
    ----------
    wavelength : ndarray of float64, shape ``(P,)``
        Vacuum Angstrom, in equal steps of its logarithm.
    flux : ndarray of float32, shape ``(n, P)``
        F_lambda; 0 under the mask.
    mask : ndarray of bool, shape ``(n, P)``, or None
        True where the source has no data.
    labels : mapping of str to ndarray, shape ``(n,)``
        What is known of the stars, by vocabulary name; NaN where unknown.
    id : sequence of str
    resolution : LineSpread, optional
        What the spectra are broadened by already.
    """

    wavelength: np.ndarray
    flux: np.ndarray
    mask: np.ndarray | None = None
    labels: Mapping[str, np.ndarray] = field(default_factory=dict)
    id: Sequence[str] = ()
    resolution: LineSpread | None = None

    def __post_init__(self):
        step = np.diff(np.log(self.wavelength))
        if len(step) < 2 or not np.allclose(step, step.mean(), rtol=1e-3):
            raise DataError("sources stand on equal steps of log wavelength: make them with Sources.from_arrays")
        if self.flux.ndim != 2 or self.flux.shape[1] != len(self.wavelength):
            raise DataError(f"flux has shape {self.flux.shape}, expected (n, {len(self.wavelength)})")
        if self.mask is not None and self.mask.shape != self.flux.shape:
            raise DataError(f"mask has shape {self.mask.shape}, flux has {self.flux.shape}")
        if not len(self.id):
            object.__setattr__(self, "id", [f"star-{k}" for k in range(len(self.flux))])
        for name, column in {"id": self.id, **self.labels}.items():
            if len(column) != len(self.flux):
                raise DataError(f"{name!r} has {len(column)} rows, there are {len(self.flux)} stars")

    def __len__(self) -> int:
        return len(self.flux)

    def __getitem__(self, rows: slice | np.ndarray | Sequence[int]) -> Sources:
        """Select stars; the order is kept."""
        index = np.arange(len(self))[rows]
        return replace(self, flux=self.flux[index], mask=None if self.mask is None else self.mask[index],
                       labels={name: np.asarray(column)[index] for name, column in self.labels.items()},
                       id=[self.id[k] for k in index])

    @classmethod
    def from_arrays(cls, wave: np.ndarray, flux: np.ndarray, *, medium: str = "vacuum",
                    mask: np.ndarray | None = None, labels: Mapping[str, np.ndarray] | None = None,
                    id: Sequence[str] = (), resolution: LineSpread | None = None,
                    grid: np.ndarray = SOURCE_GRID) -> Sources:
        """Make sources from arrays on any grid.

        Parameters
        ----------
        wave : ndarray, shape ``(p,)``
            Angstrom, increasing, rest frame.
        flux : ndarray, shape ``(n, p)``
            F_lambda in any unit. What is not finite is masked.
        medium : str
            ``"vacuum"`` or ``"air"``.
        mask, labels, id, resolution
            As for `Sources`.
        grid : ndarray
            Where they are put, conserving flux.
        """
        if medium not in ("vacuum", "air"):
            raise DataError(f'medium is {medium!r}: say "vacuum" or "air"')
        flux = np.atleast_2d(np.asarray(flux, np.float64))
        bad = ~np.isfinite(flux) if mask is None else ~np.isfinite(flux) | mask
        wave = to_vacuum(wave) if medium == "air" else np.asarray(wave, np.float64)
        value, _, missing = resample(wave, np.where(bad, 0, flux), np.zeros_like(flux), bad, grid)
        return cls(grid, value.astype(np.float32), missing if missing.any() else None, dict(labels or {}), list(id),
                   resolution)

    @classmethod
    def from_spectra(cls, spectra: Iterable[Any], *, resolution: LineSpread | None = None) -> Sources:
        """Make sources from specutils spectra in their rest frame; ``meta["medium"]`` must name the medium.

        Labels are the numbers of each ``meta`` that are named like labels, NaN where one lacks them.
        """
        parts, labels = [], []
        for spectrum in spectra:
            if "medium" not in spectrum.meta:
                raise DataError('a source spectrum must say its medium: set meta["medium"] to "vacuum" or "air"')
            wave = spectrum.spectral_axis.to_value(u.AA, u.spectral())
            flux = spectrum.flux
            if flux.unit.is_equivalent(u.Unit("erg s-1 cm-2 AA-1"), u.spectral_density(wave * u.AA)):
                flux = flux.to(u.Unit("erg s-1 cm-2 AA-1"), u.spectral_density(wave * u.AA))
            order = np.argsort(wave)
            mask = None if spectrum.mask is None else np.atleast_2d(spectrum.mask[order])
            parts.append(cls.from_arrays(wave[order], flux.value[order], medium=spectrum.meta["medium"], mask=mask,
                                         id=[str(spectrum.meta.get("id", ""))], resolution=resolution))
            labels.append({key: float(item) for key, item in spectrum.meta.items()
                           if isinstance(item, (int, float)) and not isinstance(item, bool)})
        together = cls.concatenate(parts)
        names = dict.fromkeys(key for one in labels for key in one)
        return replace(together, labels={key: np.array([one.get(key, np.nan) for one in labels]) for key in names})

    @classmethod
    def concatenate(cls, parts: Sequence[Sources]) -> Sources:
        """Join sources of one grid and resolution; labels that some lack become NaN there."""
        if not parts:
            raise DataError("there are no sources to join")
        first = parts[0]
        if any(not np.array_equal(p.wavelength, first.wavelength) or p.resolution != first.resolution for p in parts):
            raise DataError("only sources of one grid and one resolution can be joined")
        names = dict.fromkeys(name for part in parts for name in part.labels)
        labels = {name: np.concatenate([np.asarray(p.labels.get(name, np.full(len(p), np.nan)), float) for p in parts])
                  for name in names}
        masks = [np.zeros(p.flux.shape, bool) if p.mask is None else p.mask for p in parts]
        mask = np.concatenate(masks)
        return cls(first.wavelength, np.concatenate([p.flux for p in parts]), mask if mask.any() else None, labels,
                   [name for p in parts for name in p.id], first.resolution)
