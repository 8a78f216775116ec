"""SpectraFM's recipes learn labels from random pixels, stage after stage, and freeze what they say."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from astrofm_apogee.grid import expand, select

from astrofm.errors import DataError, ModelFileError
from astrofm.models import Model
from astrofm.models.learn import familiar, learn, make
from astrofm.models.recipe import read_recipe
from astrofm.training import ShardedData, ShardWriter

RECIPES = Path(__file__).resolve().parents[1] / "recipes"
NAMES = ("synthetic", "real", "fewshot")


def small(stage, **schedule):
    """Read a small recipe and make it smaller still."""
    recipe = read_recipe(RECIPES / f"spectrafm_{stage}_small.toml", changes={"steps": 30, "log_every": 10, "check_every": 10,
                                                                           "checkpoint_every": 10, "warmup": 3, **schedule})
    encoder = {**recipe.encoder, "arguments": {**recipe.encoder["arguments"], "dim": 16, "hidden": [32, 16], "context": 48}}
    aligner = {**recipe.aligner, "arguments": {**recipe.aligner["arguments"], "source_dim": 16, "hidden": [32, 16, 16]}}
    objective = {**recipe.objective, "arguments": {**recipe.objective["arguments"], "hidden": [16, 8]}}
    return replace(recipe, encoder=encoder, aligner=aligner, objective=objective, stars=16, valid=0.2)


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """120 stars whose flux falls everywhere with [Fe/H]; teff of some is unknown."""
    folder, random = tmp_path_factory.mktemp("spectra"), np.random.default_rng(0)
    fe_h = random.uniform(-0.7, 0.3, 120)
    flux = 0.8 - 0.25 * fe_h[:, None] + 0.01 * random.standard_normal((120, 8575))
    teff = np.where(np.arange(120) % 3, 5000 + 1000 * fe_h, np.nan)
    writer = ShardWriter(folder, {"made": "test"})
    ids = [f"star-{k}" for k in range(120)]
    writer.write([expand(flux, np.full_like(flux, 0.01), normalised=True, meta={
        "id": ids, "star": ids, "fe_h": fe_h, "fe_h_err": np.full(120, 0.02), "teff": teff})], done=1)
    writer.finish()
    return ShardedData.open(folder)


@pytest.mark.parametrize("name", [f"{stage}{size}" for stage in NAMES for size in ("", "_small")] + ["fewshot_scratch_small"])
def test_every_recipe_can_be_made(name):
    objective = make(read_recipe(RECIPES / f"spectrafm_{name}.toml"))
    count = sum(p.numel() for p in objective.modules.parameters())
    if not name.endswith("_small"):  # the published table has rows of 7513 pixels that nothing uses
        assert count + 7513 * 2 * 256 == 11_870_722
    learned = {part for part, _ in objective.modules.named_parameters() if _.requires_grad}
    if name.startswith("fewshot") and "scratch" not in name:
        assert {part.split(".")[0] for part in learned} == {"encoder"}
        assert not any(part.startswith("encoder.blocks.1") for part in learned)
        assert objective.wavelength.min() > 16109 and objective.wavelength.max() < 16221


def test_labels_are_learned_and_handed_from_stage_to_stage(data, tmp_path):
    told = []
    first = learn(small("synthetic", steps=120, learning_rate=3e-3), data, tmp_path / "a", progress=told.append)
    assert any("rms_fe_h" in line and "rms_teff" in line for line in told)
    batch = data.batch("apogee", np.arange(120))
    away = Model.load(first).predict(batch)["fe_h"].value - np.asarray(batch.meta["fe_h"])
    assert np.std(away) < 0.5 * np.std(batch.meta["fe_h"])
    last = learn(small("fewshot"), data, tmp_path / "b", start=[first], progress=told.append)
    before, after = Model.load(first), Model.load(last)
    same = {part: torch.equal(x, after._parts.state()[part]) for part, x in before._parts.state().items()}
    changed = {part for part, equal in same.items() if not equal and not part.startswith("familiarity.")}
    assert changed and all(part.startswith(("encoder.table", "encoder.blocks.0")) for part in changed)
    assert after.about["provenance"]["started_from"] == [before.sha256]
    assert [label["name"] for label in after.about["labels"]] == ["teff", "logg", "fe_h", "mg_fe", "vmac"]


def test_a_model_flags_stars_unlike_those_it_learned_from(data, tmp_path):
    told = []
    model = Model.load(learn(small("synthetic", steps=120, learning_rate=3e-3), data, tmp_path, progress=told.append))
    random = np.random.default_rng(5)
    flux = 0.8 - 0.25 * random.uniform(-0.7, 0.3, 100)[:, None] + 0.01 * random.standard_normal((100, 8575))
    alike, strangers = (expand(one, np.full_like(one, 0.01), normalised=True) for one in (flux, flux - 0.4))
    assert np.mean(["unlike-training-set" in one for one in model.predict(alike)["flags"]]) < 0.1
    assert all("unlike-training-set" in one for one in model.predict(strangers)["flags"])
    assert not any("too few" in line for line in told)


def test_too_few_stars_flag_none_and_say_so(data):
    objective, told = make(small("synthetic")), []
    seen = objective.see(data.batch("apogee", np.arange(3)).tensors("cpu"))
    assert familiar(objective, lambda rows: [seen[rows]], 3, seed=0, progress=told.append) is None
    assert "3 stars are too few" in told[0]


def test_a_run_that_was_stopped_ends_the_same(data, tmp_path):
    class Stop(Exception):
        pass

    def stop(line):
        if line.startswith("20/"):
            raise Stop

    whole = learn(small("synthetic"), data, tmp_path / "whole", progress=lambda line: None)
    with pytest.raises(Stop):
        learn(small("synthetic"), data, tmp_path / "broken", progress=stop)
    again = learn(small("synthetic"), data, tmp_path / "broken", progress=lambda line: None)
    assert whole.read_bytes() == again.read_bytes()


def test_what_does_not_fit_is_refused(data, tmp_path):
    recipe = small("fewshot")
    arguments = recipe.objective["arguments"]
    for change, words in (({"frozen": ["encoder.block"]}, "is to be frozen and is no part"),
                          ({"learn": ["age"]}, "'age' is to be learned"), ({"wavelengths": [100, 200]}, "no pixel between"),
                          ({"labels": arguments["labels"][:2]}, "the encoder is asked for")):
        with pytest.raises(DataError, match=words):
            make(replace(recipe, objective={**recipe.objective, "arguments": {**arguments, **change}}))
    other = learn(small("synthetic"), data, tmp_path / "other", progress=lambda line: None)
    larger = replace(recipe, encoder={**recipe.encoder, "arguments": {**recipe.encoder["arguments"], "hidden": [64, 16]}})
    with pytest.raises(ModelFileError, match="give no weights to 'encoder.blocks.0"):
        make(larger, [other])
    with pytest.raises(DataError, match="has 7214 wavelengths, .*trained on 8575, .*by astrofm_apogee.grid.expand"):
        Model.load(other).predict(select(data.batch("apogee", np.arange(2)), 7214))
