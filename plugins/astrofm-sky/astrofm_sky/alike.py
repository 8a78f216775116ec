"""Which sources are the same star: libraries hold some many times, and a test must not meet what was learned from."""

from __future__ import annotations

import numpy as np
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components
from scipy.spatial import cKDTree

from .sources import Sources

#: wavelengths at which sources are compared (Angstrom), and how much of the flux two may differ at each
PLACES, ALIKE = np.linspace(3600.0, 9600.0, 40), 3e-3


def alike(sources: Sources) -> np.ndarray:
    """Sort sources into groups of like ones.

    Parameters
    ----------
    sources : Sources

    Returns
    -------
    ndarray of int, shape ``(n,)``
        The group of each, 0 and up; two that differ by less than `ALIKE` of their median flux at all of `PLACES` where they
        have data share one, and so do those that others connect.
    """
    pixels = np.searchsorted(sources.wavelength, PLACES)
    lost = np.zeros((len(sources), len(pixels)), bool) if sources.mask is None else sources.mask[:, pixels]
    flux = np.where(lost, np.nan, sources.flux[:, pixels])
    shape = np.nan_to_num(flux / np.nanmedian(flux, axis=1, keepdims=True))
    pairs = cKDTree(shape).query_pairs(ALIKE, p=np.inf, output_type="ndarray")
    links = coo_matrix((np.ones(len(pairs)), (pairs[:, 0], pairs[:, 1])), shape=(len(shape), len(shape)))
    return connected_components(links, directed=False)[1]
