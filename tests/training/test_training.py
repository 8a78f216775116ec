"""The loop learns, resumes exactly, and refuses another run's checkpoint; objectives mean what they say."""

import csv
import math
import os
import subprocess
import sys
import types
from dataclasses import replace

import pytest
import torch
from torch import nn

from astrofm.errors import DataError, ModelFileError
from astrofm.training import (
    Loss,
    Schedule,
    Team,
    class_loss,
    contrastive_loss,
    label_loss,
    mask_runs,
    masked_loss,
    reconstruction_loss,
    train,
)

SCHEDULE = Schedule(steps=40, learning_rate=0.1, warmup=5, checkpoint_every=10, log_every=5, precision="float32")


class Stop(Exception):
    """Stands for a machine that is switched off."""


def _modules():
    torch.manual_seed(1)
    return nn.ModuleDict({"line": nn.Linear(3, 1)})


def _losses(modules, stop=None):
    def losses(step, piece):
        if step == stop:
            raise Stop
        x = torch.randn(16, 3, generator=torch.Generator().manual_seed(step))
        loss = ((modules["line"](x)[:, 0] - x @ torch.tensor([1.0, -2.0, 0.5])) ** 2).mean()
        return Loss(loss, {"square": float(loss.detach())})
    return losses


def _run(folder, stop=None, modules=None):
    modules = modules or _modules()
    train(modules, _losses(modules, stop), SCHEDULE, folder=folder, progress=lambda line: None)
    return modules


def test_training_makes_the_loss_small(tmp_path):
    _run(tmp_path)
    rows = list(csv.DictReader((tmp_path / "log.csv").read_text().splitlines()))
    assert float(rows[-1]["square"]) < 0.3 * float(rows[0]["square"])


@pytest.mark.parametrize("stop", [3, 17, 31])
def test_a_run_that_was_stopped_goes_on_as_if_it_never_was(tmp_path, stop):
    whole = _run(tmp_path / "whole")
    with pytest.raises(Stop):
        _run(tmp_path / "broken", stop)
    resumed = _run(tmp_path / "broken")
    for a, b in zip(whole.state_dict().values(), resumed.state_dict().values(), strict=True):
        assert torch.equal(a, b)
    assert (tmp_path / "whole/log.csv").read_text() == (tmp_path / "broken/log.csv").read_text()


TEAM = """
import atexit
import os
import sys
from pathlib import Path
import torch
from torch import nn
from astrofm.training import Loss, Schedule, Team, train


@atexit.register  # before the team's own, so that it is called after it
def no_thread_is_left():
    names = [(task / "comm").read_text() for task in Path("/proc/self/task").glob("*")]
    if any("gloo" in name for name in names):
        sys.stderr.write(f"threads outlive the training: {names}")
        sys.stderr.flush()
        os._exit(3)


torch.set_num_threads(1)
torch.manual_seed(1)
modules = nn.ModuleDict({"net": nn.Sequential(nn.Linear(3, 8), nn.BatchNorm1d(8), nn.Dropout(0.2), nn.Linear(8, 1))})
weights = torch.tensor([1.0, -2.0, 0.5])


def losses(step, piece):
    x = torch.randn(20, 3, generator=torch.Generator().manual_seed(step))[piece::2][: 10 - piece]
    return Loss(((modules["net"](x)[:, 0] - x @ weights) ** 2).mean(), {"half": 0.5}, len(x))


schedule = Schedule(steps=30, learning_rate=0.03, warmup=5, checkpoint_every=10, log_every=5, precision="float32", pieces=2)
train(modules, losses, schedule, folder=sys.argv[1], progress=lambda line: None, team=Team.from_environment())
"""


def test_two_processes_equal_one_to_the_last_bit(tmp_path):
    (tmp_path / "team.py").write_text(TEAM)
    for name, launcher in (("one", [sys.executable]), ("two", [sys.executable, "-m", "torch.distributed.run", "--standalone",
                                                               "--nproc-per-node", "2"])):
        run = subprocess.run([*launcher, str(tmp_path / "team.py"), str(tmp_path / name)], capture_output=True, text=True,
                             timeout=180, env={**os.environ, "OMP_NUM_THREADS": "1"})
        assert run.returncode == 0, run.stderr
    one, two = (torch.load(tmp_path / name / "checkpoint.pt", weights_only=True) for name in ("one", "two"))
    assert one["step"] == two["step"] == 30
    for name, tensor in one["modules"].items():
        assert torch.equal(tensor, two["modules"][name]), name
    assert (tmp_path / "one/log.csv").read_text() == (tmp_path / "two/log.csv").read_text()


def test_pieces_give_the_gradient_of_the_whole(tmp_path):
    def losses(modules, pieces):
        def piece_of(step, piece):
            x = torch.randn(21, 3, generator=torch.Generator().manual_seed(step))[piece::pieces]
            return Loss(((modules["line"](x)[:, 0] - x.sum(1)) ** 2).mean(), {}, len(x))
        return piece_of

    found = []
    for pieces in (1, 4):
        modules = _modules()
        train(modules, losses(modules, pieces), replace(SCHEDULE, pieces=pieces), folder=tmp_path / str(pieces),
              progress=lambda line: None)
        found.append(modules["line"].weight.detach())
    torch.testing.assert_close(*found, rtol=1e-5, atol=1e-6)


def test_processes_that_do_not_share_the_pieces_are_refused(tmp_path):
    modules = _modules()
    with pytest.raises(DataError, match="set pieces"):
        train(modules, _losses(modules), SCHEDULE, folder=tmp_path, team=Team(0, 2))


def test_what_is_not_used_stays_as_it_is(tmp_path):
    modules = _modules()
    modules["idle"] = nn.Linear(2, 2)
    before = modules["idle"].weight.clone()
    _run(tmp_path, modules=modules)
    assert torch.equal(modules["idle"].weight, before)


