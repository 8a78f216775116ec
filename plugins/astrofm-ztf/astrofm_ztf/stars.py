"""Which of ZTF's object ids are one star."""

from __future__ import annotations

import numpy as np

#: object ids within so many arcsec of each other are one star: ZTF gives one to each field, quadrant and band
SAME_STAR = 1.5


def same_star(oid: np.ndarray, ra: np.ndarray | None, dec: np.ndarray | None) -> tuple[np.ndarray, dict[str, list]]:
    """Bring the object ids of a star together by their mean positions.

    Parameters
    ----------
    oid : ndarray of int, shape ``(p,)``
        Of each measurement.
    ra, dec : ndarray, shape ``(p,)``, optional
        Degrees; without them each oid is a star.

    Returns
    -------
    star : ndarray of int, shape ``(p,)``
        Counted from 0 in the order of their first measurements.
    about : dict of str to list
        ``id`` (the star's first oid, as text), ``oids`` (all of them), and ``ra`` and ``dec`` where they are known.
    """
    oids, first, which = np.unique(oid, return_index=True, return_inverse=True)
    which = which.reshape(-1)
    group = np.arange(len(oids))
    if ra is not None and dec is not None:
        where = _mean_direction(which, len(oids), np.asarray(ra, float), np.asarray(dec, float))
        group = _together(where)
    began = np.full(group.max(initial=-1) + 1, len(oid))
    np.minimum.at(began, group, first)
    place = np.argsort(np.argsort(began))
    group = place[group]
    order = np.lexsort((first, group))
    edges = np.flatnonzero(np.diff(group[order])) + 1
    names = [oids[members].tolist() for members in np.split(order, edges)] if len(oids) else []
    about: dict[str, list] = {"id": [str(each[0]) for each in names], "oids": [" ".join(map(str, each)) for each in names]}
    if ra is not None and dec is not None:
        about.update(mean_position(group[which], len(names), np.asarray(ra, float), np.asarray(dec, float)))
    return group[which], about


def mean_position(which: np.ndarray, count: int, ra: np.ndarray, dec: np.ndarray) -> dict[str, list[float]]:
    """Give ``ra`` and ``dec`` of ``count`` stars (degrees), means over the points of each; NaN for what has no position."""
    mean = _mean_direction(which, count, ra, dec)
    return {"ra": (np.degrees(np.arctan2(mean[:, 1], mean[:, 0])) % 360).tolist(),
            "dec": np.degrees(np.arcsin(np.clip(mean[:, 2], -1, 1))).tolist()}


def _mean_direction(which: np.ndarray, count: int, ra: np.ndarray, dec: np.ndarray) -> np.ndarray:
    """Give unit vectors, shape ``(count, 3)``; NaN for what has no position."""
    ra, dec = np.radians(ra), np.radians(dec)
    parts = (np.cos(dec) * np.cos(ra), np.cos(dec) * np.sin(ra), np.sin(dec))
    known = np.isfinite(ra + dec)
    total = np.stack([np.bincount(which[known], part[known], count) for part in parts], 1)
    with np.errstate(invalid="ignore"):
        return total / np.linalg.norm(total, axis=1, keepdims=True)


def _together(where: np.ndarray) -> np.ndarray:
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components
    from scipy.spatial import cKDTree

    known = np.flatnonzero(np.isfinite(where).all(axis=1))
    pairs = cKDTree(where[known]).query_pairs(np.radians(SAME_STAR / 3600), output_type="ndarray") if len(known) else []
    pairs = known[np.asarray(pairs, int).reshape(-1, 2)]
    graph = coo_array((np.ones(len(pairs)), (pairs[:, 0], pairs[:, 1])), shape=(len(where), len(where)))
    return connected_components(graph, directed=False)[1]
