"""The data set that ``variable-tiny`` learns from: real light curves without their labels, and simulated stars.

    python plugins/astrofm-sky/recipes/variable_corpus.py --data DATA -o variables
    astrofm pretrain plugins/astrofm-sky/recipes/variable_tiny.toml --data variables -o runs/variable-tiny

``DATA`` is the folder with ``asas eros hipparcos-ogle tess ztf`` (see docs/light-curves.rst). The 519 stars of
``asas/light_curves.tar.gz`` and the RR Lyrae stars of ``rr-lyrae`` are kept for measurement and never read here. Simulated
stars are seen by three surveys each: by ``ztf``, ``tess`` and ``gaia-epoch`` as `astrofm_sky` simulates them, and with the
real times, errors and mean magnitudes of stars of ASAS, EROS and Hipparcos.
"""

from __future__ import annotations

import argparse
import csv
import gzip
import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from astrofm_sky import CLASSES, Band, SurveyCadence, observe_variables, variable_stars
from astrofm_sky.real_times import Real
from astropy import units as u

from astrofm.data import Batch
from astrofm.data.curves import Curves, pad_curves, settle
from astrofm.interfaces import LightCurveInstrument
from astrofm.registry import get_instrument
from astrofm.training import ShardWriter

#: simulated stars that are observed at a time
BLOCK = 500
#: magnitudes from here on are marks of bad points
NO_MAGNITUDE = 29.0
#: surveys that see each simulated star
SURVEYS_A_STAR = 3


class RealSurvey(LightCurveInstrument):
    """A survey whose real light curves are here."""

    unit = u.mag

    def __init__(self, name: str, wavelengths: dict[str, float]):
        self.name, self.bands, self.wavelengths = name, tuple(wavelengths), wavelengths

    def matches(self, data: object) -> bool:
        return False


#: wavelengths: Johnson V; EROS-2 (Derue et al. 2002, 2002A&A...389..149D); Hp (Bessell 2000,
#: 2000PASP..112..961B); OGLE's I
SURVEYS = [RealSurvey("asas", {"V": 5500.0}), RealSurvey("eros", {"b": 6000.0, "r": 7620.0}),
           RealSurvey("hipparcos", {"Hp": 5280.0}), RealSurvey("ogle", {"I": 7980.0})]


def real_curves(data: Path) -> Iterator[tuple[str, Batch]]:
    """Read the real light curves, survey by survey."""
    from pandas import read_parquet

    acvs = read_parquet(data / "asas/acvs_light_curves.parquet")
    yield "asas", _batch("asas", [f"asas-{key}" for key in acvs["asas_id"]], acvs["hjd"], acvs["vmag"], acvs["vmag_err"])
    yield "eros", _eros(data / "eros/train_varlength_features.csv.gz")
    both = read_parquet(data / "hipparcos-ogle/light_curves.parquet")
    for name in ("hipparcos", "ogle"):
        own = both[both["survey"].str.lower().str.startswith(name)]
        yield name, _batch(name, [f"{name}-{key}-{row}" for row, key in enumerate(own["id"])], own["time"] + 2440000.0,
                           own["mag"], own["magerr"])
    ztf = read_parquet(data / "ztf/ztf_dr3_zr400_1000.parquet")
    band = get_instrument("ztf").bands.index("r")
    yield "ztf", _batch("ztf", [f"ztf-{key}" for key in ztf["oid"]], ztf["mjd"] + 2400000.5, ztf["mag"], ztf["magerr"],
                        [np.full(len(x), band) for x in ztf["mag"]])
    for name, pattern in (("tess", "hlsp_tess*.fits"), ("kepler", "kplr*.fits")):
        yield from ((name, batch) for batch in get_instrument(name).read_batches(sorted((data / "tess").glob(pattern))))


def _batch(name: str, ids: list[str], days, value, error, band=None) -> Batch:
    sizes = [len(x) for x in days]
    flat = [np.concatenate(list(x)).astype(float) for x in (days, value, error)]
    places = np.zeros(len(flat[0]), np.int16) if band is None else np.concatenate(band).astype(np.int16)
    meta = {"id": ids, "star": ids, "unit": ["mag"] * len(ids)}
    return pad_curves(settle(Curves(np.concatenate([[0], np.cumsum(sizes)]), np.zeros(len(ids)), *flat,
                                    flat[1] >= NO_MAGNITUDE, places, meta)), name)


