"""Strong lines of cool stars in the H band, to name what a model looks at."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from astrofm.data import to_vacuum

#: wavelengths in air (Angstrom) of atomic lines that Smith et al. 2013 (ApJ 765, 16) measure in APOGEE spectra, by species
AIR = {
    "Fe I": (15194.492, 15207.526, 15395.718, 15490.339, 15648.510, 15964.867, 16040.657, 16153.247, 16165.032),
    "Mg I": (15740.716, 15748.900, 15765.800, 15879.500, 15886.200, 15954.477),
    "Al I": (16718.957, 16750.564, 16763.359), "K I": (15163.067, 15168.376),
    "Si I": (15361.161, 15376.831, 15833.602, 15960.063, 16060.009, 16094.787, 16215.670, 16680.770, 16828.159),
    "Ca I": (16136.823, 16150.763, 16155.236, 16157.364),
    "Ti I": (15543.756, 15602.842, 15698.979, 15715.573, 16635.161), "V I": (15924.800,), "Cr I": (15680.063, 15860.214),
    "Mn I": (15159.200, 15217.700, 15262.400), "Co I": (16757.600,),
    "Ni I": (15605.680, 15632.654, 16584.439, 16589.295, 16673.711, 16815.471),
}
#: wave number (1 / cm) of the ionisation of hydrogen
RYDBERG = 109677.5834


def lines() -> list[tuple[str, float]]:
    """Give names and vacuum wavelengths (Angstrom), sorted: the lines of `AIR`, and the Brackett lines of hydrogen."""
    found = [(species, float(wave)) for species, waves in AIR.items() for wave in to_vacuum(np.array(waves))]
    found += [(f"H Br{upper}", 1e8 / (RYDBERG * (1 / 16 - 1 / upper**2))) for upper in range(11, 21)]
    return sorted(found, key=lambda line: line[1])


def name_lines(wavelength: Iterable[float], *, within: float = 2.0) -> list[str]:
    """Name the line nearest to each wavelength.

    Parameters
    ----------
    wavelength : iterable of float
        Vacuum Angstrom, of a star at rest.
    within : float
        Largest distance (Angstrom).

    Returns
    -------
    list of str
        Such as ``"Mg I 15745.0"``; empty where no line of the list is near.

    Examples
    --------
    >>> from astrofm_apogee.lines import name_lines
    >>> name_lines([15745.3, 15000.0, 16811.5])
    ['Mg I 15745.0', '', 'H Br11 16811.2']
    """
    known = lines()
    found = []
    for wave in wavelength:
        name, place = min(known, key=lambda line: abs(line[1] - wave))
        found.append(f"{name} {place:.1f}" if abs(place - wave) <= within else "")
    return found
