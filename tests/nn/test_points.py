"""Light curves as points and patches: what is seen of them, windows, groups, and the encoder."""

import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
import torch

from astrofm.data import Batch, Sample, collate
from astrofm.errors import DataError
from astrofm.models import Model
from astrofm.nn.coordinates import TimeEncoding
from astrofm.nn.plain import PlainAligner
from astrofm.nn.points import PointEncoder
from astrofm.nn.ragged import CurveView, cut, groups, percentiles, see_points
from astrofm.testing import AlignerTests, EncoderTests, FakePhotometer, HeadTests

SMALL = {"dim": 16, "depth": 2, "heads": 2, "hidden": 24}


class TestPoints(EncoderTests):
    name = "points"
    arguments = SMALL


class TestPatchesOfTwoBands(EncoderTests):
    name = "points"
    arguments = {**SMALL, "patch": 8, "bands": {"fake-photometer": [4400.0, 6400.0]}}


class TestPostNormInWindows(EncoderTests):
    name = "points"
    arguments = {**SMALL, "paired": False, "post": True, "window": 50, "bands": 0, "errors": False,
                 "views": {"fake-photometer": {"clip": 3.0, "band": "most"}}}


class TestPlain(AlignerTests):
    name = "plain"
    arguments = {"dim": 16}


class TestExtraClasses(HeadTests):
    name = "classes-with-extras"
    arguments = {"dim": 16, "extras": [{"name": "period", "unit": "d", "also": ["P"]}], "hidden": [32, 16]}
    other_labels = ("variable_class",)


def curve(length, seed=0, **changes):
    random = np.random.default_rng(seed)
    made = {"coordinate": np.sort(random.uniform(0, 80, length)), "value": random.normal(10, 1, length).astype(np.float32),
            "error": np.full(length, 0.1, np.float32), "mask": np.zeros(length, bool), "band": np.zeros(length, np.int16),
            "meta": {"id": f"star-{seed}"}}
    return Sample("fake-photometer", **{**made, **changes})


def build(**arguments):
    torch.manual_seed(0)
    return PointEncoder(**{**SMALL, **arguments}).eval()


def embed(encoder, stars):
    with torch.inference_mode():
        return encoder.embed(stars if isinstance(stars, Batch) else collate(stars)).numpy()


def test_percentiles_are_numpys():
    random = np.random.default_rng(0)
    value, seen = random.normal(size=(5, 40)), random.random((5, 40)) > 0.4
    seen[3], seen[4] = False, np.arange(40) == 7
    found = torch.cat(percentiles(torch.tensor(value), torch.tensor(seen), (5, 50, 95)), 1).numpy()
    for row in (0, 1, 2, 4):
        np.testing.assert_allclose(found[row], np.percentile(value[row, seen[row]], (5, 50, 95)))
    assert np.isnan(found[3]).all()


def test_points_are_clipped_scaled_and_measured():
    star = curve(200, 1)
    star.value[[3, 50]] = 60, -40
    bad = replace(star, mask=np.arange(200) == 10)
    points, amplitude = see_points(collate([bad]).tensors(), CurveView(clip=3.0))
    kept = np.delete(np.arange(200), 10)
    x = star.value[kept].astype(float)
    own = abs(x - x.mean()) <= 3 * x.std()
    low, high = np.percentile(x[own], (5, 95))
    np.testing.assert_allclose(points.value, (x[own] - low) / (high - low), rtol=1e-12)
    np.testing.assert_allclose(points.days, star.coordinate[kept][own] - star.coordinate[kept][own][0])
    np.testing.assert_allclose(amplitude, high - low)


def test_magnitudes_become_fluxes_after_clipping():
    star = curve(60, 2)
    points, amplitude = see_points(collate([star]).tensors(), CurveView(clip=3.0, magnitudes=True))
    flux = 10 ** (-0.4 * star.value.astype(float))
    low, high = np.percentile(flux, (5, 95))
    np.testing.assert_allclose(points.value, (flux - low) / (high - low), rtol=1e-10)
    np.testing.assert_allclose(points.error, 0.1 * flux / 1.0857362 / (high - low), rtol=1e-6)
    np.testing.assert_allclose(amplitude, np.subtract(*np.percentile(star.value.astype(float), (95, 5))))


def test_one_band_is_seen_where_one_is_wanted():
    band = np.repeat([0, 1], [20, 30]).astype(np.int16)
    mask = np.arange(50) >= 35
    stars = [curve(50, 1, band=band), curve(50, 2, band=band, mask=mask)]
    points, _ = see_points(collate(stars).tensors(), CurveView(band="most"))
    assert points.lengths.tolist() == [30, 20] and set(points.band[:30].tolist()) == {1}
    assert see_points(collate(stars).tensors(), CurveView(band=0))[0].lengths.tolist() == [20, 20]


def test_a_star_that_is_not_seen_in_the_band_has_no_embedding():
    model = Model(build(views={"fake-photometer": {"band": 1}}), PlainAligner(dim=16), {}, card={"name": "small"})
    stars = [curve(20, 1), curve(20, 2, band=np.ones(20, np.int16))]
    assert np.isnan(model.embed(stars)).all(axis=1).tolist() == [True, False]
    assert model.predict(stars)["flags"].tolist() == ["unlike-training-set", ""]


def test_windows_are_alike_and_have_days_of_their_own():
    points, _ = see_points(collate([curve(10, 1), curve(25, 2), curve(0, 3)]).tensors(), CurveView())
    windows, star = cut(points, 10)
    assert windows.lengths.tolist() == [10, 9, 8, 8] and star.tolist() == [0, 1, 1, 1]
    assert windows.days[[0, 10, 19, 27]].tolist() == [0, 0, 0, 0]
    np.testing.assert_array_equal(windows.value, points.value)
    whole, star = cut(points, None)
    assert whole.lengths.tolist() == [10, 25] and star.tolist() == [0, 1]


