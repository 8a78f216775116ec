"""The card of a star shows what the model says, and refuses what it can't show."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from astropy import units as u

import astrofm
from astrofm.cli import main
from astrofm.data import collate
from astrofm.errors import DataError
from astrofm.models import Model
from astrofm.models.response import smooth_response
from astrofm.nn.cadence import AnyCadenceEncoder
from astrofm.nn.heads import ClassHead
from astrofm.nn.plain import MeasuredHead, PlainAligner
from astrofm.testing import FakePhotometer

pytest.importorskip("matplotlib")


def texts(figure):
    found = [figure.get_suptitle()]
    for axis in figure.axes:
        found += [axis.get_title(), axis.get_title(loc="left"), *(text.get_text() for text in axis.texts)]
        found += [cell.get_text().get_text() for table in axis.tables for cell in table.get_celld().values()]
        legend = axis.get_legend()
        found += [text.get_text() for text in legend.get_texts()] if legend else []
    return " | ".join(found)


def test_a_card_shows_spectrum_translation_labels_and_neighbours(model, stars, tmp_path):
    index = astrofm.build_index(model, stars)
    figure = model.card(stars[0], index=index, path=tmp_path / "card.png")
    told, table = texts(figure), model.predict(stars[:1])
    for wanted in ("example-0", "seen", "reconstructed", "as coarse would see it", "nearest stars", "example-2",
                   f"spectral_type: {table['spectral_type'][0]}", f"model {model.name}", str(table["flags"][0])):
        assert wanted in told
    assert f"{table['teff'][0].value:.0f}"[:2] in told
    assert (tmp_path / "card.png").stat().st_size > 20_000
    lines = [line for axis in figure.axes for line in axis.get_lines() if line.get_label() == "reconstructed"]
    np.testing.assert_allclose(lines[0].get_ydata(), model.reconstruct(stars[0]).flux.value, rtol=1e-6)


def test_a_reconstruction_of_relative_flux_is_also_drawn_with_the_shape_that_was_seen(model, stars):
    figure = model.card(stars[0], to=[])
    lines = {line.get_label(): line for line in figure.axes[0].get_lines()}
    seen, bent = (lines[name].get_ydata() for name in ("seen", "reconstructed, times a smooth response"))
    whole = lines["reconstructed"].get_ydata()
    far, near = (np.nanmedian(np.abs(line / seen - 1)) for line in (whole, bent))
    assert near < far


def test_a_smooth_response_is_found_and_masked_pixels_do_not_count():
    wave = np.linspace(4000, 9000, 500)
    model = 1 + 0.2 * np.sin(wave / 7)
    curve = 30 * np.exp(-(wave - 4000) / 4000)
    value, mask = model * curve, np.zeros(500, bool)
    mask[100:120], value[100:120] = True, 1e9
    mask[:20] = True
    found = smooth_response(wave, value, 0.01 * value, mask, model)
    np.testing.assert_allclose(found[20:], curve[20:], rtol=1e-4)
    np.testing.assert_allclose(found[:20], found[20], rtol=1e-9)
    assert np.isnan(smooth_response(wave[:30], value[:30], value[:30], mask[:30], model[:30])).all()


def test_a_median_class_is_called_one_and_a_model_without_labels_has_no_empty_row(model, stars):
    bare = Model(model.encoder, model.aligner, {}, card={"name": "bare"})
    assert len(bare.card(stars[0], to=[]).axes) == 1 and bare.card(stars[0], to=[]).axes[0].get_gridspec().nrows == 1
    head = ClassHead(dim=10, label="spectral_type", classes=["K5", "M0", "M1"], ordered=True)
    one = Model(model.encoder, model.aligner, {"type": head}, card={"name": "one"})
    assert "(median)" in texts(one.card(stars[0], to=[]))


def test_a_posterior_is_drawn_as_it_is(model, stars):
    pytest.importorskip("zuko")
    from astrofm.models import Model
    from astrofm.nn.posterior import PosteriorHead

    head = PosteriorHead(dim=10, labels=[{"name": "mass", "unit": "solMass"}], hidden=16, depth=1)
    figure = Model(model.encoder, model.aligner, {"joint": head}, card={"name": "joint"}).card(stars[0], to=[])
    panel = next(axis for axis in figure.axes if axis.get_title().startswith("mass"))
    assert len(panel.patches) == 40


def test_what_can_not_be_drawn_is_refused(model, stars, instruments):
    with pytest.raises(DataError, match="of one star"):
        model.card(stars)
    other = astrofm.build_index(model, stars)
    other.sha256 = "f" * 64
    with pytest.raises(DataError, match="build the index again"):
        model.card(stars[0], index=other)


def test_the_command_draws_a_file(instruments, model, tmp_path, capsys):
    path, star = model.save(tmp_path / "m.safetensors"), tmp_path / "a.wide"
    star.write_text("WIDE 3 4")
    out = tmp_path / "card.png"
    assert main(["card", str(star), "-m", str(path), "-o", str(out), "--star", "2"]) == 0
    assert out.stat().st_size > 20_000
    for words, message in ((["-o", str(out)], "exists already"), (["-o", "card.txt"], "is written as"),
                           (["-o", str(tmp_path / "b.png"), "--star", "3"], "counts from 1 to 2")):
        assert main(["card", str(star), "-m", str(path), *words]) == 1
        assert message in capsys.readouterr().err


class TestOfLightCurves:
    @pytest.fixture
    def model(self):
        torch.manual_seed(0)
        encoder = AnyCadenceEncoder(dim=16, depth=1, heads=2, hidden=24, length=64, folded=16).eval()
        heads = {"classes": ClassHead(dim=16, label="kind", classes=["RR", "EA", "DCEP"], hidden=16).eval(),
                 "period": MeasuredHead(dim=16)}
        return Model(encoder, PlainAligner(dim=16), heads, card={"name": "curves"}).to("cpu", precision="float32")

    @pytest.fixture
    def star(self, instruments):
        random = np.random.default_rng(0)
        days = np.sort(random.uniform(0, 100, 200))
        table = {"t": 58300 + days, "m": 15 + 0.5 * np.sin(2 * np.pi * days / 3.21), "b": ["blue", "red"] * 100}
        return astrofm.light_curve(table, time="t", mag="m", error=0.02 * u.mag, band="b", format="mjd", scale="tdb", id="V7",
                                   instrument=FakePhotometer.name)

    def test_it_shows_the_curve_its_fold_classes_numbers_and_neighbours(self, model, star, tmp_path):
        index = astrofm.build_index(model, [star])
        figure = model.card(star, index=index, path=tmp_path / "card.png")
        told, table = texts(figure), model.classify(star)
        for wanted in ("V7", "B", "R", "folded at 3.2", f"kind: {table['kind'][0]}", "set of 90 %", "period  3.2",
                       "points_all  200", "nearest stars"):
            assert wanted in told, wanted
        assert (tmp_path / "card.png").stat().st_size > 20_000
        bars = next(axis for axis in figure.axes if axis.get_xlabel() == "probability").patches
        assert len(bars) == 3 and sum(bar.get_width() for bar in bars) == pytest.approx(1, abs=1e-5)

    def test_magnitudes_grow_downwards_and_fluxes_upwards(self, model, star):
        batch = collate([FakePhotometer().sample(star)])
        magnitudes = replace(batch, value=25 - 2.5 * np.log10(batch.value), error=np.full_like(batch.error, 0.02),
                             meta={**batch.meta, "unit": ["mag"]})
        for one, downwards in ((batch, False), (magnitudes, True)):
            low, high = model.card(one).axes[0].get_ylim()
            assert (low > high) == downwards

    def test_a_star_without_a_period_or_with_nothing_is_drawn_or_refused(self, model, star):
        assert "no period found" in texts(model.card(star[:3]))
        with pytest.raises(DataError, match="light curves are not translated"):
            model.card(star, to=["wide"])
        star["mask"] = True
        with pytest.raises(DataError, match="light curve has no usable point"):
            model.card(star)
