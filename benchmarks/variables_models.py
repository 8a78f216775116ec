"""What models say of variable stars: their own classes as they are, and classes learned through their weights."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import asdict, replace
from typing import Any

import numpy as np
import torch
from astropy.table import Table
from variables_scores import coverage, few_of_each, macro_f1, micro_f1, scores

from astrofm.data import Batch
from astrofm.models import Model
from astrofm.registry import get_instrument

#: learning rates that are tried, for weights that have learned and for those that have not
RATES = {"fine-tuned": (1e-3, 1e-4), "from scratch": (1e-3, 1e-4)}
#: names that mean one of the common classes
SAME = {"CWA": "CW", "CWB": "CW", "DCEPS": "DCEP", "HADS": "DSCT"}


def posed(batch: Batch, posing: str) -> Batch:
    """Show light curves of one band as if INSTRUMENT had taken them in BAND: ``INSTRUMENT:BAND``."""
    if not posing:
        return batch
    name, _, band = posing.partition(":")
    bands = get_instrument(name).bands
    if band and band not in bands:
        raise SystemExit(f"{name} has no band {band!r}: say {name}: and one of {', '.join(bands)}")
    place = bands.index(band) if band else 0
    return replace(batch, instrument=name, band=np.where(batch.mask, batch.band, place).astype(np.int16))


def as_it_is(model: Model, batch: Batch, truth: np.ndarray, promised: float = 0.9) -> dict[str, Any]:
    """Ask a model's own classes of stars whose class is known under a common name (empty: not asked).

    ``micro`` and ``macro`` are of the answers as they are; ``inside`` is the part of the stars whose class is in the set that
    holds it as often as ``promised``, for stars like those it learned from; ``unknown`` the part that is told to be strange.
    """
    label = next(label for label in model.about["labels"] if label["name"] == "variable_class")
    names = np.array([SAME.get(one, one) for one in label["classes"]])
    asked = np.flatnonzero(np.isin(truth, names))
    table = model.classify(batch[asked], coverage=promised)
    top = np.array([SAME.get(one, one) for one in np.asarray(table["variable_class_1"], str)])
    inside = np.array([[one in {SAME.get(each, each) for each in str(row).split(",")} for one in np.unique(names)]
                       for row in table["variable_class_set"]])
    part, size = coverage(truth[asked], inside, np.unique(names))
    return {"micro": micro_f1(truth[asked], top), "macro": macro_f1(truth[asked], top), "inside": part, "set_size": size,
            "probability": float(np.nanmean(table["variable_class_1_probability"])),
            "unknown": float(np.mean(np.asarray(table["variable_class"], str) == "unknown")), "stars": len(asked),
            "classes": len(np.unique(truth[asked]))}


def fresh(model: Model, seed: int = 0) -> Model:
    """Make a model of the same shape that has learned nothing."""
    torch.manual_seed(seed)
    encoder, aligner = (type(part)(**copy.deepcopy(part.arguments)) for part in (model.encoder, model.aligner))
    card = {key: value for key, value in model.about.items() if key not in ("parts", "labels", "format", "calibration")}
    return Model(encoder, aligner, {}, card=card | {"familiarity": {}, "calibration": {}})


def tuned(model: Model, known: Batch, new: Batch, labels: Sequence[int], kind: str, seed: int = 0) -> list[dict[str, Any]]:
    """Learn so many simulated stars a class through all weights, and answer for others.

    Parameters
    ----------
    model : Model
    known, new : Batch
        Simulated stars with ``true_class`` in ``meta``; no star is in both.
    labels : sequence of int
        Stars a class.
    kind : str
        ``"fine-tuned"``, or ``"from scratch"``: the same model without what it has learned.
    seed : int
    """
    start, results = model if kind == "fine-tuned" else fresh(model, seed), []
    truth = [np.asarray(batch.meta["true_class"], str) for batch in (known, new)]
    names = np.unique(truth[0])
    for count in labels:
        rows = few_of_each(truth[0], count, seed=seed)
        fitted = start.fit(known[rows], Table({"kind": truth[0][rows]}), method="full", rates=RATES[kind],
                           places=("encoder", "projection", "head"), prior="even", seed=seed)
        table = fitted.predict(new)
        chances = np.stack([np.asarray(table[f"kind_probability_{name}"], float) for name in names], axis=1)
        results.append({"labels": count, **asdict(scores(truth[1], chances, names))})
    return results
