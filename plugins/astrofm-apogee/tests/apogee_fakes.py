"""Files as APOGEE's releases lay them out, made up."""

import numpy as np
from astropy.io import fits

PIXELS = 8575
WAVE = 10 ** (4.179 + 6e-6 * np.arange(PIXELS))
CHIPS = ((246, 3274), (3585, 6080), (6344, 8335))
ID = "2M00000000+0000000"
#: pixels that a reader must mask inside the chips, and why
BAD = {1000: "BADPIX", 1010: "SIG_SKYLINE", 1020: "no data", 1030: "not finite", 1040: "no flux", 1050: "negative error"}
#: pixels with flags that are warnings only
KEPT = {1100: 1 << 9, 1110: 1 << 13, 1120: 1 << 8}
LATTICE = {"CRVAL1": 4.179, "CDELT1": 6e-6, "CRPIX1": 1, "CTYPE1": "LOG-LINEAR", "DC-FLAG": 1}


def inside():
    """Say which pixels the chips see."""
    seen = np.zeros(PIXELS, bool)
    for chip in CHIPS:
        seen[slice(*chip)] = True
    return seen


def spectrum(seed=0):
    """Make flux, error and mask of one spectrum."""
    random = np.random.default_rng(seed)
    flux = 300 * (WAVE / 16000) ** -2 + 3 * random.standard_normal(PIXELS)
    error, mask = np.full(PIXELS, 3.0), np.zeros(PIXELS, np.int64)
    flux[~inside()], error[~inside()], mask[~inside()] = 0, 1e10, 1
    mask[1000], mask[1010], error[1020], flux[1030], flux[1040], error[1050] = 1, 1 << 12, 1e10, np.nan, 0, -1
    for pixel, bit in KEPT.items():
        mask[pixel] = bit
    return flux, error, mask


def good():
    """Say which pixels of a spectrum are good."""
    seen = inside()
    seen[list(BAD)] = False
    return seen


def primary(history=("APOGEE Reduction Pipeline Version: v3_31",), **more):
    """Make a primary HDU; None takes a card away."""
    cards = {"TELESCOP": "apo25m", "SURVEY": "apogee", "OBJID": ID, "RA": 10.5, "DEC": -3.25, "J": 11.5, "H": 11.0,
             "K": 99.999, "SNR": 100.0, "STARFLAG": 4, "ANDFLAG": 0, "NVISITS": 3, "VHELIO": -20.5, "VERR": 0.1,
             "VSCATTER": -9999.0, "LOCID": 4462, "FIELD": "K14_080+08"} | more
    header = fits.Header([(key, value) for key, value in cards.items() if value is not None])
    for line in history:
        header.add_history(line)
    return fits.PrimaryHDU(header=header)


def images(*arrays, units=("Flux (10^-17 erg/s/cm^2/Ang)", "Error (10^-17 erg/s/cm^2/Ang)", "Flag Mask (bitwise)"), **more):
    """Make image HDUs on the lattice."""
    cards = LATTICE | more
    found = []
    for k, array in enumerate(arrays):
        header = fits.Header(list(cards.items()))
        if k < len(units):
            header["BUNIT"] = units[k]
        found.append(fits.ImageHDU(array, header))
    return found


def rows(visits, seed=0):
    """Stack the two combinations and the visits: flux, error, mask, each ``(visits + 2, 8575)``; one visit has one row."""
    count = 1 if visits == 1 else visits + 2
    flux, error, mask = (np.array(each) for each in zip(*(spectrum(seed + k) for k in range(count)), strict=True))
    return flux, error, mask


def apstar(path, visits=3, data=None, lattice=None, **more):
    """Write an apStar file of SDSS-III and SDSS-IV."""
    flux, error, mask = rows(visits) if data is None else data
    shape = (lambda x: x[0]) if visits == 1 else (lambda x: x)
    cards = {"NVISITS": visits} | more
    for k in range(1, visits + 1):
        cards |= {f"SFILE{k}": f"apVisit-r6-{k}.fits", f"SNRVIS{k}": 50.0 + k, f"FLAG{k}": k, f"VHELIO{k}": -20.0 - k}
    other = images(*(shape(np.ones_like(flux, ">f4")) for _ in range(4)), units=("Sky", "Sky Error", "Telluric"))
    parts = images(shape(flux.astype(">f4")), shape(error.astype(">f4")), shape(mask.astype(">i2")), **(lattice or {}))
    lsf = fits.ImageHDU(np.zeros(26))
    table = fits.BinTableHDU.from_columns([fits.Column("VHELIO", "E", array=[1.0])])
    fits.HDUList([primary(**cards), *parts, *other, lsf, table]).writeto(path)
    return path


