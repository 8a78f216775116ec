"""Calibrate a trained ``stellar-tiny`` on held-out stars, say how good it is on others, and save it.

    python plugins/astrofm-sky/recipes/finish.py --data DATA --run runs/stellar-tiny -o stellar-tiny.safetensors

The held-out MILES stars are cut in two. The printed coverage is that of each half with errors calibrated on the other;
the errors that are saved are calibrated on both.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import stellar_tiny
import torch
from corpus import Corpus, load_corpus
from views import NOISE, NOISE_NM, View, Views

from astrofm.data import Batch
from astrofm.models import Familiarity, Model
from astrofm.models.scaling import amplitude, reduced_chi2

NAMES = [label["name"] for label in stellar_tiny.LABELS]
#: part of the flux by which a spectrum may be off its reconstruction beside its errors
FLOOR = 0.05
CITATION = ("astrofm stellar-tiny; trained on MILES (Sanchez-Blazquez et al. 2006, MNRAS 371, 703; Falcon-Barroso et al. "
            "2011, A&A 532, A95; parameters Cenarro et al. 2007, MNRAS 374, 664), STELIB (Le Borgne et al. 2003, A&A "
            "402, 433), redrock archetypes (DESI collaboration), SDSS templates and Kurucz models")
NOTES = """Good for: stars of type B to M, dwarfs and giants, 2800-36000 K, [Fe/H] -2.9 to +1, in optical spectra of R
between about 30 and 5000 that cover a good part of 3400-10200 Angstrom, with S/N above 5.
Where it stops: labels rest on MILES (700 real stars, few metal-poor giants, hot stars and M dwarfs; its [Fe/H] of hot and
very cool stars is uncertain); extinction from relative spectra trades off with temperature; white dwarfs, carbon stars,
emission-line stars, binaries, galaxies and quasars are strangers, and mostly flagged. Beyond 7400 Angstrom it learned from
models and few real stars. Radial velocity means something from R of about 500 up."""


def half(corpus: Corpus, which: int) -> Corpus:
    """Give the corpus with every second held-out star."""
    held = np.zeros_like(corpus.held_out)
    held[np.flatnonzero(corpus.held_out)[which::2]] = True
    return Corpus(corpus.wavelength, corpus.flux, corpus.labels, corpus.kind, corpus.group, corpus.chance,
                  held, corpus.shift)


def look(views: Views, instrument, n: int, seed: int, *, held_out: bool,
         snr: tuple[float, float]) -> tuple[View, np.ndarray]:
    """Observe drawn stars as training does; labels in the order of the head."""
    random = np.random.default_rng(seed)
    sources, labels, _ = views.corpus.draw(random, n, held_out=held_out)
    rv, a_v = random.normal(0, 60, n), random.exponential(0.4, n).clip(0, 4)
    seen = views.look(sources, instrument, rv, a_v, 10 ** random.uniform(*np.log10(snr), n), random)
    return seen, np.column_stack([labels, a_v, rv])


def ratios(model: Model, seen: Batch, truth: np.ndarray) -> dict[str, np.ndarray]:
    """Give the errors over the errors given, by label, of the stars whose label is known."""
    table = model.predict(seen)
    found = {}
    for k, name in enumerate(NAMES):
        ratio = np.abs(table[name].value - truth[:, k]) / table[f"{name}_err"].value
        found[name] = ratio[np.isfinite(ratio)]
    return found


def calibrate(model: Model, views: Views, instruments: dict[str, list]) -> dict[str, dict[str, float]]:
    """Find the factors that make 68 % and 95 % of the truths lie within one and 1.96 errors."""
    factors = {}
    for name, ones in instruments.items():
        parts = [ratios(model, *_seen(views, one, 2400 // len(ones), 100 + k)) for k, one in enumerate(ones)]
        joined = {label: np.concatenate([part[label] for part in parts]) for label in NAMES}
        factors[name] = {label: float(np.mean([np.quantile(r, 0.683), np.quantile(r, 0.95) / 1.96]))
                         for label, r in joined.items()}
    return factors


def _seen(views: Views, instrument, n: int, seed: int) -> tuple[Batch, np.ndarray]:
    view, truth = look(views, instrument, n, seed, held_out=True, snr=(8, 200))
    return view.seen, truth


def report(folds: list[tuple[Model, Views]], instruments: dict[str, list]) -> None:
    """Print scatter and coverage of each half by the model that the other calibrated, together."""
    print("instrument    label   scatter      rms   within 1 sigma   within 1.96 sigma")
    for name, ones in instruments.items():
        away: dict[str, list] = {label: [] for label in NAMES}
        for model, views in folds:
            seen, truth = _seen(views, ones[0], 2000, 900)
            table = model.predict(seen)
            for k, label in enumerate(NAMES):
                away[label].append(np.stack([table[label].value - truth[:, k], table[f"{label}_err"].value]))
        for label in NAMES:
            difference, error = np.concatenate(away[label], axis=1)
            ok = np.isfinite(difference)
            ratio = np.abs(difference[ok]) / error[ok]
            print(f"{name:12s}  {label:6s} {1.4826 * np.median(np.abs(difference[ok])):9.3f} "
                  f"{np.sqrt(np.mean(difference[ok] ** 2)):8.3f}   {np.mean(ratio < 1):14.3f}   "
                  f"{np.mean(ratio < 1.96):17.3f}")


def report_translation(model: Model, views: Views) -> None:
    """Print how far translated spectra are from the truth, in units of the noise."""
    random = np.random.default_rng(77)
    sources, _, _ = views.corpus.draw(random, 600, held_out=True)
    rv, a_v = random.normal(0, 60, 600), random.exponential(0.3, 600)
    fibre = views.look(sources, views.fibre, rv, a_v, 10 ** random.uniform(1.3, 2, 600), random)
    clean = views.look(sources, views.slitless, rv, a_v, np.full(600, 50.0), random).truth
    value, error = model.core.decode(model.core.embed(fibre.seen), clean.coordinate, "gaia-xp", source="lamost-lrs")
    noise = np.interp(clean.coordinate / 10, NOISE_NM, NOISE)[None]
    noise = noise * np.median(clean.value / noise, axis=1, keepdims=True) / 50.0
    factor, _ = amplitude(clean.value, noise, clean.mask, value, error)
    away = factor[:, None] * value - clean.value
    inside = (clean.coordinate > 3900) & (clean.coordinate < 9800)
    print(f"translation to gaia-xp at S/N 50: rms per star over its noise, 390-980 nm, median "
          f"{np.median(np.sqrt(np.mean((away / noise)[:, inside] ** 2, axis=1))):.2f}; median relative error "
          f"{np.median(np.abs(away / clean.value)[:, inside]):.4f}; within its own error "
          f"{np.mean((np.abs(away) < factor[:, None] * error)[:, inside]):.3f}")


def limits(model: Model, views: Views, instruments: dict[str, list]) -> tuple[Familiarity, dict[str, float]]:
    """Fit what is familiar: embeddings of training stars, and how well their spectra are met."""
    embeddings, allowed = [], {}
    for name, ones in instruments.items():
        misfits = []
        for k, one in enumerate(ones):
            seen = look(views, one, 2400 // len(ones), 500 + k, held_out=False, snr=(8, 300))[0].seen
            embeddings.append(model.core.embed(seen))
            value, error = model.core.decode(np.nan_to_num(embeddings[-1]), seen.coordinate, seen.instrument,
                                             source=seen.instrument)
            factor, _ = amplitude(seen.value, seen.error, seen.mask, value, error)
            misfits.append(reduced_chi2(seen.value, seen.error, seen.mask, factor[:, None] * value, floor=FLOOR))
        allowed[name] = float(1.5 * np.nanquantile(np.concatenate(misfits), 0.995))
    return Familiarity.fit(np.concatenate(embeddings), quantile=0.998), allowed


def main() -> None:
    """Calibrate, report, save."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--run", type=Path, required=True)
    parser.add_argument("--stage", default="types")
    parser.add_argument("-o", "--output", type=Path, required=True)
    options = parser.parse_args()
    corpus = load_corpus(options.data, cache=options.run / "corpus.npz")
    modules = stellar_tiny.build()
    kept = torch.load(options.run / options.stage / "checkpoint.pt", weights_only=True)
    modules.load_state_dict({key: tensor.half().float() for key, tensor in kept["modules"].items()})
    parts = dict(modules.items())
    card = {"name": "stellar-tiny", "license": "BSD-3-Clause", "citation": CITATION, "notes": NOTES,
            "summary": "labels, translation and embeddings of stars from optical spectra of any spectrograph",
            "instruments": ["lamost-lrs", "gaia-xp"], "snr_limit": 5.0, "wavelengths": [3350.0, 10250.0],
            "provenance": {"recipe": "plugins/astrofm-sky/recipes/stellar_tiny.py",
                           "steps": {stage: usual for stage, (usual, _, _) in stellar_tiny.STAGES.items()},
                           "sources": len(corpus.flux), "labelled": int(np.isfinite(corpus.labels[:, 0]).sum())}}

    def compose(familiar: Familiarity | None = None, **more) -> Model:
        return Model(parts["encoder"], parts["aligner"],
                     {name: parts[name] for name in ("atmosphere", "spectral_type")}, card={**card, **more},
                     familiarity=familiar)

    halves = [Views(half(corpus, which), stars=1) for which in (0, 1)]
    views = Views(corpus, stars=1)
    instruments = {"lamost-lrs": [views.fibre], "gaia-xp": [views.slitless], "*": views.made_up[:8]}
    model = compose()
    folds = [(compose(calibration=calibrate(model, halves[which], instruments)), halves[1 - which]) for which in (0, 1)]
    report(folds, instruments)
    report_translation(model, views)
    factors = calibrate(model, views, instruments)
    familiarity, allowed = limits(model, views, instruments)
    model = compose(familiarity, calibration=factors, familiarity={"chi2_limit": allowed, "error_floor": FLOOR})
    print("factors", {name: {k: round(v, 2) for k, v in part.items()} for name, part in factors.items()})
    print("chi2 limits", {name: round(v, 1) for name, v in allowed.items()})
    model.save(options.output, overwrite=True, dtype="float16")
    print(f"{options.output}: {options.output.stat().st_size / 1e6:.2f} MB, SHA-256 {Model.load(options.output).sha256}")


if __name__ == "__main__":
    main()
