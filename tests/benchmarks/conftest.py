"""The scripts in ``benchmarks/`` import each other by name."""

import sys
from pathlib import Path

import pytest

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


@pytest.fixture(autouse=True)
def benchmarks(monkeypatch):
    """Let a test import them."""
    before = set(sys.modules)
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    yield BENCHMARKS
    for name in {name for name in set(sys.modules) - before if name.split(".")[0].startswith("variables")}:
        del sys.modules[name]
