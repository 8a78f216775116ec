"""Looking up a name imports what it names, or says what to do."""

import sys

import pytest

from astrofm.errors import PluginError, UnknownNameError
from astrofm.registry import KINDS, cards, get_instrument, get_part, model_card

FAULTS = {
    "raises when imported": ("raise RuntimeError('no luck')", "RuntimeError: no luck"),
    "has no such class": ("answer = 42", "AttributeError"),
    "is a function": ("def Fake(): return None", "no subclass of astrofm.interfaces.Instrument"),
    "is another class": ("class Fake:\n    name = '{name}'\n", "no subclass of astrofm.interfaces.Instrument"),
    "names itself otherwise": ("from astrofm.testing import FakeInstrument as Fake", "names itself 'fake'"),
    "cannot be made": ("from astrofm.testing import FakeInstrument\nclass Fake(FakeInstrument):\n"
                       "    name = '{name}'\n    def __init__(self): raise OSError('no grid')\n", "OSError: no grid"),
}


def test_listing_imports_nothing_that_cards_name(install_instrument):
    install_instrument("astrofm-good", "good")
    for kind in KINDS:
        cards(kind)
    assert "astrofm_good_parts" not in sys.modules
    get_instrument("good")
    assert "astrofm_good_parts" in sys.modules


def test_an_instrument_is_made_once(install_instrument):
    install_instrument("astrofm-good", "good")
    assert get_instrument("good") is get_instrument("good")
    assert get_part("instruments", "good") is type(get_instrument("good"))


@pytest.mark.parametrize("fault", FAULTS)
def test_a_part_that_is_broken_names_its_package(fault, install_instrument):
    text, why = FAULTS[fault]
    install_instrument("astrofm-bad", "bad-one", text=text)
    with pytest.raises(PluginError, match=why) as caught:
        get_instrument("bad-one")
    assert "astrofm-bad 0.1" in str(caught.value) or "of astrofm-bad" in str(caught.value)


def test_a_missing_name_says_what_to_install_and_what_is_there(install_instrument):
    install_instrument("astrofm-good", "good")
    with pytest.raises(UnknownNameError, match="pip install astrofm-elsewhere. Installed: .*good"):
        get_instrument("elsewhere-hires")


@pytest.mark.parametrize("typed", ["godo-lrs", "good_lrs", "Good-LRS"])
def test_a_name_that_is_nearly_right_is_suggested(typed, install_instrument):
    install_instrument("astrofm-good", "good-lrs")
    with pytest.raises(UnknownNameError, match="Did you mean 'good-lrs'?"):
        get_instrument(typed)


@pytest.mark.filterwarnings("ignore::astrofm.errors.PluginWarning")
def test_a_missing_name_mentions_broken_plugins(install):
    install("astrofm-bad", "raise RuntimeError('no luck')")
    with pytest.raises(UnknownNameError, match=r"Broken plugins: bad \(RuntimeError: no luck\)"):
        get_instrument("bad")


def test_a_missing_model_does_not_invent_a_package():
    with pytest.raises(UnknownNameError, match="no model named 'stellar-gigantic'.*Give a file"):
        model_card("stellar-gigantic")


def test_an_unknown_kind_is_refused():
    with pytest.raises(UnknownNameError, match="instruments, encoders, aligners, heads, models"):
        cards("telescopes")
