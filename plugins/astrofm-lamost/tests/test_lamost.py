"""LAMOST files of every release are read, in bulk and one by one, and damage is named."""

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


def _truncated(path):
    path.write_bytes(path.read_bytes()[:-6000])


def _cut_header(path):
    path.write_bytes(path.read_bytes()[:1500])


def _lying(path):
    fits.setval(path, "NAXIS1", value=3901)


DAMAGE = {"truncated": (_truncated, "breaks off"), "header": (_cut_header, "inside a header"),
          "lying": (_lying, "breaks off|pixels"),
          "html": (lambda path: path.write_bytes(b"<!DOCTYPE html>"), "web page"),
          "text": (lambda path: path.write_text("no fits at all"), "no FITS"),
          "gzip": (lambda path: path.write_bytes(gzip.compress(path.read_bytes())[:-2000]), "breaks off inside its gzip"),
          "bytes": (lambda path: path.write_bytes(b"\x1f\x8b" + b"x" * 500), "damaged gzip")}


@pytest.mark.parametrize(("harm", "message"), DAMAGE.values(), ids=DAMAGE)
def test_damage_is_named_with_the_file(harm, message, tmp_path, instrument):
    path = pilot(tmp_path / "spec.fits")
    if harm is _lying:
        data = path.read_bytes().replace(b"NAXIS1  =                 3900", b"NAXIS1  =                 9901")
        path.write_bytes(data)
    else:
        harm(path)
    with pytest.raises(ReadError, match=message) as caught:
        instrument.read(path)
    assert str(path) in str(caught.value)


@pytest.mark.parametrize("cut", range(0, 90000, 7001))
def test_a_file_cut_anywhere_is_never_a_short_spectrum(cut, tmp_path, instrument):
    path = image(tmp_path / "spec.fits")
    data = path.read_bytes()
    path.write_bytes(data[:cut])
    if cut < len(data):
        with pytest.raises(ReadError):
            instrument.read(path)


CONTRADICTIONS = {
    "air": ({"VACUUM": False}, "vacuum"), "survey": ({"TELESCOP": "SDSS 2.5-M"}, "no LAMOST"),
    "step": ({"COEFF1": 2e-4}, "COEFF1"), "shifted": ({"COEFF0": 3.5690}, "disagree"),
    "off the lattice": ({"COEFF0": 3.56843}, "survey's pixels"), "no wavelengths": ({"COEFF0": None}, "COEFF0"),
    "rows": ({"EXTEN0": "Flux Error Wavelength Andmask Ormask"}, "expected the five rows"),
    "unnamed": ({"EXTEN0": None}, "expected the five rows")}


@pytest.mark.parametrize(("cards", "message"), CONTRADICTIONS.values(), ids=CONTRADICTIONS)
def test_headers_that_contradict_are_refused(cards, message, tmp_path, instrument):
    with pytest.raises(ReadError, match=message):
        instrument.read(image(tmp_path / "spec.fits", **cards))


@pytest.mark.parametrize("cards", [{"FILENAME": "med-58625-X_sp12-076.fits"}, {}])
def test_medium_resolution_is_refused_as_such(cards, tmp_path, instrument):
    path = table(tmp_path / "med.fits", extname="COADD_B", **cards)
    with pytest.raises(ReadError, match="medium-resolution spectrum, not LRS"):
        instrument.read(path)


def test_specutils_reads_by_format_and_by_itself(tmp_path):
    path = table(tmp_path / "spec.fits")
    for star in (Spectrum.read(path, format="LAMOST LRS"), Spectrum.read(path), Spectrum.read(str(path))):
        assert isinstance(star, Spectrum) and star.fm.instrument == "lamost-lrs"
    assert SpectrumList.read(path, format="LAMOST LRS")[0].meta["id"] == "12345"


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
