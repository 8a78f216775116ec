"""What a DESI file holds: arms on the survey's pixels, checked, and the table of its fibres.

Files called ``spectra-*`` hold one row an exposure and target, files called ``coadd-*`` one row a target; both group
them by HEALPix pixel or by tile and petal. Each arm has five HDUs: ``B_WAVELENGTH``, ``B_FLUX``, ``B_IVAR``, ``B_MASK``,
``B_RESOLUTION``, and so on for R and Z. Where the survey's own ``coadd_cameras`` has joined the arms they are called
``BRZ_``. The data model is at https://desidatamodel.readthedocs.io; the pipeline is Guy et al. 2023 (2023AJ....165..144G).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any

import numpy as np

from astrofm.data.fitscolumns import columns, texts
from astrofm.data.fitsdata import DTYPES, array, image
from astrofm.data.fitsfile import Header
from astrofm.data.wavelength import to_vacuum
from astrofm.errors import ReadError

from .files import PARTS, hdus
from .tiles import PackedRows
from .units import flux_factor, ivar_factor

#: wavelength of the first pixel of the joined grid, its step (Angstrom), and the number of its pixels
FIRST, STEP, PIXELS = 3600.0, 0.8, 7781
#: wavelength of each pixel, vacuum, corrected for the motion of the Earth (Angstrom)
GRID = np.round(FIRST + STEP * np.arange(PIXELS), 1)
#: a file's wavelengths may be off the grid by this (Angstrom)
TOLERANCE = 0.01
#: what travels of the fibre map: our name, the survey's columns in order of preference, and the type
KEYS = (("ra", ("TARGET_RA",), float), ("dec", ("TARGET_DEC",), float), ("objtype", ("OBJTYPE",), str),
        ("fiberstatus", ("COADD_FIBERSTATUS", "FIBERSTATUS"), int), ("fibre", ("FIBER",), int),
        ("petal", ("PETAL_LOC",), int), ("tile", ("TILEID",), int), ("night", ("NIGHT",), int),
        ("expid", ("EXPID",), int), ("mjd", ("MJD", "MEAN_MJD"), float), ("n_exp", ("COADD_NUMEXP",), int),
        ("flux_g", ("FLUX_G",), float), ("flux_r", ("FLUX_R",), float), ("flux_z", ("FLUX_Z",), float),
        ("ebv", ("EBV",), float), ("ref_cat", ("REF_CAT",), str), ("ref_id", ("REF_ID",), int))
#: the same of the table of scores
SCORES = tuple((f"snr_{arm}", (f"MEDIAN_COADD_SNR_{arm.upper()}", f"MEDIAN_CALIB_SNR_{arm.upper()}"), float) for arm in "brz")
MISSING: Mapping[type, Any] = {float: np.nan, int: -1, str: ""}


@dataclass(frozen=True, eq=False)
class Arm:
    """One arm of the spectrographs, or several that the survey has joined; arrays are views of the file.

    Parameters
    ----------
    name : str
        ``"b"``, ``"r"``, ``"z"``, or for example ``"brz"``.
    start : int
        Pixel of the grid on which the first pixel falls.
    flux, ivar : ndarray, shape ``(n, p)``
    mask : ndarray or PackedRows, shape ``(n, p)``, or None
        As it stands in the file: ``clear`` where no bit is set.
    clear : int
    resolution : ndarray, shape ``(n, diagonals, p)``, or None
    factor : float
        What the fluxes are multiplied by to be in the instrument's unit.
    """

    name: str
    start: int
    flux: np.ndarray
    ivar: np.ndarray
    mask: np.ndarray | PackedRows | None
    clear: int
    resolution: np.ndarray | None
    factor: float = 1.0

    @property
    def place(self) -> slice:
        """Where on the grid it lies."""
        return slice(self.start, self.start + self.flux.shape[1])

    def pixels(self, rows: slice) -> tuple[np.ndarray, np.ndarray]:
        """Read rows: flux and inverse variance in the instrument's unit, float64; both 0 where a pixel is bad.

        A pixel is bad where any bit of the mask is set, the inverse variance is not positive, or either is not finite.
        """
        flux, ivar = self.flux[rows].astype(np.float64), self.ivar[rows].astype(np.float64)
        with np.errstate(invalid="ignore"):
            good = (ivar > 0) & (ivar < np.inf) & np.isfinite(flux)
        if self.mask is not None:
            good &= self.mask[rows] == self.clear
        if self.factor != 1.0:
            flux, ivar = flux * self.factor, ivar / self.factor**2
        bad = ~good
        flux[bad] = ivar[bad] = 0.0
        return flux, ivar


@dataclass(frozen=True, eq=False)
class Contents:
    """What one file holds.

    Parameters
    ----------
    header : Header
        Of the primary HDU.
    targetid : ndarray of int64, shape ``(n,)``
    about : dict of str to list
        Columns of ``meta``, one entry a row.
    arms : tuple of Arm
        By wavelength.
    """

    header: Header
    targetid: np.ndarray
    about: Mapping[str, list]
    arms: tuple[Arm, ...]


def parse(path: Path, data: bytes) -> Contents:
    """Find and check what a file holds; no spectrum is read yet.

    Parameters
    ----------
    path : Path
        For messages.
    data : bytes
        The file, or its memory map.

    Raises
    ------
    ReadError
        If it holds no DESI spectra, breaks off, or contradicts itself: the message names the HDU.
    """
    found = dict(reversed(list(hdus(path, data))))  # the first of two of one name
    names = sorted({PARTS.fullmatch(name)[1] for name in found if PARTS.fullmatch(name)})
    if "FIBERMAP" not in found or not names:
        raise ReadError(f"{path} {_what_else(found)}")
    if len("".join(names)) != len(set("".join(names))):
        raise ReadError(f"{path} holds the same arm twice ({', '.join(names)}): joining them would count it twice; "
                        "split the file")
    arms = tuple(sorted((_arm(path, data, found, name) for name in names), key=lambda arm: arm.start))
    fibres = columns(path, data, found["FIBERMAP"], ("TARGETID", *(key for _, keys, _ in KEYS for key in keys)))
    if "TARGETID" not in fibres or fibres["TARGETID"].dtype.kind not in "iu":
        raise ReadError(f"{path}: FIBERMAP has no whole numbers TARGETID: which star is which is not known")
    rows = len(fibres["TARGETID"])
    for arm in arms:
        if len(arm.flux) != rows:
            raise ReadError(f"{path}: {arm.name.upper()}_FLUX has {len(arm.flux)} rows and FIBERMAP {rows}: fetch it again")
    scores = {}
    if "SCORES" in found and found["SCORES"].get("NAXIS2") == rows:
        scores = columns(path, data, found["SCORES"], [key for _, keys, _ in SCORES for key in keys])
    about = {**_described(fibres, KEYS, rows), **_described(scores, SCORES, rows)}
    primary = Header(path, data, 0)
    for name, key in (("survey", "SURVEY"), ("program", "PROGRAM"), ("group", "SPGRP")):
        about[name] = [str(primary.get(key, ""))] * rows
    return Contents(primary, fibres["TARGETID"].astype(np.int64), about, arms)


def _what_else(found: Mapping[str, Header]) -> str:
    names = ", ".join(name for name in found if name) or "nothing but a primary HDU"
    if "REDSHIFTS" in found or "ZBEST" in found:
        return ("is a DESI catalogue of redshifts (redrock or zbest), without spectra: give the file whose name begins "
                "with coadd- or spectra- beside it")
    if {"FLUX", "IVAR", "FIBERMAP"} <= found.keys():
        return ("is a DESI frame, one arm of one exposure: give a file whose name begins with coadd- or spectra-")
    if "FIBERMAP" not in found and any(PARTS.fullmatch(name) for name in found):
        return (f"lacks the table FIBERMAP, which says which star each row is: fetch it again; this file holds {names}")
    return (f"holds no DESI spectra: they have a table FIBERMAP and images such as B_WAVELENGTH and B_FLUX; "
            f"this file holds {names}")


def _arm(path: Path, data: bytes, found: Mapping[str, Header], name: str) -> Arm:
    for part in ("WAVELENGTH", "FLUX", "IVAR"):
        if f"{name}_{part}" not in found:
            raise ReadError(f"{path}: {name}_{part} is missing, and other HDUs of that arm are there: does the file break "
                            "off? Fetch it again")
    start, count = _placed(path, data, found[f"{name}_WAVELENGTH"], name)
    flux = image(path, data, found[f"{name}_FLUX"])
    if flux.ndim != 2 or flux.shape[1] != count:
        raise ReadError(f"{path}: {name}_FLUX has the shape {flux.shape} and {name}_WAVELENGTH {count} pixels: fetch it "
                        "again")
    factor = _factor(path, found, name)
    ivar = image(path, data, found[f"{name}_IVAR"])
    mask, clear = _mask(path, data, found.get(f"{name}_MASK"))
    resolution = image(path, data, found[f"{name}_RESOLUTION"]) if f"{name}_RESOLUTION" in found else None
    shapes = {"IVAR": ivar.shape, "MASK": flux.shape if mask is None else mask.shape}
    if resolution is not None:
        shapes["RESOLUTION"] = (resolution.shape[0], *resolution.shape[2:])
    for part, shape in shapes.items():
        if shape != flux.shape:
            raise ReadError(f"{path}: {name}_{part} has the shape {shape}, {name}_FLUX {flux.shape}: fetch it again")
    return Arm(name.lower(), start, flux, ivar, mask, clear, resolution, factor)


def _placed(path: Path, data: bytes, header: Header, name: str) -> tuple[int, int]:
    wave = image(path, data, header).astype(np.float64)
    unit = str(header.get("BUNIT", "Angstrom")).strip().lower()
    if unit not in ("angstrom", "angstroms", "aa", "0.1 nm") or str(header.get("AIRORVAC", "vac")).lower()[:3] != "vac":
        raise ReadError(f"{path}: {name}_WAVELENGTH is in {header.get('BUNIT')!r}, {header.get('AIRORVAC', 'vacuum')}; DESI "
                        f"gives vacuum Angstrom. {_YOURSELF}")
    if wave.ndim != 1 or len(wave) < 2 or not np.isfinite(wave).all():
        raise ReadError(f"{path}: {name}_WAVELENGTH has the shape {wave.shape}, or numbers that are none: fetch it again")
    for medium, given in (("", wave), ("in air", to_vacuum(np.clip(wave, 2000, None)))):
        start = round((given[0] - FIRST) / STEP)
        if 0 <= start <= PIXELS - len(wave) and np.abs(given - GRID[start: start + len(wave)]).max() <= TOLERANCE:
            if medium:
                raise ReadError(f"{path}: {name}_WAVELENGTH is in air; DESI gives vacuum. Read the file with specutils and "
                                'set meta["medium"] = "air"')
            return start, len(wave)
    raise ReadError(f"{path}: {name}_WAVELENGTH runs from {wave[0]:.2f} to {wave[-1]:.2f} in steps of "
                    f"{wave[1] - wave[0]:.3f} to {wave[-1] - wave[-2]:.3f} Angstrom, which are not DESI's pixels "
                    f"({FIRST:.0f} + {STEP} * i, {PIXELS} of them). {_YOURSELF}")


_YOURSELF = "Read the file with specutils and hand each Spectrum over: it is resampled then"


def _factor(path: Path, found: Mapping[str, Header], name: str) -> float:
    given = found[f"{name}_FLUX"].get("BUNIT")
    factor = None if given is None else flux_factor(str(given))
    if factor is None:
        raise ReadError(f"{path}: {name}_FLUX has BUNIT = {given!r}, and a flux per Angstrom is needed, such as "
                        f"'10**-17 erg/(s cm2 Angstrom)'. {_YOURSELF}")
    spread = found[f"{name}_IVAR"].get("BUNIT")
    squared = None if spread is None else ivar_factor(str(spread))
    if spread is not None and (squared is None or not np.isclose(squared * factor**2, 1, rtol=1e-6)):
        raise ReadError(f"{path}: {name}_IVAR has BUNIT = {spread!r}, which is not that of {name}_FLUX ({given!r}) to the "
                        f"power of -2. {_YOURSELF}")
    return factor


def _mask(path: Path, data: bytes, header: Header | None) -> tuple[np.ndarray | PackedRows | None, int]:
    """View a mask, which FITS stores with an offset to be unsigned; with the number that means no bit is set."""
    if header is None:
        return None, 0
    packed = header.get("ZIMAGE") is True
    bits, zero, scale = header.get("ZBITPIX" if packed else "BITPIX"), header.get("BZERO", 0), header.get("BSCALE", 1)
    if bits not in (8, 16, 32, 64) or scale != 1 or zero not in (0, 2 ** (bits - 1)):
        raise ReadError(f"{path}: {header.get('EXTNAME')} holds no whole numbers (BITPIX {bits}, BSCALE {scale}, BZERO "
                        f"{zero}), which a mask is made of: fetch it again")
    if packed:
        return PackedRows(path, data, header), -int(zero)
    if header.get("XTENSION") != "IMAGE":
        raise ReadError(f"{path}: {header.get('EXTNAME')} is no image: fetch it again")
    shape = [header.number(f"NAXIS{k}") for k in range(min(header.number("NAXIS"), 9), 0, -1)]
    return array(path, data, header.stop, DTYPES[bits], prod(shape)).reshape(shape), -int(zero)


def _described(table: Mapping[str, np.ndarray], keys: tuple, rows: int) -> dict[str, list]:
    about = {}
    for name, candidates, kind in keys:
        values = next((table[key] for key in candidates if key in table), None)
        if values is None or values.ndim != 1 or (kind is str) != (values.dtype.kind == "S"):
            about[name] = [MISSING[kind]] * rows
        elif kind is int:
            about[name] = [int(value) if np.isfinite(value) else MISSING[int] for value in values.tolist()]
        else:
            about[name] = texts(values) if kind is str else [float(value) for value in values.tolist()]
    return about
