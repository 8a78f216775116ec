"""Tokens that answer names: pixels, quantities, cross-attention, and the objective they learn by."""

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

from astrofm.data import Batch
from astrofm.errors import DataError
from astrofm.models import Model
from astrofm.nn.asking import AskedNames, AskedNumbers, NullAttention
from astrofm.nn.coordinates import ScaledWavelengthEncoding
from astrofm.nn.pixels import PixelTokens
from astrofm.nn.quantities import NamedQuantities
from astrofm.nn.tokens import choose
from astrofm.testing import AlignerTests, EncoderTests, HeadTests
from astrofm.training.asked import asked_loss

WAVE = np.geomspace(4000, 7000, 300)
LABELS = [{"name": "teff", "unit": "K", "centre": 5000.0, "spread": 500.0}, {"name": "fe_h", "unit": "dex"}]


class TestPixelTokens(EncoderTests):
    name = "pixel-tokens"
    arguments = {"dim": 16, "heads": [4], "hidden": [32], "context": 100, "wavelengths": [3000.0, 8000.0], "asked": ["teff"]}


class TestAskedNames(AlignerTests):
    name = "asked-names"
    arguments = {"source_dim": 16, "asked": 2, "heads": [4, 2], "hidden": [32, 16]}


class TestAskedNumbers(HeadTests):
    name = "asked-numbers"
    arguments = {"dim": 32, "labels": LABELS, "hidden": [16, 8]}


def build(**arguments):
    torch.manual_seed(0)
    encoder = PixelTokens(**{"asked": ["teff", "fe_h"], "dim": 16, "heads": [4], "hidden": [32], "context": 64,
                             "wavelengths": [3000.0, 8000.0], **arguments}).eval()
    aligner = AskedNames(source_dim=16, asked=2, heads=[4], hidden=[32]).eval()
    return Model(encoder, aligner, {"labels": AskedNumbers(dim=32, labels=LABELS, hidden=[16]).eval()},
                 card={"name": "small"}).to("cpu", precision="float32")


def batch(n=4, wave=WAVE, scale=1.0, seed=0):
    value = scale * (1 - 0.3 * np.random.default_rng(seed).random((n, len(wave)))).astype(np.float32)
    return Batch("fake", wave, value, np.full_like(value, 0.01 * scale), np.zeros(value.shape, bool),
                 meta={"id": [str(k) for k in range(n)]})


@pytest.mark.parametrize("count", [7, 30])  # as many tokens as are asked in all heads, and more: another way to the same
def test_attention_is_torchs_own_with_a_token_that_is_always_there(count):
    torch.manual_seed(0)
    ours, theirs = NullAttention(16, 4), nn.MultiheadAttention(16, 4, add_bias_kv=True, batch_first=True)
    theirs.load_state_dict({"in_proj_weight": ours.enter.weight, "in_proj_bias": ours.enter.bias,
                            "bias_k": ours.key.reshape(1, 1, -1), "bias_v": ours.value.reshape(1, 1, -1),
                            "out_proj.weight": ours.out.weight, "out_proj.bias": ours.out.bias})
    ours.enter.bias.data.normal_(), theirs.in_proj_bias.data.copy_(ours.enter.bias)
    x, tokens, present = torch.randn(3, 2, 16), torch.randn(3, count, 16), torch.rand(3, count) > 0.3
    with torch.no_grad():
        torch.testing.assert_close(ours(x, tokens, present), theirs(x, tokens, tokens, key_padding_mask=~present)[0])
        torch.testing.assert_close(ours(x, tokens), theirs(x, tokens, tokens)[0])
        torch.testing.assert_close(ours(tokens), theirs(tokens, tokens, tokens)[0])
        weights = ours.weights(x, tokens, present)
    torch.testing.assert_close(weights.sum(-1), torch.ones(3, 4, 2))
    assert not weights[..., :-1].transpose(1, 3)[~present].any()


