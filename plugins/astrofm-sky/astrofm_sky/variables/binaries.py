"""Binaries: eclipses of limb-darkened discs, stars that gravity stretches, light of one on the other, eccentric tides."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from .colours import REFERENCE, planck
from .shape import Shape, Span, column

#: radii of the discs of even brightness that a limb-darkened one is put together from
RINGS = np.array([0.45, 0.75, 0.92, 1.0])
#: linear limb darkening (Claret & Bloemen 2011, 2011A&A...529A..75C: 0.4-0.7 in V)
DARKENING = 0.55
#: gravity darkening of convective envelopes (Lucy 1967, 1967ZA.....65...89L)
GRAVITY = 0.32


@dataclass(frozen=True)
class Binary(Shape):
    """Two stars around each other, seen at an angle.

    Light is that of two limb-darkened spheres that hide each other (exact areas of overlapping discs), with ellipsoidal
    variation and reflection to first order in the radii (Morris 1985, 1985ApJ...295..143M; Morris & Naftilan 1993,
    1993ApJ...419..344M), each star a blackbody at each wavelength.

    Parameters
    ----------
    period : Span
        Of the orbit.
    amplitude : Span
        What is kept: the range of light in V, mag.
    size : tuple of float
        Range of the sum of the radii over the distance of the stars.
    balance : tuple of float
        Range of the smaller radius over the larger.
    heat : tuple of float
        Range of the other star's temperature over the main one's.
    inclination : tuple of float
        Range of the cosine of the inclination.
    eccentric : bool
        Long periods come with eccentric orbits.
    mass_power : float
        The mass ratio is the ratio of radii to this power: 1.3 on the main sequence, 2.2 in contact (Eggleton 1983,
        1983ApJ...268..368E).
    stretched : tuple of float
        Range of a factor of the ellipsoidal variation, over first order.
    """

    period: Span
    amplitude: Span
    size: tuple[float, float]
    balance: tuple[float, float] = (0.4, 1.0)
    heat: tuple[float, float] = (0.5, 1.0)
    inclination: tuple[float, float] = (0.0, 0.4)
    eccentric: bool = False
    mass_power: float = 1.3
    stretched: tuple[float, float] = (0.8, 1.2)

    def draw(self, random: np.random.Generator, teff: np.ndarray) -> dict[str, np.ndarray]:
        """Draw systems, each star until its amplitude lies in the range; see `Shape.draw`."""
        own = self._candidates(random, teff)
        for _ in range(60):
            out = np.flatnonzero((own["amplitude"] < self.amplitude.low) | (own["amplitude"] > self.amplitude.high))
            if not len(out):
                break
            again = self._candidates(random, teff[out])
            for name, values in own.items():
                values[out] = again[name]
        return own

    def _candidates(self, random: np.random.Generator, teff: np.ndarray) -> dict[str, np.ndarray]:
        n = len(teff)
        period = self.period.draw(random, n)
        total = np.exp(random.uniform(*np.log(self.size), n))
        share = random.uniform(*self.balance, n)
        own = {"period": period, "epoch": random.random(n) * period, "radius": total / (1 + share),
               "radius_2": total * share / (1 + share), "mass_ratio": np.maximum(share**self.mass_power, 5e-4),
               "teff_2": teff * random.uniform(*self.heat, n), "cosine": random.uniform(*self.inclination, n),
               "reflection": random.uniform(0.3, 1.0, n), "shape": random.uniform(*self.stretched, n)}
        # orbits below some days are round (Meibom & Mathieu 2005, 2005ApJ...620..970M)
        chance = np.clip(np.log10(period / 3), 0, 0.7) if self.eccentric else np.zeros(n)
        own["eccentricity"] = np.minimum(0.6 * chance * random.random(n), np.clip(0.8 - total, 0, 1))
        own["omega"] = random.uniform(0, 2 * np.pi, n)
        fine = np.broadcast_to(np.linspace(0, 1, 400, endpoint=False), (n, 400))
        light = self._light({**own, "teff": teff}, fine, np.full((n, 1), REFERENCE))
        own["full"] = light.max(axis=1) if n else np.zeros(0)
        own["amplitude"] = 2.5 * np.log10(own["full"] / light.min(axis=1)) if n else np.zeros(0)
        # phases are counted from the deepest point
        own["late"] = fine[0, np.argmin(light, axis=1)] if n else np.zeros(0)
        return own

    def offset(self, own: Mapping[str, np.ndarray], days: np.ndarray, wavelength: np.ndarray) -> np.ndarray:
        """Give magnitudes over full light in V; see `Shape.offset`."""
        phase = (days - column(own, "epoch")) / column(own, "period") + column(own, "late")
        return -2.5 * np.log10(self._light(own, phase % 1.0, wavelength) / column(own, "full"))

    def _light(self, own: Mapping[str, np.ndarray], phase: np.ndarray, wavelength: np.ndarray) -> np.ndarray:
        """Give light over that of both stars alone, at phases from periastron or, of round orbits, from conjunction."""
        radius, radius_2, ratio = column(own, "radius"), column(own, "radius_2"), column(own, "mass_ratio")
        cosine, shape = column(own, "cosine"), column(own, "shape")
        sine2 = 1 - cosine**2
        angle, distance = orbit(phase, column(own, "eccentricity"), column(own, "omega"))
        toward, across = np.cos(angle), np.sin(angle)  # angle 0: the other star is in front
        apart = distance * np.sqrt(across**2 + (toward * cosine) ** 2)
        first = planck(column(own, "teff"), wavelength) * radius**2
        second = planck(column(own, "teff_2"), wavelength) * radius_2**2
        # relative ellipsoidal amplitude: brightest when seen from the side
        stretch = 0.15 * (15 + DARKENING) * (1 + GRAVITY) / (3 - DARKENING) * shape * sine2 / distance**3
        sides = across**2 - toward**2
        one, other = (1 + stretch * q * r**3 * sides for q, r in ((ratio, radius), (1 / ratio, radius_2)))
        # each star shines on the near side of the other (Lambert's law is a cosine to first order)
        back = column(own, "reflection") * np.sqrt(sine2) * toward / distance**2
        front = toward > 0
        hidden = np.where(front, darkened_overlap(apart, radius, radius_2), 0.0)
        hidden_2 = np.where(front, 0.0, darkened_overlap(apart, radius_2, radius))
        light = first * one * (1 - hidden) + second * other * (1 - hidden_2)
        light = light + 0.4 * back * (second * radius**2 - first * radius_2**2)
        return light / (first + second)


@dataclass(frozen=True)
class Heartbeat(Shape):
    """Tides at periastron of eccentric binaries.

    Kumar, Ao & Quataert 1995, 1995ApJ...449..294K; Thompson et al. 2012, 2012ApJ...753...86T.

    Parameters
    ----------
    period, amplitude : Span
    """

    period: Span
    amplitude: Span

    def draw(self, random: np.random.Generator, teff: np.ndarray) -> dict[str, np.ndarray]:
        """Draw orbits; see `Shape.draw`."""
        n = len(teff)
        period = self.period.draw(random, n)
        own = {"period": period, "amplitude": self.amplitude.draw(random, n), "epoch": random.random(n) * period,
               "eccentricity": np.minimum(random.uniform(0.25, 0.75, n), 1 - (1.5 / period) ** (2 / 3)).clip(0.2),
               "omega": random.uniform(0, 2 * np.pi, n), "sine2": 1 - random.random(n) ** 2}
        fine = self._tide(own, np.broadcast_to(np.linspace(0, 1, 1000), (n, 1000)))
        own["scale"] = own["amplitude"] / np.ptp(fine, axis=1) if n else np.zeros(0)
        own["mean"] = np.median(fine, axis=1) if n else np.zeros(0)
        return own

    def offset(self, own: Mapping[str, np.ndarray], days: np.ndarray, wavelength: np.ndarray) -> np.ndarray:
        """Give the tide; epochs are of periastron; see `Shape.offset`."""
        phase = (days - column(own, "epoch")) / column(own, "period")
        return -column(own, "scale") * (self._tide(own, phase) - column(own, "mean"))

    def _tide(self, own: Mapping[str, np.ndarray], phase: np.ndarray) -> np.ndarray:
        eccentricity = column(own, "eccentricity")
        anomaly, distance = true_anomaly(phase, eccentricity)
        return (1 - 3 * column(own, "sine2") * np.cos(anomaly - column(own, "omega")) ** 2) / distance**3


def true_anomaly(phase: np.ndarray, eccentricity: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Solve Kepler's equation by Newton's method.

    Parameters
    ----------
    phase : ndarray
        Periods since periastron.
    eccentricity : ndarray, broadcast against it

    Returns
    -------
    anomaly, distance : ndarray
        True anomaly (radians), and distance over the semi-major axis.
    """
    mean = 2 * np.pi * ((phase + 0.5) % 1.0 - 0.5)
    e = np.broadcast_to(eccentricity, mean.shape)
    turned = mean + 0.85 * e * np.sign(mean)
    if np.any(e > 0):
        for _ in range(8):
            turned = turned - (turned - e * np.sin(turned) - mean) / (1 - e * np.cos(turned))
    anomaly = 2 * np.arctan2(np.sqrt(1 + e) * np.sin(turned / 2), np.sqrt(1 - e) * np.cos(turned / 2))
    return anomaly, 1 - e * np.cos(turned)


