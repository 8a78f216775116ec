"""Chance as a function of time: a star's noise process has the same value at a time, whoever looks and in whatever order."""

from __future__ import annotations

import numpy as np
from scipy.special import ndtri

#: halvings of an interval of 16 to 32 decay times: the last are a 250th to a 500th of the decay time
LEVELS = 13


def uniform(seed: np.ndarray, *keys: np.ndarray | int) -> np.ndarray:
    """Give the chance between 0 and 1 that belongs to a star and some whole numbers.

    SplitMix64 (Steele, Lea & Flood 2014, doi:10.1145/2714064.2660195), keys mixed in one after the other.

    Parameters
    ----------
    seed : array of uint64
    keys : array of int64
        Broadcast against ``seed``.

    Returns
    -------
    ndarray of float64
        In the open interval.
    """
    state = np.asarray(seed, np.uint64)
    with np.errstate(over="ignore"):
        for key in keys:
            state = _mixed(state + np.asarray(key, np.int64).astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15))
    return ((state >> np.uint64(11)).astype(np.float64) + 0.5) * 2.0**-53


def normal(seed: np.ndarray, *keys: np.ndarray | int) -> np.ndarray:
    """Give the standard normal number that belongs to a star and some whole numbers, as `uniform`."""
    return ndtri(uniform(seed, *keys))


def random_walk(days: np.ndarray, decay: np.ndarray, seed: np.ndarray) -> np.ndarray:
    """Give a damped random walk, an Ornstein-Uhlenbeck process, of mean 0 and variance 1.

    Drawn by halving intervals, each midpoint from its exact distribution between the two ends, down to a 250th of the decay
    time and straight below: so that two surveys see one walk at their own times.

    Parameters
    ----------
    days : ndarray of float64, shape ``(n, p)``
        In any order.
    decay : ndarray, shape ``(n,)``
        Days in which the correlation falls by e.
    seed : ndarray of uint64, shape ``(n,)``

    Returns
    -------
    ndarray of float64, shape ``(n, p)``

    Notes
    -----
    Uhlenbeck & Ornstein 1930, 1930PhRv...36..823U; for quasars Kelly et al. 2009, 2009ApJ...698..895K.
    """
    left, right, place, step = _knots(days, decay, seed, LEVELS)
    # between two knots a straight line has too little variance: what is missing comes as noise that repeats for the same time
    rho = np.exp(-step / np.asarray(decay, float)[:, None])
    missing = np.sqrt((1 - rho) * 2 * place * (1 - place))
    second = np.round(days * 86400).astype(np.int64)
    return left + place * (right - left) + missing * normal(np.asarray(seed, np.uint64)[:, None], LEVELS + 1, second)


def slow_walk(days: np.ndarray, decay: np.ndarray, seed: np.ndarray) -> np.ndarray:
    """Give a damped random walk that is straight between knots 16 to 32 a decay time; as `random_walk`, and quicker."""
    left, right, place, _ = _knots(days, decay, seed, LEVELS - 4)
    return left + place * (right - left)


def events(days: np.ndarray, spacing: np.ndarray, seed: np.ndarray, *, before: int, after: int = 0, stream: int = 0):
    """Go through a star's events near each time: one in every cell of ``spacing`` days, at a random place in it.

    Parameters
    ----------
    days : ndarray, shape ``(n, p)``
    spacing : ndarray, shape ``(n,)``
    seed : ndarray of uint64, shape ``(n,)``
    before, after : int
        How many cells to look back and ahead.
    stream : int
        Number of the kind of events, so that one star can have several.

    Yields
    ------
    since : ndarray, shape ``(n, p)``
        Days since the event; negative before it.
    draw : callable
        ``draw(k)`` gives the event's own ``k``-th uniform number, shape ``(n, p)``.
    """
    seed, spacing = np.asarray(seed, np.uint64)[:, None], np.asarray(spacing, float)[:, None]
    cell = np.floor(days / spacing).astype(np.int64)
    for step in range(-before, after + 1):
        own = cell + step

        def draw(k: int, own: np.ndarray = own) -> np.ndarray:
            return uniform(seed, 1000 + stream, own, k)

        yield days - (own + draw(0)) * spacing, draw


def _knots(days: np.ndarray, decay: np.ndarray, seed: np.ndarray, levels: int) -> tuple[np.ndarray, ...]:
    """Give a walk at the knots before and after each time, the place between them (0 to 1), and their distance."""
    seed, decay = np.asarray(seed, np.uint64)[:, None], np.asarray(decay, float)[:, None]
    size = 2.0 ** np.ceil(np.log2(16 * decay))
    place = days / size
    node = np.floor(place).astype(np.int64)
    place = place - node
    # the first knots are 16 decay times apart or more: their correlation, 1e-7, is none
    left, right = normal(seed, 0, node), normal(seed, 0, node + 1)
    for level in range(1, levels + 1):
        rho = np.exp(-size / 2**level / decay)
        middle = rho / (1 + rho**2) * (left + right) + np.sqrt((1 - rho**2) / (1 + rho**2)) * normal(seed, level, node)
        place = 2 * place
        later = place >= 1
        left, right = np.where(later, middle, left), np.where(later, right, middle)
        place, node = place - later, 2 * node + later
    return left, right, place, size / 2**levels


def _mixed(state: np.ndarray) -> np.ndarray:
    state = (state ^ (state >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    state = (state ^ (state >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return state ^ (state >> np.uint64(31))
