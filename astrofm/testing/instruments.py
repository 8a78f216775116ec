"""The conformance suite of instruments."""

from __future__ import annotations

import pickle

import numpy as np

from ..data import Batch, Sample, collate
from ..errors import AstrofmError, DataError
from .cards import refuses
from .claims import ClaimPromises
from .light_curves import LightCurvePromises
from .spectra import SpectrumPromises
from .variants import differences, same_snapshot, snapshot


class SamplePromises(ClaimPromises):
    """What a Sample holds, whatever the instrument."""

    def samples(self, count: int) -> list[Sample]:
        """Sample that many examples."""
        return [self.instrument().sample(self.example(seed)) for seed in range(count)]

    def test_samples_keep_the_data_contract(self):
        for sample in self.samples(2):
            assert isinstance(sample, Sample), f"sample() gives a {type(sample).__name__}"
            assert sample.instrument == self.name, f"the Sample says it is from {sample.instrument!r}"
            assert not sample.mask.all(), "every pixel of the example is masked"
            assert np.isfinite(sample.coordinate).all(), "the coordinate is not finite everywhere"
            assert (np.diff(sample.coordinate) >= 0).all(), "the coordinate does not increase"
            value = ("f4",) if sample.band is None else ("f4", "f8")
            for name, dtypes in (("coordinate", ("f8",)), ("value", value), ("error", ("f4",)), ("mask", ("?",))):
                array = getattr(sample, name)
                assert array.dtype in map(np.dtype, dtypes), f"{name} is {array.dtype}, promised {np.dtype(dtypes[0])}"
            for name in ("value", "error"):
                array = getattr(sample, name)
                assert np.isfinite(array).all(), f"{name} is not finite everywhere"
                assert not array[sample.mask].any(), f"{name} is not 0 under the mask"
            assert (sample.error[~sample.mask] > 0).all(), "a good pixel has no positive error: mask it"

    def test_meta_holds_the_id_and_plain_scalars(self):
        meta = self.samples(1)[0].meta
        assert "id" in meta, "meta holds no 'id'"
        assert isinstance(meta["id"], (str, int, np.integer)), (
            f"the id is a {type(meta['id']).__name__}: give a string or an integer; a float loses digits")
        for key, item in meta.items():
            plain = item is None or isinstance(item, (str, bytes, bool, int, float, np.generic))
            assert plain, f"meta[{key!r}] is a {type(item).__name__}: keep plain scalars and strings"

    def test_the_input_is_left_alone(self):
        example = self.example()
        before = snapshot(example)
        sample = self.instrument().sample(example)
        assert same_snapshot(before, snapshot(example)), "sample() changes the object it is given"
        sample.value[:], sample.error[:], sample.mask[:] = 7, 7, True
        assert same_snapshot(before, snapshot(example)), "the Sample shares memory with its input: copy"

    def test_instrument_and_samples_can_be_pickled(self):
        instrument = self.instrument()
        sample = instrument.sample(self.example())
        again = pickle.loads(pickle.dumps(instrument))
        for what, other in (("the Sample", pickle.loads(pickle.dumps(sample))),
                            ("the instrument", again.sample(self.example()))):
            changed = differences(sample, other, tolerance=0)
            assert not changed, f"{what} is another one after pickling: {', '.join(changed)}"
            assert same_snapshot(dict(sample.meta), dict(other.meta)), f"{what} loses meta in pickling"

    def test_batches_keep_the_order_of_the_stars(self):
        samples = self.samples(4)
        rows = [2, 0, 3, 1]
        batch = collate([samples[row] for row in rows])
        assert isinstance(batch, Batch) and len(batch) == 4
        for place, row in enumerate(rows):
            size = len(samples[row])
            assert np.array_equal(batch.value[place, :size], samples[row].value), (
                f"row {place} is another star")
            assert batch.meta["id"][place] == samples[row].meta["id"], f"row {place} has another star's id"

    def test_rebuilding_keeps_order_and_number(self):
        instrument, samples = self.instrument(), self.samples(3)
        for rows in ([2, 0, 1], [1], []):
            rebuilt = instrument.rebuild(collate(samples)[np.array(rows, int)])
            assert len(rebuilt) == len(rows), f"{len(rows)} stars in, {len(rebuilt)} out"
            for row, data in zip(rows, rebuilt, strict=True):
                changed = differences(samples[row], instrument.sample(data))
                assert not changed, f"a rebuilt star, sampled again, differs in {', '.join(changed)}"

    def test_what_it_rebuilds_is_its_own(self):
        instrument = self.instrument()
        rebuilt = instrument.rebuild(collate(self.samples(1)))[0]
        assert instrument.claims(rebuilt) is True, "the instrument does not claim what it rebuilt itself"
        for name, other in self.others().items():
            assert not other.claims(rebuilt), f"{name!r} claims what {self.name!r} rebuilt"

    def test_it_does_not_rebuild_another_instruments_batch(self):
        batch = collate(self.samples(1))
        foreign = Batch("nobody-knows", batch.coordinate, batch.value, batch.error, batch.mask, batch.band,
                        batch.meta)
        refuses(AstrofmError, lambda: self.instrument().rebuild(foreign), "rebuilding a foreign batch")

    def test_what_is_no_astropy_object_is_refused_in_words(self):
        for what in (None, 3.5, "star.fits", np.ones(5), object()):
            refuses(DataError, lambda what=what: self.instrument().sample(what), f"sample({what!r})")


class InstrumentTests(SpectrumPromises, SamplePromises):
    """The promises of an instrument; subclass it, set `name`, and run pytest.

    Attributes
    ----------
    name : str
        Registered name of the instrument.

    Examples
    --------
    >>> from astrofm.testing import InstrumentTests
    >>> class TestFeros(InstrumentTests):
    ...     name = "feros"
    """


class LightCurveInstrumentTests(LightCurvePromises, SamplePromises):
    """The promises of an instrument whose products are light curves; subclass it, set `name`, and run pytest.

    Attributes
    ----------
    name : str
        Registered name of the instrument.

    Examples
    --------
    >>> from astrofm.testing import LightCurveInstrumentTests
    >>> class TestRobot(LightCurveInstrumentTests):
    ...     name = "robot"
    """
