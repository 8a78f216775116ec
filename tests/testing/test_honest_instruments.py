"""Instruments of every make that `SpectrumInstrument` allows pass the whole suite."""

import numpy as np
import pytest
from astropy import units as u

from astrofm.testing import FakeInstrument, InstrumentTests
from astrofm.testing.cards import CardTests


class InAir(FakeInstrument):
    medium = "air"


class Backwards(FakeInstrument):
    grid = FakeInstrument.grid[::-1]


class Infrared(FakeInstrument):
    grid = np.geomspace(15140, 16960, 300) * u.AA
    unit = u.Unit("1e-17 erg s-1 cm-2 AA-1")


class InNanometres(FakeInstrument):
    grid = np.arange(336, 1021, 2.0) * u.nm
    unit = u.Unit("W m-2 nm-1")
    calibration = "absolute"


class InJansky(FakeInstrument):
    unit = u.Jy
    calibration = "absolute"


class Normalised(FakeInstrument):
    unit = u.dimensionless_unscaled


class WithGaps(FakeInstrument):
    arms = [np.linspace(4000, 4400, 90), np.linspace(5000, 5500, 90), np.linspace(6200, 7000, 90)]
    grid = np.concatenate(arms) * u.AA


class ExampleOnAnotherGrid(FakeInstrument):
    """Its stars come with other pixels than its grid's, and are resampled."""

    pixels = np.linspace(3900, 7100, 700)

    def example(self, seed=0):
        other = FakeInstrument()
        other.grid = self.pixels * u.AA
        return other.example(seed)


class ExampleOnACoarserGrid(ExampleOnAnotherGrid):
    pixels = np.linspace(4000, 7000, 120)


class ExampleWithinTheGrid(ExampleOnAnotherGrid):
    pixels = np.linspace(4321, 6543, 500)


MAKES = [FakeInstrument, InAir, Backwards, Infrared, InNanometres, InJansky, Normalised, WithGaps,
         ExampleOnAnotherGrid, ExampleOnACoarserGrid, ExampleWithinTheGrid]
PROMISES = sorted(name for name in dir(InstrumentTests)
                  if name.startswith("test_") and not hasattr(CardTests, name))


@pytest.mark.parametrize("promise", PROMISES)
@pytest.mark.parametrize("make", MAKES)
def test_an_honest_instrument_passes(make, promise):
    suite = type("Suite", (InstrumentTests,), {
        "name": "fake", "instrument": lambda self: make(), "others": lambda self: {}})()
    getattr(suite, promise)()
