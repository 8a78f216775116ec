"""``astrofm pretrain | align``: make a model by a recipe from a data set on disk."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from ..errors import DataError


def add_arguments(verb: str, parser: argparse.ArgumentParser) -> None:
    """Add what `run` needs."""
    parser.add_argument("recipe", type=Path, metavar="RECIPE", help="TOML file that says what is made, and how")
    parser.add_argument("--data", type=Path, required=True, metavar="FOLDER", help="data set that `astrofm sample` wrote")
    parser.add_argument("-o", "--output", type=Path, required=True, metavar="RUN",
                        help="folder of the run; begun already, it is gone on with")
    parser.add_argument("--start", type=Path, nargs="+", default=[], metavar="MODEL",
                        help="models whose encoders' weights are taken over")
    parser.add_argument("--steps", type=int, help="instead of the recipe's")
    parser.add_argument("--device", default="cpu", help="cpu or cuda (%(default)s)")
    parser.add_argument("--trust", action="store_true", help="do not compare the SHA-256 of every shard first")
    parser.add_argument("--tensorboard", action="store_true", help="write the log for TensorBoard, too")


def run(options: argparse.Namespace) -> int:
    """Train, save the model; give 0, or 130 after Ctrl-C."""
    from ..models.learn import learn
    from ..models.precision import check_device
    from ..models.recipe import read_recipe
    from ..training import ShardedData, Team

    check_device(options.device)
    recipe = read_recipe(options.recipe, changes={} if options.steps is None else {"steps": options.steps})
    if recipe.command != options.command:
        raise DataError(f"{options.recipe} is a recipe for `astrofm {recipe.command}`")
    for path in options.start:
        if not path.is_file():
            raise DataError(f"there is no model file {path} to start from")
    team = Team.from_environment(options.device)
    data = ShardedData.open(options.data, verify=team.first and not options.trust)
    try:
        learn(recipe, data, options.output, start=options.start, device=options.device, team=team,
              tensorboard=options.tensorboard, progress=lambda line: print(line, flush=True) if team.first else None)
    except KeyboardInterrupt:
        print(f"\nastrofm: interrupted; run the same command again to go on from the last checkpoint in {options.output}",
              file=sys.stderr)
        return 130
    return 0
