"""The layouts in which LAMOST low-resolution spectra are published, told apart by their headers.

======================  ==========================================================================================
release                 where flux, inverse variance and masks stand
======================  ==========================================================================================
pilot, DR1 (v2.6)       image ``(5, n)``: flux, inverse variance, continuum-normalised flux, and-mask, or-mask;
                        wavelengths from ``COEFF0 + COEFF1 * i``
DR2-DR7                 image ``(5, n)``, float32 or float64, with the wavelength in the third row
DR8 and later           table ``COADD`` of one row: FLUX, IVAR, WAVELENGTH, ANDMASK, ORMASK, NORMALIZATION
======================  ==========================================================================================

``EXTEN0`` names the rows of an image. Pixels are bad where the inverse variance is not positive, or any bit
of the and-mask is set (bad in every exposure); the or-mask (bad in some exposure) is not used.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from astrofm.errors import ReadError

from .fitsfile import DTYPES, Header, array, read_bytes

#: log10 of the wavelength (Angstrom) of the first pixel of the grid, and the step
FIRST, STEP = 3.5682, 1e-4
#: pixels of the grid: the longest range of any release
PIXELS = 3909
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


def parse(path: Path) -> Contents:
    """Read a file of any release.

    Raises
    ------
    ReadError
        If it is no LAMOST low-resolution spectrum, is damaged, or contradicts itself.
    """
    data = read_bytes(path)
    header = Header(path, data, 0)
    _check_survey(path, header)
    if header.number("NAXIS") == 2:
        contents = _image(path, data, header)
    else:
        contents = _table(path, data, header)
    flux, ivar, wave, andmask = contents
    first, step, count = header.get("COEFF0"), header.get("COEFF1"), len(flux)
    if not isinstance(first, (int, float)) or not isinstance(step, (int, float)):
        raise ReadError(f"{path}: the header lacks COEFF0 and COEFF1, so its wavelengths can't be checked")
    if abs(step - STEP) * count > TOLERANCE * STEP:
        raise ReadError(f"{path}: COEFF1 = {step} dex a pixel, low-resolution spectra have {STEP}")
    place = (first - FIRST) / STEP
    offset = round(place)
    if abs(place - offset) > TOLERANCE or offset < 0 or offset + count > PIXELS:
        raise ReadError(f"{path}: {count} pixels from COEFF0 = {first} do not lie on the survey's pixels "
                        f"({FIRST} + {STEP} * i, {PIXELS} of them)")
    if wave is not None:
        _check_wavelengths(path, wave, offset)
    return Contents(header, offset, flux, ivar, andmask)


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


def _image(path: Path, data: bytes, header: Header) -> tuple[np.ndarray, ...]:
    count, rows, bits = header.number("NAXIS1"), header.number("NAXIS2"), header.get("BITPIX")
    names = re.findall("[a-z]+", str(header.get("EXTEN0", "")).lower())
    if rows != 5 or len(names) != 5 or names[:2] != ["flux", "inverse"] or names[3] != "andmask":
        raise ReadError(f"{path}: an image of {rows} rows, EXTEN0 = {header.get('EXTEN0')!r}; expected the five rows "
                        "'Flux Inverse Wavelength Andmask Ormask' (or Subcontinuum)")
    if names[2] not in ("wavelength", "subcontinuum") or bits not in (-32, -64):
        raise ReadError(f"{path}: the third row is called {names[2]!r} and BITPIX is {bits}: no layout of LAMOST's")
    image = array(path, data, header.stop, DTYPES[bits], rows * count).reshape(rows, count)
    return image[0], image[1], image[2] if names[2] == "wavelength" else None, image[3]


def _table(path: Path, data: bytes, primary: Header) -> tuple[np.ndarray, ...]:
    header = Header(path, data, primary.stop)
    name = header.get("EXTNAME")
    if str(name).startswith(("COADD_", "B-", "R-")):
        raise ReadError(f"{path} is a LAMOST medium-resolution spectrum, not LRS: no installed instrument reads it")
    if header.get("XTENSION") != "BINTABLE" or name != "COADD" or header.number("NAXIS2") != 1:
        raise ReadError(f"{path}: expected a table COADD of one row, found {header.get('XTENSION')!r} {name!r}")
    columns, place = {}, header.stop
    for k in range(1, header.number("TFIELDS") + 1):
        form = re.fullmatch(r"(\d+)([EDIJ])", str(header.get(f"TFORM{k}", "")))
        if not form:
            raise ReadError(f"{path}: column {k} has the format {header.get(f'TFORM{k}')!r}: no layout of LAMOST's")
        dtype = {"E": ">f4", "D": ">f8", "I": ">i2", "J": ">i4"}[form[2]]
        column = array(path, data, place, dtype, int(form[1]))
        columns[header.get(f"TTYPE{k}")] = column
        place += column.nbytes
    wanted = ("FLUX", "IVAR", "WAVELENGTH", "ANDMASK")
    missing = [key for key in wanted if key not in columns]
    if missing or len({len(columns[key]) for key in wanted}) != 1:
        raise ReadError(f"{path}: the table lacks {', '.join(missing) or 'columns of one length'}")
    return tuple(columns[key] for key in wanted)


def _check_wavelengths(path: Path, wave: np.ndarray, offset: int) -> None:
    with np.errstate(divide="ignore", invalid="ignore"):
        away = np.abs((np.log10(wave.astype(np.float64)) - FIRST) / STEP - offset - np.arange(len(wave))).max()
    if not away <= TOLERANCE:
        raise ReadError(f"{path}: its wavelengths and its COEFF0 disagree by {away:.1f} pixels")
