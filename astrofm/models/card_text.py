"""The card of a model file: plain JSON that says what the model is, checked before anything is read out of it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..errors import ModelFileError
from .foreign import IMPORT

#: version of the file format that this astrofm writes, and the only one it reads
FORMAT = 1
#: longest card, in bytes of JSON
CARD_LIMIT = 4_000_000
#: what every card holds, and of which type
REQUIRED = {"format": int, "name": str, "parts": dict, "labels": list, "instruments": dict, "license": str,
            "citation": str, "notes": str}
#: what a card may hold besides, and of which type
OPTIONAL = {"calibration": dict, "familiarity": dict, "provenance": dict, "wavelengths": list, "summary": str}


def check_card(path: Path, header: Mapping[str, Any]) -> dict[str, Any]:
    """Take the card out of a safetensors header and check that it is complete."""
    metadata = header.get("__metadata__")
    text = metadata.get("astrofm") if isinstance(metadata, dict) else None
    if not isinstance(text, str):
        raise ModelFileError(f"{path} is a safetensors file without an astrofm card: if it holds published weights, "
                             f"{IMPORT.format(path=path)}")
    if len(text) > CARD_LIMIT:
        raise ModelFileError(f"{path}: the card is {len(text):,} characters long, the limit is {CARD_LIMIT:,}: "
                             "this is no model that astrofm wrote")
    try:
        card = json.loads(text)
    except (json.JSONDecodeError, RecursionError) as error:
        raise ModelFileError(f"{path}: the card is no JSON ({error}): the file was altered, get it again") from error
    if not isinstance(card, dict):
        raise ModelFileError(f"{path}: the card is a JSON {type(card).__name__}, not an object")
    version = card.get("format")
    if version != FORMAT:
        newer = isinstance(version, int) and version > FORMAT
        todo = "upgrade: pip install -U astrofm" if newer else "it is not a model that astrofm wrote"
        raise ModelFileError(f"{path} has format version {version!r}, this astrofm reads {FORMAT}: {todo}")
    for key, kind in REQUIRED.items():
        if not isinstance(card.get(key), kind):
            what = "has no" if key not in card else f"has a {type(card[key]).__name__} as"
            raise ModelFileError(f"{path}: the card {what} {key!r} (needed: {kind.__name__})")
    for key, kind in OPTIONAL.items():
        if key in card and not isinstance(card[key], kind):
            raise ModelFileError(f"{path}: the card has a {type(card[key]).__name__} as {key!r} (needed: {kind.__name__})")
    _check_parts(path, card["parts"])
    _check_entries(path, card)
    return card


def _check_entries(path: Path, card: Mapping[str, Any]) -> None:
    """Check what the verbs will read out of the card."""
    for label in card["labels"]:
        if not (isinstance(label, dict) and isinstance(label.get("name"), str)):
            raise ModelFileError(f"{path}: one of the card's labels has no name")
    for where in ("instruments", "calibration"):
        for name, entry in card.get(where, {}).items():
            if not isinstance(entry, dict):
                raise ModelFileError(f"{path}: the card's {where} of {name!r} is a {type(entry).__name__}, not an object")
    every = [scale for scales in card.get("calibration", {}).values() for scale in scales.values()]
    numbers = [scale for scale in every if not isinstance(scale, dict)]
    for scale in every:
        if isinstance(scale, dict):
            numbers += _numbers_of(path, scale)
    numbers += card.get("wavelengths", [0, 0]) if len(card.get("wavelengths", [0, 0])) == 2 else [None]
    for number in numbers:
        if isinstance(number, bool) or not isinstance(number, (int, float)):
            raise ModelFileError(f"{path}: the card's calibration or wavelengths hold {number!r}: numbers are needed, "
                                 "two of them for wavelengths")


def _numbers_of(path: Path, entry: Mapping[str, Any]) -> list[Any]:
    """Give the numbers of what the card says about the probabilities of classes."""
    try:
        kept = [entry["sets"]["every"], entry["sets"]["few"], *entry["sets"]["classes"].values()]
        kept += [entry["distance"]] if "distance" in entry else []
        numbers = [entry["temperature"], *(one["stars"] for one in kept), *(x for one in kept for x in one["scores"])]
        good = entry["temperature"] > 0 and all(len(one["scores"]) == min(one["stars"], 200) for one in kept)
    except (TypeError, KeyError, AttributeError) as error:
        raise ModelFileError(f"{path}: the card's calibration of a class label lacks {error}: it was altered") from error
    if not good:
        raise ModelFileError(f"{path}: the card's calibration of a class label has scores of other stars: it was altered")
    return numbers


def _check_parts(path: Path, parts: Mapping[str, Any]) -> None:
    heads = parts.get("heads")
    if not isinstance(heads, dict):
        raise ModelFileError(f"{path}: the card's parts name no heads")
    for role, part in (("encoder", parts.get("encoder")), ("aligner", parts.get("aligner")), *heads.items()):
        if not (isinstance(part, dict) and isinstance(part.get("name"), str)
                and isinstance(part.get("arguments"), dict)):
            raise ModelFileError(f"{path}: the card's part {role!r} needs a registered name and arguments")


def card_text(card: Mapping[str, Any]) -> str:
    """Write a card as JSON; the same card gives the same text."""
    try:
        text = json.dumps(card, sort_keys=True, allow_nan=False, ensure_ascii=False)
    except (TypeError, ValueError) as error:
        raise ModelFileError(f"the card is not plain JSON: {error}") from error
    if len(text) > CARD_LIMIT:
        raise ModelFileError(f"the card is {len(text):,} characters long, the limit is {CARD_LIMIT:,}")
    return text
