"""Calibrate the errors of a model's labels, and the probabilities of its classes, on stars whose labels are known."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from astropy import units as u
from astropy.table import Table

from ..errors import DataError
from .calibrate_classes import measure_classes
from .card import by_instrument
from .labels import describe_labels, split_labels

if TYPE_CHECKING:
    from .model import Model

#: stars of an instrument that a calibration takes at least
LEAST = 20
#: part of the stars within one error
WITHIN = 0.6827


def calibrate(model: Model, data: Any, labels: Table, extras: Any = None) -> Model:
    """Give a model with factors of its errors, and what its classes are worth; see `Model.calibrate`."""
    from .model import Model

    columns, rest = split_labels(labels)
    calibration = {key: dict(value) for key, value in model.about["calibration"].items()}
    distances = dict(model.distances)
    if columns:
        measure_classes(model, data, columns, extras, calibration, distances)
    if rest.colnames:
        _measure_numbers(model, data, rest, extras, calibration)
    card = {key: value for key, value in model.about.items() if key not in ("parts", "labels", "format")}
    card |= {"calibration": calibration, "provenance": {**model.about["provenance"], "calibrated_from": model.sha256,
                                                        "calibrated_on": len(labels)}}
    return Model(model.encoder, model.aligner, model.heads, card=card, familiarity=model.familiarity, distances=distances).to(
        model.device, precision=model.precision)


def _measure_numbers(model: Model, data: Any, labels: Table, extras: Any, calibration: dict[str, dict[str, Any]]) -> None:
    """Find the factors of errors, and put them into ``calibration``."""
    told, values, errors = describe_labels(labels)
    table = _answers(model, data, [label["name"] for label in told], extras)
    if len(table) != len(values):
        raise DataError(f"there are {len(table)} stars and {len(values)} rows of labels: a row for each is wanted")
    numbers = {label["name"]: label for label in model.about["labels"] if not label.get("classes")}
    unknown = [label["name"] for label in told if label["name"] not in numbers]
    if unknown:
        raise DataError(f"the model has no label {unknown[0]!r} to calibrate; it has {', '.join(numbers)}")
    for k, label in enumerate(told):
        name, unit = label["name"], numbers[label["name"]]["unit"]
        truth, error = (_in_unit(array[:, k], label["unit"], unit) for array in (values, errors))
        found, spread = (np.asarray(getattr(table[column], "value", table[column]), float)
                         for column in (name, f"{name}_err"))
        for instrument in np.unique(np.asarray(table["instrument"])).tolist():
            own = (np.asarray(table["instrument"]) == instrument) & np.isfinite(found - truth) & (spread > 0)
            if own.sum() < LEAST:
                raise DataError(f"{own.sum()} stars of {instrument!r} have a {name} and a prediction with an error: {LEAST} "
                                "are the least to calibrate on")
            so_far = by_instrument({key: value.get(name) for key, value in calibration.items() if name in value},
                                   instrument, 1.0)
            factor = _factor(found[own] - truth[own], spread[own], np.nan_to_num(error[own]))
            calibration.setdefault(instrument, {})[name] = float(so_far) * factor


def _answers(model: Model, data: Any, names: list[str], extras: Any) -> Table:
    """Predict the labels; of a model that is asked by name, request those that it has."""
    known = getattr(model.encoder, "quantities", None)
    if known is None:
        return model.predict(data, extras=extras)
    table = model.request(data, [name for name in names if name in known] or names)
    table["instrument"] = model.encoder.name
    return table


def _factor(off: np.ndarray, spread: np.ndarray, error: np.ndarray) -> float:
    """Give by what errors must be multiplied so that, with those of the truth, `WITHIN` of the stars lie within one."""
    needed = np.sqrt(np.clip(off**2 - error**2, 0, None)) / spread  # a star lies within one error from this factor on
    rank = min(1.0, WITHIN * (1 + 1 / len(off)))
    return max(float(np.quantile(needed, rank, method="higher")), 1e-3)


def _in_unit(array: np.ndarray, own: str, wanted: str) -> np.ndarray:
    if own == wanted or not own:
        return array
    try:
        return u.Quantity(array, own).to_value(wanted)
    except u.UnitConversionError as error:
        raise DataError(f"a label is in {own}, and the model's in {wanted or 'no unit'}: convert it") from error
