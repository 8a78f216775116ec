"""A small model in a file, instruments that look installed, and files of theirs."""

import sys
from pathlib import Path

import pytest

from astrofm.registry import get_instrument, refresh
from astrofm.testing import fake_distribution

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "models"))


@pytest.fixture
def instruments(tmp_path_factory, monkeypatch):
    """Offer two instruments as installed ones."""
    folder = fake_distribution(tmp_path_factory.mktemp("fakes"), "astrofm-fakes", module="model_fakes", files={})
    monkeypatch.syspath_prepend(folder)
    refresh()
    yield {name: get_instrument(name) for name in ("wide", "coarse")}
    monkeypatch.undo()
    refresh()


@pytest.fixture
def model_file(instruments, tmp_path):
    from model_fakes import make_model

    return make_model().save(tmp_path / "small.safetensors")


@pytest.fixture
def folder(tmp_path):
    """Twelve files, one of two stars, one damaged, one of nobody's."""
    inside = tmp_path / "night"
    inside.mkdir()
    for k in range(12):
        (inside / f"{k:02d}.wide").write_text(f"WIDE {k}")
    (inside / "03.wide").write_text("WIDE 3 33")
    (inside / "05.wide").write_text("WIDE five")
    (inside / "07.wide").write_text("nobody knows")
    return inside
