"""A `Model` is a named composition of an encoder, an aligner and heads that does the verbs."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from astropy.table import QTable

from ..errors import DataError
from ..interfaces.aligner import Aligner
from ..interfaces.encoder import Encoder
from ..interfaces.head import Head
from . import answers, files, inputs
from .build import Parts, build, to_bytes
from .card import complete
from .core import Core
from .familiarity import Familiarity

if TYPE_CHECKING:
    import torch
    from astropy.table import Table
    from matplotlib.figure import Figure

    from ..compat import Spectrum, SpectrumList
    from .portrait import Searchable


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
        if aligner.takes_tokens != encoder.gives_tokens:
            kind = "tokens" if encoder.gives_tokens else "one vector a star"
            raise DataError(f"encoder {encoder.name!r} gives {kind}, which aligner {aligner.name!r} does not take")
        for name, head in heads.items():
            if head.dim != aligner.dim:
                raise DataError(f"head {name!r} reads {head.dim} numbers a star and aligner {aligner.name!r} gives "
                                f"{aligner.dim}: build one of them for the other's size")
        self._parts = Parts(encoder, aligner, dict(heads), familiarity)
        self.encoder, self.aligner, self.heads, self.familiarity = encoder, aligner, dict(heads), familiarity
        #: what the file's card says
        self.about = complete(card, self._parts)
        self._sha256 = ""
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
            Of the encoder: ``"float32"``, ``"bfloat16"``, ``"auto"`` for bfloat16 where the processor has it, or
            ``"int8"`` for linear layers of 8 bits, on CPUs: faster for large encoders, and rounded more. Everything after
            the encoder is float32.
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
        files.write_atomically(path, to_bytes(self._parts, self.about, dtype=dtype), overwrite=overwrite)
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
        found = inputs.work(data, lambda batch: {column.name: self.core.embed(batch)})
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
        return self._table(inputs.work(data, self.core.predict))

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
                yield self._table([inputs.attempt(piece, self.core.predict)])

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
            mean something. A model that normalises gives flux relative to what ``meta["calibration"]`` names, on pixels
            of its own, and no uncertainty where its errors were never measured. Where nothing could be read the flux is
            NaN and masked, and ``meta["flags"]`` says why.
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

    def fit(self, data: Any, labels: Table, *, head: str = "gaussian", stars: Sequence[Any] | None = None,
            keep: Sequence[str] = (), seed: int = 0, progress: Callable[[str], None] | None = None) -> Model:
        """Learn labels from stars whose labels are known, on the embeddings as they are.

        Parameters
        ----------
        data : list, Batch, path or list of paths
        labels : Table
            A row a spectrum; every column is a label, with its unit. Unknown ones are NaN or masked.
        head : str
            ``"gaussian"``: each label with its own error; or ``"posterior"``: the joint posterior of all of them, for stars
            all of whose labels are known (``pip install 'astrofm[flow]'``).
        stars : sequence, optional
            Which star each spectrum is of, so that a star's spectra are learned from or kept together.
        keep : sequence of str
            Names of this model's heads that the new one has, too.
        seed : int
        progress : callable, optional
            Called with a line now and then.

        Returns
        -------
        Model
            A new one, with the same encoder and aligner. A fifth of the stars was kept to stop in time and to calibrate the
            errors: of those, 68.27 % lie within one error.

        Raises
        ------
        DataError
            Too few stars, rows that do not match, or a column that is no label.
        """
        from .fit import fit

        return fit(self, data, labels, head=head, stars=stars, keep=keep, seed=seed, progress=progress)

    def card(self, star: Any, *, index: Searchable | None = None, to: Sequence[str] | None = None,
             path: str | os.PathLike | None = None) -> Figure:
        """Draw what the model makes of a star: spectrum, reconstruction, translations, labels, neighbours.

        Parameters
        ----------
        star : Spectrum or other single star
        index : astrofm.Index, optional
            Where neighbours are looked up.
        to : sequence of str, optional
            Instruments to translate to; the model's others by default.
        path : path, optional
            Where the picture is saved.

        Returns
        -------
        matplotlib.figure.Figure
            Needs matplotlib: ``pip install 'astrofm[plot]'``.
        """
        from .portrait import draw

        figure = draw(self, star, index=index, to=to)
        if path is not None:
            figure.savefig(path, dpi=110)
        return figure

    def columns(self) -> tuple[answers.Declared, ...]:
        """Declare the columns of `predict`, in order."""
        return (*answers.FIRST, *answers.label_columns(self.about["labels"]), *answers.LAST)

    def _table(self, found: list[tuple[inputs.Piece, Mapping[str, Any]]]) -> QTable:
        columns = self.columns()
        table = answers.make_table(columns, answers.fill(columns, sum(len(piece) for piece, _ in found), found))
        table.meta.update(self._provenance())
        return table

    def _provenance(self) -> dict[str, str]:
        from .. import __version__

        return {"model": self.name, "sha256": self.sha256, "astrofm": __version__, "citation": self.about["citation"]}

    @staticmethod
    def _one_or_list(data: Any, found: list[Spectrum]) -> Spectrum | SpectrumList:
        from ..compat import SpectrumList

        return found[0] if inputs.is_one_star(data) else SpectrumList(found)
