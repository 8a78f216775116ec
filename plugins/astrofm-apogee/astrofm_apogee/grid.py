"""The pixels of APOGEE: 8575 on one lattice, and the two sets of them that are in use as arrays.

======  ==========================================  ==================================================================
pixels  where on the lattice                        where they come from
======  ==========================================  ==================================================================
8575    all                                         apStar, aspcapStar and mwmStar files
7514    246 to 3273, 3585 to 6079, 6344 to 8334     what ASPCAP fits from DR13 on: where the best fit is not zero
7214    322 to 3241, 3648 to 6047, 6412 to 8305     what ASPCAP fitted up to DR12; The Cannon and The Payne use it still
======  ==========================================  ==================================================================

Pixel ``i`` is at ``10**(4.179 + 6e-6 * i)`` Angstrom in vacuum. The 7514 were found in 16 aspcapStar files of DR13, all of
which agree, and the 7214 in a published table of wavelengths, which lie on the lattice to 2e-8 of a pixel; the ``apogee``
package of J. Bovy has the same ranges.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from astrofm.data import Batch
from astrofm.errors import DataError

#: log10 of the wavelength (Angstrom) of the first pixel, and the step
FIRST, STEP = 4.179, 6e-6
#: pixels of the lattice
PIXELS = 8575
#: vacuum wavelength of each pixel (Angstrom)
GRID = 10 ** (FIRST + STEP * np.arange(PIXELS))
#: where the three chips begin and end (first pixel, one after the last), by the number of pixels in all
CHIPS = {PIXELS: ((0, PIXELS),), 7514: ((246, 3274), (3585, 6080), (6344, 8335)),
         7214: ((322, 3242), (3648, 6048), (6412, 8306))}


def pixels_of(count: int) -> np.ndarray:
    """Say which pixels of the lattice an array of so many pixels holds.

    Parameters
    ----------
    count : int
        8575, 7514 or 7214.

    Returns
    -------
    ndarray of int, shape ``(count,)``

    Raises
    ------
    DataError
        For any other number.

    Examples
    --------
    >>> from astrofm_apogee.grid import GRID, pixels_of
    >>> print(pixels_of(7514)[[0, -1]], GRID[pixels_of(7514)[[0, -1]]].round(1))
    [ 246 8334] [15152.2 16943.5]
    """
    if count not in CHIPS:
        raise DataError(f"an array of {count} pixels is none of APOGEE's: they have 8575 (the whole lattice), 7514 (the "
                        "chips as ASPCAP fits them since DR13) or 7214 (up to DR12). Cut it to one of these, or hand over "
                        "Spectrum objects with their wavelengths")
    return np.concatenate([np.arange(*chip) for chip in CHIPS[count]])


def expand(value: np.ndarray, error: np.ndarray, mask: np.ndarray | None = None, *, normalised: bool,
           meta: Mapping[str, Sequence[Any]] | None = None) -> Batch:
    """Put arrays without gaps between the chips on the whole lattice.

    Parameters
    ----------
    value, error : ndarray, shape ``(n, m)``
        Flux and its one-sigma error; ``m`` is 8575, 7514 or 7214.
    mask : ndarray of bool, shape ``(n, m)``, optional
        True = bad.
    normalised : bool
        Whether the flux was divided by the continuum; stands in ``meta``.
    meta : mapping of str to sequence of length ``n``, optional
        Columns of the batch; ``id`` is empty where it is not given.

    Returns
    -------
    Batch
        8575 pixels; what the arrays do not hold is masked, and so are pixels that are not finite or have no positive
        error.

    Raises
    ------
    DataError
        If the arrays disagree, or have another number of pixels.

    Examples
    --------
    >>> import numpy as np
    >>> from astrofm_apogee.grid import expand, select
    >>> batch = expand(np.ones((3, 7514)), np.full((3, 7514), 0.01), normalised=True)
    >>> batch.value.shape, int((~batch.mask[0]).sum()), select(batch, 7214).value.shape
    ((3, 8575), 7514, (3, 7214))
    """
    from .instrument import Apogee

    value, error = np.asarray(value), np.asarray(error)
    mask = np.zeros(value.shape, bool) if mask is None else np.asarray(mask, bool)
    if value.ndim != 2 or error.shape != value.shape or mask.shape != value.shape:
        raise DataError(f"value, error and mask must share a shape (n, pixels), got {value.shape}, {error.shape}, "
                        f"{mask.shape}: one spectrum is an array of shape (1, pixels)")
    place = pixels_of(value.shape[1])
    whole = np.zeros((2, len(value), PIXELS))
    bad = np.ones((len(value), PIXELS), bool)
    whole[0][:, place], whole[1][:, place], bad[:, place] = value, error, mask
    return Apogee().batch(*whole, bad, {**(meta or {}), "normalised": [bool(normalised)] * len(value)})


def select(batch: Batch, count: int) -> Batch:
    """Take the 7514 or 7214 pixels of the chips out of a batch of whole spectra.

    Parameters
    ----------
    batch : Batch
        Of the instrument ``apogee``, 8575 pixels.
    count : int
        7514 or 7214 (or 8575).

    Returns
    -------
    Batch
        Of ``count`` pixels, wavelengths with them.

    Raises
    ------
    DataError
        If the batch is another instrument's, or not on the lattice; if there is no such set of pixels.
    """
    place = pixels_of(count)
    if batch.instrument != "apogee" or batch.coordinate.shape != (PIXELS,) or batch.value.shape[1] != PIXELS:
        raise DataError(f"expected a batch of 'apogee' on its {PIXELS} pixels, got one of {batch.instrument!r} with "
                        f"{batch.value.shape[1]}: expand() puts arrays on them")
    return replace(batch, coordinate=batch.coordinate[place], value=batch.value[:, place], error=batch.error[:, place],
                   mask=batch.mask[:, place])
