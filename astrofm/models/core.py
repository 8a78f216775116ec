"""What a model does with one `Batch`: embed, read, decode, and say what to beware of."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import torch

from ..data import Batch
from ..errors import DataError
from . import answers, conformal, extras, scaling
from .build import Parts
from .card import SNR_LIMIT, by_instrument, check_instrument
from .classes import FALSE_ALARM, Question, class_answers, class_labels
from .precision import autocast, batch_size, check_device, check_precision, with_int8_layers


class Core:
    """The parts of a model at work, on one device and in one precision.

    Parameters
    ----------
    parts : Parts
    card : mapping
        The model's card, complete.
    """

    def __init__(self, parts: Parts, card: Mapping[str, Any]):
        self.parts, self.card = parts, card
        self.to("cpu", "auto")

    def to(self, device: str | torch.device, precision: str) -> None:
        """Move the parts; see `Model.to`."""
        self.device, self.precision = check_device(device), check_precision(precision)
        if self.precision == "int8" and self.device.type != "cpu":
            raise DataError(f"8-bit layers run on CPUs, not on {self.device.type!r}: say precision=\"auto\"")
        for _, module in self.parts.modules():
            module.to(self.device).eval()
        self._encoder = with_int8_layers(self.parts.encoder) if self.precision == "int8" else self.parts.encoder

    def predict(self, batch: Batch) -> dict[str, Any]:
        """Give the columns of a table of predictions."""
        star = answers.star_values(batch)
        embedding, given, read = self.read_batch(batch)
        usable = np.isfinite(embedding).all(axis=1)
        values, flags = answers.label_values(self.card, batch.instrument, read, usable)
        flags |= self._class_flags(batch, embedding, given, FALSE_ALARM)[0] | self._lost(embedding, given, read)
        return {**star, **values, "flags": self.flags(batch, star, embedding, flags)}

    def classify(self, batch: Batch, question: Question) -> dict[str, Any]:
        """Give the columns of a table of classes."""
        star = answers.star_values(batch)
        embedding, given, read = self.read_batch(batch)
        flags, p_values = self._class_flags(batch, embedding, given, question.false_alarm)
        flags |= self._lost(embedding, given, read)
        values: dict[str, Any] = {}
        for label in class_labels(self.card, question):
            name = label["name"]
            if f"{name}_probability" not in read:
                continue
            probability = conformal.calibrated(self.card, batch.instrument, name, read[f"{name}_probability"])
            usable = np.isfinite(embedding).all(axis=1) & np.isfinite(probability).all(axis=1)
            head = next(head for head in self.parts.heads.values() if name in {one.name for one in head.labels})
            values |= class_answers(self.card, label, head, batch.instrument, probability, p_values[name], usable, question)
            if not conformal.calibration_of(self.card, batch.instrument, name):
                flags[f"uncalibrated:{name}"] = usable
        return {**star, **values, "flags": self.flags(batch, star, embedding, flags)}

    def read_batch(self, batch: Batch) -> tuple[np.ndarray, dict[str, np.ndarray], dict[str, np.ndarray]]:
        """Give embeddings, what heads read beside them, by the head, and the columns that they read."""
        batch = extras.measured(self.parts, batch, self.device)  # first: the encoder reads some of it
        embedding = self.embed(batch)
        given = extras.extras_of(self.parts, batch)
        known = np.where(np.isfinite(embedding).all(axis=1)[:, None], embedding, 0.0)
        return embedding, given, self.read(known, given, instrument=batch.instrument)

    def _class_flags(self, batch: Batch, embedding: np.ndarray, given: Mapping[str, np.ndarray],
                     false_alarm: float) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
        """Give flags of missing extras and of strangers, and the part of the stars of known classes that are as far off."""
        needed = {name: values for name, values in given.items() if not self.parts.heads[name].takes_missing}
        flags, p_values = extras.missing(self.parts, needed), {}
        for name, head in self.parts.heads.items():
            for label in head.labels:
                kept = conformal.calibration_of(self.card, batch.instrument, label.name) if label.classes else {}
                found = np.full(len(batch), np.nan)
                if "distance" in kept and label.name in self.parts.distances and (not head.extras or name in given):
                    whole = np.concatenate([embedding, given[name]], axis=1) if head.extras else embedding
                    rows = np.isfinite(embedding).all(axis=1)
                    found[rows] = conformal.p_value(kept["distance"], self.parts.distances[label.name].distance(whole[rows]))
                    flags[f"unknown:{label.name}"] = found < false_alarm
                if label.classes:
                    p_values[label.name] = found
        return flags, p_values

    def flags(self, batch: Batch, star: Mapping[str, Any], embedding: np.ndarray,
              of_labels: Mapping[str, np.ndarray] | None = None) -> np.ndarray:
        """Join what is to be said of each star, its embedding and its labels."""
        seen = ~star[answers.NO_PIXEL]
        flags = {**(of_labels or {}), answers.UNLIKE: self._unlike(batch, embedding) & seen,
                 answers.ELSEWHERE: answers.elsewhere(self.card, batch) & seen}
        return answers.join_flags(self.card, batch.instrument, star, flags, SNR_LIMIT)

    def _unlike(self, batch: Batch, embedding: np.ndarray) -> np.ndarray:
        usable = np.isfinite(embedding).all(axis=1)
        unlike = ~usable
        known = np.where(usable[:, None], embedding, 0.0)
        if self.parts.familiarity is not None:
            unlike |= self.parts.familiarity.distance(known) > float(self.parts.familiarity.threshold)
        limits = self.card["familiarity"]
        limit = by_instrument(limits.get("chi2_limit"), batch.instrument, None)
        if limit is not None and len(batch):
            value, error = self.decode(known, batch.coordinate, batch.instrument, source=batch.instrument)
            factor, _ = scaling.amplitude(batch.value, batch.error, batch.mask, value, error)
            misfit = scaling.reduced_chi2(batch.value, batch.error, batch.mask, factor[:, None] * value,
                                          floor=float(limits.get("error_floor", 0.0)))
            unlike |= ~(misfit <= float(limit))
        return unlike

    @torch.inference_mode()
    def read(self, embedding: np.ndarray, given: Mapping[str, np.ndarray] | None = None, *,
             instrument: str | None = None) -> dict[str, np.ndarray]:
        """Read the heads' columns out of shared embeddings.

        Parameters
        ----------
        embedding : ndarray, shape ``(n, dim)``
        given : mapping of str to ndarray, shape ``(n, number of extras)``
            What heads read beside it, by the head; where one is NaN its columns are NaN, too. Heads that lack theirs read
            nothing.
        instrument : str, optional
            Whose stars they are: heads for other instruments read nothing.
        """
        found = {}
        for name, head in self.parts.heads.items():
            elsewhere = head.instruments is not None and instrument not in head.instruments
            if elsewhere or (head.extras and name not in (given or {})):
                continue
            whole = embedding if not head.extras else np.concatenate([embedding, given[name]], axis=1)
            known = np.isfinite(embedding if head.takes_missing else whole).all(axis=1)
            read = head.read(torch.as_tensor(np.where(known[:, None], whole, 0.0), dtype=torch.float32, device=self.device))
            for column, values in read.items():
                values = values.float().cpu().numpy()
                if head.extras:
                    values[~known] = np.nan
                found[column] = values
        return found

    def _lost(self, embedding: np.ndarray, given: Mapping[str, np.ndarray],
              read: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Flag labels that are no numbers, though all that they are read from is: extras far out of range."""
        flags = {}
        for name, head in self.parts.heads.items():
            if name in given and not head.takes_missing:
                known = np.isfinite(np.concatenate([embedding, given[name]], axis=1)).all(axis=1)
                for column in (f"{one.name}_probability" if one.classes else one.name for one in head.labels):
                    if column in read:
                        finite = np.isfinite(read[column]).all(axis=tuple(range(1, read[column].ndim)))
                        flags[f"no-number:{column.removesuffix('_probability')}"] = known & ~finite
        return flags

    @torch.inference_mode()
    def embed(self, batch: Batch) -> np.ndarray:
        """Give shared embeddings ``(n, dim)``, float32; NaN where no pixel is usable."""
        check_instrument(self.card, self.parts.encoder, batch.instrument, np.asarray(batch.coordinate))
        size = batch_size(self.device, self.parts.encoder)
        plain = replace(batch, meta={key: batch.meta[key] for key in self.parts.encoder.reads if key in batch.meta})
        plain = self.parts.encoder.prepare(plain)
        embedding = np.full((len(batch), self.parts.aligner.dim), np.nan, np.float32)
        rows = np.flatnonzero(~np.asarray(batch.mask, bool).all(axis=1)) if plain.value.shape[1] else []
        with autocast(self.precision, self.device, self.parts.encoder):  # once: the weights are rounded at its start
            for start in range(0, len(rows), size):
                chosen = rows[start: start + size]
                own = self._encoder.embed(plain[chosen]).float()
                with torch.autocast(self.device.type, enabled=False):
                    embedding[chosen] = self.parts.aligner.align(own, batch.instrument).float().cpu().numpy()
        embedding[~np.isfinite(embedding).all(axis=1)] = np.nan
        return embedding

    @torch.inference_mode()
    def decode(self, embedding: np.ndarray, coordinate: np.ndarray, instrument: str, *,
               source: str) -> tuple[np.ndarray, np.ndarray]:
        """Decode embeddings of ``source`` at wavelengths ``(p,)``: value and error, ``(n, p)``, up to a factor a star."""
        if np.ndim(coordinate) != 1:
            raise DataError("spectra of a batch share one grid: sample them through an Instrument first; light curves "
                            "need a model of light curves")
        at = torch.as_tensor(np.asarray(coordinate, np.float64), device=self.device)
        size = batch_size(self.device, self.parts.encoder)
        found = []
        for start in range(0, len(embedding), size):
            given = torch.as_tensor(embedding[start: start + size], dtype=torch.float32, device=self.device)
            decoded = self.parts.aligner.decode(given, at, instrument, source=source)
            found.append([part.float().cpu().numpy() for part in decoded])
        if not found:
            return np.zeros((0, len(coordinate))), np.zeros((0, len(coordinate)))
        return np.concatenate([value for value, _ in found]), np.concatenate([error for _, error in found])


