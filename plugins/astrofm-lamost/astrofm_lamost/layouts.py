"""The layouts in which LAMOST low-resolution spectra are published, told apart by their headers.

======================  ==========================================================================================
release                 where flux, inverse variance and masks stand
======================  ==========================================================================================
pilot, DR1 (v2.6)       image ``(5, n)``: flux, inverse variance, continuum-normalised flux, and-mask, or-mask;
                        wavelengths from ``COEFF0 + COEFF1 * i``
DR2-DR7                 image ``(5, n)``, float32 or float64, with the wavelength in the third row
DR8 and later           table ``COADD`` of one row: FLUX, IVAR, WAVELENGTH, ANDMASK, ORMASK, NORMALIZATION
======================  ==========================================================================================

``EXTEN0`` (or ``ROW1`` to ``ROW5``) names the rows of an image. Pixels are bad where the inverse variance is not
positive, or any bit of the and-mask is set (bad in every exposure); the or-mask (bad in some exposure) is not used.
Of 269 published spectra, the and-mask takes no pixel that has a positive inverse variance: the pipeline has set that
to zero already.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from astrofm.data.fitsdata import image, table
from astrofm.data.fitsfile import BLOCK, Header, read_bytes
from astrofm.errors import ReadError

#: log10 of the wavelength (Angstrom) of the first pixel of the grid, and the step
FIRST, STEP = 3.5682, 1e-4
#: pixels of the grid: the longest range of any release
PIXELS = 3909
#: wavelength of each pixel and its width (Angstrom)
GRID = 10 ** (FIRST + STEP * np.arange(PIXELS))
PIXEL = GRID * (np.log(10) * STEP)
#: names of the tables of medium-resolution files
MEDIUM = ("COADD_", "B-", "R-")
#: a file's wavelengths may be off the lattice by this part of a pixel (single precision gives 0.02)
TOLERANCE = 0.1


@dataclass(frozen=True, eq=False)
class Contents:
    """What one file holds.

    Parameters
    ----------
    header : Header
        Of the primary HDU.
    offset : int
        Pixel of the grid on which the first pixel falls.
    flux, ivar, andmask : ndarray, shape ``(n,)``
        As they stand in the file, big-endian.
    """

    header: Header
    offset: int
    flux: np.ndarray
    ivar: np.ndarray
    andmask: np.ndarray


def parse(path: Path, data: bytes | None = None) -> Contents:
    """Read a file of any release.

    Parameters
    ----------
    path : Path
    data : bytes, optional
        What `read_bytes` gave for it, where that is done already.

    Raises
    ------
    ReadError
        If it is no LAMOST low-resolution spectrum, is damaged, or contradicts itself.
    """
    data = read_bytes(path) if data is None else data
    header = Header(path, data, 0)
    _check_survey(path, header)
    layout = _image if header.number("NAXIS") == 2 else _table
    flux, ivar, wave, andmask = layout(path, data, header)
    marked = andmask[andmask != 0]
    if not np.all((marked > 0) & (marked == np.floor(marked))):
        raise ReadError(f"{path}: its and-mask holds {marked[0]:g}, which is no mask: the header does not fit the data")
    offset = _offset(path, header, wave, len(flux))
    if wave is not None:
        _check_wavelengths(path, wave, offset)
    return Contents(header, offset, flux, ivar, andmask)


def _offset(path: Path, header: Header, wave: np.ndarray | None, count: int) -> int:
    first, step = header.get("COEFF0"), header.get("COEFF1", STEP)
    if first is None and wave is not None and count and wave[0] > 0:
        first = float(np.log10(np.float64(wave[0])))
    if not isinstance(first, (int, float)) or not isinstance(step, (int, float)):
        raise ReadError(f"{path}: the header has neither COEFF0 and COEFF1 nor a wavelength row: where its pixels are "
                        "is not known")
    if abs(step - STEP) * count > TOLERANCE * STEP:
        raise ReadError(f"{path}: COEFF1 = {step} dex a pixel, low-resolution spectra have {STEP}")
    place = (first - FIRST) / STEP
    offset = round(place)
    if abs(place - offset) > TOLERANCE or offset < 0 or offset + count > PIXELS or count < 2:
        raise ReadError(f"{path}: {count} pixels from COEFF0 = {first} do not lie on the survey's pixels "
                        f"({FIRST} + {STEP} * i, {PIXELS} of them)")
    return offset


def _check_survey(path: Path, header: Header) -> None:
    if header.get("TELESCOP") != "LAMOST":
        raise ReadError(f"{path} is no LAMOST spectrum: TELESCOP is {header.get('TELESCOP')!r}")
    if is_medium_resolution(header):
        raise ReadError(f"{path} is a LAMOST medium-resolution spectrum, not LRS: no installed instrument reads it")
    if header.get("VACUUM", True) is not True:
        raise ReadError(f"{path}: the header says VACUUM = {header.get('VACUUM')!r}; LAMOST publishes vacuum "
                        'wavelengths. Read it yourself and set meta["medium"] = "air"')


def is_medium_resolution(header: Header) -> bool:
    """Tell medium-resolution files, whose primary HDU holds information only."""
    return header.get("EXTNAME") == "Information" or str(header.get("FILENAME", "")).startswith("med-")


def _image(path: Path, data: bytes, header: Header) -> tuple[np.ndarray | None, ...]:
    rows, bits = header.number("NAXIS2"), header.get("BITPIX")
    said = header.get("EXTEN0") or " ".join(str(header.get(f"ROW{k}", "")) for k in range(1, 6))
    names = tuple(re.findall("[a-z]+", str(said).lower()))
    if rows != 5 or names[:2] + names[3:] != ("flux", "inverse", "andmask", "ormask"):
        raise ReadError(f"{path}: an image of {rows} rows, EXTEN0 = {header.get('EXTEN0')!r}; expected the five rows "
                        "'Flux Inverse Wavelength Andmask Ormask' (or Subcontinuum)")
    if names[2] not in ("wavelength", "subcontinuum") or bits not in (-32, -64):
        raise ReadError(f"{path}: the third row is called {names[2]!r} and BITPIX is {bits}: no layout of LAMOST's")
    found = image(path, data, header)
    _check_end(path, data, header.stop + found.nbytes)
    return found[0], found[1], found[2] if names[2] == "wavelength" else None, found[3]


def _table(path: Path, data: bytes, primary: Header) -> tuple[np.ndarray, ...]:
    header = Header(path, data, primary.stop)
    name = header.get("EXTNAME")
    if str(name).startswith(MEDIUM):
        raise ReadError(f"{path} is a LAMOST medium-resolution spectrum, not LRS: no installed instrument reads it")
    if header.get("XTENSION") != "BINTABLE" or name != "COADD" or header.number("NAXIS2") != 1:
        raise ReadError(f"{path}: expected a table COADD of one row, found {header.get('XTENSION')!r} {name!r}")
    row = table(path, data, header)[0]
    wanted = ("FLUX", "IVAR", "WAVELENGTH", "ANDMASK")
    missing = [key for key in wanted if key not in row.dtype.names]
    if missing or len({np.shape(row[key]) for key in wanted}) != 1 or np.ndim(row["FLUX"]) != 1:
        raise ReadError(f"{path}: the table lacks {', '.join(missing) or 'columns of one length'}")
    _check_end(path, data, header.stop + row.nbytes)
    return tuple(row[key] for key in wanted)


def _check_end(path: Path, data: bytes, end: int) -> None:
    rest = data[-(-end // BLOCK) * BLOCK:]
    if data[end: end + BLOCK - 1 - (end - 1) % BLOCK].strip(b"\0 ") or (rest.strip(b"\0") and rest[:8] != b"XTENSION"):
        raise ReadError(f"{path} goes on where its header says it ends (at byte {end}): the header does not fit the "
                        "data, fetch it again")


def _check_wavelengths(path: Path, wave: np.ndarray, offset: int) -> None:
    place = slice(offset, offset + len(wave))
    with np.errstate(all="ignore"):
        away = np.abs(wave - GRID[place]) / PIXEL[place]
    if not away.max() <= TOLERANCE:
        raise ReadError(f"{path}: its wavelengths and its COEFF0 disagree by {away.max():.1f} pixels")
