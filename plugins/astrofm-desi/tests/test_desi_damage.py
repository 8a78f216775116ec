"""Damaged files and files of other kinds are refused in words that name the file, the HDU and what to do."""

import gzip
import os
import re
import sys
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits

import astrofm
from astrofm.data.wavelength import to_air
from astrofm.errors import ReadError
from astrofm.registry import get_instrument

sys.path.insert(0, str(Path(__file__).parent))
from desi_fakes import DESI, SDSS, arm, desi, fibermap, mwm, redrock, sdss_arrays, spec, spspec  # noqa: E402


def refused(instrument, path, message):
    """Assert that a file is refused by `read` and `read_batches` in the same words, which name it."""
    with pytest.raises(ReadError, match=message) as caught:
        instrument.read(path)
    assert str(path) in str(caught.value)
    bad = []
    assert list(instrument.read_batches([path], on_error=lambda *why: bad.append(why))) == []
    assert bad[0][0] == path and str(bad[0][1]) == str(caught.value)


@pytest.fixture
def desi_instrument():
    return get_instrument("desi")


@pytest.fixture
def sdss():
    return get_instrument("sdss-optical")


def _with(**cards):
    def change(hdu):
        hdu.header.update(cards)
        return hdu

    return change


def _data(function, **cards):
    def change(hdu):
        hdu.data = function(hdu.data)
        hdu.header.update(cards)
        return hdu

    return change


def _gone(hdu):
    return None


CHANGES = {
    "no wavelengths": ({"R_WAVELENGTH": _gone}, "R_WAVELENGTH is missing"),
    "no inverse variance": ({"Z_IVAR": _gone}, "Z_IVAR is missing"),
    "no flux": ({"B_FLUX": _gone}, "B_FLUX is missing"),
    "no fibre map": ({"FIBERMAP": _gone}, "lacks the table FIBERMAP, which says"),
    "fibre map without identifiers": ({"FIBERMAP": lambda hdu: fits.BinTableHDU.from_columns(
        [c for c in hdu.columns if c.name != "TARGETID"], name="FIBERMAP")}, "TARGETID"),
    "identifiers of floats": ({"FIBERMAP": lambda hdu: fits.BinTableHDU.from_columns(
        [fits.Column("TARGETID", "D", array=np.arange(4.0))], name="FIBERMAP")}, "no whole numbers TARGETID"),
    "one fibre too few": ({"FIBERMAP": lambda hdu: fibermap(3)}, "4 rows and FIBERMAP 3"),
    "short arm": ({"R_FLUX": _data(lambda a: a[:, :-10].copy())}, "R_FLUX has the shape .*2316.*2326 pixels"),
    "short ivar": ({"Z_IVAR": _data(lambda a: a[:, 1:].copy())}, "Z_IVAR has the shape"),
    "short mask": ({"B_MASK": _data(lambda a: a[:, 1:].copy())}, "B_MASK has the shape"),
    "resolution of fewer fibres": ({"B_RESOLUTION": _data(lambda a: a[1:].copy())}, "B_RESOLUTION has the shape"),
    "other step": ({"B_WAVELENGTH": _data(lambda w: 3600 + 1.0 * np.arange(2751))}, "steps of 1.000 .*not DESI's pixels"),
    "logarithmic": ({"B_WAVELENGTH": _data(lambda w: 3600 * 10 ** (1e-4 * np.arange(2751)))}, "not DESI's pixels"),
    "shifted": ({"Z_WAVELENGTH": _data(lambda w: w + 0.3)}, "not DESI's pixels"),
    "off the end": ({"Z_WAVELENGTH": _data(lambda w: w + 800)}, "not DESI's pixels"),
    "air": ({"R_WAVELENGTH": _data(to_air)}, "R_WAVELENGTH is in air"),
    "said to be air": ({"R_WAVELENGTH": _with(AIRORVAC="air")}, "vacuum Angstrom"),
    "nanometres": ({"R_WAVELENGTH": _data(lambda w: w / 10, BUNIT="nm")}, "R_WAVELENGTH is in 'nm'"),
    "NaN wavelengths": ({"R_WAVELENGTH": _data(lambda w: w * np.nan)}, "numbers that are none"),
    "counts": ({"R_FLUX": _with(BUNIT="electron/Angstrom")}, "R_FLUX has BUNIT = 'electron/Angstrom'"),
    "janskys": ({"R_FLUX": _with(BUNIT="Jy")}, "flux per Angstrom is needed"),
    "ivar in other units": ({"B_IVAR": _with(BUNIT="s2 cm4 Angstrom2 / erg2")}, "B_IVAR has BUNIT"),
    "float mask": ({"B_MASK": lambda hdu: fits.ImageHDU(hdu.data.astype("f4"), name="B_MASK")}, "no whole numbers"),
    "a table for a flux": ({"Z_FLUX": lambda hdu: fits.BinTableHDU.from_columns(
        [fits.Column("x", "E", array=[1.0])], name="Z_FLUX")}, "expected an image"),
    "scaled flux": ({"Z_FLUX": lambda hdu: _scaled(hdu)}, "not scaled"),
}


