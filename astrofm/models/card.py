"""What a model's card says, filled in from its parts so that it can't disagree with them."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import numpy as np

from ..errors import DataError, ModelFileError
from .card_text import FORMAT, card_text

#: smallest median signal-to-noise ratio a pixel that is not flagged, where the card gives none
SNR_LIMIT = 5.0
#: texts that every card has, empty where nothing was said
TEXTS = ("license", "citation", "notes", "summary")


def complete(card: Mapping[str, Any], parts: Any) -> dict[str, Any]:
    """Fill in a card from the parts: format version, names, constructor arguments, labels and grids.

    Parameters
    ----------
    card : mapping
        At least ``name``. ``instruments`` may be a list of registered names: their grids are looked up.
    parts : Parts

    Raises
    ------
    ModelFileError
        No name; something that is not JSON; two heads with a label of the same name.
    """
    if not str(card.get("name", "")):
        raise ModelFileError("the card has no 'name': give the model one, such as card={'name': 'my-model'}")
    labels = [asdict(label) for head in parts.heads.values() for label in head.labels]
    labels = [{key: value for key, value in label.items() if key != "parents" or value} for label in labels]
    names = [label["name"] for label in labels]
    for name in names:
        if names.count(name) > 1:
            raise ModelFileError(f"two heads read a label named {name!r}: give each label one head")
    instruments = card.get("instruments", {})
    if not isinstance(instruments, Mapping):
        instruments = {name: describe_instrument(name) for name in instruments}
    full = {**{key: "" for key in TEXTS}, "calibration": {}, "familiarity": {}, "provenance": {}, **card,
            "format": FORMAT, "instruments": dict(instruments), "labels": labels,
            "parts": {"encoder": _part(parts.encoder), "aligner": _part(parts.aligner),
                      "heads": {name: _part(head) for name, head in parts.heads.items()}}}
    card_text(full)
    return full


def _part(module: Any) -> dict[str, Any]:
    if not module.name:
        raise ModelFileError(f"{type(module).__name__} has no registered name: set its `name`, and offer it as a card")
    return {"name": module.name, "arguments": dict(module.arguments)}


def describe_grid(wavelength: np.ndarray) -> dict[str, Any]:
    """Describe a grid exactly.

    Parameters
    ----------
    wavelength : ndarray, shape ``(p,)``
        Vacuum Angstrom.

    Returns
    -------
    dict
        ``n``, ``start`` and ``stop`` (Angstrom), and ``sha256`` of the little-endian float64 array.
    """
    wavelength = np.ascontiguousarray(wavelength, "<f8")
    return {"n": len(wavelength), "start": float(wavelength[0]), "stop": float(wavelength[-1]),
            "sha256": hashlib.sha256(wavelength.tobytes()).hexdigest()}


def describe_instrument(name: str) -> dict[str, Any]:
    """Describe an installed instrument as a card names it: grid, unit, calibration and medium."""
    from ..registry import get_instrument

    instrument = get_instrument(name)
    wavelength = getattr(instrument, "wavelength", None)
    if wavelength is None:
        return {"normalisation": "none"}
    return {"grid": describe_grid(wavelength()), "unit": instrument.unit.to_string(),
            "calibration": instrument.calibration, "medium": instrument.medium,
            "normalisation": "by the encoder"}


def check_instrument(card: Mapping[str, Any], encoder: Any, instrument: str, coordinate: np.ndarray) -> None:
    """Check that a batch is what the model was made for.

    Raises
    ------
    DataError
        The encoder is made for some instruments, and this is another one or on another grid.
    """
    if encoder.instruments is None:
        return
    if instrument not in encoder.instruments:
        raise DataError(f"model {card['name']!r} takes {', '.join(encoder.instruments)}, not {instrument!r}: choose "
                        "another model, see `astrofm models`")
    grid = card["instruments"].get(instrument, {}).get("grid")
    if grid and coordinate.ndim == 1 and describe_grid(coordinate) != grid:
        raise DataError(f"the batch of {instrument!r} has {len(coordinate)} wavelengths, {coordinate[0]:.1f}-"
                        f"{coordinate[-1]:.1f} Angstrom, and model {card['name']!r} was trained on {grid['n']}, "
                        f"{grid['start']:.1f}-{grid['stop']:.1f}: {_how_to_get(instrument, grid)}")


def _how_to_get(name: str, grid: Mapping[str, Any]) -> str:
    """Say how a batch gets on the grid that a model was trained on."""
    from ..registry import cards, get_instrument

    instrument = get_instrument(name) if name in cards("instruments") else None
    if instrument is None or describe_grid(instrument.wavelength()) != grid:
        return "is another version of the plugin installed?"
    arrays = f", or put the arrays on them by {instrument.from_arrays}" if instrument.from_arrays else ""
    return f"hand over files or Spectrum objects, which are sampled at these{arrays}"


def by_instrument(entry: Any, instrument: str, default: Any) -> Any:
    """Look up what a card says about an instrument: a plain number, or a mapping with ``*`` for the others."""
    if isinstance(entry, Mapping):
        return entry.get(instrument, entry.get("*", default))
    return default if entry is None else entry


def error_scale(card: Mapping[str, Any], instrument: str, label: str) -> float:
    """Give the factor that calibrates the errors of a label for an instrument; 1 where the card has none."""
    calibration = card.get("calibration", {})
    for key in (instrument, "*"):
        if label in calibration.get(key, {}):
            return float(calibration[key][label])
    return 1.0


def names_of(flags: Mapping[str, np.ndarray], n: int) -> np.ndarray:
    """Join the names of the flags that are set in each of ``n`` rows by commas."""
    joined = np.full(n, "", dtype="U1")
    for name, rows in flags.items():
        if np.any(rows):
            joined = np.where(rows, np.char.add(joined, f",{name}"), joined)
    return np.char.lstrip(joined, ",")
