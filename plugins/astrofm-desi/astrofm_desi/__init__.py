"""DESI spectra and SDSS optical spectra for astrofm."""

from astrofm import Card, hookimpl


@hookimpl
def astrofm_instruments() -> list[Card]:
    """Offer the spectrographs of DESI and the optical ones of SDSS."""
    return [
        Card(
            name="desi",
            target="astrofm_desi.instrument:Desi",
            summary="DESI spectra, arms b, r and z joined, R 2400-5200, 3600-9824 Angstrom, coadds and exposures",
            reference="2022AJ....164..207D",
            license="BSD-3-Clause",
            formats=("DESI stars",),
        ),
        Card(
            name="sdss-optical",
            target="astrofm_desi.sdss:SdssOptical",
            summary="SDSS, SEGUE, BOSS, eBOSS and SDSS-V optical spectra, R about 2000, 3600-10400 Angstrom",
            reference="2013AJ....146...32S",
            license="BSD-3-Clause",
            formats=("SDSS optical",),
        ),
    ]
