"""A recipe: the TOML file that says what a training command makes, of what, and how."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from ..errors import DataError, ReadError
from ..training import Schedule

#: tables of a recipe and the keys of each; None for any
TABLES: dict[str, tuple[str, ...] | None] = {
    "data": ("instruments", "stars", "valid", "test"), "encoder": ("name", "arguments"),
    "aligner": ("name", "arguments"), "objective": ("name", "arguments"),
    "schedule": tuple(item.name for item in fields(Schedule)), "card": None}


@dataclass(frozen=True)
class Recipe:
    """What `read_recipe` found.

    Parameters
    ----------
    command : str
        ``"pretrain"`` or ``"align"``.
    name : str
        Of the model.
    seed : int
        Of the first weights and of the order of the stars.
    instruments : tuple of str
    stars : int
        A step.
    valid, test : float
        Parts of the stars that are kept for validation, and that are never looked at.
    encoder, aligner, objective : mapping
        ``name`` and ``arguments``.
    schedule : Schedule
    card : mapping
        ``summary``, ``license``, ``citation``, ``notes`` of the model.
    """

    command: str
    name: str
    seed: int
    instruments: tuple[str, ...]
    stars: int
    valid: float
    test: float
    encoder: Mapping[str, Any]
    aligner: Mapping[str, Any]
    objective: Mapping[str, Any]
    schedule: Schedule
    card: Mapping[str, Any] = field(default_factory=dict)


def read_recipe(path: Path, *, changes: Mapping[str, Any] | None = None) -> Recipe:
    """Read and check a recipe.

    Parameters
    ----------
    path : Path
    changes : mapping, optional
        Of the schedule: what replaces the file's values.

    Raises
    ------
    ReadError
        There is no such file, or it is not TOML.
    DataError
        A key is unknown or missing, or a value is out of range.
    """
    try:
        with open(path, "rb") as stream:
            told = tomllib.load(stream)
    except (OSError, tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ReadError(f"{path} is no recipe ({error}): a recipe is a TOML file, see docs/training.rst") from error
    _known(path, "", told, ("command", "name", "seed", *TABLES))
    for table, keys in TABLES.items():
        if not isinstance(told.setdefault(table, {}), dict):
            raise DataError(f"{path}: [{table}] must be a table")
        if keys is not None:
            _known(path, f"[{table}] ", told[table], keys)
    for table, key in (("", "command"), ("", "name"), ("data", "instruments"), ("data", "stars"), ("encoder", "name"),
                       ("aligner", "name"), ("objective", "name"), ("schedule", "steps")):
        if key not in (told[table] if table else told):
            raise DataError(f"{path} lacks {key!r}" + (f" in [{table}]" if table else ""))
    schedule = {**told["schedule"], **(changes or {})}
    if "betas" in schedule:
        schedule["betas"] = tuple(schedule["betas"])
    data = told["data"]
    recipe = Recipe(told["command"], told["name"], int(told.get("seed", 0)), tuple(data["instruments"]), int(data["stars"]),
                    float(data.get("valid", 0.05)), float(data.get("test", 0.1)), *(
                        {"name": told[t]["name"], "arguments": dict(told[t].get("arguments", {}))}
                        for t in ("encoder", "aligner", "objective")), Schedule(**schedule), dict(told["card"]))
    if recipe.valid < 0 or recipe.test < 0 or recipe.valid + recipe.test >= 1:
        raise DataError(f"{path}: valid and test are parts of the stars and leave some to learn from, not {recipe.valid} and "
                        f"{recipe.test}")
    if recipe.schedule.steps < 1 or recipe.schedule.pieces < 1 or recipe.stars < recipe.schedule.pieces:
        raise DataError(f"{path}: steps and pieces are 1 or more, and stars at least one a piece")
    return recipe


def _known(path: Path, where: str, told: Mapping[str, Any], keys: tuple[str, ...]) -> None:
    import difflib

    for key in told:
        if key not in keys:
            near = difflib.get_close_matches(key, keys, n=1)
            raise DataError(f"{path}: {where}{key!r} means nothing here" + (f": did you mean {near[0]!r}?" if near else
                            f"; known are {', '.join(keys)}"))