def _scaled(hdu):
    hdu = fits.ImageHDU(np.zeros(hdu.data.shape, "i2"), hdu.header)
    hdu.header["BSCALE"] = 2.0
    return hdu


@pytest.mark.parametrize(("changes", "message"), CHANGES.values(), ids=CHANGES)
def test_files_that_contradict_themselves_are_refused(changes, message, tmp_path, desi_instrument):
    refused(desi_instrument, desi(tmp_path / "a.fits", changes=changes), message)


def test_flux_without_a_unit_is_refused(tmp_path, desi_instrument):
    def bare(hdu):
        del hdu.header["BUNIT"]
        return hdu

    refused(desi_instrument, desi(tmp_path / "a.fits", changes={"B_FLUX": bare}), "BUNIT = None")


def test_an_arm_that_is_there_twice_is_refused(tmp_path, desi_instrument):
    parts = {"b": arm("b"), "br": arm("b")}
    refused(desi_instrument, desi(tmp_path / "a.fits", data=parts), r"the same arm twice \(B, BR\)")


def test_masks_packed_in_an_unknown_way_are_refused(tmp_path, desi_instrument):
    refused(desi_instrument, desi(tmp_path / "a.fits", packed="RICE_1"), "packed by RICE_1.*funpack")


@pytest.mark.parametrize("pack", [bytes, lambda data: gzip.compress(data, 1)])
def test_a_file_without_fibre_map_is_claimed_so_that_the_refusal_says_what_it_lacks(pack, tmp_path, desi_instrument):
    path = desi(tmp_path / "a.fits", n=1, changes={"FIBERMAP": _gone})
    path.write_bytes(pack(path.read_bytes()))
    assert desi_instrument.claims_file(path)
    with pytest.raises(ReadError, match="lacks the table FIBERMAP"):
        astrofm.read(path)


def test_catalogues_and_frames_are_told_as_such(tmp_path, desi_instrument):
    path = redrock(tmp_path / "redrock.fits")
    assert not desi_instrument.claims_file(path)
    refused(desi_instrument, path, "catalogue of redshifts.*coadd-")
    frame = [fits.PrimaryHDU(np.zeros((4, 5), "f4")), *(fits.ImageHDU(np.zeros((4, 5), "f4"), name=name) for name in
                                                        ("IVAR", "MASK", "WAVELENGTH")), fibermap()]
    frame[0].header["EXTNAME"] = "FLUX"
    fits.HDUList(frame).writeto(tmp_path / "cframe.fits")
    refused(desi_instrument, tmp_path / "cframe.fits", "frame, one arm of one exposure")


def _swap(old, new):
    def harm(path):
        data = path.read_bytes()
        assert old in data and len(old) == len(new)
        path.write_bytes(data.replace(old, new, 1))

    return harm


HARM = {"truncated": (lambda path: path.write_bytes(path.read_bytes()[:-40000]), "breaks off"),
        "header": (lambda path: path.write_bytes(path.read_bytes()[:1500]), "inside a header|no DESI|breaks off"),
        "empty": (lambda path: path.write_bytes(b""), "is empty"),
        "html": (lambda path: path.write_bytes(b"<!DOCTYPE html>"), "web page"),
        "text": (lambda path: path.write_text("no fits at all"), "no FITS"),
        "gzip": (lambda path: path.write_bytes(gzip.compress(path.read_bytes())[:-2000]), "breaks off inside its gzip"),
        "bytes": (lambda path: path.write_bytes(b"\x1f\x8b" + b"x" * 500), "damaged gzip"),
        "negative": (_swap(b"NAXIS1  =                 2751", b"NAXIS1  =                -2751"), "can't be"),
        "rows": (_swap(b"NAXIS2  =                    4", b"NAXIS2  =                   40"),
                 "inside a header|breaks off|FIBERMAP 40"),
        "columns": (_swap(b"TFORM1  = 'K       '", b"TFORM1  = 'J       '"), "NAXIS1 says")}


