"""Every promise about encoders, aligners and heads can be broken, and the suites notice."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from astrofm.interfaces import Label
from astrofm.testing import (
    AlignerTests,
    EncoderTests,
    FakeAligner,
    FakeEncoder,
    FakeHead,
    FakeInstrument,
    FakePhotometer,
    HeadTests,
)
from astrofm.testing.cards import CardTests


def suite_of(kind: type, subject: type, **settings):
    """Make a suite of an unregistered class."""
    settings = {"name": "fake", "part_class": lambda self: subject, **settings}
    if kind is EncoderTests:
        settings["instrument"] = lambda self: FakePhotometer() if subject.takes_light_curves else FakeInstrument()
    return type("Suite", (kind,), settings)()


class Adds(FakeEncoder):
    """Adds something to an honest embedding."""

    def _embed(self, batch):
        embedding = super()._embed(batch)
        return embedding + self.extra(batch, embedding)


class UsesBatchStatistics(Adds):
    def extra(self, batch, embedding):
        return -embedding.mean(0)


class CountsRows(Adds):
    def extra(self, batch, embedding):
        return torch.arange(len(embedding))[:, None]


class IgnoresTheMask(FakeEncoder):
    def _embed(self, batch):
        return super()._embed(replace(batch, mask=torch.zeros_like(batch.mask)))


class SaysTheSameOfAll(FakeEncoder):
    def _embed(self, batch):
        return self.linear.bias.expand(len(batch), -1)


class DividesByZero(Adds):
    def extra(self, batch, embedding):
        good = (~batch.mask).float()
        return ((batch.value * good).sum(1) / good.sum(1))[:, None] * 1e-3


class Overflows(Adds):
    def extra(self, batch, embedding):
        return batch.value.abs().amax(1, keepdim=True).clamp_min(1e-20) ** -3


class WritesIntoTheBatch(FakeEncoder):
    def _embed(self, batch):
        batch.value.mul_(2.0)
        return super()._embed(batch)


class MisreadsOwnGrids(FakeEncoder):
    def _embed(self, batch):
        return super()._embed(replace(batch, coordinate=batch.coordinate.flip(-1))
                              if batch.coordinate.ndim == 2 else batch)


class PrefersTensors(FakeEncoder):
    def embed(self, batch):
        return super().embed(batch) + float(isinstance(batch.value, np.ndarray))


class TakesAnyInstrument(FakeEncoder):
    instruments = ("fake",)

    def embed(self, batch):
        return self._embed(batch.tensors())


class CountsPadding(Adds):
    takes_light_curves = True

    def extra(self, batch, embedding):
        return 0.01 * batch.value.shape[1]


class NeedsEveryBit(FakeEncoder):
    def _embed(self, batch):
        return (3000 * super()._embed(batch)).sin()


class GivesAStarForNone(FakeEncoder):
    def embed(self, batch):
        return super().embed(batch) if len(batch) else torch.zeros(1, self.dim)


class GivesDoubles(FakeEncoder):
    def _embed(self, batch):
        return super()._embed(batch).double()


class Gambles(Adds):
    def extra(self, batch, embedding):
        return torch.rand_like(embedding)


class KeepsASecret(Adds):
    def __init__(self, **arguments):
        super().__init__(**arguments)
        self.secret = torch.randn(self.dim)

    def extra(self, batch, embedding):
        return self.secret


class HasAnIdleWeight(FakeEncoder):
    def __init__(self, **arguments):
        super().__init__(**arguments)
        self.idle = nn.Parameter(torch.zeros(3))


class KeepsAnObject(FakeEncoder):
    def __init__(self, **arguments):
        super().__init__()
        self.arguments = {"dim": torch.tensor(8)}


class ForgetsItsArguments(FakeEncoder):
    def __init__(self, **arguments):
        super().__init__(**arguments)
        self.arguments = {}


class HasAnotherName(FakeEncoder):
    name = "other"


ENCODERS = [
    (UsesBatchStatistics, ["test_neighbours_in_a_batch_do_not_leak", "test_a_wild_neighbour_does_not_leak"]),
    (CountsRows, ["test_order_of_the_batch_carries_through"]),
    (IgnoresTheMask, ["test_masked_pixels_do_not_count"]),
    (SaysTheSameOfAll, ["test_good_pixels_count", "test_outputs_tell_stars_apart"]),
    (DividesByZero, ["test_a_star_without_a_good_pixel_gives_finite_numbers_and_hurts_nobody"]),
    (Overflows, ["test_faint_and_bright_stars_give_finite_embeddings"]),
    (WritesIntoTheBatch, ["test_the_batch_is_left_alone"]),
    (MisreadsOwnGrids, ["test_a_grid_for_each_star_is_embedded_alike_or_refused"]),
    (PrefersTensors, ["test_arrays_and_tensors_are_embedded_alike"]),
    (TakesAnyInstrument, ["test_an_instrument_it_was_not_made_for_is_refused",
                          "test_light_curves_or_spectra_the_other_kind_is_refused"]),
    (CountsPadding, ["test_padding_does_not_count"]),
    (NeedsEveryBit, ["test_bfloat16_agrees_with_float32"]),
    (GivesAStarForNone, ["test_embedding_has_the_promised_shape_for_no_star_one_and_many"]),
    (GivesDoubles, ["test_outputs_are_finite_float32"]),
    (Gambles, ["test_the_same_input_gives_the_same_output"]),
    (KeepsASecret, ["test_saving_and_loading_is_exact"]),
    (HasAnIdleWeight, ["test_gradient_reaches_every_parameter"]),
    (KeepsAnObject, ["test_arguments_are_plain_json_and_build_the_same_shapes"]),
    (ForgetsItsArguments, ["test_arguments_that_were_given_are_kept",
                           "test_arguments_are_plain_json_and_build_the_same_shapes"]),
    (HasAnotherName, ["test_target_is_of_the_kind_it_is_registered_as"]),
    (FakeHead, ["test_target_is_of_the_kind_it_is_registered_as"]),
]


class LosesTheEmptyBatch(FakeAligner):
    def align(self, embedding, instrument):
        return super().align(embedding, instrument) if len(embedding) else torch.zeros(0, 1)


class NeedsManyWavelengths(FakeAligner):
    def _decode(self, aligned, coordinate, instrument, source):
        value, error = super()._decode(aligned, coordinate, instrument, source)
        return value / float(len(coordinate) > 2), error


class DecodesOneNumber(FakeAligner):
    def _decode(self, aligned, coordinate, instrument, source):
        value, error = super()._decode(aligned, coordinate, instrument, source)
        return value[:, :1].expand_as(value), error


class DecodesNegativeErrors(FakeAligner):
    def _decode(self, aligned, coordinate, instrument, source):
        value, error = super()._decode(aligned, coordinate, instrument, source)
        return value, error - 1.0


class CentresTheBatch(FakeAligner):
    def _align(self, embedding, instrument):
        return self.shared(embedding - embedding.mean(0))


class NormalisesWhatIsAsked(FakeAligner):
    def _decode(self, aligned, coordinate, instrument, source):
        value, error = super()._decode(aligned, coordinate, instrument, source)
        return value / value.abs().mean(1, keepdim=True), error


class TakesAnySize(FakeAligner):
    def align(self, embedding, instrument):
        return self._align(embedding[:, : self.source_dim], instrument)


class WritesIntoItsInput(FakeAligner):
    def _align(self, embedding, instrument):
        return self.shared(embedding.mul_(2.0))


ALIGNERS = [
    (LosesTheEmptyBatch, ["test_shapes_are_as_promised_for_no_star_one_and_many"]),
    (NeedsManyWavelengths, ["test_any_wavelengths_can_be_decoded"]),
    (DecodesOneNumber, ["test_decoded_spectra_vary_with_wavelength"]),
    (DecodesNegativeErrors, ["test_errors_are_positive_and_finite"]),
    (CentresTheBatch, ["test_neighbours_do_not_leak_and_order_carries_through"]),
    (NormalisesWhatIsAsked, ["test_decoding_in_chunks_of_wavelength_equals_the_whole"]),
    (TakesAnySize, ["test_a_wrong_number_of_dimensions_is_refused"]),
    (WritesIntoItsInput, ["test_the_input_is_left_alone"]),
]

TEFF, CLASS = FakeHead.labels[0], FakeHead.labels[2]


class Changes(FakeHead):
    """Changes the columns of an honest head."""

    def _read(self, embedding):
        return self.change(dict(super()._read(embedding)))


class AddsAColumn(Changes):
    def change(self, columns):
        return {**columns, "mass": columns["teff"]}


class ForgetsAnError(Changes):
    def change(self, columns):
        del columns["logg_err"]
        return columns


class NoLabels(FakeHead):
    labels = ()


class OwnWords(FakeHead):
    labels = (Label("Teff", "K"),)


class WrongUnit(FakeHead):
    labels = (replace(TEFF, unit="km"),)


class NoSuchUnit(FakeHead):
    labels = (replace(TEFF, unit="furlong"),)


class RangeBackwards(FakeHead):
    labels = (replace(TEFF, low=9000.0, high=3000.0),)


class ClassTwice(FakeHead):
    labels = (replace(CLASS, classes=("A", "A")),)


class WrongShapes(FakeHead):
    def read(self, embedding):
        return {name: column[None] for name, column in super().read(embedding).items()}


class NegativeErrors(Changes):
    def change(self, columns):
        return {**columns, "teff_err": -columns["teff_err"]}


class InfiniteErrors(Changes):
    def change(self, columns):
        return {**columns, "teff_err": (columns["teff_err"] ** 2).exp()}


class NotProbabilities(Changes):
    def change(self, columns):
        return {**columns, "spectral_type_probability": 2 * columns["spectral_type_probability"]}


class CentresTheColumns(Changes):
    def change(self, columns):
        return {**columns, "logg": columns["logg"] - columns["logg"].mean()}


class ReadsAnySize(FakeHead):
    def read(self, embedding):
        return self._read(embedding[:, : self.dim])


class WritesIntoTheEmbedding(FakeHead):
    def _read(self, embedding):
        return super()._read(embedding.mul_(2.0))


HEADS = [
    (AddsAColumn, ["test_declared_columns_and_only_those"]),
    (ForgetsAnError, ["test_declared_columns_and_only_those"]),
    (NoLabels, ["test_labels_are_declared"]),
    (OwnWords, ["test_labels_have_names_of_the_vocabulary"]),
    (WrongUnit, ["test_units_are_those_of_the_vocabulary"]),
    (NoSuchUnit, ["test_units_are_those_of_the_vocabulary"]),
    (RangeBackwards, ["test_ranges_and_classes_make_sense"]),
    (ClassTwice, ["test_ranges_and_classes_make_sense"]),
    (WrongShapes, ["test_shapes_are_as_promised_for_no_star_one_and_many"]),
    (NegativeErrors, ["test_errors_are_positive_and_finite"]),
    (InfiniteErrors, ["test_errors_are_positive_and_finite"]),
    (NotProbabilities, ["test_probabilities_are_probabilities"]),
    (CentresTheColumns, ["test_neighbours_do_not_leak_and_order_carries_through"]),
    (ReadsAnySize, ["test_a_wrong_number_of_dimensions_is_refused"]),
    (WritesIntoTheEmbedding, ["test_the_input_is_left_alone"]),
]

TABLE = [(EncoderTests, FakeEncoder, ENCODERS), (AlignerTests, FakeAligner, ALIGNERS),
         (HeadTests, FakeHead, HEADS)]


@pytest.mark.parametrize("suite, cheat, test", [
    pytest.param(suite, cheat, test, id=f"{cheat.__name__}-{test}")
    for suite, _, cheats in TABLE for cheat, tests in cheats for test in tests])
def test_a_cheating_part_is_caught(suite, cheat, test):
    settings = {"arguments": {"dim": 6}} if suite is EncoderTests and cheat is not FakeHead else {}
    with pytest.raises(AssertionError, match="[a-z]{2}"):
        getattr(suite_of(suite, cheat, **settings), test)()


@pytest.mark.parametrize("suite, honest, test", [
    pytest.param(suite, honest, test, id=f"{honest.__name__}-{test}")
    for suite, honest, _ in TABLE for test in dir(suite)
    if test.startswith("test_") and not hasattr(CardTests, test)])
def test_an_honest_part_passes(suite, honest, test):
    if test == "test_an_instrument_it_was_not_made_for_is_refused":
        honest = type("Bound", (honest,), {"instruments": ("fake",)})
    getattr(suite_of(suite, honest), test)()


@pytest.mark.parametrize("suite, cheats", [(suite, cheats) for suite, _, cheats in TABLE])
def test_every_promise_is_broken_by_some_cheat(suite, cheats):
    shared = {test for _, tests in ENCODERS for test in tests}  # what all kinds promise is broken there
    broken = {test for _, tests in cheats for test in tests} | (shared & set(dir(suite)))
    promised = {name for name in dir(suite) if name.startswith("test_") and not hasattr(CardTests, name)}
    assert promised == broken


def test_a_part_that_needs_arguments_says_so():
    class Needy(FakeEncoder):
        def __init__(self, size):
            super().__init__(dim=size)

    with pytest.raises(AssertionError, match="Set `arguments` in Suite"):
        suite_of(EncoderTests, Needy).build()
