"""``astrofm check NAME``: run the conformance suite of an installed part."""

from __future__ import annotations

import argparse


def add_arguments(verb: str, parser: argparse.ArgumentParser) -> None:
    """Add what `run` needs."""
    parser.add_argument("name", help="registered name of an instrument, encoder, aligner or head")
    parser.add_argument("--kind", choices=("instruments", "encoders", "aligners", "heads"),
                        help="where several kinds have the name")


def run(options: argparse.Namespace) -> int:
    """Give 0 if every promise is kept."""
    from importlib import import_module

    # testing may import every room, and no room imports testing: the command only names it
    return import_module("astrofm.testing").check(options.name, options.kind)
