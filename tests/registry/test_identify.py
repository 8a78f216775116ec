"""Whose is it: every instrument is asked, none is guessed."""

import re
import sys
import zipfile

import pytest
from astropy import units as u

import astrofm
from astrofm.cli import main
from astrofm.compat import Spectrum, SpectrumList
from astrofm.errors import AmbiguousError, DataError, PluginWarning, ReadError
from astrofm.registry import get_instrument, identify

RAISES = """
from astrofm.testing import FakeInstrument


class Fake(FakeInstrument):
    name = "{name}"

    def claims(self, data):
        raise KeyError("INSTRUME")

    def claims_file(self, path):
        raise KeyError("INSTRUME")
"""


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "night.txt"
    path.write_text("GOOD 3\n")
    return path


def test_a_file_is_identified_by_what_is_in_it(install_instrument, file):
    install_instrument("astrofm-good", "good")
    install_instrument("astrofm-other", "other")
    assert identify(file) == identify(str(file)) == astrofm.identify(file) == "good"


def test_an_object_is_identified_by_its_header_or_its_meta(install_instrument):
    install_instrument("astrofm-good", "good")
    star = get_instrument("good").example()
    assert identify(star) == "good"
    star.meta = {"instrument": "good"}
    assert identify(star) == "good"


def test_a_file_is_read_by_its_instrument_and_says_so(install_instrument, file):
    install_instrument("astrofm-good", "good")
    stars = astrofm.read(file)
    assert isinstance(stars, SpectrumList)
    assert [star.meta["id"] for star in stars] == ["example-0", "example-1", "example-2"]
    assert {(star.meta["instrument"], star.meta["file"]) for star in stars} == {("good", str(file))}


def test_a_file_of_nobody_is_refused_with_whom_was_asked(install_instrument, tmp_path):
    install_instrument("astrofm-good", "good")
    path = tmp_path / "letter.txt"
    path.write_text("Dear Sir")
    with pytest.raises(ReadError, match=r"letter.txt \(asked: .*good"):
        astrofm.read(path)


def test_an_object_of_nobody_is_refused_with_what_to_set(install_instrument):
    install_instrument("astrofm-good", "good")
    star = Spectrum(spectral_axis=[5000, 5001, 5002] * u.AA, flux=[1, 1, 1] * u.Jy)
    with pytest.raises(DataError, match=r'set meta\["instrument"\] to one of .*good'):
        identify(star)


@pytest.mark.parametrize("stranger", [None, 42, {"flux": 1}, [1, 2]])
def test_what_is_no_astropy_object_is_refused_in_words(stranger):
    with pytest.raises(DataError, match=f"this {type(stranger).__name__}"):
        identify(stranger)


def test_two_claims_to_one_file_or_object_name_both_packages(install_instrument, file):
    install_instrument("astrofm-one", "one", mark="GOOD")
    install_instrument("astrofm-two", "two", mark="GOOD")
    both = r"one \(astrofm-one 0.1\) and two \(astrofm-two 0.1\)"
    with pytest.raises(AmbiguousError, match=both) as caught:
        identify(file)
    assert f"astrofm.registry.get_instrument('one').read({str(file)!r})" in str(caught.value)
    with pytest.raises(AmbiguousError, match=both):
        identify(get_instrument("one").example())


def test_an_instrument_that_fails_when_asked_does_not_hide_the_others(install_instrument, file):
    install_instrument("astrofm-good", "good")
    install_instrument("astrofm-rude", "rude", text=RAISES)
    with pytest.warns(PluginWarning, match="'rude' of astrofm-rude 0.1 fails when asked.*KeyError"):
        assert identify(file) == "good"
    with pytest.warns(PluginWarning, match="'rude' of astrofm-rude 0.1 fails when asked.*KeyError"):
        assert identify(get_instrument("good").example()) == "good"


def test_an_instrument_that_cannot_be_imported_does_not_hide_the_others(install_instrument, file):
    install_instrument("astrofm-good", "good")
    install_instrument("astrofm-bad", "bad", text="raise RuntimeError('no luck')")
    with pytest.warns(PluginWarning, match="of astrofm-bad 0.1.*no luck"):
        assert identify(file) == "good"


def test_what_is_not_there_a_folder_or_empty_is_told_apart(tmp_path):
    with pytest.raises(ReadError, match="does not exist"):
        identify(tmp_path / "nothing.fits")
    with pytest.raises(ReadError, match="is a folder"):
        identify(tmp_path)
    (tmp_path / "empty.fits").touch()
    with pytest.raises(ReadError, match="empty"):
        identify(tmp_path / "empty.fits")


def test_parquet_without_pyarrow_says_what_to_install(tmp_path, monkeypatch, capsys):
    path = tmp_path / "stars.parquet"
    path.write_bytes(b"PAR1" + bytes(40) + b"PAR1")
    with pytest.raises(ReadError, match="no installed instrument knows"):
        identify(path)
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    words = r"stars.parquet is Parquet, .*pip install 'astrofm\[parquet\]'"
    for verb in (identify, astrofm.read):
        with pytest.raises(ReadError, match=words):
            verb(path)
    assert main(["identify", str(path)]) == 1
    assert re.search(words, capsys.readouterr().out)


def test_an_archive_of_nobody_says_what_it_holds(tmp_path):
    path = tmp_path / "dl.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for k in range(8):
            archive.writestr(f"XP_SAMPLED-{k}.csv", "source_id,flux\n")
    with pytest.raises(ReadError, match="XP_SAMPLED-0.csv, .*XP_SAMPLED-5.csv and 2 more; unzip it"):
        astrofm.read(path)
    path.write_bytes(path.read_bytes()[:60])
    with pytest.raises(ReadError, match="damaged zip archive"):
        astrofm.read(path)
