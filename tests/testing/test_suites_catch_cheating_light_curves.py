"""Honest photometers of every make pass the suite, and every promise about light curves can be broken and is noticed."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from astropy import units as u

from astrofm.data import Sample
from astrofm.testing import FakePhotometer, LightCurveInstrumentTests
from astrofm.testing.cards import CardTests
from astrofm.testing.instruments import SamplePromises


class InMagnitudes(FakePhotometer):
    unit = u.mag
    zero_points = {"B": 8.9, "R": 8.9}


class OneBand(FakePhotometer):
    bands = ("W",)
    band_names = {}
    zero_points = {}


class InJansky(FakePhotometer):
    unit = u.Jy
    calibration = "absolute"


class WithAbsoluteMagnitudesOnly(InMagnitudes):
    zero_points = {}


MAKES = [FakePhotometer, InMagnitudes, OneBand, InJansky, WithAbsoluteMagnitudesOnly]
PROMISES = sorted(name for name in dir(LightCurveInstrumentTests)
                  if name.startswith("test_") and not hasattr(CardTests, name))


class Suite(LightCurveInstrumentTests):
    name = "fake-photometer"
    subject: type = FakePhotometer

    def instrument(self):
        return self.subject()

    def others(self):
        return {}


@pytest.mark.parametrize("promise", PROMISES)
@pytest.mark.parametrize("make", MAKES)
def test_an_honest_photometer_passes(make, promise):
    suite = Suite()
    suite.subject = make
    getattr(suite, promise)()


class Naive(FakePhotometer):
    """Takes the numbers as they stand."""

    def sample(self, data):
        kind = "mag" if "mag" in data.colnames else "flux"
        value, error = (np.asarray(u.Quantity(data[name]).value, np.float32) for name in (kind, f"{kind}_err"))
        days = np.asarray(data.time.value - data.time.value[0], np.float64)
        counts = dict.fromkeys(("n_bad", "n_no_time", "n_unsorted", "n_duplicate"), 0)
        return Sample(self.name, days, value, error, np.zeros(len(data), bool), np.zeros(len(data), np.int16),
                      {"id": data.meta["id"], "n_points": len(data), **counts})


class NaiveInMagnitudes(Naive):
    unit = u.mag
    zero_points = {}


class BandsAsList(FakePhotometer):
    bands = ["B", "R"]


class BeginsAtItsEpoch(FakePhotometer):
    def sample(self, data):
        sample = super().sample(data)
        return replace(sample, coordinate=sample.coordinate + 7)


class ReadsForeignBytes(FakePhotometer):
    def sample(self, data):
        sample = super().sample(data)
        raw = u.Quantity(data["flux"]).value
        first_bytes = raw.view("u1").reshape(len(raw), -1)[:, 0]
        return sample if raw.dtype.isnative else replace(sample, value=first_bytes.astype("f4"))


class DropsNegativeFlux(FakePhotometer):
    def flagged(self, data):
        return super().flagged(data) | (u.Quantity(data["flux"]).value < 0)


class NeedsTwoPoints(FakePhotometer):
    def sample(self, data):
        sample = super().sample(data)
        return replace(sample, mask=sample.mask | (len(sample) < 2))


class CountsFromZero(FakePhotometer):
    """Leaves numbers under the mask where nothing is good."""

    def sample(self, data):
        sample = super().sample(data)
        sample.value[sample.mask] = 1 if sample.mask.all() else 0
        return sample


class RebuildsZeros(FakePhotometer):
    def rebuild(self, batch):
        series = super().rebuild(batch)
        for one in series:
            one["flux"][np.array(one["mask"])] = 0 * self.unit
        return series


CHEATS = [
    (Naive, ["test_order_of_the_points_does_not_matter", "test_scale_and_format_of_the_times_do_not_matter",
             "test_magnitudes_and_fluxes_say_the_same", "test_bad_points_become_mask_and_are_counted",
             "test_points_without_a_time_are_left_out_and_counted", "test_a_point_that_comes_twice_counts_once",
             "test_what_it_cannot_represent_is_refused_in_words"]),
    (NaiveInMagnitudes, ["test_magnitudes_that_mean_none_are_masked"]),
    (BandsAsList, ["test_instrument_has_bands_and_a_unit"]),
    (BeginsAtItsEpoch, ["test_days_begin_at_the_first_good_point"]),
    (ReadsForeignBytes, ["test_byte_order_does_not_matter"]),
    (DropsNegativeFlux, ["test_negative_flux_is_a_measurement"]),
    (NeedsTwoPoints, ["test_one_point_is_enough"]),
    (CountsFromZero, ["test_a_light_curve_without_a_good_point_is_refused_or_masked"]),
    (RebuildsZeros, ["test_rebuilt_light_curves_carry_times_units_errors_and_mask"]),
]
PAIRS = [pytest.param(cheat, test, id=f"{cheat.__name__}-{test}") for cheat, tests in CHEATS for test in tests]


@pytest.mark.parametrize("cheat, test", PAIRS)
def test_a_cheating_photometer_is_caught(cheat, test):
    suite = Suite()
    suite.subject = cheat
    with pytest.raises(AssertionError, match="[a-z]{2}"):
        getattr(suite, test)()


def test_every_promise_about_light_curves_is_broken_by_some_cheat():
    shared = {name for name in dir(SamplePromises) if name.startswith("test_")}  # broken by cheating spectrographs
    promised = {name for name in dir(LightCurveInstrumentTests) if name.startswith("test_")} - shared
    assert promised == {test for _, tests in CHEATS for test in tests}


def test_the_command_checks_photometers_by_their_own_suite(fresh_registry):
    from astrofm.testing.checking import _suite

    names = [name for name in fresh_registry.cards("instruments") if name == "tess"]
    assert all(_suite("instruments", name) == "LightCurveInstrumentTests" for name in names)
