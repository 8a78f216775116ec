"""Files: every container the archive serves, told by content, exact ids, clear refusals."""

import gzip

import numpy as np
import pytest
from astrofm_gaia.calibration import calibrate, covariance
from astrofm_gaia.instrument import GaiaXP
from gaia_fakes import fake_sampled, fake_table, write

from astrofm.data import collate
from astrofm.errors import ReadError

LAYOUTS = ["csv", "csv.gz", "ecsv", "fits", "fits.gz", "fixed.fits", "xml", "parquet"]


def written(table, folder, layout):
    if layout == "parquet":
        pytest.importorskip("pyarrow")
    return write(table, folder, layout)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_continuous_files_of_every_container_read_alike(table, tmp_path, layout):
    path = written(table, tmp_path, layout)
    expected = calibrate(table)
    assert GaiaXP().claims_file(path)
    spectra = GaiaXP().read(path)
    assert [star.meta["id"] for star in spectra] == [str(item) for item in table["source_id"]]
    assert [star.meta["source_id"] for star in spectra] == table["source_id"]
    for row, star in enumerate(spectra):
        assert np.array_equal(star.mask, expected.mask[row])
        assert np.allclose(star.flux.value, expected.value[row], rtol=1e-6, atol=0)
        assert np.allclose(star.uncertainty.array, expected.error[row], rtol=1e-6, atol=0)
        assert star.flux.unit == GaiaXP.unit
        assert star.meta["ra"] == pytest.approx(table["ra"][row], rel=1e-12)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_sampled_files_of_every_container_read_alike(tmp_path, layout):
    table = fake_sampled(3)
    path = written(table, tmp_path, layout)
    assert GaiaXP().claims_file(path)
    for row, star in enumerate(GaiaXP().read(path)):
        assert star.meta["id"] == str(table["source_id"][row])
        assert np.allclose(star.flux.value, table["flux"][row], rtol=1e-6, atol=0)
        assert np.allclose(star.uncertainty.array, table["flux_error"][row], rtol=1e-6, atol=0)


def test_the_suffix_does_not_matter(table, tmp_path):
    inside = write(table, tmp_path, "csv.gz").rename(tmp_path / "XP.csv")
    plain = write(table, tmp_path, "fits").rename(tmp_path / "XP.csv.gz")
    assert len(GaiaXP().read(inside)) == len(GaiaXP().read(plain)) == 6
    packed = write(table, tmp_path, "fits.gz").rename(tmp_path / "no-suffix")
    assert GaiaXP().claims_file(packed) and len(GaiaXP().read(packed)) == 6


def test_batches_are_what_reading_and_sampling_gives(table, tmp_path):
    paths = [write(table, tmp_path, layout) for layout in ("csv", "fits", "xml")]
    instrument = GaiaXP()
    batches = list(instrument.read_batches(paths, size=4))
    assert [len(batch) for batch in batches] == [4, 4, 4, 4, 2]
    files = [name for batch in batches for name in batch.meta["file"]]
    assert files == [str(path) for path in paths for _ in range(6)]
    slow = collate([instrument.sample(star) for path in paths for star in instrument.read(path)])
    for name in ("value", "error", "mask"):
        quick = np.concatenate([getattr(batch, name) for batch in batches])
        assert np.array_equal(quick, getattr(slow, name))
    assert [i for batch in batches for i in batch.meta["id"]] == slow.meta["id"]


def test_continuous_and_sampled_files_mix_in_one_batch(table, tmp_path):
    (tmp_path / "sampled").mkdir()
    paths = [write(table, tmp_path, "csv"), write(fake_sampled(2), tmp_path / "sampled", "csv")]
    batch, = GaiaXP().read_batches(paths)
    assert len(batch) == 8 and batch.meta["missing"][6:] == [None, None]


def test_a_bad_file_is_reported_and_the_rest_is_read(table, tmp_path):
    good = write(table, tmp_path, "csv")
    bad = tmp_path / "bad.csv"
    bad.write_text(good.read_text()[:30000])
    seen = []
    batches = list(GaiaXP().read_batches([good, bad, good], on_error=lambda *what: seen.append(what)))
    assert sum(map(len, batches)) == 12
    assert [path for path, _ in seen] == [bad] and isinstance(seen[0][1], ReadError)
    with pytest.raises(ReadError, match="bad.csv"):
        list(GaiaXP().read_batches([good, bad]))


def test_a_large_file_is_read_a_block_at_a_time(tmp_path):
    path = write(fake_table(70, no_bp=[66]), tmp_path, "csv")
    text = path.read_text()
    path.write_text(text[:-20000])
    batches = GaiaXP().read_batches([path], size=16)
    assert [len(next(batches)) for _ in range(4)] == [16] * 4
    with pytest.raises(ReadError, match="beyond row 64"):
        next(batches)


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("keep", [0.0, 0.01, 0.3, 0.7, 0.97])
def test_truncated_files_are_refused_in_words(table, tmp_path, layout, keep):
    path = written(table, tmp_path, layout)
    whole = path.read_bytes()
    path.write_bytes(whole[:int(len(whole) * keep)])
    with pytest.raises(ReadError, match="XP"):
        GaiaXP().read(path)


