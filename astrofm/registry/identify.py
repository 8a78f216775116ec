"""Whose is this? Ask every instrument, by header, and never guess."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import AmbiguousError, DataError, PluginError, PluginWarning, ReadError
from .look_up import cards, get_instrument

if TYPE_CHECKING:
    from ..compat import SpectrumList
    from ..interfaces import Instrument


def identify(data: Any) -> str:
    """Name the instrument that a file or an astropy object comes from.

    Parameters
    ----------
    data : path-like, `~specutils.Spectrum` or `~astropy.timeseries.TimeSeries`

    Returns
    -------
    str
        Registered name, such as ``"lamost-lrs"``.

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
    claims = [instrument.name for instrument in _installed() if instrument.claims(data)]
    if len(claims) == 1:
        return claims[0]
    what = f"this {type(data).__name__}"
    if claims:
        raise AmbiguousError(f'{what} is claimed by {" and ".join(claims)}: set meta["instrument"] to one of them')
    raise DataError(f'no installed instrument knows {what}: set meta["instrument"] to one of '
                    f"{', '.join(cards('instruments')) or '(none installed)'}, or install the plugin of its survey")


def read(path: str | os.PathLike) -> SpectrumList:
    """Read every star of a file, whichever installed instrument it belongs to.

    Parameters
    ----------
    path : path-like
        A file; several stars may stand in it.

    Returns
    -------
    `~specutils.SpectrumList`
        With the instrument's name and the file in each ``meta``.

    Raises
    ------
    ReadError
        If the file is damaged, or no installed instrument knows it.
    AmbiguousError
        If several claim it.
    """
    from ..compat import SpectrumList

    path = Path(path)
    instrument = get_instrument(identify(path))
    spectra = SpectrumList(instrument.read(path))
    for spectrum in spectra:
        spectrum.meta.setdefault("instrument", instrument.name)
        spectrum.meta.setdefault("file", str(path))
    return spectra


def _identify_file(path: Path) -> str:
    if not path.exists():
        raise ReadError(f"{path} does not exist")
    if path.is_dir():
        raise ReadError(f"{path} is a folder: give its files, or hand it to astrofm predict as it is")
    if not path.stat().st_size:
        raise ReadError(f"{path} is empty (0 bytes): fetch it again")
    claims = [instrument.name for instrument in _installed() if instrument.claims_file(path)]
    if len(claims) == 1:
        return claims[0]
    if claims:
        raise AmbiguousError(f"{path} is claimed by {' and '.join(claims)}: read it with one of them, for example "
                             f"astrofm.registry.get_instrument({claims[0]!r}).read(path)")
    raise ReadError(f"no installed instrument knows {path} (asked: {', '.join(cards('instruments')) or 'none'}): "
                    "is it a product of another survey, or damaged?")


def _installed() -> list[Instrument]:
    import warnings

    found = []
    for name in cards("instruments"):
        try:
            found.append(get_instrument(name))
        except PluginError as error:
            warnings.warn(f"{error}; it is not asked", PluginWarning, stacklevel=3)
    return found
