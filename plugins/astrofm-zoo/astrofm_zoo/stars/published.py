"""Leung & Bovy's published weights as our model."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

from astrofm.models import Model
from astrofm.nn.quantities import NamedQuantities

from ..perceptron import read_folder

CITATION = ("Leung & Bovy 2023, MNRAS 527, 1494 (arXiv:2308.10944); weights: github.com/henrysky/astroNN_stars_foundation, "
            "data: Zenodo 12738256")
#: (pattern, unit, meaning) of the published names
MEANINGS = (
    (r"bp(\d+)", "", "Gaia XP coefficient {0} of BP over the flux in G (zero point 25.6873668671)"),
    (r"rp(\d+)", "", "Gaia XP coefficient {0} of RP over the flux in G (zero point 25.6873668671)"),
    ("bprp", "mag", "colour BP - RP"), ("jh", "mag", "colour J - H"), ("jk", "mag", "colour J - Ks"),
    ("teff", "K", "effective temperature"), ("logg", "dex", "log10 of the surface gravity in cm/s2"),
    ("m_h", "dex", "metallicity relative to the Sun"), ("logebv", "", "natural logarithm of the reddening E(B-V) in mag"),
    ("g_fakemag", "mas", "parallax times 10^(G/5): the flux in G seen from a parallax of 1 mas, to the half"),
)
#: those that are read by default
LABELS = ("teff", "logg", "m_h", "logebv", "g_fakemag")


def import_weights(path: str | os.PathLike) -> Model:
    """Make a model of the folder ``model_torch`` of Leung & Bovy 2023.

    Parameters
    ----------
    path : path
        The folder, with ``config.json`` and ``weights.pt``. Nothing in it is run.

    Returns
    -------
    Model
        Its weights are the checkpoint's to the last bit. Ask it by `Model.request`.

    Raises
    ------
    ModelFileError
        Another model's folder, or a damaged one; a tensor missing, unknown or of another shape.
    """
    found = read_folder(Path(path))
    names = dict(sorted(zip(found.rows.tolist(), found.names, strict=True)))
    quantities = [{"name": name, **_meaning(name), **found.scale(row)} for row, name in names.items()]
    asked = [name for name in LABELS if name in found.names] or [names[1]]
    labels = [dict(one) for name in asked for one in quantities if one["name"] == name]
    encoder = NamedQuantities(quantities=quantities, asked=asked, **found.encoder_arguments())
    aligner, head = found.decoder(labels)
    found.fill(encoder, aligner, head)
    return Model(encoder, aligner, {"labels": head}, card={
        "name": "stars", "instruments": {}, "license": "MIT", "citation": CITATION,
        "summary": "any of 118 named quantities of a star from any others: XP coefficients, colours, labels, extinction",
        "notes": "Imported weights of the authors. Their errors are not calibrated.",
        "provenance": found.provenance("stars")})


def _meaning(name: str) -> dict[str, Any]:
    for pattern, unit, text in MEANINGS:
        if hit := re.fullmatch(pattern, name):
            return {"unit": unit, "description": text.format(*hit.groups())}
    return {"unit": "", "description": name}
