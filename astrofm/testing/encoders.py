"""The conformance suite of encoders."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch
from torch.nn import functional

from ..data import Batch, collate
from ..errors import DataError
from ..interfaces import Instrument
from ..interfaces.encoder import Encoder
from .cards import refuses, skip
from .fakes import FakeInstrument, FakePhotometer
from .parts import PartTests, close, equal, finite


class EncoderPromises(PartTests):
    """Where the encoder's stars come from."""

    kind = "encoders"
    interface = Encoder

    def instrument(self) -> Instrument:
        """Get an instrument that the encoder embeds: an installed one, or a fake where any will do."""
        part = self.build()
        supported = part.instruments
        if supported is None:
            return FakePhotometer() if part.takes_light_curves else FakeInstrument()
        from ..registry import cards, get_instrument

        installed = [name for name in supported if name in cards("instruments")]
        if not installed:
            skip(f"encoder {self.name!r} embeds {', '.join(supported)}, and none of them is installed")
        return get_instrument(installed[0])

    def batch(self, count: int = 5) -> Batch:
        """Make that many different stars with bad pixels; the second lacks a third of its spectrum."""
        instrument = self.instrument()
        batch = collate([instrument.sample(instrument.example(seed)) for seed in range(count)])
        mask = batch.mask | (np.random.default_rng(0).random(batch.mask.shape) < 0.05)
        mask[1:2, : mask.shape[1] // 3] = True
        return replace(batch, value=np.where(mask, 0, batch.value).astype(np.float32),
                       error=np.where(mask, 0, batch.error).astype(np.float32), mask=mask)

    def outputs(self, part: Encoder) -> dict[str, torch.Tensor]:
        return {"the embedding": part.embed(self.batch())}

    def embed(self, batch: Batch, *, part: Encoder | None = None) -> torch.Tensor:
        """Embed without gradients."""
        with torch.inference_mode():
            return (part or self.build()).embed(batch)


class EncoderTests(EncoderPromises):
    """The promises of an encoder; subclass it, set `name` (and `arguments` if it needs any), and run pytest.

    Attributes
    ----------
    name : str
        Registered name of the encoder.
    arguments : mapping
        Plain JSON values for its constructor.

    Examples
    --------
    >>> from astrofm.testing import EncoderTests
    >>> class TestAnyWavelength(EncoderTests):
    ...     name = "any-wavelength"
    ...     arguments = {"dim": 16, "width": 24, "depth": 1, "heads": 2}
    """

    def test_embedding_has_the_promised_shape_for_no_star_one_and_many(self):
        part, batch = self.build(), self.batch()
        assert part.dim > 0, f"the encoder's dim is {part.dim}"
        for count in (0, 1, 5):
            shape = tuple(self.embed(batch[:count], part=part).shape)
            assert (shape[0], shape[-1], len(shape)) == (count, part.dim, 2 + part.gives_tokens), (
                f"{count} stars give an embedding of shape {shape}")

    def test_neighbours_in_a_batch_do_not_leak(self):
        part, batch = self.build(), self.batch()
        together = self.embed(batch, part=part)
        for row in range(len(batch)):
            assert close(together[row: row + 1], self.embed(batch[row: row + 1], part=part)), (
                f"star {row} alone has another embedding than among {len(batch)}")

    def test_a_wild_neighbour_does_not_leak(self):
        part, batch = self.build(), self.batch()
        value = batch.value.copy()
        value[0] = np.where(batch.mask[0], 0, 1e6)
        before, after = self.embed(batch, part=part), self.embed(replace(batch, value=value), part=part)
        assert close(before[1:], after[1:]), "a bright neighbour changes the embeddings of the others"

    def test_order_of_the_batch_carries_through(self):
        part, batch, rows = self.build(), self.batch(), [3, 1, 4, 0, 2]
        assert close(self.embed(batch, part=part)[rows], self.embed(batch[rows], part=part)), (
            "stars in another order have other embeddings")

    def test_masked_pixels_do_not_count(self):
        part, batch = self.build(), self.batch()
        assert batch.mask.any()
        expected = self.embed(batch, part=part)
        for value, error in ((1e6, 1e6), (-1e6, 1e6), (1e6, 1e-6), (1e6, 0)):
            poisoned = replace(batch, value=np.where(batch.mask, value, batch.value).astype(np.float32),
                               error=np.where(batch.mask, error, batch.error).astype(np.float32))
            assert close(expected, self.embed(poisoned, part=part)), (
                f"value {value:g} and error {error:g} under the mask change the embedding")

    def test_good_pixels_count(self):
        part, batch = self.build(), self.batch()
        slope = np.linspace(0.5, 1.5, batch.value.shape[1], dtype=np.float32)
        changed = self.embed(replace(batch, value=batch.value * slope), part=part)
        assert not close(self.embed(batch, part=part), changed), "another spectrum has the same embedding"

    def test_a_star_without_a_good_pixel_gives_finite_numbers_and_hurts_nobody(self):
        part, batch = self.build(), self.batch()
        empty = np.arange(len(batch))[:, None] == 2
        masked = replace(batch, mask=batch.mask | empty, value=np.where(empty, 0, batch.value),
                         error=np.where(empty, 0, batch.error))
        before, after = self.embed(batch, part=part), self.embed(masked, part=part)
        assert finite(after), "a fully masked star gives numbers that are not finite"
        others = [0, 1, 3, 4]
        assert close(before[others], after[others]), (
            "a fully masked star changes the embeddings of the others")
        assert finite(self.embed(masked[2:3], part=part)), "alone, it is not finite"

    def test_faint_and_bright_stars_give_finite_embeddings(self):
        part, batch = self.build(), self.batch()
        if part.over_continuum:
            skip(f"encoder {self.name!r} takes spectra over their continuum only")
        for factor in (1e-18, 1e-6, 1e6):
            scale = np.float32(factor / np.median(abs(batch.value[~batch.mask])))
            scaled = replace(batch, value=batch.value * scale, error=batch.error * scale)
            assert finite(self.embed(scaled, part=part)), (
                f"stars of flux {factor:g} give embeddings that are not finite")

    def test_a_grid_for_each_star_is_embedded_alike_or_refused(self):
        part, batch = self.build(), self.batch()
        own = replace(batch, coordinate=np.broadcast_to(batch.coordinate, batch.value.shape).copy())
        try:
            embedding = self.embed(own, part=part)
        except DataError as error:
            assert len(str(error).split()) >= 4, f"the error says too little: {error}"
        else:
            assert close(self.embed(batch, part=part), embedding), (
                "the same wavelengths, written once a star, give other embeddings")

    def test_the_batch_is_left_alone(self):
        batch = self.batch()
        arrays = ("coordinate", "value", "error", "mask")
        before = [getattr(batch, name).copy() for name in arrays]
        self.embed(batch)
        for name, array in zip(arrays, before, strict=True):
            assert np.array_equal(array, getattr(batch, name)), f"embedding changes {name} of the batch"

    def test_arrays_and_tensors_are_embedded_alike(self):
        part, batch = self.build(), self.batch()
        assert equal(self.embed(batch, part=part), self.embed(batch.tensors(), part=part)), (
            "a batch of tensors has other embeddings than the same batch of arrays")

    def test_light_curves_or_spectra_the_other_kind_is_refused(self):
        part, batch = self.build(), self.batch()
        other = replace(batch, band=None if part.takes_light_curves else np.zeros(batch.value.shape, np.int16))
        refuses(DataError, lambda: part.embed(other), "spectra in place of light curves, or the other way round")

    def test_padding_does_not_count(self):
        part, batch = self.build(), self.batch()
        if not part.takes_light_curves:
            skip(f"encoder {self.name!r} takes spectra, which are not padded")
        longer = {name: np.pad(getattr(batch, name), ((0, 0), (0, 50)), mode=mode) for name, mode in
                  (("coordinate", "edge"), ("value", "constant"), ("error", "constant"), ("band", "constant"))}
        padded = replace(batch, **longer, mask=np.pad(batch.mask, ((0, 0), (0, 50)), constant_values=True))
        assert close(self.embed(batch, part=part), self.embed(padded, part=part)), "padding changes the embeddings"

    def test_an_instrument_it_was_not_made_for_is_refused(self):
        part, batch = self.build(), self.batch()
        if part.instruments is None:
            skip(f"encoder {self.name!r} embeds any instrument")
        foreign = replace(batch, instrument="nobody-knows")
        refuses(DataError, lambda: part.embed(foreign), "a batch of an instrument that is not supported")

    def test_bfloat16_agrees_with_float32(self):
        part, batch = self.build(), self.batch()
        with torch.autocast("cpu", dtype=torch.bfloat16):
            rounded = self.embed(batch, part=part).float()
        exact = torch.nan_to_num(self.embed(batch, part=part))
        cosine = functional.cosine_similarity(exact.flatten(1), torch.nan_to_num(rounded).flatten(1)).min()
        assert cosine >= 0.999, f"under bfloat16 autocast the cosine with float32 falls to {cosine:.5f}"
