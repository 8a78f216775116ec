"""The stars of ``benchmarks/trunk.py``: those to learn from, those measured on, and real ones."""

from __future__ import annotations

import csv
import sys
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
from astrofm_apogee.grid import expand
from astrofm_sky import Sources, libraries
from astrofm_sky.emulator import Emulator, as_observed
from scipy.spatial import cKDTree

from astrofm.data import Batch
from astrofm.registry import get_instrument

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "plugins" / "astrofm-sky" / "recipes"))
from corpus import GROUPS, Corpus, load_corpus  # noqa: E402
from views import Views  # noqa: E402

LRS, XP, SDSS, APOGEE, DESI = "lamost-lrs", "gaia-xp", "sdss-optical", "apogee", "desi"
INSTRUMENTS = (LRS, XP, SDSS, APOGEE, DESI)
LABELS = ("teff", "logg", "fe_h")
#: part of a step's stars that are made near library stars that the emulator knows
DWARFS = 0.25
#: how often a held-out library star is seen
SEEN = 15
#: range of S/N (log10) in training by instrument, and in tests
SNR = {LRS: (0.6, 2.5), XP: (1.2, 2.7)}
USUAL, TESTED = (0.8, 2.5), (1.3, 2.0)
#: pixels of the sources by which spectra are compared, and how much of the flux two may differ there to be taken for one
PLACES, ALIKE = np.linspace(2_900, 10_300, 40).astype(int), 3e-3