@pytest.mark.parametrize("kind", ["desi", "sdss-optical"])
@pytest.mark.parametrize("name", [name for name in HARM if name not in ("negative", "rows", "columns")])
def test_damage_is_named_with_the_file(kind, name, tmp_path):
    harm, message = HARM[name]
    path = desi(tmp_path / "a.fits", n=1) if kind == "desi" else spec(tmp_path / "a.fits", row=False)
    harm(path)
    refused(get_instrument(kind), path, message if kind == "desi" else f"{message}|no SDSS")


@pytest.mark.parametrize("name", ["negative", "rows", "columns"])
def test_headers_that_do_not_fit_their_data_are_refused(name, tmp_path, desi_instrument):
    harm, message = HARM[name]
    path = desi(tmp_path / "a.fits")
    harm(path)
    refused(desi_instrument, path, message)


@pytest.mark.parametrize("layout", ["coadd", "spectra"])
def test_a_file_cut_anywhere_is_never_a_short_spectrum(layout, tmp_path, desi_instrument):
    data = DESI[layout](tmp_path / "whole.fits").read_bytes()
    path = tmp_path / "cut.fits"
    spectra = data.index(b"Z_RESOLUTION") + 4 * 11 * 2881 * 4  # behind lies the table of scores only
    for cut in range(0, spectra, 60007):
        path.write_bytes(data[:cut])
        with pytest.raises(ReadError):
            desi_instrument.read(path)


@pytest.mark.parametrize("layout", DESI)
def test_damaged_bytes_are_refused_or_read_the_same_in_both_ways(layout, tmp_path, desi_instrument):
    random = np.random.default_rng(3)
    whole = DESI[layout](tmp_path / "whole.fits").read_bytes()
    places = [found.start() for found in re.finditer(b"XTENSION", whole)]
    path = tmp_path / "damaged.fits"
    outcomes = set()
    for _ in range(40):
        harmed = np.frombuffer(whole, np.uint8).copy()
        where = random.choice(places) + random.integers(0, 1500, 4)
        harmed[where] = random.choice(np.frombuffer(b"\0 09.-EFTX'\xff", np.uint8), 4)
        path.write_bytes(harmed.tobytes())
        try:
            stars = [desi_instrument.sample(star) for star in desi_instrument.read(path)]
        except ReadError as error:
            outcomes.add("refused")
            with pytest.raises(ReadError, match=re.escape(str(error))):
                list(desi_instrument.read_batches([path]))
        else:
            outcomes.add("read")
            batch, = desi_instrument.read_batches([path])
            for name in ("value", "error", "mask"):
                np.testing.assert_array_equal(np.stack([getattr(star, name) for star in stars]), getattr(batch, name))
    assert outcomes == {"refused", "read"}


def test_folders_pipes_and_absent_files_are_named(tmp_path, desi_instrument):
    os.mkfifo(tmp_path / "pipe")
    for path, message in ((tmp_path, "is a folder"), (tmp_path / "pipe", "no regular file"),
                          (tmp_path / "absent", "cannot be opened"), (tmp_path / "a\0b", "cannot be opened")):
        assert not desi_instrument.claims_file(path)
        with pytest.raises(ReadError, match=message):
            desi_instrument.read(path)


def test_each_survey_refuses_the_files_of_the_other(tmp_path, desi_instrument, sdss):
    ours, theirs = desi(tmp_path / "desi.fits"), spec(tmp_path / "sdss.fits")
    assert not desi_instrument.claims_file(theirs) and not sdss.claims_file(ours)
    refused(desi_instrument, theirs, "holds no DESI spectra")
    refused(sdss, ours, "no SDSS optical spectrum: TELESCOP is None")


CARDS = {"air": ({"VACUUM": False}, "vacuum wavelengths"), "survey": ({"TELESCOP": "LAMOST"}, "TELESCOP is 'LAMOST'"),
         "units": ({"BUNIT": "Jy"}, "BUNIT is 'Jy'"), "magnitudes": ({"BUNIT": "mag"}, "flux per Angstrom")}


