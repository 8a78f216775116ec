"""APOGEE near-infrared spectra for astrofm."""

from astrofm import Card, hookimpl


@hookimpl
def astrofm_instruments() -> list[Card]:
    """Offer the APOGEE spectrographs."""
    return [
        Card(
            name="apogee",
            target="astrofm_apogee.instrument:Apogee",
            summary="APOGEE spectra, R about 22,500, 1.51-1.70 micron: visits, stars, ASPCAP, SDSS-V",
            reference="2017AJ....154...94M",
            license="BSD-3-Clause",
            formats=("APOGEE",),
        )
    ]
