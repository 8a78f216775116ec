"""Heads that read named numbers beside the embedding, for a model of light curves."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from astropy import units as u
from astropy.table import MaskedColumn, Table

from astrofm.data import collate
from astrofm.errors import DataError, UnknownNameError
from astrofm.models import Model
from astrofm.nn.heads import ClassHead
from astrofm.nn.plain import ExtraClassHead, MeasuredHead, PlainAligner
from astrofm.nn.points import PointEncoder
from astrofm.testing import FakePhotometer

EXTRAS = [{"name": "period", "unit": "d", "also": ["P"]}, {"name": "amplitude", "measured": True}]


@pytest.fixture
def model():
    torch.manual_seed(0)
    encoder = PointEncoder(dim=8, depth=1, heads=2, hidden=16).eval()
    heads = {"extra": ExtraClassHead(dim=8, extras=EXTRAS, hidden=[16]).eval(),
             "other": ExtraClassHead(dim=8, extras=EXTRAS[:1], hidden=[16], label="other", instruments=["elsewhere"]).eval(),
             "plain": ClassHead(dim=8, hidden=16).eval()}
    return Model(encoder, PlainAligner(dim=8), heads, card={"name": "small"}).to("cpu", precision="float32")


def stars(**meta):
    fake = FakePhotometer()
    return [replace(one, meta={"id": one.meta["id"], **meta}) for one in (fake.sample(fake.example(k)) for k in range(3))]


def test_each_head_reads_its_own_and_those_of_other_instruments_nothing(model):
    table = model.predict(stars(period=2.0))
    assert set(table["variable_class"]) <= {"constant", "variable"} and set(table["other"]) == {""}
    assert all(table["spectral_type"] != "") and not any(table["flags"])
    longer = model.predict(stars(P=2.5))
    assert not np.allclose(longer["variable_class_probability_variable"], table["variable_class_probability_variable"])
    np.testing.assert_allclose(longer["spectral_type_probability"], table["spectral_type_probability"])


def test_a_star_whose_extra_is_far_out_of_range_is_told(model):
    with torch.no_grad():
        next(model.heads["extra"].parameters()).mul_(1e10)
    table = model.predict(stars(), extras={"period": [2.0, 1e37, 2.0]})
    assert table["variable_class"][1] == "" and table["flags"].tolist() == ["", "no-number:variable_class", ""]
    assert "no-number:variable_class" in model.classify(stars(), extras={"period": [2.0, 1e37, 2.0]})["flags"][1]


def test_classes_of_each_head_are_asked_for_together(model):
    table = model.classify(stars(period=2.0), coverage=0.999999)
    assert set(table["variable_class_set"]) <= {"constant,variable", "variable,constant"}
    assert set(table["other"]) == {""} and set(table["other_set_size"]) == {-1} and (table["spectral_type"] != "").all()
    flags = {flag for flags in table["flags"] for flag in flags.split(",")}
    assert flags == {"uncalibrated:variable_class", "uncalibrated:spectral_type"}
    without = model.classify(stars(), extras={"period": [2.0, np.nan, 2.0]})
    assert without["variable_class"].tolist()[1] == "" and "missing:period" in without["flags"][1]
    assert without["variable_class_set"][1] == "" and np.isnan(without["variable_class_1_probability"][1])


def test_a_masked_cell_is_a_star_without_it(model):
    table = Table({"id": ["example-2", "example-0", "example-1"],
                   "period": MaskedColumn([48.0, 1, 24], mask=[0, 1, 0], unit=u.h)})
    found = model.predict(stars(), extras=table)
    assert found["flags"].tolist() == ["missing:period", "", ""] and found["variable_class"][0] == ""
    expected = model.predict([replace(one, meta={**one.meta, "period": number})
                              for one, number in zip(stars(), (9.0, 1.0, 2.0), strict=True)])
    for row in (1, 2):
        assert found["variable_class_probability"][row] == pytest.approx(
            expected["variable_class_probability"][row], rel=1e-5)
    assert found["spectral_type"][0] == expected["spectral_type"][0], "heads that read nothing beside are not hurt"


def test_a_model_without_such_heads_refuses_extras():
    model = Model(PointEncoder(dim=8, depth=1, heads=2, hidden=16), PlainAligner(dim=8), {}, card={"name": "small"})
    assert len(model.extras()) == 0
    with pytest.raises(DataError, match="leave `extras` out"):
        model.predict(stars(), extras={"period": [1, 2, 3]})


@pytest.mark.parametrize("extras", [np.zeros((2, 6)), [1.0, 2.0], 3.0])
def test_extras_without_names_are_refused_in_words(model, extras):
    with pytest.raises(DataError, match="a table or a mapping of columns with names"):
        model.predict(stars(), extras=extras)


def test_a_head_of_another_size_is_refused():
    encoder, aligner = PointEncoder(dim=8, depth=1, heads=2, hidden=16), PlainAligner(dim=8)
    with pytest.raises(DataError, match="reads 9 numbers a star"):
        Model(encoder, aligner, {"one": ExtraClassHead(dim=9, extras=EXTRAS, hidden=[4])}, card={"name": "small"})


def test_verbs_of_spectra_are_refused_in_words(model):
    for verb in (lambda data: model.translate(data, to="fake-photometer"), model.reconstruct):
        with pytest.raises((DataError, LookupError), match="[a-z]{3} [a-z]{2}"):
            verb(collate(stars(period=1.0)))


def test_no_star_and_a_saved_model(model, tmp_path):
    empty = collate(stars(period=1.0))[:0]
    assert len(model.predict(empty)) == 0 and model.embed(empty).shape == (0, 8)
    again = Model.load(model.save(tmp_path / "small.safetensors"), precision="float32")
    one, other = model.predict(stars(period=2.0)), again.predict(stars(period=2.0))
    assert one["variable_class_probability"].tolist() == other["variable_class_probability"].tolist()
    assert [extra.name for extra in again.heads["extra"].extras] == ["period", "amplitude"]


def test_features_are_measured_where_a_head_asks(model, instruments, monkeypatch):
    asked = [{"name": "log_period", "measured": True}, {"name": "skew", "measured": True}]
    heads = {"features": ExtraClassHead(dim=8, extras=asked, hidden=[16]).eval()}
    encoder, card = model.core.parts.encoder, {"name": "small"}
    measuring = Model(encoder, PlainAligner(dim=8), heads, card=card).to("cpu", precision="float32")
    fake = FakePhotometer()
    few = fake.sample(fake.example(1)[:10:2])
    table = measuring.predict([*stars(), few])
    assert table["flags"].tolist() == ["", "", "", "missing:log_period"] and (table["variable_class"][:3] != "").all()
    periodless = {"skew": ExtraClassHead(dim=8, extras=asked[1:], hidden=[16]).eval()}
    monkeypatch.setattr("astrofm.data.features.periods_of", lambda *a, **k: pytest.fail("a period was searched"))
    other = Model(encoder, PlainAligner(dim=8), periodless, card=card).to("cpu", precision="float32")
    assert not any(other.predict(stars())["flags"])


def test_what_a_head_reads_is_the_feature_itself(model, instruments):
    batch = collate(stars())
    encoder = model.core.parts.encoder
    found = encoder.measure(batch.tensors(), ["amplitude", "period", "colour_B_R"])
    assert list(found) == ["amplitude", "period", "colour_B_R"]
    np.testing.assert_array_equal(found["period"], FakePhotometer().features(batch)["period"])
    with pytest.raises(UnknownNameError, match="did you mean 'period'"):
        encoder.measure(batch.tensors(), ["periods"])


def test_what_is_measured_can_be_a_label(model, instruments, tmp_path):
    measuring = Model(model.encoder, PlainAligner(dim=8), {"period": MeasuredHead(dim=8).eval()},
                      card={"name": "small", "calibration": {"*": {"period": 3.0}}}).to("cpu", precision="float32")
    fake = FakePhotometer()
    few = fake.sample(fake.example(1)[:10:2])
    table = Model.load(measuring.save(tmp_path / "small.safetensors"), precision="float32").predict([*stars(), few])
    found = fake.features(collate(stars()), ["period", "period_err"])
    np.testing.assert_allclose(table["period"][:3].to_value("d"), found["period"], rtol=1e-6)
    np.testing.assert_allclose(table["period_err"][:3].to_value("d"), 3 * found["period_err"], rtol=1e-6)
    assert np.isnan(table["period"][3]) and table["flags"][3] == "missing:period,missing:period_err"
    assert not any(table["flags"][:3])


def test_a_list_may_hold_batches(model):
    several = [collate(stars(period=2.0)), stars(period=2.0)[0], collate(stars(period=3.0))]
    table = model.predict(several)
    assert table["id"].tolist() == [f"example-{k}" for k in (0, 1, 2, 0, 0, 1, 2)]
    alone = model.predict(stars(period=3.0))["variable_class_probability_variable"]
    np.testing.assert_allclose(table["variable_class_probability_variable"][4:], alone, rtol=1e-5)


def test_what_a_head_and_its_encoder_both_read_is_measured_once(monkeypatch, instruments):
    from astrofm.data import features
    from astrofm.nn.cadence import AnyCadenceEncoder

    torch.manual_seed(0)
    encoder = AnyCadenceEncoder(dim=16, depth=1, heads=2, hidden=24, length=64, folded=16).eval()
    heads = {"plain": ClassHead(dim=16, hidden=16).eval(), "period": MeasuredHead(dim=16)}
    model = Model(encoder, PlainAligner(dim=16), heads, card={"name": "periodic"}).to("cpu", precision="float32")
    batch, searched = collate(stars()), []
    search = features.periods_of
    monkeypatch.setattr(features, "periods_of", lambda waves, **how: searched.append(len(waves)) or search(waves, **how))
    alone = model.core.embed(batch)
    assert searched == [3]
    embedding, given, _ = model.core.read_batch(batch)
    assert searched == [3, 3], "what the head measured was searched for the encoder again"
    np.testing.assert_array_equal(embedding, alone)
    assert np.isfinite(given["period"]).all()
