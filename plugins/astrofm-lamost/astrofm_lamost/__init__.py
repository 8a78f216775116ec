"""LAMOST low-resolution spectra for astrofm."""

from astrofm import Card, hookimpl


@hookimpl
def astrofm_instruments() -> list[Card]:
    """Offer the LAMOST low-resolution spectrographs."""
    return [
        Card(
            name="lamost-lrs",
            target="astrofm_lamost.instrument:LamostLRS",
            summary="LAMOST low-resolution spectra, R about 1800, 3700-9100 Angstrom, all releases",
            reference="2012RAA....12.1197C",
            license="BSD-3-Clause",
            formats=("LAMOST LRS",),
        )
    ]
