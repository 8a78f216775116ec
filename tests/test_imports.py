"""Rooms import downwards only; importing astrofm costs little; the core knows no survey by name."""

import ast
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

import astrofm

PACKAGE = Path(astrofm.__file__).parent
ROOT = Path(__file__).parents[1]
#: imports flow down this list, never up
ROOMS = ["errors", "compat", "data", "interfaces", "registry", "nn", "training", "models", "search", "scale",
         "accessors", "cli", "testing"]
MODULES = sorted(PACKAGE.rglob("*.py"))
#: surveys, and papers and their code, that plugins may name and the core may not
NAMES = ["lamost", "gaia", "apogee", "desi", "sdss", "tess", "kepler", "ztf", "specclip", "starclr", "spectrafm",
         "astroclip", "astromer", "galah", "miles", "mastar", "aspcap", "lasp"]


def room(path):
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def rooms_imported(path):
    """Yield the rooms of astrofm that a module imports, wherever in it, and the line."""
    inside = path.relative_to(PACKAGE).with_suffix("").parts
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            for name in node.names:
                if name.name.startswith("astrofm."):
                    yield name.name.split(".")[1], node.lineno
        elif isinstance(node, ast.ImportFrom):
            if node.level:
                above = ("astrofm", *inside)[:-node.level]
                full = ".".join([*above, *filter(None, [node.module])])
            else:
                full = node.module
            if full == "astrofm":
                yield from ((name.name, node.lineno) for name in node.names)
            elif full.startswith("astrofm."):
                yield full.split(".")[1], node.lineno


def fresh(code):
    """Run code in a Python of its own."""
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120,
                         env={k: v for k, v in os.environ.items() if not k.startswith("ASTROFM_")})
    assert run.returncode == 0, run.stderr
    return run.stdout.split()


def test_every_room_has_its_place():
    assert {room(path) for path in MODULES} - {"__init__", "__main__"} <= set(ROOMS)


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_a_room_imports_only_rooms_before_it(path):
    here = room(path)
    if here in ("__init__", "__main__"):
        return  # the top, above all rooms
    wrong = [(other, line) for other, line in rooms_imported(path)
             if other in ROOMS and ROOMS.index(other) > ROOMS.index(here)]
    assert not wrong


def test_the_check_of_rooms_sees_an_import_upwards(tmp_path, monkeypatch):
    folder = tmp_path / "astrofm" / "data"
    folder.mkdir(parents=True)
    (folder / "bad.py").write_text("def f():\n    from ..models import Model\n    import astrofm.cli\n")
    monkeypatch.setitem(globals(), "PACKAGE", tmp_path / "astrofm")
    assert sorted(rooms_imported(folder / "bad.py")) == [("cli", 3), ("models", 2)]


def test_importing_astrofm_loads_no_torch_and_no_plugin():
    loaded = fresh("import sys, astrofm; print(*sys.modules)")
    assert "torch" not in loaded
    assert not [name for name in loaded if name.startswith("astrofm_")]
    assert "astrofm.registry.builtin" not in loaded


def test_importing_astrofm_after_a_spectrum_was_imported_is_as_good():
    assert fresh("from specutils import Spectrum1D; import astrofm; print(Spectrum1D.fm.__name__)") == ["Accessor"]


def test_listing_loads_no_torch_and_no_instrument():
    loaded = fresh("import sys\nfrom astrofm.registry import KINDS, cards, plugins\nplugins()\n"
                   "for kind in KINDS: cards(kind)\nprint(*sys.modules)")
    assert "torch" not in loaded
    assert "astrofm.registry.builtin" in loaded
    assert not [name for name in loaded if name.startswith("astrofm_") and name.endswith(".instrument")]


def test_instruments_read_and_sample_without_torch():
    code = ("import sys, astrofm\nfrom astrofm.testing import FakeInstrument\nfake = FakeInstrument()\n"
            "fake.sample(fake.example())\nprint('torch' in sys.modules)")
    assert fresh(code) == ["False"]


def test_every_public_name_is_there():
    for name in astrofm.__all__:
        assert getattr(astrofm, name) is not None
    assert set(astrofm.__all__) <= set(dir(astrofm))
    assert len(astrofm.__all__) <= 25


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="no attribute 'telescope'"):
        astrofm.telescope  # noqa: B018


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_the_core_names_no_survey_and_no_paper(path):
    assert re.findall(rf"(?i)(?<![a-z])(?:{'|'.join(NAMES)})(?![a-z])", path.read_text()) == []


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_modules_stay_short(path):
    assert len(path.read_text().splitlines()) <= 260


def written():
    """List the text files of the repository: what git tracks where this is a checkout, else what lies here."""
    listed = subprocess.run(["git", "ls-files"], capture_output=True, text=True, cwd=ROOT)
    if listed.returncode == 0:
        return [path for path in map(ROOT.joinpath, listed.stdout.split("\n")) if path.is_file() and text_in(path)]
    return [*MODULES, *sorted(Path(__file__).parent.rglob("*.py"))]


def text_in(path):
    try:
        return path.read_text()
    except UnicodeDecodeError:
        return ""


def test_no_file_knows_the_path_of_anything_on_one_machine():
    pattern = re.compile(r"(?<![\w.:/~<>-])/(?:home|work|root|Users|mnt|opt)/\w[\w./-]*")
    found = {str(path.relative_to(ROOT)): pattern.findall(text_in(path)) for path in written()}
    assert {name: paths for name, paths in found.items() if paths} == {}
