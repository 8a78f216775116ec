"""A simulated night: what ``astrofm demo`` runs on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from astrofm.data import Batch

from .observing import pairs, truth
from .sources import Sources
from .typical import typical_stars


@dataclass(frozen=True, eq=False)
class Night:
    """Stars, what instruments saw of them, and what is true.

    Parameters
    ----------
    stars : Sources
    seen : dict of str to Batch
        By instrument; row ``i`` of all is the same star.
    clean : dict of str to ndarray, shape ``(n, p)``
        What each instrument would see without noise and errors.
    """

    stars: Sources
    seen: dict[str, Batch]
    clean: dict[str, np.ndarray]


def night(instruments: Sequence[str], *, n: int = 24, seed: int = 0, stars: Sources | None = None) -> Night:
    """Observe stars with random motion, dust and S/N through instruments.

    Parameters
    ----------
    instruments : sequence of str
        Registered names.
    n : int
        Stars; ignored where ``stars`` are given.
    seed : int
    stars : Sources, optional
        `typical_stars` unless given.
    """
    random = np.random.default_rng(seed)
    stars = typical_stars(n, seed=seed) if stars is None else stars
    n = len(stars)
    sky = {"rv": random.normal(0, 50, n), "a_v": random.exponential(0.3, n).clip(0, 3)}
    seen = pairs(stars, instruments, **sky, snr=10 ** random.uniform(1.3, 2.2, n), seed=seed + 1)
    return Night(stars, seen, {name: truth(stars, name, **sky) for name in instruments})