@pytest.mark.parametrize(("cards", "message"), CARDS.values(), ids=CARDS)
def test_headers_of_sdss_that_say_something_else_are_refused(cards, message, tmp_path, sdss):
    refused(sdss, spec(tmp_path / "a.fits", **cards), message)


COLUMNS = {"no flux": ({"flux": None}, "no SDSS optical"), "no mask": ({"and_mask": None}, "no and_mask"),
           "float mask": ({"and_mask": np.ones(3850, "f4")}, "no and_mask of whole numbers"),
           "other step": ({"loglam": (3.58 + 2e-4 * np.arange(3850)).astype("f4")}, "off the survey's pixels"),
           "off the lattice": ({"loglam": (3.57985 + 1e-4 * np.arange(3850)).astype("f4")}, "off the survey's pixels"),
           "wavelengths": ({"loglam": sdss_arrays()[1] * 1000}, "off the survey's pixels"),
           "NaN wavelengths": ({"loglam": sdss_arrays()[1] * np.nan}, "no numbers")}


@pytest.mark.parametrize(("changes", "message"), COLUMNS.values(), ids=COLUMNS)
def test_tables_of_sdss_that_are_none_are_refused(changes, message, tmp_path, sdss):
    refused(sdss, spec(tmp_path / "a.fits", changes=changes), message)


def test_plates_and_images_that_are_no_spectra_are_refused(tmp_path, sdss):
    plate = spspec(tmp_path / "spPlate.fits", rows=np.zeros((640, 3850), "f4"), FIBERID=None)
    assert not sdss.claims_file(plate)
    refused(sdss, plate, "whole plate")
    refused(sdss, spspec(tmp_path / "a.fit", COEFF0=None), "COEFF0")
    rows = np.zeros((5, 3850), "f4")
    rows[3] = 0.5
    refused(sdss, spspec(tmp_path / "b.fit", rows=rows), "no mask")


def test_an_object_without_any_identifier_is_refused(tmp_path, sdss):
    refused(sdss, spec(tmp_path / "a.fits", row=False, PLATEID=None), "which object it is")


@pytest.mark.parametrize("layout", SDSS)
def test_an_sdss_file_cut_anywhere_is_never_a_short_spectrum(layout, tmp_path, sdss):
    data = SDSS[layout](tmp_path / "whole.fits").read_bytes()
    path, whole = tmp_path / "cut.fits", sdss.read(tmp_path / "whole.fits")[0]
    for cut in range(0, len(data), 5003):
        path.write_bytes(data[:cut])
        try:
            star, = sdss.read(path)
        except ReadError:
            continue
        np.testing.assert_array_equal(star.flux.value, whole.flux.value)  # only the catalogue's row is gone


@pytest.mark.parametrize("layout", [*SDSS, "astra", "visits"])
def test_damaged_bytes_of_sdss_are_refused_or_read_the_same_in_both_ways(layout, tmp_path, sdss):
    random = np.random.default_rng(5)
    write = {**SDSS, "astra": mwm, "visits": lambda path: mwm(path, visits=2, star=False)}[layout]
    whole = write(tmp_path / "whole.fits").read_bytes()
    places = [0, *(found.start() for found in re.finditer(b"XTENSION", whole))]
    path = tmp_path / "damaged.fits"
    outcomes = set()
    for _ in range(40):
        harmed = np.frombuffer(whole, np.uint8).copy()
        where = (random.choice(places) + random.integers(0, 2000, 5)).clip(max=len(whole) - 1)
        harmed[where] = random.choice(np.frombuffer(b"\0 09.-EFTX'\xff", np.uint8), 5)
        path.write_bytes(harmed.tobytes())
        try:
            stars = [sdss.sample(star) for star in sdss.read(path)]
        except ReadError as error:
            outcomes.add("refused")
            with pytest.raises(ReadError, match=re.escape(str(error))):
                list(sdss.read_batches([path]))
        else:
            outcomes.add("read")
            batch, = sdss.read_batches([path])
            for name in ("value", "error", "mask"):
                np.testing.assert_array_equal(np.stack([getattr(star, name) for star in stars]), getattr(batch, name))
    assert outcomes == {"refused", "read"}


def test_damage_is_named_by_the_door_that_all_use(tmp_path):
    path = desi(tmp_path / "a.fits")
    path.write_bytes(path.read_bytes()[:700000])
    with pytest.raises(ReadError, match="a.fits breaks off"):
        astrofm.read(path)
