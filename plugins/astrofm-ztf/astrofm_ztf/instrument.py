"""The instrument ``ztf``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from astropy import units as u
from astropy.timeseries import BaseTimeSeries

from astrofm.data.curves import Curves
from astrofm.data.tables import column_names
from astrofm.interfaces import LightCurveInstrument
from astrofm.interfaces.series import band_places

from .alerts import holds_alerts, is_avro, read_alerts
from .layouts import layout_of, read_file


class Ztf(LightCurveInstrument):
    """Light curves of the Zwicky Transient Facility: magnitudes by fits of the point-spread function, in g, r and i.

    Notes
    -----
    Bellm et al. 2019, 2019PASP..131a8002B; Masci et al. 2019, 2019PASP..131a8003M. The magnitudes are on the AB system of
    Pan-STARRS1: magnitude 8.9 is 1 Jy. Colour terms are not applied.
    """

    name = "ztf"
    bands = ("g", "r", "i")
    band_names = {"zg": "g", "zr": "r", "zi": "i", "1": "g", "2": "r", "3": "i"}
    unit = u.mag
    wavelengths = {"g": 4810.0, "r": 6420.0, "i": 7880.0}
    zero_unit = u.Jy
    zero_points = {"g": 8.9, "r": 8.9, "i": 8.9}
    example_meta = {"survey": "ZTF"}

    def matches(self, data: Any) -> bool:
        """Say whether a time series says that it is ZTF's."""
        return isinstance(data, BaseTimeSeries) and data.meta.get("survey") == "ZTF"

    def claims_file(self, path: Path) -> bool:
        """Say whether a file is a table of ZTF's light curves, by its columns, or of alerts, by its schema; never raises."""
        path = Path(path)
        return path.is_file() and (holds_alerts(path) if is_avro(path) else bool(layout_of(column_names(path))))

    def read_curves(self, path: Path) -> Curves:
        """Read the stars of a table, or the objects of a file or a folder of alerts.

        See `astrofm_ztf.layouts.read_file` and `astrofm_ztf.alerts.read_alerts`.
        """
        path = Path(path)
        read = read_alerts if path.is_dir() or is_avro(path) else read_file
        return read(path, lambda names: band_places(names, self))
