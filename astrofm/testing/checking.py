"""Run the suite of a registered name: what ``astrofm check NAME`` does."""

from __future__ import annotations

import os
import sys
import tempfile
import textwrap
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING
from unittest import mock

from ..errors import UnknownNameError

if TYPE_CHECKING:
    import pytest

SUITES = {"instruments": "InstrumentTests", "encoders": "EncoderTests", "aligners": "AlignerTests",
          "heads": "HeadTests"}

_MODULE = """
from astrofm.testing import {suite}


class Test{kind}({suite}):
    name = {name!r}
"""


def check(name: str, kind: str | None = None) -> int:
    """Run the conformance suite of a registered part through pytest and print its results.

    Parameters
    ----------
    name : str
        Registered name.
    kind : str, optional
        ``"instruments"``, ``"encoders"``, ``"aligners"`` or ``"heads"``; by default every kind
        that has the name.

    Returns
    -------
    int
        0 if every promise is kept, another number if not; 2 where pytest is not installed.

    Raises
    ------
    UnknownNameError
        If no installed plugin offers the name.
    AmbiguousError, PluginError
        If two plugins offer it, or its class can't be imported.
    """
    kinds = _kinds(name, kind)
    if find_spec("pytest") is None:
        print("checking a part runs its conformance suite, which needs pytest: pip install pytest",
              file=sys.stderr)
        return 2
    import pytest

    report = Report()
    with tempfile.TemporaryDirectory(prefix="astrofm-check-") as folder:
        (Path(folder) / "pytest.ini").write_text("[pytest]\npython_files = check_*.py\n")
        for each in kinds:
            (Path(folder) / f"check_{each}.py").write_text(
                _MODULE.format(suite=_suite(each, name), kind=each, name=name))
        alone = {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "PYTEST_ADDOPTS": ""}
        with mock.patch.dict(os.environ, alone):
            status = pytest.main(["-c", f"{folder}/pytest.ini", "--rootdir", folder, "-p", "no:cacheprovider",
                                  "-p", "no:terminal", "--import-mode=importlib", folder], plugins=[report])
    report.conclude(name)
    return int(status)


class Report:
    """Print the outcome of each promise as a line of words; a plugin of pytest's for one run."""

    WORDS = {"passed": "kept", "failed": "BROKEN", "skipped": "skipped"}

    def __init__(self):
        self.counts = dict.fromkeys(self.WORDS, 0)
        self.kind = ""

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.when != "call" and report.outcome == "passed":
            return
        kind, promise = report.nodeid.split("::")[-2:]
        if kind != self.kind:
            self.kind = kind
            print(f"as one of the {kind.removeprefix('Test')}")
        self._tell(report.outcome, promise.removeprefix("test_").replace("_", " "), report)

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        if report.outcome != "passed":
            self._tell(report.outcome, "the suite can be collected", report)

    def _tell(self, outcome: str, promise: str, report: pytest.TestReport | pytest.CollectReport) -> None:
        self.counts[outcome] += 1
        print(f"  {self.WORDS[outcome]:8} {promise}")
        if outcome == "skipped" and isinstance(report.longrepr, tuple):
            print(f"           {report.longrepr[-1].removeprefix('Skipped: ')}")
        elif outcome == "failed":
            crash = getattr(report.longrepr, "reprcrash", None)
            why = crash.message.removeprefix("AssertionError: ") if crash else str(report.longrepr)
            print(textwrap.indent(why, 11 * " "))
            if crash and not crash.message.startswith("AssertionError"):
                print(f"           in {crash.path}, line {crash.lineno}")

    def conclude(self, name: str) -> None:
        """Print the number of promises kept, broken and skipped."""
        counts = [f"{count} {self.WORDS[outcome].lower()}" for outcome, count in self.counts.items()]
        print(f"{name}: promises {', '.join(counts)}")


def _suite(kind: str, name: str) -> str:
    """Say which suite a part is checked by: light curves have their own."""
    from ..interfaces import LightCurveInstrument
    from ..registry import get_part

    part = get_part(kind, name)
    light_curves = isinstance(part, type) and issubclass(part, LightCurveInstrument)
    return "LightCurveInstrumentTests" if light_curves else SUITES[kind]


def _kinds(name: str, kind: str | None) -> list[str]:
    from ..registry import cards, get_part

    if kind is not None and kind not in SUITES:
        raise UnknownNameError(f"no kind of part is called {kind!r}: say one of {', '.join(SUITES)}")
    asked = list(SUITES) if kind is None else [kind]
    found = []
    for each in asked:
        try:
            get_part(each, name)
        except UnknownNameError:
            if kind is not None:
                raise
        else:
            found.append(each)
    if not found:
        installed = "; ".join(f"{each}: {', '.join(cards(each)) or 'none'}" for each in asked)
        raise UnknownNameError(f"no part named {name!r} to check. Installed: {installed}. "
                               "See: astrofm plugins")
    return found
