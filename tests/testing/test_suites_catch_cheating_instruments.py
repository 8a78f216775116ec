"""Every promise about instruments can be broken, and the suite notices."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from astropy import units as u

from astrofm.compat import Spectrum
from astrofm.data import Batch, Sample
from astrofm.registry.cards import Card
from astrofm.testing import FakeInstrument, InstrumentTests

TARGET = "test_target_can_be_imported_and_has_the_name_of_the_card"
CARD = Card("fake", "astrofm.testing.fakes:FakeInstrument", "A fake spectrograph", license="BSD-3-Clause")


class Suite(InstrumentTests):
    name = "fake"
    subject: type = FakeInstrument
    record = CARD
    neighbours: dict = {}

    def instrument(self):
        return self.subject()

    def card(self):
        return self.record

    def others(self):
        return self.neighbours


class Naive(FakeInstrument):
    """Takes the numbers as they stand."""

    def sample(self, data):
        return Sample("fake", np.array(data.spectral_axis.value), np.asarray(data.flux.value, "f4"),
                      np.asarray(data.uncertainty.array, "f4"), np.zeros(len(data.flux), bool),
                      meta={"id": data.meta["id"], "n_bad": 0})


class ReadsForeignBytes(FakeInstrument):
    def sample(self, data):
        sample = super().sample(data)
        raw = np.asarray(data.flux.value)
        if raw.dtype.itemsize != 4:
            return sample
        return replace(sample, value=raw.view(raw.dtype.newbyteorder("=")).astype("f4"))


class ClaimsEverything(FakeInstrument):
    def claims(self, data):
        return True

    def claims_file(self, path):
        return True


class ClaimsWithANumber(FakeInstrument):
    def claims(self, data):
        return 1


class NoInstrument:
    name = "fake"


class OneExample(FakeInstrument):
    def example(self, seed=0):
        return super().example(0)


class ReadsEverything(FakeInstrument):
    def read(self, path):
        return [self.example()]


class LetsNaNThrough(FakeInstrument):
    def sample(self, data):
        sample = super().sample(data)
        sample.value[5] = np.nan
        return sample


class HidesTheId(FakeInstrument):
    def describe(self, data):
        return {"id": 12.0}


class WritesIntoItsInput(FakeInstrument):
    def sample(self, data):
        data.meta["sampled"] = True
        return super().sample(data)


class SharesMemory(FakeInstrument):
    def sample(self, data):
        sample = super().sample(data)
        return replace(sample, error=data.uncertainty.array)


class ForgetsInPickling(FakeInstrument):
    def __init__(self, factor=1.0):
        self.factor = factor

    def __reduce__(self):
        return type(self), (2.0,)

    def sample(self, data):
        sample = super().sample(data)
        return replace(sample, value=sample.value * np.float32(self.factor))


class RebuildsBackwards(FakeInstrument):
    def rebuild(self, batch):
        return super().rebuild(batch)[::-1]


class RebuildsWithoutAName(FakeInstrument):
    def rebuild(self, batch):
        return [Spectrum(spectral_axis=x.spectral_axis, flux=x.flux) for x in super().rebuild(batch)]


class RebuildsAnybodys(FakeInstrument):
    def rebuild(self, batch):
        return super().rebuild(replace(batch, instrument="fake"))


class GivesItBackwards(FakeInstrument):
    def sample(self, data):
        sample = super().sample(data)
        return replace(sample, coordinate=sample.coordinate[::-1].copy())


class BatchesAsTheyStand(FakeInstrument):
    def batch(self, value, error, mask, meta=None):
        return Batch("fake", self.wavelength(), value, error, mask, meta={"id": [""] * len(value)})


class Neighbour(FakeInstrument):
    name = "neighbour"


CHEATS = [
    (Naive, ["test_unit_of_the_axis_does_not_matter", "test_direction_of_the_axis_does_not_matter",
             "test_unit_of_the_flux_does_not_matter", "test_kind_of_uncertainty_does_not_matter",
             "test_air_wavelengths_are_converted", "test_bad_pixels_become_mask_and_touch_no_others",
             "test_bad_pixels_are_counted_in_meta",
             "test_a_spectrum_without_a_good_pixel_is_refused_or_masked",
             "test_what_it_cannot_represent_is_refused_in_words",
             "test_what_is_no_astropy_object_is_refused_in_words"]),
    (ReadsForeignBytes, ["test_byte_order_does_not_matter"]),
    (ClaimsEverything, ["test_it_answers_false_on_a_stranger",
                        "test_files_that_are_not_its_own_are_not_claimed"]),
    (ClaimsWithANumber, ["test_it_claims_its_own_example"]),
    (NoInstrument, ["test_instrument_is_an_instrument_of_that_name"]),
    (OneExample, ["test_examples_follow_their_seed"]),
    (ReadsEverything, ["test_reading_a_foreign_file_is_an_error_in_words",
                       "test_one_bad_file_does_not_stop_the_others"]),
    (LetsNaNThrough, ["test_samples_keep_the_data_contract", "test_batches_keep_the_order_of_the_stars"]),
    (HidesTheId, ["test_meta_holds_the_id_and_plain_scalars"]),
    (WritesIntoItsInput, ["test_the_input_is_left_alone"]),
    (SharesMemory, ["test_the_input_is_left_alone", "test_samples_keep_the_data_contract"]),
    (ForgetsInPickling, ["test_instrument_and_samples_can_be_pickled"]),
    (RebuildsBackwards, ["test_rebuilding_keeps_order_and_number"]),
    (RebuildsWithoutAName, ["test_what_it_rebuilds_is_its_own",
                            "test_rebuilt_spectra_carry_units_uncertainty_and_mask"]),
    (RebuildsAnybodys, ["test_it_does_not_rebuild_another_instruments_batch"]),
    (GivesItBackwards, ["test_wavelengths_are_vacuum_angstrom_and_increase"]),
    (BatchesAsTheyStand, ["test_arrays_straight_to_a_batch_keep_the_contract"]),
]
PAIRS = [pytest.param(cheat, test, id=f"{cheat.__name__}-{test}")
         for cheat, tests in CHEATS for test in tests]


@pytest.mark.parametrize("cheat, test", PAIRS)
def test_a_cheating_instrument_is_caught(cheat, test):
    suite = Suite()
    suite.subject = cheat
    with pytest.raises(AssertionError, match="[a-z]{2}"):
        getattr(suite, test)()


@pytest.mark.parametrize("test", sorted({test for _, tests in CHEATS for test in tests}))
def test_an_honest_instrument_passes_what_the_cheats_fail(test):
    getattr(Suite(), test)()


def test_two_instruments_that_claim_each_others_examples_are_caught():
    suite = Suite()
    suite.neighbours = {"neighbour": Neighbour()}
    with pytest.raises(AssertionError, match="'fake' claims an example of 'neighbour'"):
        suite.test_it_claims_no_other_instruments_example_nor_they_its_own()


@pytest.mark.parametrize("changes, test", [
    ({"summary": " "}, "test_card_is_complete"),
    ({"summary": "two\nlines"}, "test_card_is_complete"),
    ({"license": ""}, "test_card_is_complete"),
    ({"name": "Fake"}, "test_card_is_complete"),
    ({"target": "astrofm.testing.fakes"}, TARGET),
    ({"target": "astrofm.testing.fakes:Missing"}, TARGET),
    ({"target": "astrofm.interfaces:SpectrumInstrument"}, TARGET),
])
def test_a_false_card_is_caught(changes, test):
    suite = Suite()
    suite.record = replace(CARD, **changes)
    with pytest.raises(AssertionError):
        getattr(suite, test)()


def test_every_promise_about_instruments_is_broken_by_some_cheat():
    promised = {name for name in dir(InstrumentTests) if name.startswith("test_")}
    elsewhere = {
        "test_card_is_complete", TARGET,
        "test_it_claims_no_other_instruments_example_nor_they_its_own",
        "test_listing_the_cards_loads_nothing_heavy",  # in test_check.py, with an installed plugin
    }
    assert promised == {test for _, tests in CHEATS for test in tests} | elsewhere


def test_an_instrument_without_flux_units_is_not_asked_for_janskys():
    class Normalised(FakeInstrument):
        unit = u.dimensionless_unscaled

    suite = Suite()
    suite.subject = Normalised
    with pytest.raises(pytest.skip.Exception, match="no unit"):
        suite.test_unit_of_the_flux_does_not_matter()
