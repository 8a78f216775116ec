"""The ``astrofm`` command. Each subcommand is a small module that is imported when it is asked for."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from importlib import import_module

#: subcommand: its module, the verb there, and what it is for
COMMANDS = {
    "predict": ("verbs", "labels with errors and flags, a row a star"),
    "classify": ("verbs", "classes with sets that hold the right one, and strangers told apart"),
    "embed": ("verbs", "embeddings in the model's shared space"),
    "translate": ("verbs", "the spectra that another instrument would see"),
    "index": ("searching", "embed stars and make them searchable"),
    "search": ("searching", "find the nearest stars of an index, of any instrument"),
    "card": ("card", "one picture of what a model makes of a star"),
    "identify": ("listing", "say which instrument's files these are"),
    "plugins": ("listing", "list what is installed, and what is broken"),
    "models": ("listing", "list the models there are"),
    "show": ("listing", "show the card of a model: what it is good for and where it stops"),
    "cite": ("listing", "say whom to cite for a model, an instrument or a part"),
    "check": ("checking", "run the conformance suite on an installed instrument or part"),
    "import-weights": ("importing", "make a model file of somebody's published checkpoint"),
    "sample": ("sampling", "write spectra or light curves, from files or simulated, as a data set to train on"),
    "pretrain": ("training", "train an encoder on unlabelled spectra or light curves, by a recipe"),
    "align": ("training", "bring the encoders of instruments into one shared space, by a recipe"),
    "demo": ("demo", "the main job on a simulated night of stars, with pictures"),
}


def main(argv: Sequence[str] | None = None) -> int:
    """Run the ``astrofm`` command.

    Parameters
    ----------
    argv : sequence of str, optional
        Arguments; those of the process where none are given.

    Returns
    -------
    int
        0; 1 for an error, which is told on standard error; 2 for wrong arguments; 130 after Ctrl-C.
    """
    argv = list(sys.argv[1:] if argv is None else argv)
    debug = "--debug" in argv
    parser = _parser(next((word for word in argv if word in COMMANDS), None))
    try:
        options = parser.parse_args(argv)
    except SystemExit as stop:
        return int(stop.code or 0)
    if not options.command:
        parser.print_help()
        return 2
    return _run(options, debug)


def _parser(wanted: str | None) -> argparse.ArgumentParser:
    from .. import __version__

    debug = argparse.ArgumentParser(add_help=False)
    debug.add_argument("--debug", action="store_true", default=argparse.SUPPRESS, help="show the traceback of an error")
    parser = argparse.ArgumentParser(prog="astrofm", description="Foundation models for stars.", parents=[debug],
                                     epilog="astrofm COMMAND --help says more. Documentation: docs/command-line.rst")
    parser.add_argument("--version", action="version", version=f"astrofm {__version__}")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND")
    for name, (module, purpose) in COMMANDS.items():
        command = commands.add_parser(name, help=purpose, description=purpose[0].upper() + purpose[1:] + ".",
                                      parents=[debug])
        if name == wanted:
            import_module(f".{module}", __name__).add_arguments(name, command)
    return parser


def _run(options: argparse.Namespace, debug: bool) -> int:
    from ..errors import AstrofmError

    try:
        return import_module(f".{COMMANDS[options.command][0]}", __name__).run(options)
    except AstrofmError as error:
        if debug:
            raise
        _tell(str(error))
        return 1
    except KeyboardInterrupt:
        if debug:
            raise
        _tell("interrupted")
        return 130
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except Exception as error:  # the last door: what nobody foresaw still is a sentence
        if debug:
            raise
        _tell(f"unexpected {type(error).__name__}: {error}. This is a bug of astrofm or a plugin: run the "
              "command again with --debug and report what it prints")
        return 1


def _tell(message: str) -> None:
    print(f"astrofm: {message}", file=sys.stderr)
