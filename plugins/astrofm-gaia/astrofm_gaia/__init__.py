"""Gaia BP/RP spectra for astrofm."""

from astrofm import Card, hookimpl


@hookimpl
def astrofm_instruments() -> list[Card]:
    """Offer the Gaia XP instrument."""
    return [
        Card(
            name="gaia-xp",
            target="astrofm_gaia.instrument:GaiaXP",
            summary="Gaia BP/RP (XP) spectra, continuous or sampled, 336-1020 nm in 2 nm",
            reference="2023A&A...674A...2D",
            license="BSD-3-Clause",
            formats=("Gaia XP",),
        )
    ]
