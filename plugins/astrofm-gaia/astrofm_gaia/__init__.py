"""Gaia BP/RP spectra and epoch photometry for astrofm."""

from astrofm import Card, hookimpl


@hookimpl
def astrofm_instruments() -> list[Card]:
    """Offer Gaia's spectra and light curves."""
    return [
        Card(
            name="gaia-xp",
            target="astrofm_gaia.instrument:GaiaXP",
            summary="Gaia BP/RP (XP) spectra, continuous or sampled, 336-1020 nm in 2 nm",
            reference="2023A&A...674A...2D",
            license="BSD-3-Clause",
            formats=("Gaia XP",),
        ),
        Card(
            name="gaia-epoch",
            target="astrofm_gaia.epoch:GaiaEpoch",
            summary="Gaia epoch photometry in G, BP and RP: light curves of DR3",
            reference="2023A&A...674A...1G",
            license="BSD-3-Clause",
        ),
    ]
