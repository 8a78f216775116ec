"""Files as DESI and SDSS lay them out, made up."""

import numpy as np
from astropy.io import fits

#: first wavelength and pixels of each arm
ARMS = {"b": (3600.0, 2751), "r": (5760.0, 2326), "z": (7520.0, 2881)}
FLUX_UNIT, IVAR_UNIT = "10**-17 erg/(s cm2 Angstrom)", "10**+34 (s2 cm4 Angstrom2) / erg2"
#: target identifiers that a float would round
TARGETS = (39627866878511337, 616088619186127404, -1695073, 39633300968442591)
SIGMA = {"b": 0.84, "r": 0.79, "z": 0.88}


def arm(letter, n=4, seed=0):
    """Make wave, flux, ivar, mask and resolution of an arm; pixels 5-8 without ivar, 20-22 masked, fibre 2 without light."""
    first, count = ARMS[letter]
    random = np.random.default_rng([seed, ord(letter)])
    wave = first + 0.8 * np.arange(count)
    flux = 10 + 3 * np.sin(wave / 300) + np.arange(n)[:, None] + random.normal(0, 0.3, (n, count))
    ivar = random.uniform(5, 15, (n, count))
    ivar[:, 5:9] = 0
    mask = np.zeros((n, count), np.uint32)
    mask[:, 20:23] = 4
    if n > 2:
        ivar[2], mask[2] = 0, 512
    step = np.arange(5, -6, -1)
    kernel = np.exp(-0.5 * (step / SIGMA[letter]) ** 2)
    resolution = np.repeat((kernel / kernel.sum())[None, :, None], n, 0) * np.ones(count)
    return {"WAVELENGTH": wave, "FLUX": flux.astype("f4"), "IVAR": ivar.astype("f4"), "MASK": mask,
            "RESOLUTION": resolution.astype("f4")}


def fibermap(n=4, coadd=True, targets=TARGETS):
    """Make the table of fibres."""
    columns = [("TARGETID", "K", np.resize(targets, n)), ("PETAL_LOC", "I", np.full(n, 5)),
               ("FIBER", "J", 2500 + np.arange(n)),
               ("COADD_FIBERSTATUS" if coadd else "FIBERSTATUS", "J", np.resize([0, 8, 512, 0], n)),
               ("TARGET_RA", "D", 215 + 0.1 * np.arange(n)), ("TARGET_DEC", "D", np.full(n, -3.25)),
               ("OBJTYPE", "3A", np.resize(["TGT", "SKY", "", "TGT"], n)), ("FLUX_R", "E", np.arange(n)),
               ("REF_ID", "K", np.full(n, 5853498713190525696)), ("REF_CAT", "2A", np.full(n, "G2")),
               ("NOTES", "PJ()", np.array([np.arange(k) for k in range(n)], object))]
    if not coadd:
        columns += [("EXPID", "J", 83734 + np.arange(n)), ("NIGHT", "J", np.full(n, 20210406)),
                    ("MJD", "D", np.full(n, 59311.25))]
    return fits.BinTableHDU.from_columns([fits.Column(name, form, array=values) for name, form, values in columns],
                                         name="FIBERMAP")


def desi(path, arms="brz", n=4, coadd=True, packed=None, data=None, changes=None, seed=0, targets=TARGETS):
    """Write a file of DESI spectra.

    ``packed`` packs the masks by that algorithm, ``data`` replaces arms (name to parts), ``changes`` maps the name of an
    HDU to a function of that HDU, which gives it back changed, or None to leave it out.
    """
    header = fits.Header({"SPGRP": "healpix", "SPGRPVAL": 26065, "SURVEY": "main", "PROGRAM": "bright"})
    hdus = [fits.PrimaryHDU(header=header), fibermap(n, coadd, targets)]
    for name, parts in (data or {letter: arm(letter, n, seed) for letter in arms}).items():
        for part, array in parts.items():
            full = f"{name.upper()}_{part}"
            if part == "MASK" and packed:
                hdus.append(fits.CompImageHDU(array, name=full, compression_type=packed))
            else:
                hdus.append(fits.ImageHDU(array, name=full))
            unit = {"WAVELENGTH": "Angstrom", "FLUX": FLUX_UNIT, "IVAR": IVAR_UNIT}.get(part)
            if unit:
                hdus[-1].header["BUNIT"] = unit
    scores = [fits.Column(f"MEDIAN_COADD_SNR_{letter}", "E", array=np.arange(n) + k) for k, letter in enumerate("BRZ")]
    hdus.append(fits.BinTableHDU.from_columns(scores, name="SCORES"))
    for name, change in (changes or {}).items():
        hdus = [change(hdu) if hdu is not None and hdu.name == name else hdu for hdu in hdus]
    fits.HDUList([hdu for hdu in hdus if hdu is not None]).writeto(path)
    return path


