"""Light curves of any survey: packed without loss, folded at a period that is found, and embedded."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from astrofm.data import Batch
from astrofm.nn.cadence import AnyCadenceEncoder, fold
from astrofm.nn.packed import PackedCurves, pack
from astrofm.testing import EncoderTests

SMALL = {"dim": 16, "depth": 1, "heads": 2, "hidden": 24, "length": 64, "folded": 16}


class TestAnyCadence(EncoderTests):
    name = "any-cadence"
    arguments = SMALL


class TestUnfoldedPointByPoint(EncoderTests):
    name = "any-cadence"
    arguments = {**SMALL, "folded": 0, "patch": 1}


def magnitudes(n=6, p=150, *, period=0.7312, bands=(0, 1), instrument="robot", seed=0, unit="mag"):
    """Give sawtooth stars of several bands, 1.5 mag apart, with holes."""
    random = np.random.default_rng(seed)
    days = np.sort(random.uniform(0, 400, (n, p)), axis=1)
    band = random.choice(bands, (n, p)).astype(np.int16)
    value = 14 + 1.5 * band + 0.4 * (days / period % 1.0) + 0.02 * random.standard_normal((n, p))
    mask = random.random((n, p)) < 0.1
    return Batch(instrument, days, np.where(mask, 0, value).astype(np.float32), np.where(mask, 0, 0.02).astype(np.float32),
                 mask, band, {"id": [str(k) for k in range(n)], "unit": [unit] * n}).tensors()


def test_packed_curves_come_back():
    curves = pack(magnitudes(), bands={"robot": [4400.0, 6400.0]})
    again = PackedCurves.of(curves.numbers())
    assert curves.numbers().dtype == torch.float32
    assert torch.equal(curves.there, again.there) and not curves.there.all()
    for name in ("value", "error", "wave"):
        assert torch.equal(getattr(curves, name)[curves.there], getattr(again, name)[curves.there]), name
    torch.testing.assert_close(curves.days[curves.there], again.days[curves.there], atol=1e-11, rtol=0)  # a microsecond
    assert torch.equal(curves.absolute, again.absolute)
    torch.testing.assert_close(curves.period, again.period, rtol=1e-6, atol=0)


def test_packing_keeps_times_in_order_and_counts_from_the_first_good_point():
    batch = magnitudes()
    curves = pack(batch)
    for row in range(len(curves)):
        days = curves.days[row][curves.there[row]]
        good = batch.coordinate[row][~batch.mask[row]]
        assert torch.equal(days, good - good[0])
    assert set(curves.wave[curves.there].tolist()) == {0.0, -1.0}  # nobody says which wavelengths these are


def test_long_light_curves_are_thinned_evenly_and_keep_the_period_of_all():
    whole, thin = (pack(magnitudes(), length=length) for length in (None, 20))
    assert thin.there.sum(1).tolist() == [20] * 6
    assert torch.equal(whole.period, thin.period)
    rank = torch.searchsorted(whole.days[0][whole.there[0]], thin.days[0][thin.there[0]])
    assert rank.diff().max() <= rank.diff().min() + 1
    assert whole.thinned(1000) is whole


@pytest.mark.parametrize("period", [0.0931, 0.7312, 11.4, 150.0])
def test_the_period_is_found(period):
    curves = pack(magnitudes(period=period), bands={"robot": [4400.0, 6400.0]})
    assert ((1 / curves.period - 1 / period).abs() * 400 < 0.15).all(), curves.period  # in cycles of the time it was seen for
    # one sine is 61 % of a sawtooth; where few cycles were seen no more are fitted
    assert (curves.power > (0.6 if period < 100 else 0.5)).all()


def test_no_period_is_made_up_where_there_can_be_none():
    batch = magnitudes(4, 40, bands=(0,))
    value = 14 + torch.randn(4, 40, generator=torch.Generator().manual_seed(0), dtype=batch.value.dtype)
    value[0] = 3.0  # never varies
    mask = torch.zeros_like(batch.mask)
    mask[1, 5:] = True  # five points
    days = torch.where(torch.arange(4)[:, None] == 2, 0.0, batch.coordinate)  # all at once
    curves = pack(replace(batch, coordinate=days, value=value, error=torch.full_like(value, 0.02), mask=mask))
    assert curves.period[:3].tolist() == [0, 0, 0] and curves.power[:3].tolist() == [0, 0, 0]
    assert 0 < curves.power[3] < 0.7  # noise


def test_no_star_at_all_is_packed():
    assert len(pack(magnitudes()[slice(0, 0)])) == 0


def test_magnitudes_and_the_fluxes_they_are_of_pack_alike():
    batch = magnitudes()
    flux = torch.where(batch.mask, 0.0, 10 ** (-0.4 * (batch.value - 20)))
    same = replace(batch, value=flux, error=flux * batch.error / 1.0857362, meta={**batch.meta, "unit": ["electron / s"] * 6})
    first, second = pack(batch), pack(same)
    both = [curves.centred()[0][curves.there] for curves in (first, second)]
    torch.testing.assert_close(*both, atol=2e-3, rtol=0.01)
    torch.testing.assert_close(first.error[first.there], second.error[second.there], atol=1e-3, rtol=0.02)
    assert first.absolute.all() and not second.absolute.any()  # nobody told zero points: no colour can be made of them


def sunken(level, spread=100.0, error=100.0):
    """Stars of fluxes about ``level``, and the same batch with a sine of 0.61 days in it."""
    batch = magnitudes(p=200)
    noise = spread * torch.randn(batch.value.shape, generator=torch.Generator().manual_seed(0))
    wave = 2 * spread * torch.sin(2 * torch.pi * batch.coordinate / 0.61)
    flux = torch.where(batch.mask, 0.0, (level + noise + wave).to(batch.value.dtype))
    return replace(batch, value=flux, error=torch.where(batch.mask, 0.0, error).to(flux.dtype),
                   meta={"id": batch.meta["id"], "unit": ["electron / s"] * 6})


@pytest.mark.parametrize("level", [50.0, 0.0, -50.0, -3000.0])
def test_stars_of_no_positive_median_flux_are_embedded_and_keep_their_period(level):
    stars = sunken(level)
    assert ((stars.value < 0) & ~stars.mask).any()
    curves = pack(stars)
    assert torch.equal(curves.there.sum(1), (~stars.mask).sum(1))
    assert ((1 / curves.period - 1 / 0.61).abs() * 400 < 0.3).all()
    assert torch.isfinite(AnyCadenceEncoder(**SMALL).eval().embed(stars)).all()


def test_magnitudes_of_faint_stars_do_not_jump_where_their_median_sinks_below_zero():
    above, below = (pack(sunken(level)).centred()[0] for level in (0.5, -0.5))
    assert (above - below).abs().max() < 0.02


def test_the_zero_point_plays_no_part_but_the_colour_does():
    torch.manual_seed(0)
    encoder = AnyCadenceEncoder(**SMALL, bands={"robot": [4400.0, 6400.0]}).eval()
    batch = magnitudes()
    with torch.inference_mode():
        plain, brighter, redder = (encoder.embed(replace(batch, value=torch.where(batch.mask, 0.0, batch.value + more)))
                                   for more in (0.0, 2.0, 2.0 * batch.band))
    torch.testing.assert_close(plain, brighter, atol=2e-3, rtol=0)
    assert (plain - redder).abs().max() > 1e-2


def test_the_folded_curve_starts_at_its_faintest_and_shows_two_cycles():
    batch = magnitudes(p=800, bands=(0,))
    curves = pack(batch, length=None)
    value = curves.centred()[0]
    folded, start = fold(curves, value, torch.ones(6, 1), 64)
    mean, known = folded[..., :4].flatten(1), folded[..., 4:].flatten(1)
    assert (known > 0).all() and ((0 <= start) & (start < 1)).all()
    assert (mean[:, :3].mean(1) > 0.1).all()  # fainter than the median
    torch.testing.assert_close(mean[:, :32], mean[:, 32:], atol=0.12, rtol=0)
    nothing = fold(replace(curves, period=torch.zeros(6, dtype=torch.float64)), value, torch.ones(6, 1), 64)[0]
    assert (nothing == 0).all()


def test_what_is_prepared_is_embedded_the_same_without_another_search(monkeypatch):
    torch.manual_seed(0)
    encoder, batch = AnyCadenceEncoder(**SMALL).eval(), magnitudes()
    with torch.inference_mode():
        expected, ready = encoder.embed(batch), encoder.prepare(batch)
        monkeypatch.setattr("astrofm.nn.packed.curve_features", lambda *_, **__: pytest.fail("the period is searched again"))
        assert torch.equal(encoder.embed(ready), expected)
        torch.testing.assert_close(encoder.embed(ready[np.array([4, 1])]), expected[[4, 1]], rtol=1e-4, atol=1e-5)


def test_a_model_tells_its_encoder_what_the_values_are():
    from astrofm.models import Model
    from astrofm.nn.plain import PlainAligner

    torch.manual_seed(0)
    encoder = AnyCadenceEncoder(**SMALL).eval()
    model = Model(encoder, PlainAligner(dim=16), {}, card={"name": "told"}).to("cpu", precision="float32")
    with torch.inference_mode():
        for unit in ("mag", "uJy"):
            batch = magnitudes(unit=unit)
            np.testing.assert_allclose(model.embed(batch), encoder.embed(batch), rtol=1e-4, atol=1e-4)


def test_bad_sizes_are_refused():
    for wrong in ({"folded": 6}, {"patch": 0}, {"length": 4}):
        with pytest.raises(ValueError, match="patch has a point"):
            AnyCadenceEncoder(**{**SMALL, **wrong})
