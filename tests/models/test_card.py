"""The card of a star shows what the model says, and refuses what it can't show."""

import numpy as np
import pytest

import astrofm
from astrofm.cli import main
from astrofm.errors import DataError

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
