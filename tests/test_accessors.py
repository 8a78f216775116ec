"""``.fm`` on spectra and time series."""

import copy
import pickle

import numpy as np
import pytest
import specutils
from astropy import units as u
from astropy.nddata import StdDevUncertainty
from astropy.time import Time
from astropy.timeseries import TimeSeries

import astrofm.models
from astrofm.accessors import Accessor
from astrofm.compat import Spectrum
from astrofm.errors import DataError
from astrofm.models.defaults import default_model
from astrofm.testing import FakeInstrument, FakePhotometer


class Recorder:
    """A model that says what it was asked."""

    def __init__(self):
        self.asked = []

    def __getattr__(self, verb):
        if verb not in ("predict", "classify", "embed", "translate", "reconstruct"):
            raise AttributeError(verb)

        def answer(data, **options):
            self.asked.append((verb, data, options))
            return f"{verb} answered"

        return answer


@pytest.fixture
def star():
    star = FakeInstrument().example()
    star.meta["instrument"] = "fake"
    return star


@pytest.fixture
def night():
    return TimeSeries(time=Time([2450000.5, 2450001.5], format="jd"), data={"flux": [1.0, 1.1] * u.Jy})


@pytest.mark.parametrize("verb, options", [("predict", {}), ("embed", {}), ("translate", {"to": "other"}),
                                           ("reconstruct", {})])
def test_a_verb_hands_the_spectrum_to_the_model(verb, options, star):
    model = Recorder()
    assert getattr(star.fm, verb)(*options.values(), model=model) == f"{verb} answered"
    [(asked, data, given)] = model.asked
    assert asked == verb and data is star and given == options


def test_classes_are_asked_for_with_a_coverage(star):
    model = Recorder()
    assert star.fm.classify(model, coverage=0.8) == "classify answered"
    assert model.asked == [("classify", star, {"coverage": 0.8, "false_alarm": 0.01, "prior": None})]


@pytest.mark.parametrize("name, loaded", [(None, "stellar-tiny"), ("mine.safetensors", "mine.safetensors")])
def test_a_model_is_loaded_by_name_and_the_shipped_one_where_none_is_named(name, loaded, star, monkeypatch):
    names, model = [], Recorder()
    monkeypatch.setattr(astrofm.models, "load_model", lambda name: names.append(name) or model, raising=False)
    star.fm.embed() if name is None else star.fm.embed(model=name)
    assert names == [loaded]
    assert model.asked[0][1] is star


def test_light_curves_are_answered_by_a_model_of_light_curves(tmp_path, monkeypatch):
    names, model = [], Recorder()
    monkeypatch.setattr(astrofm.models, "load_model", lambda name: names.append(name) or model, raising=False)
    FakePhotometer().example().fm.classify()
    assert names == ["variable-tiny"]
    nobodys = tmp_path / "readme.txt"
    nobodys.write_text("no star")
    assert default_model([nobodys]) == "stellar-tiny"


def test_asking_leaves_the_spectrum_alone(star):
    flux, meta = star.flux.copy(), copy.deepcopy(star.meta)
    with pytest.raises(DataError):
        FakeInstrument().example(seed=1).fm.instrument  # noqa: B018
    star.fm.predict(model=Recorder())
    np.testing.assert_array_equal(star.flux, flux)
    assert star.meta == meta
    assert "fm" not in vars(star)


@pytest.mark.parametrize("same", [copy.copy, copy.deepcopy])
def test_a_copy_answers_for_itself(same, star):
    star.fm  # noqa: B018
    other = same(star)
    model = Recorder()
    other.fm.embed(model=model)
    assert model.asked[0][1] is other


def test_a_time_series_that_was_pickled_answers_for_itself(night):
    night.fm  # noqa: B018
    other, model = pickle.loads(pickle.dumps(night)), Recorder()
    other.fm.embed(model=model)
    assert model.asked[0][1] is other


def test_a_slice_answers_for_itself(star):
    part, model = star[10:50], Recorder()
    part.fm.embed(model=model)
    assert model.asked[0][1] is part


@pytest.mark.filterwarnings("ignore:The Spectrum1D class is deprecated")
def test_the_older_name_has_it_too():
    old = specutils.Spectrum1D(spectral_axis=np.arange(5000, 5010) * u.AA, flux=np.ones(10) * u.Jy,
                               uncertainty=StdDevUncertainty(np.ones(10)))
    assert isinstance(old.fm, Accessor)
    assert repr(old.fm) == "<astrofm on Spectrum1D>"


def test_the_class_gives_the_accessor_itself():
    assert Spectrum.fm is TimeSeries.fm is Accessor


def test_a_spectrum_of_nobody_says_what_to_set(star):
    star.meta = {}
    with pytest.raises(DataError, match=r'set meta\["instrument"\]'):
        star.fm.instrument  # noqa: B018


def test_a_time_series_has_it_and_is_refused_in_words(night):
    assert isinstance(night.fm, Accessor)
    with pytest.raises(DataError, match="no installed instrument knows this TimeSeries"):
        night.fm.instrument  # noqa: B018


def test_a_subclass_of_time_series_has_it(night):
    class LightCurve(TimeSeries):
        pass

    assert isinstance(LightCurve(night).fm, Accessor)