def joined(n=4, seed=0):
    """Make one arm ``brz`` as the survey joins them, by a plain loop over pixels."""
    parts = {letter: arm(letter, n, seed) for letter in ARMS}
    wave = np.round(3600 + 0.8 * np.arange(7781), 1)
    flux, ivar = np.zeros((n, 7781)), np.zeros((n, 7781))
    for row in range(n):
        for letter, (first, count) in ARMS.items():
            start = round((first - 3600) / 0.8)
            for k in range(count):
                if parts[letter]["MASK"][row, k] == 0:
                    weight = float(parts[letter]["IVAR"][row, k])
                    flux[row, start + k] += weight * float(parts[letter]["FLUX"][row, k])
                    ivar[row, start + k] += weight
    good = ivar > 0
    flux[good] /= ivar[good]
    resolution = np.zeros((n, 11, 7781), "f4")
    for letter, (first, count) in ARMS.items():
        start = round((first - 3600) / 0.8)
        resolution[:, :, start: start + count] = parts[letter]["RESOLUTION"]
    return {"brz": {"WAVELENGTH": wave, "FLUX": flux, "IVAR": ivar, "MASK": np.where(good, 0, 256).astype(np.uint32),
                    "RESOLUTION": resolution}}


def redrock(path):
    """Write a catalogue of redshifts."""
    table = fits.BinTableHDU.from_columns([fits.Column("TARGETID", "K", array=TARGETS),
                                           fits.Column("Z", "D", array=[0.1] * 4)], name="REDSHIFTS")
    fits.HDUList([fits.PrimaryHDU(), table, fibermap()]).writeto(path)
    return path


DESI = {"coadd": lambda path: desi(path), "spectra": lambda path: desi(path, coadd=False, packed="GZIP_1"),
        "joined": lambda path: desi(path, data=joined())}


def sdss_arrays(n=3850, seed=0, start=3.5798):
    """Make flux, loglam, ivar, and-mask, or-mask and wdisp: no ivar in 5-8, BRIGHTSKY in 20-22, PARTIALREJECT in 40-49."""
    random = np.random.default_rng(seed)
    flux = (50 + random.standard_normal(n)).astype("f4")
    ivar = np.full(n, 1.0, "f4")
    ivar[5:9] = 0
    both, either = np.zeros(n, "i4"), np.zeros(n, "i4")
    both[20:23], both[40:50], both[60], either[100:120] = 1 << 23, 1 << 19, 1 << 24, 1 << 23
    return flux, (start + 1e-4 * np.arange(n)).astype("f4"), ivar, both, either, np.full(n, 0.9, "f4")


SDSS_BAD = [5, 6, 7, 8, 20, 21, 22]


def sdss_header(**more):
    """Make the cards every release has; RA and DEC are where the telescope points."""
    cards = {"TELESCOP": "SDSS 2.5-M", "VERS2D": "v5_13_2", "PLATEID": 4055, "FIBERID": 408, "MJD": 55359, "RA": 240.0,
             "DEC": 10.0, "PLUG_RA": 241.5, "PLUG_DEC": 11.25, "BUNIT": "1E-17 erg/cm^2/s/Ang", "VACUUM": True,
             "COEFF0": 3.5528, "COEFF1": 1e-4}
    cards.update(more)
    return fits.Header([(key, value) for key, value in cards.items() if value is not None])


def catalogue(kind="SPECOBJ", **more):
    """Make the row of the catalogue; among its columns an unsigned, a long and a variable one."""
    values = {"SURVEY": ("6A", "boss"), "PLUG_RA": ("D", 241.5), "PLUG_DEC": ("D", 11.25), "CLASS": ("6A", "STAR"),
              "SUBCLASS": ("21A", "F9"), "Z": ("E", -2.5e-4), "Z_ERR": ("E", 1e-5), "ZWARNING": ("J", 0),
              "SN_MEDIAN_ALL": ("E", 33.0), "PLATE": ("J", 4055), "MJD": ("J", 55359), "FIBERID": ("J", 408),
              "TFILE": ("24A", "spEigenStar.fits"), "THETA": ("10E", np.zeros(10)), "RUN2D": ("6A", "v5_7_0"),
              "FLAGS": ("5J", np.arange(5))}
    if kind == "SPECOBJ":
        values["SPECOBJID"] = ("22A", "   4565636362342690816")
    else:
        values["SPECOBJID"] = ("K", np.uint64(2**63 + 4565636362342690816))
    values |= more
    columns = [fits.Column(name, form, array=np.array([value]), bzero=2**63 if name == "SPECOBJID" and form == "K" else None)
               for name, (form, value) in ((name, given) for name, given in values.items() if given)]
    return fits.BinTableHDU.from_columns(columns, name=kind)


