"""Evolved stars as stellar evolution has them: mass, age, temperature, gravity, luminosity, and carbon over nitrogen.

Isochrones are those of PARSEC (Bressan et al. 2012, MNRAS 427, 127) as FSPS distributes them. The files are not part of this
package; ``docs/sky.rst`` says where they come from.
"""

from __future__ import annotations

import gzip
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from astrofm.errors import DataError, ReadError

#: metal fraction of the Sun, of the isochrones
SUN = 0.0152
#: phases of the files that are evolved stars, and what they are
PHASES = {2: "red giant branch", 3: "core helium burning", 4: "asymptotic giant branch"}
#: columns that are interpolated, and where they stand in a file
COLUMNS = {"initial_mass": 1, "mass": 2, "log_luminosity": 3, "log_teff": 4, "logg": 5}
#: zero point and slope of log10 age (yr) over surface [C/N] of giants (Spoo et al. 2022, AJ 163, 229), and its scatter (dex)
CN_AGE = (10.14, 2.23)
CN_SCATTER = 0.06
#: points of a phase on which all isochrones are put
POINTS = 200
#: slope of the initial mass function (Salpeter 1955, ApJ 121, 161)
IMF = -2.35


@dataclass(frozen=True, eq=False)
class Isochrones:
    """Evolved phases on a grid of ages and metallicities.

    Parameters
    ----------
    log_age : ndarray, shape ``(a,)``
        log10 of years.
    m_h : ndarray, shape ``(z,)``
    tracks : ndarray, shape ``(z, a, 3, columns, POINTS)``
        `COLUMNS` by phase, along equal steps of initial mass; NaN where an isochrone has no such phase.
    """

    log_age: np.ndarray
    m_h: np.ndarray
    tracks: np.ndarray

    @classmethod
    def open(cls, folder: Path) -> Isochrones:
        """Read ``isochrones/parsec_z*.dat.gz`` of a folder.

        Raises
        ------
        ReadError
            There are fewer than two, or one is damaged.
        """
        paths = sorted((Path(folder) / "isochrones").glob("parsec_z*.dat.gz"))
        if len(paths) < 2:
            raise ReadError(f"{Path(folder) / 'isochrones'} has no PARSEC isochrones of several metallicities: see "
                            "docs/sky.rst")
        tables, metals = [], []
        for path in paths:
            try:
                with gzip.open(path, "rt") as stream:
                    tables.append(np.loadtxt(stream))
                metals.append(float(path.name.removeprefix("parsec_z").removesuffix(".dat.gz")))
            except (OSError, ValueError, EOFError) as error:
                raise ReadError(f"{path} is no isochrone ({error}): fetch it again") from error
        ages = np.unique(np.concatenate([table[:, 0] for table in tables]))
        tracks = np.full((len(paths), len(ages), len(PHASES), len(COLUMNS), POINTS), np.nan)
        for z, table in enumerate(tables):
            for a, age in enumerate(ages):
                own = table[np.abs(table[:, 0] - age) < 1e-6]
                for p, phase in enumerate(PHASES):
                    tracks[z, a, p] = _along(own[own[:, 7] == phase])
        return cls(ages, np.log10(np.array(metals) / SUN), tracks)

    def at(self, log_age: np.ndarray, m_h: np.ndarray, phase: np.ndarray, place: np.ndarray) -> dict[str, np.ndarray]:
        """Give stars, interpolated linearly in log age, [M/H] and along each phase.

        Parameters
        ----------
        log_age, m_h : ndarray, shape ``(n,)``
        phase : ndarray of int, shape ``(n,)``
            Of `PHASES`.
        place : ndarray, shape ``(n,)``
            Part of the phase's initial masses, 0 to 1.

        Returns
        -------
        dict of str to ndarray, shape ``(n,)``
            `COLUMNS`; NaN where a neighbouring isochrone has no such phase.

        Raises
        ------
        DataError
            Outside the grid, or no such phase.
        """
        log_age, m_h, place = (np.asarray(x, float) for x in (log_age, m_h, place))
        for name, value, grid in (("log_age", log_age, self.log_age), ("m_h", m_h, self.m_h), ("place", place, (0.0, 1.0))):
            if not np.all((value >= grid[0]) & (value <= grid[-1])):
                raise DataError(f"{name} lies outside {grid[0]:.3g} to {grid[-1]:.3g}, where there are no isochrones")
        if not np.isin(phase, list(PHASES)).all():
            raise DataError(f"phases are {', '.join(f'{k} ({name})' for k, name in PHASES.items())}")
        p = np.searchsorted(list(PHASES), phase)
        (a, share_a), (z, share_z) = _bracket(self.log_age, log_age), _bracket(self.m_h, m_h)
        s, share_s = _bracket(np.linspace(0, 1, POINTS), place)
        found = np.zeros((len(COLUMNS), len(log_age)))
        for dz in (0, 1):
            for da in (0, 1):
                for ds in (0, 1):
                    weight = (np.where(dz, share_z, 1 - share_z) * np.where(da, share_a, 1 - share_a)
                              * np.where(ds, share_s, 1 - share_s))
                    corner = self.tracks[z + dz, a + da, p, :, s + ds].T
                    found += np.where(weight > 0, weight * corner, 0.0)
        return dict(zip(COLUMNS, found, strict=True))

    def giants(self, count: int, random: np.random.Generator, *, age: tuple[float, float] = (0.5, 12.0),
               m_h: tuple[float, float] = (-0.15, 0.25), logg: tuple[float, float] = (0.5, 3.6)) -> Mapping[str, np.ndarray]:
        """Draw evolved stars of a constant rate of star formation.

        Parameters
        ----------
        count : int
        random : Generator
        age : tuple of float
            Range (Gyr); evenly.
        m_h : tuple of float
            Mean and deviation of a normal distribution, cut to the isochrones' range.
        logg : tuple of float
            Range that is kept.

        Returns
        -------
        mapping of str to ndarray, shape ``(count,)``
            ``teff`` (K), ``logg``, ``m_h``, ``mass`` and ``initial_mass`` (solar), ``age`` (Gyr), ``log_luminosity`` (solar),
            ``c_n`` and ``phase``.
        """
        kept: list[dict[str, np.ndarray]] = []
        while sum(len(part["age"]) for part in kept) < count:
            n = 4 * count
            years = random.uniform(*age, n)
            metals = random.normal(*m_h, n).clip(self.m_h[0], self.m_h[-1])
            phase = random.choice(list(PHASES), n)
            log_age = np.log10(years * 1e9)
            stars = self.at(log_age, metals, phase, random.random(n))
            ends = [self.at(log_age, metals, phase, np.full(n, end))["initial_mass"] for end in (0.0, 1.0)]
            chance = (ends[1] - ends[0]) * stars["initial_mass"] ** IMF  # how many stars a phase holds at a time
            chance = np.where(np.isfinite(chance) & (stars["logg"] >= logg[0]) & (stars["logg"] <= logg[1]), chance, 0.0)
            rows = np.flatnonzero(random.random(n) < chance / chance.max())
            kept.append({**{name: column[rows] for name, column in stars.items()}, "age": years[rows], "m_h": metals[rows],
                         "phase": phase[rows]})
        found = {name: np.concatenate([part[name] for part in kept])[:count] for name in kept[0]}
        found["teff"] = 10 ** found.pop("log_teff")
        found["c_n"] = surface_c_n(found["age"], random)
        return found


