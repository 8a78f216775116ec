"""How a model learns labels from a user's stars, and how that is kept."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from astropy.table import Table

    from .model import Model


class Teaching:
    """The part of a `~astrofm.models.Model` that learns."""

    def fit(self, data: Any, labels: Table, *, method: str = "head", head: str = "gaussian",
            places: Sequence[str] = ("encoder",), rank: int = 8, alpha: float = 16.0, rates: Sequence[float] | None = None,
            stars: Sequence[Any] | None = None, keep: Sequence[str] = (), seed: int = 0,
            progress: Callable[[str], None] | None = None,
            extras: Table | Mapping[str, Any] | Sequence[Any] | None = None, parents: Mapping[str, str] | None = None,
            prior: str | Mapping[str, float] = "table", smoothing: float = 0.0) -> Model:
        """Learn labels from stars whose labels are known.

        Parameters
        ----------
        data : list, Batch, path or list of paths
        labels : Table
            A row a spectrum; every column is a label, with its unit. Unknown ones are NaN or masked. ``NAME_err`` beside
            ``NAME`` holds the errors of that label, which count in learning. Columns of text are classes, empty or masked
            where unknown.
        method : str
            ``"head"``: a perceptron on the embeddings as they are; ``"probe"``: weighted sums of them, in closed form;
            ``"forest"``, for classes: decision trees, grown by scikit-learn (``pip install 'astrofm[variables]'``);
            ``"lora"``: low-rank adapters beside the layers of ``places`` (Hu et al. 2021), merged in the end; ``"full"``:
            all weights of ``places``. The last two learn numbers, or one column of classes; numbers from the model's own
            head, where it has one for these labels.
        head : str
            ``"gaussian"``: each label with its own error; or ``"posterior"``: the joint posterior of all of them, for stars
            all of whose labels are known (``pip install 'astrofm[flow]'``), by method ``"head"``.
        places : sequence of str
            Of ``"encoder"``, ``"projection"`` (the aligner) and ``"head"``: what ``"lora"`` and ``"full"`` change.
        rank, alpha : int, float
            Of the adapters: their width, and by how much they count (``alpha / rank``).
        rates : sequence of float, optional
            Learning rates that ``"lora"`` and ``"full"`` try; the best on the kept stars is taken. By default 1e-3 for the
            first, 1e-4 and 1e-5 for the second. A model that has learned nothing yet wants more.
        stars : sequence, optional
            Which star each spectrum is of, so that a star's spectra are learned from or kept together.
        keep : sequence of str
            Names of this model's heads that the new one has, too; none where ``method`` changes the embeddings they read.
        seed : int
        progress : callable, optional
            Called with a line now and then.
        extras : Table, mapping, or sequence of names and tables, optional
            What heads of classes read beside the embedding: a table of numbers with units, joined by ``id`` where there is
            such a column, else a row a star; or names of what the encoder measures. Those of a table are then wanted in
            `predict` and `classify`, too. NaN and masked cells are missing, and may be.
        parents : mapping of str to str, optional
            The class above each class, and above that: ``{"rrab": "rrlyr", "rrc": "rrlyr", "rrlyr": "pulsating"}``.
        prior : str or mapping of str to float
            How common the classes are among the stars that will be asked about: as in the ``"table"``, all alike
            (``"even"``), or by name. Classes are learned as if all were alike, and this is added (Menon et al. 2021,
            arXiv:2007.07314).
        smoothing : float
            Of classes, but for probes and forests: the part of the probability that is shared out to all classes.

        Returns
        -------
        Model
            A new one; this one stays as it is. A fifth of the stars was kept to stop in time and to calibrate the errors: of
            those, 68.27 % lie within one error. A probe leaves each star out in turn instead. Classes are learned from all
            stars: each fifth of them is answered by a head that has not seen them (a forest's by the trees that have not),
            and temperature, sets and strangers of `classify` are measured on these answers; ``"lora"`` and ``"full"`` learn
            four fifths of the stars of each class; the others say when to stop, and are answered by weights of three fifths.

        Raises
        ------
        DataError
            Too few stars, rows that do not match, a column that is no label, a method or place that is none, classes beside
            other labels for a method that learns one column.
        """
        from .fit import fit

        return fit(self, data, labels, method=method, head=head, places=places, rank=rank, alpha=alpha, rates=rates,
                   stars=stars, keep=keep, seed=seed, progress=progress, extras=extras, parents=parents, prior=prior,
                   smoothing=smoothing)

    def calibrate(self, data: Any, labels: Table, *, extras: Table | Mapping[str, Any] | None = None) -> Model:
        """Calibrate errors of labels, and probabilities of classes, on stars that nothing was learned from.

        Parameters
        ----------
        data : list, Batch, path or list of paths
            For models that are asked by name, what `request` takes: errors are right for stars of which as much is known.
        labels : Table
            A row a spectrum: labels of the model's, with units, and ``NAME_err`` where their errors are known. Unknown ones
            are NaN or masked. Columns of text are classes of the model's, empty or masked where unknown.
        extras : Table or mapping of columns, optional
            As for `predict`.

        Returns
        -------
        Model
            A new one that predicts the same; where labels are classes, with probabilities of another temperature, and with
            what `classify` draws sets and tells strangers by. Of numbers, with errors times a factor for each label and
            instrument: 68.27 % of these stars lie within one (Vovk et al. 2005; Lei et al. 2018, JASA 113, 1094).

        Raises
        ------
        DataError
            Fewer than 20 stars of an instrument, a label or class that the model has not, another unit.
        """
        from .calibrate import calibrate

        return calibrate(self, data, labels, extras)

    def save_adapter(self, folder: str | os.PathLike) -> Path:
        """Write what ``fit(method="lora")`` learned beside the weights: a folder as peft lays it out, and the head.

        Returns
        -------
        Path
            With ``adapter_config.json``, ``adapter_model.safetensors`` and ``head.safetensors``.
        """
        from .adapters import write_adapter

        return write_adapter(self, Path(folder))

    def with_adapter(self, folder: str | os.PathLike) -> Model:
        """Give this model as ``fit(method="lora")`` made it, from the folder that `save_adapter` wrote.

        Raises
        ------
        ModelFileError
            The folder is damaged, or belongs to another model.
        """
        from .adapters import with_adapter

        return with_adapter(self, Path(folder))
