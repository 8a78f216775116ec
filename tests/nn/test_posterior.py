"""The posterior head finds the posteriors that are there, two peaks included, and says what it needs."""

import sys

import numpy as np
import pytest
import torch

from astrofm.errors import DataError
from astrofm.models import Model
from astrofm.nn.posterior import PosteriorHead

LABELS = [{"name": "one", "unit": "K", "centre": 3.7, "spread": 0.1, "log": True}, {"name": "two"}]


def fit(head, draw, *, steps=400, size=256):
    torch.manual_seed(0)
    optimiser = torch.optim.Adam(head.parameters(), 3e-3)
    for step in range(steps):
        embedding, truth = draw(size, step)
        loss = -head.log_density(embedding, truth).mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        optimiser.param_groups[0]["lr"] = 3e-3 * (1 - step / steps)
    return head.eval()


def lines(n, seed):
    """Labels with known Gaussian posteriors: mean and error follow from the embedding, and they are correlated."""
    random = torch.Generator().manual_seed(seed)
    x = torch.randn(n, 4, generator=random)
    noise = torch.randn(n, 2, generator=random)
    error = 0.1 + 0.3 * torch.sigmoid(x[:, 1])
    two = x[:, 2] + error * noise[:, 0]
    one = 0.5 * x[:, 0] + 0.2 * (0.8 * noise[:, 0] + 0.6 * noise[:, 1])
    return x, torch.stack([10 ** (3.7 + 0.1 * one), two], 1)


@pytest.fixture(scope="module")
def fitted():
    torch.manual_seed(1)
    return fit(PosteriorHead(dim=4, labels=LABELS, hidden=32), lines, steps=500)


def test_gaussian_posteriors_are_found_with_their_errors(fitted):
    x, truth = lines(2000, 99_999)
    with torch.inference_mode():
        found = fitted.read(x)
    error = 0.1 + 0.3 * torch.sigmoid(x[:, 1])
    assert float((found["two"] - x[:, 2]).abs().median()) < 0.05
    assert float((found["two_err"] / error - 1).abs().median()) < 0.15
    for k, name in enumerate(("one", "two")):
        inside = ((found[name] - truth[:, k]).abs() < found[f"{name}_err"]).float().mean()
        assert float(inside) == pytest.approx(0.683, abs=0.05), name


def test_labels_are_drawn_jointly(fitted):
    with torch.inference_mode():
        drawn = fitted.sample(lines(200, 5)[0], 512)
    one, two = drawn[..., 0].log10(), drawn[..., 1]
    found = ((one - one.mean(1, keepdim=True)) * (two - two.mean(1, keepdim=True))).mean(1) / (one.std(1) * two.std(1))
    assert float(found.median()) == pytest.approx(0.8, abs=0.1)


def test_two_peaks_stay_two():
    def draw(n, seed):
        random = torch.Generator().manual_seed(seed)
        x = torch.rand(n, 2, generator=random) + 1.0
        sign = torch.where(torch.rand(n, generator=random) < 0.5, -1.0, 1.0)
        return x, (sign * x[:, 0] + 0.05 * torch.randn(n, generator=random))[:, None]

    torch.manual_seed(1)
    head = fit(PosteriorHead(dim=2, labels=[{"name": "two", "spread": 1.5}], hidden=32), draw, steps=500)
    with torch.inference_mode():
        drawn = head.sample(torch.tensor([[1.5, 1.2]]), 1000)[0, :, 0]
    near = torch.stack([(drawn - peak).abs() < 0.3 for peak in (-1.5, 1.5)]).float().mean(1)
    assert (near > 0.35).all() and float((drawn.abs() < 0.8).float().mean()) < 0.1


def test_draws_do_not_depend_on_who_else_is_asked_for(fitted):
    x = lines(50, 6)[0]
    with torch.inference_mode():
        whole, alone = fitted.sample(x, 64), fitted.sample(x[7:8], 64)
        other = fitted.sample(x, 64, seed=1)
    torch.testing.assert_close(whole[7:8], alone, rtol=1e-4, atol=1e-4)
    assert not torch.equal(whole, other)


def test_a_star_without_a_label_does_not_count(fitted):
    x, truth = lines(5, 7)
    truth[2, 1] = torch.nan
    density = fitted.log_density(x, truth)
    assert torch.isnan(density).tolist() == [False, False, True, False, False]
    density[torch.isfinite(density)].mean().backward()
    assert all(torch.isfinite(p.grad).all() for p in fitted.parameters() if p.grad is not None)


def test_far_from_the_training_set_numbers_stay_finite(fitted):
    with torch.inference_mode():
        for scale in (1e3, 1e6):
            assert all(torch.isfinite(column).all() for column in fitted.read(scale * lines(20, 8)[0]).values())


def test_a_saved_model_draws_the_same(fitted, tmp_path):
    from astrofm.nn.shared import SharedSpace
    from astrofm.nn.trunk import AnyWavelengthEncoder

    encoder = AnyWavelengthEncoder(dim=8, width=16, depth=1, heads=2, hidden=16)
    model = Model(encoder, SharedSpace(source_dim=8, dim=4, width=16, depth=1), {"joint": fitted}, card={"name": "flow"})
    path = model.save(tmp_path / "flow.safetensors")
    x = np.random.default_rng(0).normal(size=(9, 4)).astype(np.float32)
    first, second = model.core.read(x), Model.load(path).core.read(x)
    assert set(first) == {"one", "one_err", "two", "two_err"}
    for name in first:
        np.testing.assert_array_equal(first[name], second[name])


def test_without_zuko_it_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "zuko.flows", None)
    with pytest.raises(DataError, match=r"pip install 'astrofm\[flow\]'"):
        PosteriorHead()
