"""ZTF: tables of every layout and container, stars of several object ids, flags, damage."""

import gzip
import sys
from pathlib import Path

import numpy as np
import pytest
from astropy import units as u
from astropy.time import Time

import astrofm
from astrofm.data import collate
from astrofm.errors import DataError, ReadError
from astrofm.registry import get_instrument, identify
from astrofm.testing import FakePhotometer, LightCurveInstrumentTests

sys.path.insert(0, str(Path(__file__).parent))
from ztf_fakes import OIDS, alerce, irsa, release, with_gaps, write  # noqa: E402

CONTAINERS = ["csv", "ecsv", "ipac", "votable", "fits", "parquet"]


class TestZtf(LightCurveInstrumentTests):
    name = "ztf"


@pytest.fixture
def instrument():
    return get_instrument("ztf")


def written(table, folder, layout):
    if layout in ("parquet", "nested"):
        pytest.importorskip("pyarrow")
    return write(table, folder, layout)


def read_parquet(path):
    table = pytest.importorskip("pyarrow.parquet").read_table(path)
    return {name: table[name].to_numpy() for name in table.column_names}


@pytest.mark.parametrize("layout", CONTAINERS)
def test_irsa_tables_of_every_container_read_alike(layout, tmp_path, instrument):
    table = irsa()
    path = written(table, tmp_path, layout)
    assert identify(path) == "ztf"
    stars = astrofm.read(path)
    assert [star.meta["id"] for star in stars] == ["796110100002210", "796110100005555"]
    first = table[table["oid"] != 796110100005555]
    np.testing.assert_allclose(stars[0]["mag"].value, first["mag"], rtol=1e-6)
    assert stars[0]["band"].tolist() == [OIDS[oid][1] for oid in first["oid"]]
    assert stars[0]["mask"].tolist() == (first["catflags"] >= 32768).tolist()
    assert stars[0].meta["oids"] == " ".join(str(oid) for oid in OIDS if oid != 796110100005555)
    assert stars[0].meta["ra"] == pytest.approx(261.02558, abs=1e-4) and stars[0].meta["time_reference"] == "heliocentric"
    sample = instrument.sample(stars[0])
    assert sorted(set(sample.band.tolist())) == [0, 1, 2] and sample.meta["n_bad"] == 4 and sample.meta["n_unsorted"] > 0
    truth = Time(first["hjd"], format="jd", scale="utc").tdb.jd
    assert sample.meta["first_time"] == pytest.approx(truth.min(), abs=1e-8)
    assert sample.coordinate[-1] == pytest.approx(np.ptp(truth), abs=1e-8)


def test_without_positions_each_object_id_is_a_star(tmp_path, instrument):
    table = irsa()
    table.remove_columns(["ra", "dec"])
    assert [star.meta["id"] for star in instrument.read(write(table, tmp_path, "csv"))] == [str(oid) for oid in OIDS]
    table = with_gaps(with_gaps(irsa(), "ra", list(range(12))), "dec", list(range(12)))
    assert len(instrument.read(write(table, tmp_path, "votable"))) == 3, "an id without a position is a star of its own"


def test_without_heliocentric_times_the_observers_are_taken(tmp_path, instrument):
    table = irsa()
    table.remove_column("hjd")
    star = instrument.read(write(table, tmp_path, "csv"))[0]
    assert star.meta["time_reference"] == "observer"
    assert star.time[0].utc.mjd == pytest.approx(table["mjd"][0], abs=1e-8)


def test_detections_that_come_twice_count_once(tmp_path, instrument):
    for layout in ("csv", "parquet"):
        stars = instrument.read(written(alerce(), tmp_path, layout))
        assert [star.meta["id"] for star in stars] == ["ZTF17aaaemke", "ZTF17aaaadjh"]
        sample = instrument.sample(stars[0])
        assert (len(sample), sample.meta["n_duplicate"]) == (40, 18)
        assert sample.meta["n_bad"] == 18 + 4, "two that are dubious or not corrected, each twice"
        assert (sample.error[~sample.mask] == np.float32(0.025)).all(), "the error of 100 is no error"
        assert sorted(sample.band[~sample.mask].tolist()).count(0) == 9


def test_alerce_columns_of_2024_are_known(tmp_path, instrument):
    table = alerce()
    table.rename_columns(["magpsf_corr", "sigmapsf_corr_ext"], ["mag_corr", "e_mag_corr_ext"])
    table["fid"] = np.where(table["fid"] == 1, "g", "r")
    assert len(instrument.read(write(table, tmp_path, "csv"))) == 2


