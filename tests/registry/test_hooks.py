"""Every hook works, and has a heading in the documentation."""

import inspect
import re
from pathlib import Path

import pytest

from astrofm.registry import KINDS, ModelCard, cards, hookspecs, model_card

HOOKS = [name for name, thing in vars(hookspecs).items() if inspect.isfunction(thing) and name.startswith("astrofm_")]
PAGE = Path(__file__).parents[2] / "docs" / "write-a-plugin.rst"
PART = """
from astrofm import Card, hookimpl


@hookimpl
def {hook}():
    return [Card("mine", "mine:Mine", "what it is", "2026abc", "MIT")]
"""
MODEL = """
from astrofm import ModelCard, hookimpl


@hookimpl
def astrofm_models():
    return [ModelCard("mine-tiny.v2", "mine:weights.safetensors", "0" * 64, "what it is")]
"""


def test_there_is_a_hook_for_every_kind():
    assert sorted(HOOKS) == sorted(f"astrofm_{kind}" for kind in KINDS)


@pytest.mark.parametrize("hook", ["astrofm_instruments", "astrofm_encoders", "astrofm_aligners", "astrofm_heads",
                                  "astrofm_importers", "astrofm_objectives"])
def test_the_cards_of_a_hook_are_listed_under_its_kind(hook, install):
    install("astrofm-mine", PART.format(hook=hook))
    kind = hook.removeprefix("astrofm_")
    assert cards(kind)["mine"].summary == "what it is"
    assert not any("mine" in cards(other) for other in KINDS if other != kind)


def test_the_cards_of_astrofm_models_are_listed(install):
    install("astrofm-mine", MODEL)
    assert cards("models")["mine-tiny.v2"] == model_card("mine-tiny.v2")
    assert isinstance(model_card("mine-tiny.v2"), ModelCard)


@pytest.mark.parametrize("hook", HOOKS)
def test_every_hook_has_a_test(hook):
    assert f'"{hook}"' in Path(__file__).read_text() or f"cards_of_{hook}" in Path(__file__).read_text()


@pytest.mark.parametrize("hook", HOOKS)
def test_every_hook_has_a_heading_in_the_documentation(hook):
    assert re.search(rf"^``{hook}``\n-+$", PAGE.read_text(), re.MULTILINE)


@pytest.mark.parametrize("hook", HOOKS)
def test_every_hook_is_documented(hook):
    assert getattr(hookspecs, hook).__doc__
