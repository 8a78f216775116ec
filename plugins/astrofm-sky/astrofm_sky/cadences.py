"""When surveys look: satellites that stare or scan, and telescopes on the ground."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass

import numpy as np

#: lengths of the Moon's and the Sun's rounds, and of the day of the stars (days)
MONTH, YEAR, SIDEREAL = 29.530589, 365.25, 0.99726957
#: a new moon: 6 January 2000, as Julian date
NEW_MOON = 2451550.1


@dataclass(frozen=True, eq=False)
class Visits:
    """When each of ``n`` stars is looked at, ``p`` times in all.

    Parameters
    ----------
    star : ndarray of int64, shape ``(p,)``
        In order.
    days : ndarray of float64, shape ``(p,)``
        Julian date (TDB), in order of time for each star.
    band : ndarray of int16, shape ``(p,)``
    depth : ndarray, shape ``(p,)``
        Magnitudes by which the sky is darker and steadier than usual.
    magnitude, error : ndarray, shape ``(p,)``, optional
        Mean magnitude of the real star in this band, and the error of its real point, mag.
    """

    star: np.ndarray
    days: np.ndarray
    band: np.ndarray
    depth: np.ndarray
    magnitude: np.ndarray | None = None
    error: np.ndarray | None = None


class Cadence(ABC):
    """When a survey looks at stars."""

    @abstractmethod
    def visits(self, random: np.random.Generator, count: int, bands: int) -> Visits:
        """Draw the visits of ``count`` stars in so many bands."""


@dataclass(frozen=True)
class Staring(Cadence):
    """A satellite that stares: even steps, a gap amid each stretch to send the data down, single points lost.

    Parameters
    ----------
    start : float
        Julian date at which the survey begins.
    span : float
        Days of one stretch.
    step : float
        Seconds between points; they are taken by turns where there are several bands.
    gap : float
        Days without data in the middle of a stretch.
    stretches : int
        How many follow each other.
    starts : int
        A star's first stretch is one of so many.
    lost : float
        Part of the points that are lost.
    """

    start: float = 2458325.3
    span: float = 27.4
    step: float = 1800.0
    gap: float = 1.1
    stretches: int = 1
    starts: int = 26
    lost: float = 0.01

    def visits(self, random: np.random.Generator, count: int, bands: int) -> Visits:
        """Draw the stretches of each star; see `Cadence.visits`."""
        step = self.step / 86400
        number = int(self.span * self.stretches / step)
        place = np.arange(number) * step
        within = place % self.span
        kept = np.abs(within - self.span / 2) > self.gap / 2
        place = place[kept]
        first = self.start + self.span * random.integers(0, max(self.starts, 1), (count, 1))
        there = random.random((count, len(place))) >= self.lost
        days = first + place + random.uniform(0, step, (count, 1))
        band = np.broadcast_to((np.arange(number)[kept] % bands).astype(np.int16), there.shape)
        return _flat(there, days, band, np.zeros(there.shape))


@dataclass(frozen=True)
class Ground(Cadence):
    """A telescope on the ground: seasons, nights, weather, the Moon, and a star that is highest earlier each night.

    Parameters
    ----------
    start : float
        Julian date (a midnight of the site) at which the survey begins.
    span : float
        Days.
    every : tuple of float
        Nights from one visit to the next, by band; the last goes for all further bands.
    season : float
        Days a year in which a star can be seen.
    clear : float
        Part of the nights that are clear; clear and cloudy ones come in runs.
    moon : float
        Magnitudes that full moon takes from the depth; half of its nights are lost.
    hours : float
        Deviation of the hour angle of visits.
    repeats : float
        Part of the visits that come with a second one within two hours.
    """

    start: float = 2458200.8
    span: float = 1100.0
    every: tuple[float, ...] = (3.0,)
    season: float = 230.0
    clear: float = 0.65
    moon: float = 0.8
    hours: float = 1.5
    repeats: float = 0.15

    def visits(self, random: np.random.Generator, count: int, bands: int) -> Visits:
        """Draw the nights of each star; see `Cadence.visits`."""
        night = self.start + np.arange(int(self.span))
        shape = (count, bands, len(night))
        # weather of the site, the same for all stars: clear and cloudy spells of some days
        spell = np.cumsum(random.random(len(night)) < 0.4)
        weather = (random.random(len(night) + 1) < self.clear)[spell]
        full = 0.5 - 0.5 * np.cos(2 * np.pi * ((night - NEW_MOON) % MONTH) / MONTH)
        opposition = random.uniform(0, YEAR, (count, 1))
        away = (night - opposition + YEAR / 2) % YEAR - YEAR / 2  # days from the star's best night
        up = np.abs(away) < self.season / 2
        every = np.array([self.every[min(k, len(self.every) - 1)] for k in range(bands)])
        chance = (up & weather & (random.random((count, len(night))) >= 0.5 * full**4))[:, None] / every[:, None]
        rare = np.where(random.random((count, 1, 1)) < 0.3, 0.6, 1.0)  # fields between others are seen less
        star, band, place = np.nonzero(random.random(shape, np.float32) < chance * rare)
        # the star is highest earlier each night, and visits keep to the dark hours
        highest = -away[star, place] / SIDEREAL * (1 - SIDEREAL)
        hour = highest + random.normal(0, self.hours / 24, len(star))
        days = night[place] + np.clip(hour, -0.22 - 0.02 * random.random(len(star)), 0.22 + 0.02 * random.random(len(star)))
        depth = (random.normal(0, 0.25, len(night)) - self.moon * full)[place]
        again = np.flatnonzero(random.random(len(star)) < self.repeats)
        both = np.concatenate([np.arange(len(star)), again])
        days = np.concatenate([days, days[again] + random.uniform(0.02, 0.08, len(again))])
        return _in_order(star[both], days, band[both].astype(np.int16), depth[both])


@dataclass(frozen=True)
class Scanning(Cadence):
    """A satellite that scans: visits in all bands, in groups of two to eight, 106.5 and 253.5 minutes apart by turns.

    Parameters
    ----------
    start : float
        Julian date.
    span : float
        Days.
    groups : tuple of float
        Range of the number of groups.
    lost : float
        Part of the visits that a band lacks.

    Notes
    -----
    Times between the two fields of view of Gaia (Gaia Collaboration, Prusti et al. 2016, 2016A&A...595A...1G).
    """

    start: float = 2456863.9
    span: float = 1034.0
    groups: tuple[float, float] = (10.0, 28.0)
    lost: float = 0.05

    def visits(self, random: np.random.Generator, count: int, bands: int) -> Visits:
        """Draw groups of visits; see `Cadence.visits`."""
        most = int(self.groups[1])
        number = random.integers(int(self.groups[0]), most + 1, count)
        when = np.sort((random.random((count, most)) + np.arange(most)) / most, axis=1) * self.span
        chosen = np.argsort(np.argsort(random.random((count, most)), axis=1), axis=1) < number[:, None]
        inside = random.integers(1, 5, (count, most))
        steps = np.where((np.arange(8) + random.integers(0, 2, (count, most, 1))) % 2, 106.5, 253.5) / 1440
        steps[..., 0] = 0
        times = self.start + when[..., None] + np.cumsum(steps, axis=-1)
        looked = chosen[..., None] & (np.arange(8) < 2 * inside[..., None] - (random.random((count, most, 1)) < 0.3))
        late = np.arange(bands) * 20 / 86400  # the photometers follow the field of view
        times = times.reshape(count, most * 8, 1) + late
        there = looked.reshape(count, most * 8, 1) & (random.random(times.shape) >= self.lost)
        band = np.broadcast_to(np.arange(bands, dtype=np.int16), times.shape)
        shape = (count, most * 8 * bands)
        return _flat(there.reshape(shape), times.reshape(shape), band.reshape(shape), np.zeros(times.shape).reshape(shape))


def _flat(there: np.ndarray, days: np.ndarray, band: np.ndarray, depth: np.ndarray) -> Visits:
    """Make `Visits` of arrays ``(n, p)``."""
    star, point = np.nonzero(there)
    return _in_order(star, days[star, point], band[star, point], depth[star, point])


def _in_order(star: np.ndarray, days: np.ndarray, band: np.ndarray, depth: np.ndarray) -> Visits:
    order = np.lexsort((band, days, star))
    return Visits(star[order], days[order], band[order], depth[order])
