"""The public promises of every instrument, kept by this one."""

from astrofm.testing import InstrumentTests


class TestGaiaXP(InstrumentTests):
    name = "gaia-xp"
