"""The layouts in which SDSS optical spectra are published, told apart by their headers.

========================  ========================================================================================
product                   where flux, inverse variance, mask and width stand
========================  ========================================================================================
spec, spec-lite           table ``COADD`` after the primary HDU: flux, loglam, ivar, and_mask, or_mask, wdisp, sky,
                          model; in SDSS-V the names are in capitals. One row of the catalogue follows: ``SPECOBJ``
                          (SDSS-I, -II, SEGUE) or ``SPALL`` (BOSS and later)
spSpec (DR1 to DR7)       image of 4 or 5 rows: flux, continuum-subtracted flux, error, mask(s); wavelengths from
                          ``COEFF0`` and ``COEFF1``
mwmStar, mwmVisit         tables ``BOSS/APO`` and ``BOSS/LCO`` of the pipeline Astra (SDSS-V): flux, ivar, pixel_flags (of
                          the or-mask), wavelength (or ``CRVAL``, ``CDELT``); *shifted to the star's rest frame*
========================  ========================================================================================

All lie on one lattice of log10 wavelength in steps of 1e-4, vacuum. Pixels are bad where the inverse variance is not
positive, or where a bit of the and-mask (set in every exposure) says that there is no trustworthy flux: see `FATAL`.
The bits are at https://www.sdss3.org/dr10/algorithms/bitmask_sppixmask.php, whose advice this follows: what is very bad has
no inverse variance already, ``NODATA`` is to be ignored, and ``BRIGHTSKY`` is the bit to look at. Of 16,113 pixels of four
published spectra, any bit at all would take 4.0 %, half of them for ``PARTIALREJECT``, whose pixels fit the survey's models
as well as clean ones; these bits take 2.0 %, nearly all for ``BRIGHTSKY``, whose residuals are up to twice those of clean
pixels.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from astrofm.data.fitscolumns import columns
from astrofm.data.fitsdata import image
from astrofm.data.fitsfile import Header, read_bytes
from astrofm.errors import ReadError

from .objects import Row, described
from .units import flux_factor

#: log10 of the wavelength (Angstrom) of the first pixel of the grid, and the step
FIRST, STEP = 3.54, 1e-4
#: pixels of the grid: 3467 to 10471 Angstrom, what any of the spectrographs reaches and some more
PIXELS = 4801
#: a file's wavelengths may be off the lattice by this part of a pixel (single precision gives 0.003)
TOLERANCE = 0.1
#: bits of the and-mask that make a pixel bad
FATAL = {"NOPLUG": 0, "BADTRACE": 1, "BADFLAT": 2, "BADARC": 3, "FULLREJECT": 18, "NOSKY": 22, "BRIGHTSKY": 23,
         "COMBINEREJ": 25, "BADFLUXFACTOR": 26, "BADSKYCHI": 27, "REDMONSTER": 28}
FATAL_BITS = sum(1 << bit for bit in FATAL.values())
#: how TELESCOP begins, in capitals: Apache Point, and Las Campanas in SDSS-V
TELESCOPES = ("SDSS 2.5", "LCO", "DU PONT", "DUPONT")
#: columns of the table of a spectrum
TABLE = ("FLUX", "LOGLAM", "IVAR", "AND_MASK", "MASK", "WDISP")
#: columns of Astra's tables
ASTRA = ("FLUX", "IVAR", "PIXEL_FLAGS", "WAVELENGTH", "SDSS_ID", "MJD", "MIN_MJD", "SNR", "TELESCOPE", "RUN2D")


@dataclass(frozen=True, eq=False)
class Star:
    """One spectrum, as it stands in its file.

    Parameters
    ----------
    header : Header
        Of the primary HDU.
    about : mapping
        What travels in ``meta``.
    offset : int
        Pixel of the grid on which the first pixel falls; negative before its start.
    flux, ivar, bits : ndarray, shape ``(p,)``
        Flux and inverse variance in the file's unit, and-mask.
    widths : ndarray, shape ``(p,)``, or None
        Standard deviation of the line-spread function in pixels; 0 where it is not known.
    factor : float
        What the fluxes are multiplied by to be in the instrument's unit.
    """

    header: Header
    about: Mapping[str, Any]
    offset: int
    flux: np.ndarray
    ivar: np.ndarray
    bits: np.ndarray
    widths: np.ndarray | None = None
    factor: float = field(default=1.0)

    def pixels(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Give flux, inverse variance (float64, in the instrument's unit; 0 where it is none) and bad pixels."""
        with np.errstate(invalid="ignore", over="ignore"):
            flux, ivar = self.flux.astype(np.float64) * self.factor, self.ivar.astype(np.float64) / self.factor**2
            bad = ~((ivar > 0) & (ivar < np.inf)) | ~np.isfinite(flux) | (self.bits & FATAL_BITS != 0)
            return flux, np.where((ivar > 0) & (ivar < np.inf), ivar, 0.0), bad


