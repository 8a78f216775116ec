"""The hooks a plugin may implement. Each returns a list of cards; nothing is registered by being called."""

from __future__ import annotations

import pluggy

from .cards import Card, ModelCard

#: name of the entry-point group and of the pluggy project
GROUP = "astrofm"
hookspec = pluggy.HookspecMarker(GROUP)
hookimpl = pluggy.HookimplMarker(GROUP)


@hookspec
def astrofm_instruments() -> list[Card]:
    """Offer instruments: classes that implement `~astrofm.interfaces.Instrument`."""


@hookspec
def astrofm_encoders() -> list[Card]:
    """Offer encoders: classes that implement `~astrofm.interfaces.Encoder`."""


@hookspec
def astrofm_aligners() -> list[Card]:
    """Offer aligners: classes that implement `~astrofm.interfaces.Aligner`."""


@hookspec
def astrofm_heads() -> list[Card]:
    """Offer heads: classes that implement `~astrofm.interfaces.Head`."""


@hookspec
def astrofm_importers() -> list[Card]:
    """Offer importers: functions ``importer(path)`` that make a `~astrofm.models.Model` of somebody's checkpoint."""


@hookspec
def astrofm_objectives() -> list[Card]:
    """Offer what recipes make small: classes that implement `~astrofm.training.Objective`."""


@hookspec
def astrofm_models() -> list[ModelCard]:
    """Offer ready-made models that `~astrofm.load_model` finds by name."""
