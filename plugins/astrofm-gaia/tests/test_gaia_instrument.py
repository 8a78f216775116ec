"""The public promises of every instrument, kept by this one, and the doors of astrofm and specutils to it."""

import subprocess
import sys

import numpy as np
from gaia_fakes import fake_sampled, write

import astrofm
from astrofm.compat import Spectrum
from astrofm.testing import InstrumentTests


class TestGaiaXP(InstrumentTests):
    name = "gaia-xp"


def test_astrofm_finds_the_instrument_by_itself(table, tmp_path):
    path = write(table, tmp_path, "fits")
    assert astrofm.identify(path) == "gaia-xp"
    stars = astrofm.read(path)
    assert [star.meta["id"] for star in stars] == [str(item) for item in table["source_id"]]


def test_specutils_reads_a_file_of_one_star(tmp_path):
    table = fake_sampled(1)
    path = write(table, tmp_path, "csv")
    for star in (Spectrum.read(path, format="Gaia XP"), Spectrum.read(path)):
        assert star.meta["source_id"] == table["source_id"][0]
        assert np.allclose(star.flux.value, table["flux"][0], rtol=1e-6, atol=0)


def test_recognising_a_file_loads_neither_the_official_tool_nor_torch(tmp_path):
    path = write(fake_sampled(1), tmp_path, "csv")
    code = ("import sys; from astrofm_gaia.instrument import GaiaXP; "
            f"gaia, path = GaiaXP(), {str(path)!r}; assert gaia.claims_file(path); gaia.read(path); "
            "assert not {'gaiaxpy', 'pandas', 'torch'} & set(sys.modules)")
    subprocess.run([sys.executable, "-c", code], check=True)
