"""Damage is named with the file, and never read as something else."""

import gzip
import os
import re
import sys
from pathlib import Path

import numpy as np
import pytest

from astrofm.errors import ReadError
from astrofm.registry import get_instrument

sys.path.insert(0, str(Path(__file__).parent))
from lamost_fakes import LAYOUTS, image, pilot, table  # noqa: E402


@pytest.fixture
def instrument():
    return get_instrument("lamost-lrs")


def _truncated(path):
    path.write_bytes(path.read_bytes()[:-6000])


def _cut_header(path):
    path.write_bytes(path.read_bytes()[:1500])


def _swap(old, new):
    def harm(path):
        data = path.read_bytes()
        assert old in data and len(old) == len(new)
        path.write_bytes(data.replace(old, new, 1))

    return harm


DAMAGE = {"truncated": (_truncated, "breaks off"), "header": (_cut_header, "inside a header"),
          "too wide": (_swap(b"NAXIS1  =                 3900", b"NAXIS1  =                 9901"), "breaks off|pixels"),
          "too narrow": (_swap(b"NAXIS1  =                 3900", b"NAXIS1  =                 3899"), "does not fit"),
          "half": (_swap(b"NAXIS1  =                 3900", b"NAXIS1  =                 1950"), "does not fit"),
          "negative": (_swap(b"NAXIS1  =                 3900", b"NAXIS1  =                -3900"), "can't be"),
          "scaled": (_swap(b"VACUUM  =                    T", b"BSCALE  =                  2.0"), "BSCALE"),
          "infinite": (_swap(b"COEFF0  =               3.5684", b"COEFF0  =                1E999"), "COEFF0"),
          "trailing": (lambda path: path.write_bytes(path.read_bytes() + b"x" * 2880), "goes on"),
          "empty": (lambda path: path.write_bytes(b""), "is empty"),
          "html": (lambda path: path.write_bytes(b"<!DOCTYPE html>"), "web page"),
          "text": (lambda path: path.write_text("no fits at all"), "no FITS"),
          "gzip": (lambda path: path.write_bytes(gzip.compress(path.read_bytes())[:-2000]), "breaks off inside its gzip"),
          "bytes": (lambda path: path.write_bytes(b"\x1f\x8b" + b"x" * 500), "damaged gzip")}


@pytest.mark.parametrize(("harm", "message"), DAMAGE.values(), ids=DAMAGE)
def test_damage_is_named_with_the_file(harm, message, tmp_path, instrument):
    path = pilot(tmp_path / "spec.fits")
    harm(path)
    with pytest.raises(ReadError, match=message) as caught:
        instrument.read(path)
    assert str(path) in str(caught.value)
    bad = []
    assert list(instrument.read_batches([path], on_error=lambda *why: bad.append(why))) == []
    assert bad[0][0] == path and str(bad[0][1]) == str(caught.value)


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
    "off the lattice": ({"COEFF0": 3.56843}, "survey's pixels"), "not a number": ({"COEFF0": "far"}, "neither COEFF0"),
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


def test_folders_pipes_and_absent_files_are_named(tmp_path, instrument):
    os.mkfifo(tmp_path / "pipe")
    for path, message in ((tmp_path, "is a folder"), (tmp_path / "pipe", "no regular file"),
                          (tmp_path / "absent", "cannot be opened"), (tmp_path / "a\0b", "cannot be opened")):
        with pytest.raises(ReadError, match=message):
            instrument.read(path)
        assert not instrument.claims_file(path)


def test_catalogues_and_gzip_bombs_are_not_unpacked(tmp_path, instrument, monkeypatch):
    plain = image(tmp_path / "spec.fits")
    packed = tmp_path / "bomb.fits.gz"
    packed.write_bytes(gzip.compress(plain.read_bytes() + bytes(2**20)))
    monkeypatch.setattr("astrofm.data.fitsfile.LARGEST_FILE", 2**16)
    for path in (plain, packed):
        with pytest.raises(ReadError, match="too many for one spectrum"):
            instrument.read(path)


def test_a_table_whose_row_is_not_its_columns_is_refused(tmp_path, instrument):
    path = table(tmp_path / "spec.fits")
    _swap(b"NAXIS1  =                93600", b"NAXIS1  =                93596")(path)
    with pytest.raises(ReadError, match="NAXIS1"):
        instrument.read(path)


@pytest.mark.parametrize("write", LAYOUTS.values(), ids=LAYOUTS)
def test_damaged_bytes_are_refused_or_read_the_same_in_both_ways(write, tmp_path, instrument):
    random = np.random.default_rng(3)
    data = np.frombuffer(write(tmp_path / "spec.fits").read_bytes(), np.uint8)
    path = tmp_path / "damaged.fits"
    outcomes = set()
    for _ in range(150):
        harmed = data.copy()
        places = random.integers(0, min(len(data), 5 * 2880), 5)
        harmed[places] = random.choice(np.frombuffer(b"\0 09.-EFTX'\xff", np.uint8), 5)
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