@pytest.mark.parametrize("layout", ["parquet", "nested"])
def test_rows_of_data_releases_are_stars_even_empty_ones(layout, tmp_path, instrument):
    made = release()
    path = written(made, tmp_path, layout)
    assert identify(path) == "ztf"
    stars = instrument.read(path)
    assert [(star.meta["id"], len(star)) for star in stars] == [("700108300006498", 5), ("700108300006499", 0),
                                                                ("700108300006500", 9)]
    assert set(stars[2]["band"]) == {"i"} and stars[0]["mask"].tolist() == [False] * 4 + [True]
    batch, = instrument.read_batches([path])
    assert batch.meta["n_points"] == [5, 0, 9] and batch.mask[1].all() and batch.meta["ra"] == [10.5, 10.6, 10.7]
    np.testing.assert_allclose(batch.value[2][~batch.mask[2]], made["mag"][2][:4], rtol=1e-6)
    with pytest.raises(DataError, match="holds no points"):
        instrument.sample(stars[1])


@pytest.mark.parametrize("make", [irsa, alerce])
def test_bulk_and_single_reading_agree(make, tmp_path, instrument):
    path = write(make(), tmp_path, "csv")
    batch, = instrument.read_batches([path])
    single = collate([instrument.sample(star) for star in astrofm.read(path)])
    for name in ("value", "error", "mask", "band"):
        np.testing.assert_array_equal(getattr(single, name), getattr(batch, name))
    np.testing.assert_allclose(single.coordinate, batch.coordinate, rtol=0, atol=1e-12)
    assert {key: list(column) for key, column in batch.meta.items()} == {key: list(c) for key, c in single.meta.items()}


def test_missing_cells_are_masked_points(tmp_path, instrument):
    table = with_gaps(with_gaps(with_gaps(irsa(), "mag", [0]), "catflags", [1]), "hjd", [2])
    for layout in ("csv", "votable"):
        star = instrument.read(write(table, tmp_path, layout))[0]
        sample = instrument.sample(star)
        assert sample.meta["n_no_time"] == 1 and sample.meta["n_bad"] == 4 + 3


def test_a_packed_file_of_any_name_is_known(tmp_path, instrument):
    packed = tmp_path / "download?id=3"
    packed.write_bytes(gzip.compress(write(irsa(), tmp_path, "csv").read_bytes()))
    assert identify(packed) == "ztf" and len(instrument.read(packed)) == 2


@pytest.mark.parametrize(("content", "message"), [
    (b"", "is empty"), (b"<html><body>404</body></html>", "web page"), (b"PK\x03\x04rest", "zip archive"),
    (b"a,b\n1,2\n", "no table of ZTF light curves"), (b"\x00\x01\x02" * 99, "is no table"),
    (b"oid,fid,mjd,magpsf,sigmapsf\nZTF1,1,58000,17,0.1\n", "brightness of a difference"),
    (b"oid,mjd,mag,magerr,catflags,filtercode\n", "holds no measurements"),
    (b"oid,mjd,mag,magerr,catflags,filtercode\n7.961e14,58200.1,16,0.1,0,zg\n", "lost digits"),
    (b"oid,mjd,mag,magerr,catflags,filtercode\n79611,58200.1,16,0.1,0,zu\n", "no band 'zu'"),
    (b"oid,mjd,mag,magerr,catflags,filtercode\n79611,2458200.1,16,0.1,0,zg\n", "under another name"),
    (b"oid,mjd,mag,magerr,catflags,filtercode\n79611,58200.1,16,0.1,0,zg\n79611,582", "download complete"),
])
def test_what_is_no_light_curve_is_refused_in_words(content, message, tmp_path, instrument):
    path = tmp_path / "ztf.csv"
    path.write_bytes(content)
    with pytest.raises(ReadError, match=message) as caught:
        instrument.read(path)
    assert "ztf.csv" in str(caught.value)


@pytest.mark.parametrize("layout", ["ipac", "votable", "fits", "parquet"])
@pytest.mark.parametrize("keep", [0.02, 0.3, 0.7, 0.95])
def test_truncated_files_are_refused_or_say_nothing_wrong(layout, keep, tmp_path, instrument):
    path = written(irsa(), tmp_path, layout)
    whole = instrument.read(path)[0]
    path.write_bytes(path.read_bytes()[:int(path.stat().st_size * keep)])
    try:
        stars = instrument.read(path)
    except ReadError as error:
        assert "ztf." in str(error)
    else:  # a text table that ends between two lines
        assert layout == "ipac" and np.array_equal(stars[0]["mag"][:3], whole["mag"][:3])