def single(path, **more):
    """Write an apStar file of one visit, whose images have one dimension."""
    return apstar(path, visits=1, **more)


def sdss5(path, **more):
    """Write an apStar file of SDSS-V: double precision, another header, a table without columns."""
    flux, error, mask = rows(2)
    cards = {"TELESCOP": "apo25m", "SURVEY": "sdss-v", "APRED": "1.0", "V_APRED": "1.0", "VHELIO": None, "VRAD": -20.5,
             "J": None, "H": None, "K": None, "JMAG": 11.5, "HMAG": 11.0, "NVISITS": 2, "VRAD1": -21.0, "VRAD2": -22.0,
             "SNRVIS1": 51.0, "SNRVIS2": 52.0, "FLAG1": 1, "FLAG2": 2, "SFILE1": "apVisit-1.0-1.fits",
             "SFILE2": "apVisit-1.0-2.fits"} | more
    parts = images(flux, error, mask, units=("Flux (10^-17 erg/s/cm^2/Ang)", "Err (10^-17 erg/s/cm^2/Ang)", "Pixel bitmask"))
    other = images(*(np.ones_like(flux) for _ in range(4)))
    empty = fits.BinTableHDU.from_columns([])
    table = fits.BinTableHDU.from_columns([fits.Column("SNR", "D", array=[51.0, 52.0])])
    fits.HDUList([primary(("HDU0 : header",), **cards), *parts, *other, empty, table]).writeto(path)
    return path


def labels(**more):
    """Make the table of what ASPCAP measured."""
    param = np.array([[4800.0, 2.5, 0.1, -0.25, 0.0, 0.1, 0.05, 0.3, -9999.0]])
    cells = {"APOGEE_ID": (f"{len(ID)}A", [ID]), "TARGFLAGS": ("7A", ["a,b"]), "STARFLAG": ("J", [4]), "ANDFLAG": ("J", [0]),
             "SNR": ("E", [100.0]), "VHELIO": ("E", [-20.5]), "PARAM": ("9E", param), "FPARAM": ("9E", param + 1),
             "ASPCAPFLAG": ("J", [1 << 23]), "FELEM": ("26E", np.zeros((1, 26)))} | more
    return fits.BinTableHDU.from_columns([fits.Column(name, form, array=array) for name, (form, array) in cells.items()])


def aspcapstar(path, table=None, flux=None, error=None, **more):
    """Write an aspcapStar file: over the continuum, bad pixels of error 10, no flux outside the chips."""
    theirs, _, _ = spectrum()
    smooth = np.where(inside(), (theirs if flux is None else flux) / 300, 0)
    spread = np.where(inside(), 0.01, 0.0) if error is None else error
    smooth[list(BAD)], spread[list(BAD)] = 0, 10
    spread[1001] = 2.5
    model = np.where(inside(), 0.98, 0)
    cards = {"FERRE": "v461a", "SPECLIB": "v17", "OBJID": None, "OBJ": ID, "TELESCOP": None, "SURVEY": None} | more
    fits.HDUList([primary(**cards), *images(*(x.astype(">f4") for x in (smooth, spread, model)), units=()),
                  labels() if table is None else table]).writeto(path)
    return path


def apvisit(path, pixels=4096, wave=None, flux=None, **more):
    """Write an apVisit file: three chips from red to blue, each with decreasing wavelengths, observed frame."""
    ends = ((16955.0, 16473.0), (16435.0, 15857.0), (15810.0, 15142.0))
    wave = np.array([np.linspace(*end, pixels) for end in ends]) if wave is None else wave
    flux = 300 * (wave / 16000) ** -2 if flux is None else flux
    error, mask = np.full(wave.shape, 3.0), np.zeros(wave.shape, ">i2")
    mask[1, 500:520], mask[2, 700:720], error[0, 900:920] = 1, 1 << 9, 1e10
    cards = {"MJD5": 56587, "FIBERID": 131, "PLATE": "6561", "BC": -6.5, "VRAD": 15.25, "NVISITS": None} | more
    units = ("Flux (10^-17 erg/s/cm^2/Ang)", "Flux Error (10^-17 erg/s/cm^2/Ang)", "Flag Mask (bitwise)", "Wavelength (Ang)")
    parts = images(flux.astype(">f4"), error.astype(">f4"), mask, wave, units=units, CRVAL1=0, CDELT1=1, CTYPE1="Pixel")
    fits.HDUList([primary(**cards), *parts, *images(*(np.ones_like(flux, ">f4") for _ in range(4)), units=())]).writeto(path)
    return path