def _eros(path: Path) -> Batch:
    csv.field_size_limit(10**9)
    ids, days, value, error, band = [], [], [], [], []
    with gzip.open(path, "rt") as stream:
        for row in csv.DictReader(stream):
            parts = {name: [json.loads(row[f"{name}_points_{x}"]) for x in "br"] for name in ("time", "light", "error")}
            ids.append(f"eros-{row['']}")
            days.append(np.concatenate(parts["time"]) + 2450000.0)
            value.append(np.concatenate(parts["light"]))
            error.append(np.concatenate(parts["error"]))
            band.append(np.repeat([0, 1], [len(x) for x in parts["time"]]))
    return _batch("eros", ids, days, value, error, band)


def simulated(count: int, cadences: dict[str, tuple[LightCurveInstrument, SurveyCadence | None]], seed: int,
              first: int) -> list[Batch]:
    """Observe simulated stars, each by `SURVEYS_A_STAR` of the surveys."""
    stars = variable_stars(count, seed=seed + first, magnitude=(10.5, 17.0))
    random = np.random.default_rng([seed, first])
    chosen = random.random((count, len(cadences))).argsort(axis=1).argsort(axis=1) < SURVEYS_A_STAR
    found = []
    for k, (instrument, cadence) in enumerate(cadences.values()):
        seen = observe_variables(stars[chosen[:, k]], instrument, seed=seed + first + k, cadence=cadence)
        kept = np.flatnonzero((~seen.mask).sum(axis=1) >= 12)
        keys = np.array([f"simulated-{seed}-{first + row}" for row in np.flatnonzero(chosen[:, k])])
        place = {name: number for number, name in enumerate(CLASSES)}
        meta = {"id": keys, "star": keys, "unit": seen.meta["unit"],
                "variable_class": np.array([float(place[name]) for name in seen.meta["true_class"]]),
                "log_period": np.log10(seen.meta["true_period"]),
                "log_amplitude": np.log10(np.maximum(seen.meta["true_amplitude"], 1e-6))}
        found.append(Batch(seen.instrument, seen.coordinate, seen.value, seen.error, seen.mask, seen.band,
                           {name: list(column) for name, column in meta.items()})[kept])
    return found


def main() -> None:
    """Write the data set."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", type=Path, required=True, help="folder of the real light curves")
    parser.add_argument("-o", "--output", type=Path, required=True, help="folder of the data set")
    parser.add_argument("--simulate", type=int, default=60000, help="simulated stars (%(default)s)")
    parser.add_argument("--seed", type=int, default=5)
    options = parser.parse_args()
    writer = ShardWriter(options.output, {"recipe": "variable_corpus.py", "simulate": options.simulate, "seed": options.seed})
    by_name = {survey.name: survey for survey in SURVEYS}
    cadences = {name: (get_instrument(name), None) for name in ("ztf", "tess", "gaia-epoch")}
    real = []
    for name, batch in real_curves(options.data):
        print(f"{len(batch):,} real light curves of {name}", flush=True)
        batch = batch[np.flatnonzero((~batch.mask).sum(axis=1) >= 12)]
        real.append(batch)
        if name in by_name and name != "ogle":
            survey = by_name[name]
            bands = {band: Band(wave, 99.0, 99.0, -99.0) for band, wave in survey.wavelengths.items()}
            some = batch[np.random.default_rng(options.seed).permutation(len(batch))[:400]]
            cadences[name] = (survey, SurveyCadence(Real.of(some, survey), bands))
    if writer.done == 0:
        writer.write(real, done=1)
    for first in range(BLOCK * max(writer.done - 1, 0), options.simulate, BLOCK):
        count = min(BLOCK, options.simulate - first)
        writer.write(simulated(count, cadences, options.seed, first), done=2 + first // BLOCK)
        print(f"{first + count:,} of {options.simulate:,} simulated stars", flush=True)
    writer.finish()


if __name__ == "__main__":
    main()
