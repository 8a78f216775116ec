"""Views of light curves keep what they promise, and objectives learn from them."""

import csv
from dataclasses import replace

import numpy as np
import pytest
import torch

from astrofm.data import Batch, collate
from astrofm.data.curves import Curves, pad_curves, settle
from astrofm.errors import DataError
from astrofm.models import Model
from astrofm.models.learn import learn, make
from astrofm.models.recipe import read_recipe
from astrofm.nn.packed import pack
from astrofm.training import ShardedData, ShardWriter
from astrofm.training.points import hide
from astrofm.training.views import VIEWS, compose
from astrofm.training.windows import FEWEST

EVERY = {**{name: {} for name in VIEWS}, "drop-band": {"chance": 1.0}, "add-noise": {"chance": 1.0},
         "resample": {"chance": 1.0, "fewest": 12}, "forget-wavelength": {"chance": 1.0}}
RECIPE = """
command = "pretrain"
name = "toy"
[data]
instruments = ["robot", "camera"]
stars = 32
test = 0.0
valid = 0.1
[encoder]
name = "any-cadence"
[encoder.arguments]
dim = 16
depth = 1
heads = 2
hidden = 32
length = 48
folded = 16
bands = {{ robot = [4400.0, 6400.0], camera = [5500.0] }}
[aligner]
name = "plain"
arguments = {{ dim = 16 }}
[objective]
name = "{name}"
arguments = {arguments}
[schedule]
steps = {steps}
learning_rate = 1e-2
warmup = 5
precision = "float32"
checkpoint_every = 10
log_every = 5
"""
NAMED = {"contrastive-views": "{ views = [{ name = 'thin' }, { name = 'add-noise' }, { name = 'resample' }] }",
         "masked-points": "{ hidden = 0.3 }", "variable-stars": "{ classes = 2 }"}


def stars(n, instrument, *, seed=0, p=60, bands=(0, 1), step=4.0):
    """Give stars, half of which are sawtooths and half sines; star ``k`` is always the same."""
    truth, random = np.random.default_rng(5), np.random.default_rng([seed, len(bands)])
    period, amplitude = 10 ** truth.uniform(-0.3, 1, (n, 1)), truth.uniform(0.1, 1, (n, 1))
    days = np.sort(random.uniform(0, step * p, (n, p)), axis=1)
    phase = days / period
    shape = np.where(np.arange(n)[:, None] % 2, phase % 1.0 - 0.5, 0.5 * np.sin(2 * np.pi * phase))
    band = random.choice(bands, (n, p)).astype(np.int16)
    value = 14 + 0.5 * band + amplitude * shape + 0.03 * random.standard_normal((n, p))
    mask = random.random((n, p)) < 0.05
    names = [f"star-{k}" for k in range(n)]
    return Batch(instrument, days, np.where(mask, 0, value).astype(np.float32), np.where(mask, 0, 0.03).astype(np.float32),
                 mask, band, {"id": names, "star": names, "unit": ["mag"] * n, "variable_class": np.arange(n) % 2.0,
                              "log_period": np.log10(period[:, 0]), "log_amplitude": np.log10(amplitude[:, 0])})


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """Write 200 stars of one instrument, 150 of which another saw, too, and 20 of the other alone."""
    folder = tmp_path_factory.mktemp("data")
    writer = ShardWriter(folder, {"source": "test"})
    other = stars(150, "camera", seed=1, bands=(0,), step=7.0)
    alone = stars(20, "camera", seed=2, bands=(0,))
    alone.meta.update({"star": [f"lone-{k}" for k in range(20)], "variable_class": [np.nan] * 20})
    writer.write([stars(200, "robot"), other, alone], done=1)
    writer.finish()
    return ShardedData.open(folder)


def packed():
    return pack(stars(40, "robot").tensors(), bands={"robot": [4400.0, 6400.0]}, length=None)


