"""The files of SDSS-V's Astra: mwmStar and mwmVisit, a table for each spectrograph and observatory."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from astrofm.data.fitscolumns import columns
from astrofm.data.fitsfile import Header
from astrofm.errors import ReadError

from .about import COLUMNS, describe, of_row
from .bits import bad_pixels
from .grid import GRID, PIXELS, STEP
from .layouts import HOPELESS, Contents
from .products import check_lattice

#: columns of a spectrum
SPECTRUM = ("FLUX", "IVAR", "PIXEL_FLAGS")
WANTED = COLUMNS | {*SPECTRUM, "WAVELENGTH", "MODEL_FLUX", "MIN_MJD"}


def is_apogee_table(header: Header) -> bool:
    """Say whether a table of an Astra file holds spectra of APOGEE: by its name, or by the number of its pixels."""
    if header.get("XTENSION") != "BINTABLE" or not header.get("NAXIS2", 0):
        return False
    said = str(header.get("INSTRMNT") or header.get("EXTNAME") or "").upper()
    return said.startswith("APOGEE") if said else header.get("NPIXELS") == PIXELS


def spectra(path: Path, data: bytes, found: list[Header]) -> list[Contents]:
    """Read every APOGEE spectrum of an Astra file, row by row.

    Returns
    -------
    list of Contents
        mwmStar: one for each observatory and data release that saw the star; mwmVisit: one a visit.

    Raises
    ------
    ReadError
        If there is none, or none but models.
    """
    mine = [header for header in found if is_apogee_table(header)]
    if not mine:
        raise ReadError(f"{path} holds no spectrum of APOGEE: its tables of APOGEE are empty")
    contents = []
    for header in mine:
        there = columns(path, data, header, WANTED)
        if "MODEL_FLUX" in there and "FLUX" not in there:
            raise ReadError(f"{path} holds models that Astra fitted and no observed spectrum: read the mwmStar or mwmVisit "
                            f"file of the same star (SDSS_ID {found[0].get('SDSS_ID')})")
        missing = [name.lower() for name in SPECTRUM if name not in there or there[name].shape[1:] != (PIXELS,)]
        if missing:
            raise ReadError(f"{path}: the table {header.get('EXTNAME')!r} has no {', '.join(missing)} of {PIXELS} pixels: "
                            "fetch it again")
        _check_wavelengths(path, header, there.get("WAVELENGTH"))
        product = "mwmStar" if "MIN_MJD" in there else "mwmVisit"
        contents += [_row(found[0], there, row, product) for row in range(len(there["FLUX"]))]
    return contents


def _row(primary: Header, there: dict[str, np.ndarray], row: int, product: str) -> Contents:
    flux, ivar, flags = (there[name][row] for name in SPECTRUM)
    with np.errstate(all="ignore"):
        error = 1.0 / np.sqrt(ivar.astype(np.float64))
        flags = flags.astype(np.int64)
    about = describe(of_row(there, row), primary.get)
    about["id"] = about["id"] or f"SDSS_ID {primary.get('SDSS_ID')}"
    bad = bad_pixels(flux, error, flags, HOPELESS)
    return Contents(product, primary, flux, error, bad, {**about, "velocity": 0.0})


def _check_wavelengths(path: Path, header: Header, wave: np.ndarray | None) -> None:
    if str(header.get("CUNIT", "")).lower().startswith("angstrom (air"):
        raise ReadError(f"{path}: the header says that its wavelengths are in air; APOGEE publishes vacuum wavelengths")
    if wave is None:
        check_lattice(path, header.get("CRVAL"), header.get("CDELT"), header.get("CRPIX", 1))
    elif wave.shape[1:] != (PIXELS,) or not (np.abs(wave / GRID - 1) < 0.02 * STEP * np.log(10)).all():
        raise ReadError(f"{path}: the wavelengths of the table {header.get('EXTNAME')!r} are not APOGEE's {PIXELS} pixels")
