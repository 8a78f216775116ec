"""Damage is named with the file, and never read as something else."""

import gzip
import re
import sys
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits

from astrofm.errors import ReadError
from astrofm.registry import get_instrument

sys.path.insert(0, str(Path(__file__).parent))
from apogee_fakes import (  # noqa: E402
    LAYOUTS,
    PIXELS,
    apstar,
    apvisit,
    aspcapstar,
    astra_table,
    catalogue,
    mwm,
    primary,
    rows,
    single,
)


@pytest.fixture
def instrument():
    return get_instrument("apogee")


def _refused(instrument, path, message):
    """Check that both ways of reading refuse a file, in the same words, with its name."""
    with pytest.raises(ReadError, match=message) as caught:
        instrument.read(path)
    assert str(path) in str(caught.value)
    bad = []
    assert list(instrument.read_batches([path], on_error=lambda *why: bad.append(why))) == []
    assert bad[0][0] == path and str(bad[0][1]) == str(caught.value)


DAMAGE = {"truncated": (lambda data: data[:-6000], "breaks off"), "header": (lambda data: data[:1500], "inside a header"),
          "empty": (lambda data: b"", "is empty"), "html": (lambda data: b"<!DOCTYPE html>", "web page"),
          "text": (lambda data: b"no fits at all", "no FITS"), "two blocks": (lambda data: data[:2880 * 2], "breaks off"),
          "no number": (lambda data: data.replace(b"BITPIX  =                  -32", b"BITPIX  =                 -32.", 1),
                        "BITPIX = -32.0, which"),
          "gzip": (lambda data: gzip.compress(data, 1)[:-2000], "breaks off inside its gzip"),
          "bytes": (lambda data: b"\x1f\x8b" + b"x" * 500, "damaged gzip"),
          "trailing": (lambda data: data + b"x" * 2880, "inside a header")}


@pytest.mark.parametrize(("harm", "message"), DAMAGE.values(), ids=DAMAGE)
def test_damage_is_named_with_the_file(harm, message, tmp_path, instrument):
    path = single(tmp_path / "star.fits")
    path.write_bytes(harm(path.read_bytes()))
    _refused(instrument, path, message)


@pytest.mark.parametrize("write", LAYOUTS.values(), ids=LAYOUTS)
def test_a_file_cut_anywhere_is_never_a_spectrum(write, tmp_path, instrument):
    path = write(tmp_path / "star.fits")
    data = path.read_bytes()
    for part in np.linspace(0.01, 0.99, 12):
        path.write_bytes(data[:int(part * len(data))])
        with pytest.raises(ReadError):
            instrument.read(path)


@pytest.mark.parametrize(("lattice", "message"), [
    ({"CRVAL1": 4.1791}, "start at 4.1791"), ({"CDELT1": 5e-6}, "step by 5e-06"), ({"CRPIX1": 2}, "start at"),
    ({"CRVAL1": "here"}, "start at here"), ({"CRVAL1": 15100.0, "CDELT1": 0.2}, "start at 15100"),
    ({"CUNIT1": "Air Angstrom"}, "in air"), ({"VACUUM": False}, "in air"), ({"AIRORVAC": "air"}, "in air")])
def test_other_wavelengths_are_refused(lattice, message, tmp_path, instrument):
    _refused(instrument, apstar(tmp_path / "star.fits", lattice=lattice), message)


@pytest.mark.parametrize("write", [apstar, single])
def test_a_star_without_a_good_pixel_is_refused_in_words(write, tmp_path, instrument):
    flux, error, mask = rows(1 if write is single else 3)
    mask[:] = 1 << 3
    path = write(tmp_path / "star.fits", data=(flux, error, mask))
    _refused(instrument, path, "no pixel .* is good in all visits .STARFLAG 4")


def test_no_flux_at_all_is_refused(tmp_path, instrument):
    _refused(instrument, aspcapstar(tmp_path / "a.fits", error=np.zeros(PIXELS)), "nothing to read")


