"""Tables of ZTF light curves in the real layouts: made here, small."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from astropy.io.votable import from_table, writeto
from astropy.table import MaskedColumn, Table

#: object ids of one star in g, r and i (two fields in r), and of another star 30 arcsec away
OIDS = {796110100002210: "zg", 796210100009999: "zr", 1866211300007777: "zr", 796310100001111: "zi", 796110100005555: "zg"}


def irsa(seed: int = 0, count: int = 12) -> Table:
    """Make what IRSA's service gives for a circle with two stars in it: measurements by oid, then time."""
    random = np.random.default_rng(seed)
    parts: dict[str, list] = {}
    for place, (oid, band) in enumerate(OIDS.items()):
        mjd = 58203.394 + np.sort(random.uniform(0, 600, count))
        other = oid == 796110100005555
        columns = {"oid": np.full(count, oid), "expid": 44939408 + np.arange(count), "hjd": mjd + 2400000.5 + 0.0007,
                   "mjd": mjd,
                   "mag": 16 + 0.1 * place + 0.05 * random.standard_normal(count), "magerr": np.full(count, 0.0133),
                   "catflags": np.zeros(count, int), "filtercode": np.full(count, band),
                   "ra": 261.02558 + random.normal(0, 3e-5, count),
                   "dec": 56.33421 + random.normal(0, 2e-5, count) + (30 / 3600 if other else 0),
                   "field": np.full(count, oid // 10**12), "ccdid": np.full(count, "0xa"), "limitmag": np.full(count, 20.87)}
        columns["catflags"][3], columns["catflags"][5] = 32768 + 2, 2
        for name, column in columns.items():
            parts.setdefault(name, []).append(column)
    return Table({name: np.concatenate(columns) for name, columns in parts.items()})


def alerce(seed: int = 1, count: int = 20) -> Table:
    """Make detections of two objects as ALeRCE has them: unsorted, every one twice, some not corrected."""
    random = np.random.default_rng(seed)
    one = Table({"oid": np.repeat(["ZTF17aaaemke", "ZTF17aaaadjh"], count), "fid": np.tile([1, 2], count),
                 "mjd": 58372.4 + random.uniform(0, 500, 2 * count), "isdiffpos": np.full(2 * count, -1.0),
                 "magpsf": random.uniform(17, 18, 2 * count), "sigmapsf": np.full(2 * count, 0.09),
                 "magpsf_corr": random.uniform(16, 17, 2 * count), "sigmapsf_corr": np.full(2 * count, 100.0),
                 "sigmapsf_corr_ext": np.full(2 * count, 0.025), "corrected": np.ones(2 * count, bool),
                 "dubious": np.zeros(2 * count, bool)})
    one["corrected"][4] = False
    one["magpsf_corr"][4] = np.nan
    one["dubious"][7] = True
    return Table(np.concatenate([one.as_array()] * 2))


def release(seed: int = 2) -> dict[str, list]:
    """Make three rows of a data release: a star in a band each, measurements as lists of any length."""
    random = np.random.default_rng(seed)
    sizes = (5, 0, 9)
    return {"objectid": [700108300006498 + k for k in range(3)], "filterid": [1, 2, 3], "fieldid": [700] * 3,
            "objra": [10.5, 10.6, 10.7], "objdec": [41.0, 41.1, 41.2], "nepochs": list(sizes),
            "hmjd": [58300 + np.sort(random.uniform(0, 99, n)) for n in sizes],
            "mag": [random.uniform(18, 19, n).astype("f4") for n in sizes],
            "magerr": [np.full(n, 0.05, "f4") for n in sizes], "clrcoeff": [np.zeros(n, "f4") for n in sizes],
            "catflags": [(np.arange(n) >= 4) * 32768 for n in sizes]}


def write(table: Table | dict, folder: Path, layout: str) -> Path:
    """Write a table as csv, csv.gz, ecsv, ipac, votable, fits, parquet or nested (parquet with a struct of lists)."""
    path = folder / f"ztf.{layout}"
    if layout in ("parquet", "nested"):
        import pyarrow
        import pyarrow.parquet

        columns = dict(table) if isinstance(table, dict) else {name: np.asarray(table[name]) for name in table.colnames}
        columns = {name: list(column) if isinstance(column, list) else column for name, column in columns.items()}
        if layout == "nested":
            inside = {name: columns.pop(name) for name in ("hmjd", "mag", "magerr", "clrcoeff", "catflags")}
            rows = [dict(zip(inside, cells, strict=True)) for cells in zip(*inside.values(), strict=True)]
            columns["lightcurve"] = rows
        pyarrow.parquet.write_table(pyarrow.table(columns), path)
    elif layout == "votable":
        writeto(from_table(table), str(path))
    elif layout == "ipac":
        table.write(path, format="ascii.ipac")
    elif layout == "fits":
        table.write(path, format="fits")
    else:
        table.write(path, format="ascii.ecsv" if layout == "ecsv" else "ascii.csv", delimiter=",")
    return path


def with_gaps(table: Table, column: str, rows: list[int]) -> Table:
    """Leave cells of a column empty."""
    table[column] = MaskedColumn(table[column], mask=np.isin(np.arange(len(table)), rows))
    return table


def alert_schema() -> dict:
    """Give the schema of alert packets: the published names, types and nulls of what light curves need, and one cutout."""
    def maybe(kind: str) -> list[str]:
        return [kind, "null"]

    def record(name: str, types: dict) -> dict:
        return {"type": "record", "name": name, "namespace": "ztf.alert", "version": "3.3",
                "fields": [{"name": key, "type": kind} for key, kind in types.items()]}

    common = {"jd": "double", "fid": "int", "pid": "long", "diffmaglim": maybe("float"), "programid": "int"}
    reference = {"distnr": maybe("float"), "magnr": maybe("float"), "sigmagnr": maybe("float")}
    candidate = record("candidate", {**common, "candid": "long", "isdiffpos": "string", "ra": "double", "dec": "double",
                                     "magpsf": "float", "sigmapsf": "float", **reference})
    earlier = record("prv_candidate", {**common, "candid": maybe("long"), "isdiffpos": maybe("string"), "ra": maybe("double"),
                                       "dec": maybe("double"), "magpsf": maybe("float"), "sigmapsf": maybe("float"),
                                       **reference})
    cutout = record("cutout", {"fileName": "string", "stampData": "bytes"})
    fields = {"schemavsn": "string", "publisher": "string", "objectId": "string", "candid": "long", "candidate": candidate,
              "prv_candidates": [{"type": "array", "items": earlier}, "null"], "cutoutScience": [cutout, "null"]}
    return {**record("alert", fields), "namespace": "ztf"}


def alerts(name: str = "ZTF18abcdefg", seed: int = 3, count: int = 6) -> tuple[list[dict], np.ndarray]:
    """Make the packets of one object, each with those before it and an upper limit, and the true magnitudes of the star.

    The star is in the reference image at magnitude 17, and is seen brighter and fainter than there in g and r.
    """
    random = np.random.default_rng(seed)
    jd = 2458300.7 + np.sort(random.uniform(0, 25, count))
    truth = 17 + np.where(np.arange(count) % 2, 0.4, -0.4) + random.uniform(-0.1, 0.1, count)
    change = 10 ** (-0.4 * truth) - 10 ** (-0.4 * 17.0)
    ra = [359.99999, 0.00001]
    detections = [{"jd": float(jd[k]), "fid": 1 + k % 2, "pid": 5000 + k, "diffmaglim": 20.5, "programid": 1,
                   "candid": 900 + 10 * seed + k, "isdiffpos": ("t" if k % 4 else "1") if change[k] > 0 else "f",
                   "ra": ra[k % 2], "dec": -3.0, "magpsf": float(-2.5 * np.log10(abs(change[k]))), "sigmapsf": 0.05,
                   "distnr": 0.3, "magnr": 17.0, "sigmagnr": 0.02} for k in range(count)]
    limit = {**dict.fromkeys(detections[0]), "jd": float(jd[0]) - 3.0, "fid": 1, "pid": 4999, "diffmaglim": 20.1,
             "programid": 1}
    packets = [{"schemavsn": "3.3", "publisher": "ZTF (www.ztf.caltech.edu)", "objectId": name, "candid": one["candid"],
                "candidate": one, "prv_candidates": [limit, *detections[:k]], "cutoutScience":
                {"fileName": "candid_targ_sci.fits.gz", "stampData": random.bytes(500)}} for k, one in enumerate(detections)]
    return packets, truth


def write_alerts(path: Path, packets: list[dict], schema: dict | None = None) -> Path:
    """Write packets as Avro."""
    import fastavro

    with path.open("wb") as stream:
        fastavro.writer(stream, fastavro.parse_schema(schema or alert_schema()), packets)
    return path
