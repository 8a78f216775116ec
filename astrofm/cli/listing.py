"""``astrofm identify | plugins | models | show | cite``: say what is there."""

from __future__ import annotations

import argparse
import json
import os
import sys
import textwrap
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..errors import AstrofmError, UnknownNameError

#: letters of a line of `show`, and of a list or mapping in it that is written out
WIDTH, LONG = 120, 60


def add_arguments(verb: str, parser: argparse.ArgumentParser) -> None:
    """Add what `run` needs."""
    if verb == "identify":
        parser.add_argument("files", nargs="+", metavar="FILES-or-FOLDER")
        parser.add_argument("-r", "--recursive", action="store_true", help="files in folders of a folder, too")
    elif verb == "show":
        parser.add_argument("model", help="a name, a file or a pinned address")
        parser.add_argument("--json", action="store_true", help="the whole card as it stands in the file")
    elif verb == "cite":
        parser.add_argument("name", help="of a model, an instrument or a part")


def run(options: argparse.Namespace) -> int:
    """Do what was asked for."""
    return {"identify": _identify, "plugins": _plugins, "models": _models, "show": _show,
            "cite": _cite}[options.command](options)


def _identify(options: argparse.Namespace) -> int:
    from ..registry import identify
    from .given import given_files

    known = 0
    for path in given_files(options):
        try:
            print(f"{path}: {identify(path)}")
            known += 1
        except AstrofmError as error:
            print(f"{path}: unknown ({error})")
    return 0 if known else 1


def _plugins(options: argparse.Namespace) -> int:
    from ..registry import plugins

    for plugin in plugins():
        state = "disabled by ASTROFM_DISABLE_PLUGINS" if plugin.disabled else "BROKEN" if plugin.error else ""
        print(f"{plugin.package} {plugin.version}  ({plugin.name}){'  ' + state if state else ''}")
        if plugin.error:
            print(f"    {plugin.error}")
        for kind, cards in plugin.cards.items():
            for card in cards:
                print(f"    {kind[:-1]:10s} {card.name:16s} {card.summary}")
    return 0


def _models(options: argparse.Namespace) -> int:
    from ..registry import cards

    found = cards("models")
    for card in found.values():
        print(f"{card.name:16s} {card.summary}  [{card.license}]")
    if not found:
        print("no model is installed: name a file, or install a package that brings one", file=sys.stderr)
    return 0


def _show(options: argparse.Namespace) -> int:
    card = _card(options.model)
    if options.json:
        print(json.dumps(card, indent=2, ensure_ascii=False))
        return 0
    notes = "\n".join(textwrap.fill(line, WIDTH) if len(line) > WIDTH + 10 else line for line in card["notes"].splitlines())
    print(f"{card['name']}: {card.get('summary', '')}\n\n{notes}\n")
    print("labels")
    for label in card["labels"]:
        print(f"    {label['name']:16s} {label.get('description', '')}; {_span(label)}")
    print("instruments")
    for name, about in card["instruments"].items():
        grid = about.get("grid")
        print(f"    {name:16s} " + ("no grid of its own" if not grid else f"{grid.get('n', '?')} pixels, "
              f"{grid.get('start', 0):.1f}-{grid.get('stop', 0):.1f} Angstrom (vacuum), {about.get('calibration', '')} flux"))
    print("parts")
    parts = card["parts"]
    for kind, part in (("encoder", parts["encoder"]), ("aligner", parts["aligner"]), *parts["heads"].items()):
        beside = ", ".join(one["name"] for one in part["arguments"].get("extras") or () if not one.get("measured"))
        print(f"    {kind:16s} {part['name']}" + (f", reads beside the embedding: {beside}" if beside else ""))
    print(f"errors are scaled by\n{_indented(card.get('calibration', {}))}")
    print(f"made by\n{_indented(card.get('provenance', {}))}")
    cited = textwrap.fill(f"cite    {card['citation']}", WIDTH, subsequent_indent=" " * 8, break_on_hyphens=False)
    print(f"licence {card['license']}\n{cited}")
    print(f"in full: astrofm show {options.model} --json")
    return 0


def _span(label: Mapping[str, Any]) -> str:
    if label.get("classes"):
        return f"{len(label['classes'])} classes, {label['classes'][0]} to {label['classes'][-1]}"
    unit = label.get("unit", "")
    if label.get("low") is None or label.get("high") is None:
        return f"in {unit}" if unit else "without unit"
    return f"trained on {label['low']:.6g} to {label['high']:.6g} {unit}".rstrip()


def _cite(options: argparse.Namespace) -> int:
    from ..registry import KINDS, cards

    found = False
    for kind in KINDS:
        card = cards(kind).get(options.name)
        if card is not None:
            found = True
            print(f"{kind[:-1]} {card.name}: {card.reference or 'no paper named'} [{card.license}]")
            if kind == "models":
                print(_card(options.name)["citation"])
    if not found and os.path.isfile(options.name):
        found = True
        print(_card(options.name)["citation"])
    if not found:
        every = sorted(name for kind in KINDS for name in cards(kind))
        raise UnknownNameError(f"nothing is named {options.name!r}: one of {', '.join(every)}, or a model file")
    return 0


def _card(name: str) -> dict[str, Any]:
    from ..models import load_model, read_card
    from ..models.store import locate

    path, _, importer = locate(name)
    return load_model(name).about if importer else read_card(Path(path))


def _told(entry: Any, room: int = LONG) -> str:
    """Write a number or a name; of a list or mapping what it was measured on, or how much is in it."""
    if isinstance(entry, float):
        return f"{entry:.2f}"
    if isinstance(entry, Mapping):
        if "sets" in entry:
            known = entry["sets"].get("every", {}).get("stars", entry)
            return f"(classes of {known} stars, {entry.get('how', 'calibrated')})"
        if "name" in entry:  # of a part, with its arguments
            return str(entry["name"])
        text = ", ".join(f"{key} {_told(item)}" for key, item in entry.items())
        return text if len(text) <= room else f"{len(entry)} entries"
    if isinstance(entry, (list, tuple)):
        text = ", ".join(map(_told, entry)) or "none"
        return text if len(text) <= room else f"{len(entry)} entries, {_told(entry[0])} to {_told(entry[-1])}"
    return str(entry)


def _indented(entries: Mapping[str, Any]) -> str:
    lines = []
    for key, item in entries.items():
        text = "  ".join(f"{k} {_told(v)}" for k, v in item.items()) if isinstance(item, Mapping) else _told(item)
        lines += textwrap.wrap(f"    {key:16s} {text}", WIDTH, subsequent_indent=21 * " ", break_long_words=False,
                               break_on_hyphens=False)
    return "\n".join(lines) or "    nothing"
