"""What an instrument promises about what is its own, and about files."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from astropy import units as u
from astropy.io import fits
from astropy.nddata import StdDevUncertainty
from astropy.table import Table
from astropy.time import Time
from astropy.timeseries import TimeSeries

from ..compat import Spectrum
from ..data import Sample
from ..errors import AstrofmError, PluginError, ReadError
from ..interfaces import Instrument
from .cards import CardTests, refuses


class ClaimPromises(CardTests):
    """An instrument claims what is its own and nothing else, and never raises when asked."""

    kind = "instruments"

    def instrument(self) -> Instrument:
        """Get the instrument under test from the registry; override it to test one that is not registered."""
        from ..registry import get_instrument

        return get_instrument(self.name)

    def example(self, seed: int = 0) -> Any:
        """Get an object that the instrument should claim; override it if yours needs arguments."""
        return self.instrument().example(seed=seed)

    def others(self) -> dict[str, Instrument]:
        """Get every other instrument that is installed and works."""
        from ..registry import cards, get_instrument

        found = {}
        for name in cards("instruments"):
            try:
                found[name] = get_instrument(name)
            except PluginError:  # somebody else's broken plugin is not this instrument's fault
                continue
        found.pop(self.name, None)
        return found

    def test_instrument_is_an_instrument_of_that_name(self):
        instrument = self.instrument()
        assert isinstance(instrument, Instrument), f"{type(instrument).__name__} is no astrofm Instrument"
        assert instrument.name == self.name, (
            f"the instrument's name is {instrument.name!r}, not {self.name!r}")

    def test_examples_follow_their_seed(self):
        sample = self.instrument().sample
        first, again, other = (sample(self.example(seed)) for seed in (1, 1, 2))
        assert np.array_equal(first.value, again.value), "example(seed=1) is another one the second time"
        assert not np.array_equal(first.value, other.value), (
            "example(seed=1) and example(seed=2) are the same")

    def test_it_claims_its_own_example(self):
        for seed in (0, 1):
            claimed = self.instrument().claims(self.example(seed))
            assert claimed is True, f"claims(example(seed={seed})) is {claimed!r}, not True"

    def test_it_claims_no_other_instruments_example_nor_they_its_own(self):
        instrument, example = self.instrument(), self.example()
        for name, other in self.others().items():
            assert not instrument.claims(other.example(seed=0)), (
                f"{self.name!r} claims an example of {name!r}")
            assert not other.claims(example), (
                f"{name!r} claims the example of {self.name!r}: make `matches` ask for more than both "
                "products have")

    def test_it_answers_false_on_a_stranger(self):
        instrument = self.instrument()
        for what, stranger in _strangers().items():
            try:
                claimed = instrument.claims(stranger)
            except Exception as error:
                raise AssertionError(f"claims({what}) raises {type(error).__name__}: {error}; a foreign "
                                     "object must get the answer False") from error
            assert claimed is False, f"claims({what}) is {claimed!r}, not False"

    def test_files_that_are_not_its_own_are_not_claimed(self):
        instrument = self.instrument()
        with tempfile.TemporaryDirectory() as folder:
            for what, path in _foreign_files(Path(folder)).items():
                try:
                    claimed = instrument.claims_file(path)
                except Exception as error:
                    raise AssertionError(f"claims_file({what}) raises {type(error).__name__}: {error}; a "
                                         "foreign file must get the answer False") from error
                assert claimed is False, f"claims_file({what}) is {claimed!r}, not False"

    def test_reading_a_foreign_file_is_an_error_in_words(self):
        instrument = self.instrument()
        with tempfile.TemporaryDirectory() as folder:
            for what, path in _foreign_files(Path(folder)).items():
                error = refuses(AstrofmError, lambda path=path: instrument.read(path), f"reading {what}")
                assert path.name in str(error), f"reading {what}: the error does not name the file: {error}"

    def test_one_bad_file_does_not_stop_the_others(self):
        instrument, failed = self.instrument(), []
        with tempfile.TemporaryDirectory() as folder:
            paths = list(_foreign_files(Path(folder)).values())
            batches = list(instrument.read_batches(paths, on_error=lambda path, error: failed.append(path)))
            assert not batches, "read_batches makes stars out of files that hold none"
            assert failed == paths, f"on_error was called for {len(failed)} of {len(paths)} bad files"
            refuses(ReadError, lambda: list(instrument.read_batches(paths[:1])), "read_batches of a text")


def _strangers() -> dict[str, Any]:
    wave, flux = np.linspace(4000, 5000, 20) * u.AA, np.ones(20) * u.Jy

    def spectrum(**meta):
        return Spectrum(spectral_axis=wave, flux=flux, uncertainty=StdDevUncertainty(0.1 * flux), meta=meta)

    def series(**meta):
        return TimeSeries(time=Time([60000.0, 60001.0], format="mjd"), meta=meta,
                          data={"flux": [1.0, 2.0], "flux_err": [0.1, 0.1]})

    array = np.zeros(3)
    return {
        "None": None, "a number": 3.5, "a string": "star.fits", "a list": [], "a dict": {"meta": {}},
        "an array": array, "a plain object": object(), "a Quantity": flux, "an empty table": Table(),
        "a table": Table({"wavelength": wave, "flux": flux}, meta={"ORIGIN": "nobody"}),
        "a spectrum without meta": spectrum(),
        "a spectrum with an empty header": spectrum(header=fits.Header()),
        "a spectrum with a foreign header": spectrum(header={"TELESCOP": "NOBODY", "INSTRUME": 7}),
        "a spectrum of another instrument": spectrum(instrument="nobody-knows"),
        "a light curve without meta": series(), "a light curve of another instrument": series(instrument="nobody-knows"),
        "a light curve with a foreign header": series(TELESCOP="NOBODY", INSTRUME=7),
        "a foreign Sample": Sample("nobody-knows", np.arange(3.0), array, array, array > 0),
    }


def _foreign_files(folder: Path) -> dict[str, Path]:
    """Write files that belong to no instrument; each is named after what it is."""
    files = {name: folder / name for name in ("notes.txt", "page.fits", "stars.csv", "empty.fits", "cut.fits", "bare.fits",
                                              "noise.fits.gz", "missing.fits", "folder.fits")}
    files["notes.txt"].write_text("these are not the stars you are looking for\n")
    files["stars.csv"].write_text("star,time,flux\n1,60000.0,2.5\n")
    files["page.fits"].write_text("<html><body>404 Not Found</body></html>\n")
    files["empty.fits"].write_bytes(b"")
    fits.PrimaryHDU().writeto(files["bare.fits"])
    files["cut.fits"].write_bytes(files["bare.fits"].read_bytes()[:1000])
    files["noise.fits.gz"].write_bytes(np.random.default_rng(0).bytes(500))
    files["folder.fits"].mkdir()
    return files