def undithered(path, **more):
    """Write an apVisit file of visits that were not dithered."""
    return apvisit(path, pixels=2048, **more)


def _offset(array):
    unsigned = isinstance(array, np.ndarray) and array.dtype.kind == "u"
    return 1 << (8 * array.dtype.itemsize - 1) if unsigned else None


def astra_table(name, count, pixels=PIXELS, with_wave=True, model=False, **more):
    """Make a table of an Astra file; it has no rows where the star was not seen."""
    wave = WAVE if pixels == PIXELS else 10 ** (3.5523 + 1e-4 * np.arange(pixels))
    flat = np.ones(pixels), np.ones(pixels), np.zeros(pixels)
    made = [spectrum(seed) if pixels == PIXELS else flat for seed in range(count)]
    flux, error, mask = (np.array([one[k] for one in made]).reshape(count, pixels) for k in range(3))
    with np.errstate(divide="ignore", invalid="ignore"):
        ivar = np.where(error > 0, 1 / error**2, 0)
    ivar[error > 1e9] = 0
    cells = {"sdss_id": ("K", [42] * count), "obj": ("18A", [ID] * count), "telescope": ("6A", ["apo25m"] * count),
             "spectrum_flags": ("K", [4] * count), "snr": ("E", [50.0 + k for k in range(count)]),
             "v_rad": ("E", [-20.5] * count),
             "model_flux" if model else "flux": (f"{pixels}E", flux), "ivar": (f"{pixels}E", ivar),
             "pixel_flags": (f"{pixels}K", mask.astype(np.int64)), "in_stack": ("L", [True] * count)}
    cells |= ({"wavelength": (f"{pixels}E", np.tile(wave, (count, 1))), "min_mjd": ("J", [59804] * count),
               "max_mjd": ("J", [59866] * count)} if with_wave else
              {"mjd": ("J", [59804 + k for k in range(count)])}) | more
    if count == 1:  # Astra writes words that nobody knows as columns of no length; astropy writes them for one row only
        cells["tag"] = ("0A", None)
    columns = [fits.Column(key, form, array=array, bzero=_offset(array)) for key, (form, array) in cells.items()]
    table = fits.BinTableHDU.from_columns(columns, name=name, nrows=count, uint=True)
    table.header.update(INSTRMNT=name.split("/")[0], CRVAL=float(np.log10(wave[0])).__round__(6),
                        CDELT=6e-6 if pixels == PIXELS else 1e-4, CRPIX=1, CTYPE="LOG-LINEAR", CUNIT="Angstrom (Vacuum)",
                        NPIXELS=pixels)
    return table


def mwm(path, counts=(0, 0, 1, 0), with_wave=True, model=False, tables=None, **more):
    """Write a file of Astra's: so many spectra of BOSS and APOGEE at two observatories each."""
    cards = {"V_ASTRA": "0.6.0", "SDSS_ID": 42, "APOGEEID": "", "RA": 10.5, "DEC": -3.25, "J_MAG": 11.5, "H_MAG": 11.0,
             "V_RAD": "NaN"} | more
    header = fits.Header(list(cards.items()))
    names = (("BOSS/APO", 4648), ("BOSS/LCO", 4648), ("APOGEE/APO", PIXELS), ("APOGEE/LCO", PIXELS))
    made = [astra_table(name, count, pixels, with_wave, model) for (name, pixels), count in zip(names, counts, strict=True)]
    fits.HDUList([fits.PrimaryHDU(header=header), *(tables or made)]).writeto(path, checksum=True)
    return path


def mwmvisit(path, **more):
    """Write an mwmVisit file of two visits."""
    return mwm(path, counts=(0, 0, 2, 0), with_wave=False, **more)


def catalogue(path):
    """Write the head of an allStar file."""
    names, teff = fits.Column("APOGEE_ID", "18A", array=[ID] * 3), fits.Column("TEFF", "E", array=[4500.0] * 3)
    table = fits.BinTableHDU.from_columns([names, teff])
    fits.HDUList([fits.PrimaryHDU(), table]).writeto(path)
    return path


LAYOUTS = {"apStar": apstar, "apStar of one visit": single, "apStar of SDSS-V": sdss5, "aspcapStar": aspcapstar,
           "mwmStar": mwm, "mwmVisit": mwmvisit, "apVisit": apvisit, "apVisit undithered": undithered}
ON_LATTICE = {name: write for name, write in LAYOUTS.items() if not name.startswith("apVisit")}
