"""What an instrument promises about light curves: how they are written does not matter, and bad points are counted."""

from __future__ import annotations

import numpy as np
from astropy import units as u
from astropy.time import Time
from astropy.timeseries import TimeSeries

from ..data import Sample, collate
from ..data.magnitudes import POGSON
from ..errors import DataError
from ..interfaces import LightCurveInstrument
from .cards import refuses, skip
from .claims import ClaimPromises
from .series import bare, vary_series, with_bad_points
from .variants import differences


class LightCurvePromises(ClaimPromises):
    """Promises about instruments whose example is a `~astropy.timeseries.TimeSeries` in the house's columns."""

    def series(self) -> TimeSeries:
        """Get the example: ``time``, ``flux`` and ``flux_err`` or ``mag`` and ``mag_err``, ``band``, ``mask``."""
        example = self.example()
        assert isinstance(example, TimeSeries), f"the example is a {type(example).__name__}, no TimeSeries"
        kind = "mag" if "mag" in example.colnames else "flux"
        for name in (kind, f"{kind}_err"):
            assert name in example.colnames, f"the example has no column {name!r}: it has {', '.join(example.colnames)}"
        return example

    def sampled(self, series: TimeSeries | None = None) -> Sample:
        """Sample a light curve; by default the example."""
        return self.instrument().sample(self.series() if series is None else series)

    def agrees(self, variant: TimeSeries, what: str, *, tolerance: float = 3e-6):
        """Assert that a variant of the example gives the example's Sample."""
        changed = differences(self.sampled(), self.sampled(variant), tolerance=tolerance)
        assert not changed, f"{what} changes {', '.join(changed)} of the Sample"

    def test_instrument_has_bands_and_a_unit(self):
        instrument = self.instrument()
        assert isinstance(instrument, LightCurveInstrument), f"{type(instrument).__name__} is no LightCurveInstrument"
        bands = instrument.bands
        assert bands and isinstance(bands, tuple) and len(set(bands)) == len(bands), f"bands are {bands!r}: name each once"
        assert set(instrument.band_names.values()) <= set(bands), "band_names name bands that it does not have"
        assert isinstance(instrument.unit, u.UnitBase), f"the unit is {instrument.unit!r}"
        band = self.sampled().band
        assert band is not None and band.dtype == np.int16 and 0 <= band.min() and band.max() < len(bands), (
            "the Sample's band is no int16 place in `bands`")

    def test_days_begin_at_the_first_good_point(self):
        sample, series = self.sampled(), self.series()
        good = sample.coordinate[~sample.mask]
        assert good[0] == 0, f"the first good point is at day {good[0]}"
        times = series.time.tdb
        span = (times.max() - times.min()).to_value(u.day)
        assert np.isclose(np.ptp(sample.coordinate), span, rtol=0, atol=1e-6), f"{span} days long, and the Sample is not"
        first = sample.meta.get("first_time", np.nan)
        assert times.jd.min() - 1e-6 <= first <= times.jd.max(), f'meta["first_time"] is {first}, not its Julian date (TDB)'

    def test_scale_and_format_of_the_times_do_not_matter(self):
        series = self.series()
        for scale, form in (("utc", "mjd"), ("tcb", "jd"), ("tai", "unix_tai"), ("tdb", "jyear")):
            time = Time(getattr(series.time, scale), format=form)
            self.agrees(vary_series(series, time=time), f"time in {form} ({scale})")

    def test_order_of_the_points_does_not_matter(self):
        series = self.series()
        order = np.random.default_rng(0).permutation(len(series))
        self.agrees(series[order], "shuffling the points")
        assert self.sampled(series[order]).meta["n_unsorted"] > 0, 'points out of order are not counted in meta["n_unsorted"]'
        assert self.sampled(series).meta["n_unsorted"] == 0, "the example is in order and counted as if it were not"

    def test_byte_order_does_not_matter(self):
        series = self.series()
        kind = "mag" if "mag" in series.colnames else "flux"
        value, error = (u.Quantity(series[name]).astype(">f8") for name in (kind, f"{kind}_err"))
        self.agrees(vary_series(series, value=value, error=error), "big-endian float64, as FITS has it")

    def test_magnitudes_and_fluxes_say_the_same(self):
        instrument, series = self.instrument(), self.series()
        if set(instrument.zero_points) != set(instrument.bands):
            skip(f"{self.name!r} knows no zero points for all its bands")
        kind = "mag" if "mag" in series.colnames else "flux"
        value, error = bare(series[kind]), bare(series[f"{kind}_err"])
        zero = np.array([instrument.zero_points[name] for name in instrument.bands])[self._bands(series)]
        if kind == "mag":
            flux = np.exp((zero - value) / POGSON)
            other = vary_series(series, kind="flux", value=flux * (instrument.zero_unit or u.Jy),
                                error=flux * error / POGSON * (instrument.zero_unit or u.Jy))
        else:
            other = vary_series(series, kind="mag", value=(zero - POGSON * np.log(value)) * u.mag,
                                error=POGSON * error / value * u.mag)
        self.agrees(other, f"writing {kind} as the other")

    def test_negative_flux_is_a_measurement(self):
        series = self.series()
        if "flux" not in series.colnames:
            skip(f"{self.name!r} measures magnitudes")
        value = u.Quantity(series["flux"]).copy()
        value[5] = -value[5]
        sample = self.sampled(vary_series(series, value=value))
        assert (sample.value < 0).sum() == 1 and not sample.mask[sample.value < 0].any(), "a negative flux is lost"

    def test_magnitudes_that_mean_none_are_masked(self):
        series = self.series()
        if "mag" not in series.colnames:
            skip(f"{self.name!r} measures fluxes")
        for number in (99.0, 99.999, -99.0, -999.0):
            value = u.Quantity(series["mag"]).copy()
            value[5] = number * u.mag
            mask = self.sampled(vary_series(series, value=value)).mask
            assert mask.sum() == 1 + self.sampled().mask.sum(), f"a magnitude of {number} is not masked"

    def test_bad_points_become_mask_and_are_counted(self):
        series, clean = self.series(), self.sampled()
        masked = np.ma.filled(series["mask"], True) if "mask" in series.colnames else np.zeros(len(series), bool)
        rows = np.flatnonzero(~masked)[[3, 40]]
        for what, variant in with_bad_points(series, rows).items():
            sample = self.sampled(variant)
            new = sample.mask & ~clean.mask
            assert len(sample) == len(clean) and new.sum() == len(rows), f"points with {what}: {new.sum()} of 2 are masked"
            same = np.array_equal(sample.value[~sample.mask], clean.value[~sample.mask])
            assert same and not sample.value[new].any(), f"points with {what} change others, or have values under the mask"
            assert sample.meta["n_bad"] == clean.meta["n_bad"] + 2, f'{what}: meta["n_bad"] says {sample.meta["n_bad"]}'

    def test_points_without_a_time_are_left_out_and_counted(self):
        series, clean = self.series(), self.sampled()
        days = np.ma.array(series.time.tdb.jd, mask=np.isin(np.arange(len(series)), [0, 7]))
        sample = self.sampled(vary_series(series, time=Time(days, format="jd", scale="tdb")))
        assert len(sample) == len(clean) - 2 and sample.meta["n_points"] == len(sample), (
            f"2 points have no time, and {len(sample)} of {len(clean)} are left")
        assert sample.meta["n_no_time"] == 2, f'meta["n_no_time"] says {sample.meta["n_no_time"]} of 2'

    def test_a_point_that_comes_twice_counts_once(self):
        series, clean = self.series(), self.sampled()
        rows = np.sort(np.r_[np.arange(len(series)), 5, 9])
        sample = self.sampled(series[rows])
        assert sample.meta["n_duplicate"] == 2, f'2 points come twice: meta["n_duplicate"] says {sample.meta["n_duplicate"]}'
        good, own = ~sample.mask, ~clean.mask
        assert np.array_equal(sample.value[good], clean.value[own]), "points that come twice are not masked once"

    def test_one_point_is_enough(self):
        series = self.series()
        good = int(np.flatnonzero(~self.sampled().mask)[0])
        sample = self.sampled(series[good:good + 1])
        assert len(sample) == 1 and sample.coordinate[0] == 0 and not sample.mask[0], "a light curve of one point is not"
        assert np.ptp(collate([sample, self.sampled()]).coordinate[0]) == 0, "padding moves a star's last point"

    def test_a_light_curve_without_a_good_point_is_refused_or_masked(self):
        series = self.series()
        for what, variant in with_bad_points(series, np.arange(len(series))).items():
            try:
                sample = self.sampled(variant)
            except DataError:
                continue
            assert sample.mask.all(), f"{what} in every point, and {(~sample.mask).sum()} points are good"
            assert not sample.value.any() and not sample.error.any(), f"{what}: numbers stand under the mask"

    def test_what_it_cannot_represent_is_refused_in_words(self):
        series, instrument = self.series(), self.instrument()
        kind = "mag" if "mag" in series.colnames else "flux"
        count = np.ones(len(series))
        days = series.time.tdb.mjd
        bare_series, no_band, strange = series.copy(), series.copy(), series.copy()
        bare_series.remove_column(f"{kind}_err")
        strange["band"] = np.full(len(series), "nobody-knows")
        refused = {
            "no errors": bare_series, "an unknown band": strange, "no points": series[:0],
            "a folded light curve": series.fold(period=3 * u.day),
            "times of no clock": vary_series(series, time=Time(days, format="mjd", scale="local")),
            "MJD called JD": vary_series(series, time=Time(days, format="jd", scale="tdb")),
            "MJD and JD mixed": vary_series(series, time=Time(np.r_[days[:-1], days[-1] + 2400000.5], format="mjd",
                                                              scale="tdb")),
            "no time at all": vary_series(series, time=Time(np.ma.array(days, mask=True), format="mjd", scale="tdb")),
            "flux in kelvin": vary_series(series, kind="flux", value=count * u.K, error=count * u.K),
            "two light curves in one": vary_series(series, value=np.stack([count, count], 1) * series[kind].unit,
                                                   error=np.stack([count, count], 1) * series[kind].unit),
        }
        if len(instrument.bands) > 1:
            no_band.remove_column("band")
            no_band.meta.pop("band", None)
            refused["no band"] = no_band
        for what, variant in refused.items():
            refuses(DataError, lambda variant=variant: instrument.sample(variant), what)

    def test_rebuilt_light_curves_carry_times_units_errors_and_mask(self):
        instrument, series = self.instrument(), self.series()
        kind = "mag" if "mag" in series.colnames else "flux"
        sample = instrument.sample(with_bad_points(series, np.array([4]))["mask True"])
        rebuilt = instrument.rebuild(collate([sample, instrument.sample(series[:30])]))
        assert [len(one) for one in rebuilt] == [len(sample), 30], "padding is rebuilt, or points are lost"
        one = rebuilt[0]
        assert isinstance(one, TimeSeries), f"rebuild() gives a {type(one).__name__}"
        assert u.Quantity(one[kind]).unit == u.Quantity(series[kind]).unit, "the unit comes back changed"
        assert np.allclose(one.time.tdb.jd, np.sort(series.time.tdb.jd), rtol=0, atol=1e-6), "the times come back changed"
        assert np.array_equal(one["mask"], sample.mask), "the mask comes back changed"
        good = ~sample.mask
        assert np.allclose(bare(one[f"{kind}_err"])[good], sample.error[good], rtol=1e-5), "the errors come back changed"
        assert not np.isfinite(bare(one[kind])[~good]).any(), "a masked point comes back as a number"

    def _bands(self, series: TimeSeries) -> np.ndarray:
        from ..interfaces.series import band_index

        return band_index(series, self.instrument())[0]
