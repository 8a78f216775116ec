"""The loop learns, resumes exactly, and refuses another run's checkpoint; objectives mean what they say."""

import csv
import math

import pytest
import torch
from torch import nn

from astrofm.errors import ModelFileError
from astrofm.training import Schedule, class_loss, contrastive_loss, label_loss, reconstruction_loss, train

SCHEDULE = Schedule(steps=40, learning_rate=0.1, warmup=5, checkpoint_every=10, log_every=5, precision="float32")


class Stop(Exception):
    """Stands for a machine that is switched off."""


def _modules():
    torch.manual_seed(1)
    return nn.ModuleDict({"line": nn.Linear(3, 1)})


def _losses(modules, stop=None):
    def losses(step):
        if step == stop:
            raise Stop
        x = torch.randn(16, 3, generator=torch.Generator().manual_seed(step))
        loss = ((modules["line"](x)[:, 0] - x @ torch.tensor([1.0, -2.0, 0.5])) ** 2).mean()
        return loss, {"square": float(loss.detach())}
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
