"""The units of flux as the two surveys spell them."""

from __future__ import annotations

import re
from functools import lru_cache

from astropy import units as u

#: unit of the fluxes of both surveys
FLUX = u.Unit("1e-17 erg s-1 cm-2 AA-1")


@lru_cache(maxsize=256)
def flux_factor(spelling: str) -> float | None:
    """Give what a flux in this unit is multiplied by to be in 1e-17 erg s-1 cm-2 Angstrom-1.

    Parameters
    ----------
    spelling : str
        ``BUNIT`` as it stands in the header, such as ``10**-17 erg/(s cm2 Angstrom)`` (DESI), ``1E-17 erg/cm^2/s/Ang``
        (SDSS) or ``1.0E-17 erg/cm/s/Ang`` (SDSS-I and -II, whose square centimetres lost their square).

    Returns
    -------
    float or None
        None where it is no flux density per wavelength, or cannot be read.
    """
    return _factor(spelling, FLUX)


@lru_cache(maxsize=256)
def ivar_factor(spelling: str) -> float | None:
    """Give what an inverse variance in this unit is multiplied by; see `flux_factor`."""
    return _factor(spelling, FLUX**-2)


def _factor(spelling: str, unit: u.UnitBase) -> float | None:
    text = re.sub(r"\bang(strom)?s?\b", "Angstrom", spelling.strip(), flags=re.IGNORECASE).replace("ergs", "erg")
    text = re.sub(r"\b10(\*\*|\^)([+-]?\d+)", r"1e\2", text).replace("/cm/s/", "/cm2/s/")
    if text.count("/") > 1 and "(" not in text:  # a/b/c/d, which standards discourage, is a/(b c d)
        above, *below = text.replace("^", "").split("/")
        text = f"{above}/({' '.join(below)})"
    try:
        given = u.Unit(text)
        if not isinstance(given, u.UnitBase):
            return None
        factor = float(given.to(unit)) if given.is_equivalent(unit) else None
        if factor is None or not 1e-100 < factor < 1e100:
            return None
        return 1.0 if abs(factor - 1) < 1e-12 else factor
    except (ValueError, TypeError, ArithmeticError, u.UnitConversionError):
        return None
