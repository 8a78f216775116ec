"""A `Model` is a named composition of an encoder, an aligner and heads that does the verbs."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import DataError
from ..interfaces.aligner import Aligner
from ..interfaces.encoder import Encoder
from ..interfaces.head import Head
from . import files
from .build import Parts, build, to_bytes
from .card import complete
from .core import Core
from .familiarity import ClassDistance, Familiarity
from .teaching import Teaching
from .verbs import Verbs

if TYPE_CHECKING:
    import torch

    from ..nn.lowrank import LowRank



class Model(Teaching, Verbs):
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
    distances : mapping of str to ClassDistance, optional
        By class label: how far stars are from its classes, so that strangers are told apart.

    Examples
    --------
    >>> import astrofm
    >>> model = astrofm.load_model("stellar-tiny")         # doctest: +SKIP
    >>> model.predict(spectrum)["teff"]                    # doctest: +SKIP
    <Quantity [5800.] K>
    """

    def __init__(self, encoder: Encoder, aligner: Aligner, heads: Mapping[str, Head], *, card: Mapping[str, Any],
                 familiarity: Familiarity | None = None, distances: Mapping[str, ClassDistance] | None = None):
        if aligner.source_dim != encoder.dim:
            raise DataError(f"aligner {aligner.name!r} takes {aligner.source_dim} numbers a star and encoder "
                            f"{encoder.name!r} gives {encoder.dim}: build one of them for the other's size")
        if aligner.takes_tokens != encoder.gives_tokens:
            kind = "tokens" if encoder.gives_tokens else "one vector a star"
            raise DataError(f"encoder {encoder.name!r} gives {kind}, which aligner {aligner.name!r} does not take")
        for name, head in heads.items():
            if head.dim - len(head.extras) != aligner.dim:
                raise DataError(f"head {name!r} reads {head.dim - len(head.extras)} numbers a star and aligner "
                                f"{aligner.name!r} gives {aligner.dim}: build one of them for the other's size")
        self._parts = Parts(encoder, aligner, dict(heads), familiarity, dict(sorted((distances or {}).items())))
        self.encoder, self.aligner, self.heads, self.familiarity = encoder, aligner, dict(heads), familiarity
        self.distances = self._parts.distances
        #: what the file's card says
        self.about = complete(card, self._parts)
        self._sha256 = ""
        #: what `fit` by ``"lora"`` learned beside the weights, by the name of the layer
        self.adapters: Mapping[str, LowRank] = {}
        #: what the verbs do with one `Batch`
        self.core = Core(self._parts, self.about)

    def __repr__(self) -> str:
        labels = " ".join(label["name"] for label in self.about["labels"])
        return f"<Model {self.name!r}: {labels or 'no labels'}; trained on {', '.join(self.instruments) or 'nothing'}>"

    @property
    def name(self) -> str:
        """Name from the card."""
        return self.about["name"]

    @property
    def instruments(self) -> tuple[str, ...]:
        """Instruments that the model was trained on."""
        return tuple(self.about["instruments"])

    @property
    def dim(self) -> int:
        """Numbers of an embedding."""
        return self.aligner.dim

    @property
    def device(self) -> torch.device:
        """Where the parts are."""
        return self.core.device

    @property
    def precision(self) -> str:
        """What `to` was asked for."""
        return self.core.precision

    @property
    def sha256(self) -> str:
        """SHA-256 of the file the model came from, or of the one that `save` would write."""
        if not self._sha256:
            self._sha256 = hashlib.sha256(to_bytes(self._parts, self.about)).hexdigest()
        return self._sha256

    def to(self, device: str | torch.device, *, precision: str = "auto") -> Model:
        """Compute elsewhere, or otherwise; the same model.

        Parameters
        ----------
        device : str or torch.device
            ``"cpu"``, ``"cuda"`` …
        precision : str
            Of the encoder: ``"float32"``, ``"bfloat16"``, ``"auto"`` for bfloat16 where that is faster (GPUs, and processors
            with AMX), or ``"int8"`` for linear layers of 8 bits, on CPUs: faster for large encoders, and rounded more.
            Everything after the encoder is float32.
        """
        self.core.to(device, precision)
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
        model = cls(parts.encoder, parts.aligner, parts.heads, card=file.card, familiarity=parts.familiarity,
                    distances=parts.distances)
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
        files.write_atomically(path, to_bytes(self._parts, self.about, dtype=dtype), overwrite=overwrite)
        return path
