"""SpecCLIP from simulated stars to an aligned model, by the commands and recipes a user has."""

import csv
import json
import os
import signal
import subprocess
import sys
import time
import tomllib
from pathlib import Path

import numpy as np
import pytest
import torch
from astrofm_zoo.specclip.objectives import Alignment, Autoencoder, MaskedRuns

from astrofm.cli import main
from astrofm.data import Batch
from astrofm.errors import DataError
from astrofm.models import Model
from astrofm.models.learn import make
from astrofm.models.recipe import read_recipe
from astrofm.training import ShardedData, ShardWriter

RECIPES = Path(__file__).resolve().parents[1] / "recipes"


def recipe(folder, stage, *, steps=12, **schedule):
    """Write a small recipe with parts smaller still."""
    text = (RECIPES / f"specclip_{stage}_small.toml").read_text()
    text = text.replace("{ dim = 192, depth = 4, heads = 6 }", "{ dim = 24, depth = 1, heads = 2 }")
    text = text.replace("{ dim = 192, hidden = 384 }", "{ dim = 24, hidden = 32 }").replace("= 192", "= 24")
    text = text.replace("narrow = 4", "narrow = 16")
    text = text.replace("stars = 256", "stars = 32").replace("stars = 64", "stars = 32")
    told = tomllib.loads(text)
    told["schedule"] |= {"steps": steps, "log_every": 1, "check_every": 5, "checkpoint_every": 5, "warmup": 2,
                         "precision": "float32", **schedule}
    head, _, rest = text.partition("[schedule]")
    tail = rest[rest.index("[card]"):]
    values = "\n".join(f"{key} = {json.dumps(value)}" for key, value in told["schedule"].items())
    path = folder / f"{stage}-{steps}.toml"
    path.write_text(f"{head}[schedule]\n{values}\n\n{tail}")
    return path


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """Simulated pairs, once for this module."""
    folder = tmp_path_factory.mktemp("data") / "pairs"
    assert main(["sample", "--simulate", "160", "--through", "lamost-lrs", "gaia-xp", "-o", str(folder), "--size", "64"]) == 0
    return folder


@pytest.fixture(scope="module")
def runs(data, tmp_path_factory):
    """Both encoders and the alignment, trained for a moment by the commands."""
    folder = tmp_path_factory.mktemp("runs")
    for stage, command, start in (("lrs", "pretrain", ()), ("xp", "pretrain", ()), ("pr", "align", ("lrs", "xp"))):
        more = ["--start", *(str(folder / name / "model.safetensors") for name in start)] if start else []
        steps = {"lrs": 12, "xp": 60, "pr": 24}[stage]
        path = recipe(folder, stage, steps=steps)
        assert main([command, str(path), "--data", str(data), "-o", str(folder / stage), *more]) == 0
    return folder


def test_the_data_set_holds_pairs_with_labels(data):
    found = ShardedData.open(data, verify=True)
    rows = found.rows(["lamost-lrs", "gaia-xp"])
    assert len(rows) == 160 and found.instruments == ("lamost-lrs", "gaia-xp")
    first, second = (found.column(name, "teff")[rows[:, k]] for k, name in enumerate(found.instruments))
    np.testing.assert_array_equal(first, second)
    assert ((first > 3000) & (first < 40000)).all()


def test_the_same_command_makes_the_same_data_set(data, tmp_path):
    again = tmp_path / "again"
    assert main(["sample", "--simulate", "160", "--through", "lamost-lrs", "gaia-xp", "-o", str(again), "--size", "64"]) == 0
    assert ShardedData.open(again).sha256 == ShardedData.open(data).sha256


def test_every_stage_learns_and_is_checked_on_stars_it_never_sees(runs):
    for stage in ("lrs", "xp", "pr"):
        rows = list(csv.DictReader((runs / stage / "valid.csv").read_text().splitlines()))
        assert float(rows[-1]["loss"]) < 0.98 * float(rows[0]["loss"]), stage


def test_an_aligned_model_embeds_both_and_keeps_the_encoders_it_started_from(runs, data):
    model = Model.load(runs / "pr" / "model.safetensors")
    found = ShardedData.open(data)
    for name in found.instruments:
        assert np.isfinite(model.embed(found.batch(name, np.arange(5)))).all()
    for stage, side in (("lrs", "lrs"), ("xp", "xp")):
        own = Model.load(runs / stage / "model.safetensors").encoder.state_dict()
        for name, tensor in own.items():
            assert torch.equal(tensor, model.encoder.state_dict()[name]), side
    provenance = model.about["provenance"]
    assert provenance["data_sha256"] == found.sha256 and len(provenance["started_from"]) == 2
    assert provenance["recipe"]["objective"]["name"] == "specclip-alignment"


