"""What stars are told apart by: the peer's hand-crafted features, astrofm's own, and embeddings of models."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from importlib.util import find_spec
from pathlib import Path

import numpy as np
from variables_models import posed
from variables_sets import PHOTOMETERS

from astrofm import load_model
from astrofm.data import Batch, colour_features, curve_features
from astrofm.registry import get_instrument

#: from a batch of light curves, and the number of bands that the whole set has, to numbers of shape ``(n, d)``, NaN where
#: there is no answer; ``d`` depends on the number of bands only
Reader = Callable[[Batch, int], np.ndarray]


def each_band(batch: Batch, bands: int, one: Callable[[np.ndarray, np.ndarray, np.ndarray], np.ndarray], size: int, *,
              least: int = 8) -> np.ndarray:
    """Describe every star in every band by ``one(days, value, error)``; shape ``(n, bands * size)``.

    A band with fewer than ``least`` good points gives NaN. Days are Julian dates less 2440000. Where the instrument has
    several bands, the differences of the median magnitudes of neighbouring bands follow: shape ``(n, bands * size +
    bands - 1)``.
    """
    first = np.asarray(batch.meta["first_time"], float) - 2440000.0
    told, median = np.full((len(batch.mask), bands, size), np.nan), np.full((len(batch.mask), bands), np.nan)
    for star in range(len(batch.mask)):
        for band in range(bands):
            own = ~batch.mask[star] & (batch.band[star] == band)
            if own.sum() >= least:
                days, value, error = (x[star][own].astype(np.float64) for x in (batch.coordinate, batch.value, batch.error))
                once = np.concatenate([[True], np.diff(days) > 0])  # a time of its own for each point
                told[star, band] = one(days[once] + first[star], value[once], error[once])
                median[star, band] = np.median(value)
    return np.concatenate([told.reshape(len(told), -1), np.diff(median, axis=1)], axis=1)


def peer_reader() -> Reader:
    """Read the features of light-curve (Malanchev et al. 2021, 2021MNRAS.502.5147M) and a Lomb-Scargle period.

    All features of one band that the package makes of magnitudes at little cost, the period of the highest peak between 1
    over the span and 20 cycles a day (Lomb 1976, Scargle 1982), and amplitudes and phases of three harmonics at it.

    Raises
    ------
    SystemExit
        light-curve or nifty-ls is not installed.
    """
    missing = [name for name, module in (("light-curve", "light_curve"), ("nifty-ls", "nifty_ls")) if not find_spec(module)]
    if missing:
        raise SystemExit(f"the peer is not installed: pip install {' '.join(missing)}, or leave out --peer")
    import light_curve as lc
    import nifty_ls

    extract = lc.Extractor(
        lc.Amplitude(), lc.AndersonDarlingNormal(), lc.BeyondNStd(1), lc.BeyondNStd(2), lc.Cusum(), lc.Eta(), lc.EtaE(),
        lc.ExcessVariance(), lc.InterPercentileRange(0.02), lc.InterPercentileRange(0.1), lc.InterPercentileRange(0.25),
        lc.Kurtosis(), lc.LinearFit(), lc.LinearTrend(), lc.MagnitudePercentageRatio(0.4, 0.05),
        lc.MagnitudePercentageRatio(0.2, 0.1), lc.MaximumSlope(), lc.Mean(), lc.Median(), lc.MedianAbsoluteDeviation(),
        lc.MedianBufferRangePercentage(0.1), lc.PercentAmplitude(), lc.PercentDifferenceMagnitudePercentile(0.05),
        lc.ReducedChi2(), lc.Roms(), lc.Skew(), lc.StandardDeviation(), lc.StetsonK(), lc.WeightedMean(),
        lc.ObservationCount(), lc.OtsuSplit())

    def one(days: np.ndarray, value: np.ndarray, error: np.ndarray) -> np.ndarray:
        span = days[-1] - days[0]
        count = int((20.0 - 1 / span) * span * 5)
        power = np.asarray(nifty_ls.lombscargle(days - days[0], value, error, fmin=1 / span, fmax=20.0, Nf=count,
                                                nthreads=1).power)
        frequency = np.linspace(1 / span, 20.0, count)[power.argmax()]
        angle = 2 * np.pi * frequency * (days - days[0])
        waves = [np.ones_like(angle)] + [wave(k * angle) for k in (1, 2, 3) for wave in (np.cos, np.sin)]
        found = np.linalg.lstsq(np.stack(waves, 1) / error[:, None], value / error, rcond=None)[0]
        size, phase = np.hypot(found[1::2], found[2::2]), np.arctan2(found[2::2], found[1::2])
        own = [-np.log10(frequency), power.max(), *size, size[1] / size[0], size[2] / size[0],
               (phase[1] - 2 * phase[0]) % (2 * np.pi), (phase[2] - 3 * phase[0]) % (2 * np.pi)]
        return np.array([*extract(days, value, error, sorted=True, fill_value=np.nan), *own])

    def read(batch: Batch, bands: int) -> np.ndarray:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of features that a light curve is too short for: they are NaN
            return each_band(batch, bands, one, len(extract.names) + 9)

    return read


def features_reader(names: Sequence[str]) -> Reader:
    """Read some of astrofm's own hand-crafted features, and those of bands where there are several."""

    def read(batch: Batch, bands: int) -> np.ndarray:
        known = PHOTOMETERS[batch.instrument] if batch.instrument in PHOTOMETERS else get_instrument(batch.instrument)
        own = known.bands if bands > 1 else ()
        columns = curve_features(batch, names=[*names, *colour_features(own)], bands=own)
        return np.stack([np.asarray(column, np.float64) for column in columns.values()], axis=1)

    return read


