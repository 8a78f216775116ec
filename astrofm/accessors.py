"""The ``.fm`` accessor on spectra and time series."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy as np
    from astropy.table import QTable

    from .compat import Spectrum
    from .models import Model

__all__ = ["Accessor", "attach"]


class Accessor:
    """What astrofm can do with one spectrum or time series; reached as its ``.fm``.

    Parameters
    ----------
    data : `~specutils.Spectrum` or `~astropy.timeseries.TimeSeries`

    Examples
    --------
    >>> import astrofm
    >>> from astrofm.testing import FakeInstrument
    >>> FakeInstrument().example().fm  # doctest: +ELLIPSIS
    <astrofm on Spectrum...>
    """

    def __init__(self, data: Any):
        self._data = data

    def __repr__(self) -> str:
        return f"<astrofm on {type(self._data).__name__}>"

    @property
    def instrument(self) -> str:
        """Name of the instrument that the data come from; raises if none, or more than one, claims them."""
        from .registry import identify

        return identify(self._data)

    def predict(self, model: str | Model | None = None) -> QTable:
        """Predict labels with errors: a table of one row. See `astrofm.models.Model.predict`."""
        return self._model(model).predict(self._data)

    def classify(self, model: str | Model | None = None, *, coverage: float = 0.9, false_alarm: float = 0.01,
                 prior: Mapping[str, float] | None = None) -> QTable:
        """Say which class it is, or may be: a table of one row. See `astrofm.models.Model.classify`."""
        return self._model(model).classify(self._data, coverage=coverage, false_alarm=false_alarm, prior=prior)

    def embed(self, model: str | Model | None = None) -> np.ndarray:
        """Embed into the shared space: shape ``(d,)``. See `astrofm.models.Model.embed`."""
        return self._model(model).embed(self._data)

    def translate(self, to: str, model: str | Model | None = None) -> Spectrum:
        """Say what another instrument would see. See `astrofm.models.Model.translate`."""
        return self._model(model).translate(self._data, to=to)

    def reconstruct(self, model: str | Model | None = None) -> Spectrum:
        """Fill masked and missing pixels, with errors. See `astrofm.models.Model.reconstruct`."""
        return self._model(model).reconstruct(self._data)

    def _model(self, model: str | Model | None) -> Model:
        if model is None or isinstance(model, str):
            from .models import load_model
            from .models.defaults import default_model

            return load_model(model or default_model(self._data))
        return model


class _Door:
    """Descriptor that makes an `Accessor`: it holds no state, so copies and pickles of the data carry none."""

    def __get__(self, data: Any, owner: type) -> Any:
        return Accessor if data is None else Accessor(data)


def attach(*classes: type) -> None:
    """Give classes the ``.fm`` accessor; subclasses inherit it."""
    for cls in classes:
        cls.fm = _Door()
