"""Conformance suites that anybody can run on an instrument, encoder, aligner or head; and small real fakes.

Subclass a suite, set `name`, and pytest finds the tests:

>>> from astrofm.testing import InstrumentTests
>>> class TestFeros(InstrumentTests):
...     name = "feros"

Nothing here is imported by the rest of astrofm, and pytest is needed only to run the suites.
"""

from importlib import import_module

__all__ = ["AlignerTests", "EncoderTests", "FakeAligner", "FakeEncoder", "FakeHead", "FakeInstrument",
           "FakePhotometer", "HeadTests", "InstrumentTests", "LightCurveInstrumentTests", "check", "fake_distribution"]

_HOMES = {
    "InstrumentTests": "instruments", "LightCurveInstrumentTests": "instruments", "EncoderTests": "encoders",
    "AlignerTests": "aligners", "HeadTests": "heads",
    "check": "checking", "FakeInstrument": "fakes", "FakePhotometer": "fakes", "FakeEncoder": "fakes",
    "FakeAligner": "fakes", "FakeHead": "fakes", "fake_distribution": "distributions",
}


def __getattr__(name: str):
    if name in _HOMES:
        return getattr(import_module(f".{_HOMES[name]}", __name__), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__():
    return sorted({*globals(), *__all__})
