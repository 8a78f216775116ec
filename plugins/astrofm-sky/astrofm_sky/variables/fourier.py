"""Pulsators with one shape: Fourier series whose amplitude ratios and phases follow the period."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from .colours import BandLaw
from .shape import Shape, Span, column

#: terms of the series
TERMS = 10
#: points of a period on which extremes are looked for
FINE = 256


@dataclass(frozen=True)
class FourierRow:
    """What stars of a period look like, in V.

    Parameters
    ----------
    period : float
        Days.
    amplitude : float
        From least to greatest light, mag.
    r21, r31 : float
        Amplitude of the second and third term over the first.
    phi21, phi31 : float
        Phases phi_k - k phi_1 of a cosine series of brightness (minus magnitude), radians; of magnitudes phi21 is pi more.
    """

    period: float
    amplitude: float
    r21: float
    r31: float
    phi21: float
    phi31: float


@dataclass(frozen=True)
class FourierShape(Shape):
    """Stars whose shape is a function of the period, with some scatter.

    Parameters
    ----------
    period : Span
    rows : tuple of FourierRow
        In order of period; between them by straight lines in log period.
    law : BandLaw
    spread : float
        Scatter of amplitudes, as a part.
    ratio_spread : float
        Scatter of amplitude ratios, as a part.
    phase_spread : float
        Scatter of phases, radians.
    modulated : float
        Part of the stars with a modulation of amplitude and phase (Blazhko 1907, 1907AN....175..325B).
    fade : float, optional
        Each term from the fourth on over the one before it; by default as r31 over r21.
    """

    period: Span
    rows: tuple[FourierRow, ...]
    law: BandLaw
    spread: float = 0.2
    ratio_spread: float = 0.1
    phase_spread: float = 0.12
    modulated: float = 0.0
    fade: float | None = None

    def draw(self, random: np.random.Generator, teff: np.ndarray) -> dict[str, np.ndarray]:
        """Draw periods, amplitudes and series; see `Shape.draw`."""
        n = len(teff)
        period = self.period.draw(random, n)
        usual, second, third = between(self.rows, period)
        amplitude = usual * np.exp(self.spread * random.standard_normal(n).clip(-2, 2))
        change = np.exp(self.ratio_spread * random.standard_normal((2, n))
                        + 1j * self.phase_spread * random.standard_normal((2, n)))
        terms = series(second * change[0], third * change[1], fade=self.fade)
        late = greatest_light(terms)
        epoch = random.random(n) * period
        modulation = np.where(random.random(n) < self.modulated, random.uniform(0.1, 0.35, n), 0.0)
        return {"period": period, "amplitude": amplitude, "epoch": epoch, "terms": terms * amplitude[:, None], "late": late,
                "modulation": modulation, "modulation_period": 10 ** random.uniform(np.log10(10), np.log10(200), n),
                "modulation_phase": random.random((n, 2))}

    def offset(self, own: Mapping[str, np.ndarray], days: np.ndarray, wavelength: np.ndarray) -> np.ndarray:
        """Give the series at each time; see `Shape.offset`."""
        phase = (days - column(own, "epoch")) / column(own, "period") + column(own, "late") - self.law.lag_at(wavelength)
        if not self.modulated:
            return -self.law.ratio_at(wavelength) * evaluate(own["terms"], phase)
        depth, turn = column(own, "modulation"), days / column(own, "modulation_period")
        swell = 1 + depth * np.cos(2 * np.pi * (turn + own["modulation_phase"][:, :1]))
        phase = phase + 0.1 * depth * np.cos(2 * np.pi * (turn + own["modulation_phase"][:, 1:]))
        return -self.law.ratio_at(wavelength) * swell * evaluate(own["terms"], phase)


@dataclass(frozen=True)
class DoubleMode(Shape):
    """Stars that pulsate in two radial modes at once, with their combinations.

    Parameters
    ----------
    main : FourierShape
        Of the stronger mode; its period is the star's.
    ratio : tuple of two tuples
        Periods of the stronger mode, and the other mode's period over it.
    strength : tuple of float
        Range of the other mode's amplitude over the main one's.
    """

    main: FourierShape
    ratio: tuple[tuple[float, ...], tuple[float, ...]]
    strength: tuple[float, float] = (0.3, 0.8)

    def draw(self, random: np.random.Generator, teff: np.ndarray) -> dict[str, np.ndarray]:
        """Draw both modes; see `Shape.draw`."""
        own = self.main.draw(random, teff)
        n = len(teff)
        other = own["period"] * (np.interp(own["period"], *self.ratio) + 0.0008 * random.standard_normal(n))
        share = random.uniform(*self.strength, n)
        scale = 1 / (1 + share)  # both together reach the amplitude
        return {**own, "terms": own["terms"] * scale[:, None], "period_2": other,
                "amplitude_2": own["amplitude"] * scale * share, "phase_2": random.random(n),
                "mixed": 0.2 * random.random(n), "phase_mixed": random.random((n, 2)), "amplitude": own["amplitude"]}

    def offset(self, own: Mapping[str, np.ndarray], days: np.ndarray, wavelength: np.ndarray) -> np.ndarray:
        """Give both modes, their sum and their difference; see `Shape.offset`."""
        first = self.main.offset(own, days, wavelength)
        turn, turn_2 = days / column(own, "period"), days / column(own, "period_2") + column(own, "phase_2")
        half = 0.5 * column(own, "amplitude_2")
        second = np.cos(2 * np.pi * turn_2) + column(own, "mixed") * (
            np.cos(2 * np.pi * (turn + turn_2 + own["phase_mixed"][:, :1]))
            + np.cos(2 * np.pi * (turn - turn_2 + own["phase_mixed"][:, 1:])))
        return first - self.main.law.ratio_at(wavelength) * half * second


def between(rows: tuple[FourierRow, ...], period: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Give amplitude and the complex ratios of the second and third term at periods, by straight lines in log period.

    Complex, as a ratio that goes through zero turns its phase: that is the Hertzsprung progression.
    """
    at = np.log([row.period for row in rows])

    def along(values: list[complex]) -> np.ndarray:
        return np.interp(np.log(period), at, np.array(values))

    return (along([row.amplitude for row in rows]), along([row.r21 * np.exp(1j * row.phi21) for row in rows]),
            along([row.r31 * np.exp(1j * row.phi31) for row in rows]))


