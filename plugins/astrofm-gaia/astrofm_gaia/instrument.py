"""The Gaia XP instrument: the archive's grid, units and line-spread function, and its files."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from astropy import units as u
from astropy.nddata import StdDevUncertainty

from astrofm.compat import Spectrum
from astrofm.data import Batch
from astrofm.errors import DataError, ReadError
from astrofm.interfaces import SpectrumInstrument

from .coefficients import XPCoefficients, as_source_id, check_columns, fill
from .linespread import xp_line_spread
from .products import N_PIXELS, identify, read_table

#: the archive's sampling of mean spectra: 343 vacuum wavelengths in nm (Gaia DR3, xp_sampled_mean_spectrum)
ARCHIVE_GRID = np.arange(336.0, 1021.0, 2.0)


class GaiaXP(SpectrumInstrument):
    """Externally calibrated Gaia BP/RP spectra on the archive's grid: 336 to 1020 nm in 2 nm, W m-2 nm-1.

    Files with continuous spectra (coefficients, errors, correlations) are calibrated; files with sampled
    spectra are taken as they are. CSV, ECSV, FITS, VOTable and Parquet, plain or gzip, any number of
    sources a file; told by their column names, never by their suffix.

    Notes
    -----
    De Angeli et al. 2023, 2023A&A...674A...2D; Montegriffo et al. 2023, 2023A&A...674A...3M.
    """

    name = "gaia-xp"
    grid = ARCHIVE_GRID * u.nm
    medium = "vacuum"
    unit = u.Unit("W m-2 nm-1")
    calibration = "absolute"
    line_spread = xp_line_spread()
    example_header = {"INSTRUME": "Gaia XP"}

    def matches(self, data: Any) -> bool:
        """Say whether an object's header names this instrument."""
        header = data.meta.get("header")
        return isinstance(header, Mapping) and header.get("INSTRUME") == "Gaia XP"

    def claims_file(self, path: Path) -> bool:
        """Say from the column names whether a file holds continuous or sampled XP spectra; never raises."""
        return Path(path).is_file() and bool(identify(Path(path)))

    def read(self, path: Path) -> list[Spectrum]:
        """Read every source of a file.

        Returns
        -------
        list of Spectrum
            In the file's order, duplicates kept. ``meta`` has ``id`` (source id as str), ``source_id`` (int),
            ``missing``, and ``ra``, ``dec`` (degrees) where the file has them. Spectra from continuous
            files carry their one-row `XPCoefficients` in ``meta["coefficients"]``, for
            `~astrofm_gaia.calibration.covariance`.

        Raises
        ------
        ReadError
            No XP product, empty, truncated or damaged, or values that cannot be: the message says which.
        """
        spectra = []
        for batch, coefficients in self._blocks(Path(path), 512):
            for row, spectrum in enumerate(self.rebuild(batch)):
                if coefficients is not None:
                    spectrum.meta["coefficients"] = coefficients[np.array([row])]
                spectra.append(spectrum)
        return spectra

    def read_batches(self, paths: Sequence[Path], *, size: int = 256,
                     on_error: Callable[[Path, Exception], None] | None = None) -> Iterator[Batch]:
        """Read files straight into batches of ``size`` sources, in order, a block of rows at a time.

        Parameters
        ----------
        paths : sequence of Path
        size : int
            Stars a batch; the last one may be smaller.
        on_error : callable, optional
            Called with the path and the error of each file that cannot be read; without it the error is
            raised. Of a file that breaks off halfway, the blocks before the damage are handed out: the error
            says beyond which row there is nothing.

        Yields
        ------
        Batch
            With the file of each star in ``meta["file"]``.
        """
        waiting: list[Batch] = []
        for path in paths:
            try:
                for batch, _ in self._blocks(Path(path), max(size, 64)):
                    waiting.append(replace(batch, meta={**batch.meta, "file": [str(path)] * len(batch)}))
                    while sum(map(len, waiting)) >= size:
                        joined = _join(waiting)
                        yield joined[:size]
                        waiting = [joined[size:]] if len(joined) > size else []
            except (DataError, ReadError) as error:
                if on_error is None:
                    raise
                on_error(Path(path), error)
        if waiting:
            yield _join(waiting)

    def example(self, seed: int = 0) -> Spectrum:
        """Make a smooth spectrum with a few lines and noise, as bright as a star of tenth magnitude."""
        spectrum = super().example(seed)
        error = StdDevUncertainty(spectrum.uncertainty.array * 2e-15, unit=self.unit)
        return Spectrum(spectral_axis=spectrum.spectral_axis, flux=spectrum.flux * 2e-15, uncertainty=error,
                        meta=spectrum.meta)

    def _blocks(self, path: Path, rows: int) -> Iterator[tuple[Batch, XPCoefficients | None]]:
        product, tables = read_table(path, rows=rows)
        from .calibration import calibrate

        done = 0
        for table in tables:
            try:
                coefficients = XPCoefficients.from_table(table) if product == "continuous" else None
                batch = self._sampled(table) if coefficients is None else calibrate(coefficients)
            except DataError as error:
                raise ReadError(f"cannot read {path}, in the rows from {done}: {error}") from error
            done += len(batch)
            yield replace(batch, meta={**batch.meta, "n_bad": batch.mask.sum(axis=1).tolist()}), coefficients

    def _sampled(self, table: Mapping[str, Any]) -> Batch:
        check_columns(list(table), ("source_id", "flux", "flux_error"))
        source_id = as_source_id(table["source_id"])
        value, error = np.full((2, len(source_id), N_PIXELS), np.nan)
        for target, name in ((value, "flux"), (error, "flux_error")):
            fill(target, table[name], name, source_id)
        meta = {"id": [str(item) for item in source_id.tolist()], "source_id": source_id.tolist()}
        meta |= {name: list(table[name]) for name in ("ra", "dec", "phot_g_mean_mag") if name in table}
        return self.batch(value, error, np.isnan(value), meta)


def _join(batches: Sequence[Batch]) -> Batch:
    """Join batches of this instrument; a column that some lack is None there."""
    if len(batches) == 1:
        return batches[0]
    keys = list(dict.fromkeys(key for batch in batches for key in batch.meta))
    meta = {key: [item for batch in batches for item in batch.meta.get(key, [None] * len(batch))]
            for key in keys}
    value, error, mask = (np.concatenate([getattr(batch, name) for batch in batches])
                          for name in ("value", "error", "mask"))
    return replace(batches[0], value=value, error=error, mask=mask, meta=meta)
