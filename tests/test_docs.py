"""What is written runs: examples in docstrings, configuration, and the files beside the package."""

import doctest
import importlib
import pkgutil
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

import astrofm

ROOT = Path(__file__).parents[1]
MODULES = sorted(module.name for module in pkgutil.walk_packages(astrofm.__path__, "astrofm.")
                 if not module.name.endswith("__main__"))
PLUGINS = sorted(path.parent for path in ROOT.glob("plugins/*/pyproject.toml"))


@pytest.mark.parametrize("name", MODULES)
def test_examples_in_docstrings_run(name):
    flags = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE | doctest.IGNORE_EXCEPTION_DETAIL
    found = doctest.testmod(importlib.import_module(name), optionflags=flags)
    assert found.failed == 0


@pytest.mark.parametrize("name", MODULES)
def test_modules_say_what_they_are(name):
    assert importlib.import_module(name).__doc__


def test_the_version_is_the_same_everywhere():
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    assert astrofm.__version__ == version
    assert f"version: {version}\n" in (ROOT / "CITATION.cff").read_text()


def test_readme_says_what_each_extra_is_for():
    extras = set(tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"])
    for page in ("README.rst", "docs/getting-started.rst"):
        text = (ROOT / page).read_text()
        assert "pip install 'astrofm[" in text and "astrofm[all]" in text
        assert not [name for name in extras - {"all", "test", "docs"} if f"``{name}``" not in text]


def test_the_core_has_at_most_ten_dependencies():
    assert len(tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["dependencies"]) <= 10


@pytest.mark.parametrize("folder", PLUGINS, ids=lambda folder: folder.name)
def test_plugins_have_the_same_skeleton(folder):
    project = tomllib.loads((folder / "pyproject.toml").read_text())
    package = folder.name.replace("-", "_")
    assert project["project"]["name"] == folder.name
    assert project["project"]["license"] == "BSD-3-Clause"
    assert set(project["project"].get("entry-points", ())) <= {"astrofm"}
    assert project["build-system"]["build-backend"] == "setuptools.build_meta"
    for there in ("README.rst", "LICENSE.rst", "tests", package, f"{package}/__init__.py"):
        assert (folder / there).exists(), there


def test_everything_that_the_core_needs_is_pinned():
    pinned = {re.split("==", line)[0].lower().replace("_", "-") for line in
              (ROOT / "constraints.txt").read_text().splitlines() if line and not line.startswith("#")}
    needed = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["dependencies"]
    assert {re.match(r"[\w-]+", line)[0].lower().replace("_", "-") for line in needed} <= pinned


def test_news_fragments_have_names_that_towncrier_reads():
    config = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["towncrier"]
    kinds = {kind["directory"] for kind in config["type"]}
    for path in (ROOT / "docs" / "changes").iterdir():
        if path.name not in ("README.rst", "template.rst"):
            assert re.fullmatch(rf"\d+\.({'|'.join(kinds)})(\.\d+)?\.rst", path.name), path.name


def test_continuous_integration_runs_the_second_command_of_the_readme():
    assert "exec bash" in (ROOT / ".ci" / "run").read_text() and "/test" in (ROOT / ".ci" / "run").read_text()
    commands = re.findall(r"\.ci/(\w+)", (ROOT / "README.rst").read_text())
    assert list(dict.fromkeys(commands)) == ["demo", "test"]


def test_the_documentation_builds_without_a_warning(tmp_path):
    pytest.importorskip("sphinx_astropy", reason="sphinx-astropy is not installed: pip install .[docs]")
    run = subprocess.run([sys.executable, "-m", "sphinx", "-W", "--keep-going", "-q", "-b", "html", str(ROOT / "docs"),
                          str(tmp_path)], capture_output=True, text=True, timeout=600)
    assert run.returncode == 0, run.stderr
