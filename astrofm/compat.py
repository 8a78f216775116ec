"""One name for the spectrum class of specutils 1.20+ and 2.x: the class that the other name is, or derives from."""

import specutils
from specutils import SpectrumList

__all__ = ["SPECTRA", "Spectrum", "SpectrumList"]

_NAMES = ("Spectrum", "Spectrum1D")
#: the classes under both names: ``Spectrum`` derives from ``Spectrum1D`` in 1.20.0 and is its base in 2.x
SPECTRA = tuple(dict.fromkeys(getattr(specutils, name) for name in _NAMES if hasattr(specutils, name)))

Spectrum = next(cls for cls in SPECTRA if all(issubclass(other, cls) for other in SPECTRA))
