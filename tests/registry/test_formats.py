"""``Spectrum.read`` knows the formats of installed instruments, and finds them when it is first used."""

import gzip
import io
import os
import subprocess
import sys

import pytest
import specutils
from astropy import units as u
from specutils import SpectrumList

from astrofm.compat import Spectrum
from astrofm.errors import ReadError

LABEL = "Fake night"
SCRIPT = """
import sys
import astrofm
from specutils import Spectrum1D
assert "astrofm_good" not in sys.modules
star = Spectrum1D.read(sys.argv[1], format="Fake night")
print(star.meta["id"], type(star).__name__, "torch" in sys.modules)
"""


@pytest.fixture
def file(tmp_path, install_instrument):
    install_instrument("astrofm-good", "good", formats=[LABEL])
    path = tmp_path / "night.txt"
    path.write_text("GOOD 1\n")
    return path


@pytest.mark.parametrize("options", [{"format": LABEL}, {}], ids=["by format", "by its content"])
@pytest.mark.parametrize("kind", [str, lambda path: path], ids=["str", "Path"])
def test_a_spectrum_is_read(file, options, kind):
    star = Spectrum.read(kind(file), **options)
    assert isinstance(star, Spectrum)
    assert (star.meta["id"], star.meta["instrument"], star.meta["file"]) == ("example-0", "good", str(file))
    assert star.fm.instrument == "good"


@pytest.mark.filterwarnings("ignore:The Spectrum1D class is deprecated")
@pytest.mark.parametrize("options", [{"format": LABEL}, {}], ids=["by format", "by its content"])
def test_the_older_name_reads_too(file, options):
    star = specutils.Spectrum1D.read(file, **options)
    assert isinstance(star, specutils.Spectrum1D)
    assert star.uncertainty is not None and star.meta["id"] == "example-0"


@pytest.mark.parametrize("options", [{"format": LABEL}, {}], ids=["by format", "by its content"])
def test_a_file_of_many_stars_is_a_list(file, options):
    file.write_text("GOOD 3\n")
    stars = SpectrumList.read(file, **options)
    assert [star.meta["id"] for star in stars] == ["example-0", "example-1", "example-2"]
    with pytest.raises(ReadError, match="holds 3 stars: SpectrumList.read"):
        Spectrum.read(file, **options)


def test_a_compressed_file_is_known_by_its_path(tmp_path, install_instrument):
    text = """
import gzip
from astrofm.testing import FakeInstrument


class Fake(FakeInstrument):
    name = "{name}"

    def claims_file(self, path):
        return path.read_bytes()[:2] == b"\\x1f\\x8b" and gzip.open(path).read(4) == b"GOOD"

    def read(self, path):
        return [self.example()]
"""
    install_instrument("astrofm-zip", "zipped", formats=["Zipped night"], text=text)
    path = tmp_path / "night.txt.gz"
    path.write_bytes(gzip.compress(b"GOOD 1\n"))
    assert Spectrum.read(path).meta["instrument"] == "zipped"


def test_formats_are_listed(file):
    shown = io.StringIO()
    Spectrum.read.list_formats(out=shown)
    assert LABEL in shown.getvalue()


def test_other_formats_are_read_as_ever(file, tmp_path):
    star = Spectrum(spectral_axis=[5000, 5001, 5002] * u.AA, flux=[1, 2, 3] * u.Jy)
    star.write(tmp_path / "copy.fits", format="tabular-fits")
    again = Spectrum.read(tmp_path / "copy.fits", format="tabular-fits")
    assert again.flux.unit == star.flux.unit and len(again.flux) == len(star.flux)


def test_options_and_open_files_are_refused_in_words(file):
    with pytest.raises(TypeError, match="takes no options, got hdu"):
        Spectrum.read(file, format=LABEL, hdu=1)
    with pytest.raises(ReadError, match="by path, got BytesIO"):
        Spectrum.read(io.BytesIO(b"GOOD 1"), format=LABEL)


def test_reading_is_what_first_looks_for_plugins(file):
    path = os.pathsep.join([str(file.parent / "astrofm-good"), *filter(None, [os.environ.get("PYTHONPATH")])])
    run = subprocess.run([sys.executable, "-W", "ignore", "-c", SCRIPT, str(file)], capture_output=True, text=True,
                         timeout=120, env={**os.environ, "PYTHONPATH": path})
    assert run.stdout.split() == ["example-0", "Spectrum1D", "False"], run.stderr