@pytest.mark.parametrize("name", list(EVERY))
def test_views_keep_order_of_time_and_invent_no_points(name):
    curves = packed()
    view = compose([{"name": name, "arguments": EVERY[name]}])
    seen = view(curves, torch.Generator().manual_seed(0))
    assert (seen.there.sum(1) >= FEWEST).all()
    for row in range(len(curves)):
        there, before = seen.there[row], curves.there[row]
        days = seen.days[row][there]
        assert (days.diff() >= 0).all() and days[0] == 0
        old = curves.days[row][before]
        steps = set((old[:, None] - old).flatten().round(decimals=9).tolist())
        assert set(days.round(decimals=9).tolist()) <= steps
    assert torch.isfinite(seen.value).all() and (seen.error[seen.there] > 0).all()
    differs = any(a.shape != b.shape or not torch.equal(a, b) for a, b in
                  ((getattr(curves, x), getattr(seen, x)) for x in ("value", "error", "there", "wave", "period")))
    assert differs, "the view leaves everything as it is"


@pytest.mark.parametrize("name", list(EVERY))
def test_the_same_seed_gives_the_same_view_and_another_seed_another(name):
    curves, view = packed(), compose([{"name": name, "arguments": {**EVERY[name], **({"chance": 0.5} if name in (
        "forget-wavelength", "drop-band") else {})}}])
    one, same, other = (view(curves, torch.Generator().manual_seed(seed)).numbers() for seed in (1, 1, 2))
    assert torch.equal(one, same)
    assert one.shape != other.shape or not torch.equal(one, other)


def test_the_view_leaves_its_input_alone():
    curves = packed()
    before = curves.numbers()
    compose([{"name": name, "arguments": arguments} for name, arguments in EVERY.items()])(curves)
    assert torch.equal(curves.numbers(), before)


def test_overlaps_of_more_than_half_share_points():
    curves, view = packed(), VIEWS["overlap"](low=0.55, high=0.6)
    shared = (view(curves).there & view(curves).there).sum(1)
    assert (shared > 0).all()
    runs = view(curves).there[:, :].float().diff(dim=1).abs().sum(1)
    assert (runs[curves.there.all(1)] <= 2).all()  # one stretch


def test_dropping_a_band_leaves_the_others():
    curves = packed()
    seen = compose([{"name": "drop-band", "arguments": {"chance": 1.0}}])(curves)
    left = [len(set(seen.wave[row][seen.there[row]].tolist())) for row in range(len(seen))]
    assert set(left) == {1}
    lone = pack(stars(40, "camera", bands=(0,)).tensors(), bands={"camera": [5500.0]}, length=None)
    again = compose([{"name": "drop-band", "arguments": {"chance": 1.0}}])(lone)
    assert torch.equal(lone.there.sum(1), again.there.sum(1))  # the only band stays


def test_noise_is_told_in_the_errors():
    curves = pack(stars(400, "robot").tensors(), length=None)
    seen = VIEWS["add-noise"](high=3.0, chance=1.0)(curves, torch.Generator().manual_seed(0))
    pull = ((seen.value - curves.value) / (seen.error**2 - curves.error**2).clamp_min(1e-12).sqrt())[curves.there]
    assert 0.97 < float(pull.std()) < 1.03 and abs(float(pull.mean())) < 0.02


def test_resampling_takes_the_window_of_another_star():
    dense = stars(2, "robot", p=400, step=1.0)
    sparse = np.tile(np.repeat([[0.0], [50.0], [300.0]], 20, axis=1).ravel()[None] + np.arange(60) % 20 * 1.0, (2, 1))
    days = np.concatenate([dense.coordinate, np.pad(sparse, ((0, 0), (0, 340)), mode="edge")])
    mask = np.concatenate([dense.mask, np.arange(400)[None].repeat(2, 0) >= 60])
    both = Batch("robot", days, np.concatenate([dense.value] * 2), np.where(mask, 0, 0.03).astype(np.float32), mask,
                 np.concatenate([dense.band] * 2), {"id": list("abcd"), "unit": ["mag"] * 4}).tensors()
    curves = pack(both, length=None)
    view = compose([{"name": "resample", "arguments": {"chance": 1.0, "near": 1.0}}])
    gaps = []
    for seed in range(12):
        seen = view(curves, torch.Generator().manual_seed(seed))
        gaps += [float(seen.days[row][seen.there[row]].diff().max()) for row in (0, 1)]
    before = max(float(curves.days[row][curves.there[row]].diff().max()) for row in (0, 1))
    assert before < 15 and max(gaps) > 150  # the seasons of the sparse stars


