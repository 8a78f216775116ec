"""A `Model` is a named composition of an encoder, an aligner and heads that does the verbs."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from astropy.table import QTable

from ..data import Batch
from ..errors import DataError
from ..interfaces.aligner import Aligner
from ..interfaces.encoder import Encoder
from ..interfaces.head import Head
from . import answers, files, inputs, scaling
from .build import Parts, build, to_bytes
from .card import SNR_LIMIT, by_instrument, check_instrument, complete
from .familiarity import Familiarity
from .precision import autocast, batch_size, check_device, check_precision

if TYPE_CHECKING:
    from ..compat import Spectrum, SpectrumList


class Model:
    """Embed stars, predict their labels, translate and reconstruct their spectra.

    Parameters
    ----------
    encoder : Encoder
    aligner : Aligner
    heads : mapping of str to Head
    card : mapping
        ``name`` at least; also ``instruments`` (registered names, or what `read_card` shows), ``calibration``
        (``{"*": {"teff": 1.2}, "some-instrument": {...}}``: factors of the errors), ``familiarity``
        (``chi2_limit`` and ``error_floor``), ``snr_limit``, ``wavelengths`` (range it was trained on, Angstrom),
        ``summary``, ``notes``, ``license``, ``citation``, ``provenance``. Parts, arguments and labels are filled in.
    familiarity : Familiarity, optional
        Fitted to the training set's embeddings; stars beyond its threshold are flagged.

    Examples
    --------
    >>> import astrofm
    >>> model = astrofm.load_model("stellar-tiny")         # doctest: +SKIP
    >>> model.predict(spectrum)["teff"]                    # doctest: +SKIP
    <Quantity [5800.] K>
    """

    def __init__(self, encoder: Encoder, aligner: Aligner, heads: Mapping[str, Head], *, card: Mapping[str, Any],
                 familiarity: Familiarity | None = None):
        if aligner.source_dim != encoder.dim:
            raise DataError(f"aligner {aligner.name!r} takes {aligner.source_dim} numbers a star and encoder "
                            f"{encoder.name!r} gives {encoder.dim}: build one of them for the other's size")
        for name, head in heads.items():
            if head.dim != aligner.dim:
                raise DataError(f"head {name!r} reads {head.dim} numbers a star and aligner {aligner.name!r} gives "
                                f"{aligner.dim}: build one of them for the other's size")
        self._parts = Parts(encoder, aligner, dict(heads), familiarity)
        self.encoder, self.aligner, self.heads, self.familiarity = encoder, aligner, dict(heads), familiarity
        self.card = complete(card, self._parts)
        self._sha256 = ""
        self.to("cpu", precision="auto")

    def __repr__(self) -> str:
        labels = " ".join(label["name"] for label in self.card["labels"])
        return f"<Model {self.name!r}: {labels or 'no labels'}; trained on {', '.join(self.instruments) or 'nothing'}>"

    @property
    def name(self) -> str:
        """Name from the card."""
        return self.card["name"]

    @property
    def instruments(self) -> tuple[str, ...]:
        """Instruments that the model was trained on."""
        return tuple(self.card["instruments"])

    @property
    def dim(self) -> int:
        """Numbers of an embedding."""
        return self.aligner.dim

    @property
    def sha256(self) -> str:
        """SHA-256 of the file the model came from, or of the one that `save` would write."""
        if not self._sha256:
            self._sha256 = hashlib.sha256(to_bytes(self._parts, self.card)).hexdigest()
        return self._sha256

    def to(self, device: str | torch.device, *, precision: str = "auto") -> Model:
        """Compute elsewhere, or otherwise; the same model.

        Parameters
        ----------
        device : str or torch.device
            ``"cpu"``, ``"cuda"`` …
        precision : str
            Of the encoder: ``"float32"``, ``"bfloat16"``, or ``"auto"`` for bfloat16 where the processor has it.
            Everything after the encoder is float32.
        """
        self.device, self.precision = check_device(device), check_precision(precision)
        for _, module in self._parts.modules():
            module.to(self.device).eval()
        return self

    @classmethod
    def load(cls, path: str | os.PathLike, *, sha256: str | None = None, device: str = "cpu",
             precision: str = "auto") -> Model:
        """Load a model from its file; everything in it is checked before anything is built.

        Parameters
        ----------
        path : path
        sha256 : str, optional
            What the file must hash to.
        device, precision : str
            As for `to`.

        Raises
        ------
        ModelFileError
            Truncated, altered, of another format version, made of parts that are not installed, or no model.
        """
        return cls._from_file(files.open_model(path, sha256=sha256)).to(device, precision=precision)

    @classmethod
    def _from_file(cls, file: files.ModelFile) -> Model:
        parts = build(file)
        model = cls(parts.encoder, parts.aligner, parts.heads, card=file.card, familiarity=parts.familiarity)
        model._sha256 = file.sha256
        return model

    def save(self, path: str | os.PathLike, *, overwrite: bool = False, dtype: str = "float32") -> Path:
        """Save the model to one safetensors file, whole or not at all.

        Parameters
        ----------
        path : path
        overwrite : bool
            Replace a file of that name.
        dtype : str
            ``"float32"`` keeps the weights exactly; ``"float16"`` halves the file and rounds them.

        Returns
        -------
        Path

        Raises
        ------
        OutputError
            The file exists, or can't be written.
        """
        path = Path(path)
        files.write_atomically(path, to_bytes(self._parts, self.card, dtype=dtype), overwrite=overwrite)
        return path

    def embed(self, data: Any) -> np.ndarray:
        """Embed stars in the shared space.

        Parameters
        ----------
        data : Spectrum, list, Batch, path or list of paths
            Instruments may be mixed.

        Returns
        -------
        ndarray of float32
            Shape ``(d,)`` for a single Spectrum, ``(n, d)`` for everything that can hold several (a file
            also). Rows of stars without a usable pixel, or that can't be read, are NaN.
        """
        column = answers.embedding_column(self.dim)
        found = inputs.work(data, lambda batch: {column.name: self._embedding(batch)})
        embedding = answers.fill([column], sum(len(piece) for piece, _ in found), found)[column.name]
        return embedding[0] if inputs.is_one_star(data) else embedding

    def predict(self, data: Any) -> QTable:
        """Predict the labels of stars, with errors and flags.

        Parameters
        ----------
        data : Spectrum, list, Batch, path or list of paths
            Instruments may be mixed.

        Returns
        -------
        QTable
            A row a star, in order: ``id file instrument``, each label and ``LABEL_err`` with its unit, the best
            class and its probability, ``snr n_bad flags error``. Its ``meta`` names the model, its hash and
            whom to cite. Stars of a list or of files that can't be read are rows flagged ``not-read``.

        Raises
        ------
        AstrofmError
            A single spectrum can't be represented, or no file is there.
        """
        return self._table(inputs.work(data, self._predict))

    def predict_stream(self, paths: Iterable[str | os.PathLike], *, size: int = 256) -> Iterator[QTable]:
        """Predict the labels of the stars in files, table by table, in order and in bounded memory.

        Parameters
        ----------
        paths : iterable of paths
            Files, taken as they come.
        size : int
            Stars a table, about.
        """
        for piece in inputs.stream(map(Path, paths), size=size):
            if len(piece):
                yield self._table([inputs.attempt(piece, self._predict)])

    def translate(self, data: Any, *, to: str) -> Spectrum | SpectrumList:
        """Give the spectra that another instrument would see, with uncertainty.

        Parameters
        ----------
        data : Spectrum, list, Batch, path or list of paths
        to : str
            Registered name of the instrument.

        Returns
        -------
        Spectrum or SpectrumList
            On the instrument's grid and in its unit. The scale is the input's own: where its survey
            calibrates the shape only, ``meta["calibration"]`` is ``"relative"`` and only ratios of the fluxes
            mean something. Where nothing could be read the flux is NaN and masked, and ``meta["flags"]`` says why.
        """
        from .spectra import translate

        return self._one_or_list(data, translate(self, data, to))

    def reconstruct(self, data: Any) -> Spectrum | SpectrumList:
        """Give the spectra without noise and gaps, as the model understands them, with uncertainty.

        Parameters
        ----------
        data : Spectrum, list, Batch, path or list of paths

        Returns
        -------
        Spectrum or SpectrumList
            On the input's own grid and in its unit, decoded at every pixel; ``meta["n_filled"]`` counts those that
            were masked or not observed, ``meta["reduced_chi2"]`` says how well the others are met.
        """
        from .spectra import reconstruct

        return self._one_or_list(data, reconstruct(self, data))

    def columns(self) -> tuple[answers.Declared, ...]:
        """Declare the columns of `predict`, in order."""
        return (*answers.FIRST, *answers.label_columns(self.card["labels"]), *answers.LAST)

    def _table(self, found: list[tuple[inputs.Piece, Mapping[str, Any]]]) -> QTable:
        columns = self.columns()
        table = answers.make_table(columns, answers.fill(columns, sum(len(piece) for piece, _ in found), found))
        table.meta.update(self._provenance())
        return table

    def _provenance(self) -> dict[str, str]:
        from .. import __version__

        return {"model": self.name, "sha256": self.sha256, "astrofm": __version__, "citation": self.card["citation"]}

    @staticmethod
    def _one_or_list(data: Any, found: list[Spectrum]) -> Spectrum | SpectrumList:
        from ..compat import SpectrumList

        return found[0] if inputs.is_one_star(data) else SpectrumList(found)

    def _predict(self, batch: Batch) -> dict[str, Any]:
        star = answers.star_values(batch)
        embedding = self._embedding(batch)
        usable = np.isfinite(embedding).all(axis=1)
        read = self._read(np.where(usable[:, None], embedding, 0.0))
        values, flags = answers.label_values(self.card, batch.instrument, read, usable)
        return {**star, **values, "flags": self._flags(batch, star, embedding, flags)}

    def _flags(self, batch: Batch, star: Mapping[str, Any], embedding: np.ndarray,
               of_labels: Mapping[str, np.ndarray] | None = None) -> np.ndarray:
        seen = ~star[answers.NO_PIXEL]
        flags = {**(of_labels or {}), answers.UNLIKE: self._unlike(batch, embedding) & seen,
                 answers.ELSEWHERE: answers.elsewhere(self.card, batch) & seen}
        return answers.join_flags(self.card, batch.instrument, star, flags, SNR_LIMIT)

    def _unlike(self, batch: Batch, embedding: np.ndarray) -> np.ndarray:
        usable = np.isfinite(embedding).all(axis=1)
        unlike = ~usable
        known = np.where(usable[:, None], embedding, 0.0)
        if self.familiarity is not None:
            unlike |= self.familiarity.distance(known) > float(self.familiarity.threshold)
        limits = self.card["familiarity"]
        limit = by_instrument(limits.get("chi2_limit"), batch.instrument, None)
        if limit is not None and len(batch):
            value, error = self._decode(known, batch.coordinate, batch.instrument)
            factor, _ = scaling.amplitude(batch.value, batch.error, batch.mask, value, error)
            misfit = scaling.reduced_chi2(batch.value, batch.error, batch.mask, factor[:, None] * value,
                                          floor=float(limits.get("error_floor", 0.0)))
            unlike |= ~(misfit <= float(limit))
        return unlike

    @torch.inference_mode()
    def _read(self, embedding: np.ndarray) -> dict[str, np.ndarray]:
        given = torch.as_tensor(embedding, dtype=torch.float32, device=self.device)
        return {name: column.float().cpu().numpy() for head in self.heads.values()
                for name, column in head.read(given).items()}

    @torch.inference_mode()
    def _embedding(self, batch: Batch) -> np.ndarray:
        """Give shared embeddings ``(n, dim)``, float32; NaN where no pixel is usable."""
        check_instrument(self.card, self.encoder, batch.instrument, np.asarray(batch.coordinate))
        size, plain = batch_size(self.device), replace(batch, meta={})
        embedding = np.full((len(batch), self.dim), np.nan, np.float32)
        rows = np.flatnonzero(~np.asarray(batch.mask, bool).all(axis=1)) if plain.value.shape[1] else []
        for start in range(0, len(rows), size):
            chosen = rows[start: start + size]
            with autocast(self.precision, self.device):
                own = self.encoder.embed(plain[chosen]).float()
            embedding[chosen] = self.aligner.align(own, batch.instrument).float().cpu().numpy()
        embedding[~np.isfinite(embedding).all(axis=1)] = np.nan
        return embedding

    @torch.inference_mode()
    def _decode(self, embedding: np.ndarray, coordinate: np.ndarray, instrument: str) -> tuple[np.ndarray, np.ndarray]:
        """Decode shared embeddings at wavelengths ``(p,)``: value and error, ``(n, p)``, up to one factor a star."""
        if np.ndim(coordinate) != 1:
            raise DataError("spectra of a batch share one grid: sample them through an Instrument first")
        at = torch.as_tensor(np.asarray(coordinate, np.float64), device=self.device)
        size = batch_size(self.device)
        found = []
        for start in range(0, len(embedding), size):
            given = torch.as_tensor(embedding[start: start + size], dtype=torch.float32, device=self.device)
            found.append([part.float().cpu().numpy() for part in self.aligner.decode(given, at, instrument)])
        if not found:
            return np.zeros((0, len(coordinate))), np.zeros((0, len(coordinate)))
        return np.concatenate([value for value, _ in found]), np.concatenate([error for _, error in found])