class Stars:
    """Stars to learn from and to measure on, and what instruments see of them.

    Parameters
    ----------
    data : Path
    run : Path
        For ``corpus.npz`` and ``others.npz``, made once.
    """

    def __init__(self, data: Path, run: Path):
        self.corpus = corpus = load_corpus(data, cache=run / "corpus.npz")
        self.eyes = Views(corpus, stars=1)
        self.emulator = Emulator.open(data)
        miles = (corpus.group == list(GROUPS).index("miles")) & ~corpus.held_out
        near = miles & self._known(corpus.labels)
        self.near = replace(corpus, chance=near / near.sum())
        self.others = partial(_others, data, run / "others.npz", corpus)

    def views(self, seed: tuple[int, ...], count: int, instruments: tuple[str, ...], *, snr: tuple[float, float] | None = None
              ) -> tuple[dict[str, tuple[Batch, np.ndarray]], np.ndarray]:
        """Draw stars and see them; for each instrument what it saw and of which stars, and ``teff logg fe_h a_v``."""
        random = np.random.default_rng([5, *seed])
        dwarfs = round(DWARFS * count)
        first, second = self.corpus.draw(random, count - dwarfs), self.near.draw(random, dwarfs)
        sources, labels = Sources.concatenate([first[0], second[0]]), np.concatenate([first[1], second[1]])
        return self.see(sources, labels, seed, instruments, snr=snr)

    def see(self, sources: Sources, labels: np.ndarray, seed: tuple[int, ...], instruments: tuple[str, ...], *,
            snr: tuple[float, float] | None = None) -> tuple[dict[str, tuple[Batch, np.ndarray]], np.ndarray]:
        """See stars with random motion, dust and S/N; what one instrument sees does not depend on the others."""
        random, n = np.random.default_rng([6, *seed]), len(sources)
        rv, a_v = random.normal(0, 60, n), random.exponential(0.4, n).clip(0, 4)
        found = {}
        for name in instruments:
            own = np.random.default_rng([7, *seed, INSTRUMENTS.index(name)])
            if name == APOGEE:
                rows = np.flatnonzero(self._known(labels))
                found[name] = self._in_the_infrared(labels[rows], own), rows
                continue
            instrument = self.eyes.slitless if name == XP else get_instrument(name)
            ratio = 10 ** own.uniform(*(snr or SNR.get(name, USUAL)), n)
            found[name] = self.eyes.look(sources, instrument, rv, a_v, ratio, own).seen, np.arange(n)
        return found, np.column_stack([labels, a_v]).astype(np.float32)

    def tests(self, count: int) -> dict[str, tuple[dict[str, Batch], np.ndarray]]:
        """Give what instruments see of stars to measure on, and ``teff logg fe_h``.

        ``unseen`` are archetypes unlike any star of the corpus, and the held-out MILES stars; ``library`` are the latter
        alone, each seen several times; ``dwarfs`` are made between the library stars that are learned from, other ones than
        those of training, where the emulator knows what APOGEE would see.
        """
        optical, found, held = (LRS, XP, SDSS, DESI), {}, np.flatnonzero(self.corpus.held_out)
        sources = Sources.concatenate([self.others(count), self._at(held)])
        found["unseen"] = self.see(sources, np.full((len(sources), 3), np.nan), (900,), optical, snr=TESTED)
        rows = np.repeat(held, max(1, min(SEEN, count // 50)))
        found["library"] = self.see(self._at(rows), self.corpus.labels[rows], (901,), optical, snr=TESTED)
        sources, labels, _ = self.near.draw(np.random.default_rng([8, 902]), 2 * count)
        rows = np.flatnonzero(self._known(labels))[:count]
        found["dwarfs"] = self.see(sources[rows], labels[rows], (902,), (*optical, APOGEE), snr=TESTED)
        return {name: ({key: batch for key, (batch, _) in seen.items()}, truth[:, :3])
                for name, (seen, truth) in found.items()}

    def _at(self, rows: np.ndarray) -> Sources:
        """Give stars of the corpus as they are."""
        return Sources(self.corpus.wavelength, np.exp(self.corpus.flux[rows]), None, {}, [str(k) for k in rows],
                       libraries.RESOLUTION)

    def _known(self, labels: np.ndarray) -> np.ndarray:
        """Say which stars the emulator knows."""
        low, high = self.emulator.low[:3], self.emulator.high[:3]
        return np.isfinite(labels).all(1) & (labels >= low).all(1) & (labels <= high).all(1)

    def _in_the_infrared(self, labels: np.ndarray, random: np.random.Generator) -> Batch:
        """See dwarfs in the H band: over the continuum, at rest, magnesium as old stars have it."""
        low, high = self.emulator.low, self.emulator.high
        magnesium = random.normal(-0.3 * labels[:, 2], 0.1)
        whole = np.column_stack([labels, magnesium, random.uniform(0, 15, len(labels))]).clip(low, high)
        value, error, mask = as_observed(self.emulator.flux(whole), random, snr=(30.0, 300.0))
        return expand(value, error, mask, normalised=True, meta={"id": [str(k) for k in range(len(labels))]})


def _others(data: Path, cache: Path, corpus: Corpus, count: int) -> Sources:
    """Give archetypes that no star of the corpus looks like, nor one another: most in the files are there many times."""
    if not cache.exists():
        every = libraries.archetypes(data, count=20_000)
        rows = np.random.default_rng(1).permutation(np.flatnonzero(~every.mask[:, PLACES].any(1)))
        tree, new = cKDTree(_shape(np.exp(corpus.flux))), []
        for row, shape in zip(rows, _shape(every.flux[rows]), strict=True):
            if tree.query(shape, p=np.inf)[0] > ALIKE and all(np.abs(shape - one).max() > ALIKE for _, one in new):
                new.append((row, shape))
        chosen = every[np.array([row for row, _ in new[:count]])]
        np.savez(cache, flux=libraries.extend(chosen, chosen)[0].flux)
    with np.load(cache, allow_pickle=False) as kept:
        flux = kept["flux"][:count]
    return Sources(corpus.wavelength, flux, None, {}, [f"other-{k}" for k in range(len(flux))], libraries.RESOLUTION)


def _shape(flux: np.ndarray) -> np.ndarray:
    """Give the flux at some places over its median there."""
    flux = flux[:, PLACES]
    return flux / np.median(flux, axis=1, keepdims=True)


def real_stars(data: Path) -> dict[str, tuple[Batch, np.ndarray]]:
    """Give the real spectra of ``lamost-lrs`` that the survey has labels of, with these: teff, logg, fe_h."""
    folder = data / "lamost-lrs"
    if not (folder / "lasp_labels.csv").exists():
        return {}
    with open(folder / "lasp_labels.csv", encoding="utf-8", newline="") as file:
        rows = [row for row in csv.DictReader(file) if (folder / row["filename"]).exists()]
    batch, = get_instrument(LRS).read_batches([folder / row["filename"] for row in rows], size=len(rows))
    return {LRS: (batch, np.array([[float(row[name]) for name in ("teff", "logg", "feh")] for row in rows]))}
