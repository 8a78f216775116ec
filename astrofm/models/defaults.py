"""The models that answer where none is named."""

from __future__ import annotations

from typing import Any

from ..errors import AstrofmError
from .inputs import is_path

#: of spectra, and of light curves
SPECTRA, LIGHT_CURVES = "stellar-tiny", "variable-tiny"
#: how the command line tells it
TOLD = f"{SPECTRA}, or {LIGHT_CURVES} for light curves"


def default_model(data: Any) -> str:
    """Name the shipped model for a star, or for files, by the first that an instrument claims."""
    from astropy.timeseries import TimeSeries

    from ..interfaces import LightCurveInstrument
    from ..registry import get_instrument, identify

    if isinstance(data, TimeSeries):
        return LIGHT_CURVES
    for path in [data] if is_path(data) else data if isinstance(data, (list, tuple)) else ():
        try:
            light_curves = isinstance(get_instrument(identify(path)), LightCurveInstrument)
        except (AstrofmError, OSError):
            continue
        return LIGHT_CURVES if light_curves else SPECTRA
    return SPECTRA
