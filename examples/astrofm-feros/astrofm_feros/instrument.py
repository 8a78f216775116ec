import numpy as np
from astropy import units as u

from astrofm.interfaces import SpectrumInstrument


class Feros(SpectrumInstrument):
    name = "feros"
    grid = np.geomspace(3530, 9200, 2048) * u.AA
    example_header = {"INSTRUME": "FEROS"}

    def matches(self, spectrum):
        return spectrum.meta.get("header", {}).get("INSTRUME") == "FEROS"