def model_reader(name: str) -> Reader:
    """Read the embedding of a model, and behind it the logarithms of its class probabilities, where it gives any.

    Parameters
    ----------
    name : str
        Name or path of a model, or ``NAME@INSTRUMENT:BAND`` to show it every light curve as one that INSTRUMENT took in BAND:
        for models of instruments that the set is not of.

    Raises
    ------
    SystemExit
        INSTRUMENT has no such band.
    """
    path, _, posing = name.partition("@")
    model = load_model(path)

    def read(batch: Batch, bands: int) -> np.ndarray:
        batch = posed(batch, posing)
        told = np.asarray(model.embed(batch), np.float64)
        if not any(label.get("classes") for label in model.about["labels"]):
            return told
        table = model.predict(batch)
        chances = [np.asarray(table[column], np.float64) for column in table.colnames if "_probability_" in column]
        return np.concatenate([told, np.log(np.stack(chances, axis=1) + 1e-4)], axis=1)

    return read


def joined_reader(readers: Sequence[Reader]) -> Reader:
    """Read what several readers do, side by side."""
    return lambda batch, bands: np.concatenate([read(batch, bands) for read in readers], axis=1)


def told_of(stars: Batch, reader: Reader, file: Path, *, size: int = 256) -> np.ndarray:
    """Read stars, or what an earlier run left of that in ``file``; shape ``(n, d)``.

    Raises
    ------
    ValueError
        The file is of other stars.
    """
    ids = np.asarray(stars.meta["id"], str)
    if file.exists():
        with np.load(file) as found:
            if list(found["id"]) != list(ids):
                raise ValueError(f"{file} is of other stars: remove it, or choose another -o")
            return found["told"]
    parts, bands = [], int(stars.band[~stars.mask].max(initial=0)) + 1
    for first in range(0, len(ids), size):
        rows = slice(first, first + size)
        parts.append(reader(Batch(stars.instrument, stars.coordinate[rows], stars.value[rows], stars.error[rows],
                                  stars.mask[rows], stars.band[rows], {k: c[rows] for k, c in stars.meta.items()}), bands))
    told = np.concatenate(parts)
    file.parent.mkdir(parents=True, exist_ok=True)
    kept = file.with_suffix(".part.npz")
    np.savez(kept, id=ids, told=told)
    kept.replace(file)
    return told
