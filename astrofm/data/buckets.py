"""Stars of unlike lengths: groups that waste little on padding."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np

from ..errors import DataError
from .sample import Batch


def length_buckets(lengths: Sequence[int] | np.ndarray, *, size: int = 256, waste: float = 0.25) -> list[np.ndarray]:
    """Group stars of like length, so that little of a padded batch is padding.

    Parameters
    ----------
    lengths : array of int, shape ``(n,)``
        Points of each star.
    size : int
        Stars a group, at most.
    waste : float
        Each star of a group is at least ``1 - waste`` as long as the longest.

    Returns
    -------
    list of ndarray of int
        Rows of each group, short stars first; equal lengths keep their order. All together have every row once.

    Examples
    --------
    >>> from astrofm.data import length_buckets
    >>> [group.tolist() for group in length_buckets([100, 20000, 95, 19000, 30])]
    [[4], [2, 0], [3, 1]]
    """
    if size < 1 or not 0 <= waste < 1:
        raise DataError(f"a group holds at least one star and wastes 0 to 1, got size={size}, waste={waste}")
    lengths = np.asarray(lengths, np.int64)
    order = np.argsort(lengths, kind="stable")
    ranked, groups, stop = lengths[order], [], len(order)
    while stop:
        first = max(int(np.searchsorted(ranked, (1 - waste) * ranked[stop - 1])), stop - size)
        groups.append(order[first:stop])
        stop = first
    return groups[::-1]


def used_lengths(batch: Batch) -> np.ndarray:
    """Give the place behind the last good point of each star; shape ``(n,)``."""
    good = ~np.asarray(batch.mask)
    return np.where(good.any(axis=1), good.shape[1] - good[:, ::-1].argmax(axis=1), 0)


def split_by_length(batch: Batch, *, size: int = 256, waste: float = 0.25) -> Iterator[tuple[np.ndarray, Batch]]:
    """Split a padded batch into groups of like length, each cut behind its last good point.

    Parameters
    ----------
    batch : Batch
        With a ``coordinate`` of shape ``(n, p)``.
    size, waste
        As for `length_buckets`.

    Yields
    ------
    rows : ndarray of int
        Of the stars in ``batch``.
    part : Batch
    """
    if batch.coordinate.ndim == 1:
        raise DataError(f"the stars of {batch.instrument!r} share one grid: they are of one length already")
    lengths = used_lengths(batch)
    for rows in length_buckets(lengths, size=size, waste=waste):
        part, longest = batch[rows], max(int(lengths[rows].max()), 1)
        yield rows, replace(part, **{name: getattr(part, name)[:, :longest] for name in
                                     ("coordinate", "value", "error", "mask", "band") if getattr(part, name) is not None})
