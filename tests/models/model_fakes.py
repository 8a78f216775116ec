"""Two instruments, a small model of real parts, and spectra it can be given."""

import numpy as np
import torch
from astropy import units as u
from astropy.nddata import StdDevUncertainty

from astrofm import Card, hookimpl
from astrofm.compat import Spectrum
from astrofm.errors import ReadError
from astrofm.interfaces import SpectrumInstrument
from astrofm.models import Familiarity, Model
from astrofm.nn.heads import ClassHead, GaussianHead
from astrofm.nn.shared import SharedSpace
from astrofm.nn.trunk import AnyWavelengthEncoder


class Wide(SpectrumInstrument):
    """1,200 pixels of 1e-4 dex, relative fluxes."""

    name = "wide"
    grid = 10 ** (3.6 + 1e-4 * np.arange(1200)) * u.AA
    unit = u.dimensionless_unscaled
    example_header = {"INSTRUME": "WIDE"}

    def matches(self, data):
        return data.meta.get("header", {}).get("INSTRUME") == "WIDE"

    def claims_file(self, path):
        return path.is_file() and path.read_bytes()[:4] == b"WIDE"

    def read(self, path):
        """Read a file that says ``WIDE`` and the seed of each star in it."""
        try:
            return [self.example(int(word)) for word in path.read_text().split()[1:]]
        except ValueError as error:
            raise ReadError(f"{path} is damaged: {error}") from error


class Coarse(SpectrumInstrument):
    """60 pixels of 20 Angstrom, absolute fluxes per nm."""

    name = "coarse"
    grid = np.arange(4000.0, 5200.0, 20.0) * u.AA
    unit = u.Unit("W m-2 nm-1")
    calibration = "absolute"
    example_header = {"INSTRUME": "COARSE"}

    def matches(self, data):
        return data.meta.get("header", {}).get("INSTRUME") == "COARSE"


LABELS = [{"name": "teff", "unit": "K", "low": 3000.0, "high": 9000.0, "centre": 3.75, "spread": 0.1, "log": True},
          {"name": "logg", "unit": "dex", "low": -99.0, "high": 99.0, "centre": 4.0, "spread": 1.0}]


@hookimpl
def astrofm_instruments():
    """Offer both, and a photometer, as a plugin would."""
    return [Card("wide", "model_fakes:Wide", "a fake"), Card("coarse", "model_fakes:Coarse", "a fake"),
            Card("fake-photometer", "astrofm.testing:FakePhotometer", "a fake")]


def make_model(**card):
    """Make the same small random model each time."""
    torch.manual_seed(4)
    encoder = AnyWavelengthEncoder(dim=12, width=24, depth=1, heads=2, patch=64, hidden=32)
    aligner = SharedSpace(source_dim=12, dim=10, width=24, depth=1, patch=64)
    heads = {"atmosphere": GaussianHead(dim=10, labels=LABELS, hidden=16, depth=1),
             "kind": ClassHead(dim=10, label="spectral_type", classes=["A", "F", "G"], hidden=16)}
    familiarity = Familiarity.fit(np.random.default_rng(0).normal(size=(200, 10)) * 50)
    return Model(encoder, aligner, heads, card={"name": "small", "instruments": ["wide", "coarse"], **card},
                 familiarity=familiarity)


def spectrum_of(flux, error=0.02, mask=None, instrument="wide", unit=u.dimensionless_unscaled):
    """Make a spectrum on the grid of `Wide`."""
    return Spectrum(spectral_axis=Wide.grid, flux=flux * unit, mask=mask, meta={"instrument": instrument},
                    uncertainty=StdDevUncertainty(np.broadcast_to(error, flux.shape) * unit))
