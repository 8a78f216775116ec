"""Pulsators of many modes, and red giants whose pulsation is driven by chance."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from .chance import slow_walk
from .colours import LONG_PERIOD, BandLaw
from .fourier import FourierRow, between, evaluate, greatest_light, series
from .shape import Shape, Span, column

#: keys of a star's processes
AMPLITUDE_WALK, PHASE_WALK, MEAN_WALK = 11, 12, 13


@dataclass(frozen=True)
class ManyModes(Shape):
    """Sines that keep their phases: delta Scuti, gamma Doradus, slowly pulsating B, beta Cephei stars and white dwarfs.

    Parameters
    ----------
    period : Span
        Of the strongest mode, days.
    amplitude : Span
        Of the strongest mode, from least to greatest light, mag.
    modes : tuple of int
        Fewest and most modes.
    reach : float
        The other modes' frequencies lie within this factor of the strongest one's.
    law : BandLaw
    """

    period: Span
    amplitude: Span
    modes: tuple[int, int]
    reach: float
    law: BandLaw

    def draw(self, random: np.random.Generator, teff: np.ndarray) -> dict[str, np.ndarray]:
        """Draw frequencies, amplitudes and phases; see `Shape.draw`."""
        n, most = len(teff), self.modes[1]
        period, amplitude = self.period.draw(random, n), self.amplitude.draw(random, n)
        number = random.integers(self.modes[0], most + 1, n)
        factor = self.reach ** random.uniform(-1, 1, (n, most))
        strength = 10 ** random.uniform(-1.0, -0.12, (n, most))  # weaker by 0.1 to 0.76
        factor[:, 0], strength[:, 0] = 1, 1
        strength[np.arange(most) >= number[:, None]] = 0
        phase = random.random((n, most))
        return {"period": period, "amplitude": amplitude, "epoch": -phase[:, 0] * period, "phase": phase,
                "frequency": factor / period[:, None], "strength": 0.5 * amplitude[:, None] * strength}

    def offset(self, own: Mapping[str, np.ndarray], days: np.ndarray, wavelength: np.ndarray) -> np.ndarray:
        """Add the modes up; see `Shape.offset`."""
        total = np.zeros(days.shape)
        for k in range(self.modes[1]):
            rows = np.flatnonzero(own["strength"][:, k])
            turn = days[rows] * own["frequency"][rows, k:k + 1] + own["phase"][rows, k:k + 1]
            total[rows] += own["strength"][rows, k:k + 1] * np.cos(2 * np.pi * (turn % 1.0))
        return -self.law.ratio_at(wavelength) * total


@dataclass(frozen=True)
class Mira(Shape):
    """Large and nearly regular: a series whose height, mean and phase wander from cycle to cycle.

    Parameters
    ----------
    period, amplitude : Span
    rows : tuple of FourierRow
        Ratios and phases by period; their amplitudes are not used.
    wander : tuple of float
        Deviation of the amplitude (as a part), of the phase (in periods) and of the mean (over the amplitude).
    law : BandLaw
    """

    period: Span
    amplitude: Span
    rows: tuple[FourierRow, ...]
    wander: tuple[float, float, float] = (0.10, 0.025, 0.05)
    law: BandLaw = LONG_PERIOD

    def draw(self, random: np.random.Generator, teff: np.ndarray) -> dict[str, np.ndarray]:
        """Draw the series; see `Shape.draw`."""
        n = len(teff)
        period, amplitude = self.period.draw(random, n), self.amplitude.draw(random, n)
        _, second, third = between(self.rows, period)
        change = np.exp(0.35 * random.standard_normal((2, n)) + 1j * random.normal(0, 0.5, (2, n)))
        terms = series(second * change[0], third * change[1], fade=0.0)
        return {"period": period, "amplitude": amplitude, "epoch": random.random(n) * period,
                "terms": terms[:, :3] * amplitude[:, None], "late": greatest_light(terms)}

    def offset(self, own: Mapping[str, np.ndarray], days: np.ndarray, wavelength: np.ndarray) -> np.ndarray:
        """Give the wandering series; see `Shape.offset`."""
        height, phase, mean = self.wander
        decay = 4 * own["period"]
        turn = (days - column(own, "epoch")) / column(own, "period") + column(own, "late") - self.law.lag_at(wavelength)
        turn = turn + phase * slow_walk(days, decay, own["seed"] + np.uint64(PHASE_WALK))
        swell = 1 + height * slow_walk(days, decay, own["seed"] + np.uint64(AMPLITUDE_WALK))
        drift = mean * column(own, "amplitude") * slow_walk(days, decay, own["seed"] + np.uint64(MEAN_WALK))
        return -self.law.ratio_at(wavelength) * (swell * evaluate(own["terms"], turn) + drift)


@dataclass(frozen=True)
class DrivenModes(Shape):
    """Modes that convection excites and damps, so that amplitudes and phases wander: semiregular red giants and fainter ones.

    Parameters
    ----------
    period : Span
        Of the strongest mode.
    amplitude : Span
        Its usual height, from least to greatest light.
    ratios : tuple of float
        Other modes' periods over the strongest one's.
    strengths : tuple of float
        Usual amplitudes of the other modes over the strongest one's.
    lifetime : tuple of float
        Range of the time, in periods, in which a mode forgets its phase.
    long : float
        Part of the stars with a long secondary period, eight to ten times the period (Wood et al. 1999,
        1999IAUS..191..151W).
    law : BandLaw

    Notes
    -----
    Christensen-Dalsgaard, Kjeldsen & Mattei 2001, 2001ApJ...562L.141C.
    """

    period: Span
    amplitude: Span
    ratios: tuple[float, ...] = (0.52, 1.9)
    strengths: tuple[float, ...] = (0.5, 0.4)
    lifetime: tuple[float, float] = (5.0, 40.0)
    long: float = 0.25
    law: BandLaw = LONG_PERIOD

    def draw(self, random: np.random.Generator, teff: np.ndarray) -> dict[str, np.ndarray]:
        """Draw modes; see `Shape.draw`."""
        n, others = len(teff), len(self.ratios)
        period, amplitude = self.period.draw(random, n), self.amplitude.draw(random, n)
        periods = period[:, None] * np.concatenate(
            [np.ones((n, 1)), self.ratios * np.exp(0.03 * random.standard_normal((n, others)))], axis=1)
        strength = np.concatenate([np.ones((n, 1)), self.strengths * random.uniform(0.3, 1.5, (n, others))], axis=1)
        return {"period": period, "amplitude": amplitude, "epoch": np.full(n, np.nan), "periods": periods,
                # a mode of two unit walks has a mean amplitude of 1.2533
                "strength": 0.5 * amplitude[:, None] * strength / 1.2533,
                "decay": random.uniform(*self.lifetime, n)[:, None] * periods,
                "long_period": period * random.uniform(8, 10, n), "long_phase": random.random(n),
                "long_strength": np.where(random.random(n) < self.long, 0.5 * amplitude * random.uniform(0.5, 1.5, n), 0.0)}

    def offset(self, own: Mapping[str, np.ndarray], days: np.ndarray, wavelength: np.ndarray) -> np.ndarray:
        """Add the modes up; see `Shape.offset`."""
        total = column(own, "long_strength") * np.cos(
            2 * np.pi * (days / column(own, "long_period") + column(own, "long_phase")))
        for k in range(own["periods"].shape[1]):
            angle = 2 * np.pi * ((days / own["periods"][:, k:k + 1] - self.law.lag_at(wavelength)) % 1.0)
            seed = own["seed"] + np.uint64(20 + 2 * k)
            walks = [slow_walk(days, own["decay"][:, k], seed + np.uint64(j)) for j in (0, 1)]
            total = total + own["strength"][:, k:k + 1] * (walks[0] * np.cos(angle) + walks[1] * np.sin(angle))
        return -self.law.ratio_at(wavelength) * total


@dataclass(frozen=True)
class Alternating(Shape):
    """RV Tauri stars: deep and shallow minima take turns; the period is that between two deep ones.

    Parameters
    ----------
    period, amplitude : Span
    slow : float
        Part of the stars whose mean varies in 600 to 1500 days (type RVb).
    law : BandLaw
    """

    period: Span
    amplitude: Span
    slow: float = 0.3
    law: BandLaw = BandLaw({4400.0: 1.4, 5500.0: 1.0, 8000.0: 0.65, 12500.0: 0.4})

    def draw(self, random: np.random.Generator, teff: np.ndarray) -> dict[str, np.ndarray]:
        """Draw the series; see `Shape.draw`."""
        n = len(teff)
        period, amplitude = self.period.draw(random, n), self.amplitude.draw(random, n)
        # brightness: half the period is the strongest; its second term sharpens the minima, the odd one alternates them
        odd, even, sharp = random.uniform(0.15, 0.45, n), np.ones(n), random.uniform(0.15, 0.35, n)
        terms = np.stack([-odd * np.exp(1j * random.normal(0, 0.3, n)), -even + 0j,
                          0.4 * odd * np.exp(1j * random.normal(0, 0.4, n)), -sharp * np.exp(1j * random.normal(0, 0.3, n))],
                         axis=1)
        fine = evaluate(terms, np.broadcast_to(np.arange(256) / 256, (n, 256)))
        return {"period": period, "amplitude": amplitude, "epoch": random.random(n) * period,
                "late": np.argmax(fine, axis=1) / 256 if n else np.zeros(0),
                "terms": terms * (amplitude / np.ptp(fine, axis=1))[:, None] if n else terms,
                "slow": np.where(random.random(n) < self.slow, 0.5 * random.uniform(0.5, 1.5, n), 0.0),
                "slow_period": random.uniform(600, 1500, n), "slow_phase": random.random(n)}

    def offset(self, own: Mapping[str, np.ndarray], days: np.ndarray, wavelength: np.ndarray) -> np.ndarray:
        """Give the wandering series; see `Shape.offset`."""
        decay = 3 * own["period"]
        turn = ((days - column(own, "epoch")) / column(own, "period") + column(own, "late")
                + 0.02 * slow_walk(days, decay, own["seed"] + np.uint64(PHASE_WALK)))
        swell = 1 + 0.2 * slow_walk(days, decay, own["seed"] + np.uint64(AMPLITUDE_WALK))
        slow = column(own, "slow") * np.cos(2 * np.pi * (days / column(own, "slow_period") + column(own, "slow_phase")))
        return -self.law.ratio_at(wavelength) * (swell * evaluate(own["terms"], turn) + slow)


#: asymmetry of Miras by period (Vardya 1988, 1988A&AS...73..181V): longer ones rise faster
MIRA_ROWS = (FourierRow(100, 1, 0.12, 0.04, 0.6, 1.0), FourierRow(250, 1, 0.16, 0.05, 0.6, 1.2),
             FourierRow(500, 1, 0.28, 0.08, 0.9, 1.8))