def surface_c_n(age: np.ndarray, random: np.random.Generator | None = None) -> np.ndarray:
    """Give [C/N] on the surface of giants after the first dredge-up: the more massive they are, so the younger, the less.

    Spoo et al. 2022 (AJ 163, 229), turned round; measured between 0.4 and 6.6 Gyr and continued beyond.

    Parameters
    ----------
    age : ndarray
        Gyr.
    random : Generator, optional
        Draws a scatter of 0.06 dex.
    """
    found = (np.log10(np.asarray(age, float) * 1e9) - CN_AGE[0]) / CN_AGE[1]
    return found if random is None else found + CN_SCATTER * random.standard_normal(found.shape)


def _along(points: np.ndarray) -> np.ndarray:
    """Put the points of a phase on equal steps of initial mass, ``(columns, POINTS)``."""
    if len(points) < 2 or not points[-1, 1] > points[0, 1]:
        return np.full((len(COLUMNS), POINTS), np.nan)
    mass = np.linspace(points[0, 1], points[-1, 1], POINTS)
    return np.stack([np.interp(mass, points[:, 1], points[:, k]) for k in COLUMNS.values()])


def _bracket(grid: np.ndarray, value: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    low = np.clip(np.searchsorted(grid, value, side="right") - 1, 0, len(grid) - 2)
    return low, (value - grid[low]) / (grid[low + 1] - grid[low])
