"""The small model of the models' tests."""

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
def model(instruments):
    from model_fakes import make_model

    return make_model()


@pytest.fixture
def stars(instruments):
    """Six spectra, of both instruments in turn."""
    return [instruments[name].example(seed) for seed, name in enumerate(["wide", "coarse"] * 3)]
