"""Epoch photometry: every layout and container the same, rejected transits masked, archives, damage."""

import numpy as np
import pytest
from astropy.time import Time
from epoch_fakes import G_REJECTED, NO_BP, REJECTED, SOURCE, by_band, pack, raw, transits, vizier, write
from gaia_fakes import fake_sampled
from gaia_fakes import write as write_xp

import astrofm
from astrofm.data import collate
from astrofm.errors import ReadError
from astrofm.registry import get_instrument, identify
from astrofm.testing import LightCurveInstrumentTests

CONTAINERS = ["csv", "ecsv", "votable", "fits", "parquet"]
LAYOUTS = {"a row a transit": lambda table: table, "a row a band": by_band, "arrays": raw, "VizieR": vizier}


class TestGaiaEpoch(LightCurveInstrumentTests):
    name = "gaia-epoch"


@pytest.fixture
def instrument():
    return get_instrument("gaia-epoch")


def written(table, folder, layout):
    if layout == "parquet":
        pytest.importorskip("pyarrow")
    return write(table, folder, layout)


@pytest.mark.parametrize("container", CONTAINERS)
@pytest.mark.parametrize("layout", LAYOUTS)
def test_every_layout_of_every_container_reads_alike(layout, container, tmp_path, instrument):
    table = transits()
    path = written(LAYOUTS[layout](table), tmp_path, container)
    assert identify(path) == "gaia-epoch"
    star, = astrofm.read(path)
    assert star.meta["id"] == str(SOURCE) and star.meta["source_id"] == SOURCE
    sample = instrument.sample(star)
    assert len(sample) == 35 and sample.meta["n_bad"] == 4, "12 in 3 bands, BP missing once; rejected: G, all"
    days = Time(2455197.5, table["g_transit_time"], format="jd", scale="tcb").tdb.jd
    assert sample.meta["first_time"] == pytest.approx(days[0], abs=1e-8)
    rejected_of = {"g_transit": [G_REJECTED, REJECTED], "bp": [NO_BP, REJECTED], "rp": [REJECTED]}
    for place, (name, rejected) in enumerate(rejected_of.items()):
        good = ~np.isin(np.arange(12), rejected)
        mine = (sample.band == place) & ~sample.mask
        np.testing.assert_allclose(sample.value[mine], table[f"{name}_flux"][good], rtol=1e-6)
        np.testing.assert_allclose(sample.error[mine], table[f"{name}_flux_error"][good], rtol=1e-5)
        late = 0 if place == 0 else 3e-4
        np.testing.assert_allclose(sample.coordinate[mine], days[good] - days[0] + late, atol=1e-6)


def test_files_of_many_sources_give_each_in_order(tmp_path, instrument):
    from astropy.table import vstack

    tables = [transits(SOURCE + k, 5 + k, k) for k in range(3)]
    for k, made in enumerate((vstack(tables[::-1]), by_band(vstack(tables[::-1])), raw(*tables[::-1]))):
        folder = tmp_path / str(k)
        folder.mkdir()
        stars = instrument.read(write(made, folder, "csv"))
        assert [star.meta["source_id"] for star in stars] == [SOURCE + 2, SOURCE + 1, SOURCE]
        assert [len(star) for star in stars] == [3 * 7 - 1, 3 * 6 - 1, 3 * 5 - 1]
        batch, = instrument.read_batches([folder / write(made, folder, "csv").name])
        assert len(batch) == 3 and batch.meta["source_id"][2] == SOURCE


def test_archives_of_datalink_are_read_and_what_is_no_photometry_left_alone(tmp_path, instrument):
    paths = []
    for k in range(2):
        folder = tmp_path / str(k)
        folder.mkdir()
        paths.append(write(transits(SOURCE + k), folder, "votable" if k else "csv"))
    paths[1] = paths[1].rename(paths[1].with_name(f"EPOCH_PHOTOMETRY-Gaia DR3 {SOURCE + 1}.xml"))
    archive = pack([*paths, write_xp(fake_sampled(1), tmp_path, "csv")], tmp_path / "datalink")
    assert identify(archive) == "gaia-epoch"
    assert [star.meta["source_id"] for star in astrofm.read(archive)] == [SOURCE, SOURCE + 1]
    batch, = instrument.read_batches([archive])
    single = collate([instrument.sample(star) for star in astrofm.read(archive)])
    np.testing.assert_array_equal(batch.value, single.value)
    np.testing.assert_allclose(batch.coordinate, single.coordinate, rtol=0, atol=1e-12)


def test_a_table_without_source_ids_takes_the_one_in_its_name(tmp_path, instrument):
    table = transits()
    table.remove_columns(["solution_id", "source_id"])
    path = write(table, tmp_path, "csv")
    assert instrument.read(path)[0].meta["id"] == str(SOURCE)
    assert instrument.read(pack([path], tmp_path / "a.zip"))[0].meta["source_id"] == SOURCE
    assert instrument.read(path.rename(tmp_path / "nameless"))[0].meta["id"] == ""


def test_magnitudes_of_the_archive_are_its_fluxes(instrument):
    table = by_band(transits())
    star = astrofm.light_curve(table, time="time", mag="mag", error="flux_error", band="band",
                               epoch=Time(2455197.5, format="jd", scale="tcb"), instrument="gaia-epoch")
    star["mag_err"] = 0.004 * 2.5 / np.log(10) * star["mag"].unit
    sample = instrument.sample(star)
    g = sample.band == 0
    flux = table["flux"][table["band"] == "G"] * 10 ** (-0.4 * (25.7 - 25.6873668671))
    np.testing.assert_allclose(sample.value[g], flux, rtol=1e-5)
    np.testing.assert_allclose(sample.error[g] / sample.value[g], 0.004, rtol=1e-4)