def test_strangers_are_not_claimed(tmp_path):
    flux = fake_sampled(1)
    tables = {"epochs": {**flux, "transit_id": [1], "band": ["G"]},
              "other grid": {**flux, "wl": [np.arange(343)]},
              "scalars": {"source_id": [1], "flux": [2.0], "flux_error": [3.0]},
              "short": {"source_id": [1], "flux": [np.ones(60)], "flux_error": [np.ones(60)]}}
    for layout in ("csv", "fits", "ecsv"):
        for what, table in tables.items():
            if layout == "fits" and what == "epochs":
                table = {**flux, "transit_id": [1]}
            folder = tmp_path / f"{layout} {what}"
            folder.mkdir()
            path = write(table, folder, layout)
            assert not GaiaXP().claims_file(path) or (layout, what) == ("fits", "short")
            with pytest.raises(ReadError, match="XP"):
                GaiaXP().read(path)


@pytest.mark.parametrize(("content", "says"), [
    (b"", "is empty"),
    (gzip.compress(b""), "is empty"),
    (b"<html><body>404 Not Found</body></html>", "the download failed"),
    (b"PK\x03\x04rest", "unzip it"),
    (b"\x1f\x8bnot gzip at all", "cannot read"),
    (b"source_id,ra,dec\n1,2,3\n", "no XP spectrum"),
    (b"\x00\x01\x02\x03" * 100, "neither FITS"),
])
def test_what_is_no_xp_file_is_refused_in_words(tmp_path, content, says):
    path = tmp_path / "XP.csv"
    path.write_bytes(content)
    assert not GaiaXP().claims_file(path)
    with pytest.raises(ReadError, match=says):
        GaiaXP().read(path)


def test_folders_and_absent_files_are_not_claimed(tmp_path):
    assert not GaiaXP().claims_file(tmp_path)
    assert not GaiaXP().claims_file(tmp_path / "nothing.csv")
    with pytest.raises(ReadError, match="cannot read"):
        GaiaXP().read(tmp_path / "nothing.csv")


@pytest.mark.parametrize("broken", ["5.853498713190525696e18", "5853498713190525696.0", "", "12abc"])
def test_ids_that_lost_digits_are_refused(tmp_path, broken):
    table = fake_sampled(2)
    table["source_id"][1] = broken
    with pytest.raises(ReadError, match="source_id in row 1"):
        GaiaXP().read(write(table, tmp_path, "csv"))


def test_text_that_is_no_number_is_refused_by_row(tmp_path):
    path = write(fake_sampled(3), tmp_path, "csv")
    lines = path.read_text().splitlines()
    lines[2] = lines[2].replace(",", ",x", 40)
    path.write_text("\n".join(lines))
    with pytest.raises(ReadError, match="row 1"):
        GaiaXP().read(path)


def test_nan_pixels_of_sampled_spectra_are_masked_and_counted(tmp_path):
    table = fake_sampled(2)
    table["flux"][1][5:9] = np.nan
    table["flux_error"][1][20] = 0
    for layout in ("csv", "fits"):
        star = GaiaXP().read(write(table, tmp_path, layout))[1]
        assert np.flatnonzero(star.mask).tolist() == [5, 6, 7, 8, 20]
        assert star.meta["n_bad"] == 5


def test_numbers_beyond_single_precision_are_masked(tmp_path):
    table = fake_sampled(1)
    for name in ("flux", "flux_error"):
        table[name][0] = table[name][0].astype(float)
    table["flux"][0][7], table["flux_error"][0][9], table["flux_error"][0][11] = 1e60, 1e60, 1e-60
    star, = GaiaXP().read(write(table, tmp_path, "csv"))
    assert np.flatnonzero(star.mask).tolist() == [7, 9, 11]
    assert np.flatnonzero(GaiaXP().sample(star).mask).tolist() == [7, 9, 11]


def test_spectra_carry_what_their_covariance_needs(table, tmp_path):
    star = GaiaXP().read(write(table, tmp_path, "csv"))[0]
    matrix = covariance(star.meta["coefficients"])
    assert np.allclose(np.sqrt(np.diag(matrix)), star.uncertainty.array, rtol=1e-6, atol=0)
    assert "coefficients" not in GaiaXP().sample(star).meta


def test_the_archives_own_sampling_is_ours(shared_data):
    folder = shared_data / "gaia-xp"
    ours = GaiaXP().read(folder / "XP_CONTINUOUS_RAW.csv")
    archive = GaiaXP().read(folder / "XP_SAMPLED_RAW_dr3int6.csv")
    for one, other in zip(ours, archive, strict=True):
        assert np.abs((one.flux - other.flux) / other.uncertainty.quantity).max() < 1e-3
        assert np.allclose(one.uncertainty.array, other.uncertainty.array, rtol=1e-4, atol=0)


def test_every_real_file_is_claimed_or_refused(shared_data):
    folder = shared_data / "gaia-xp"
    counts = {"18Sco-XP-spectra.csv": 1, "XP_CONTINUOUS_RAW_colour_eq_dr3int6.csv": 3,
              "XP_SAMPLED_RAW_dr3int6.ecsv": 2}
    for name, count in counts.items():
        assert GaiaXP().claims_file(folder / name) and len(GaiaXP().read(folder / name)) == count
    for name in ("SPSS_2nm.csv", "sources.avro", "xp_sampled_hot_subdwarfs_2815.npz"):
        assert not GaiaXP().claims_file(folder / name)
        with pytest.raises(ReadError):
            GaiaXP().read(folder / name)


def test_parquet_of_real_spectra_is_read(shared_data):
    pytest.importorskip("pyarrow")
    batch, = GaiaXP().read_batches([shared_data / "gaia-xp" / "sky" / "gaia_spectra_file_ddf_v0.parquet"])
    assert len(batch) == 30 and not batch.mask.any()
