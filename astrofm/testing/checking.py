"""Run the suite of a registered name: what ``astrofm check NAME`` does."""

from __future__ import annotations

import os
import sys
import tempfile
from importlib.util import find_spec
from pathlib import Path
from unittest import mock

from ..errors import UnknownNameError

SUITES = {"instruments": "InstrumentTests", "encoders": "EncoderTests", "aligners": "AlignerTests",
          "heads": "HeadTests"}

_MODULE = """
from astrofm.testing import {suite}


class Test{title}({suite}):
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

    with tempfile.TemporaryDirectory(prefix="astrofm-check-") as folder:
        settings = Path(folder) / "pytest.ini"
        settings.write_text("[pytest]\npython_files = check_*.py\n")
        for each in kinds:
            (Path(folder) / _file_name(name, each)).write_text(
                _MODULE.format(suite=SUITES[each], title=each.title(), name=name))
        with mock.patch.dict(os.environ, {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "PYTEST_ADDOPTS": ""}):
            return int(pytest.main(["-c", str(settings), "--rootdir", folder, "--import-mode=importlib", "-p",
                                    "no:cacheprovider", "-v", "--no-header", "--tb=short", folder]))


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


def _file_name(name: str, kind: str) -> str:
    """Name the test file so that a line of pytest's report reads like a sentence."""
    return f"check_{kind}_{name.replace('-', '_').replace(os.sep, '_')}.py"