def _hdus(*hdus, **cards):
    return lambda path: fits.HDUList([primary(**cards), *hdus]).writeto(path)


def _image(*shape, dtype="f4", **cards):
    return fits.ImageHDU(np.ones(shape, dtype), fits.Header(list(cards.items())))


def _table():
    return fits.BinTableHDU.from_columns([fits.Column("a", "E", array=[1.0])])


def _scaled(path):
    data = apstar(path).read_bytes()
    path.write_bytes(data.replace(b"DC-FLAG =                    1", b"BZERO   =                  1.0", 1))


GRID = {"CRVAL1": 4.179, "CDELT1": 6e-6}
VISIT = (_image(3, 4096), _image(3, 4096), _image(3, 4096, dtype="i2"))
STRANGERS = {
    "catalogue": (catalogue, "catalogue of APOGEE.*Table.read"),
    "table of others": (_hdus(_table()), "first extension is a table"),
    "other length": (_hdus(_image(3, 8574)), "8574 x 3 pixels"), "ap1D": (_hdus(_image(300, 2048)), "2048 x 300 pixels"),
    "another survey": (_hdus(_image(3, 8574), TELESCOP="SDSS 2.5-M", SURVEY=None), "TELESCOP is 'SDSS 2.5-M'"),
    "another's chips": (_hdus(_image(3, 4096), TELESCOP="Keck", SURVEY=None), "no APOGEE spectrum"),
    "only the header": (_hdus(), "one HDU"),
    "too few": (_hdus(_image(3, PIXELS, **GRID), _image(3, PIXELS)), "4 HDUs or more"),
    "a visit cut short": (_hdus(_image(3, 4096), _image(3, 4096)), "apVisit files have 5 HDUs"),
    "no table": (_hdus(*[_image(PIXELS, **GRID)] * 3), "aspcapStar files have 5 HDUs"),
    "shapes": (_hdus(_image(3, PIXELS, **GRID), _image(2, PIXELS), _image(3, PIXELS, dtype="i2")), r"shape \(2, 8575\)"),
    "a cube": (_hdus(*[_image(2, 3, PIXELS, **GRID)] * 4), "first image has|no APOGEE"),
    "an image for a table": (_hdus(*[_image(PIXELS, **GRID)] * 5, FERRE="v461a", SPECLIB="v17"), "expected ASPCAP's table"),
    "no mask": (_hdus(*[_image(3, PIXELS, **GRID)] * 7), "an apStar file, its mask is missing"),
    "chips": (_hdus(*[_image(7514, **GRID)] * 3, TELESCOP=None, SURVEY=None, FERRE="v461a", SPECLIB="v17"),
              "7514 x 1 pixels; .* aspcapStar have 8575 a row.*grid.expand"),
    "another table": (_hdus(*[_image(PIXELS, **GRID)] * 3, _table()), "no column ASPCAPFLAG"),
    "scaled": (_scaled, "BZERO"), "integers": (_hdus(*[_image(3, PIXELS, dtype="i2", **GRID)] * 4), "BITPIX = 16"),
    "chips of another shape": (_hdus(*VISIT, _image(3, 2048)), "have one shape"),
    "wavelengths of a visit": (_hdus(*VISIT, _image(3, 4096)), "do not decrease"),
    "no flags": (_hdus(*[_image(3, 4096)] * 4), "image of flags has BITPIX = -32")}


@pytest.mark.parametrize(("write", "message"), STRANGERS.values(), ids=STRANGERS)
def test_other_files_are_refused_in_words(write, message, tmp_path, instrument):
    path = tmp_path / "star.fits"
    write(path)
    _refused(instrument, path, message)


def _of_astra(path, key, value):
    """Write a file whose table says one thing more."""
    table = astra_table("APOGEE/APO", 1)
    name = next(k for k in range(1, 20) if table.header[f"TTYPE{k}"] == "ivar")
    mwm(path, tables=[table])
    data = path.read_bytes()
    card = f"{key + str(name):8s}= {value:>20s}".encode()
    path.write_bytes(data.replace(b"CTYPE   = 'LOG-LINEAR'        ", card, 1))
    return path


