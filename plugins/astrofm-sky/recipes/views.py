"""What training sees of a star: the same truth through a fibre spectrograph, a slitless one, and one made up."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from astrofm_sky import Sources, observe, truth
from astropy import units as u
from corpus import Corpus
from scipy.ndimage import uniform_filter1d

from astrofm.data import Batch
from astrofm.data.linespread import LineSpread
from astrofm.interfaces import SpectrumInstrument
from astrofm.registry import get_instrument

#: absorption by the air, Angstrom (vacuum): B, water, A, water, water
TELLURIC = ((6865, 6960), (7160, 7340), (7590, 7710), (8120, 8360), (8940, 9200))
#: bright night-sky lines, Angstrom (vacuum)
SKY_LINES = (5578.9, 5891.6, 5897.6, 6302.0, 6365.5)
#: error of slitless spectra in units of its median, and the part of the flux by which they are off beside it, at nm:
#: measured on real sources with errors and on flux standards
NOISE_NM = (336, 350, 370, 400, 450, 500, 550, 600, 640, 700, 750, 800, 850, 900, 950, 1000, 1020)
NOISE = (8.1, 7.9, 11.2, 8.5, 4.9, 1.8, 0.97, 0.70, 1.0, 0.90, 0.72, 0.69, 0.70, 0.83, 1.1, 2.2, 4.4)
FLOOR = (0.12, 0.1, 0.075, 0.039, 0.022, 0.02, 0.014, 0.015, 0.016, 0.0083, 0.0083, 0.0083, 0.0093, 0.012, 0.017, 0.045,
         0.06)
#: spread of the Legendre terms (1, 2, ...) by which the log flux of fibre spectra is off, as real ones against the
#: stars that fit their lines
CALIBRATION = (0.4, 0.2, 0.15, 0.13, 0.11, 0.10, 0.08, 0.06, 0.05, 0.04)
#: width of the soft class targets, in subclasses
CLASS_WIDTH = 1.2


class MadeUp(SpectrumInstrument):
    """A spectrograph that does not exist, so that the model does not learn those that do by heart."""

    def __init__(self, name: str, low: float, high: float, step: float, resolution: float):
        self.name = name
        count = int(np.log10(high / low) / step)
        self.grid = low * 10 ** (step * np.arange(count)) * u.AA
        self.line_spread = LineSpread.constant(resolution)

    def matches(self, data: object) -> bool:
        return False


@dataclass(frozen=True)
class View:
    """What an instrument saw, and what it would see without noise."""

    seen: Batch
    truth: Batch


class Views:
    """Draws stars and observes them, by step number.

    Parameters
    ----------
    corpus : Corpus
    stars : int
        A step.
    """

    def __init__(self, corpus: Corpus, *, stars: int):
        self.corpus, self.stars = corpus, stars
        random = np.random.default_rng(11)
        self.fibre, self.slitless = get_instrument("lamost-lrs"), get_instrument("gaia-xp")
        self.made_up = [_made_up(random, k) for k in range(16)]

    def draw(self, step: int) -> tuple[list[View], np.ndarray, np.ndarray]:
        """Give two or three views, the labels ``(n, 5)`` and the class targets ``(n, c)`` of a step."""
        random = np.random.default_rng([3, step])
        n = self.stars
        sources, labels, kinds = self.corpus.draw(random, n)
        rv = np.where(random.random(n) < 0.75, random.normal(0, 60, n), random.uniform(-500, 500, n))
        a_v = np.where(random.random(n) < 0.85, random.exponential(0.4, n), random.uniform(0, 4, n)).clip(0, 4)
        a_v[random.random(n) < 0.1] = 0.0
        views = [self.look(sources, self.fibre, rv, a_v, 10 ** random.uniform(0.6, 2.5, n), random),
                 self.look(sources, self.slitless, rv, a_v, 10 ** random.uniform(1.2, 2.7, n), random)]
        if step % 2:
            made_up = self.made_up[random.integers(len(self.made_up))]
            views.append(self.look(sources, made_up, rv, a_v, 10 ** random.uniform(0.8, 2.5, n), random))
        table = np.column_stack([labels, a_v, rv]).astype(np.float32)
        return views, table, class_targets(kinds)

    def look(self, sources, instrument: SpectrumInstrument, rv: np.ndarray, a_v: np.ndarray, snr: np.ndarray,
             random: np.random.Generator) -> View:
        """Observe the sources with an instrument."""
        shape = None
        if instrument is self.slitless:
            shape = np.interp(instrument.wavelength() / 10, NOISE_NM, NOISE)
        arriving = sources if shape is not None else blurred(sources, random)
        seen = observe(arriving, instrument, rv=rv, a_v=a_v, snr=snr, seed=int(random.integers(2**31)),
                       noise_shape=shape)
        seen = from_the_ground(seen, random) if shape is None else from_few_coefficients(seen, random)
        clean = truth(sources, instrument, rv=rv, a_v=a_v).astype(np.float32)
        return View(seen, replace(seen, value=clean, error=0.003 * np.abs(clean),
                                  mask=~np.isfinite(clean) | (clean <= 0)))


def blurred(sources: Sources, random: np.random.Generator) -> Sources:
    """Add what fibre spectrographs do to lines: wider than nominal, and filled up by scattered and sky light.

    Real spectra of both arms, fitted with library stars, are wider by 0.5-0.8 pixels (sigma) than nominal and
    filled by -5 to +20 %.
    """
    n = len(sources)
    flux = sources.flux
    share = (random.uniform(0, 0.9, (n, 1)) ** 2 / 2).astype(np.float32)
    wide = (1 - 2 * share) * flux
    wide[:, 2:] += share * flux[:, :-2]
    wide[:, :-2] += share * flux[:, 2:]
    wide[:, :2], wide[:, -2:] = flux[:, :2], flux[:, -2:]
    blue, red = random.normal(0.05, 0.08, (n, 1)), random.normal(0.13, 0.10, (n, 1))
    filling = np.where(sources.wavelength[None] < random.uniform(5700, 6000), blue, red).clip(-0.15, 0.4)
    filling = filling.astype(np.float32)
    wide += filling * uniform_filter1d(wide, 801, axis=1, mode="nearest")
    return replace(sources, flux=wide / (1 + filling))


def from_the_ground(batch: Batch, random: np.random.Generator) -> Batch:
    """Add what ground-based spectra keep: telluric bands, sky residuals, bad calibration, a step where two arms meet."""
    n, wave = len(batch), batch.coordinate
    spread = np.array(CALIBRATION) * np.where(random.random((n, 1)) < 0.25, 0.3, 1.0)
    terms = np.polynomial.legendre.legvander(np.linspace(-1, 1, len(wave)), len(CALIBRATION))[:, 1:]
    edge = np.exp(-(wave - wave[0]) / random.uniform(40, 150)), np.exp((wave - wave[-1]) / random.uniform(40, 150))
    terms = np.column_stack([terms, *edge])
    spread = np.column_stack([spread, np.full((n, 2), 0.4)])
    tilt = np.exp((random.normal(0, 1, spread.shape) * spread) @ terms.T).clip(0.2, 5.0).astype(np.float32)
    factor = np.ones((n, len(wave)), np.float32)
    for low, high in TELLURIC:
        inside = (wave > low) & (wave < high)
        if inside.any():
            shape = np.convolve(random.random(inside.sum() + 8), np.ones(9) / 9, "valid")
            depth = random.uniform(0, 0.7, n) * (random.random(n) < 0.6)
            factor[:, inside] *= np.exp(-depth[:, None] * shape * np.sin(np.linspace(0, np.pi, inside.sum())) ** 0.5)
    arm = random.uniform(5700, 6000)
    if wave[0] < arm < wave[-1]:
        factor *= np.exp(random.normal(0, 0.03, n)[:, None] / (1 + np.exp(-(wave - arm) / 30)))
    extra = np.zeros((n, len(wave)), np.float32)
    for line in SKY_LINES:
        near = np.abs(wave - line) < 12
        extra[:, near] = random.normal(0, 6, n)[:, None] * (random.random(n) < 0.4)[:, None]
    red = wave > 7300
    extra[:, red] += random.normal(0, 1.0, (n, int(red.sum()))) * random.uniform(0, 1.5, n)[:, None]
    value = (batch.value * factor + extra * batch.error) * tilt
    return replace(batch, value=np.where(batch.mask, 0, value).astype(np.float32),
                   error=np.where(batch.mask, 0, batch.error * tilt).astype(np.float32))


def from_few_coefficients(batch: Batch, random: np.random.Generator) -> Batch:
    """Add the smooth wiggles by which slitless spectra are off beside their errors."""
    wiggle = random.standard_normal((len(batch), len(batch.coordinate) + 4)).astype(np.float32)
    kernel = np.array([0.12, 0.5, 0.7, 0.5, 0.12], np.float32)
    smooth = sum(k * wiggle[:, i: i + len(batch.coordinate)] for i, k in enumerate(kernel / np.linalg.norm(kernel)))
    floor = np.interp(batch.coordinate / 10, NOISE_NM, FLOOR).astype(np.float32)
    value = batch.value * (1 + floor * smooth * random.uniform(0.3, 1.3, (len(batch), 1)))
    return replace(batch, value=value.astype(np.float32))


def class_targets(kinds: np.ndarray, count: int = 65, first: int = 15) -> np.ndarray:
    """Spread numeric classes over the neighbouring ones; rows of zeros where unknown."""
    distance = (np.arange(count)[None] + first - np.nan_to_num(kinds)[:, None]) / CLASS_WIDTH
    target = np.exp(-0.5 * distance**2)
    target /= target.sum(1, keepdims=True).clip(1e-9)
    return np.where(np.isfinite(kinds)[:, None], target, 0).astype(np.float32)


def _made_up(random: np.random.Generator, k: int) -> MadeUp:
    level = k % 5
    low = random.uniform(3400, 5200)
    high = min(10200, low * random.uniform(1.5, 2.6))
    step = 1e-4 * 2.0 ** (level + random.uniform(-0.4, 0.4))
    pixels = random.uniform(2.0, 3.5)
    return MadeUp(f"made-up-{k}", low, high, step, 1 / (np.log(10) * step * pixels))
