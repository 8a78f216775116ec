"""Alerts in Avro: detections on images less a reference image, brought back to magnitudes of the star."""

from __future__ import annotations

import gzip
import struct
import zlib
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from astropy.time import Time

from astrofm.data.curves import Curves
from astrofm.data.magnitudes import blank_magnitudes
from astrofm.data.tables import read_head
from astrofm.data.times import tdb_days
from astrofm.errors import DataError, ReadError

from .layouts import Bands
from .stars import mean_position

#: what files of Avro begin with
AVRO = b"Obj\x01"
#: fields that tell ZTF's packets from those of others
NEEDED = (b'"objectId"', b'"candidate"', b'"prv_candidates"', b'"magpsf"', b'"isdiffpos"')
#: numbers of each detection that are read
NUMBERS = ("jd", "fid", "magpsf", "sigmapsf", "distnr", "magnr", "ra", "dec")
#: what ``isdiffpos`` says: brighter than the reference image, or fainter
SIGNS = {"t": 1.0, "1": 1.0, "f": -1.0, "0": -1.0}
#: a source of the reference image within so many arcsec is the star itself, as ALeRCE has it (2021AJ....161..242F)
REFERENCE = 1.4
#: what fastavro raises on damage
DAMAGE = (OSError, EOFError, ValueError, TypeError, KeyError, IndexError, AttributeError, OverflowError, MemoryError,
          RuntimeError, zlib.error, struct.error)


def is_avro(path: Path) -> bool:
    """Say whether a file is Avro, plain or gzip; never raises."""
    return read_head(path, 4).startswith(AVRO)


def holds_alerts(path: Path) -> bool:
    """Say from the schema at its head whether a file holds ZTF's alerts; never raises, and needs no fastavro."""
    head = read_head(path)
    return head.startswith(AVRO) and all(name in head for name in NEEDED)


def read_alerts(path: Path, bands: Bands) -> Curves:
    """Read the packets of a file, or of all files of a folder that hold some: a light curve an object.

    Magnitudes are those of the star, ``-2.5 log10(10**(-0.4 magnr) ± 10**(-0.4 magpsf))`` with the sign of ``isdiffpos``, as
    ALeRCE corrects them (Förster et al. 2021, 2021AJ....161..242F), and the error is that of the difference. Where no source
    of the reference image lies within `REFERENCE`, there is none: masked.

    Returns
    -------
    Curves
        With ``n_upper_limits`` (entries without a detection, which are left out), ``n_merged`` (detections that came in
        several packets, and count once), ``n_alerts``, and the mean ``ra`` and ``dec`` in ``meta``.

    Raises
    ------
    ReadError
        A file is damaged or holds other things; no packet is there; fastavro is not installed.
    """
    files = sorted(each for each in path.iterdir() if each.is_file() and holds_alerts(each)) if path.is_dir() else [path]
    if not files:
        raise ReadError(f"folder {path} holds no alerts of ZTF in Avro: name the folder that has them")
    return _curves(path, (packet for each in files for packet in _packets(each)), bands)


def corrected(magpsf: np.ndarray, sigmapsf: np.ndarray, sign: np.ndarray, magnr: np.ndarray,
              distnr: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Give magnitudes of stars and their errors, from those of differences and of the reference; NaN where there is none."""
    with np.errstate(invalid="ignore"):
        star = (distnr >= 0) & (distnr < REFERENCE) & (magnr > 0)
        difference = 10 ** (-0.4 * magpsf)
        flux = 10 ** (-0.4 * np.where(star, magnr, np.nan)) + sign * difference
        flux = np.where(flux > 0, flux, np.nan)
        return -2.5 * np.log10(flux), difference * sigmapsf / flux


def _packets(path: Path) -> Iterator[Mapping[str, Any]]:
    try:
        import fastavro
    except ImportError as error:
        raise ReadError(f"{path} is Avro, which is read with fastavro: pip install 'astrofm-ztf[alerts]'") from error
    if not holds_alerts(path):
        raise ReadError(f"{path} is Avro, but no alerts of ZTF: its schema has not all of objectId, candidate and "
                        "prv_candidates")
    try:
        with path.open("rb") as stream:
            packed = not stream.read(4).startswith(AVRO)
            stream.seek(0)
            yield from fastavro.reader(gzip.GzipFile(fileobj=stream) if packed else stream)
    except (*DAMAGE, fastavro.schema.SchemaParseException) as error:
        raise ReadError(f"cannot read {path}: {str(error) or type(error).__name__}: is the download complete?") from error


def _curves(path: Path, packets: Iterable[Mapping[str, Any]], bands: Bands) -> Curves:
    places: dict[str, int] = {}
    alerts: list[int] = []
    rows: dict[tuple, tuple] = {}
    merged, limits = [], set()
    for packet in packets:
        star = places.setdefault(str(packet["objectId"]), len(places))
        alerts.append(star)
        for one in (packet["candidate"], *(packet["prv_candidates"] or ())):
            key = (star, *map(one.get, ("candid", "jd", "fid", "pid", "magpsf")))
            if one.get("magpsf") is None:
                limits.add(key)
            elif key in rows:
                merged.append(star)
            else:
                numbers = (one.get(name) for name in NUMBERS)
                rows[key] = (star, SIGNS.get(one.get("isdiffpos"), np.nan), *(np.nan if x is None else x for x in numbers))
    if not rows:
        raise ReadError(f"{path} holds no alerts: fetch it again")
    found = np.array(list(rows.values()), np.float64)
    found = found[np.argsort(found[:, 0], kind="stable")]
    star, sign = found[:, 0].astype(int), found[:, 1]
    jd, fid, magpsf, sigmapsf, distnr, magnr, ra, dec = found[:, 2:].T
    if not np.isfinite(jd + fid).all():
        raise DataError("an alert has a detection without jd or fid: fetch it again")
    magpsf, sigmapsf = blank_magnitudes(magpsf, sigmapsf)
    magnitude, error = corrected(magpsf, sigmapsf, sign, magnr, distnr)
    epoch, days = tdb_days(Time(jd, format="jd", scale="utc"))
    band, known = bands(fid.astype(int))
    count = len(places)

    def number(of: list[int]) -> list[int]:
        return np.bincount(np.array(of, int), minlength=count).tolist()

    meta = {"id": list(places), **mean_position(star, count, ra, dec), "time_reference": ["observer"] * count,
            "n_alerts": number(alerts), "n_merged": number(merged), "n_upper_limits": number([each[0] for each in limits])}
    starts = np.concatenate([[0], np.cumsum(np.bincount(star, minlength=count))])
    return Curves(starts, np.full(count, epoch), days, magnitude, error, ~np.isfinite(magnitude) | ~known, band, meta)