ONES = np.ones((1, PIXELS))
ASTRA = {
    "models": ({"model": True}, "models that Astra fitted"), "empty": ({"counts": (0, 0, 0, 0)}, "APOGEE are empty"),
    "BOSS alone": ({"counts": (1, 0, 0, 0)}, "APOGEE are empty"),
    "another length": ({"tables": [astra_table("APOGEE/APO", 1, pixels=4648)]}, "no flux, ivar, pixel_flags of 8575"),
    "other wavelengths": ({"tables": [astra_table("APOGEE/APO", 1, wavelength=(f"{PIXELS}E", ONES))]}, "are not APOGEE's")}


@pytest.mark.parametrize(("options", "message"), ASTRA.values(), ids=ASTRA)
def test_files_of_astra_without_a_spectrum_are_refused(options, message, tmp_path, instrument):
    _refused(instrument, mwm(tmp_path / "mwm.fits", **options), message)


def test_an_astra_table_in_air_or_on_another_lattice_is_refused(tmp_path, instrument):
    for key, value, message in (("CUNIT", "Angstrom (Air)", "in air"), ("CDELT", 5e-6, "step by 5e-06")):
        table = astra_table("APOGEE/APO", 2, with_wave=False)
        table.header[key] = value
        _refused(instrument, mwm(tmp_path / f"{key}.fits", tables=[table]), message)


@pytest.mark.parametrize(("key", "value"), [("TSCAL", "2.0"), ("TZERO", "1.0"), ("TSCAL", "10"), ("TSCAL", "100.0")])
def test_scaled_columns_are_refused(key, value, tmp_path, instrument):
    _refused(instrument, _of_astra(tmp_path / "a.fits", key, value), "column IVAR is scaled")


def test_columns_scaled_by_one_are_as_they_are(tmp_path, instrument):
    assert len(instrument.read(_of_astra(tmp_path / "a.fits", "TSCAL", "1.0"))) == 1


def test_a_file_of_aspcaps_of_another_length_is_claimed_so_that_the_refusal_says_its_length(tmp_path, instrument):
    STRANGERS["chips"][0](tmp_path / "star.fits")
    assert instrument.claims_file(tmp_path / "star.fits")


def test_a_catalogue_is_claimed_so_that_the_refusal_says_what_it_is(tmp_path, instrument):
    assert instrument.claims_file(catalogue(tmp_path / "allStar.fits"))


@pytest.mark.parametrize("write", [apstar, aspcapstar, apvisit, mwm])
def test_damaged_bytes_are_refused_or_read_the_same_in_both_ways(write, tmp_path, instrument):
    random = np.random.default_rng(3)
    path = write(tmp_path / "star.fits")
    data = np.frombuffer(path.read_bytes(), np.uint8)
    headers = np.flatnonzero((data.reshape(-1, 80)[:, :8] >= 32).all(1) & (data.reshape(-1, 80)[:, :8] < 91).all(1))
    outcomes = set()
    for _ in range(60):
        harmed = data.copy()
        places = random.choice(headers, 4) * 80 + random.integers(0, 30, 4)
        harmed[places] = random.choice(np.frombuffer(b"\0 09.-EFTX'\xff", np.uint8), 4)
        path.write_bytes(harmed.tobytes())
        try:
            one = instrument.sample(instrument.read(path)[0])
        except ReadError as error:
            outcomes.add("refused")
            with pytest.raises(ReadError, match=re.escape(str(error))):
                list(instrument.read_batches([path]))
        else:
            outcomes.add("read")
            batch, = instrument.read_batches([path])
            for name in ("value", "error", "mask"):
                np.testing.assert_array_equal(getattr(one, name), getattr(batch, name)[0])
    assert outcomes == {"refused", "read"}
