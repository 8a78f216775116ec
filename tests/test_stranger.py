"""A spectrograph that astrofm has never heard of costs its author about 40 lines, and all of it works."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

import astrofm
from astrofm.testing import fake_distribution

STRANGER = Path(__file__).parents[1] / "examples" / "astrofm-feros"
WEIGHTS = Path(astrofm.__file__).parent / "models" / "weights" / "stellar-tiny.safetensors"
LIST = """
import sys
from astrofm.registry import cards
print(cards("instruments")["feros"])
print("astrofm_feros.instrument" in sys.modules)
"""
PREDICT = """
import json
import astrofm
from astrofm.registry import get_instrument
feros = get_instrument("feros")
stars = [feros.example(seed) for seed in (2, 0, 1)]
assert [astrofm.identify(star) for star in stars] == ["feros"] * 3
table = astrofm.load_model("stellar-tiny").predict(stars)
print(json.dumps([list(table.colnames), [str(i) for i in table["id"]], str(table["teff"].unit),
                  table["teff"].to_value("K").tolist(), table["teff_err"].to_value("K").tolist()]))
"""


@pytest.fixture(scope="module")
def stranger(tmp_path_factory):
    """Write the example where it looks installed, from its own pyproject.toml."""
    project = tomllib.loads((STRANGER / "pyproject.toml").read_text())["project"]
    files = {str(path.relative_to(STRANGER)): path.read_text()
             for path in sorted([*STRANGER.glob("astrofm_feros/*.py"), *STRANGER.glob("tests/*.py")])}
    [module] = project["entry-points"]["astrofm"].values()
    return fake_distribution(tmp_path_factory.mktemp("stranger"), project["name"], module=module, files=files,
                             version=project["version"])


def python(folder, *arguments):
    """Run a fresh Python in another folder, with the stranger installed."""
    path = os.pathsep.join([str(folder), *filter(None, [os.environ.get("PYTHONPATH")])])
    environment = {**os.environ, "PYTHONPATH": path, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    return subprocess.run([sys.executable, *arguments], capture_output=True, text=True, timeout=300,
                          cwd=folder, env=environment)


def command(folder, *words):
    """Run the ``astrofm`` command."""
    return python(folder, "-c", "import sys; from astrofm.cli import main; sys.exit(main())", *words)


def test_a_stranger_is_about_forty_lines_test_included():
    written = [path for path in sorted(STRANGER.rglob("*"))
               if path.suffix in (".py", ".toml") and path.name != "setup.py" and "build" not in path.parts]
    lines = [line for path in written for line in path.read_text().splitlines() if line.strip()]
    assert len(written) == 4
    assert len(lines) <= 45


def test_a_stranger_is_listed_without_loading_its_instrument(stranger):
    run = python(stranger, "-c", LIST)
    assert "FEROS echelle spectra" in run.stdout, run.stderr
    assert run.stdout.splitlines()[-1] == "False"


def test_the_command_lists_a_stranger(stranger):
    run = command(stranger, "plugins")
    assert run.returncode == 0, run.stderr
    assert "feros" in run.stdout


def test_a_stranger_passes_its_suite_by_the_command(stranger):
    run = command(stranger, "check", "feros")
    assert run.returncode == 0, run.stdout + run.stderr
    assert "kept     it claims its own example" in run.stdout
    assert "feros: promises" in run.stdout and " 0 broken, 0 skipped" in run.stdout


def test_the_strangers_own_test_passes(stranger):
    run = python(stranger, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(stranger / "tests"))
    assert run.returncode == 0, run.stdout + run.stderr


@pytest.mark.skipif(not WEIGHTS.exists(), reason="the weights of stellar-tiny are not in this checkout")
def test_a_strangers_spectra_go_through_the_shipped_model(stranger):
    run = python(stranger, "-c", PREDICT)
    assert run.returncode == 0, run.stderr
    columns, ids, unit, teff, error = json.loads(run.stdout.splitlines()[-1])
    assert {"teff", "teff_err", "logg", "logg_err"} <= set(columns)
    assert ids == ["example-2", "example-0", "example-1"]
    assert unit == "K"
    assert all(2000 < value < 60000 for value in teff)
    assert all(0 < value < 60000 for value in error)
