"""What every registered part promises about its card, whatever its kind."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from importlib import import_module
from typing import TYPE_CHECKING, Any, NoReturn

if TYPE_CHECKING:
    from ..registry.cards import Card

NAME = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
TARGET = re.compile(r"[A-Za-z_][\w.]*:[A-Za-z_]\w*")

_LIST = """
import json, sys
from astrofm.registry import cards
found = cards(sys.argv[1])
print(json.dumps([sys.argv[2] in found, [name for name in sys.argv[3:] if name in sys.modules]]))
"""


def skip(reason: str) -> NoReturn:
    """Skip the running test, and say why."""
    import pytest

    pytest.skip(reason)


def refuses(errors: type[Exception] | tuple[type[Exception], ...], call: Any, what: str) -> Exception:
    """Assert that ``call()`` raises one of ``errors`` with a sentence in it, and give the error back."""
    try:
        call()
    except errors as error:
        assert len(str(error).split()) >= 4, f"{what}: the error does not say what is wrong: {str(error)!r}"
        return error
    except Exception as error:
        raise AssertionError(f"{what}: raises {type(error).__name__} ({error}), which is no "
                             "error that astrofm's users catch") from error
    raise AssertionError(f"{what}: is accepted without a word")


class CardTests:
    """The card of a part: complete, true, and cheap to list.

    Attributes
    ----------
    name : str
        Registered name of the part under test; the one thing a subclass must set.
    kind : str
        ``"instruments"``, ``"encoders"``, ``"aligners"`` or ``"heads"``; the suites set it.
    """

    name: str = ""
    kind: str = ""

    def card(self) -> Card:
        """Find the card of the part under test."""
        from ..registry import cards, get_part

        assert self.name, f"set `name` in {type(self).__name__} to the registered name of your part"
        found = cards(self.kind)
        if self.name not in found:
            get_part(self.kind, self.name)  # raises, and says whether it is missing, broken or claimed twice
        return found[self.name]

    def test_card_is_complete(self):
        card = self.card()
        assert card.name == self.name, f"the card says {card.name!r}, the registry {self.name!r}"
        assert NAME.fullmatch(card.name), f"{card.name!r}: a name is lower case letters, digits and hyphens"
        assert card.summary.strip() and "\n" not in card.summary, "the card's summary must be one line"
        assert card.license.strip(), "the card has no licence: give its SPDX expression"
        assert isinstance(card.reference, str), "the card's reference is a bibcode, a DOI or empty"

    def test_target_can_be_imported_and_has_the_name_of_the_card(self):
        card = self.card()
        assert TARGET.fullmatch(card.target), f"the card's target is {card.target!r}, not 'module:Class'"
        module, _, attribute = card.target.partition(":")
        target = getattr(import_module(module), attribute, None)
        assert isinstance(target, type), f"{card.target!r} names no class"
        assert target.name == self.name, f"{attribute}.name is {target.name!r}, the card says {self.name!r}"

    def test_listing_the_cards_loads_nothing_heavy(self):
        module = self.card().target.partition(":")[0]
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
        run = subprocess.run([sys.executable, "-c", _LIST, self.kind, self.name, "torch", module],
                             capture_output=True, text=True, env=environment, timeout=120)
        assert run.returncode == 0, f"listing the {self.kind} in a fresh Python fails:\n{run.stderr}"
        listed, loaded = json.loads(run.stdout.splitlines()[-1])
        assert listed, f"{self.name!r} is not listed in a fresh Python:\n{run.stderr}"
        assert not loaded, (f"listing the {self.kind} imports {', '.join(loaded)}: the module of the entry "
                            "point must hold the cards only and import nothing else")
