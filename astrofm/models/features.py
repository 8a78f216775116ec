"""The table of features of light curves, for anything that holds stars."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from astropy.table import QTable

from ..data import FEATURES, Batch, colour_features
from ..errors import DataError
from ..interfaces import LightCurveInstrument
from ..registry import get_instrument
from .answers import FIRST, LAST, Declared, fill, make_table, star_values
from .inputs import work


def light_curve_features(light_curves: Any, names: Collection[str] | None = None, *, workers: int = 1) -> QTable:
    """Measure light curves: periods, Fourier series, shapes, statistics and colours, in magnitudes for every instrument.

    Parameters
    ----------
    light_curves : TimeSeries, list, Batch, path or list of paths
        Instruments may be mixed.
    names : collection of str, optional
        Of the features; all by default. Where none of them needs a period, none is searched.
    workers : int
        Threads.

    Returns
    -------
    QTable
        A row a star, in order: ``id file instrument``, a column for each of `astrofm.data.FEATURES` and for each colour and
        ratio of amplitudes of the instruments' bands, then ``n_bad error``. NaN where a star has too few points, or its
        instrument no such bands.

    Raises
    ------
    DataError
        A single star, or a batch, that holds no light curve.
    UnknownNameError
        No feature has one of the names.
    """
    seen: dict[str, Any] = {}

    def measure(batch: Batch) -> dict[str, Any]:
        instrument = get_instrument(batch.instrument)
        if not isinstance(instrument, LightCurveInstrument):
            raise DataError(f"instrument {batch.instrument!r} takes no light curves: features are of those")
        colours = colour_features(instrument.bands)
        seen.update(colours)
        own = None if names is None else [name for name in names if name in colours or not _is_colour(name)]
        return {**star_values(batch), **instrument.features(batch, own, workers=workers)}

    found = work(light_curves, measure)
    known = FEATURES | seen
    for name in names or ():
        if name not in known and _is_colour(name):
            raise DataError(f"no instrument of these stars has the bands of {name!r}; there are: {', '.join(seen) or 'none'}")
    wanted = [known[name] for name in (known if names is None else names)]
    columns = [*FIRST, *(Declared(one.name, "float64", one.description, one.unit) for one in wanted),
               *(one for one in LAST if one.name in ("n_bad", "error"))]
    return make_table(columns, fill(columns, sum(len(piece) for piece, _ in found), found))


def _is_colour(name: str) -> bool:
    return name.startswith(("colour_", "amplitude_ratio_"))
