"""The recipes of the generalist learn what evolved stars measure, and the model is asked in spectra, labels, mass and age."""

import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from astrofm_sky.evolved import BANDS, NAMED, batch, quantities
from astropy import units as u

from astrofm.models import Model
from astrofm.models.learn import learn, make
from astrofm.models.recipe import read_recipe
from astrofm.registry import get_instrument
from astrofm.training import ShardedData, ShardWriter

ROOT = Path(__file__).resolve().parents[3]
RECIPES = Path(__file__).resolve().parents[1] / "recipes"


@pytest.fixture(scope="module")
def recipe():
    """Give the small recipe, smaller still."""
    found = read_recipe(RECIPES / "generalist_small.toml", changes={"steps": 150, "warmup": 5, "learning_rate": 0.02,
                                                                  "log_every": 50, "check_every": 50})
    encoder = {**found.encoder, "arguments": {**found.encoder["arguments"], "dim": 16, "heads": [2], "hidden": [32]}}
    aligner = {**found.aligner, "arguments": {**found.aligner["arguments"], "source_dim": 16, "heads": [2], "hidden": [32]}}
    objective = {**found.objective, "arguments": {**found.objective["arguments"], "hidden": [32]}}
    return replace(found, encoder=encoder, aligner=aligner, objective=objective, stars=64)


@pytest.fixture(scope="module")
def data(invented_giants, tmp_path_factory):
    folder = tmp_path_factory.mktemp("giants")
    _, value, error = invented_giants.draw(1500, 1)
    writer = ShardWriter(folder, {"made": "test"})
    writer.write([batch(value, error, [f"giant-{k}" for k in range(1500)])], done=1)
    writer.finish()
    return ShardedData.open(folder)


@pytest.fixture(scope="module")
def model(recipe, data, tmp_path_factory):
    return Model.load(learn(recipe, data, tmp_path_factory.mktemp("run"), progress=lambda line: None))


@pytest.mark.parametrize("name", ["generalist", "generalist_small"])
def test_recipes_are_of_the_quantities_that_are_drawn(name, invented_giants):
    objective = make(read_recipe(RECIPES / f"{name}.toml"))
    told = quantities(invented_giants.draw(200, 1)[1])
    for mine, drawn in zip(objective.encoder.quantities.values(), told, strict=True):
        for key in ("name", "unit", "description", "band", "reference", "spectrum"):
            assert mine.get(key) == drawn.get(key)
        assert bool(mine.get("log")) == drawn["log"] and mine["low"] < mine["high"] and mine["spread"] > 0
    if name == "generalist":
        assert objective.encoder.arguments["dim"] == 128 and objective.encoder.arguments["hidden"] == [1024, 512]


def test_it_learns_and_is_asked_as_users_ask(model, invented_giants):
    truth, value, _ = invented_giants.draw(400, 2)
    names = [*NAMED, *(f"xp{k}" for k in range(len(BANDS)))]
    known = {"xp": value[:, len(NAMED):], "jk": value[:, names.index("jk")]}
    answer = model.request(known, ["teff", "teff_err", "mass", "age"])
    assert answer.colnames == ["id", "teff", "teff_err", "mass", "mass_err", "age", "age_err", "flags"]
    assert answer["teff"].unit == u.K and answer["age"].unit == u.Gyr
    assert np.corrcoef(answer["teff"].value, truth["teff"])[0, 1] > 0.4
    spectrum = get_instrument("gaia-xp").example(3)
    inpainted = model.request({"xp": spectrum}, "gaia-xp")
    assert inpainted.flux.unit == spectrum.flux.unit and inpainted.shape == (len(BANDS),)
    np.testing.assert_allclose(inpainted.spectral_axis.to_value(u.nm), BANDS.mean(axis=1))


def test_the_benchmark_runs(recipe, invented_giants, shared_answers, capsys):
    shared_answers(recipe, invented_giants)
    told = capsys.readouterr().out
    for words in ("mass", "age", "red half from the blue", "extinction curve", "J - K at 4500 K", "flagged", "one request"):
        assert words in told


@pytest.fixture
def shared_answers(monkeypatch, tmp_path):
    """Run the benchmark on invented stars, in the small."""
    def run(recipe, giants):
        monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
        import generalist

        monkeypatch.setattr(generalist.Evolved, "open", lambda folder: giants)
        few = replace(recipe, schedule=replace(recipe.schedule, steps=10))
        monkeypatch.setattr(generalist, "read_recipe", lambda path: few)
        monkeypatch.setattr(generalist, "CALIBRATE", 200)
        monkeypatch.setattr(generalist, "TEST", 300)
        monkeypatch.setattr(generalist, "strangers", lambda model, folder: (0, 1))
        monkeypatch.setattr(sys, "argv", ["generalist.py", "--data", str(tmp_path), "-o", str(tmp_path / "run"),
                                          "--stars", "600"])
        generalist.main()
        del sys.modules["generalist"]
    return run
