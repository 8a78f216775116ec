"""What a checkpoint's hyper-parameters say, whether they are plain or hold whole modules that were pickled."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from astrofm.models.pickles import Record

#: where modules are kept that have numbers of the same names and are not the backbone: the other instrument's, and pooling
OTHERS = ("gaia_xp_encoder", "cross_attention", "shared_attention", "private_attention", "multihead_attn")
BACKBONE = "backbone"


def find_number(told: Any, name: str) -> int | None:
    """Find a whole number of the LAMOST backbone, or of the only one, by its name; None where nothing says it.

    Parameters
    ----------
    told : object
        Hyper-parameters as `~astrofm.models.pickles.read_checkpoint` gives them.
    name : str

    Raises
    ------
    ValueError
        They say several: it is not guessed which.
    """
    found = [(path, number) for path, number in _numbers(told, name) if not set(OTHERS) & set(path)]
    own = [(path, number) for path, number in found if BACKBONE in path] or found
    numbers = sorted({number for _, number in own})
    if len(numbers) > 1:
        raise ValueError(f"its hyper-parameters give {' and '.join(map(str, numbers))} as {name}")
    return numbers[0] if numbers else None


def _numbers(told: Any, name: str) -> Iterator[tuple[tuple[str, ...], int]]:
    """Give each whole number of that name, and the names on the way to it; each object is looked into once a way."""
    waiting, seen = [((), told)], set()
    while waiting:
        path, item = waiting.pop()
        way = id(item), BACKBONE in path, bool(set(OTHERS) & set(path))
        if way in seen:
            continue
        seen.add(way)
        for key, inside in _inside(item):
            if key == name and type(inside) is int:
                yield path, inside
            else:
                waiting.append(((*path, key) if isinstance(key, str) else path, inside))


def _inside(item: Any) -> list[tuple[Any, Any]]:
    if isinstance(item, Mapping):
        return list(item.items())
    if isinstance(item, (list, tuple)):
        return [(None, one) for one in item]
    if isinstance(item, Record):
        pairs = [one if isinstance(one, tuple) and len(one) == 2 else (None, one) for one in item.items]
        return [*pairs, *item.kwargs.items(), (None, item.args), (None, item.state)]
    return []
