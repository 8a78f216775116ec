"""What a file says about its star, as plain scalars under the same names for every product."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from math import isfinite
from typing import Any

import numpy as np

#: asks one place for a keyword; None where it does not know
Source = Callable[[str], Any]

#: our name, the survey's keywords in order of preference (header, then tables), and the type
KEYS = (("ra", ("RA",), float), ("dec", ("DEC",), float), ("j", ("J", "JMAG", "J_MAG"), float),
        ("h", ("H", "HMAG", "H_MAG"), float), ("k", ("K", "KMAG", "K_MAG"), float), ("snr", ("SNR",), float),
        ("vhelio", ("VHELIO", "VHELIO_AVG", "V_RAD"), float), ("verr", ("VERR", "VRADERR", "VRELERR", "E_V_RAD"), float),
        ("vscatter", ("VSCATTER", "STD_V_RAD"), float), ("bc", ("BC",), float),
        ("starflag", ("STARFLAG", "SPECTRUM_FLAGS"), int), ("andflag", ("ANDFLAG",), int),
        ("n_visits", ("NVISITS", "N_VISITS"), int), ("telescope", ("TELESCOP", "TELESCOPE"), str), ("field", ("FIELD",), str),
        ("location", ("LOCID", "LOCATION_ID"), int), ("plate", ("PLATE",), str), ("mjd", ("MJD5", "MJD"), int),
        ("fibre", ("FIBERID", "FIBER"), int), ("pipeline", ("V_APRED", "APRED", "RED_VERS"), str))
NAMES = ("OBJID", "APOGEE_ID", "OBJ", "APOGEEID")
MISSING = {float: np.nan, str: "", int: -1}
#: the survey's word for unknown; magnitudes of 99 mean the same
UNKNOWN, NO_MAGNITUDE = -9999, 99
#: columns of tables that `describe` and `parameters` ask for
COLUMNS = frozenset((*NAMES, *(word for _, words, _ in KEYS for word in words), "ASPCAPFLAG", "PARAM", "FPARAM"))
#: what ASPCAP fits, in the order of PARAM and FPARAM (DR12 has the first seven)
PARAMETERS = ("teff", "logg", "log10_vmic", "m_h", "c_m", "n_m", "alpha_m", "log10_vsini", "o_m")


def of_row(columns: Mapping[str, np.ndarray], row: int) -> Source:
    """Make a source of one row of a table's columns."""
    def get(key: str) -> Any:
        if key not in columns:
            return None
        value = columns[key][row]
        if isinstance(value, bytes):
            return value.decode("ascii", "replace").strip()
        return value.item() if value.ndim == 0 else value

    return get


def describe(*sources: Source) -> dict[str, Any]:
    """Collect the star's identifier and `KEYS` from the first source that knows each.

    Returns
    -------
    dict
        ``id`` is "" where nothing names the star. Unknown numbers are NaN, unknown integers -1, unknown words "".
    """
    found: dict[str, Any] = {"id": str(_first(NAMES, sources) or "").strip()}
    for key, words, kind in KEYS:
        found[key] = convert(_first(words, sources), kind)
        if key in "jhk" and found[key] >= NO_MAGNITUDE:
            found[key] = np.nan
    return found


def convert(value: Any, kind: type) -> Any:
    """Make a plain number or word of what a file says; `MISSING` where it says nothing, or -9999."""
    try:
        if value is None or value == UNKNOWN or (kind is not str and not isfinite(value)):
            return MISSING[kind]
        return str(value).strip() if kind is str else kind(value)
    except (TypeError, ValueError):
        return MISSING[kind]


def parameters(row: Source) -> dict[str, Any]:
    """Collect what ASPCAP measured: ``aspcap_teff`` (calibrated), ``aspcap_raw_teff`` (as fitted), the flag, and so on."""
    found: dict[str, Any] = {"aspcapflag": convert(row("ASPCAPFLAG"), int)}
    for prefix, column in (("aspcap", "PARAM"), ("aspcap_raw", "FPARAM")):
        fitted = row(column)
        fitted = [] if fitted is None else np.ravel(fitted).tolist()
        for place, name in enumerate(PARAMETERS):
            found[f"{prefix}_{name}"] = convert(fitted[place], float) if place < len(fitted) else np.nan
    return found


def _first(words: tuple[str, ...], sources: tuple[Source, ...]) -> Any:
    for source in sources:
        for word in words:
            value = source(word)
            if value is not None and not (isinstance(value, str) and not value.strip()):
                return value
    return None
