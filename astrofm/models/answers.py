"""The columns of an answer: declared first, then filled row for row, then a table."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from astropy import units as u
from astropy.table import Column, QTable

from ..data import Batch
from ..data.buckets import used_lengths
from ..data.magnitudes import POGSON
from .card import by_instrument, error_scale, names_of
from .conformal import calibrated, chosen
from .pieces import Piece

NOT_READ, NO_PIXEL, UNLIKE, LOW_SNR = "not-read", "no-usable-pixel", "unlike-training-set", "low-snr"
#: flag of a star whose median flux is zero or below: its magnitudes are counted from its median error
NEGATIVE = "negative-flux"
#: flag of a spectrum most of whose pixels lie at wavelengths that the model was not trained on
ELSEWHERE = "outside-range:wavelength"
#: a class label of at most this many classes has a column of probabilities for each
FEW_CLASSES = 40


@dataclass(frozen=True)
class Declared:
    """One promised column: ``dtype`` is ``"str"``, ``"int64"``, ``"float32"``, ``"float64"`` or ``"bool"``."""

    name: str
    dtype: str
    description: str
    unit: str = ""
    shape: tuple[int, ...] = ()

    def blank(self, n: int) -> np.ndarray:
        """Make ``n`` rows that say nothing: empty, NaN, True (= bad) or -1."""
        fill = {"str": "", "int64": -1, "float32": np.nan, "float64": np.nan, "bool": True}[self.dtype]
        return np.full((n, *self.shape), fill, dtype="U1" if self.dtype == "str" else self.dtype)


FIRST = (
    Declared("id", "str", "identifier of the star, as the survey gives it"),
    Declared("file", "str", "file the star was read from"),
    Declared("instrument", "str", "instrument that saw the star"),
)
LAST = (
    Declared("snr", "float32", "median ratio of value to error over the good pixels"),
    Declared("n_bad", "int64", "pixels that did not count; -1 where nothing was read"),
    Declared("flags", "str", "what to be careful about, separated by commas"),
    Declared("error", "str", "why a file could not be read"),
)


def embedding_column(dim: int) -> Declared:
    """Declare the column of embeddings."""
    return Declared("embedding", "float32", "embedding in the model's shared space", shape=(dim,))


def label_columns(labels: Sequence[Mapping[str, Any]]) -> list[Declared]:
    """Declare the columns of a card's labels."""
    columns = []
    for label in labels:
        name, text = label["name"], label.get("description") or label["name"]
        classes = label.get("classes") or ()
        if not classes:
            columns.append(Declared(name, "float32", text, label.get("unit", "")))
            columns.append(Declared(f"{name}_err", "float32", f"one-sigma error of {name}", label.get("unit", "")))
            continue
        columns.append(Declared(name, "str", text))
        columns.append(Declared(f"{name}_probability", "float32", f"probability of the {name} given"))
        columns += [Declared(f"{name}_probability_{one}", "float32", f"probability of {one}")
                    for one in classes if len(classes) <= FEW_CLASSES]
    return columns


def fill(columns: Iterable[Declared], n: int,
         pieces: Iterable[tuple[Piece, Mapping[str, Any]]]) -> dict[str, np.ndarray]:
    """Put the rows of each piece where they belong.

    Parameters
    ----------
    columns : iterable of Declared
    n : int
        Rows of the answer.
    pieces : iterable of (Piece, mapping)
        With the values of each column for the stars of the piece.

    Returns
    -------
    dict of str to ndarray, shape ``(n, ...)``
    """
    arrays = {column.name: column.blank(n) for column in columns}
    for piece, values in pieces:
        for name in arrays:
            if name in values:
                arrays[name] = _put(arrays[name], piece.rows, np.asarray(values[name]))
        if not piece.failed:
            continue
        rows = np.fromiter(piece.failed, int, len(piece.failed))
        told = np.array([(one.file, " ".join(one.message.split()), one.id, one.instrument)
                         for one in piece.failed.values()], dtype=str)
        for name, texts in (("id", told[:, 2]), ("file", told[:, 0]), ("error", told[:, 1]), ("instrument", told[:, 3]),
                            ("flags", np.full(len(rows), NOT_READ))):
            if name in arrays and arrays[name].dtype.kind == "U":
                arrays[name] = _put(arrays[name], rows, texts)
    return arrays


def _put(array: np.ndarray, rows: np.ndarray, values: np.ndarray) -> np.ndarray:
    if array.dtype.kind == "U" and values.dtype.itemsize > array.dtype.itemsize:
        array = array.astype(values.dtype)
    array[rows] = values
    return array