def test_errors_may_be_said_as_signal_to_noise(tmp_path, instrument):
    table = transits()
    table.remove_columns([f"{name}_flux_error" for name in ("g_transit", "bp", "rp")])
    sample = instrument.sample(instrument.read(write(table, tmp_path, "csv"))[0])
    np.testing.assert_allclose(sample.error[~sample.mask] / sample.value[~sample.mask], 0.004, rtol=1e-4)


def test_negative_fluxes_of_faint_stars_are_kept(tmp_path, instrument):
    table = transits()
    table["bp_flux"][0] = -12.5
    sample = instrument.sample(instrument.read(write(table, tmp_path, "fits"))[0])
    assert sample.value.min() == np.float32(-12.5)


@pytest.mark.parametrize("container", CONTAINERS)
@pytest.mark.parametrize("keep", [0.02, 0.4, 0.8, 0.97])
def test_truncated_files_are_refused_in_words(container, keep, tmp_path, instrument):
    path = written(raw(transits()) if container == "csv" else transits(), tmp_path, container)
    path.write_bytes(path.read_bytes()[:int(path.stat().st_size * keep)])
    try:
        star, = instrument.read(path)
    except ReadError as error:
        assert path.name in str(error)
    else:
        assert container == "ecsv" and len(star) < 35, "a text table that ends between two lines, or inside its last number"


@pytest.mark.parametrize("container", ["csv", "votable", "fits", "parquet"])
def test_damaged_bytes_are_refused_in_words_or_read(container, tmp_path, instrument):
    random, path = np.random.default_rng(6), written(transits(), tmp_path, container)
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


TRANSIT = b"source_id,g_transit_time,g_transit_flux,g_transit_flux_error\n"


@pytest.mark.parametrize(("content", "message"), [
    (b"", "is empty"), (b"<html>404</html>", "web page"), (b"PK\x03\x04rest", "cannot read"),
    (b"a,b\n1,2\n", "no epoch photometry"),
    (TRANSIT + b"", "holds no transits"),
    (TRANSIT + b"1.42e18,1736.2,5648.3,16.2\n", "lost its digits"),
    (b"source_id,transit_id,band,time,flux,flux_error\n14,1,U,1736.2,5648.3,16.2\n", "no band 'U'"),
    (TRANSIT + b"14,\"(1736.2,1737)\",\"(5648.3)\",\"(16.2,3)\"\n", "other lengths"),
    (TRANSIT + b"14,\"(1736.2,1737\",\"(5648.3)\",\"(16.2,3)\"\n", "no closed array"),
    (TRANSIT + b"14,2457000.5,5648.3,16.2\n", "under another name"),
])
def test_what_is_no_epoch_photometry_is_refused_in_words(content, message, tmp_path, instrument):
    path = tmp_path / "epoch.csv"
    path.write_bytes(content)
    with pytest.raises(ReadError, match=message) as caught:
        instrument.read(path)
    assert "epoch.csv" in str(caught.value)


def test_damaged_archives_and_members_are_named(tmp_path, instrument):
    path = write(transits(), tmp_path, "csv")
    archive = pack([path], tmp_path / "a.zip")
    whole = archive.read_bytes()
    archive.write_bytes(whole[:len(whole) // 2])
    with pytest.raises(ReadError, match="a.zip"):
        instrument.read(archive)
    harmed = bytearray(whole)
    harmed[400] ^= 0xFF
    archive.write_bytes(bytes(harmed))
    with pytest.raises(ReadError, match="a.zip"):
        instrument.read(archive)
    path.write_text(path.read_text()[:-30])
    with pytest.raises(ReadError, match=r"a.zip\[EPOCH_PHOTOMETRY"):
        instrument.read(pack([path], archive))


def test_spectra_are_the_other_instruments(tmp_path, instrument):
    xp, epochs = write_xp(fake_sampled(2), tmp_path, "csv"), write(transits(), tmp_path, "csv")
    assert identify(xp) == "gaia-xp" and identify(epochs) == "gaia-epoch"
    assert not instrument.claims_file(pack([xp], tmp_path / "xp.zip"))
    with pytest.raises(ReadError, match="holds no epoch photometry, but XP"):
        instrument.read(tmp_path / "xp.zip")


def test_the_real_transits_of_a_white_dwarf(shared_data, instrument):
    path, = (shared_data / "gaia-epoch").glob("*_first8.csv")
    star, = astrofm.read(path)
    sample = instrument.sample(star)
    assert (len(sample), sample.meta["n_bad"], sample.meta["source_id"]) == (22, 2, 1420761029600606592)
    assert sample.value[~sample.mask].max() < 6500, "BP and RP of one transit are 40 times too bright, and rejected"
    g = (sample.band == 0) & ~sample.mask
    magnitude = instrument.zero_points["G"] - 2.5 * np.log10(sample.value[g])
    np.testing.assert_allclose(magnitude[:2], [16.307553, 16.197283], atol=2e-5)


def test_real_archives_without_photometry_say_what_is_in_them(shared_data, instrument):
    for path in sorted((shared_data / "gaia-epoch").glob("*.zip")):
        assert not instrument.claims_file(path)
        with pytest.raises(ReadError, match="holds no epoch photometry, but MCMC_MSC"):
            instrument.read(path)
