"""The door: what plugins offer, found on first use."""

from .cards import Card, ModelCard
from .discovery import KINDS, PluginStatus, plugins, refresh
from .hookspecs import hookimpl, hookspec
from .identify import identify, read
from .look_up import cards, get_importer, get_instrument, get_objective, get_part, model_card

__all__ = ["KINDS", "Card", "ModelCard", "PluginStatus", "cards", "get_importer", "get_instrument", "get_objective",
           "get_part", "hookimpl", "hookspec", "identify", "model_card", "plugins", "read", "refresh"]
