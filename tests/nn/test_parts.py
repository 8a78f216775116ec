"""The trunk, the shared space and the heads: what the conformance suites don't already ask."""

import numpy as np
import pytest
import torch
from torch import nn

from astrofm.data import Batch
from astrofm.nn import blocks
from astrofm.nn.blocks import INNER, Attention, attend, by_pieces
from astrofm.nn.heads import ClassHead, GaussianHead
from astrofm.nn.lattice import STEP
from astrofm.nn.shared import SharedSpace, similarity
from astrofm.nn.trunk import AnyWavelengthEncoder

WAVE = 10 ** (3.6 + STEP * np.arange(1500))


def _encoder():
    torch.manual_seed(0)
    return AnyWavelengthEncoder(dim=16, width=24, depth=2, heads=2, patch=64, hidden=32).eval()


def _batch(n=3, seed=0, scale=1.0, wave=WAVE):
    random = np.random.default_rng(seed)
    value = scale * (1 + 0.2 * random.standard_normal((n, len(wave)))).astype(np.float32)
    return Batch("some-spectrograph", wave, value, np.full_like(value, 0.1 * scale), np.zeros(value.shape, bool),
                 meta={"id": [str(k) for k in range(n)]})


@torch.inference_mode()
@pytest.mark.parametrize("scale", [1e-18, 1e-8, 1e6])
def test_the_scale_of_the_flux_does_not_matter_however_small(scale):
    encoder = _encoder()
    torch.testing.assert_close(encoder.embed(_batch(scale=scale)), encoder.embed(_batch()), rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("scores", [2**21, 50 * 70 * 5, 10])  # all heads at once, five at a time, one
@pytest.mark.parametrize("masked", [False, True])
def test_attention_by_products_is_that_of_torchs_kernel_however_many_heads_at_a_time(monkeypatch, scores, masked):
    monkeypatch.setattr(blocks, "SCORES", scores)
    torch.manual_seed(0)
    q, k, v = (torch.randn(3, 4, count, 16).bfloat16() for count in (50, 70, 70))
    seen = torch.rand(3, 70) > 0.3 if masked else None
    expected = torch.nn.functional.scaled_dot_product_attention(
        q.float(), k.float(), v.float(), attn_mask=None if seen is None else seen[:, None, None])
    for learns in (True, False):
        with torch.inference_mode(not learns):
            torch.testing.assert_close(attend(q, k, v, seen=seen).float(), expected, rtol=0.02, atol=0.02)


@pytest.mark.parametrize("shift", [0.0, 200.0, -90.0, -200.0])  # exponentials in range, that overflow, are subnormal, vanish
@pytest.mark.parametrize("masked", [False, True])
def test_attention_without_gradients_survives_scores_of_any_size(shift, masked):
    random = torch.Generator().manual_seed(0)
    q, k, v = (torch.randn(2, 3, 70, 16, generator=random).bfloat16() for _ in range(3))
    q[..., 0], k[..., 0] = 4.0, shift  # the same for all keys of a row: the softmax does not see it
    seen = torch.arange(70).expand(2, 70) < torch.tensor([[70], [40]]) if masked else None
    rounded = (k.float() @ q.float().transpose(-1, -2)).transpose(-1, -2).div(4).bfloat16().double()
    if masked:
        rounded = rounded.masked_fill(~seen[:, None, None], -torch.inf)
    expected = (rounded.softmax(-1) @ v.double()).float()
    with torch.inference_mode():
        found = attend(q, k, v, seen=seen).float()
    torch.testing.assert_close(found, expected, rtol=0.03, atol=0.03)


def test_pieces_are_the_whole():
    torch.manual_seed(0)
    layers = nn.Sequential(nn.Linear(4, INNER // 100), nn.GELU(), nn.Linear(INNER // 100, 4))
    x, sizes = torch.randn(3, 70, 4), []
    layers[0].register_forward_hook(lambda layer, given, out: sizes.append(given[0].numel() // 4))
    whole = by_pieces(layers, x, INNER // 100)
    with torch.inference_mode():
        torch.testing.assert_close(by_pieces(layers, x, INNER // 100), whole, rtol=1e-5, atol=1e-6)
    assert sizes == [210, 100, 100, 10]


@torch.inference_mode()
def test_errors_matter():
    encoder, batch = _encoder(), _batch()
    noisy = Batch(batch.instrument, batch.coordinate, batch.value, 5 * batch.error, batch.mask, meta=batch.meta)
    assert (encoder.embed(batch) - encoder.embed(noisy)).abs().max() > 1e-3


@torch.inference_mode()
def test_wavelength_matters():
    encoder = _encoder()
    moved = _batch(wave=WAVE * 1.2)
    assert (encoder.embed(_batch()) - encoder.embed(moved)).abs().max() > 1e-3


@torch.inference_mode()
def test_a_part_of_the_patches_is_enough_and_is_drawn_by_the_generator():
    encoder, batch = _encoder(), _batch().tensors()
    draws = [encoder.embed_part(batch, 0.5, torch.Generator().manual_seed(seed)) for seed in (1, 1, 2)]
    torch.testing.assert_close(draws[0], draws[1])
    assert not torch.allclose(draws[0], draws[2])


@torch.inference_mode()
def test_decoding_part_of_the_wavelengths_agrees_with_the_whole():
    torch.manual_seed(0)
    space = SharedSpace(source_dim=16, dim=16, width=24, depth=1, patch=64).eval()
    z = torch.randn(2, 16)
    wave = torch.from_numpy(WAVE)
    value, error = space.decode(z, wave, "any", source="any")
    part, part_error = space.decode(z, wave[300:700], "any", source="any")
    torch.testing.assert_close(value[:, 300:700], part, rtol=1e-3, atol=1e-5)
    torch.testing.assert_close(error[:, 300:700], part_error, rtol=1e-3, atol=1e-5)
    assert (error > 0).all() and (value > 0).all()


def test_similarity_of_a_star_with_itself_is_one():
    z = torch.randn(4, 8, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(similarity(z, z).diagonal(), torch.ones(4))


def test_a_label_in_log_has_an_error_that_scales_with_it():
    head = GaussianHead(dim=4, labels=[{"name": "teff", "unit": "K", "centre": 3.7, "spread": 0.1, "log": True}])
    columns = head.read(torch.randn(5, 4))
    mean, log_error = head.standardised(torch.zeros(1, 4))
    expected = 10 ** (mean * 0.1 + 3.7) * np.log(10) * log_error.exp() * 0.1
    torch.testing.assert_close(head.read(torch.zeros(1, 4))["teff_err"], expected[:, 0])
    assert (columns["teff"] > 0).all()


def test_standardised_labels_come_back():
    head = GaussianHead(dim=4, labels=[{"name": "teff", "centre": 3.7, "spread": 0.1, "log": True},
                                       {"name": "logg", "centre": 4.0, "spread": 0.5}])
    truth = torch.tensor([[5800.0, 4.4], [4000.0, float("nan")]])
    z = head.standardise(truth)
    assert torch.isnan(z[1, 1])
    torch.testing.assert_close(10 ** (z[:, 0] * 0.1 + 3.7), truth[:, 0])


def test_classes_have_probabilities_that_sum_to_one():
    head = ClassHead(dim=4, classes=["A0", "A1", "A2"])
    torch.testing.assert_close(head.read(torch.randn(6, 4))["spectral_type_probability"].sum(1), torch.ones(6))


def test_heads_that_do_not_divide_the_width_are_refused():
    with pytest.raises(ValueError, match="do not divide"):
        Attention(10, 3)
