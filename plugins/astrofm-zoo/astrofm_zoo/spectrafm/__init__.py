"""SpectraFM: pixels as tokens that know their wavelength."""
