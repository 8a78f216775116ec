"""One name for the spectrum class of specutils 1.20+ and 2.x."""

try:
    from specutils import Spectrum
except ImportError:  # specutils 1.x calls it Spectrum1D
    from specutils import Spectrum1D as Spectrum

from specutils import SpectrumList

__all__ = ["Spectrum", "SpectrumList"]
