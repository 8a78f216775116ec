"""Plugins are found on first use, and one that is broken costs one warning."""

import subprocess
import sys
import threading
import warnings

import pytest

from astrofm.errors import AmbiguousError, PluginError, PluginWarning, UnknownNameError
from astrofm.registry import cards, get_instrument, plugins

BROKEN = {
    "raises-at-import": ("raise RuntimeError('no luck')", "RuntimeError: no luck"),
    "is-no-python": ("def broken(:", "SyntaxError"),
    "exits": ("import sys; sys.exit(3)", "SystemExit: 3"),
    "needs-what-is-missing": ("import a_package_that_nobody_has", "ModuleNotFoundError"),
    "returns-names": ("from astrofm import hookimpl\n@hookimpl\ndef astrofm_instruments(): return ['feros']\n",
                      "must return a list of Card, got str"),
    "returns-one-card": ("from astrofm import Card, hookimpl\n@hookimpl\n"
                         "def astrofm_instruments(): return Card('x', 'a:B', '')\n", "TypeError"),
    "returns-a-model": ("from astrofm import ModelCard, hookimpl\n@hookimpl\n"
                        "def astrofm_instruments(): return [ModelCard('x', 'a:b', '', '')]\n", "got ModelCard"),
    "has-no-hook": ("answer = 42", "offers no card"),
    "has-an-unknown-hook": ("from astrofm import hookimpl\n@hookimpl\ndef astrofm_telescopes(): return []\n",
                            "PluginValidationError"),
    "raises-in-the-hook": ("from astrofm import hookimpl\n@hookimpl\ndef astrofm_heads(): return 1 / 0\n",
                           "ZeroDivisionError"),
    "shouts": ("from astrofm import Card, hookimpl\n@hookimpl\n"
               "def astrofm_heads(): return [Card('LOUD', 'a:B', '')]\n", "'LOUD' is no name"),
    "points-nowhere": ("from astrofm import Card, hookimpl\n@hookimpl\n"
                       "def astrofm_heads(): return [Card('x', 'a.B', '')]\n", "must be 'module:Class'"),
    "repeats-itself": ("from astrofm import Card, hookimpl\n@hookimpl\n"
                       "def astrofm_heads(): return [Card('x', 'a:B', ''), Card('x', 'a:C', '')]\n", "twice"),
    "asks-back": ("from astrofm.registry import cards\ncards('instruments')\n", "must do that in a function"),
}


def status(name):
    [found] = [plugin for plugin in plugins() if plugin.name == name]
    return found


def test_a_plugin_is_found_with_its_package_version_and_cards(install_instrument):
    install_instrument("astrofm-good", "good")
    found = status("good")
    assert (found.package, found.version, found.error, found.disabled) == ("astrofm-good", "0.1", "", False)
    assert [card.name for card in found.cards["instruments"]] == ["good"]
    assert cards("instruments")["good"].target == "astrofm_good_parts:Fake"


def test_built_in_parts_come_through_the_same_door(fresh_registry):
    assert plugins()[0].package == "astrofm"
    assert {"any-wavelength", "shared-space", "gaussian", "classes"} <= {
        card.name for offered in plugins()[0].cards.values() for card in offered}


@pytest.mark.parametrize("case", BROKEN)
def test_a_broken_plugin_costs_one_warning_and_the_others_work(case, install, install_instrument):
    text, why = BROKEN[case]
    install_instrument("astrofm-good", "good")
    install("astrofm-bad", text)
    with pytest.warns(PluginWarning) as caught:
        assert "good" in cards("instruments")
        assert cards("heads")
    assert len(caught) == 1
    message = str(caught[0].message)
    assert "astrofm-bad 0.1" in message and why in message and "ASTROFM_DISABLE_PLUGINS=bad" in message
    assert why in status("bad").error
    assert get_instrument("good").name == "good"


def test_the_warning_points_at_whoever_asked(install):
    install("astrofm-bad", "raise RuntimeError")
    with pytest.warns(PluginWarning) as caught:
        plugins()
    assert "astrofm/registry" not in caught[0].filename


