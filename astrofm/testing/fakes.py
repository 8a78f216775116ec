"""Small parts that really work, for tests of everything that takes a part."""

from __future__ import annotations

import numpy as np
from astropy import units as u

from ..interfaces import LightCurveInstrument, SpectrumInstrument


class FakeInstrument(SpectrumInstrument):
    """A spectrograph of 256 pixels, 4000-7000 Angstrom in vacuum; its header says ``INSTRUME = 'FAKE'``.

    Examples
    --------
    >>> from astrofm.testing import FakeInstrument
    >>> fake = FakeInstrument()
    >>> fake.sample(fake.example(seed=3)).meta["id"]
    'example-3'
    """

    name = "fake"
    grid = np.geomspace(4000, 7000, 256) * u.AA
    example_header = {"INSTRUME": "FAKE"}

    def matches(self, spectrum) -> bool:
        return spectrum.meta.get("header", {}).get("INSTRUME") == "FAKE"


class FakePhotometer(LightCurveInstrument):
    """A photometer of two bands, B and R, in electrons a second; its light curves say ``telescope = "fake"``.

    Examples
    --------
    >>> from astrofm.testing import FakePhotometer
    >>> fake = FakePhotometer()
    >>> fake.sample(fake.example(seed=3)).meta["id"]
    'example-3'
    """

    name = "fake-photometer"
    bands = ("B", "R")
    band_names = {"blue": "B", "red": "R"}
    unit = u.electron / u.s
    zero_points = {"B": 25.0, "R": 24.5}
    example_meta = {"telescope": "fake"}

    def matches(self, series) -> bool:
        return series.meta.get("telescope") == "fake"


def __getattr__(name: str):
    if name in ("FakeAligner", "FakeEncoder", "FakeHead"):
        from . import fake_parts

        return getattr(fake_parts, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
