"""Variable stars with known truth."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from astrofm.errors import DataError

from .classes import CLASSES
from .colours import mean_colour

#: points that are worked on at a time, so that memory stays bounded
POINTS = 500_000
#: days are counted from this Julian date (TDB), 4 September 2017
DAY_ZERO = 2458000.5
#: pivot wavelengths of Gaia's BP and RP (Angstrom), and by how much AB colours are smaller than Vega's (Riello et al. 2021,
#: 2021A&A...649A...3R)
BP_RP = (5109.7, 7769.1, 0.343)


@dataclass(frozen=True, eq=False)
class Variables:
    """Variable stars: what is true of ``n`` stars.

    Parameters
    ----------
    id : tuple of str
    name : ndarray of str, shape ``(n,)``
        Class, of `CLASSES`.
    period : ndarray, shape ``(n,)``
        Days; NaN where there is none.
    amplitude : ndarray, shape ``(n,)``
        In V, magnitudes: from least to greatest light of regular stars, of the strongest mode of those with many; the 5th to
        95th percentile of spots and random walks; the largest outburst or fade; the height of flares that is
        exceeded once in ten days.
    epoch : ndarray, shape ``(n,)``
        Days since `DAY_ZERO` of greatest light, of the main eclipse or of periastron; NaN where there is no such.
    magnitude : ndarray, shape ``(n,)``
        In V, of the mean of pulsators and walks, and of binaries without eclipses, stars without spots, flares, outbursts and
        fades.
    teff, a_v : ndarray, shape ``(n,)``
        Effective temperature (K) and extinction (mag).
    seed : ndarray of uint64, shape ``(n,)``
        Of each star's own chance.
    own : mapping of str to tuple
        By class: the rows of its stars, and their parameters, each of that length.
    """

    id: tuple[str, ...]
    name: np.ndarray
    period: np.ndarray
    amplitude: np.ndarray
    epoch: np.ndarray
    magnitude: np.ndarray
    teff: np.ndarray
    a_v: np.ndarray
    seed: np.ndarray
    own: Mapping[str, tuple[np.ndarray, Mapping[str, np.ndarray]]]

    def __len__(self) -> int:
        return len(self.name)

    def __getitem__(self, rows: slice | Sequence[int] | np.ndarray) -> Variables:
        """Select stars by a slice, an index array or a boolean array; the order is kept."""
        index = np.arange(len(self))[rows]
        own = {}
        for name, (members, parameters) in self.own.items():
            place = np.full(len(self), -1)
            place[members] = np.arange(len(members))
            kept = place[index]
            mine = np.flatnonzero(kept >= 0)
            if len(mine):
                own[name] = (mine, {key: values[kept[mine]] for key, values in parameters.items()})
        return Variables(tuple(self.id[i] for i in index), self.name[index], self.period[index], self.amplitude[index],
                         self.epoch[index], self.magnitude[index], self.teff[index], self.a_v[index], self.seed[index], own)

    @property
    def parent(self) -> np.ndarray:
        """Family of each star's class; shape ``(n,)``."""
        return np.array([CLASSES[name].parent for name in self.name], str)

    @property
    def bp_rp(self) -> np.ndarray:
        """Mean colour BP - RP of Gaia (Vega), of blackbodies at the pivot wavelengths; shape ``(n,)``."""
        blue, red, vega = BP_RP
        return (self.mean(np.full((len(self), 1), blue)) - self.mean(np.full((len(self), 1), red)))[:, 0] + vega

    def mean(self, wavelength: np.ndarray) -> np.ndarray:
        """Give AB magnitudes without variation at wavelengths (Angstrom) of shape ``(n, p)``."""
        return self.magnitude[:, None] + mean_colour(self.teff[:, None], self.a_v[:, None], wavelength)

    def offset(self, days: np.ndarray, wavelength: np.ndarray | float) -> np.ndarray:
        """Give the variation alone, magnitudes over `mean`; as `at`."""
        days = np.asarray(days, np.float64)
        if days.ndim != 2 or len(days) != len(self):
            raise DataError(f"days have shape {days.shape}; expected ({len(self)}, p), since Julian date {DAY_ZERO} (TDB)")
        wavelength = np.broadcast_to(np.asarray(wavelength, np.float64), days.shape)
        away = np.zeros(days.shape)
        step = max(1, POINTS // max(days.shape[1], 1))
        for name, (members, parameters) in self.own.items():
            for first in range(0, len(members), step):
                block = slice(first, first + step)
                rows = members[block]
                own = {key: values[block] for key, values in parameters.items()}
                own |= {"teff": self.teff[rows], "seed": self.seed[rows]}
                away[rows] = CLASSES[name].shape.offset(own, days[rows], wavelength[rows])
        return away

    def at(self, days: np.ndarray, wavelength: np.ndarray | float) -> np.ndarray:
        """Give AB magnitudes.

        Parameters
        ----------
        days : array, shape ``(n, p)``
            Since `DAY_ZERO`, in any order. The same time gives the same magnitude in every call.
        wavelength : float or array, shape ``(p,)`` or ``(n, p)``
            Angstrom.

        Returns
        -------
        ndarray of float64, shape ``(n, p)``

        Raises
        ------
        DataError
            The days have another shape.
        """
        away = self.offset(days, wavelength)
        return self.mean(np.broadcast_to(np.asarray(wavelength, np.float64), away.shape)) + away


def variable_stars(count: int, seed: int = 0, *, classes: Sequence[str] | Mapping[str, float] | None = None,
                   magnitude: tuple[float, float] = (11.0, 17.0)) -> Variables:
    """Draw variable stars.

    Parameters
    ----------
    count : int
    seed : int
        Same seed, same stars.
    classes : sequence of str or mapping of str to float, optional
        Names of `CLASSES`, all equally likely, or each with its weight; all of them unless given.
    magnitude : tuple of float
        Range of V; even.

    Raises
    ------
    DataError
        No such class, or weights that are no weights.

    Examples
    --------
    >>> from astrofm_sky import variable_stars
    >>> stars = variable_stars(3, seed=1, classes=["RRAB", "EW"])
    >>> stars.name.tolist(), stars.period.round(3).tolist()
    (['EW', 'EW', 'RRAB'], [0.328, 0.303, 0.566])
    """
    weights = dict(classes) if isinstance(classes, Mapping) else dict.fromkeys(CLASSES if classes is None else classes, 1.0)
    unknown = sorted(set(weights) - set(CLASSES))
    if unknown:
        raise DataError(f"no class of variables named {', '.join(map(repr, unknown))}; there are {', '.join(CLASSES)}")
    share = np.array(list(weights.values()), float)
    if not (len(share) and np.isfinite(share).all() and (share >= 0).all() and share.sum() > 0):
        raise DataError("classes need weights that are not negative, and one that is positive")
    random = np.random.default_rng(seed)
    names = np.array(list(weights))[random.choice(len(weights), count, p=share / share.sum())]
    low, high = np.log([CLASSES[name].teff for name in weights]).T
    place = np.searchsorted(np.sort(list(weights)), names)
    order = np.argsort(list(weights))[place]
    teff = np.exp(low[order] + (high - low)[order] * random.random(count))
    seeds = random.integers(0, 2**63, count, dtype=np.uint64)
    bright, a_v = random.uniform(*magnitude, count), random.exponential(0.3, count).clip(0, 3)
    truth = {key: np.full(count, np.nan) for key in ("period", "amplitude", "epoch")}
    own = {}
    for name in weights:
        rows = np.flatnonzero(names == name)
        if len(rows):
            parameters = CLASSES[name].shape.draw(random, teff[rows])
            own[name] = (rows, parameters)
            for key, values in truth.items():
                values[rows] = parameters[key]
    ids = tuple(f"V{seed}-{number}" for number in range(count))
    return Variables(ids, names, **truth, magnitude=bright, teff=teff, a_v=a_v, seed=seeds, own=own)
