"""The instrument ``desi``."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from astropy import units as u
from astropy.nddata import InverseVariance

from astrofm.compat import Spectrum
from astrofm.data import Batch, LineSpread
from astrofm.errors import ReadError
from astrofm.interfaces import SpectrumInstrument

from .arms import GRID, PIXELS, Contents, parse
from .files import forget, is_desi, mapped
from .join import dispersion, join, missing_arms, resolutions
from .units import FLUX

#: rows joined at a time, so that they stay in the processor's cache
BLOCK = 32
#: what the header says of how spectra are grouped, in files of this survey only
GROUPS = frozenset({"healpix", "tile", "cumulative", "pernight", "perexp", "1x_depth", "4x_depth", "lowspeed"})
#: FWHM (Angstrom) at wavelengths (Angstrom): medians over six fibres of two real files, second moments of the columns of
#: their resolution matrices, without the width of the pixel
WIDTHS = ((3650, 1.529), (4000, 1.549), (4500, 1.579), (5000, 1.596), (5500, 1.602), (5750, 1.602), (5850, 1.497),
          (6200, 1.498), (6700, 1.498), (7100, 1.486), (7500, 1.473), (7650, 1.720), (8000, 1.731), (8700, 1.730),
          (9200, 1.758), (9500, 1.813), (9800, 1.900))


class Desi(SpectrumInstrument):
    """DESI spectra: coadds and single exposures, the arms b, r and z joined.

    Notes
    -----
    3600-9824 Angstrom in vacuum, corrected for the motion of the Earth, in steps of 0.8, at a resolving power that rises
    from 2400 to 5200 (DESI Collaboration 2022, AJ 164, 207; Guy et al. 2023, AJ 165, 144). Fluxes are those of a point
    source at the fibre's place, calibrated on standard stars: 1e-17 erg s-1 cm-2 Angstrom-1.

    `read` keeps in ``meta`` the width of the line-spread function of the star's own fibre: ``"dispersion"``, its standard
    deviation (Angstrom) on each pixel, and ``"resolution"``, the diagonals of the resolution matrix by arm, as in the
    file. `read_batches` keeps ``resolution_b``, ``resolution_r`` and ``resolution_z``, the resolving power in the middle of
    each arm.
    """

    name = "desi"
    grid = GRID * u.AA
    unit = FLUX
    calibration = "absolute"
    line_spread = LineSpread.sampled(*np.array(WIDTHS).T)
    example_header = {"SPGRP": "healpix", "SPGRPVAL": 0, "SURVEY": "main", "PROGRAM": "bright"}

    def matches(self, data: Any) -> bool:
        """Say whether a spectrum carries the primary header of a DESI file."""
        header = data.meta.get("header")
        return hasattr(header, "get") and str(header.get("SPGRP", "")).strip() in GROUPS and "SPGRPVAL" in header

    def claims_file(self, path: Path) -> bool:
        """Say from its HDUs whether a file holds DESI spectra: coadds or exposures, by arm or joined."""
        return is_desi(path)

    def read(self, path: Path) -> list[Spectrum]:
        """Read every row of a file: one spectrum a target (coadds) or one a target and exposure, in the file's order.

        Each keeps the diagonals of its resolution matrix, 350 kB; `read_batches` does not.

        Returns
        -------
        list of Spectrum
            On the whole grid; masked where no arm has a good pixel.

        Raises
        ------
        ReadError
            If the file is damaged, contradicts itself or is no file of DESI spectra; see `astrofm_desi.arms`.
        """
        path, spectra = Path(path), []
        with mapped(path) as data:
            contents = parse(path, data)
            for rows, about, flux, ivar in _blocks(contents):
                forget(data)
                for row in range(rows.start, rows.stop):
                    k = row - rows.start
                    meta = {**{key: column[k] for key, column in about.items()}, "instrument": self.name,
                            "calibration": self.calibration, "medium": "vacuum", "file": str(path),
                            "header": contents.header.plain(), "dispersion": dispersion(contents.arms, row),
                            "resolution": {arm.name: arm.resolution[row].astype(np.float32) for arm in contents.arms
                                           if arm.resolution is not None}}
                    spectra.append(Spectrum(spectral_axis=self.grid, flux=flux[k] * self.unit, mask=ivar[k] == 0,
                                            uncertainty=InverseVariance(ivar[k], unit=self.unit**-2), meta=meta))
        return spectra

    def read_batches(self, paths: Sequence[Path], *, size: int = 256,
                     on_error: Callable[[Path, Exception], None] | None = None) -> Iterator[Batch]:
        """Read files straight into batches on the grid, some rows at a time whatever the size of the file.

        See `astrofm.interfaces.Instrument.read_batches`; values agree with `read` and `sample`. A packed file is unpacked
        into a temporary one. Where a packed mask is damaged, the rows before that have been given when it is found.
        """
        batch = _Filling(size)
        for path in map(Path, paths):
            try:
                with mapped(path) as data:
                    contents = parse(path, data)
                    for _, about, flux, ivar in _blocks(contents):
                        forget(data)
                        about |= {"resampled": [False] * len(flux), "file": [str(path)] * len(flux)}
                        taken = 0
                        while taken < len(flux):
                            taken += batch.add(about, flux, ivar, taken)
                            if batch.full:
                                yield batch.give(self)
            except ReadError as error:
                if on_error is None:
                    raise
                on_error(path, error)
        if batch.count:
            yield batch.give(self)


class _Filling:
    """A batch that is being filled."""

    def __init__(self, size: int):
        self.size, self.count = size, 0
        self.full = False

    def add(self, about: dict[str, list], flux: np.ndarray, ivar: np.ndarray, start: int) -> int:
        """Take rows from ``start`` on, as many as there is room for, and say how many."""
        if not self.count:
            self.value, self.error = (np.empty((self.size, PIXELS), np.float32) for _ in range(2))
            self.mask = np.empty((self.size, PIXELS), bool)
            self.meta: dict[str, list] = {key: [] for key in about}
        n = min(len(flux) - start, self.size - self.count)
        here, there = slice(self.count, self.count + n), slice(start, start + n)
        value, error, mask = self.value[here], self.error[here], self.mask[here]
        spread = np.sqrt(ivar[there])
        np.divide(1.0, spread, out=spread, where=spread > 0)
        with np.errstate(over="ignore"):
            value[:], error[:] = flux[there], spread
        np.equal(error, 0, out=mask)
        infinite = ~(np.isfinite(value) & np.isfinite(error))  # too large for single precision
        if infinite.any():
            mask |= infinite
        if infinite.any() or np.any(value[mask]):
            value[mask] = error[mask] = 0
        for key, column in about.items():
            self.meta[key] += column[there]
        self.count += n
        self.full = self.count == self.size
        return n

    def give(self, instrument: Desi) -> Batch:
        """Hand the batch out and begin another."""
        n, self.count, self.full = self.count, 0, False
        return Batch(instrument.name, instrument.wavelength(), self.value[:n], self.error[:n], self.mask[:n], meta=self.meta)


def _blocks(contents: Contents) -> Iterator[tuple[slice, dict[str, list], np.ndarray, np.ndarray]]:
    """Give rows, their meta, fluxes and inverse variances, some rows at a time."""
    total = len(contents.targetid)
    for start in range(0, total, BLOCK):
        rows = slice(start, min(start + BLOCK, total))
        flux, ivar = join(contents.arms, rows)
        bad = ivar == 0
        about = {"id": contents.targetid[rows].tolist(), **{key: column[rows] for key, column in contents.about.items()},
                 "missing_arms": missing_arms(bad), **resolutions(contents.arms, rows),
                 "n_bad": bad.sum(1).tolist()}
        yield rows, about, flux, ivar
