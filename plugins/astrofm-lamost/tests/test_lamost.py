"""LAMOST files of every release are read, in bulk and one by one."""

import gzip
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits
from specutils import SpectrumList

import astrofm
from astrofm.compat import Spectrum
from astrofm.errors import ReadError
from astrofm.registry import get_instrument, identify
from astrofm.testing import InstrumentTests

sys.path.insert(0, str(Path(__file__).parent))
from lamost_fakes import LAYOUTS, arrays, image, pilot, table  # noqa: E402

BAD = [5, 6, 7, 8, 20, 21, 22]


class TestLamostLRS(InstrumentTests):
    """The promises of every instrument."""

    name = "lamost-lrs"


@pytest.fixture
def instrument():
    return get_instrument("lamost-lrs")


@pytest.mark.parametrize("write", LAYOUTS.values(), ids=LAYOUTS)
def test_every_layout_gives_the_same_star(write, tmp_path, instrument):
    star, = astrofm.read(write(tmp_path / "spec.fits"))
    flux, ivar, wave, _, _ = arrays()
    np.testing.assert_allclose(star.spectral_axis.value, wave, rtol=1e-12)
    np.testing.assert_allclose(star.flux.value, flux, rtol=1e-6)
    np.testing.assert_allclose(star.uncertainty.array, ivar, rtol=1e-6)
    assert np.flatnonzero(star.mask).tolist() == BAD
    assert star.flux.unit == "" and star.meta["calibration"] == "relative"
    assert (star.meta["ra"], star.meta["dec"], star.meta["subclass"], star.meta["snr_g"]) == (10.5, -3.25, "G2", 33.0)
    assert star.meta["id"] == ("spec-55555-FAKE_sp01-001" if write is pilot else "12345")
    assert star.fm.instrument == "lamost-lrs"


@pytest.mark.parametrize("write", LAYOUTS.values(), ids=LAYOUTS)
def test_bulk_and_single_reading_agree_to_the_bit(write, tmp_path, instrument):
    path = write(tmp_path / "spec.fits")
    batch, = instrument.read_batches([path, path])
    one, many = instrument.sample(instrument.read(path)[0]), batch.sample(1)
    for name in ("coordinate", "value", "error", "mask"):
        np.testing.assert_array_equal(getattr(one, name), getattr(many, name))
    assert {key: one.meta[key] for key in many.meta} == dict(many.meta)


@pytest.mark.parametrize("name", ["spec.fits.gz", "spec.fits", "download?id=3", "spec"])
def test_gzip_is_told_by_its_bytes_whatever_the_name(name, tmp_path):
    plain = table(tmp_path / "plain.fits")
    path = tmp_path / name
    path.write_bytes(gzip.compress(plain.read_bytes()))
    assert identify(path) == "lamost-lrs"
    np.testing.assert_array_equal(astrofm.read(path)[0].flux.value, astrofm.read(plain)[0].flux.value)


def test_gzip_in_several_members_is_one_file(tmp_path):
    data = image(tmp_path / "plain.fits").read_bytes()
    path = tmp_path / "spec.fits.gz"
    path.write_bytes(gzip.compress(data[:30000]) + gzip.compress(data[30000:]))
    np.testing.assert_array_equal(astrofm.read(path)[0].flux.value, astrofm.read(tmp_path / "plain.fits")[0].flux.value)


def test_rows_may_be_named_one_by_one(tmp_path, instrument):
    rows = {f"ROW{k}": word for k, word in enumerate(("Flux", "Inverse", "Wavelength", "Andmask", "Ormask"), 1)}
    path = image(tmp_path / "spec.fits", EXTEN0=None, **rows)
    np.testing.assert_allclose(instrument.read(path)[0].flux.value, arrays()[0], rtol=1e-6)


@pytest.mark.parametrize("write", [image, table])
def test_wavelengths_place_a_file_whose_header_does_not(write, tmp_path, instrument):
    star, = instrument.read(write(tmp_path / "spec.fits", COEFF0=None, COEFF1=None))
    np.testing.assert_allclose(star.spectral_axis.value, arrays()[2], rtol=1e-12)


def test_galaxies_are_read_too_and_unknown_numbers_are_nan(tmp_path, instrument):
    path = image(tmp_path / "spec.fits", CLASS="GALAXY", SUBCLASS="Non", Z=-9999.0, SNRU=-9999)
    star, = instrument.read(path)
    assert star.meta["class"] == "GALAXY" and star.meta["header"]["Z"] == -9999
    assert np.isnan(star.meta["z"]) and np.isnan(star.meta["snr_u"]) and star.meta["snr_g"] == 33.0


def test_the_header_is_the_one_astropy_reads(tmp_path, instrument):
    path = image(tmp_path / "spec.fits", OBSCOMM="it's / a note", FOCUS=-1.5e-3)
    with fits.open(path) as hdus:
        theirs = {key: value for key, value in hdus[0].header.items() if key not in ("COMMENT", "HISTORY", "")}
    assert instrument.read(path)[0].meta["header"] == theirs