def test_a_plugin_that_prints_is_used_and_its_words_are_kept_out_of_the_output(install, capsys):
    install("astrofm-loud", "print('hello from loud')\nfrom astrofm import Card, hookimpl\n@hookimpl\n"
                            "def astrofm_heads(): return [Card('loud', 'a:B', '')]\n")
    with pytest.warns(PluginWarning, match="prints while it is imported.*hello from loud"):
        assert "loud" in cards("heads")
    assert capsys.readouterr().out == ""


def test_strict_plugins_raise_with_their_cause(install, monkeypatch):
    install("astrofm-bad", "raise RuntimeError('no luck')")
    monkeypatch.setenv("ASTROFM_STRICT_PLUGINS", "1")
    with pytest.raises(PluginError, match="astrofm-bad 0.1.*no luck") as caught:
        plugins()
    assert isinstance(caught.value.__cause__, RuntimeError)


@pytest.mark.parametrize("word", ["bad", "astrofm-bad", "other, bad"])
def test_a_disabled_plugin_is_not_even_imported(word, install, install_instrument, monkeypatch):
    install("astrofm-bad", "raise RuntimeError('imported')")
    install_instrument("astrofm-good", "good")
    monkeypatch.setenv("ASTROFM_DISABLE_PLUGINS", word)
    assert status("bad").disabled
    assert "good" in cards("instruments")


@pytest.mark.parametrize("word", ["all", "1"])
def test_all_plugins_can_be_disabled_and_built_in_parts_stay(word, install_instrument, monkeypatch):
    install_instrument("astrofm-good", "good")
    monkeypatch.setenv("ASTROFM_DISABLE_PLUGINS", word)
    assert cards("instruments") == {}
    assert "gaussian" in cards("heads")
    with pytest.raises(UnknownNameError, match="Disabled by ASTROFM_DISABLE_PLUGINS: .*good"):
        get_instrument("good")


def test_two_claims_to_one_name_are_explained_and_neither_is_used(install_instrument):
    install_instrument("astrofm-one", "twin")
    install_instrument("astrofm-two", "twin")
    with pytest.warns(PluginWarning, match="'twin' is offered by astrofm-one 0.1 and astrofm-two 0.1"):
        assert "twin" not in cards("instruments")
    with pytest.raises(AmbiguousError, match="astrofm-one 0.1 and astrofm-two 0.1"):
        get_instrument("twin")


def test_two_claims_to_one_name_raise_when_strict(install_instrument, monkeypatch):
    install_instrument("astrofm-one", "twin")
    install_instrument("astrofm-two", "twin")
    monkeypatch.setenv("ASTROFM_STRICT_PLUGINS", "1")
    with pytest.raises(AmbiguousError, match="astrofm-one 0.1 and astrofm-two 0.1"):
        plugins()


def test_plugins_are_remembered_until_refresh(install_instrument, fresh_registry):
    first = plugins()
    assert plugins() is first
    install_instrument("astrofm-late", "late")
    assert "late" in cards("instruments")


def test_many_threads_find_the_plugins_once(install):
    install("astrofm-slow", "import time\ntime.sleep(0.1)\nraise RuntimeError('slow')\n")
    found = []
    with pytest.warns(PluginWarning) as caught:
        threads = [threading.Thread(target=lambda: found.append(plugins())) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert len({id(each) for each in found}) == 1
    assert len(caught) == 1


def test_many_threads_share_one_instrument(install_instrument):
    install_instrument("astrofm-good", "good")
    found = []
    threads = [threading.Thread(target=lambda: found.append(get_instrument("good"))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({id(each) for each in found}) == 1


def test_no_warning_where_nothing_is_wrong(install_instrument):
    install_instrument("astrofm-good", "good")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        plugins()


def test_a_plugin_that_is_imported_before_astrofm_is_found(install_instrument, tmp_path):
    install_instrument("astrofm-first", "first")
    code = "import astrofm_first; from astrofm.registry import cards; print('first' in cards('instruments'))"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120,
                         env={"PYTHONPATH": str(tmp_path / "astrofm-first"), "PATH": ""})
    assert run.stdout.strip() == "True", run.stderr
