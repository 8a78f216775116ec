"""Instruments whose products are light curves."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from astropy import units as u

from ..data import Batch, Sample, curve_features
from ..data.curves import COUNTS, Curves, join_curves, one_curve, pad_curves, settle, stretches, with_columns
from ..data.times import tdb_time
from ..errors import DataError, ReadError
from .instrument import Instrument

if TYPE_CHECKING:
    from astropy.timeseries import TimeSeries


class LightCurveInstrument(Instrument):
    """A photometer that sees a star many times: set `name`, `bands`, `unit` and `matches`, and the rest works.

    Light curves are astropy TimeSeries with the columns ``time`` (any scale and format), ``flux`` and ``flux_err`` or ``mag``
    and ``mag_err``, ``band`` where the instrument has several, and, if there are any, ``mask`` (True = bad);
    `astrofm.light_curve` makes one of a table. To read files, override `claims_file` and `read_curves`.

    Examples
    --------
    >>> from astropy import units as u
    >>> from astrofm.interfaces import LightCurveInstrument
    >>> class Robot(LightCurveInstrument):
    ...     name = "robot"
    ...     bands = ("B", "V")
    ...     unit = u.mag
    ...     example_meta = {"telescope": "robot"}
    ...
    ...     def matches(self, series):
    ...         return series.meta.get("telescope") == "robot"
    >>> sample = Robot().sample(Robot().example())
    >>> sample.instrument, len(sample), sorted(set(sample.band.tolist()))
    ('robot', 120, [0, 1])
    """

    #: names of the bands; a Sample's ``band`` is the place in here
    bands: tuple[str, ...]
    #: other names of the bands, as files and tables write them
    band_names: Mapping[str, str] = {}
    #: unit of values and errors in a Sample: u.mag, or one of flux
    unit: u.UnitBase
    #: "absolute", or "relative" where fluxes without a unit are welcome, too
    calibration: str = "relative"
    #: magnitude of one `zero_unit` of flux in each band, where it is known: magnitudes and fluxes are both welcome then
    zero_points: Mapping[str, float] = {}
    #: unit of flux of `zero_points`; by default `unit`, or jansky where that is the magnitude
    zero_unit: u.UnitBase | None = None
    #: effective wavelength of each band (Angstrom), where it is known
    wavelengths: Mapping[str, float] = {}
    #: ``meta`` of the example
    example_meta: Mapping[str, Any] = {}

    def read_curves(self, path: Path) -> Curves:
        """Read every star of a file as it stands: unsorted, NaN where there is nothing, True where the survey says bad.

        Returns
        -------
        Curves
            Values in `unit`, or without one and ``meta["unit"]`` an empty string.

        Raises
        ------
        ReadError
            The file is damaged, or this instrument reads no files.
        """
        raise ReadError(f"instrument {self.name!r} reads no files: make a light curve of what is in {path} by "
                        "astrofm.light_curve")

    def measured(self, data: TimeSeries) -> tuple[str, str]:
        """Name the columns of value and error: where there are magnitudes and fluxes, those in `unit`."""
        kinds = ("mag", "flux") if self.unit == u.mag else ("flux", "mag")
        kind = next((each for each in kinds if each in data.colnames), kinds[0])
        return kind, f"{kind}_err"

    def flagged(self, data: TimeSeries) -> np.ndarray | bool:
        """Say which points the survey calls bad; shape ``(p,)``, True = bad."""
        if "mask" not in data.colnames:
            return False
        return np.asarray(np.ma.filled(data["mask"], True), bool)

    def describe(self, data: TimeSeries) -> dict[str, Any]:
        """Pick the plain scalars of ``meta`` that travel with the sample; ``id`` among them."""
        return {key: item for key, item in data.meta.items()
                if isinstance(item, (str, bool, int, float, np.generic)) and key not in ("instrument", "band", "first_time")}

    def read(self, path: Path) -> list[TimeSeries]:
        """Read every star of a file.

        Returns
        -------
        list of `~astropy.timeseries.TimeSeries`
            Points in the file's order, those that the survey calls bad with ``mask`` True; points without a time are left
            out and counted in ``meta["n_no_time"]``.

        Raises
        ------
        ReadError
            If the file is damaged, or this instrument reads no files.
        """
        curves = self._read(Path(path))
        return [self._series(curves[row:row + 1], str(path)) for row in range(len(curves))]

    def read_batches(self, paths: Sequence[Path], *, size: int = 256,
                     on_error: Callable[[Path, Exception], None] | None = None) -> Iterator[Batch]:
        """Read files straight into batches, as `Instrument.read_batches`; each is padded to its longest light curve.

        A batch has fewer stars than ``size`` where padding would make it larger than `astrofm.data.curves.PADDED` points.
        """
        waiting: list[Curves] = []
        for path in map(Path, paths):
            try:
                curves = settle(self._read(path))
            except (DataError, ReadError) as error:
                if on_error is None:
                    raise
                on_error(path, error)
                continue
            waiting.append(with_columns(curves, file=[str(path)] * len(curves)))
            if sum(map(len, waiting)) >= size:
                joined = join_curves(waiting)
                whole = len(joined) - len(joined) % size
                for stretch in stretches(joined[:whole], size):
                    yield pad_curves(stretch, self.name)
                waiting = [joined[whole:]] if len(joined) > whole else []
        if waiting:
            for stretch in stretches(join_curves(waiting), size):
                yield pad_curves(stretch, self.name)

    def sample(self, data: TimeSeries) -> Sample:
        """Check a light curve and turn it into arrays; see `astrofm.data.curves.settle` for what is done to bad points.

        Parameters
        ----------
        data : `~astropy.timeseries.TimeSeries`
            Or a subclass of it, as lightkurve's LightCurve.

        Returns
        -------
        Sample
            Days (TDB) since the first good point, increasing; values in `unit`, or relative ones where ``meta["unit"]`` is
            empty. ``meta["first_time"]`` is the Julian date (TDB) of day 0.

        Raises
        ------
        DataError
            No TimeSeries; no points, or none with a time; folded, or times of no known clock; no errors; a unit that does
            not convert; no band, or one that the instrument does not have.
        """
        from .series import series_curves

        return one_curve(settle(series_curves(data, self)), self.name)

    def rebuild(self, batch: Batch) -> list[TimeSeries]:
        """Make one TimeSeries a star, in the house's columns: padding goes, masked values are NaN."""
        if batch.instrument != self.name:
            raise DataError(f"instrument {self.name!r} rebuilds its own batches, not {batch.instrument!r}")
        from ..data.buckets import used_lengths

        lengths = np.maximum(np.asarray(batch.meta.get("n_points", np.zeros(len(batch))), int), used_lengths(batch))
        columns = {key: list(column) for key, column in batch.meta.items() if key not in ("first_time", "file")}
        if "first_time" not in batch.meta:
            raise DataError('the batch does not say when its days begin: meta["first_time"], Julian dates (TDB), is missing')
        epoch = np.asarray(batch.meta["first_time"], float)
        series = []
        for row, length in enumerate(lengths):
            mask = batch.mask[row, :length]
            value, error = (np.where(mask, np.nan, array[row, :length]) for array in (batch.value, batch.error))
            curves = Curves(np.array([0, length]), epoch[row:row + 1], batch.coordinate[row, :length], value, error, mask,
                            batch.band[row, :length], {key: column[row:row + 1] for key, column in columns.items()})
            series.append(self._series(curves))
        return series

    def features(self, batch: Batch, names: Collection[str] | None = None, *, workers: int = 1) -> dict[str, np.ndarray]:
        """Measure light curves: `astrofm.data.curve_features` in this instrument's bands and zero points.

        Parameters
        ----------
        batch : Batch
            Of this instrument.
        names : collection of str, optional
            Of `astrofm.data.FEATURES` and `astrofm.data.colour_features`; all by default.
        workers : int
            Threads.

        Returns
        -------
        dict of str to ndarray of float64, shape ``(n,)``
        """
        if "unit" not in batch.meta:
            batch = replace(batch, meta={**batch.meta, "unit": [self.unit.to_string()] * len(batch)})
        zero_points = None
        if self.unit != u.mag and set(self.bands) <= set(self.zero_points):
            scale = 2.5 * np.log10(self.unit.to(self.zero_unit or self.unit))
            zero_points = [self.zero_points[name] - scale for name in self.bands]
        return curve_features(batch, names=names, bands=self.bands, zero_points=zero_points, workers=workers)

    def example(self, seed: int = 0) -> TimeSeries:
        """Make a pulsating star of 120 points in 200 days, the bands taking turns, under `example_meta`."""
        random = np.random.default_rng(seed)
        days = np.sort(random.uniform(0, 200, 120))
        band = np.arange(120) % len(self.bands)
        wave = np.sin(2 * np.pi * (days / random.uniform(0.3, 30) + random.uniform()))
        magnitude = random.uniform(12, 15) + random.uniform(0.1, 0.5) * wave + 0.3 * band + 0.02 * random.standard_normal(120)
        error = np.full(120, 0.02)
        if self.unit != u.mag:
            magnitude, error = 1e4 * 10 ** (-0.4 * (magnitude - 13)), 0.02 * 1e4 * 10 ** (-0.4 * (magnitude - 13))
        curves = Curves(np.array([0, 120]), np.array([2458849.5]), days, magnitude, error, np.zeros(120, bool),
                        band.astype(np.int16), {"id": [f"example-{seed}"], "unit": [self.unit.to_string()]})
        series = self._series(curves)
        del series.meta["instrument"], series.meta["n_no_time"]
        series.meta.update(self.example_meta)
        return series

    def _read(self, path: Path) -> Curves:
        try:
            curves = self.read_curves(path)
        except DataError as error:
            raise ReadError(f"cannot read {path}: {error}") from error
        if "unit" not in curves.meta:
            curves = with_columns(curves, unit=[self.unit.to_string()] * len(curves))
        return curves

    def _series(self, curves: Curves, file: str | None = None) -> TimeSeries:
        """Make a TimeSeries of the only star of ``curves``."""
        from astropy.timeseries import TimeSeries

        meta = {key: column[0] for key, column in curves.meta.items()}
        timed = np.isfinite(curves.days)
        kept = slice(None) if timed.all() else timed
        unit = u.Unit(meta.pop("unit", self.unit.to_string()))
        kind = "mag" if unit == u.mag else "flux"
        columns: dict[str, Any] = {kind: np.asarray(curves.value[kept], np.float64) * unit,
                                   f"{kind}_err": np.asarray(curves.error[kept], np.float64) * unit}
        if len(self.bands) > 1:
            columns["band"] = np.array(self.bands)[curves.band[kept]]
        series = TimeSeries(time=tdb_time(float(curves.epoch[0]), curves.days[kept]),
                            data={**columns, "mask": np.array(curves.mask[kept])})
        for name in (each for each in COUNTS if each != "n_no_time"):
            meta.pop(name, None)
        meta["n_no_time"] = int(meta.get("n_no_time", 0)) + int(np.count_nonzero(~timed))
        series.meta.update({**meta, "instrument": self.name} | ({} if file is None else {"file": file}))
        return series

    @abstractmethod
    def matches(self, data: Any) -> bool:
        """Say whether a light curve that names no instrument in its ``meta`` is this instrument's own."""