def test_the_zero_points_of_a_band_shift_together():
    curves = packed()
    away = (VIEWS["shift"](spread=0.2)(curves).value - curves.value)
    blue, red = (torch.where(curves.there & (curves.wave == wave), away, torch.nan) for wave in
                 curves.wave[curves.there].unique())
    for one in (blue, red):
        assert (one.nan_to_num(-9).amax(1) - one.nan_to_num(9).amin(1)).max() < 1e-4
    assert 0.1 < float(blue.nanmean(1).std()) < 0.3 and float((blue.nanmean(1) - red.nanmean(1)).abs().mean()) > 0.05


def test_bad_views_are_refused_in_words():
    for wrong, said in (({"name": "mirror"}, "overlap"), ({"name": "thin", "arguments": {"much": 1}}, "much"), ({}, "name"),
                        ({"name": "thin", "chance": 1}, "arguments")):
        with pytest.raises(DataError, match=said):
            compose([wrong])


def test_some_points_are_hidden_and_enough_stay():
    curves = packed()
    torch.manual_seed(0)
    hidden = hide(curves, 0.4)
    assert not (hidden & ~curves.there).any()
    assert ((curves.there & ~hidden).sum(1) >= FEWEST).all()
    assert 0.3 < float(hidden.sum() / curves.there.sum()) < 0.5


def recipe(folder, name, steps=60):
    path = folder / f"{name}.toml"
    path.write_text(RECIPE.format(name=name, arguments=NAMED[name], steps=steps))
    return read_recipe(path)


def test_stars_that_only_some_instruments_saw_are_rows_too(data):
    rows = data.rows(["robot", "camera"], partial=True)
    assert len(rows) == 220 and (rows[:, 1] == -1).sum() == 50 and (rows[:, 0] == -1).sum() == 20
    assert len(data.rows(["robot", "camera"])) == 150
    both = rows[(rows >= 0).all(axis=1)]
    assert (data.stars["robot"][both[:, 0]] == data.stars["camera"][both[:, 1]]).all()


@pytest.mark.parametrize("name", list(NAMED))
def test_objectives_learn_and_the_model_embeds(name, data, tmp_path):
    path = learn(recipe(tmp_path, name), data, tmp_path / "run", progress=lambda line: None)
    rows = list(csv.DictReader((tmp_path / "run/log.csv").read_text().splitlines()))
    first, last = (np.mean([float(row["loss"]) for row in some]) for some in (rows[:3], rows[-3:]))
    assert last < first - 0.15, (first, last)
    if name == "variable-stars":
        for part in ("contrast", "truth"):
            before, after = (np.mean([float(row[part]) for row in some]) for some in (rows[:3], rows[-3:]))
            assert after < before - 0.1, part
        assert float(rows[-1]["recall"]) > 0.3
    model = Model.load(path)
    from astrofm.testing import FakePhotometer
    fake = FakePhotometer()
    with torch.inference_mode():
        found = model.encoder.embed(collate([fake.sample(fake.example(seed)) for seed in range(3)]))
    assert found.shape == (3, 16) and torch.isfinite(found).all()


