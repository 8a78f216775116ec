"""What a model does: each verb, for anything that holds stars."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from astropy.table import QTable

from . import answers, inputs
from .classifying import Classifying
from .pieces import Piece, attempt
from .streams import stream

if TYPE_CHECKING:
    from astropy.table import Table
    from matplotlib.figure import Figure

    from ..compat import Spectrum, SpectrumList
    from ..data import Batch
    from .core import Core
    from .portrait import Searchable


class Verbs(Classifying):
    """The verbs of a `~astrofm.models.Model`."""

    name: str
    dim: int
    sha256: str
    about: dict[str, Any]
    core: Core

    def embed(self, data: Any) -> np.ndarray:
        """Embed stars in the shared space.

        Parameters
        ----------
        data : Spectrum or TimeSeries, list, Batch, path or list of paths
            Instruments may be mixed.

        Returns
        -------
        ndarray of float32
            Shape ``(d,)`` for a single star, ``(n, d)`` for everything that can hold several (a file
            also). Rows of stars without a usable pixel, or that can't be read, are NaN.
        """
        column = answers.embedding_column(self.dim)
        found = inputs.work(data, lambda batch: {column.name: self.core.embed(batch)})
        embedding = answers.fill([column], sum(len(piece) for piece, _ in found), found)[column.name]
        return embedding[0] if inputs.is_one_star(data) else embedding

    def predict(self, data: Any, *, extras: Table | Mapping[str, Any] | None = None) -> QTable:
        """Predict the labels of stars, with errors and flags.

        Parameters
        ----------
        data : Spectrum or TimeSeries, list, Batch, path or list of paths
            Instruments may be mixed.
        extras : Table or mapping of columns, optional
            What the model's heads read beside the embedding, by name (`extras` lists the names): a column each, joined by
            ``id`` where there is such a column, else a row a star in their order. Without it they are taken from ``meta``.

        Returns
        -------
        QTable
            A row a star, in order: ``id file instrument``, each label and ``LABEL_err`` with its unit, the best
            class and its probability, ``snr n_bad flags error``. Its ``meta`` names the model, its hash and
            whom to cite. Stars of a list or of files that can't be read are rows flagged ``not-read``.

        Raises
        ------
        AstrofmError
            A single spectrum can't be represented, or no file is there; an extra that is needed has no column.
        """
        return self._table(self._answered(data, self.core.predict, extras), self.columns())

    def extras(self) -> QTable:
        """List what the heads read beside the embedding: head, name, unit, other names, who measures it, and what it is."""
        from .extras import listing

        return listing(self.core.parts)

    def predict_stream(self, paths: Iterable[str | os.PathLike], *, size: int = 256) -> Iterator[QTable]:
        """Predict the labels of the stars in files, table by table, in order and in bounded memory.

        Parameters
        ----------
        paths : iterable of paths
            Files, taken as they come.
        size : int
            Stars a table, about.
        """
        for piece in stream(map(Path, paths), size=size):
            if len(piece):
                yield self._table([attempt(piece, self.core.predict)], self.columns())

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

    def request(self, given: Mapping[str, Any] | Table, wanted: str | Sequence[str]) -> QTable | Spectrum | SpectrumList:
        """Ask for named quantities, given others by name; for models whose encoder takes named quantities.

        Parameters
        ----------
        given : mapping or Table
            By name: a number, Quantity, or array of one a star. Plain numbers are in the quantity's own unit; NaN, infinite
            and masked values are absent. ``"bp": array`` of shape ``(n, k)`` stands for ``bp0`` to ``bp<k-1>``; ``id`` goes
            through. Where quantities are measured in spectra, their common name or the instrument's takes a Spectrum, list,
            Batch or files: parts without data are absent.
        wanted : str or sequence of str
            Names of quantities or instruments, each once.

        Returns
        -------
        QTable
            A row a star: ``id``, each quantity and ``QUANTITY_err`` with its unit, ``flags``. Stars of which nothing
            usable is given are NaN and flagged ``no-usable-quantity``; a spectrum without flux in the
            reference band does not count and is flagged ``no-reference-flux:INSTRUMENT``. Spectra are columns of
            shape ``(n, bands)``, whose wavelengths are in ``meta["wavelengths"]``.
        Spectrum or SpectrumList
            Where one spectrum is asked for and nothing else: the mean flux in each band, at its middle. On the scale of the
            spectrum that was given; if there was none, without unit, over the flux in the reference band.

        Raises
        ------
        UnknownNameError
            A name that the model does not know.
        DataError
            Another unit, arrays of different lengths, a name twice, more quantities than the model was trained on.
        """
        from .request import request

        return request(self, given, wanted)

    def attention(self, data: Any, label: str, *, how: str = "attention") -> Spectrum | SpectrumList:
        """Map where in a spectrum a label comes from; for models whose labels attend to pixels.

        Parameters
        ----------
        data : Spectrum, list, Batch, path or list of paths
        label : str
        how : str
            ``"attention"``: how much the label's question attends to each pixel, the mean over blocks and heads of
            cross-attention; or ``"gradient"``: the size of the derivative of the label by the pixel's flux. That is what
            this model makes of a pixel, given the others, and no map of where the flux depends on the label; attention
            resembles that more.

        Returns
        -------
        Spectrum or SpectrumList
            On the pixels that the model takes; 1 is the mean over a star's good pixels, the others are masked.
            `astrofm.models.attention.peaks` lists where it is highest.
        """
        from .attention import attention

        return self._one_or_list(data, attention(self, data, label, how))

    def card(self, star: Any, *, index: Searchable | None = None, to: Sequence[str] | None = None,
             path: str | os.PathLike | None = None) -> Figure:
        """Draw what the model makes of a star.

        A spectrum with its reconstruction, translations and labels; a light curve, that folded at its period, its classes
        with their probabilities and set, and numbers; and the neighbours of either.

        Parameters
        ----------
        star : Spectrum, TimeSeries or other single star
        index : astrofm.Index, optional
            Where neighbours are looked up.
        to : sequence of str, optional
            Instruments to translate spectra to; the model's others by default.
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

    def _answered(self, data: Any, verb: Callable[[Batch], Mapping[str, Any]],
                  extras: Table | Mapping[str, Any] | None) -> list[tuple[Piece, Mapping[str, Any]]]:
        if extras is None:
            return inputs.work(data, verb)
        from .extras import Given

        given = Given(self.core.parts, extras)
        found = inputs.work(data, verb, given.into)
        given.check(sum(len(piece) for piece, _ in found))
        return found

    def _table(self, found: list[tuple[Piece, Mapping[str, Any]]], columns: Sequence[answers.Declared],
               asked: Mapping[str, Any] | None = None) -> QTable:
        table = answers.make_table(columns, answers.fill(columns, sum(len(piece) for piece, _ in found), found))
        table.meta.update({**self.provenance(), **(asked or {})})
        return table

    def provenance(self) -> dict[str, str]:
        """Say what made an answer: the model, its hash, the version of astrofm, and whom to cite."""
        from .. import __version__

        return {"model": self.name, "sha256": self.sha256, "astrofm": __version__, "citation": self.about["citation"]}

    @staticmethod
    def _one_or_list(data: Any, found: list[Spectrum]) -> Spectrum | SpectrumList:
        from ..compat import SpectrumList

        return found[0] if inputs.is_one_star(data) else SpectrumList(found)
