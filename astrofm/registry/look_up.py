"""Look up what plugins offer, by kind and name."""

from __future__ import annotations

import difflib
import re
from importlib import import_module
from typing import TYPE_CHECKING, Any

from ..errors import AmbiguousError, PluginError, UnknownNameError
from .cards import Card, ModelCard
from .discovery import KINDS, PluginStatus, _lock, plugins

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..interfaces import Instrument

_instruments: dict[str, Instrument] = {}


def forget() -> None:
    """Drop the instruments made so far."""
    _instruments.clear()


def cards(kind: str) -> dict[str, Card | ModelCard]:
    """List the cards of a kind; nothing they name is imported.

    Parameters
    ----------
    kind : str
        One of ``instruments encoders aligners heads models importers objectives``.

    Returns
    -------
    dict of str to Card
        By name. Names that two plugins claim are left out here, and raise where they are asked for.
    """
    offers = _offers(kind)
    return {name: found[0][0] for name, found in sorted(offers.items()) if len(found) == 1}


def get_part(kind: str, name: str) -> type:
    """Import the class that a card names.

    Parameters
    ----------
    kind : str
        One of ``instruments encoders aligners heads``.
    name : str
        Registered name.

    Raises
    ------
    UnknownNameError
        If no plugin offers it; the message says what is there and what to install.
    AmbiguousError
        If two plugins offer it.
    PluginError
        If the class can't be imported, is not of this kind, or names itself otherwise than its card.
    """
    part, card, plugin = _imported(kind, name)
    noun = kind[:-1].capitalize()
    base = getattr(import_module("astrofm.interfaces"), noun)
    if not (isinstance(part, type) and issubclass(part, base)):
        raise PluginError(f"{card.target} of {plugin.package} {plugin.version} is no subclass of "
                          f"astrofm.interfaces.{noun}")
    if part.name != name:
        raise PluginError(f"{card.target} of {plugin.package} names itself {part.name!r}, its card "
                          f"says {name!r}: they must agree")
    return part


def get_importer(name: str) -> Callable[..., Any]:
    """Import the function that makes models of somebody's checkpoints.

    Raises
    ------
    UnknownNameError, AmbiguousError, PluginError
        As for `get_part`.
    """
    importer, card, plugin = _imported("importers", name)
    if not callable(importer):
        raise PluginError(f"{card.target} of {plugin.package} {plugin.version} is no function")
    return importer


def get_objective(name: str) -> Callable[..., Any]:
    """Import the class of an objective, which `astrofm pretrain` and `align` take from a recipe by name.

    Raises
    ------
    UnknownNameError, AmbiguousError, PluginError
        As for `get_part`.
    """
    objective, card, plugin = _imported("objectives", name)
    if getattr(objective, "name", None) != name or not callable(objective):
        raise PluginError(f"{card.target} of {plugin.package} {plugin.version} is no objective named {name!r}")
    return objective


def _imported(kind: str, name: str) -> tuple[Any, Card, PluginStatus]:
    card, plugin = _offer(kind, name)
    module, _, attribute = card.target.partition(":")
    try:
        return getattr(import_module(module), attribute), card, plugin
    except (Exception, SystemExit) as cause:  # other people's code, as in discovery
        raise PluginError(f"{kind[:-1]} {name!r} of {plugin.package} {plugin.version} can't be imported from "
                          f"{card.target} ({type(cause).__name__}: {cause}): mend or reinstall {plugin.package}"
                          ) from cause


def get_instrument(name: str) -> Instrument:
    """Give the instrument of this name; one object for all.

    Raises
    ------
    UnknownNameError, AmbiguousError, PluginError
        As for `get_part`.
    """
    with _lock:
        if name not in _instruments:
            part = get_part("instruments", name)
            try:
                _instruments[name] = part()
            except Exception as cause:  # other people's code
                raise PluginError(f"instrument {name!r} of {owner('instruments', name)} can't be made "
                                  f"({type(cause).__name__}: {cause})") from cause
        return _instruments[name]


def owner(kind: str, name: str) -> str:
    """Name the package, with its version, that offers a part; errors as for `get_part`."""
    plugin = _offer(kind, name)[1]
    return f"{plugin.package} {plugin.version}"


def model_card(name: str) -> ModelCard:
    """Give the card of a ready-made model; errors as for `get_part`."""
    return _offer("models", name)[0]


def _offers(kind: str) -> dict[str, list[tuple[Any, PluginStatus]]]:
    if kind not in KINDS:
        raise UnknownNameError(f"no kind {kind!r}: one of {', '.join(KINDS)}")
    offers: dict[str, list[tuple[Any, PluginStatus]]] = {}
    for plugin in plugins():
        for card in plugin.cards.get(kind, ()):
            offers.setdefault(card.name, []).append((card, plugin))
    return offers


def _offer(kind: str, name: str) -> tuple[Any, PluginStatus]:
    offers = _offers(kind)
    found = offers.get(name, [])
    if len(found) == 1:
        return found[0]
    if found:
        who = " and ".join(f"{plugin.package} {plugin.version}" for _, plugin in found)
        raise AmbiguousError(f"{kind[:-1]} {name!r} is offered by {who}: uninstall one, or set "
                             f"ASTROFM_DISABLE_PLUGINS to the one you don't want")
    raise UnknownNameError(_missing(kind, name, sorted(offers)))


def _missing(kind: str, name: str, installed: list[str]) -> str:
    message = f"no {kind[:-1]} named {name!r}."
    near = difflib.get_close_matches(str(name).lower().replace("_", "-"), installed, n=1)
    if near:
        message += f" Did you mean {near[0]!r}?"
    broken = [f"{p.name} ({p.error})" for p in plugins() if p.error]
    disabled = [p.name for p in plugins() if p.disabled]
    if broken:
        message += f" Broken plugins: {', '.join(broken)}."
    if disabled:
        message += f" Disabled by ASTROFM_DISABLE_PLUGINS: {', '.join(disabled)}."
    if kind == "models":
        return f"{message} Give a file of your own, or one of those installed: {', '.join(installed) or 'none'}"
    word = re.sub(r"[^a-z0-9]+", "-", str(name).lower()).strip("-").split("-")[0] or "NAME"
    return (f"{message} It may come with another package: pip install astrofm-{word}. "
            f"Installed: {', '.join(installed) or 'none'}")