def test_decoders_know_their_errors_after_training(runs):
    errors = Model.load(runs / "pr" / "model.safetensors").aligner.errors
    for source, target, pixels in (("lrs", "xp", 343), ("xp", "lrs", 1462), ("xp", "xp", 343), ("lrs", "lrs", 1462)):
        found = errors(source, target)
        assert found.shape == (pixels,) and (found > 0).all()


@pytest.mark.parametrize("source", ["gaia-xp", "lamost-lrs"])
@pytest.mark.parametrize(("target", "calibration"), [("lamost-lrs", "relative to its pseudo-continuum"),
                                                     ("gaia-xp", "relative to its flux at 550 nm")])
def test_spectra_are_translated_and_reconstructed_in_the_models_normalisation(runs, data, source, target, calibration):
    model = Model.load(runs / "pr" / "model.safetensors")
    batch = ShardedData.open(data).batch(source, np.arange(4))
    found = model.reconstruct(batch) if source == target else model.translate(batch, to=target)
    spectrum = found[2]
    assert spectrum.flux.unit == "" and spectrum.meta["calibration"] == calibration
    assert spectrum.meta["instrument"] == target and spectrum.meta["id"] == batch.meta["id"][2]
    error = spectrum.uncertainty.array
    assert (error > 0).all() and not spectrum.mask.any()
    wave = model.aligner.pixels(target)
    np.testing.assert_allclose(spectrum.spectral_axis.to_value("AA"), wave)
    with torch.no_grad():
        wanted = model.encoder.see(ShardedData.open(data).batch(target, np.arange(4)).tensors()).numpy()[2]
        raw = model.aligner.spectrum(torch.from_numpy(model.embed(batch)), target, source=source).numpy()[2]
    if source == target == "lamost-lrs":  # decoded standardised, given back on the scale of what was seen
        raw = raw * wanted.std(ddof=1) + wanted.mean()
    np.testing.assert_allclose(spectrum.flux.value, raw, rtol=1e-4, atol=1e-5)


def test_a_table_of_translations_says_what_its_fluxes_are(runs, data, tmp_path, shared_data):
    from astropy.table import Table

    out = tmp_path / "t.fits"
    files = sorted(map(str, (shared_data / "lamost-lrs").glob("*.fits")))[:3]
    assert main(["translate", *files, "-m", str(runs / "pr" / "model.safetensors"), "--to", "gaia-xp", "-o", str(out)]) == 0
    table = Table.read(out, hdu=1)
    assert table["flux"].shape == (3, 343) and set(table["calibration"]) == {"relative to its flux at 550 nm"}
    assert (np.asarray(table["flux_err"]) > 0).all() and not table["mask"].any() and "unit" in table.colnames