def test_many_packed_and_plain_files_keep_their_order(tmp_path, instrument):
    data = [image(tmp_path / f"{k}.fits", OBSID=k + 1).read_bytes() for k in range(3)]
    paths = []
    for k in range(120):
        paths.append(tmp_path / f"many-{k}")
        paths[-1].write_bytes(gzip.compress(data[k % 3], 1) if k % 7 else data[k % 3])
    found = [one for batch in instrument.read_batches(paths, size=50) for one in batch.meta["file"]]
    assert found == [str(path) for path in paths]
    first = next(instrument.read_batches(paths, size=5))
    assert first.meta["id"] == ["1", "2", "3", "1", "2"]


def test_reading_is_the_same_in_batches_of_any_size(tmp_path, instrument):
    paths = [write(tmp_path / f"{name}.fits") for name, write in LAYOUTS.items()]
    whole, = instrument.read_batches(paths)
    single = list(instrument.read_batches(paths, size=1))
    assert [len(batch) for batch in single] == [1] * len(paths)
    np.testing.assert_array_equal(np.concatenate([batch.value for batch in single]), whole.value)
    assert list(instrument.read_batches([])) == []


def test_batches_keep_order_and_size_and_report_bad_files(tmp_path, instrument):
    paths = [image(tmp_path / f"{k}.fits", OBSID=k + 1) for k in range(5)]
    paths[2].write_bytes(b"<html>404</html>")
    bad = []
    batches = list(instrument.read_batches(paths, size=3, on_error=lambda path, error: bad.append((path, error))))
    assert [len(batch) for batch in batches] == [3, 1]
    assert [i for batch in batches for i in batch.meta["id"]] == ["1", "2", "4", "5"]
    assert bad[0][0] == paths[2] and "web page" in str(bad[0][1])
    with pytest.raises(ReadError, match="web page"):
        list(instrument.read_batches(paths))


def test_all_bad_data_come_out_fully_masked(tmp_path, instrument):
    rows = np.array(arrays(), ">f4")
    rows[1] = -1.0
    batch, = instrument.read_batches([image(tmp_path / "a.fits", rows=rows)])
    assert batch.mask.all() and (batch.value == 0).all() and (batch.error == 0).all()
    rows[0] = np.nan
    assert instrument.sample(instrument.read(image(tmp_path / "b.fits", rows=rows))[0]).mask.all()


def test_specutils_reads_by_format_and_by_itself(tmp_path):
    path = table(tmp_path / "spec.fits")
    for star in (Spectrum.read(path, format="LAMOST LRS"), Spectrum.read(path), Spectrum.read(str(path))):
        assert isinstance(star, Spectrum) and star.fm.instrument == "lamost-lrs"
    assert SpectrumList.read(path, format="LAMOST LRS")[0].meta["id"] == "12345"


@pytest.mark.parametrize(("header", "mine"), [
    ({"TELESCOP": "LAMOST"}, True), ({"TELESCOP": "LAMOST", "EXTNAME": "Flux"}, True), ({}, False),
    ({"TELESCOP": "LAMOST", "FILENAME": "med-58625-X_sp12-076.fits"}, False),
    ({"TELESCOP": "LAMOST", "EXTNAME": "COADD_B"}, False), ({"TELESCOP": "SDSS 2.5-M"}, False)])
def test_spectra_in_memory_are_known_by_their_header(header, mine, instrument):
    star = instrument.example()
    star.meta["header"] = header
    assert instrument.claims(star) is mine


def test_a_file_of_another_survey_is_not_claimed(tmp_path, instrument):
    fits.PrimaryHDU(np.zeros((5, 10)), fits.Header([("TELESCOP", "SDSS 2.5-M")])).writeto(tmp_path / "other.fits")
    (tmp_path / "text.fits").write_text("hello")
    assert not instrument.claims_file(tmp_path / "other.fits")
    assert not instrument.claims_file(tmp_path / "text.fits")
    assert not instrument.claims_file(tmp_path / "absent.fits")


def test_every_real_file_is_read_the_same_in_bulk_and_by_astropy(shared_data, instrument):
    folder = shared_data / "lamost-lrs"
    paths = sorted([*folder.glob("spec-*"), *(folder / "other-fields").glob("spec-*"),
                    *(folder / "releases").glob("spec-*")])
    assert len(paths) > 200
    rows = [(batch, k) for batch in instrument.read_batches(paths) for k in range(len(batch))]
    assert len(rows) == len(paths)
    for path, (batch, k) in list(zip(paths, rows, strict=True))[::9]:
        with fits.open(path) as hdus:
            flux = hdus[1].data["FLUX"][0] if len(hdus) > 1 else hdus[0].data[0]
            offset = round((hdus[0].header["COEFF0"] - 3.5682) / 1e-4)
        good = ~batch.mask[k, offset: offset + len(flux)]
        np.testing.assert_allclose(batch.value[k, offset: offset + len(flux)][good], flux[good], rtol=1e-6)
        assert good.sum() > 2000


def test_real_medium_resolution_is_refused(shared_data, tmp_path):
    path, = (shared_data / "lamost-lrs/releases").glob("med-*")
    renamed = shutil.copy(path, tmp_path / "innocent.fits")
    with pytest.raises(ReadError, match="not LRS"):
        astrofm.read(renamed)