def test_validation_is_logged_and_resumed(tmp_path):
    modules = _modules()
    seen = []

    def check():
        assert not modules.training
        seen.append(1)
        return {"loss": float(len(seen))}

    schedule = replace(SCHEDULE, check_every=15)
    train(modules, _losses(modules), schedule, folder=tmp_path, progress=lambda line: None, check=check)
    rows = list(csv.DictReader((tmp_path / "valid.csv").read_text().splitlines()))
    assert [row["step"] for row in rows] == ["15", "30", "40"] and not modules.training


def test_a_log_for_tensorboard_says_what_it_needs(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", None)
    modules = _modules()
    with pytest.raises(DataError, match="pip install tensorboard"):
        train(modules, _losses(modules), SCHEDULE, folder=tmp_path, tensorboard=True)


def test_a_log_for_tensorboard_has_the_numbers(tmp_path, monkeypatch):
    written = []
    fake = types.ModuleType("torch.utils.tensorboard")
    fake.SummaryWriter = lambda folder: types.SimpleNamespace(
        add_scalar=lambda name, number, step: written.append((name, step)), flush=lambda: None)
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", fake)
    modules = _modules()
    train(modules, _losses(modules), SCHEDULE, folder=tmp_path, tensorboard=True, progress=lambda line: None)
    assert ("log/loss", 5) in written and ("log/square", 40) in written


def test_runs_of_tokens_are_hidden_in_each_segment():
    tokens = torch.ones(64, 146, 21)
    hidden = (mask_runs(tokens, runs=6, length=10) == 0).all(2)
    assert (hidden.sum(1) == 60).all()
    assert (hidden[:, :144].reshape(64, 6, 24).sum(2) == 10).all()
    assert hidden[:, 0].any() and not hidden[:, 144:].any()
    assert len({tuple(row.tolist()) for row in hidden}) > 60
    with pytest.raises(ValueError, match="do not fit"):
        mask_runs(tokens, runs=6, length=24)


def test_only_what_was_hidden_counts():
    tokens = torch.ones(2, 4, 3)
    masked = tokens.clone()
    masked[:, 1] = 0
    value, count = masked_loss(tokens + torch.tensor([9.0, 2.0, 9.0, 9.0])[None, :, None], tokens, masked)
    assert float(value) == 4.0 and count == 6.0


def test_a_checkpoint_of_other_modules_is_refused(tmp_path):
    _run(tmp_path)
    other = nn.ModuleDict({"line": nn.Linear(4, 1)})
    with pytest.raises(ModelFileError, match="other modules"):
        train(other, _losses(other), SCHEDULE, folder=tmp_path, progress=print)


def test_a_checkpoint_of_another_schedule_is_refused(tmp_path):
    modules = _run(tmp_path)
    with pytest.raises(ModelFileError, match="another schedule"):
        train(modules, _losses(modules), Schedule(steps=50), folder=tmp_path, progress=print)


def test_the_rate_warms_up_and_falls_to_its_end():
    schedule = Schedule(steps=100, learning_rate=1.0, warmup=10, final=0.1)
    rates = [schedule.rate(step) for step in range(100)]
    assert rates[0] == pytest.approx(0.1) and max(rates) == pytest.approx(1.0) and rates[-1] < 0.105
    assert all(a >= b for a, b in zip(rates[10:], rates[11:], strict=False))


def test_reconstruction_does_not_care_about_a_stars_scale():
    truth = torch.rand(4, 3, 8) + 0.5
    decoded, error = truth.log(), torch.full((4, 3, 1), -3.0)
    arguments = (truth, 0.01 * truth, torch.zeros(4, 3, 8, dtype=torch.bool))
    one = reconstruction_loss(decoded, error, *arguments)
    other = reconstruction_loss(decoded + torch.randn(4, 1, 1), error, *arguments)
    torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-4)
    assert reconstruction_loss(decoded + 0.3 * torch.randn_like(decoded), error, *arguments) > one + 1


def test_reconstruction_leaves_masked_pixels_out():
    truth = torch.rand(2, 3, 8) + 0.5
    mask = torch.rand(2, 3, 8) < 0.3
    poisoned = torch.where(mask, 1e6, truth)
    error = torch.full((2, 3, 1), -2.0)
    torch.testing.assert_close(reconstruction_loss(truth.log() * 0.9, error, truth, 0.01 * truth, mask),
                               reconstruction_loss(truth.log() * 0.9, error, poisoned, 0.01 * truth, mask))


def test_contrast_is_small_for_pairs_and_log_n_for_strangers():
    z = torch.randn(64, 32, generator=torch.Generator().manual_seed(0))
    other = torch.randn(64, 32, generator=torch.Generator().manual_seed(1))
    assert contrastive_loss(z, z) < 0.1
    assert contrastive_loss(z, other, temperature=10.0) == pytest.approx(math.log(64), abs=0.05)


def test_an_unknown_label_does_not_count():
    mean, log_error = torch.zeros(2, 2, requires_grad=True), torch.zeros(2, 2)
    truth = torch.tensor([[1.0, float("nan")], [float("nan"), float("nan")]])
    loss = label_loss(mean, log_error, truth)
    loss.backward()
    assert loss.item() == pytest.approx(0.5)
    assert mean.grad[0, 1] == 0 and (mean.grad[1] == 0).all() and mean.grad[0, 0] != 0


def test_an_unknown_class_does_not_count():
    scores = torch.tensor([[2.0, 0.0], [9.0, 9.0]])
    target = torch.tensor([[1.0, 0.0], [0.0, 0.0]])
    assert class_loss(scores, target).item() == pytest.approx(math.log(1 + math.exp(-2)))
