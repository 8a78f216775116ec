"""The instrument ``apogee``."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from astropy import units as u
from astropy.nddata import StdDevUncertainty

from astrofm.compat import Spectrum
from astrofm.data import Batch, LineSpread, Sample, collate
from astrofm.data.ahead import read_ahead
from astrofm.data.fitsfile import headers, read_bytes
from astrofm.errors import DataError, ReadError
from astrofm.interfaces import SpectrumInstrument
from astrofm.interfaces.instrument import F_LAMBDA
from astrofm.interfaces.sampling import put_on_grid

from .bits import bad_pixels
from .grid import GRID, PIXELS, pixels_of
from .layouts import HOPELESS, HOPELESS_ASPCAP, Contents, chip_ends, parse, parse_visits
from .products import check_lattice, is_apogee, is_aspcap, is_catalogue
from .tables import is_apogee_table

#: unit of the fluxes that are not over the continuum
FLUX_UNIT = u.Unit("1e-17 erg s-1 cm-2 AA-1")
SCALE = float((1 * FLUX_UNIT).to_value(F_LAMBDA))
#: the headers of the primary HDU and of the first extension end within so many bytes
HEADERS = 64 * 2880


class Apogee(SpectrumInstrument):
    """APOGEE spectra of SDSS-III to SDSS-V: visits, combined stars, and spectra that ASPCAP normalised.

    Notes
    -----
    8575 pixels, evenly spaced in log wavelength, 15,101-17,000 Angstrom in vacuum, resolving power about 22,500 (Majewski et
    al. 2017, 2017AJ....154...94M; Nidever et al. 2015, 2015AJ....150..173N). Combined spectra are in the star's rest frame;
    those of apVisit files are as observed. The level of a spectrum is set by the H magnitude of 2MASS, its shape by
    standards: `calibration` is relative, and samples are without unit. Spectra over the continuum say so in
    ``meta["normalised"]``.
    """

    name = "apogee"
    grid = GRID * u.AA
    unit = u.dimensionless_unscaled
    calibration = "relative"
    line_spread = LineSpread.constant(22500)
    from_arrays = "astrofm_apogee.grid.expand"
    example_header = {"TELESCOP": "apo25m", "SURVEY": "apogee", "OBJID": "2M00000000+0000000", "FIELD": "EXAMPLE"}
    #: pixels that no chip sees in a star at rest; shape ``(8575,)``, True = never any data
    gaps = np.isin(np.arange(PIXELS), pixels_of(7514), invert=True)

    def claims(self, data: Any) -> bool:
        """Say whether ``data`` is an APOGEE spectrum; specutils' reader of SDSS-V calls the instrument "APOGEE"."""
        meta = getattr(data, "meta", None)
        theirs = isinstance(meta, dict) and meta.get("instrument") == "APOGEE" and "header" in meta
        return theirs or super().claims(data)

    def matches(self, data: Any) -> bool:
        """Say whether a spectrum carries the primary header of an APOGEE file."""
        header = data.meta.get("header")
        if not hasattr(header, "get"):
            return False
        return is_apogee(header) or is_aspcap(header)

    def claims_file(self, path: Path) -> bool:
        """Say whether a file is APOGEE's, by its headers; catalogues are claimed, and refused in `read`."""
        try:
            data = read_bytes(path, limit=HEADERS)
            found = headers(path, data, most=2)
            if "V_ASTRA" in found[0] and "SDSS_ID" in found[0]:
                whole = read_bytes(path)
                return any(is_apogee_table(header) for header in headers(path, whole)[1:])
            if len(found) < 2 or is_apogee(found[0]) or is_catalogue(found[1]):
                return len(found) == 2
            if found[1].get("XTENSION") != "IMAGE" or not (is_aspcap(found[0]) or found[1].get("NAXIS1") == PIXELS):
                return False
            if is_aspcap(found[0]):
                return True
            check_lattice(path, found[1].get("CRVAL1"), found[1].get("CDELT1"), found[1].get("CRPIX1", 1))
            return True
        except ReadError:
            return False

    def read(self, path: Path) -> list[Spectrum]:
        """Read a file of any product.

        Returns
        -------
        list of Spectrum
            One, but for SDSS-V's files, which hold one for each observatory or visit. Flux in 1e-17 erg / (s cm2
            Angstrom), or without unit where it is over the continuum; standard deviation, mask; ``meta`` has what the
            survey says of the star, ``product``, ``frame``, ``normalised``, ASPCAP's best fit as ``model``, and the whole
            ``header``.

        Raises
        ------
        ReadError
            If the file is damaged, or no APOGEE spectrum; see `astrofm_apogee.layouts`.
        """
        path = Path(path)
        return [self._spectrum(path, contents) for contents in parse(path)]

    def read_visits(self, path: Path) -> list[Spectrum]:
        """Read the visits of an apStar file, each on the same pixels and at rest; as `read` does, with ``meta["visit"]``.

        Visits without a good pixel are there, fully masked.
        """
        path = Path(path)
        return [self._spectrum(path, contents) for contents in parse_visits(path)]

    def sample(self, data: Spectrum) -> Sample:
        """Check a spectrum and put it on the grid; see `astrofm.interfaces.SpectrumInstrument.sample`.

        A spectrum with a header and without any mask, as specutils reads apVisit, apStar and aspcapStar files, has pixels
        without data masked first, by the same rules as in `read`; it knows no flags.
        """
        unmasked = getattr(data, "mask", True) is None and "header" in data.meta
        if unmasked and getattr(data.uncertainty, "uncertainty_type", "") == "std":
            data = _masked(data)
        return super().sample(data)

    def read_batches(self, paths: Sequence[Path], *, size: int = 256,
                     on_error: Callable[[Path, Exception], None] | None = None) -> Iterator[Batch]:
        """Read files straight into batches on the grid.

        See `astrofm.interfaces.Instrument.read_batches`; values agree with `read` and `sample` to the bit.
        """
        wave, waiting = self.wavelength(), []
        for path, data in read_ahead(paths):
            try:
                if isinstance(data, ReadError):
                    raise data
                waiting += [self._sample(path, contents, wave) for contents in parse(path, data)]
            except (ReadError, DataError) as why:
                if on_error is None:
                    raise
                on_error(path, why)
            while len(waiting) >= size:
                yield collate(waiting[:size])
                del waiting[:size]
        if waiting:
            yield collate(waiting)

    def _spectrum(self, path: Path, contents: Contents) -> Spectrum:
        unit = u.dimensionless_unscaled if contents.normalised else FLUX_UNIT
        meta = {**_describe(path, contents), "instrument": self.name, "header": contents.header.plain()}
        if contents.model is not None:
            meta["model"] = contents.model.astype(np.float32)
        return Spectrum(
            spectral_axis=self.grid if contents.wave is None else contents.wave * u.AA,
            flux=contents.flux.astype(np.float64) * unit, mask=contents.bad, meta=meta,
            uncertainty=StdDevUncertainty(contents.error.astype(np.float64) * unit))

    def _sample(self, path: Path, contents: Contents, wave: np.ndarray) -> Sample:
        scale = 1.0 if contents.normalised else SCALE
        bad = contents.bad
        value = np.where(bad, 0.0, contents.flux.astype(np.float64) * scale)
        error = np.where(bad, 0.0, contents.error.astype(np.float64) * scale)
        count = int(np.count_nonzero(bad))
        if contents.wave is None:
            value, error = value.astype(np.float32), error.astype(np.float32)
            bad = bad | ~np.isfinite(value) | ~np.isfinite(error) | ~(error > 0)
            value[bad], error[bad] = 0, 0
        else:
            value, error, bad, _ = put_on_grid(contents.wave, value, error, bad, self)
        meta = {**_describe(path, contents), "n_bad": count, "resampled": contents.wave is not None}
        return Sample(self.name, wave, value, error, bad, meta=meta)


def _masked(data: Spectrum) -> Spectrum:
    """Mask what has no data; "arbitrary units", the word of specutils' reader of aspcapStar files, is no unit."""
    value, error = np.asarray(data.flux.value), np.asarray(data.uncertainty.array)
    normalised = str(data.flux.unit) == "arbitrary units"
    if value.ndim != 1:
        return data
    bad = bad_pixels(value, error, None, HOPELESS_ASPCAP if normalised else HOPELESS)
    bad[chip_ends(np.asarray(data.spectral_axis.value))] = True
    flux, spread, meta = data.flux, data.uncertainty, data.meta
    if normalised:
        flux, spread, meta = value * u.dimensionless_unscaled, StdDevUncertainty(error), {**meta, "normalised": True}
    return Spectrum(spectral_axis=data.spectral_axis, flux=flux, uncertainty=spread, mask=bad, meta=meta)


def _describe(path: Path, contents: Contents) -> dict[str, Any]:
    return {**contents.about, "product": contents.product, "frame": "rest" if contents.wave is None else "observed",
            "normalised": contents.normalised, "calibration": "relative", "medium": "vacuum", "file": str(path)}