@pytest.mark.parametrize("container", ["csv", "ipac", "votable", "fits", "parquet"])
def test_damaged_bytes_are_refused_in_words_or_read(container, tmp_path, instrument):
    random, path = np.random.default_rng(6), written(irsa(), tmp_path, container)
    data, outcomes = np.frombuffer(path.read_bytes(), np.uint8), set()
    for _ in range(40):
        harmed = data.copy()
        harmed[random.integers(0, len(data), 3)] = random.integers(0, 256, 3)
        path.write_bytes(harmed.tobytes())
        try:
            batches = list(instrument.read_batches([path]))
        except ReadError as error:
            outcomes.add("refused")
            assert path.name in str(error)
        else:
            outcomes.add("read")
            assert all(np.isfinite(batch.value).all() and (batch.error[~batch.mask] > 0).all() for batch in batches)
    assert "refused" in outcomes


def test_plain_tables_of_the_same_star_sample_alike(tmp_path, instrument):
    table = irsa()[:12]
    star = astrofm.light_curve(table, time="hjd", mag="mag", error="magerr", band="filtercode", format="jd", scale="utc",
                               instrument="ztf", id="mine")
    ours = instrument.sample(instrument.read(write(table, tmp_path, "fits"))[0])
    theirs = instrument.sample(star)
    np.testing.assert_array_equal(ours.value[~ours.mask], theirs.value[~ours.mask])
    np.testing.assert_allclose(ours.coordinate, theirs.coordinate, atol=1e-9)


def test_the_real_table_of_irsa(shared_data, instrument):
    path, = (shared_data / "ztf").glob("ztf_irsa_*.csv")
    star, = astrofm.read(path)
    assert star["mask"].tolist() == [False] * 3 + [True] + [False] * 4
    sample = instrument.sample(star)
    assert sample.meta["n_bad"] == 1 and 16.1 < sample.value[~sample.mask].min() < 16.2
    assert sample.meta["first_time"] - 2458203.8948487411 == pytest.approx(69.18 / 86400, abs=1e-5), "UTC to TDB in 2018"


def test_the_real_detections_of_alerce_are_there_twice(shared_data, instrument):
    pytest.importorskip("pyarrow")
    path = shared_data / "ztf" / "detections_sample.parquet"
    batch, = instrument.read_batches([path])
    assert len(batch) == 10 and sum(batch.meta["n_points"]) == 2586 and sum(batch.meta["n_duplicate"]) == 1285
    assert (~batch.mask).sum() == 2586 - sum(batch.meta["n_bad"])
    assert 12 < batch.value[~batch.mask].min() and batch.value[~batch.mask].max() < 18


def test_the_real_data_release_is_read_whole(shared_data, instrument):
    pytest.importorskip("pyarrow")
    path = shared_data / "ztf" / "ztf_dr3_zr400_1000.parquet"
    batches = list(instrument.read_batches([path]))
    assert sum(map(len, batches)) == 999 and {batch.value.shape[1] for batch in batches} == {400}
    assert not any(batch.mask.any() for batch in batches) and all((batch.band == 1).all() for batch in batches)
    table = read_parquet(path)
    np.testing.assert_allclose(batches[3].value[5], table["mag"][3 * 256 + 5], rtol=1e-6)
    assert batches[0].coordinate[7, -1] == pytest.approx(np.ptp(table["mjd"][7]), abs=1e-6)


def test_real_light_curves_of_other_surveys_are_not_claimed_and_go_by_plain_tables(shared_data, instrument):
    pytest.importorskip("pyarrow")
    path = shared_data / "ztf" / "elasticc_400_light_curves.parquet"
    assert not instrument.claims_file(path) and not instrument.claims_file(shared_data / "ztf" / "features_sample.parquet")

    class Lsst(FakePhotometer):
        bands = ("u", "g", "r", "i", "z", "Y")
        band_names = {}

    stars = astrofm.light_curves(read_parquet(path), id="SNID", time="MJD", flux="FLUXCAL", error="FLUXCALERR", band="BAND",
                                 format="mjd", scale="utc")
    assert len(stars) == 400
    samples = [Lsst().sample(star) for star in stars]
    assert sum(map(len, samples)) == 23860 and min(sample.value.min() for sample in samples) < 0
    assert samples[0].meta["unit"] == "" and stars[0]["flux"].unit == u.one