def test_groups_have_every_row_once_and_little_padding():
    lengths = torch.tensor(np.random.default_rng(0).integers(1, 900, 500))
    start, rows, area = lengths.cumsum(0) - lengths, [], 0
    for chosen, index, seen in groups(lengths, 4000):
        assert index.numel() <= 4000 or len(chosen) == 1
        there = torch.ones_like(index, dtype=torch.bool) if seen is None else seen
        assert there.sum(1).tolist() == lengths[chosen].tolist() and index[:, 0].tolist() == start[chosen].tolist()
        rows, area = rows + chosen.tolist(), area + index.numel()
    assert sorted(rows) == list(range(500)) and area < 1.1 * int(lengths.sum())


def test_each_channel_has_a_frequency_of_its_own():
    days = torch.tensor([0.0, 0.37, 12.5], dtype=torch.float64)
    own = TimeEncoding(8, paired=False)(days)
    expected = [[np.sin(x) if j % 2 == 0 else np.cos(x) for j in range(8) for x in [t * 2 * np.pi / 10000 ** (j / 8)]]
                for t in days.tolist()]
    np.testing.assert_allclose(own, expected, atol=1e-5)
    paired = TimeEncoding(8)(days)
    np.testing.assert_allclose(paired[:, ::2] ** 2 + paired[:, 1::2] ** 2, 1, rtol=1e-5)


def test_errors_bands_and_times_count():
    star, encoder = curve(60, 1), build()
    expected = embed(encoder, [star])
    for changed in (replace(star, error=3 * star.error), replace(star, band=(np.arange(60) % 2).astype(np.int16)),
                    replace(star, coordinate=1.1 * star.coordinate)):
        assert abs(embed(encoder, [changed]) - expected).max() > 1e-3
    shifted = replace(star, coordinate=star.coordinate + 5000.0)
    np.testing.assert_allclose(embed(encoder, [shifted]), expected, atol=1e-5)


def test_stars_of_any_length_are_embedded_as_if_alone():
    stars = [curve(length, seed) for seed, length in enumerate((1, 3, 700, 64, 65, 20, 300))]
    for encoder in (build(most=512), build(patch=8, most=512), build(post=True, window=40, most=512)):
        together = embed(encoder, stars)
        alone = np.concatenate([embed(encoder, [star]) for star in stars])
        np.testing.assert_allclose(together, alone, atol=2e-5)


def test_an_instrument_without_a_view_is_refused():
    with pytest.raises(DataError, match="embeds other"):
        build(views={"other": {}}).embed(collate([curve(5)]))


@pytest.mark.parametrize("arguments", [{"patch": 0}, {"window": 4, "patch": 8}, {"views": {"a": {"clip": -1}}},
                                       {"views": {"a": {"low": 95, "high": 5}}}, {"views": {"a": {"band": "best"}}},
                                       {"periods": [5, 1]}, {"activation": "sign"}])
def test_bad_arguments_are_refused(arguments):
    with pytest.raises(ValueError, match=r"patch|clip|percentiles|band|periods|activation"):
        build(**arguments)


def test_a_model_embeds_light_curves_in_order_with_their_ids():
    encoder = build()
    model = Model(encoder, PlainAligner(dim=16), {}, card={"name": "small"}).to("cpu", precision="float32")
    fake = FakePhotometer()
    stars = [fake.sample(fake.example(seed)[:size]) for seed, size in enumerate((120, 11, 90, 12))]
    vectors, table = model.embed(stars), model.predict(stars)
    np.testing.assert_allclose(vectors, np.stack([model.embed(star) for star in stars]), atol=2e-5)
    assert table["id"].tolist() == [f"example-{k}" for k in range(4)] and set(table["n_bad"]) == {0}
    assert not any(table["flags"]) and abs(table["snr"][0] - 50) < 20


def test_signal_to_noise_of_magnitudes_is_that_of_the_flux():
    model = Model(build(), PlainAligner(dim=16), {}, card={"name": "small"})
    star = curve(30, 1)
    table = model.predict([replace(star, meta={"id": "a", "unit": "mag"})])
    assert table["snr"][0] == pytest.approx(10.857, rel=1e-3)


def test_spectra_are_refused_in_words():
    model = Model(build(), PlainAligner(dim=16), {}, card={"name": "small"})
    wave = np.linspace(4000, 7000, 50)
    spectra = Batch("fake", wave, np.ones((1, 50), np.float32), np.ones((1, 50), np.float32), np.zeros((1, 50), bool))
    with pytest.raises(DataError, match="embeds light curves"):
        model.embed(spectra)


MEMORY = """
import resource, numpy as np, torch
from astrofm.data import Batch
from astrofm.nn.points import PointEncoder
torch.set_num_threads(1)
encoder = PointEncoder(dim=64, depth=2, heads=4, hidden=256).eval()
def embed(p):
    one = np.ones((1, p), np.float32)
    with torch.inference_mode():
        encoder.embed(Batch("any", np.linspace(0, 27, p)[None], one * np.random.rand(p).astype("f"), one, one < 0,
                            np.zeros((1, p), np.int16)))
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
print(embed(1000), embed(20000), embed(80000))
"""


@pytest.mark.slow
def test_memory_of_a_long_light_curve_is_linear_in_its_length():
    told = subprocess.run([sys.executable, "-c", MEMORY], capture_output=True, text=True, check=True).stdout.split()
    short, long, longest = map(float, told)
    assert long - short < 150, f"20,000 points take {long - short:.0f} MiB more than 1,000"
    assert longest - long < 150, f"80,000 points take {longest - long:.0f} MiB more than 20,000: windows are done in turn"