def test_a_run_that_was_killed_ends_with_the_same_bits(data, tmp_path):
    told = recipe(tmp_path, "variable-stars", 20)
    learn(told, data, tmp_path / "whole", progress=lambda line: None)

    class Killed(Exception):
        pass

    def kill(line):
        if line.startswith("15/20"):
            raise Killed

    with pytest.raises(Killed):
        learn(told, data, tmp_path / "broken", progress=kill)
    learn(told, data, tmp_path / "broken", progress=lambda line: None)
    whole, broken = (torch.load(tmp_path / name / "checkpoint.pt", weights_only=True)["modules"]
                     for name in ("whole", "broken"))
    for name, tensor in whole.items():
        assert torch.equal(tensor, broken[name]), name
    assert (tmp_path / "whole/log.csv").read_text() == (tmp_path / "broken/log.csv").read_text()


def test_the_resampled_view_of_a_star_is_nearer_to_it_than_to_others(data, tmp_path):
    path = learn(recipe(tmp_path, "contrastive-views", 80), data, tmp_path / "run", progress=lambda line: None)
    encoder = Model.load(path).encoder.eval()
    curves = pack(stars(60, "robot", seed=9).tensors(), bands={"robot": [4400.0, 6400.0]}, length=None)
    view = compose([{"name": "resample", "arguments": {"chance": 1.0, "fewest": 12}}])
    torch.manual_seed(0)
    fresh = type(encoder)(**encoder.arguments).eval()
    found = []
    with torch.inference_mode():
        for one in (encoder, fresh):
            whole, seen = (torch.nn.functional.normalize(one.encode(x), dim=1) for x in
                           (curves, view(curves, torch.Generator().manual_seed(0))))
            found.append(float(((whole @ seen.T).argmax(1) == torch.arange(60)).float().mean()))
    assert found[0] > 0.5 and found[0] > found[1], found


def test_a_star_without_a_good_point_is_refused_and_one_of_negative_fluxes_is_seen(data, tmp_path):
    objective = make(recipe(tmp_path, "masked-points"))
    batch = stars(4, "robot")
    sunk = replace(batch, value=-batch.value, meta={**batch.meta, "unit": ["electron / s"] * 4})
    assert torch.isfinite(objective.see(sunk.tensors())).all()
    with pytest.raises(DataError, match="no good point"):
        objective.see(replace(batch, mask=np.ones_like(batch.mask)).tensors())


def test_another_encoder_is_refused(tmp_path):
    text = RECIPE.format(name="masked-points", arguments="{}", steps=5).replace('name = "any-cadence"', 'name = "points"')
    text = "\n".join(line for line in text.splitlines() if not line.startswith(("length", "folded")))
    path = tmp_path / "wrong.toml"
    path.write_text(text)
    with pytest.raises(DataError, match="any-cadence"):
        make(read_recipe(path))


def test_the_loss_falls_on_real_light_curves(shared_data, tmp_path):
    parquet = pytest.importorskip("pyarrow.parquet")
    table = parquet.read_table(shared_data / "asas/acvs_light_curves.parquet")
    table = table.take(list(range(0, len(table), 40)))
    columns = [np.concatenate([np.asarray(x, float) for x in table[name].to_pylist()])
               for name in ("hjd", "vmag", "vmag_err")]
    sizes = [len(x) for x in table["hjd"].to_pylist()]
    names = table["asas_id"].to_pylist()
    curves = Curves(np.concatenate([[0], np.cumsum(sizes)]), np.zeros(len(names)), *columns, columns[1] > 29,
                    np.zeros(sum(sizes), np.int16), {"id": names, "star": names, "unit": ["mag"] * len(names)})
    writer = ShardWriter(tmp_path / "data", {"source": "test"})
    writer.write([pad_curves(settle(curves), "robot")], done=1)
    writer.finish()
    told = recipe(tmp_path, "masked-points", 60)
    told = replace(told, instruments=("robot",))
    learn(told, ShardedData.open(tmp_path / "data"), tmp_path / "run", progress=lambda line: None)
    rows = list(csv.DictReader((tmp_path / "run/log.csv").read_text().splitlines()))
    first, last = (np.mean([float(row["loss"]) for row in some]) for some in (rows[:3], rows[-3:]))
    assert last < first - 0.1, (first, last)
