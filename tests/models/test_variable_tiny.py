"""The shipped model of variable stars: surveys that look alike to it, and whom it finds alike."""

from pathlib import Path

import numpy as np
import pytest
from astropy import units as u

import astrofm
from astrofm.cli import main
from astrofm.models import load_model

WEIGHTS = Path(astrofm.__file__).parent / "models" / "weights" / "variable-tiny.safetensors"
pytestmark = pytest.mark.skipif(not WEIGHTS.exists(), reason="the weights of variable-tiny are not in this checkout")


def test_it_is_small_and_says_what_it_learned_from():
    model = load_model("variable-tiny")
    assert WEIGHTS.stat().st_size < 8e6
    assert {"name": "variable-stars"}.items() <= model.about["provenance"]["recipe"]["objective"].items()
    assert "simulated" in model.about["notes"]


def test_a_star_is_found_in_another_survey():
    sky = pytest.importorskip("astrofm_sky")
    for name in ("astrofm_ztf", "astrofm_gaia"):
        pytest.importorskip(name)
    stars = sky.variable_stars(60, seed=4711, classes=["RRAB", "DCEP", "EA", "EW", "M", "DSCT"], magnitude=(13.5, 15.5))
    seen = sky.variable_pairs(stars, ["ztf", "gaia-epoch"], seed=1)
    encoder = load_model("variable-tiny").encoder
    first, second = (encoder.embed(batch).detach().numpy() for batch in seen.values())
    first, second = (x / np.linalg.norm(x, axis=1, keepdims=True) for x in (first, second))
    order = (first @ second.T).argsort(axis=1)[:, ::-1]
    assert np.mean((order[:, :10] == np.arange(60)[:, None]).any(axis=1)) > 0.6  # one in six by chance
    assert np.mean(stars.name[order[:, 0]] == stars.name) > 0.6


@pytest.mark.parametrize("level", [0.0, -100.0])
def test_a_light_curve_of_negative_median_flux_gets_its_period_and_a_flag(level):
    pytest.importorskip("astrofm_tess")
    random = np.random.default_rng(0)
    days = np.sort(random.uniform(0, 27, 500))
    flux = level + 20 * np.sin(2 * np.pi * days / 0.6) + random.normal(0, 5, 500)
    star = astrofm.light_curve({"t": 58300 + days, "f": flux}, time="t", flux="f", error=5 * u.one, format="mjd", scale="tdb",
                               instrument="tess")
    model = load_model("variable-tiny")
    row, told = model.predict(star)[0], model.classify(star)[0]
    assert abs(row["period"].value - 0.6) < 0.002 and np.isfinite(row["amplitude"].value)
    assert told["variable_class"] and np.isfinite(model.embed(star)).all()
    assert {"negative-flux", "low-snr"} <= set(row["flags"].split(",")) & set(told["flags"].split(","))


def test_its_card_is_shown_in_short_lines(capsys):
    assert main(["show", "variable-tiny"]) == 0
    told = capsys.readouterr().out
    count = len(load_model("variable-tiny").about["provenance"]["extras"])
    assert f"{count} entries, std to" in told and "in full: astrofm show variable-tiny --json" in told
    assert max(map(len, told.splitlines())) <= 130 and len(told) < 4000
