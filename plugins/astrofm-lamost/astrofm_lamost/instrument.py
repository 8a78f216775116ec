"""The instrument ``lamost-lrs``."""

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
from astrofm.data.fitsfile import Header, read_bytes
from astrofm.errors import ReadError
from astrofm.interfaces import SpectrumInstrument

from .layouts import GRID, MEDIUM, PIXELS, Contents, parse

#: what travels of the header: our name, the survey's keywords in order of preference, and the type
KEYS = (("ra", ("RA",), float), ("dec", ("DEC",), float), ("class", ("CLASS",), str), ("subclass", ("SUBCLASS",), str),
        ("z", ("Z",), float), ("snr_u", ("SNRU", "SN_U"), float), ("snr_g", ("SNRG", "SN_G"), float),
        ("snr_r", ("SNRR", "SN_R"), float), ("snr_i", ("SNRI", "SN_I"), float), ("snr_z", ("SNRZ", "SN_Z"), float),
        ("designation", ("DESIG",), str), ("mjd", ("LMJD", "MJD"), int), ("plan", ("PLANID",), str),
        ("spectrograph", ("SPID",), int), ("fibre", ("FIBERID",), int), ("release", ("DATA_V",), str),
        ("pipeline", ("VERSPIPE",), str))
MISSING = {float: np.nan, str: "", int: -1}
#: what the survey writes where it has no number
UNKNOWN = -9999
#: a primary header ends within so many bytes
HEADER = 20 * 2880


class LamostLRS(SpectrumInstrument):
    """LAMOST low-resolution spectra of all releases.

    Notes
    -----
    3700-9100 Angstrom in vacuum, heliocentric, resolving power about 1800 (Cui et al. 2012, RAA 12, 1197). The
    fluxes are calibrated relatively: their shape means something, their level does not. They are therefore without
    unit, and ``meta["calibration"]`` is ``"relative"``.
    """

    name = "lamost-lrs"
    grid = GRID * u.AA
    unit = u.dimensionless_unscaled
    calibration = "relative"
    line_spread = LineSpread.constant(1800)
    example_header = {"TELESCOP": "LAMOST", "FILENAME": "spec-00000-EXAMPLE_sp01-001.fits", "VACUUM": True}

    def matches(self, data: Any) -> bool:
        """Say whether a spectrum carries the header of a LAMOST low-resolution file."""
        header = data.meta.get("header")
        if not hasattr(header, "get") or str(header.get("TELESCOP", "")).strip() != "LAMOST":
            return False
        extension = str(header.get("EXTNAME", ""))
        return not (str(header.get("FILENAME", "")).startswith("med-") or extension == "Information"
                    or extension.startswith(MEDIUM))

    def claims_file(self, path: Path) -> bool:
        """Say whether a file is a LAMOST spectrum, by its header; medium resolution is claimed, and refused in `read`."""
        try:
            header = Header(path, read_bytes(path, limit=HEADER), 0)
        except ReadError:
            return False
        return header.get("TELESCOP") == "LAMOST" and (header.get("NAXIS") == 2 or "EXTEND" in header)

    def read(self, path: Path) -> list[Spectrum]:
        """Read one file of any release.

        Returns
        -------
        list of one Spectrum
            Flux without unit, inverse variance, mask; ``meta`` has the survey's id, coordinates, class, S/N
            and the whole ``header``.

        Raises
        ------
        ReadError
            If the file is damaged, or no low-resolution spectrum; see `astrofm_lamost.layouts`.
        """
        path = Path(path)
        contents = parse(path)
        end = contents.offset + len(contents.flux)
        with np.errstate(invalid="ignore"):
            flux, ivar, bad = contents.flux.astype(np.float64), contents.ivar.astype(np.float64), _bad(contents)
        meta = {**_describe(path, contents), "instrument": self.name, "calibration": self.calibration,
                "medium": "vacuum", "file": str(path), "header": contents.header.plain()}
        return [Spectrum(
            spectral_axis=self.grid[contents.offset: end], flux=flux * self.unit,
            uncertainty=InverseVariance(np.where(ivar > 0, ivar, 0.0)), mask=bad, meta=meta)]

    def read_batches(self, paths: Sequence[Path], *, size: int = 256,
                     on_error: Callable[[Path, Exception], None] | None = None) -> Iterator[Batch]:
        """Read files straight into batches on the grid, about ten times as fast as one by one.

        See `astrofm.interfaces.Instrument.read_batches`; values agree with `read` and `sample`.
        """
        waiting, rows = list(map(Path, paths)), []
        for left, (path, data) in zip(range(len(waiting), 0, -1), read_ahead(waiting), strict=True):
            if not rows:
                room = min(size, left)
                value, error = np.zeros((room, PIXELS), np.float32), np.zeros((room, PIXELS), np.float32)
                mask = np.ones((room, PIXELS), bool)
            try:
                if isinstance(data, ReadError):
                    raise data
                contents = parse(path, data)
            except ReadError as why:
                if on_error is None:
                    raise
                on_error(path, why)
            else:
                bad = _fill(contents, value[len(rows)], error[len(rows)], mask[len(rows)])
                rows.append({**_describe(path, contents), "n_bad": bad, "resampled": False, "file": str(path)})
            if rows and (len(rows) == room or left == 1):
                meta = {key: [row[key] for row in rows] for key in rows[0]}
                n = len(rows)
                yield Batch(self.name, self.wavelength(), value[:n], error[:n], mask[:n], meta=meta)
                rows = []


def _fill(contents: Contents, value: np.ndarray, error: np.ndarray, mask: np.ndarray) -> int:
    """Write one star onto the grid, all of it masked so far; return how many of its own pixels are bad."""
    place = slice(contents.offset, contents.offset + len(contents.flux))
    with np.errstate(all="ignore"):
        flux = contents.flux.astype(np.float32)
        spread = (1.0 / np.sqrt(contents.ivar.astype(np.float64))).astype(np.float32)
        bad = (contents.andmask != 0) | ~np.isfinite(flux) | ~np.isfinite(spread) | ~(spread > 0)
    flux[bad], spread[bad] = 0, 0
    value[place], error[place], mask[place] = flux, spread, bad
    return int(np.count_nonzero(bad))


def _bad(contents: Contents) -> np.ndarray:
    return (contents.andmask != 0) | ~(contents.ivar > 0) | ~np.isfinite(contents.flux)


def _describe(path: Path, contents: Contents) -> dict[str, Any]:
    header = contents.header
    observation = header.get("OBSID")
    name = str(header.get("FILENAME") or path.name)
    about: dict[str, Any] = {"id": str(observation) if observation else name.removesuffix(".gz").removesuffix(".fits")}
    for key, keywords, kind in KEYS:
        value = header.get(keywords[0])
        if value is None and len(keywords) > 1:
            value = header.get(keywords[1])
        try:
            about[key] = MISSING[kind] if value is None or value == UNKNOWN else kind(value)
        except (TypeError, ValueError):
            about[key] = MISSING[kind]
    return about
