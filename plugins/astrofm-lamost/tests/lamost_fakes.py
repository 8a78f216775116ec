"""Files as LAMOST's releases lay them out, made up."""

import numpy as np
from astropy.io import fits

IMAGE = "Flux, Inverse, Wavelength, Andmask, Ormask"
PILOT = "Flux Inverse Subcontinuum Andmask Ormask"


def arrays(n=3900, seed=0, start=3.5684):
    """Make flux, ivar, wavelength, and-mask, or-mask."""
    random = np.random.default_rng(seed)
    wave = 10 ** (start + 1e-4 * np.arange(n))
    flux = 500 + 50 * random.standard_normal(n)
    ivar = np.full(n, 1 / 50.0**2)
    ivar[5:9] = 0
    andmask, ormask = np.zeros(n), np.zeros(n)
    andmask[20:23], ormask[40:50] = 1, 1
    return flux, ivar, wave, andmask, ormask


def header(**more):
    """Make the cards every release has."""
    cards = {"TELESCOP": "LAMOST", "FILENAME": "spec-55555-FAKE_sp01-001.fits", "RA": 10.5, "DEC": -3.25,
             "DESIG": "LAMOST J004200.00-031500.0", "LMJD": 55555, "PLANID": "FAKE", "SPID": 1, "FIBERID": 1,
             "CLASS": "STAR", "SUBCLASS": "G2", "Z": -1e-4, "VACUUM": True, "COEFF0": 3.5684, "COEFF1": 1e-4}
    cards.update(more)
    return fits.Header([(key, value) for key, value in cards.items() if value is not None])


def pilot(path, **more):
    """Write the layout of the pilot survey and DR1."""
    flux, ivar, _, andmask, ormask = arrays()
    rows = np.array([flux, ivar, flux / 500, andmask, ormask], ">f4")
    fits.PrimaryHDU(rows, header(EXTEN0=PILOT, SN_G=33.0, VERSPIPE="v2.6.4", **more)).writeto(path)
    return path


def image(path, dtype=">f4", rows=None, **more):
    """Write the layout of DR2-DR7."""
    rows = np.array(arrays(), dtype) if rows is None else rows
    cards = {"EXTEN0": IMAGE, "SNRG": 33.0, "OBSID": 12345, "DATA_V": "LAMOST DR7"} | more
    fits.PrimaryHDU(rows, header(**cards)).writeto(path)
    return path


def table(path, extname="COADD", **more):
    """Write the layout of DR8 and later."""
    flux, ivar, wave, andmask, ormask = arrays()
    names = ("FLUX", "IVAR", "WAVELENGTH", "ANDMASK", "ORMASK", "NORMALIZATION")
    columns = [fits.Column(name, f"{len(flux)}E", array=[column])
               for name, column in zip(names, (flux, ivar, wave, andmask, ormask, flux / 500), strict=True)]
    primary = fits.PrimaryHDU(header=header(SNRG=33.0, OBSID=12345, DATA_V="LAMOST DR9", **more))
    fits.HDUList([primary, fits.BinTableHDU.from_columns(columns, name=extname)]).writeto(path)
    return path


LAYOUTS = {"pilot": pilot, "image": image, "double": lambda path: image(path, ">f8"), "table": table}