def make_table(columns: Iterable[Declared], arrays: Mapping[str, np.ndarray]) -> QTable:
    """Make a table of the columns, with units and descriptions."""
    table = QTable()
    for column in columns:
        array = arrays[column.name]
        if column.unit:
            table[column.name] = u.Quantity(array, column.unit, copy=False)
        else:
            table[column.name] = Column(array)
        table[column.name].info.description = column.description
    return table


def star_values(batch: Batch) -> dict[str, Any]:
    """Give the columns that every answer has about the stars of a batch of NumPy arrays."""
    good = ~np.asarray(batch.mask, bool)
    none = ~good.any(axis=1) if good.shape[1] else np.ones(len(batch), bool)
    with np.errstate(over="ignore", divide="ignore", invalid="ignore"):
        value = np.asarray(batch.value)
        if "mag" in batch.meta.get("unit", ()):
            value = np.where(np.array(batch.meta["unit"], str)[:, None] == "mag", POGSON, value)
        ratio = np.where(good, value / np.where(good, batch.error, 1.0), np.nan)
    ratio[none, :1] = 0.0
    snr = np.nanmedian(ratio, axis=1) if good.shape[1] else np.zeros(len(batch))
    bad = good.shape[1] - good.sum(axis=1)
    if batch.band is not None:  # padding is no bad point
        told = batch.meta.get("n_bad", ())
        bad = np.array(told, int) if len(told) and None not in told else used_lengths(batch) - good.sum(axis=1)
    return {
        "id": ["" if one is None else str(one) for one in batch.meta.get("id", [""] * len(batch))],
        "file": ["" if one is None else str(one) for one in batch.meta.get("file", [""] * len(batch))],
        "instrument": np.full(len(batch), batch.instrument), "snr": np.where(none, np.nan, snr),
        "n_bad": bad, NO_PIXEL: none,
    }


def elsewhere(card: Mapping[str, Any], batch: Batch) -> np.ndarray:
    """Say whose good pixels lie mostly outside the wavelengths of the card; ``(n,)``."""
    if "wavelengths" not in card:
        return np.zeros(len(batch), bool)
    low, high = card["wavelengths"]
    coordinate = np.asarray(batch.coordinate)
    good = ~np.asarray(batch.mask, bool)
    inside = good & np.broadcast_to((coordinate >= low) & (coordinate <= high), good.shape)
    return inside.sum(axis=1) < 0.5 * good.sum(axis=1)


def label_values(card: Mapping[str, Any], instrument: str, read: Mapping[str, np.ndarray],
                 usable: np.ndarray) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """Turn what the heads read into columns with calibrated errors, and flags of labels outside their range.

    Parameters
    ----------
    card : mapping
    instrument : str
    read : mapping of str to ndarray
        As `Head.read` gives it; labels that are not in it stay blank.
    usable : ndarray of bool, shape ``(n,)``
        The other rows stay blank.
    """
    values: dict[str, Any] = {}
    flags = {}
    for label in card["labels"]:
        name = label["name"]
        if f"{name}_probability" in read:
            probability = calibrated(card, instrument, name, read[f"{name}_probability"])
            values.update(_class_values(label, probability, usable & np.isfinite(probability).all(axis=1)))
        if label.get("classes") or name not in read:
            continue
        number, error = read[name], read[f"{name}_err"] * error_scale(card, instrument, name)
        values[name], values[f"{name}_err"] = np.where(usable, number, np.nan), np.where(usable, error, np.nan)
        low, high = label.get("low"), label.get("high")
        outside = (number < (-np.inf if low is None else low)) | (number > (np.inf if high is None else high))
        flags[f"outside-range:{name}"] = outside & usable
    return values, flags


def _class_values(label: Mapping[str, Any], probability: np.ndarray, usable: np.ndarray) -> dict[str, Any]:
    name, classes = label["name"], list(label["classes"])
    best = np.where(usable, chosen(label, np.nan_to_num(probability)), 0)
    values = {name: np.where(usable, np.array(classes)[best], ""),
              f"{name}_probability": np.where(usable, probability[np.arange(len(best)), best], np.nan)}
    if len(classes) <= FEW_CLASSES:
        for k, one in enumerate(classes):
            values[f"{name}_probability_{one}"] = np.where(usable, probability[:, k], np.nan)
    return values


def join_flags(card: Mapping[str, Any], instrument: str, star: dict[str, Any], flags: Mapping[str, np.ndarray],
               snr_limit: float) -> np.ndarray:
    """Give the ``flags`` column of a batch."""
    limit = by_instrument(card.get("snr_limit"), instrument, snr_limit)
    with np.errstate(invalid="ignore"):
        low, negative = star["snr"] < limit, star["snr"] <= 0
    seen = ~star[NO_PIXEL]
    return names_of({NO_PIXEL: ~seen, **flags, NEGATIVE: negative & seen, LOW_SNR: low & seen}, len(low))
