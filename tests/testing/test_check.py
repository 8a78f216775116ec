"""``check`` runs the suites of what is installed, and says in words what is wrong."""

from __future__ import annotations

import os
import re
import subprocess
import sys

import pytest

from astrofm import testing
from astrofm.errors import UnknownNameError
from astrofm.registry import KINDS
from astrofm.testing import check, checking, fake_distribution

CHECK = "from astrofm.testing import check; raise SystemExit(check({}))"
FAKES = '''
from astrofm import Card, hookimpl

def card(target):
    return [Card("fake", f"astrofm.testing.{target}", "A fake", license="BSD-3-Clause")]

@hookimpl
def astrofm_instruments():
    return card("fakes:FakeInstrument")

@hookimpl
def astrofm_heads():
    return card("fake_parts:FakeHead")
'''
HASTY = '''
from astrofm import Card, hookimpl
from astrofm_hasty_instrument import Hasty

@hookimpl
def astrofm_instruments():
    return [Card("hasty", "astrofm_hasty_instrument:Hasty", "Claims everything", license="MIT")]
'''
HASTY_INSTRUMENT = '''
from astrofm.testing import FakeInstrument

class Hasty(FakeInstrument):
    name = "hasty"

    def matches(self, spectrum):
        return True
'''


def python(code, *folders):
    """Run code in a fresh Python that finds the folders' distributions."""
    path = os.pathsep.join([*map(str, folders), *filter(None, [os.environ.get("PYTHONPATH")])])
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=300,
                          env={**os.environ, "PYTHONPATH": path})


def test_check_runs_the_suite_of_every_kind_that_has_the_name(tmp_path):
    fake_distribution(tmp_path, "astrofm-fakes", module="astrofm_fakes", files={"astrofm_fakes.py": FAKES})
    run = python(CHECK.format("'fake'"), tmp_path)
    assert run.returncode == 0, run.stdout + run.stderr
    for kind in ("instruments", "heads"):
        assert f"as one of the {kind}\n  kept     card is complete\n" in run.stdout
    assert re.search(r"fake: promises \d\d kept, 0 broken, 0 skipped", run.stdout)


def test_every_kind_of_part_has_a_suite():
    assert set(checking.SUITES) == set(KINDS) - {"models", "importers", "objectives"}
    for suite in checking.SUITES.values():
        assert issubclass(getattr(testing, suite), testing.cards.CardTests)


def test_check_says_which_promises_a_plugin_breaks(tmp_path):
    fake_distribution(tmp_path, "astrofm-hasty", module="astrofm_hasty",
                      files={"astrofm_hasty.py": HASTY, "astrofm_hasty_instrument.py": HASTY_INSTRUMENT})
    run = python(CHECK.format("'hasty', 'instruments'"), tmp_path)
    assert run.returncode == 1, run.stdout + run.stderr
    assert "BROKEN   listing the cards loads nothing heavy" in run.stdout
    assert "imports astrofm_hasty_instrument" in run.stdout
    assert "claims(an empty table) is True, not False" in run.stdout


def test_check_of_an_unknown_name_says_what_is_installed():
    with pytest.raises(UnknownNameError, match="no part named 'nothing-like-it'.*gaussian"):
        check("nothing-like-it")


def test_check_of_an_unknown_kind_says_the_kinds():
    with pytest.raises(UnknownNameError, match="instruments, encoders, aligners, heads"):
        check("gaussian", "telescopes")


def test_check_without_pytest_says_what_to_install(monkeypatch, capsys):
    monkeypatch.setattr(checking, "find_spec", lambda name: None)
    assert check("gaussian") == 2
    assert "pip install pytest" in capsys.readouterr().err


def test_the_testing_room_needs_neither_pytest_nor_torch_to_be_imported():
    run = python("import sys\n"
                 "sys.modules['pytest'] = None  # importing it raises\n"
                 "import astrofm.testing as testing\n"
                 "testing.InstrumentTests, testing.check, testing.FakeInstrument, testing.fake_distribution\n"
                 "print('torch' in sys.modules)\n"
                 "testing.EncoderTests, testing.AlignerTests, testing.HeadTests, testing.FakeEncoder\n")
    assert (run.returncode, run.stdout.strip()) == (0, "False"), run.stdout + run.stderr