def series(second: np.ndarray, third: np.ndarray, *, fade: float | None = None) -> np.ndarray:
    """Make Fourier series of range 1 from the complex ratios of the second and third term to the first.

    Parameters
    ----------
    second, third : ndarray of complex128, shape ``(n,)``
    fade : float, optional
        Each term from the fourth on over the one before it; by default the third over the second. Their phases go on in the
        same step.

    Returns
    -------
    ndarray of complex128, shape ``(n, TERMS)``
        Brightness is the real part of the sum of ``terms[k] exp(2 pi i (k + 1) phase)``.
    """
    step = third / second
    size = np.clip(np.abs(step), 0, 0.75) if fade is None else fade
    step = step / np.abs(step) * size
    terms = np.stack([np.ones(len(second)), second, *(third * step**k for k in range(TERMS - 2))], axis=1)
    fine = evaluate(terms, np.broadcast_to(np.arange(FINE) / FINE, (len(terms), FINE)))
    return terms / np.ptp(fine, axis=1)[:, None] if len(terms) else terms


def greatest_light(terms: np.ndarray) -> np.ndarray:
    """Give the phase of greatest light of each series, shape ``(n,)``."""
    fine = evaluate(terms, np.broadcast_to(np.arange(FINE) / FINE, (len(terms), FINE)))
    return np.argmax(fine, axis=1) / FINE if len(terms) else np.zeros(0)


def evaluate(terms: np.ndarray, phase: np.ndarray) -> np.ndarray:
    """Give series ``(n, k)`` at phases ``(n, p)``, by Horner's rule."""
    turn = np.exp(2j * np.pi * (phase % 1.0))
    total = np.zeros(phase.shape, complex)
    for k in range(terms.shape[1] - 1, -1, -1):
        total = (total + terms[:, k:k + 1]) * turn
    return total.real
