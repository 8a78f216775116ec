"""Whose is this? Ask every instrument, by header, and never guess."""

from __future__ import annotations

import os
import warnings
import zipfile
from collections.abc import Callable, Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..data.parquet import INSTALL
from ..data.tables import read_head
from ..errors import AmbiguousError, DataError, PluginError, PluginWarning, ReadError
from .look_up import cards, get_instrument, owner

if TYPE_CHECKING:
    from astropy.timeseries import TimeSeries

    from ..compat import SpectrumList
    from ..interfaces import Instrument

#: members of an archive that an error lists
LISTED = 6


def identify(data: Any) -> str:
    """Name the instrument that a file or an astropy object comes from.

    Parameters
    ----------
    data : path-like, `~specutils.Spectrum` or `~astropy.timeseries.TimeSeries`

    Returns
    -------
    str
        Registered name, as `~astrofm.registry.cards` lists it.

    Raises
    ------
    ReadError
        If the file does not exist, or no installed instrument knows it.
    DataError
        If no installed instrument knows the object.
    AmbiguousError
        If several claim it.
    """
    if isinstance(data, (str, os.PathLike)):
        return _identify_file(Path(data))
    from astropy.table import QTable, Table

    claims = _claims(lambda instrument: instrument.claims(data))
    if len(claims) == 1:
        return claims[0]
    what = f"this {type(data).__name__}"
    if claims:
        raise AmbiguousError(f'{what} is claimed by {_owners(claims)}: set meta["instrument"] to one of them')
    if not isinstance(getattr(data, "meta", None), Mapping) or type(data) in (Table, QTable):
        raise DataError(f"{what} is no spectrum or light curve: specutils makes a Spectrum of arrays, and "
                        "astrofm.light_curve a light curve of a table")
    raise DataError(f'no installed instrument knows {what}: set meta["instrument"] to one of '
                    f"{', '.join(cards('instruments')) or '(none installed)'}, or install the plugin of its survey")


def read(path: str | os.PathLike) -> SpectrumList | list[TimeSeries]:
    """Read every star of a file, whichever installed instrument it belongs to.

    Parameters
    ----------
    path : path-like
        A file; several stars may stand in it.

    Returns
    -------
    `~specutils.SpectrumList`, or list of `~astropy.timeseries.TimeSeries`
        Spectra, or light curves, as the instrument has them; with its name and the file in each ``meta``.

    Raises
    ------
    ReadError
        If the file is damaged, or no installed instrument knows it.
    AmbiguousError
        If several claim it.
    """
    from ..compat import Spectrum, SpectrumList

    path = Path(path)
    stars = read_as(identify(path), path)
    return SpectrumList(stars) if all(isinstance(star, Spectrum) for star in stars) else stars


def read_as(name: str, path: Path) -> list:
    """Read a file with the instrument of this name, and write both into the ``meta`` of each star."""
    stars = get_instrument(name).read(path)
    for star in stars:
        star.meta.setdefault("instrument", name)
        star.meta.setdefault("file", str(path))
    return stars


def _identify_file(path: Path) -> str:
    if not path.exists():
        raise ReadError(f"{path} does not exist")
    if path.is_dir():
        raise ReadError(f"{path} is a folder: give its files, or hand it to astrofm predict as it is")
    if not path.stat().st_size:
        raise ReadError(f"{path} is empty (0 bytes): fetch it again")
    claims = _claims(lambda instrument: instrument.claims_file(path))
    if len(claims) == 1:
        return claims[0]
    if claims:
        raise AmbiguousError(f"{path} is claimed by {_owners(claims)}: read it with one of them, for example "
                             f"astrofm.registry.get_instrument({claims[0]!r}).read({str(path)!r})")
    raise ReadError(_nobodys(path))


def _nobodys(path: Path) -> str:
    """Say of a file that no instrument knows what it is, where that can be seen, and what to do."""
    head = read_head(path, 4)
    if head == b"PAR1" and find_spec("pyarrow") is None:
        return f"{path} {INSTALL}"
    asked = f"no installed instrument knows {path} (asked: {', '.join(cards('instruments')) or 'none'}): "
    if head != b"PK\x03\x04":
        return f"{asked}is it a product of another survey, or damaged?"
    try:
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
    except (OSError, ValueError, NotImplementedError, zipfile.BadZipFile):
        return f"{asked}it is a damaged zip archive, fetch it again"
    told = ", ".join(names[:LISTED]) + (f" and {len(names) - LISTED} more" if len(names) > LISTED else "")
    return f"{asked}it is a zip archive of {told or 'nothing'}; unzip it and hand over the files inside that you want"


def _claims(asks: Callable[[Instrument], bool]) -> list[str]:
    claims = []
    for name in cards("instruments"):
        try:
            if asks(get_instrument(name)):
                claims.append(name)
        except Exception as cause:  # other people's code: one instrument that fails must not hide the others
            why = str(cause) if isinstance(cause, PluginError) else (
                f"instrument {name!r} of {owner('instruments', name)} fails when asked what it claims "
                f"({type(cause).__name__}: {cause})")
            warnings.warn(f"{why}; taken for a no", PluginWarning, stacklevel=4)
    return claims


def _owners(names: list[str]) -> str:
    return " and ".join(f"{name} ({owner('instruments', name)})" for name in names)
