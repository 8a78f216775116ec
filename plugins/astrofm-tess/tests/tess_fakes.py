"""Light-curve files in the real layouts of SPOC, QLP, Kepler and K2: made here, small."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from astropy.io import fits

#: cadences of a fake
COUNT = 300
#: rows whose flag is bad in every product, and one whose flag is harmless
BAD, HARMLESS = (10, 11), 20
#: rows without a time, and without flux
NO_TIME, NO_FLUX = (100, 101, 102), (50,)


def light(count: int = COUNT, seed: int = 0) -> dict[str, np.ndarray]:
    """Make times, flux, error and flags: two stretches with a gap between, as two orbits of a sector."""
    random = np.random.default_rng(seed)
    time = 1325.29525977 + np.arange(count) / 720 + np.where(np.arange(count) > count // 2, 1.2, 0)
    flux = 9000 * (1 + 0.01 * np.sin(2 * np.pi * time / 0.1)) + 12 * random.standard_normal(count)
    quality = np.zeros(count, np.int32)
    quality[list(BAD)] = (8, 128 + 1024)
    quality[HARMLESS] = 64
    time[list(NO_TIME)], flux[list(NO_FLUX)] = np.nan, np.nan
    return {"time": time, "flux": flux.astype("f4"), "error": np.full(count, 12.3, "f4"), "quality": quality}


def _columns(made: dict[str, np.ndarray], corrected: str, quality: str, unit: str | None, offset: str) -> list[fits.Column]:
    count = len(made["time"])
    raw = (0.9 * made["flux"]).astype("f4")
    return [fits.Column("TIME", "D", offset, array=made["time"], disp="D14.7"),
            fits.Column("TIMECORR", "E", "d", array=np.zeros(count, "f4")),
            fits.Column("CADENCENO", "J", array=np.arange(70444, 70444 + count)),
            fits.Column("SAP_FLUX", "E", unit, array=raw), fits.Column("SAP_FLUX_ERR", "E", unit, array=made["error"]),
            fits.Column(corrected, "E", unit, array=made["flux"]),
            fits.Column(f"{corrected}_ERR", "E", unit, array=made["error"]),
            fits.Column(quality, "J", array=made["quality"]),
            fits.Column("POS_CORR1", "E", "pixels", array=np.zeros(count, "f4"))]


def _write(path: Path, primary: dict, table: dict, columns: list[fits.Column]) -> Path:
    hdus = fits.HDUList([fits.PrimaryHDU(header=fits.Header({**primary, "NEXTEND": 2})),
                         fits.BinTableHDU.from_columns(columns, header=fits.Header(
                             {**table, "EXTNAME": "LIGHTCURVE", "EXTVER": 1})),
                         fits.ImageHDU(np.zeros((11, 11), "i4"), name="APERTURE")])
    hdus.writeto(path)
    return path


def spoc(path: Path, *, made: dict | None = None, primary: dict | None = None, table: dict | None = None) -> Path:
    """Write a light curve of SPOC. FITTYPE1, as in real files, is no type of a column."""
    name = {"TELESCOP": "TESS", "INSTRUME": "TESS Photometer", "OBJECT": "TIC 25155310", "TICID": 25155310,
            "RA_OBJ": 63.37389}
    times = {"TIMEREF": "SOLARSYSTEM", "TIMESYS": "TDB", "BJDREFI": 2457000, "BJDREFF": 0.0, "TIMEUNIT": "d"}
    return _write(path, {**name, "ORIGIN": "NASA/Ames", "SECTOR": 1, "CAMERA": 4, "TESSMAG": 10.555, "TEFF": 5800.0,
                         **(primary or {})},
                  {**name, **times, "CROWDSAP": 0.97, "FITTYPE1": "reducedRobust", "FITTYPE2": "prior", **(table or {})},
                  _columns(light() if made is None else made, "PDCSAP_FLUX", "QUALITY", "e-/s", "BJD - 2457000, days"))


def qlp(path: Path, *, corrected: str = "KSPSAP_FLUX") -> Path:
    """Write a light curve of QLP: relative flux; ``DET_FLUX`` from sector 56 on."""
    made = light()
    made["flux"], made["error"] = (made[name] / np.float32(9000) for name in ("flux", "error"))
    made["quality"][HARMLESS] = 4096  # QLP's own
    name = {"TELESCOP": "TESS", "INSTRUME": "TESS Photometer", "OBJECT": "TIC 270577175", "TICID": 270577175}
    times = {"TIMESYS": "TDB", "BJDREFI": 2457000, "BJDREFF": 0.0}
    columns = [column for column in _columns(made, corrected, "QUALITY", "", "BJD - 2457000, days")
               if column.name not in ("TIMECORR", "SAP_FLUX_ERR")]
    return _write(path, {**name, "ORIGIN": "MIT/QLP", "SECTOR": 12}, {**name, **times}, columns)


def kepler(path: Path, *, k2: bool = False) -> Path:
    """Write a light curve of Kepler, or of K2."""
    made = light()
    made["time"] = made["time"] - 1200
    made["quality"][BAD[1]] = 1048576
    name = {"TELESCOP": "Kepler", "INSTRUME": "Kepler Photometer", "OBJECT": "EPIC 211311380" if k2 else "KIC 10666592",
            "KEPLERID": 211311380 if k2 else 10666592}
    times = {"TIMESYS": "TDB", "BJDREFI": 2454833, "BJDREFF": 0.0}
    place = {"MISSION": "K2", "CAMPAIGN": 5} if k2 else {"MISSION": "Kepler", "QUARTER": 0}
    return _write(path, {**name, **place, "KEPMAG": 9.71}, {**name, **times},
                  _columns(made, "PDCSAP_FLUX", "SAP_QUALITY", "e-/s", "BJD - 2454833"))


def pixels(path: Path) -> Path:
    """Write a target pixel file, which is no light curve."""
    columns = [fits.Column("TIME", "D", array=np.arange(3.0)), fits.Column("CADENCENO", "J", array=np.arange(3)),
               fits.Column("FLUX", "121E", array=np.zeros((3, 121))), fits.Column("QUALITY", "J", array=np.zeros(3, "i4"))]
    return _write(path, {"TELESCOP": "TESS"}, {"TELESCOP": "TESS", "BJDREFI": 2457000, "BJDREFF": 0.0}, columns)


LAYOUTS = {"SPOC": spoc, "QLP": qlp, "QLP from sector 56": lambda path: qlp(path, corrected="DET_FLUX"), "Kepler": kepler,
           "K2": lambda path: kepler(path, k2=True)}
