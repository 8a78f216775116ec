"""The verb of classes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from astropy.table import QTable, Table

    from .core import Core


class Classifying:
    """The verb of classes of a `~astrofm.models.Model`."""

    about: dict[str, Any]
    core: Core

    def classify(self, data: Any, *, coverage: float = 0.9, false_alarm: float = 0.01,
                 extras: Table | Mapping[str, Any] | None = None, parents: Mapping[str, str] | None = None,
                 prior: Mapping[str, float] | None = None) -> QTable:
        """Say which class each star is of, which others it may be, and whether it is none of them.

        Parameters
        ----------
        data : Spectrum or TimeSeries, list, Batch, path or list of paths
            Instruments may be mixed.
        coverage : float
            Part of the stars whose class is in their set.
        false_alarm : float
            Part of the stars of known classes that may be taken for unknown; 0 takes none for unknown.
        extras : Table or mapping of columns, optional
            As for `predict`.
        parents : mapping of str to str, optional
            The class above each class, and above that, in place of the model's: ``{"rrab": "rrlyr", "rrlyr": "pulsating"}``.
        prior : mapping of str to float, optional
            What part of the stars that are asked about is of a class, in place of what the model learned:
            ``{"CONST": 0.95}``. Classes that are not named share the rest as they were learned. Sets do not change.

        Returns
        -------
        QTable
            A row a star, in order: ``id file instrument``; for each class label ``LABEL`` and ``LABEL_probability``, what is
            above it (``LABEL_parent``, ``LABEL_parent_2`` …) with the sum of the probabilities of all classes below that,
            ``LABEL_set`` and its size, ``LABEL_p_value``, and the three most probable classes (``LABEL_1`` to ``LABEL_3``)
            with their probabilities; ``snr n_bad flags error``. See Notes.

        Raises
        ------
        AstrofmError
            The model has no class label, and as for `predict`.

        Notes
        -----
        Sets hold the classes whose probability is no smaller than that of ``coverage`` of their own stars, measured on stars
        that nothing was learned from, and always the class that is most probable (Sadinle et al. 2019, JASA 114, 223): of new
        stars like those, at least that part has its class in its set, in each class that had stars enough (20, and more for a
        coverage near 1); rarer classes together. ``LABEL_p_value`` is the part of such stars that lie at least as far from
        all classes as this one; below ``false_alarm`` the class is ``"unknown"``, and its probability and parent are blank.
        What was never measured is not promised: then sets add up the head's own probabilities, the flag is
        ``uncalibrated:LABEL``, and no star is unknown. `calibrate` measures it.
        """
        from .classes import Question, class_columns, class_labels

        question = Question(coverage, false_alarm, parents or {}, prior or {})
        columns = class_columns(class_labels(self.about, question), question)
        found = self._answered(data, lambda batch: self.core.classify(batch, question), extras)
        return self._table(found, columns, {"coverage": coverage, "false_alarm": false_alarm,
                                             **({"prior": dict(prior)} if prior else {})})
