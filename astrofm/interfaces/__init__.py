"""The four nouns. `Instrument` is NumPy; `Encoder`, `Aligner` and `Head` are torch modules, loaded when asked for."""

from .degrade import degrade
from .instrument import Instrument, SpectrumInstrument
from .lightcurve import LightCurveInstrument

__all__ = ["Aligner", "Encoder", "Extra", "Head", "Instrument", "Label", "LightCurveInstrument", "SpectrumInstrument",
           "degrade"]

_TORCH = {"Encoder": "encoder", "Aligner": "aligner", "Extra": "head", "Head": "head", "Label": "head"}


def __getattr__(name: str):
    if name in _TORCH:
        from importlib import import_module

        return getattr(import_module(f".{_TORCH[name]}", __name__), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