def orbit(phase: np.ndarray, eccentricity: np.ndarray, omega: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Give the angle from conjunction (the other star in front) and the distance over the semi-major axis."""
    if not np.any(eccentricity > 0):
        return 2 * np.pi * phase, np.ones(phase.shape)
    anomaly, distance = true_anomaly(phase, eccentricity)
    return np.where(eccentricity > 0, anomaly + omega - np.pi / 2, 2 * np.pi * phase), distance


def overlap(apart: np.ndarray, disc: np.ndarray, cover: np.ndarray) -> np.ndarray:
    """Give the part of a disc that another one covers; broadcasts."""
    apart = np.maximum(apart, 1e-12)
    with np.errstate(invalid="ignore", divide="ignore"):
        one = np.arccos(np.clip((apart**2 + disc**2 - cover**2) / (2 * apart * disc), -1, 1))
        two = np.arccos(np.clip((apart**2 + cover**2 - disc**2) / (2 * apart * cover), -1, 1))
    kite = (-apart + disc + cover) * (apart + disc - cover) * (apart - disc + cover) * (apart + disc + cover)
    area = disc**2 * one + cover**2 * two - 0.5 * np.sqrt(np.clip(kite, 0, None))
    return np.where(apart >= disc + cover, 0.0, area / (np.pi * disc**2))


def darkened_overlap(apart: np.ndarray, disc: np.ndarray, cover: np.ndarray) -> np.ndarray:
    """Give the part of a limb-darkened disc's light that another disc covers; broadcasts."""
    hidden = np.zeros(np.broadcast_shapes(np.shape(apart), np.shape(disc), np.shape(cover)))
    near = apart < disc + cover
    if not near.any():
        return hidden
    apart, disc, cover = (np.broadcast_to(x, near.shape)[near] for x in (apart, disc, cover))
    hidden[near] = sum(weight * overlap(apart, ring * disc, cover) for ring, weight in zip(RINGS, _weights(), strict=True))
    return hidden


def _weights() -> np.ndarray:
    """Give the light of each of `RINGS`' discs, adding up to 1: their sum has the linear law's brightness in each ring."""
    inner = np.concatenate([[0.0], RINGS[:-1]])
    # mean of sqrt(1 - r^2) over each ring, by area
    mean = (2 / 3) * ((1 - inner**2) ** 1.5 - (1 - RINGS**2) ** 1.5) / (RINGS**2 - inner**2)
    brightness = 1 - DARKENING * (1 - mean)
    step = brightness - np.append(brightness[1:], 0.0)
    light = step * RINGS**2
    return light / light.sum()
