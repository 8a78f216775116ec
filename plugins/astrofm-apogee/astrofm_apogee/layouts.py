"""The layouts in which APOGEE spectra are published, told apart by their headers.

===============  =====================================================================================================
product          what it holds
===============  =====================================================================================================
apVisit          images of three chips ``(3, 4096)`` or ``(3, 2048)``: flux, error, mask, wavelength; as observed
apStar           images ``(visits + 2, 8575)``, one row where there is one visit: flux, error, mask; at rest
aspcapStar       images ``(8575,)``: flux over continuum, error, best fit; the table of what ASPCAP measured; at rest
mwmStar,         SDSS-V: a table each for BOSS and APOGEE at two observatories, a row a spectrum: flux, ivar,
mwmVisit         pixel_flags; at rest. See `astrofm_apogee.tables`
===============  =====================================================================================================

Row 0 of an apStar file combines the visits with a weight for each pixel, row 1 with one weight a visit; row 0 is read. Its
mask is the OR of the visits', as ASPCAP takes it. The third image tells apStar (integers) from aspcapStar. All wavelengths
are vacuum. Those of apVisit are as the telescope saw them, not barycentric: in the real files the airglow lines of the sky
are within 0.3 km/s of their wavelengths in the laboratory.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from astrofm.data.fitscolumns import columns
from astrofm.data.fitsdata import image
from astrofm.data.fitsfile import Header, headers, read_bytes
from astrofm.errors import ReadError

from .about import COLUMNS, convert, describe, of_row, parameters
from .bits import bad_pixels
from .products import product_of

#: errors above so many times the median flux are no data; in aspcapStar that is how bad pixels are marked
HOPELESS, HOPELESS_ASPCAP = 10.0, 1.0
#: wavelengths of a visit lie within (Angstrom)
RANGE = (14900.0, 17200.0)


@dataclass(frozen=True, eq=False)
class Contents:
    """One spectrum of a file.

    Parameters
    ----------
    product : str
        Name of the layout.
    header : Header
        Of the primary HDU.
    flux, error : ndarray, shape ``(p,)``
        In 1e-17 erg / (s cm2 Angstrom), or over the continuum; wavelengths increase.
    bad : ndarray of bool, shape ``(p,)``
    about : dict
        Plain scalars.
    wave : ndarray of float64, shape ``(p,)``, optional
        Vacuum Angstrom; without it the pixels are the lattice's.
    model : ndarray, shape ``(p,)``, optional
        ASPCAP's best fit.
    """

    product: str
    header: Header
    flux: np.ndarray
    error: np.ndarray
    bad: np.ndarray
    about: dict[str, Any]
    wave: np.ndarray | None = None
    model: np.ndarray | None = None

    @property
    def normalised(self) -> bool:
        """Whether the flux is over the continuum."""
        return self.product == "aspcapStar"


class Unsigned:
    """A header of flags that are read as they stand: an offset changes the highest bit only, which means nothing."""

    def __init__(self, header: Header):
        self._header, self.stop, self.number = header, header.stop, header.number

    def get(self, key: str, default: Any = None) -> Any:
        """Give the value of a keyword, but none of an offset."""
        return default if key == "BZERO" else self._header.get(key, default)


def parse(path: Path, data: bytes | None = None) -> list[Contents]:
    """Read every spectrum of a file; of an apStar file the combination of the visits.

    Parameters
    ----------
    path : Path
    data : bytes, optional
        What `read_bytes` gave for it, where that is done already.

    Raises
    ------
    ReadError
        If it is no APOGEE spectrum, is damaged, contradicts itself, or has no good pixel.
    """
    product, data, found = _open(path, data)
    if product == "mwm":
        from .tables import spectra

        return _with_something_good(path, spectra(path, data, found))
    return _with_something_good(path, {"apStar": _star, "aspcapStar": _aspcap, "apVisit": _visit}[product](path, data, found))


def parse_visits(path: Path) -> list[Contents]:
    """Read the visits of an apStar file; see `parse`."""
    product, data, found = _open(path, None)
    if product != "apStar":
        raise ReadError(f"{path} is no apStar file and holds no visits beside a combination: read it with astrofm.read")
    return _with_something_good(path, _visits(path, data, found))


def _open(path: Path, data: bytes | None) -> tuple[str, bytes, list[Header]]:
    data = read_bytes(path) if data is None else data
    found = headers(path, data)
    if found[-1].end > len(data):
        raise ReadError(f"{path} breaks off: {len(data)} of {found[-1].end} bytes are there: fetch it again")
    return product_of(path, found), data, found


def _with_something_good(path: Path, contents: list[Contents]) -> list[Contents]:
    if all(one.bad.all() for one in contents):
        raise ReadError(f"{path}: no pixel of this {contents[0].product} file is good in all visits (STARFLAG "
                        f"{contents[0].about['starflag']}): there is nothing to read")
    return contents


def _image(path: Path, data: bytes, header: Header, flags: bool) -> np.ndarray:
    if (header.get("BITPIX", 0) > 0) != flags:
        raise ReadError(f"{path}: an image of {'flags' if flags else 'fluxes, errors or wavelengths'} has BITPIX = "
                        f"{header.get('BITPIX')}: no layout of APOGEE's")
    return image(path, data, Unsigned(header) if flags else header)


def _rows(path: Path, data: bytes, header: Header, shape: tuple[int, ...] | None = None,
          flags: bool = False) -> np.ndarray:
    found = _image(path, data, header, flags)
    found = found[None] if found.ndim == 1 else found
    if found.ndim != 2 or shape not in (None, found.shape):
        raise ReadError(f"{path}: one of its images has the shape {found.shape}, the flux has {shape}: fetch it again")
    return found


def _star(path: Path, data: bytes, found: list[Header]) -> list[Contents]:
    flux = _rows(path, data, found[1])
    error, flags = (_rows(path, data, found[k], flux.shape, flags=k == 3)[0] for k in (2, 3))
    bad = bad_pixels(flux[0], error, flags, HOPELESS)
    return [Contents("apStar", found[0], flux[0], error, bad, _about(path, found[0], 0.0))]


def _visits(path: Path, data: bytes, found: list[Header]) -> list[Contents]:
    header = found[0]
    flux = _rows(path, data, found[1])
    error, flags = (_rows(path, data, found[k], flux.shape, flags=k == 3) for k in (2, 3))
    contents = []
    for visit, row in enumerate(range(min(2, len(flux) - 1), len(flux)), 1):
        keys = {"SNR": "SNRVIS", "STARFLAG": "FLAG", "VHELIO": "VHELIO", "VERR": "VERR", "FIBERID": "FIBER", "BC": "BC"}
        own = {key: header.get(f"{word}{visit}") for key, word in keys.items()}
        if own["VHELIO"] is None:  # DR17 and SDSS-V: VRADn is barycentric, and there is no VHELIOn
            own["VHELIO"] = header.get(f"VRAD{visit}")
        about = _about(path, header, 0.0, own.get, visit=visit, visit_file=str(header.get(f"SFILE{visit}", "")))
        bad = bad_pixels(flux[row], error[row], flags[row], HOPELESS)
        contents.append(Contents("apStar", header, flux[row], error[row], bad, about))
    return contents


def _aspcap(path: Path, data: bytes, found: list[Header]) -> list[Contents]:
    if len(found) < 5:
        raise ReadError(f"{path}: aspcapStar files have 5 HDUs or more, this one has {len(found)}: fetch it again")
    if found[4].get("XTENSION") != "BINTABLE" or found[4].get("NAXIS2") != 1:
        raise ReadError(f"{path}: expected ASPCAP's table of one row, found {found[4].get('XTENSION')!r} of "
                        f"{found[4].get('NAXIS2')} rows")
    labels = columns(path, data, found[4], COLUMNS)
    if "ASPCAPFLAG" not in labels:
        raise ReadError(f"{path}: its table has no column ASPCAPFLAG, so this is no aspcapStar file")
    flux = _rows(path, data, found[1])
    error, model = (_rows(path, data, header, flux.shape)[0] for header in found[2:4])
    row = of_row(labels, 0)
    bad = bad_pixels(flux[0], error, None, HOPELESS_ASPCAP)
    about = {**_about(path, found[0], 0.0, row), **parameters(row)}
    return [Contents("aspcapStar", found[0], flux[0], error, bad, about, model=model)]


def _visit(path: Path, data: bytes, found: list[Header]) -> list[Contents]:
    images = [_image(path, data, found[k], k == 3) for k in (1, 2, 3, 4)]
    if {one.shape for one in images} != {(3, images[0].shape[-1])}:
        raise ReadError(f"{path}: flux, error, mask and wavelength of a visit have one shape, here they have "
                        f"{', '.join(str(one.shape) for one in images)}: fetch it again")
    wave = np.ravel(images[3]).astype(np.float64)[::-1]
    if not (np.diff(wave) > 0).all() or wave[0] < RANGE[0] or wave[-1] > RANGE[1]:
        raise ReadError(f"{path}: the wavelengths of its chips do not decrease from about 16,950 to 15,140 Angstrom: "
                        "fetch it again")
    flux, error, flags = (np.ravel(one)[::-1] for one in images[:3])
    bad = bad_pixels(flux, error, flags, HOPELESS)
    bad[chip_ends(wave)] = True
    about = _about(path, found[0], convert(found[0].get("VRAD"), float))
    return [Contents("apVisit", found[0], flux, error, bad, about, wave=wave)]


def chip_ends(wave: np.ndarray) -> np.ndarray:
    """Find the pixels beside a gap: masked, so that resampling leaves the gap empty instead of filling it with them."""
    step = np.abs(np.diff(wave))
    gaps = np.flatnonzero(step > 10 * np.median(step))
    return np.concatenate([gaps, gaps + 1])


def _about(path: Path, header: Header, velocity: float, *more: Any, **own: Any) -> dict[str, Any]:
    about = describe(*more, header.get) if own else describe(header.get, *more)
    if "APRED" in header and header.get("VHELIO") is None and not own:  # SDSS-V: VRAD is barycentric
        about["vhelio"] = convert(header.get("VRAD"), float)
    name = path.name.removesuffix(".gz").removesuffix(".fits")
    return {**about, "id": about["id"] or name, "velocity": velocity, **own}
