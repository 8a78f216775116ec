"""Foundation models for stars: spectra and light curves of any survey in one shared space.

Importing astrofm loads no torch, looks for no plugin and opens no file. It puts the ``.fm`` accessor on specutils'
``Spectrum`` and astropy's ``TimeSeries``, and lets ``Spectrum.read`` know the formats of installed instruments.
"""

from importlib import import_module

from astropy.timeseries import TimeSeries as _TimeSeries

from . import accessors as _accessors
from .compat import Spectrum as _Spectrum
from .compat import SpectrumList as _SpectrumList
from .registry import formats as _formats

__version__ = "0.1.0"
__citation__ = "astrofm developers, astrofm: foundation models for stars (software); see astrofm cite NAME for models."

_PUBLIC = {
    "Card": "registry", "ModelCard": "registry", "hookimpl": "registry", "identify": "registry", "read": "registry",
    "Batch": "data", "Sample": "data", "light_curve": "data", "light_curves": "data",
    "Model": "models", "load_model": "models", "light_curve_features": "models",
    "Index": "search", "build_index": "search",
    "search": None, "registry": None, "data": None, "interfaces": None, "models": None, "testing": None, "errors": None,
}

__all__ = sorted(name for name, room in _PUBLIC.items() if room)


def __getattr__(name: str):
    if name not in _PUBLIC:
        raise AttributeError(f"module 'astrofm' has no attribute {name!r}")
    room = _PUBLIC[name]
    module = import_module(f".{room or name}", __name__)
    return getattr(module, name) if room else module


def __dir__():
    return sorted({*globals(), *_PUBLIC})


_accessors.attach(_Spectrum, _TimeSeries)
_formats.attach(_Spectrum, _SpectrumList)