def spec(path, kind="SPECOBJ", upper=False, arrays=None, row=True, changes=None, **cards):
    """Write a spec file; ``changes`` maps a column to another array, or None to leave it out."""
    flux, loglam, ivar, both, either, wdisp = arrays or sdss_arrays()
    named = {"flux": flux, "loglam": loglam, "ivar": ivar, "and_mask": both, "or_mask": either, "wdisp": wdisp, "sky": flux,
             "model": flux} | (changes or {})
    columns = [fits.Column(name.upper() if upper else name, "J" if np.asarray(array).dtype.kind == "i" else "E", array=array)
               for name, array in named.items() if array is not None]
    hdus = [fits.PrimaryHDU(header=sdss_header(**cards)), fits.BinTableHDU.from_columns(columns, name="COADD")]
    if row:
        hdus.append(catalogue(kind) if row is True else row)
    fits.HDUList(hdus).writeto(path)
    return path


def sdss_v(path, **more):
    """Write a spec file of SDSS-V: capitals, no plate, a catalogue identifier."""
    row = catalogue("SPALL", SPECOBJID=None, PLATE=None, FIBERID=None, FIELD=("J", 15000), CATALOGID=("K", 27021597842679140),
                    OBS=("3A", "APO"))
    return spec(path, upper=True, row=row, **{"VERS2D": "v6_1_2", "PLATEID": None, "FIBERID": None, "BUNIT": None} | more)


def spspec(path, rows=None, **more):
    """Write a file of DR1 to DR7."""
    flux, _, ivar, both, either, _ = sdss_arrays()
    with np.errstate(divide="ignore"):
        error = np.where(ivar > 0, ivar**-0.5, 0)
    image = np.array([flux, flux - 50, error, both, either], "f4") if rows is None else rows
    cards = {"RAOBJ": 241.5, "DECOBJ": 11.25, "Z": -2.5e-4, "SPEC_CLN": 1, "COEFF0": 3.5798,
             "BUNIT": "1.0E-17 erg/cm/s/Ang", "PLUG_RA": None, "PLUG_DEC": None, "VERS2D": "v4_10_6"} | more
    fits.PrimaryHDU(image, sdss_header(**cards)).writeto(path)
    return path


def mwm(path, visits=1, star=True, apogee=False):
    """Write a file of Astra: one star (wavelengths in the table) or its visits (wavelengths in the header)."""
    flux, _, ivar, both, _, _ = sdss_arrays(4648, start=3.5523)
    wave = (10 ** (3.5523 + 1e-4 * np.arange(4648))).astype("f4")

    def table(name, count, pixels=4648):
        columns = [("sdss_id", "K", [54392544] * count), ("telescope", "6A", ["apo25m"] * count),
                   ("snr", "E", [50.0] * count), ("flux", f"{pixels}E", np.tile(flux[:pixels], (count, 1))),
                   ("ivar", f"{pixels}E", np.tile(ivar[:pixels], (count, 1))),
                   ("pixel_flags", f"{pixels}J", np.tile(both[:pixels], (count, 1)))]
        columns += [("wavelength", f"{pixels}E", np.tile(wave[:pixels], (count, 1))), ("min_mjd", "J", [59804] * count)] \
            if star else [("mjd", "J", 59804 + np.arange(count))]
        hdu = fits.BinTableHDU.from_columns([fits.Column(key, form, array=np.array(values)) for key, form, values in columns],
                                            name=name)
        hdu.header.update({"CRVAL": 3.5523, "CDELT": 1e-4, "NPIXELS": 4648})
        return hdu

    primary = fits.PrimaryHDU(header=fits.Header({"V_ASTRA": "0.5.0", "SDSS_ID": 54392544, "RA": 198.4346, "DEC": 67.11}))
    fits.HDUList([primary, table("BOSS/APO", 0 if apogee else visits), table("BOSS/LCO", 0),
                  table("APOGEE/APO", int(apogee), 100)]).writeto(path)
    return path


SDSS = {"sdss": spec, "boss": lambda path: spec(path, "SPALL"), "sdss-v": sdss_v, "spSpec": spspec,
        "no catalogue": lambda path: spec(path, row=False)}