def test_killed_in_the_middle_a_run_goes_on_to_the_same_end(data, tmp_path):
    path = recipe(tmp_path, "lrs", steps=30)
    command = [sys.executable, "-m", "astrofm", "pretrain", str(path), "--data", str(data), "-o"]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    subprocess.run([*command, str(tmp_path / "whole")], check=True, env=environment, capture_output=True, timeout=300)
    running = subprocess.Popen([*command, str(tmp_path / "killed")], env=environment, stdout=subprocess.DEVNULL)
    log, end = tmp_path / "killed" / "log.csv", time.monotonic() + 200
    while time.monotonic() < end and not (log.exists() and len(log.read_text().splitlines()) > 12):
        time.sleep(0.02)
    running.send_signal(signal.SIGKILL)
    running.wait()
    done = len(log.read_text().splitlines()) - 1
    assert 11 <= done < 30
    subprocess.run([*command, str(tmp_path / "killed")], check=True, env=environment, capture_output=True, timeout=300)
    for name in ("log.csv", "valid.csv", "model.safetensors"):
        assert (tmp_path / "killed" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes(), name


def test_two_processes_under_torchrun_equal_one(data, tmp_path):
    path = recipe(tmp_path, "lrs", steps=6, pieces=2)
    command = ["pretrain", str(path), "--data", str(data), "-o"]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    subprocess.run([sys.executable, "-m", "astrofm", *command, str(tmp_path / "one")], check=True, env=environment,
                   capture_output=True, timeout=300)
    subprocess.run([sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2", "-m", "astrofm",
                    *command, str(tmp_path / "two")], check=True, env=environment, capture_output=True, timeout=300)
    for name in ("log.csv", "valid.csv", "model.safetensors"):
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes(), name


@pytest.mark.parametrize("stage", ["lrs", "xp", "pr"])
def test_the_recipes_of_published_size_have_the_published_parameters(stage):
    told = read_recipe(RECIPES / f"specclip_{stage}.toml")
    with torch.device("meta"):
        objective = make(told)
    count = sum(p.numel() for part in (objective.encoder, objective.aligner) for p in part.parameters())
    assert count == {"lrs": 42_677_013, "xp": 42_846_129, "pr": 168_293_752}[stage]
    small = read_recipe(RECIPES / f"specclip_{stage}_small.toml")
    assert (small.objective, small.instruments, small.aligner["name"]) == (told.objective, told.instruments,
                                                                           told.aligner["name"])


def test_the_published_masking_hides_41_percent():
    objective = make(read_recipe(RECIPES / "specclip_lrs_small.toml"))
    flux = 1 + 0.1 * torch.randn(16, 1462)
    tokens = objective.backbone.tokens(flux)
    from astrofm.training import mask_runs

    torch.manual_seed(0)
    hidden = (mask_runs(tokens, runs=objective.runs, length=objective.length) == 0).all(2)
    assert hidden.float().mean() == pytest.approx(60 / 146, abs=1e-3)
    loss = objective.loss([flux])
    assert loss.weight == pytest.approx(16 * 60 * 20, rel=0.02)


def test_spectra_that_can_not_be_seen_are_left_out_and_counted(data, tmp_path, capsys):
    found = ShardedData.open(data)
    batch = found.batch("gaia-xp", np.arange(160))
    value = np.array(batch.value)
    value[7] = value[7] / value[7, 107]
    value[9] = -value[9]
    writer = ShardWriter(tmp_path / "set", {})
    writer.write([Batch(batch.instrument, batch.coordinate, value, batch.error, batch.mask, meta=batch.meta)], done=1)
    writer.finish()
    path = recipe(tmp_path, "xp", steps=3)
    assert main(["pretrain", str(path), "--data", str(tmp_path / "set"), "-o", str(tmp_path / "run")]) == 0
    told = capsys.readouterr().out
    assert "1 rows from 0 on are left out: star 0 of the batch: the flux at 550 nm is 1" in told
    kept = np.load(tmp_path / "run" / "seen" / "gaia-xp.npy")
    assert set(np.flatnonzero(~np.isfinite(kept).all(1))) == {7, 9}


def test_what_does_not_fit_is_said(data, runs, tmp_path, capsys):
    path = recipe(tmp_path, "pr")
    assert main(["pretrain", str(path), "--data", str(data), "-o", str(tmp_path / "r")]) == 1
    assert "is a recipe for `astrofm align`" in capsys.readouterr().err
    one = str(runs / "lrs" / "model.safetensors")
    assert main(["align", str(path), "--data", str(data), "-o", str(tmp_path / "r"), "--start", one]) == 1
    assert "give no weights to 'encoder.xp." in capsys.readouterr().err
    whole = read_recipe(path)
    with pytest.raises(DataError, match="learns from one instrument"):
        objective = make(whole)
        MaskedRuns(objective.encoder, objective.aligner, whole.instruments)
    with pytest.raises(DataError, match="specclip-autoencoder"):
        MaskedRuns(objective.encoder, objective.aligner, ["gaia-xp"])
    with pytest.raises(DataError, match="specclip-masked"):
        Autoencoder(objective.encoder, objective.aligner, ["lamost-lrs"])
    with pytest.raises(DataError, match="the alignment is of"):
        Alignment(objective.encoder, objective.aligner, ["lamost-lrs"])


@pytest.mark.parametrize(("old", "new", "message"), [
    ("warmup", "warmupp", "did you mean 'warmup'"), ("steps", "stepz", "means nothing here"),
    ('name = "token-mean"', 'name = "token-men"', "Did you mean 'token-mean'"), ("[data]", "[data", "is no recipe"),
    ("stars = 32", "stars = 5000", "to learn from, the recipe takes 5000 a step"),
    ("heads = 2", "heads = 5", "do not divide into 5 heads"), ("runs = 6", "lengths = 6", "takes no such arguments")])
def test_a_wrong_recipe_is_told_where(data, tmp_path, capsys, old, new, message):
    path = recipe(tmp_path, "lrs", steps=3)
    path.write_text(path.read_text().replace(old, new, 1))
    assert main(["pretrain", str(path), "--data", str(data), "-o", str(tmp_path / "run")]) == 1
    assert message in capsys.readouterr().err
