"""Interstellar extinction of many spectra at once, by the laws of dust_extinction."""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from ..errors import DataError

#: laws of two parameters that `transmission` knows; see dust_extinction for the papers
LAWS = ("G23", "F99", "F19", "F04", "CCM89", "O94", "GCC09", "VCG04", "M14")


def transmission(wave: np.ndarray, a_v: np.ndarray | float, *, r_v: float = 3.1, law: str = "G23") -> np.ndarray:
    """Give the part of the light that dust lets through.

    Parameters
    ----------
    wave : ndarray, shape ``(p,)``
        Vacuum Angstrom.
    a_v : float or ndarray, shape ``(n,)``
        Extinction in V, mag.
    r_v : float
        Ratio of total to selective extinction.
    law : str
        One of `LAWS`; Gordon et al. 2023 (ApJ 950, 86) unless told otherwise.

    Returns
    -------
    ndarray, shape ``(n, p)``, or ``(p,)`` for one ``a_v``

    Raises
    ------
    DataError
        For an unknown law, or a wavelength or ``r_v`` outside the law's range.

    Examples
    --------
    >>> import numpy as np
    >>> from astrofm.data import transmission
    >>> print(transmission(np.array([5500.0]), np.array([0.0, 1.0])).round(2))
    [[1. ]
     [0.4]]
    """
    wave = np.ascontiguousarray(wave, np.float64)
    curve = _curve(wave.tobytes(), float(r_v), law)
    return np.exp(-0.4 * np.log(10) * np.multiply.outer(np.asarray(a_v, np.float64), curve))


def deredden(wave: np.ndarray, value: np.ndarray, a_v: np.ndarray | float, *, r_v: float = 3.1,
             law: str = "G23") -> np.ndarray:
    """Divide fluxes ``(n, p)`` by `transmission`; errors are treated alike."""
    return np.asarray(value) / transmission(wave, a_v, r_v=r_v, law=law)


@lru_cache(maxsize=32)
def _curve(wave: bytes, r_v: float, law: str) -> np.ndarray:
    """Give A(wavelength) / A(V); one curve a grid is kept."""
    if law not in LAWS:
        raise DataError(f"no extinction law {law!r}: one of {', '.join(LAWS)}")
    from astropy import units as u
    from dust_extinction import parameter_averages

    try:
        curve = getattr(parameter_averages, law)(Rv=r_v)(np.frombuffer(wave) * u.AA)
    except ValueError as error:
        raise DataError(f"the extinction law {law} does not reach there: {error}") from error
    curve = np.asarray(curve, np.float64)
    curve.flags.writeable = False
    return curve