def grid(offset: int = 0, count: int = PIXELS) -> np.ndarray:
    """Give the wavelengths (Angstrom, vacuum) of ``count`` pixels of the lattice, from ``offset`` on."""
    return 10 ** (FIRST + STEP * (offset + np.arange(count)))


def layout(path: Path, data: bytes) -> str:
    """Say which product a file is: ``"spec"``, ``"spSpec"``, ``"mwm"``, or ``""``.

    Raises
    ------
    ReadError
        If a header breaks off.
    """
    primary = Header(path, data, 0)
    if "V_ASTRA" in primary and "SDSS_ID" in primary:
        return "mwm" if next(_astra_tables(path, data, primary), None) else ""
    if not str(primary.get("TELESCOP", "")).strip().upper().startswith(TELESCOPES):
        return ""
    if primary.number("NAXIS") == 2:
        return "spSpec" if primary.number("NAXIS2") in (4, 5) and "FIBERID" in primary else ""
    if primary.end >= len(data):
        return ""
    second = Header(path, data, primary.end)
    return "spec" if {"FLUX", "LOGLAM", "IVAR"} <= _names(second) else ""


def parse(path: Path, data: bytes | None = None) -> list[Star]:
    """Read a file of any product.

    Parameters
    ----------
    path : Path
    data : bytes, optional
        What `read_bytes` gave for it, where that is done already.

    Raises
    ------
    ReadError
        If it is no SDSS optical spectrum, is damaged, or contradicts itself.
    """
    data = read_bytes(path) if data is None else data
    kind, primary = layout(path, data), Header(path, data, 0)
    if not kind:
        raise ReadError(f"{path} is no SDSS optical spectrum: TELESCOP is {primary.get('TELESCOP')!r}, and a table with "
                        f"flux, loglam and ivar should follow{_what_else(primary)}")
    if primary.get("VACUUM", True) is not True:
        raise ReadError(f"{path}: the header says VACUUM = {primary.get('VACUUM')!r}; SDSS publishes vacuum wavelengths. "
                        'Read it with specutils and set meta["medium"] = "air"')
    factor = flux_factor(str(primary.get("BUNIT", "1E-17 erg/cm^2/s/Ang")))
    if factor is None:
        raise ReadError(f"{path}: BUNIT is {primary.get('BUNIT')!r}, and a flux per Angstrom is needed, such as "
                        "'1E-17 erg/cm^2/s/Ang': read it with specutils, set the unit and hand the Spectrum over")
    return list({"spec": _spec, "spSpec": _image, "mwm": _astra}[kind](path, data, primary, factor))


def _what_else(primary: Header) -> str:
    if primary.get("NAXIS") == 2 and "PLATEID" in primary:
        return ". It is an image of a whole plate (spPlate): give the plate's spec files"
    return ""


def _spec(path: Path, data: bytes, primary: Header, factor: float) -> Iterator[Star]:
    header = Header(path, data, primary.end)
    found = columns(path, data, header, TABLE)
    bits = found.get("AND_MASK", found.get("MASK"))
    plain = all(values.ndim == 1 and values.dtype.kind in "iuf" for values in found.values())
    if bits is None or bits.dtype.kind not in "iu" or not plain:
        raise ReadError(f"{path}: its table {header.get('EXTNAME')!r} has no and_mask of whole numbers, or columns "
                        "that are not one number a row: no spec file")
    loglam = found["LOGLAM"].astype(np.float64)
    offset = _offset(path, loglam)
    row = Row(path, data, header.end)
    yield Star(primary, described(path, primary, row), offset, found["FLUX"], found["IVAR"], bits, found.get("WDISP"), factor)


