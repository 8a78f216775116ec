"""SpectraFM's published weights as our model."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from astrofm.errors import ModelFileError
from astrofm.models import Model
from astrofm.models.card import describe_instrument
from astrofm.nn.pixels import PixelTokens

from ..perceptron import Published, read_folder

CITATION = "Koblischke & Bovy 2024, arXiv:2411.04750 (SpectraFM); weights: Zenodo 14041360"
#: name of a pixel in the vocabulary; what is no pixel is a label
PIXEL = re.compile(r"syn_apogee(\d+)")
#: pixels of the published model: those that ASPCAP fits
PUBLISHED = 7514
#: range that wavelength is encoded over (Angstrom)
ENCODED = (15000.0, 17000.0)
UNITS = {"teff": ("K", "effective temperature"), "logg": ("dex", "log10 of the surface gravity in cm/s2"),
         "fe_h": ("dex", "iron over hydrogen relative to the Sun"), "o_fe": ("dex", "oxygen over iron relative to the Sun"),
         "mg_fe": ("dex", "magnesium over iron relative to the Sun")}


def import_weights(path: str | os.PathLike, *, wavelength: Sequence[float] | None = None,
                   limits: Sequence[float] | None = None) -> Model:
    """Make a model of a folder of SpectraFM's.

    Parameters
    ----------
    path : path
        With ``config.json``, ``weights.pt`` and ``embed_map.npz``. Nothing in it is run.
    wavelength : sequence of float, optional
        Of its pixels (vacuum Angstrom); the published 7514 of APOGEE are known. The model then takes batches and spectra of
        these pixels, and any others that have one near each of them.
    limits : sequence of two floats, optional
        Flux beyond them is taken for absent. The authors' code takes what it is given; their training data were cut to
        ``(0.05, 1.2)``.

    Returns
    -------
    Model
        Its weights are the checkpoint's to the last bit, and it computes in float32 unless `Model.to` asks for bfloat16. The
        weights come without a licence: do not pass them on.

    Raises
    ------
    ModelFileError
        Another model's folder, or a damaged one; a tensor missing, unknown or of another shape; pixels of unknown
        wavelength.
    """
    found = read_folder(Path(path))
    pixel_rows, label_rows = _rows(found)
    wave = _wavelength(found, wavelength, len(pixel_rows))
    pixel_row = _shared_row(found, pixel_rows, label_rows)
    names = {row: name.lower() for row, name in zip(found.rows.tolist(), found.names, strict=True)}
    labels = [{"name": names[row], "unit": UNITS.get(names[row], ("", ""))[0],
               "description": UNITS.get(names[row], ("", ""))[1] or names[row], **found.scale(row)} for row in label_rows]
    encoder = PixelTokens(asked=[label["name"] for label in labels], absent="token", pixels=len(pixel_rows),
                          rows=len(found.centre), pixel_row=pixel_row, label_row=int(label_rows[0]),
                          limits=limits, wavelengths=ENCODED, instruments=["apogee"], exact=True, **found.encoder_arguments())
    aligner, head = found.decoder(labels)
    found.fill(encoder, aligner, head, {
        "encoder.pixel_wavelength": torch.as_tensor(wave, dtype=torch.float64),
        "encoder.pixel_centre": torch.as_tensor(found.centre[pixel_rows], dtype=torch.float32),
        "encoder.pixel_spread": torch.as_tensor(found.spread[pixel_rows], dtype=torch.float32)})
    described = describe_instrument("apogee")
    del described["grid"]  # the encoder looks for its own pixels, on any grid
    return Model(encoder, aligner, {"labels": head}, card={
        "name": "spectrafm", "instruments": {"apogee": described}, "license": "", "citation": CITATION,
        "summary": "labels of giants from any pixels of APOGEE spectra",
        "notes": "Imported weights of the authors, who gave them no licence: do not pass them on. Errors are theirs, too "
                 "small by factors of 1.3 to 3.6.",
        "wavelengths": [float(wave[0]), float(wave[-1])], "provenance": found.provenance("spectrafm")})


def _rows(found: Published) -> tuple[np.ndarray, np.ndarray]:
    """Give the rows of the pixels, in order, and of the labels, which must lie one after the other."""
    pixels = {int(hit[1]): row for name, row in zip(found.names, found.rows, strict=True) if (hit := PIXEL.fullmatch(name))}
    labels = [row for name, row in zip(found.names, found.rows, strict=True) if not PIXEL.fullmatch(name)]
    if sorted(pixels) != list(range(len(pixels))) or not pixels or not labels or np.any(np.diff(labels) != 1):
        raise ModelFileError(f"{found.folder}/config.json: its vocabulary has {len(pixels)} pixels and {len(labels)} labels, "
                             "which is no SpectraFM")
    return np.array([pixels[k] for k in range(len(pixels))]), np.array(labels)


def _wavelength(found: Published, given: Sequence[float] | None, count: int) -> np.ndarray:
    if given is None:
        from astrofm_apogee.grid import GRID, pixels_of

        if count != PUBLISHED:
            raise ModelFileError(f"{found.folder} has {count} pixels, not the {PUBLISHED} of APOGEE: say where they are, "
                                 "in Python, by astrofm_zoo.spectrafm.published.import_weights(path, wavelength=...)")
        given = GRID[pixels_of(count)]
    wave = np.asarray(given, float)
    if wave.shape != (count,) or not np.all(np.diff(wave) > 0):
        raise ModelFileError(f"{found.folder} has {count} pixels: give as many wavelengths, increasing, not {wave.shape}")
    return wave


def _shared_row(found: Published, pixel_rows: np.ndarray, label_rows: np.ndarray) -> int:
    """Give the row that all pixels share, from ``embed_map.npz``."""
    path = found.folder / "embed_map.npz"
    try:
        with np.load(path, allow_pickle=False) as file:
            told: dict[int, Any] = dict(zip(file["keys"].tolist(), file["values"].tolist(), strict=True))
        shared = {told[row] for row in pixel_rows.tolist()}
        others = {told[row] == row for row in (0, *label_rows.tolist())}
    except (OSError, ValueError, KeyError) as error:
        raise ModelFileError(f"{path}: the map of tokens to rows is missing or damaged ({error}): it is published beside "
                             "the weights") from error
    if len(shared) != 1 or others != {True}:
        raise ModelFileError(f"{path}: pixels have {len(shared)} rows, expected one for all, and labels their own")
    return int(shared.pop())
