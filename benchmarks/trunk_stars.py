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

from astrofm.data import Batch
from astrofm.registry import get_instrument

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "plugins" / "astrofm-sky" / "recipes"))
from corpus import GROUPS, load_corpus  # noqa: E402
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

        ``archetypes`` are models that are not in the corpus, without labels; ``library`` are the held-out MILES stars, each
        seen several times; ``dwarfs`` are made between the library stars that are learned from, other ones than those of
        training, where the emulator knows what APOGEE would see.
        """
        optical, found = (LRS, XP, SDSS, DESI), {}
        sources = self.others(count)
        nothing = np.full((len(sources), 3), np.nan)
        found["archetypes"] = self.see(sources, nothing, (900,), optical, snr=TESTED)
        rows = np.repeat(np.flatnonzero(self.corpus.held_out), max(1, min(SEEN, count // 50)))
        sources = Sources(self.corpus.wavelength, np.exp(self.corpus.flux[rows]), None, {}, [str(k) for k in rows],
                          libraries.RESOLUTION)
        found["library"] = self.see(sources, self.corpus.labels[rows], (901,), optical, snr=TESTED)
        sources, labels, _ = self.near.draw(np.random.default_rng([8, 902]), 2 * count)
        rows = np.flatnonzero(self._known(labels))[:count]
        found["dwarfs"] = self.see(sources[rows], labels[rows], (902,), (*optical, APOGEE), snr=TESTED)
        return {name: ({key: batch for key, (batch, _) in seen.items()}, truth[:, :3])
                for name, (seen, truth) in found.items()}

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


def _others(data: Path, cache: Path, corpus, count: int) -> Sources:
    """Give archetypes that are not in the corpus."""
    if not cache.exists():
        more = libraries.archetypes(data, count=max(60, 3 * count), seed=31)
        flux = np.where(more.mask, np.nan, more.flux)
        flux = np.log((flux / np.nanmedian(flux, axis=1, keepdims=True)).clip(1e-4))
        places = np.linspace(0.1, 0.9, 40) * len(more.wavelength)
        have = corpus.flux[corpus.group == list(GROUPS).index("archetypes")][:, places.astype(int)]
        new = np.array([np.abs(have - one).max(1).min() > 2e-3 for one in flux[:, places.astype(int)]])
        rows = np.random.default_rng(1).permutation(np.flatnonzero(new))[:count]
        filled = libraries.extend(more[rows], more[rows])[0]
        np.savez(cache, flux=filled.flux.astype(np.float32))
    with np.load(cache, allow_pickle=False) as kept:
        flux = kept["flux"][:count]
    return Sources(corpus.wavelength, flux, None, {}, [f"other-{k}" for k in range(len(flux))], libraries.RESOLUTION)


def real_stars(data: Path) -> dict[str, tuple[Batch, np.ndarray]]:
    """Give the real spectra of ``lamost-lrs`` that the survey has labels of, with these: teff, logg, fe_h."""
    folder = data / "lamost-lrs"
    if not (folder / "lasp_labels.csv").exists():
        return {}
    with open(folder / "lasp_labels.csv", encoding="utf-8", newline="") as file:
        rows = [row for row in csv.DictReader(file) if (folder / row["filename"]).exists()]
    batch, = get_instrument(LRS).read_batches([folder / row["filename"] for row in rows], size=len(rows))
    return {LRS: (batch, np.array([[float(row[name]) for name in ("teff", "logg", "feh")] for row in rows]))}
