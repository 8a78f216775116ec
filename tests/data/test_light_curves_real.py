"""Real light curves of surveys without a plugin, as plain tables: every star is sampled, and nothing is lost."""

import io
import tarfile

import numpy as np
import pytest
from astropy import units as u
from astropy.time import Time

import astrofm
from astrofm.data import collate, split_by_length
from astrofm.testing import FakePhotometer


class Johnson(FakePhotometer):
    bands = ("V",)
    band_names, zero_points = {}, {}
    unit = u.mag


class Sloan(Johnson):
    bands = ("u", "g", "r", "i", "z")


def rows_of_lists(path, *names):
    table = pytest.importorskip("pyarrow.parquet").read_table(path)
    return zip(*(table[name].to_pylist() for name in names), strict=True)


def test_asas_light_curves_in_text(shared_data):
    with tarfile.open(shared_data / "asas" / "light_curves.tar.gz") as archive:
        members = [member for member in archive.getmembers() if member.name.endswith(".dat")][:60]
        tables = [np.loadtxt(io.BytesIO(archive.extractfile(member).read()), delimiter=",") for member in members]
    samples = []
    for member, table in zip(members, tables, strict=True):
        star = astrofm.light_curve({"t": table[:, 0], "m": table[:, 1], "e": table[:, 2]}, time="t", mag="m", error="e",
                                   epoch=Time(2450000, format="jd", scale="utc"), id=member.name)
        samples.append(Johnson().sample(star))
    assert sum(map(len, samples)) == sum(map(len, tables))
    assert all((~sample.mask).mean() > 0.9 and 5 < np.median(sample.value[~sample.mask]) < 16 for sample in samples)
    parts = list(split_by_length(collate(samples)))
    assert sorted(np.concatenate([rows for rows, _ in parts]).tolist()) == list(range(60))
    used = sum((~part.mask).sum() for _, part in parts) / sum(part.value.size for _, part in parts)
    assert used > 0.75, "buckets waste little on padding"


def test_asas_and_hipparcos_light_curves_as_lists(shared_data):
    asas = list(rows_of_lists(shared_data / "asas" / "acvs_light_curves.parquet", "asas_id", "hjd", "vmag", "vmag_err"))[:200]
    for name, time, magnitude, error in asas:
        star = astrofm.light_curve({"t": time, "m": magnitude, "e": error}, time="t", mag="m", error="e", format="jd",
                                   scale="utc", id=name)
        sample = Johnson().sample(star)
        assert len(sample) == len(time) and sample.meta["id"] == name and (np.diff(sample.coordinate) >= 0).all()
    rows = list(rows_of_lists(shared_data / "hipparcos-ogle" / "light_curves.parquet", "survey", "time", "mag", "magerr"))
    hipparcos = [row for row in rows if row[0].startswith("HIPPARCOS")][:200]
    for _, time, magnitude, error in hipparcos:
        table = {"t": time, "m": magnitude, "e": error}
        star = astrofm.light_curve(table, time="t", mag="m", error="e", epoch=Time(2440000, format="jd", scale="tdb"))
        assert 1989.8 < Time(Johnson().sample(star).meta["first_time"], format="jd").jyear < 1993.3


def test_rr_lyrae_of_stripe_82_have_a_time_of_their_own_in_each_band(shared_data):
    with tarfile.open(shared_data / "rr-lyrae" / "S82_RRLyr_table1.tar.gz") as archive:
        members = [member for member in archive.getmembers() if member.name.endswith(".dat")][:40]
        tables = [np.loadtxt(io.BytesIO(archive.extractfile(member).read())) for member in members]
    blank = 0
    for table in tables:
        long = {"t": table[:, 2::3].ravel(), "m": table[:, 3::3].ravel(), "e": table[:, 4::3].ravel(),
                "b": np.tile(list("ugriz"), len(table))}
        star = astrofm.light_curve(long, time="t", mag="m", error="e", band="b", format="mjd", scale="tai")
        sample = Sloan().sample(star)
        none = (np.abs(long["m"]) > 90) | (long["e"] > 9)  # the table writes -99.99 and 99.999 where it has nothing
        blank += int(none.sum())
        assert sample.meta["n_bad"] == none.sum() + sample.meta["n_duplicate"] and len(sample) == len(none)
        assert set(sample.band.tolist()) == {0, 1, 2, 3, 4}
        g = sample.value[(sample.band == 1) & ~sample.mask]
        assert 0.2 < np.percentile(g, 95) - np.percentile(g, 5) < 2, "RR Lyrae vary by as much in g"
    assert blank > 100
