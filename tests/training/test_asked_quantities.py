"""Any quantity is learned from any others, with errors, and what is not known does not count."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from astropy import units as u
from astropy.table import Table

from astrofm.data import Batch
from astrofm.errors import DataError
from astrofm.models import Model
from astrofm.models.learn import learn, make
from astrofm.models.recipe import read_recipe
from astrofm.training import ShardedData, ShardWriter

RECIPE = """
command = "pretrain"
name = "toy"
[data]
instruments = ["named-quantities"]
stars = 64
test = 0.0
valid = 0.1
[encoder]
name = "named-quantities"
[encoder.arguments]
quantities = [
  { name = "a", unit = "dex", centre = 0.0, spread = 1.0 },
  { name = "b", unit = "mag", centre = 1.0, spread = 2.0 },
  { name = "c", unit = "Gyr", centre = 0.3, spread = 0.3, log = true },
]
asked = ["b", "c"]
dim = 16
heads = [4]
hidden = [32]
dropout = 0.0
[aligner]
name = "asked-names"
arguments = { source_dim = 16, asked = 2, heads = [4], hidden = [32] }
[objective]
name = "asked-quantities"
arguments = { hidden = [32, 16] }
[schedule]
steps = 400
learning_rate = 5e-3
warmup = 10
precision = "float32"
log_every = 100
"""


def stars(n, seed):
    """Give a, b = 1 + 2 a, and c = 10^(0.3 + 0.3 a), with noise."""
    a = np.random.default_rng(seed).standard_normal(n)
    exact = np.stack([a, 1 + 2 * a, 10 ** (0.3 + 0.3 * a)], axis=1)
    return exact * (1 + 0.01 * np.random.default_rng(seed + 1).standard_normal(exact.shape))


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    folder, value = tmp_path_factory.mktemp("quantities"), stars(2000, 0).astype(np.float32)
    mask = np.random.default_rng(5).random(value.shape) < 0.1
    ids = [f"star-{k}" for k in range(2000)]
    writer = ShardWriter(folder, {"made": "test"})
    writer.write([Batch("named-quantities", np.arange(3.0), np.where(mask, 0, value), np.zeros_like(value), mask,
                        meta={"id": ids, "star": ids})], done=1)
    writer.finish()
    return ShardedData.open(folder)


@pytest.fixture(scope="module")
def recipe(tmp_path_factory):
    path = tmp_path_factory.mktemp("recipe") / "toy.toml"
    path.write_text(RECIPE)
    return read_recipe(path)


@pytest.fixture(scope="module")
def model(data, recipe, tmp_path_factory):
    return Model.load(learn(recipe, data, tmp_path_factory.mktemp("run"), progress=lambda line: None))


@pytest.mark.parametrize(("given", "wanted"), [("a", "b"), ("b", "a"), ("a", "c"), ("c", "a"), ("c", "b")])
def test_each_quantity_is_found_from_each_other_in_its_unit(given, wanted, model):
    value, column = stars(500, 9), "abc".index
    found = model.request({given: value[:, column(given)]}, [wanted])[wanted].value
    truth = value[:, column(wanted)]
    assert np.median(np.abs(found - truth)) < 0.2 * np.median(np.abs(truth - np.median(truth)))


def test_errors_grow_where_less_is_known(model):
    value = stars(500, 9)
    nothing_told = model.request({"b": value[:, 1], "c": value[:, 2]}, ["a"])
    off = np.abs(nothing_told["a"].value - value[:, 0])
    assert 0.4 < np.mean(off < nothing_told["a_err"].value) < 0.98
    assert (model.request({"c": value[:, 2]}, ["c"])["c_err"].value > 0).all()


def test_the_card_names_no_instruments_and_the_labels_that_are_asked(model):
    assert model.instruments == () and [label["name"] for label in model.about["labels"]] == ["b", "c"]


def test_what_does_not_fit_is_refused(recipe, data, tmp_path):
    other = replace(recipe, aligner={**recipe.aligner, "arguments": {**recipe.aligner["arguments"], "asked": 3}})
    with pytest.raises(DataError, match="asked for 2 quantities and the aligner answers 3"):
        make(other)
    with pytest.raises(DataError, match="is for encoder 'named-quantities'"):
        make(replace(recipe, instruments=("gaia-xp",)))
    arguments = recipe.encoder["arguments"]
    fewer = {**arguments, "quantities": arguments["quantities"][1:]}
    with pytest.raises(DataError, match="3 columns and the encoder 2 quantities"):
        learn(replace(recipe, encoder={**recipe.encoder, "arguments": fewer}), data, tmp_path, progress=lambda line: None)


def objective(recipe, **arguments):
    return make(replace(recipe, objective={"name": "asked-quantities", "arguments": {"hidden": [32, 16], **arguments}}))


def test_groups_are_shown_as_one_half_of_the_time_and_never_more_than_the_context(recipe):
    torch.manual_seed(0)
    made = objective(recipe, together=[["a", "c"]])
    known = torch.ones(4000, 3, dtype=torch.bool)
    known[:100, 1:] = False
    shown = made._shown(known)
    assert shown.any(dim=1).all() and not (shown & ~known).any()
    apart = (shown[100:, 0] != shown[100:, 2]).float().mean()
    assert 0.1 < apart < 0.35 < (objective(recipe)._shown(known)[100:, [0, 2]].sum(dim=1) == 1).float().mean()
    made.encoder.context = 2
    assert made._shown(known).sum(dim=1).max() == 2


def test_some_quantities_are_always_asked_for(recipe, monkeypatch):
    made = objective(recipe, always=["c"], asks=1)
    asked, encode = [], made.encoder.encode
    monkeypatch.setattr(made.encoder, "encode", lambda *args: asked.append(args[3].tolist()) or encode(*args))
    made.asks = 2
    for _ in range(20):
        made.loss([torch.zeros(4, 6)])
    assert all(len(rows) == 2 and rows[0] == 3 for rows in asked) and {rows[1] for rows in asked} == {1, 2}


@pytest.mark.parametrize(("arguments", "words"), [
    ({"always": ["d"]}, "knows no quantity 'd'"),
    ({"together": [["a", "b"], ["b", "c"]]}, "'b' is in two groups"),
    ({"together": [["a", "z"]]}, "knows no quantity 'z'"),
])
def test_groups_that_do_not_fit_are_refused(recipe, arguments, words):
    with pytest.raises(DataError, match=words):
        objective(recipe, **arguments)


def test_errors_of_requests_are_calibrated(model):
    value = stars(2000, 31)
    truth = Table({"b": value[:, 1] * u.mag})
    card = {"name": "toy", "calibration": {"named-quantities": {"b": 9.0}}}
    wrong = Model(model.encoder, model.aligner, model.heads, card=card)
    right = wrong.calibrate({"a": value[:, 0]}, truth)
    fresh = stars(2000, 41)
    answer = right.request({"a": fresh[:, 0]}, ["b"])
    assert np.mean(np.abs(answer["b"].value - fresh[:, 1]) < answer["b_err"].value) == pytest.approx(0.683, abs=0.05)
    with pytest.raises(DataError, match="no label 'a'|no quantity"):
        model.calibrate({"b": value[:, 1]}, Table({"a": value[:, 0]}))
