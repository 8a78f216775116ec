"""The instrument ``sdss-optical``."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from astropy import units as u
from astropy.nddata import InverseVariance

from astrofm.compat import Spectrum
from astrofm.data import Batch, LineSpread
from astrofm.data.ahead import read_ahead
from astrofm.data.fitsfile import BLOCK, read_bytes
from astrofm.data.linespread import FWHM
from astrofm.errors import ReadError
from astrofm.interfaces import SpectrumInstrument

from .spec import PIXELS, STEP, TELESCOPES, Star, grid, layout, parse
from .units import FLUX

#: the headers that tell a file stand within so many bytes
HEADERS = 40 * BLOCK
#: pixels of the grid in which resolving powers are taken: 4500-5500 Angstrom, and 7000-8500
WINDOWS = {"resolution_b": slice(1132, 2004), "resolution_r": slice(3051, 3895)}
#: width of a pixel over its wavelength
PIXEL = STEP * np.log(10)
#: standard deviation (pixels) at wavelengths (Angstrom): means of one BOSS and three SDSS spectra, each spectrograph
#: counted once; the two differ by up to a third
WIDTHS = ((3600, 1.50), (4100, 1.50), (4650, 1.34), (5300, 1.09), (5950, 1.00), (6600, 0.93), (7400, 0.84), (8200, 0.82),
          (9200, 0.86), (10300, 0.85))


class SdssOptical(SpectrumInstrument):
    """SDSS optical spectra: SDSS-I and -II, SEGUE, BOSS, eBOSS and SDSS-V.

    Notes
    -----
    3600-10400 Angstrom (SDSS-I and -II: 3800-9200) in vacuum, heliocentric, in steps of 1e-4 in log10 wavelength, at a
    resolving power from 1200 in the blue to 2300 in the red (Smee et al. 2013, AJ 146, 32). Fluxes are calibrated on standard
    stars of the same plate to the magnitudes of point sources, in 1e-17 erg s-1 cm-2 Angstrom-1.
    """

    name = "sdss-optical"
    grid = grid() * u.AA
    unit = FLUX
    calibration = "absolute"
    line_spread = LineSpread.sampled([wave for wave, _ in WIDTHS], [wave * PIXEL * FWHM * width for wave, width in WIDTHS])
    example_header = {"TELESCOP": "SDSS 2.5-M", "VERS2D": "v5_13_2", "PLATEID": 1, "FIBERID": 1, "VACUUM": True}

    def matches(self, data: Any) -> bool:
        """Say whether a spectrum carries the primary header of an SDSS optical file."""
        header = data.meta.get("header")
        if not hasattr(header, "get") or not str(header.get("TELESCOP", "")).strip().upper().startswith(TELESCOPES):
            return False
        return "VERS2D" in header and any(key in header for key in ("PLATEID", "FIELDID", "FIBERID"))

    def claims_file(self, path: Path) -> bool:
        """Say from its headers whether a file is an SDSS optical spectrum of any phase."""
        try:
            return bool(layout(path, read_bytes(path, limit=HEADERS)))
        except ReadError:
            return False

    def read(self, path: Path) -> list[Spectrum]:
        """Read the spectrum of a file, or of Astra's files all their BOSS spectra.

        Returns
        -------
        list of Spectrum
            On the file's own pixels; ``meta`` has the survey's identifiers, place, class and redshift, the whole
            ``header``, and ``"dispersion"``, the standard deviation of the line-spread function (Angstrom) on each pixel.

        Raises
        ------
        ReadError
            If the file is damaged or no SDSS optical spectrum; see `astrofm_desi.spec`.
        """
        path, spectra = Path(path), []
        for star in parse(path):
            flux, ivar, bad = star.pixels()
            wave = grid(star.offset, len(flux))
            widths = np.full(len(flux), np.nan) if star.widths is None else star.widths.astype(np.float64)
            with np.errstate(invalid="ignore"):
                dispersion = np.where(widths > 0, widths * wave * PIXEL, np.nan).astype(np.float32)
            meta = {**_describe(star), "instrument": self.name, "calibration": self.calibration, "medium": "vacuum",
                    "file": str(path), "header": star.header.plain(), "dispersion": dispersion}
            spectra.append(Spectrum(spectral_axis=wave * u.AA, flux=flux * self.unit, mask=bad, meta=meta,
                                    uncertainty=InverseVariance(ivar, unit=self.unit**-2)))
        return spectra

    def read_batches(self, paths: Sequence[Path], *, size: int = 256,
                     on_error: Callable[[Path, Exception], None] | None = None) -> Iterator[Batch]:
        """Read files straight into batches on the grid.

        See `astrofm.interfaces.Instrument.read_batches`; values agree with `read` and `sample`.
        """
        rows: list[dict[str, Any]] = []
        for path, star in _stars(paths, on_error):
            if not rows:
                value, error = np.zeros((size, PIXELS), np.float32), np.zeros((size, PIXELS), np.float32)
                mask = np.ones((size, PIXELS), bool)
            k = len(rows)
            bad = _fill(star, value[k], error[k], mask[k])
            rows.append({**_describe(star), "n_bad": bad, "resampled": False, "file": str(path)})
            if len(rows) == size:
                yield self._batch(value, error, mask, rows)
                rows = []
        if rows:
            yield self._batch(value[:len(rows)], error[:len(rows)], mask[:len(rows)], rows)

    def _batch(self, value: np.ndarray, error: np.ndarray, mask: np.ndarray, rows: list[dict[str, Any]]) -> Batch:
        meta = {key: [row[key] for row in rows] for key in rows[0]}
        return Batch(self.name, self.wavelength(), value, error, mask, meta=meta)


def _stars(paths: Sequence[Path], on_error: Callable[[Path, Exception], None] | None) -> Iterator[tuple[Path, Star]]:
    for path, data in read_ahead(paths):
        try:
            if isinstance(data, ReadError):
                raise data
            stars = parse(path, data)
        except ReadError as why:
            if on_error is None:
                raise
            on_error(path, why)
            continue
        for star in stars:
            yield path, star


def _inside(star: Star) -> tuple[slice, slice]:
    """Give the pixels of the grid that a star reaches, and those of the star that lie on the grid."""
    low, high = max(star.offset, 0), min(star.offset + len(star.flux), PIXELS)
    return slice(low, high), slice(low - star.offset, high - star.offset)


def _fill(star: Star, value: np.ndarray, error: np.ndarray, mask: np.ndarray) -> int:
    """Write one star onto the grid, all of it masked so far; return how many of its own pixels are bad."""
    flux, ivar, bad = star.pixels()
    place, taken = _inside(star)
    with np.errstate(divide="ignore", over="ignore"):
        flux, spread = flux.astype(np.float32), (1.0 / np.sqrt(ivar)).astype(np.float32)
    unfit = bad | ~np.isfinite(flux) | ~np.isfinite(spread) | ~(spread > 0)
    flux[unfit], spread[unfit] = 0, 0
    value[place], error[place], mask[place] = flux[taken], spread[taken], unfit[taken]
    return int(np.count_nonzero(bad))


def _describe(star: Star) -> dict[str, Any]:
    """Give the plain part of ``meta``: what the survey says, resolving powers, and pixels that lie off the grid."""
    place, _ = _inside(star)
    about = {**star.about, "n_outside": len(star.flux) - (place.stop - place.start)}
    for key, window in WINDOWS.items():
        near = slice(max(window.start - star.offset, 0), max(window.stop - star.offset, 0))
        widths = np.zeros(0) if star.widths is None else star.widths[near].astype(np.float64)
        widths = widths[widths > 0]
        about[key] = float(1 / (FWHM * PIXEL * np.median(widths))) if len(widths) else np.nan
    return about
