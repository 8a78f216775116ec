"""Stars without a clock: spots that come and go, flares, outbursts, fades, and damped random walks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from .chance import events, random_walk
from .colours import REFERENCE, BandLaw, planck
from .shape import Shape, Span, column

#: temperature of a flare's light, K (Hawley & Fisher 1992, 1992ApJS...78..565H; Kowalski et al. 2013, 2013ApJS..207...15K)
FLARE = 9000.0
#: so that spots of unit size have a range, from the 5th to the 95th percentile, of 1
USUAL = 0.69


@dataclass(frozen=True)
class Together(Shape):
    """Several ways of varying at once; the first one's period, amplitude and epoch are the star's.

    Parameters
    ----------
    parts : tuple of Shape
    """

    parts: tuple[Shape, ...]

    def draw(self, random: np.random.Generator, teff: np.ndarray) -> dict[str, np.ndarray]:
        """Draw each part; see `Shape.draw`."""
        own = [part.draw(random, teff) for part in self.parts]
        return {**own[0], **{f"{k}:{name}": values for k, part in enumerate(own[1:], 1) for name, values in part.items()}}

    def offset(self, own: Mapping[str, np.ndarray], days: np.ndarray, wavelength: np.ndarray) -> np.ndarray:
        """Add the parts up; see `Shape.offset`."""
        total = self.parts[0].offset(own, days, wavelength)
        for k, part in enumerate(self.parts[1:], 1):
            mine = {name.removeprefix(f"{k}:"): values for name, values in own.items() if name.startswith(f"{k}:")}
            mine |= {"teff": own["teff"], "seed": own["seed"] + np.uint64(1000 * k)}
            total = total + part.offset(mine, days, wavelength)
        return total


@dataclass(frozen=True)
class Spots(Shape):
    """Dark spots of a rotating star; each grows and fades at its own latitude, which turns at its own speed.

    Parameters
    ----------
    period : Span
        Of rotation at a latitude of 30 degrees.
    amplitude : Span
        Usual range of light in V, from the 5th to the 95th percentile, mag.
    lifetime : tuple of float
        Range of a spot's life (deviation of a bell), in rotations.
    shear : float
        Largest differential rotation, as a part of the angular velocity (Reinhold et al. 2013, 2013A&A...560A...4R).
    temperature : float
        Of spots, over the photosphere's (Strassmeier 2009, 2009A&ARv..17..251S).
    """

    period: Span
    amplitude: Span
    lifetime: tuple[float, float] = (3.0, 30.0)
    shear: float = 0.1
    temperature: float = 0.82

    def draw(self, random: np.random.Generator, teff: np.ndarray) -> dict[str, np.ndarray]:
        """Draw rotations; see `Shape.draw`."""
        n = len(teff)
        period, amplitude = self.period.draw(random, n), self.amplitude.draw(random, n)
        return {"period": period, "amplitude": amplitude, "epoch": np.full(n, np.nan),
                "life": random.uniform(*self.lifetime, n), "shear": random.uniform(0, self.shear, n),
                "tilt": np.sqrt(1 - random.uniform(0, 0.8, n) ** 2)}

    def offset(self, own: Mapping[str, np.ndarray], days: np.ndarray, wavelength: np.ndarray) -> np.ndarray:
        """Add up the light that spots lack; see `Shape.offset`."""
        life = own["life"] * own["period"]
        tilt = column(own, "tilt")
        lost = np.zeros(days.shape)
        for since, draw in events(days, 1.5 * life, own["seed"], before=3, after=2):
            sine = 0.75 * draw(1)  # of the latitude, up to 49 degrees
            turn = days * (1 - column(own, "shear") * (sine**2 - 0.25)) / column(own, "period") + draw(2)
            seen = np.sqrt(1 - tilt**2) * sine + tilt * np.sqrt(1 - sine**2) * np.cos(2 * np.pi * turn)
            lost += (0.5 + draw(3)) * np.clip(seen, 0, None) * np.exp(-0.5 * (since / life[:, None]) ** 2)
        contrast, in_v = (1 - planck(self.temperature * column(own, "teff"), at) / planck(column(own, "teff"), at)
                          for at in (wavelength, REFERENCE))
        share = np.minimum(column(own, "amplitude") / 1.0857 / in_v * USUAL * lost, 0.9)
        return -2.5 * np.log10(1 - share * contrast)


@dataclass(frozen=True)
class Flares(Shape):
    """Flares of a magnetic star.

    Heights follow a power law; each rises and decays as Kepler's flares do (Davenport et al. 2014, 2014ApJ...797..122D).

    Parameters
    ----------
    amplitude : Span
        Height in V, mag, that a flare exceeds once in ten days.
    rate : Span
        Flares a day.
    """

    amplitude: Span
    rate: Span

    def draw(self, random: np.random.Generator, teff: np.ndarray) -> dict[str, np.ndarray]:
        """Draw rates and heights; see `Shape.draw`."""
        n = len(teff)
        amplitude, rate = self.amplitude.draw(random, n), self.rate.draw(random, n)
        return {"period": np.full(n, np.nan), "epoch": np.full(n, np.nan), "amplitude": amplitude, "spacing": 1 / rate,
                "least": (10 ** (0.4 * amplitude) - 1) / (10 * rate)}

    def offset(self, own: Mapping[str, np.ndarray], days: np.ndarray, wavelength: np.ndarray) -> np.ndarray:
        """Add up the flares; see `Shape.offset`."""
        light = np.zeros(days.shape)
        for since, draw in events(days, own["spacing"], own["seed"], before=2, after=1, stream=1):
            height = np.minimum(column(own, "least") / draw(1), 50.0)  # N(> height) falls as 1 / height
            width = 0.006 * np.clip(height / 0.1, 0.05, 20) ** 0.3 * 10 ** (0.4 * (draw(2) - 0.5))
            light += height * flare(since / width)
        teff = column(own, "teff")
        bluer = planck(FLARE, wavelength) / planck(FLARE, REFERENCE) * planck(teff, REFERENCE) / planck(teff, wavelength)
        return -2.5 * np.log10(1 + light * bluer)


@dataclass(frozen=True)
class RandomWalk(Shape):
    """A damped random walk in magnitude.

    Parameters
    ----------
    amplitude : Span
        From the 5th to the 95th percentile: 3.29 standard deviations.
    decay : Span
        Days.
    law : BandLaw
    """

    amplitude: Span
    decay: Span
    law: BandLaw = BandLaw()

    def draw(self, random: np.random.Generator, teff: np.ndarray) -> dict[str, np.ndarray]:
        """Draw amplitudes and decay times; see `Shape.draw`."""
        n = len(teff)
        return {"period": np.full(n, np.nan), "epoch": np.full(n, np.nan), "amplitude": self.amplitude.draw(random, n),
                "decay": self.decay.draw(random, n)}

    def offset(self, own: Mapping[str, np.ndarray], days: np.ndarray, wavelength: np.ndarray) -> np.ndarray:
        """Give the walk; see `Shape.offset`."""
        walk = random_walk(days, own["decay"], own["seed"])
        return self.law.ratio_at(wavelength) * column(own, "amplitude") / 3.29 * walk


@dataclass(frozen=True)
class Episodes(Shape):
    """Outbursts or fades that come now and then: a rise, a stay, a return.

    Parameters
    ----------
    amplitude : Span
        Height of the largest, mag; the others reach ``least`` of it and more.
    spacing : Span
        Days from one to the next, on average.
    rise, stay : Span
        Days.
    back : Span
        Days a magnitude of a straight return, or in which an exponential one falls by e.
    law : BandLaw
    fading : bool
        They are fainter, not brighter.
    exponential : bool
        They return exponentially.
    least : float
    """

    amplitude: Span
    spacing: Span
    rise: Span
    stay: Span
    back: Span
    law: BandLaw
    fading: bool = False
    exponential: bool = False
    least: float = 0.5

    def draw(self, random: np.random.Generator, teff: np.ndarray) -> dict[str, np.ndarray]:
        """Draw times and heights; see `Shape.draw`."""
        n = len(teff)
        return {"period": np.full(n, np.nan), "epoch": np.full(n, np.nan),
                **{name: getattr(self, name).draw(random, n) for name in ("amplitude", "spacing", "rise", "stay", "back")}}

    def offset(self, own: Mapping[str, np.ndarray], days: np.ndarray, wavelength: np.ndarray) -> np.ndarray:
        """Give the largest of the episodes at each time; see `Shape.offset`."""
        away = np.zeros(days.shape)
        for since, draw in events(days, own["spacing"], own["seed"], before=2, after=1, stream=2):
            height = column(own, "amplitude") * (self.least + (1 - self.least) * draw(1))
            stay = column(own, "stay") * (0.5 + draw(2))
            going = np.clip(1 + since / column(own, "rise"), 0, 1)
            late = np.clip(since - stay, 0, None)
            if self.exponential:
                level = height * going * np.exp(-late / column(own, "back"))
            else:
                level = np.clip(height * going - late / column(own, "back"), 0, None)
            away = np.maximum(away, level)
        return (1 if self.fading else -1) * self.law.ratio_at(wavelength) * away


def flare(time: np.ndarray) -> np.ndarray:
    """Give the light of a flare over its peak's, at times over its full width at half maximum (Davenport et al. 2014)."""
    rising, falling = np.clip(time, -1, 0), np.clip(time, 0, 60)
    rise = 1 + rising * (1.941 + rising * (-0.175 + rising * (-2.246 - 1.125 * rising)))
    fall = 0.689 * np.exp(-1.6 * falling) + 0.303 * np.exp(-0.2783 * falling)
    return np.where(time < -1, 0.0, np.where(time < 0, np.clip(rise, 0, None), fall))
