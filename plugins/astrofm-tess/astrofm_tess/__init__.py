"""TESS and Kepler light curves for astrofm."""

from astrofm import Card, hookimpl


@hookimpl
def astrofm_instruments() -> list[Card]:
    """Offer the two photometers."""
    return [
        Card("tess", "astrofm_tess.instrument:Tess", "TESS light curves of SPOC, TESS-SPOC and QLP, 600-1000 nm",
             "2015JATIS...1a4003R", "BSD-3-Clause"),
        Card("kepler", "astrofm_tess.instrument:Kepler", "Kepler and K2 light curves, 420-900 nm", "2010Sci...327..977B",
             "BSD-3-Clause"),
    ]