def test_wavelengths_are_encoded_by_the_published_formula():
    wave, dim = np.array([15000.0, 15152.2, 16999.0]), 8
    place = 1000 * (wave - 15000) / 2000
    expected = np.zeros((3, dim))
    for k in range(dim // 2):
        expected[:, 2 * k] = np.sin(place / 10000 ** (2 * k / dim))
        expected[:, 2 * k + 1] = np.cos(place / 10000 ** (2 * k / dim))
    found = ScaledWavelengthEncoding(dim, low=15000, high=17000)(torch.from_numpy(wave))
    np.testing.assert_allclose(found.numpy(), expected, atol=2e-4)


@pytest.mark.parametrize("count", [1, 5, 20, 40])
def test_chosen_tokens_are_present_different_and_even(count):
    present = torch.from_numpy(np.random.default_rng(0).random((6, 40)) < np.linspace(0.1, 1, 6)[:, None])
    index, chosen = choose(present, count)
    for row in range(6):
        there = present[row].nonzero()[:, 0]
        kept = index[row][chosen[row]]
        assert len(kept) == min(count, len(there)) and len(set(kept.tolist())) == len(kept) and present[row][kept].all()
        gaps = torch.searchsorted(there, kept).diff()
        assert len(gaps) == 0 or gaps.max() <= -(-len(there) // count) + 1


def test_the_mask_and_the_limits_hide_pixels():
    model, spectra = build(), batch()
    spectra.mask[:, 50:90] = True
    hidden = batch()
    hidden.value[:, 50:90] = 1.7
    np.testing.assert_allclose(model.embed(hidden), model.embed(spectra), rtol=1e-5, atol=1e-6)


def test_order_of_the_pixels_does_not_matter():
    encoder = build().encoder
    x, place = torch.randn(2, 30), torch.from_numpy(np.sort(np.random.default_rng(1).uniform(4000, 7000, (2, 30))))
    mixed = torch.randperm(30)
    name, present = torch.ones(2, 30, dtype=torch.long), torch.ones(2, 30, dtype=torch.bool)
    with torch.no_grad():
        first = encoder.encode(name, x, present, encoder.asked, place=encoder.place(place))
        second = encoder.encode(name, x[:, mixed], present, encoder.asked, place=encoder.place(place[:, mixed]))
    torch.testing.assert_close(first[:, 2:][:, mixed], second[:, 2:], rtol=1e-4, atol=1e-5)


def test_a_spectrum_that_is_not_over_its_continuum_gives_nothing_and_hurts_nobody():
    model, spectra = build(), batch()
    spectra.value[1] *= 1e-16
    table = model.predict(spectra)
    assert np.isnan(table["teff"][1]) and "unlike-training-set" in table["flags"][1]
    np.testing.assert_allclose(table["teff"][[0, 2, 3]].value, model.predict(batch())["teff"][[0, 2, 3]].value, rtol=1e-5)


def test_pixels_of_its_own_must_be_on_the_grid():
    model = build(pixels=200)
    with torch.no_grad():
        model.encoder.pixel_wavelength.copy_(torch.from_numpy(WAVE[20:220]))
    assert np.isfinite(model.predict(batch())["teff"].value).all()
    with pytest.raises(DataError, match="200 pixels of its own.*of them are not among"):
        model.predict(batch(wave=WAVE * 1.001))
    with pytest.raises(DataError, match="cover 9000-9900 Angstrom"):
        build().predict(batch(wave=np.linspace(9000, 9900, 300)))


@pytest.mark.parametrize("arguments", [{"absent": "no"}, {"pixel_row": 0}, {"rows": 3}, {"dim": 15}])
def test_sizes_that_cannot_be_are_refused(arguments):
    with pytest.raises(ValueError, match="\\w{3,}"):
        PixelTokens(**{"asked": ["teff", "fe_h"], "dim": 16, "heads": [4], "hidden": [32], **arguments})


def test_too_many_quantities_and_another_number_of_columns_are_refused():
    encoder = NamedQuantities(quantities=[{"name": f"q{k}"} for k in range(6)], dim=16, heads=[4], hidden=[16], context=4)
    value = torch.ones(2, 6)
    with pytest.raises(DataError, match="6 quantities .* 4 at most"):
        encoder.embed(Batch("named-quantities", torch.arange(6.0), value, value, torch.zeros(2, 6, dtype=torch.bool)))
    with pytest.raises(DataError, match="5 columns and the model 6"):
        encoder.embed(Batch("named-quantities", torch.arange(5.0), value[:, 1:], value[:, 1:],
                            torch.zeros(2, 5, dtype=torch.bool)))


def test_the_loss_is_the_likelihood_of_both_errors_and_leaves_out_the_unknown():
    value, log_variance = torch.tensor([[0.3, 5.0]]), torch.tensor([[-1.0, 2.0]])
    truth, error = torch.tensor([[0.1, torch.nan]]), torch.tensor([[0.5, 0.1]])
    variance = torch.tensor([-1.0]).exp() + 0.25
    expected = F.gaussian_nll_loss(value[:, 0], truth[:, 0], variance)
    torch.testing.assert_close(asked_loss(value, log_variance, truth, error), expected)
    exact = asked_loss(value, log_variance, truth, torch.full((1, 2), torch.nan))
    torch.testing.assert_close(exact, F.gaussian_nll_loss(value[:, 0], truth[:, 0], torch.tensor([-1.0]).exp()))


@pytest.mark.parametrize("how", ["attention", "gradient"])
def test_maps_of_attention_are_over_the_mean_and_leave_out_masked_pixels(how):
    model, spectra = build(), batch()
    spectra.mask[1, 40:80] = True
    maps = model.attention(spectra, "fe_h", how=how)
    assert len(maps) == 4 and maps[0].meta["label"] == "fe_h"
    for one in maps:
        weight = one.flux.value[~one.mask]
        assert (weight >= 0).all() and weight.mean() == pytest.approx(1, rel=1e-4) and len(weight) in (300, 260)
        assert not one.flux.value[one.mask].any()
    assert maps[1].mask[40:80].all() and maps[1].mask.sum() == 40


@pytest.mark.parametrize("pixels", [0, 300])
def test_the_gradient_is_that_of_the_label(pixels):
    model, spectra = build(context=400, pixels=pixels), batch(1)
    if pixels:  # each with a spread of its own
        model.encoder.pixel_wavelength.copy_(torch.from_numpy(WAVE))
        model.encoder.pixel_spread.copy_(torch.linspace(0.1, 1.0, pixels)[torch.randperm(pixels)])
    weight = model.attention(spectra, "teff", how="gradient")[0].flux.value
    strongest = np.argsort(weight)[-3:]
    changes = []
    for pixel in strongest:
        answers = []
        for step in (0.01, -0.01):
            value = spectra.value.copy()
            value[0, pixel] += step
            moved = Batch("fake", WAVE, value, spectra.error, spectra.mask, meta=spectra.meta)
            answers.append(model.predict(moved)["teff"].value[0])
        changes.append(abs(answers[0] - answers[1]))
    np.testing.assert_allclose(changes / weight[strongest], changes[0] / weight[strongest[0]], rtol=0.1)


def test_peaks_are_the_highest_and_apart():
    from astrofm.models.attention import peaks

    found = peaks(build().attention(batch(1), "teff")[0], 5, apart=50.0)
    assert len(found) == 5 and (np.diff(found["weight"]) <= 0).all()
    wave = np.sort(found["wavelength"].value)
    assert (np.diff(wave) >= 50).all()


def test_a_map_of_what_is_not_asked_is_refused():
    from astrofm import load_model
    from astrofm.errors import UnknownNameError

    with pytest.raises(UnknownNameError, match="say one of teff, fe_h"):
        build().attention(batch(), "logg")
    with pytest.raises(DataError, match="how is one of"):
        build().attention(batch(), "teff", how="magic")
    with pytest.raises(DataError, match="no pixels that labels attend to"):
        load_model("stellar-tiny").attention(batch(), "teff")
