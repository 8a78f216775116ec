"""Which of APOGEE's products a file is, said by its headers; and the refusal, in words, of those that are none."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from astrofm.data.fitsfile import Header
from astrofm.errors import ReadError

from .grid import CHIPS, FIRST, PIXELS, STEP

TELESCOPES = ("apo25m", "apo1m", "lco25m")


def product_of(path: Path, found: list[Header]) -> str:
    """Say which product a file is by its headers: apVisit, apStar, aspcapStar or mwm.

    Raises
    ------
    ReadError
        If it is none of them: a catalogue, another survey's, or of another shape.
    """
    primary = found[0]
    if "V_ASTRA" in primary and "SDSS_ID" in primary:
        return "mwm"
    if len(found) < 2:
        raise ReadError(f"{path} is no APOGEE spectrum: it has one HDU; apVisit, apStar and aspcapStar files have 5 or more")
    first = found[1]
    if first.get("XTENSION") == "BINTABLE":
        what = ("is a catalogue of APOGEE's (allStar, allVisit or apField), no spectrum: use astropy.table.Table.read"
                if is_catalogue(first) else "is no APOGEE spectrum: its first extension is a table")
        raise ReadError(f"{path} {what}")
    shape = tuple(first.get(f"NAXIS{k}", 1) for k in (1, 2))
    if shape[0] in (2048, 4096) and shape[1] == 3:
        if not is_apogee(primary):
            raise ReadError(f"{path} is no APOGEE spectrum: TELESCOP is {primary.get('TELESCOP')!r}")
        product, need = "apVisit", 5
    elif shape[0] == PIXELS and first.get("NAXIS", 0) in (1, 2):
        check_lattice(path, first.get("CRVAL1"), first.get("CDELT1"), first.get("CRPIX1", 1))
        product, need = "apStar" if len(found) > 3 and found[3].get("BITPIX", 0) > 0 else "aspcapStar", 4
        if product == "aspcapStar" and len(found) > 4 and found[4].get("XTENSION") == "IMAGE" and not is_aspcap(primary):
            raise ReadError(f"{path}: an apStar file has its mask, whole numbers, in HDU 3, and an aspcapStar file ASPCAP's "
                            "table in HDU 4; this one has neither. If it is an apStar file, its mask is missing: fetch it "
                            "again")
    elif is_apogee(primary) or is_aspcap(primary):
        advice = ("Hand over its arrays, put on the whole lattice by astrofm_apogee.grid.expand" if shape[0] in CHIPS else
                  "Is it an intermediate product of the pipeline?")
        raise ReadError(f"{path}: its first image has {shape[0]} x {shape[1]} pixels; apVisit has 4096 x 3, apStar and "
                        f"aspcapStar have {PIXELS} a row. {advice}")
    else:
        raise ReadError(f"{path} is no APOGEE spectrum: TELESCOP is {primary.get('TELESCOP')!r}")
    if len(found) < need:
        raise ReadError(f"{path}: {product} files have {need} HDUs or more, this one has {len(found)}: fetch it again")
    _check_vacuum(path, primary, first)
    return product


def is_apogee(primary: Any) -> bool:
    """Say whether a primary header (anything with ``get``) names the survey or one of its telescopes."""
    word = str(primary.get("TELESCOP", "")).strip().lower()
    return word in TELESCOPES or str(primary.get("SURVEY", "")).strip().lower().startswith("apogee")


def is_aspcap(primary: Any) -> bool:
    """Say whether a primary header is that of ASPCAP's own files, which name no telescope."""
    return "FERRE" in primary and "SPECLIB" in primary


def is_catalogue(first: Header) -> bool:
    """Say whether the header of a table is that of a catalogue of APOGEE's."""
    return any(first.get(f"TTYPE{k}") == "APOGEE_ID" for k in range(1, 30))


def check_lattice(path: Path, first: Any, step: Any, pixel: Any = 1) -> None:
    """Refuse wavelengths that are not on the lattice.

    Raises
    ------
    ReadError
        If ``first`` and ``step`` are not its own.
    """
    numbers = all(isinstance(value, (int, float)) for value in (first, step, pixel))
    if not numbers or abs(first - FIRST) > 0.02 * STEP or abs(step - STEP) * PIXELS > 0.02 * STEP or pixel != 1:
        raise ReadError(f"{path}: its wavelengths start at {first} and step by {step} (log10); APOGEE's {PIXELS} pixels "
                        f"start at {FIRST} and step by {STEP}")


def _check_vacuum(path: Path, *found: Header) -> None:
    for header in found:
        said = [str(header.get(key, "")) for key in ("AIRORVAC", "CUNIT1", "CTYPE1")]
        if header.get("VACUUM", True) is not True or any(word.lower().startswith(("air", "awav")) for word in said):
            raise ReadError(f"{path}: the header says that its wavelengths are in air; APOGEE publishes vacuum wavelengths. "
                            'Read it yourself and set meta["medium"] = "air"')