def _image(path: Path, data: bytes, primary: Header, factor: float) -> Iterator[Star]:
    rows = image(path, data, primary)
    first, step = primary.get("COEFF0"), primary.get("COEFF1", STEP)
    if not isinstance(first, (int, float)) or not isinstance(step, (int, float)):
        raise ReadError(f"{path}: the header has no COEFF0: where its pixels are is not known")
    offset = _offset(path, first + step * np.arange(rows.shape[1]))
    error = rows[2].astype(np.float64)
    with np.errstate(all="ignore"):
        ivar = np.where(error > 0, error**-2.0, 0.0)
        bits = rows[3].astype(np.int64)
    if not np.array_equal(bits, rows[3]):
        raise ReadError(f"{path}: the fourth row holds {rows[3][bits != rows[3]][0]:g}, which is no mask: no spSpec file")
    yield Star(primary, described(path, primary, None), offset, rows[0], ivar, bits, None, factor)


def _astra_tables(path: Path, data: bytes, primary: Header) -> Iterator[Header]:
    """Give the tables of BOSS spectra that have rows, of an Astra file of spectra."""
    start = primary.end
    while start < len(data):
        header = Header(path, data, start)
        start = header.end
        names = _names(header) if str(header.get("EXTNAME", "")).upper().startswith("BOSS") else set()
        if header.get("NAXIS2") and {"FLUX", "IVAR"} <= names and "MODEL_FLUX" not in names:
            yield header


def _names(table: Header) -> set[str]:
    """Give the names of a table's columns, in capitals."""
    count = table.number("TFIELDS") if table.get("XTENSION") == "BINTABLE" else 0
    return {str(table.get(f"TTYPE{k}", "")).upper() for k in range(1, min(count, 999) + 1)}


def _astra(path: Path, data: bytes, primary: Header, factor: float) -> Iterator[Star]:
    for header in _astra_tables(path, data, primary):
        found = columns(path, data, header, ASTRA)
        flux, ivar, flags = found["FLUX"], found["IVAR"], found.get("PIXEL_FLAGS")
        first, step = header.get("CRVAL"), header.get("CDELT")
        given = [found[key] for key in ("FLUX", "IVAR", "PIXEL_FLAGS", "WAVELENGTH") if key in found]
        if flux.ndim != 2 or any(values.shape != flux.shape or values.dtype.kind not in "iuf" for values in given):
            raise ReadError(f"{path}: flux, ivar, pixel_flags and wavelength of {header.get('EXTNAME')} are not numbers of "
                            "one shape: fetch it again")
        for k in range(len(flux)):
            if "WAVELENGTH" in found:
                with np.errstate(invalid="ignore", divide="ignore"):
                    loglam = np.log10(found["WAVELENGTH"][k].astype(np.float64))
            elif isinstance(first, (int, float)) and isinstance(step, (int, float)):
                loglam = first + step * np.arange(flux.shape[1])
            else:
                raise ReadError(f"{path}: {header.get('EXTNAME')} has neither wavelengths nor CRVAL and CDELT: where its "
                                "pixels are is not known")
            bits = np.zeros(flux.shape[1], np.int64) if flags is None else np.nan_to_num(flags[k]).astype(np.int64)
            about = described(path, primary, Row.of(found, k), astra=True)
            yield Star(primary, about, _offset(path, loglam), flux[k], ivar[k], bits, None, factor)


def _offset(path: Path, loglam: np.ndarray) -> int:
    if len(loglam) < 2 or not np.isfinite(loglam).all():
        raise ReadError(f"{path}: it has {len(loglam)} pixels, or wavelengths that are no numbers: fetch it again")
    offset = round(float(np.clip((loglam[0] - FIRST) / STEP, -1e9, 1e9)))
    away = np.abs((loglam - FIRST) / STEP - (offset + np.arange(len(loglam))))
    if away.max() > TOLERANCE or offset + len(loglam) <= 0 or offset >= PIXELS:
        raise ReadError(f"{path}: its {len(loglam)} pixels from log10 wavelength {loglam[0]:.5f} are off the survey's pixels "
                        f"({FIRST} + {STEP} * i) by up to {away.max():.3g}: read it with specutils and hand the Spectrum "
                        "over, it is resampled then")
    return offset
