"""Discovery of plugins: on first use, guarded, one plugin at a time."""

from __future__ import annotations

import io
import os
import re
import warnings
from collections import Counter
from collections.abc import Mapping
from contextlib import redirect_stdout
from dataclasses import dataclass
from functools import lru_cache
from threading import RLock
from types import ModuleType

import importlib_metadata
import pluggy

from ..errors import AmbiguousError, PluginError, PluginWarning
from . import hookspecs
from .cards import Card, ModelCard
from .hookspecs import GROUP

#: the kinds of cards, in the order of the flow; each is the hook ``astrofm_KIND``
KINDS = ("instruments", "encoders", "aligners", "heads", "models", "importers", "objectives")
#: entry point of astrofm's own parts, which is never disabled
BUILT_IN = "astrofm"
NAME = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
#: names of models may end in a tag: ``family-size.tag``
MODEL_NAME = re.compile(NAME.pattern + r"(\.[a-z0-9]+(-[a-z0-9]+)*)?")

_lock = RLock()
_looking = False


@dataclass(frozen=True)
class PluginStatus:
    """What became of one plugin.

    Parameters
    ----------
    name : str
        Of its entry point.
    package, version : str
        The distribution it comes from.
    cards : mapping of str to tuple of cards
        What it offers, by kind.
    error : str
        Why it could not be loaded; empty if it could.
    disabled : bool
        True if ``ASTROFM_DISABLE_PLUGINS`` names it.
    """

    name: str
    package: str
    version: str
    cards: Mapping[str, tuple[Card | ModelCard, ...]]
    error: str = ""
    disabled: bool = False


def plugins() -> tuple[PluginStatus, ...]:
    """Find the installed plugins; the first call looks for them, later ones remember.

    Returns
    -------
    tuple of PluginStatus
        In the order of their names, astrofm's own parts first.

    Raises
    ------
    PluginError
        If one is broken and ``ASTROFM_STRICT_PLUGINS`` is set.
    """
    global _looking
    with _lock:
        if _looking:  # only the same thread comes through the lock: a plugin is being imported
            raise PluginError("a plugin asked the registry while it was being imported: it must do that in a function")
        _looking = True
        try:
            return _found()
        finally:
            _looking = False


def refresh() -> None:
    """Forget what was found, so that the next use looks again: after an install in a running session."""
    from . import look_up

    with _lock:
        _found.cache_clear()
        look_up.forget()


@lru_cache(maxsize=1)
def _found() -> tuple[PluginStatus, ...]:
    points = {}
    for point in importlib_metadata.entry_points(group=GROUP):
        points.setdefault((point.name, point.value, point.dist.name if point.dist else ""), point)
    ordered = sorted(points.values(), key=lambda point: (point.name != BUILT_IN, point.name))
    found = tuple(_status(point) for point in ordered)
    _explain_doubles(found)
    return found


def _strict() -> bool:
    return os.environ.get("ASTROFM_STRICT_PLUGINS", "") not in ("", "0")


def _explain_doubles(found: tuple[PluginStatus, ...]) -> None:
    for kind in KINDS:
        owners: dict[str, list[str]] = {}
        for plugin in found:
            for card in plugin.cards.get(kind, ()):
                owners.setdefault(card.name, []).append(f"{plugin.package} {plugin.version}")
        for name, packages in owners.items():
            if len(packages) > 1:
                message = (f"{kind[:-1]} {name!r} is offered by {' and '.join(packages)}: neither is used until one is "
                           "uninstalled or named in ASTROFM_DISABLE_PLUGINS")
                if _strict():
                    raise AmbiguousError(message)
                warnings.warn(message, PluginWarning, stacklevel=5)


def _status(point: importlib_metadata.EntryPoint) -> PluginStatus:
    package = point.dist.name if point.dist else "(unknown package)"
    version = point.dist.version if point.dist else "?"
    if _disabled(point.name, package):
        return PluginStatus(point.name, package, version, {}, disabled=True)
    printed = io.StringIO()
    try:
        with redirect_stdout(printed):  # what it prints would land in the output of whoever asked
            cards = _cards(point.load())
    except (Exception, SystemExit) as cause:  # other people's code: the one place where anything may happen
        why = f"{type(cause).__name__}: {cause}"
        message = f"plugin {point.name!r} of {package} {version} is broken and left out ({why})"
        if _strict():
            raise PluginError(message) from cause
        warnings.warn(f"{message}. Mend or uninstall it, or set ASTROFM_DISABLE_PLUGINS={point.name}",
                      PluginWarning, stacklevel=5)
        return PluginStatus(point.name, package, version, {}, error=why)
    if printed.getvalue():
        warnings.warn(f"plugin {point.name!r} of {package} {version} prints while it is imported, and must not "
                      f"({printed.getvalue()[:80]!r}); it is used all the same", PluginWarning, stacklevel=5)
    return PluginStatus(point.name, package, version, cards)


def _disabled(name: str, package: str) -> bool:
    chosen = {word.strip() for word in os.environ.get("ASTROFM_DISABLE_PLUGINS", "").split(",") if word.strip()}
    return name != BUILT_IN and bool(chosen & {name, package, "all", "1"})


def _cards(module: ModuleType) -> dict[str, tuple[Card | ModelCard, ...]]:
    manager = pluggy.PluginManager(GROUP)
    manager.add_hookspecs(hookspecs)
    manager.register(module)
    manager.check_pending()
    offered = {}
    for kind in KINDS:
        answers = getattr(manager.hook, f"{GROUP}_{kind}")()
        offered[kind] = tuple(_checked(card, kind) for answer in answers for card in answer)
        twice = [name for name, count in Counter(card.name for card in offered[kind]).items() if count > 1]
        if twice:
            raise ValueError(f"it offers {', '.join(twice)} twice among its {kind}")
    if not any(offered.values()):
        raise TypeError(f"{module.__name__} offers no card: does it define a hook such as astrofm_instruments() "
                        "marked @hookimpl?")
    return offered


def _checked(card: object, kind: str) -> Card | ModelCard:
    wanted = ModelCard if kind == "models" else Card
    if not isinstance(card, wanted):
        raise TypeError(f"astrofm_{kind} must return a list of {wanted.__name__}, got {type(card).__name__}")
    if not (MODEL_NAME if kind == "models" else NAME).fullmatch(card.name):
        raise ValueError(f"{card.name!r} is no name: lower case, digits and single hyphens")
    if isinstance(card, Card) and not re.fullmatch(r"[\w.]+:\w+", card.target):
        raise ValueError(f"target {card.target!r} of {card.name!r} must be 'module:Class'")
    return card
