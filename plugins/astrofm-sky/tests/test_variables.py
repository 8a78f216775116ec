"""Variables have the period, amplitude and shape they are said to have, and are one star whoever looks."""

from pathlib import Path

import numpy as np
import pytest
from astrofm_sky import CLASSES, variable_stars
from astrofm_sky.variables import PARENTS, Span
from astrofm_sky.variables.binaries import darkened_overlap, overlap, true_anomaly
from astrofm_sky.variables.chance import random_walk, slow_walk
from astrofm_sky.variables.fourier import between, evaluate, series
from astrofm_sky.variables.irregular import flare
from astrofm_sky.variables.pulsators import DCEP_ROWS, RRAB_ROWS, RRD_RATIO
from astropy.timeseries import LombScargle

from astrofm.errors import DataError

STRICT = ("RRAB", "RRC", "DCEP", "DCEPS", "CWB", "CWA", "HADS", "ACV")
BINARIES = ("EA", "EB", "EW", "ELL", "EP")


def _times(n, span=600.0, points=700, seed=0):
    return np.sort(np.random.default_rng(seed).uniform(0, span, (n, points)), axis=1)


@pytest.mark.parametrize("name", CLASSES)
def test_every_class_varies_in_its_own_ranges(name):
    stars = variable_stars(40, seed=1, classes=[name])
    one, low, high = CLASSES[name], *CLASSES[name].teff
    assert set(stars.name) == {name} and set(stars.parent) == {one.parent} and one.parent in PARENTS
    assert ((stars.teff >= low * 0.999) & (stars.teff <= high * 1.001)).all() and np.isfinite(stars.bp_rp).all()
    away = stars.offset(_times(40), 6000.0)
    assert np.isfinite(away).all() and (name == "CONST") == (np.ptp(away) == 0)
    assert name == "CONST" or (one.source and ((stars.amplitude > 0) & (stars.amplitude < 9)).all())


@pytest.mark.parametrize("name", [*STRICT, *BINARIES])
def test_regular_stars_repeat_exactly_and_have_their_amplitude(name):
    stars = variable_stars(30, seed=2, classes={name: 1.0})
    if name == "RRAB":
        stars = stars[stars.own["RRAB"][1]["modulation"] == 0]
    period = stars.period[:, None]
    phase = np.linspace(0, 1, 2000)[None]
    first, later = (stars.offset(stars.epoch[:, None] + period * (phase + turns), 5500.0) for turns in (0, 1000))
    np.testing.assert_allclose(first, later, atol=1e-6)
    np.testing.assert_allclose(np.ptp(first, axis=1), stars.amplitude, rtol=0.01)
    extreme = np.argmax(first, axis=1) if name in BINARIES else np.argmin(first, axis=1)
    away = (phase[0, extreme] + 0.5) % 1 - 0.5
    assert (np.abs(away) < 0.01).mean() > 0.9  # epochs are those of greatest light, and of the main eclipse


@pytest.mark.parametrize(("name", "turns", "share"), [
    ("RRAB", (1,), 0.97), ("RRC", (1,), 0.97), ("RRD", (1,), 0.9), ("DCEP", (1,), 0.97), ("CWA", (1,), 0.97),
    ("HADS", (1,), 0.97), ("DSCT", (1,), 0.9), ("GDOR", (1,), 0.9), ("SPB", (1,), 0.9), ("BCEP", (1,), 0.9),
    ("EW", (2,), 0.97), ("EB", (1, 2), 0.9),
    ("ELL", (1, 2), 0.95), ("RV", (1, 2), 0.9), ("M", (1,), 0.9), ("WTTS", (1, 2), 0.8)])
def test_a_periodogram_finds_the_period(name, turns, share):
    stars = variable_stars(40, seed=3, classes=[name])
    cycles = 15 if name in ("M", "RV") else 150
    days = _times(40, 1.0) * cycles * stars.period[:, None]
    noise = 0.05 * stars.amplitude[:, None] * np.random.default_rng(1).standard_normal(days.shape)
    seen = stars.offset(days, 5500.0) + noise
    grid = np.arange(0.3, 2.6, 0.1 / cycles)  # in turns a period
    power = [LombScargle(days[row], seen[row]).power(grid / stars.period[row]) for row in range(40)]
    best = grid[np.argmax(power, axis=1)]
    within = 0.04 if name in ("M", "RV", "WTTS") else 0.5 / cycles
    assert np.any([np.abs(best - turn) < within for turn in turns], axis=0).mean() >= share


def test_double_mode_stars_lie_on_the_petersen_diagram():
    stars = variable_stars(300, seed=4, classes=["RRD"])
    ratio = stars.period / stars.own["RRD"][1]["period_2"]
    assert np.all((ratio > 0.733) & (ratio < 0.752)) and abs(np.median(ratio) - 0.744) < 0.002
    slope = np.polyfit(stars.period, ratio, 1)[0]
    assert slope > 0 and RRD_RATIO[1][0] > RRD_RATIO[1][-1]
    beats = variable_stars(100, seed=4, classes=["DCEP(B)"])
    ratio = beats.own["DCEP(B)"][1]["period_2"] / beats.period
    assert np.all((ratio > 0.685) & (ratio < 0.725))


def test_cepheids_follow_the_hertzsprung_progression():
    period = np.array([5.0, 9.0, 10.3, 14.0])
    amplitude, second, third = between(DCEP_ROWS, period)
    assert np.abs(second).argmin() == 2 and amplitude[1:3].max() < amplitude[[0, 3]].max()
    assert np.angle(second[0]) < np.angle(second[1]) and np.angle(second[3]) < np.angle(second[1])
    light = evaluate(series(second, third), np.broadcast_to(np.linspace(0, 1, 500), (4, 500)))
    np.testing.assert_allclose(np.ptp(light, axis=1), 1, rtol=1e-3)


def test_ab_types_rise_fast_and_c_types_do_not():
    for name, low, high in (("RRAB", 0.08, 0.25), ("RRC", 0.3, 0.55), ("DCEP", 0.15, 0.5)):
        stars = variable_stars(60, seed=5, classes=[name])
        phase = np.linspace(0, 1, 1000, endpoint=False)
        light = -stars.offset(stars.epoch[:, None] + stars.period[:, None] * phase, 5500.0)
        rise = (phase[light.argmax(axis=1)] - phase[light.argmin(axis=1)]) % 1
        assert low < np.median(rise) < high
    assert RRAB_ROWS[0].amplitude > RRAB_ROWS[-1].amplitude


def test_colours_of_variations_are_those_published():
    days = _times(80, 300.0)
    for name, ratio, within in (("RRAB", 0.72, 0.04), ("RRC", 0.71, 0.04), ("DCEP", 0.67, 0.07), ("M", 0.8, 0.15),
                                ("EW", 0.95, 0.05)):
        stars = variable_stars(80, seed=6, classes=[name])
        green, red = (np.ptp(stars.offset(days, wave), axis=1) for wave in (4770.0, 6230.0))
        assert np.median(red / green) == pytest.approx(ratio, abs=within), name


def test_the_same_star_is_the_same_whoever_looks_and_however_often():
    stars = variable_stars(120, seed=7)
    days = _times(120, 300.0, 60)
    whole = stars.at(days, 6000.0)
    np.testing.assert_array_equal(stars.at(days[:, ::-1], 6000.0)[:, ::-1], whole)
    np.testing.assert_array_equal(stars.at(days[:, 20:40], 6000.0), whole[:, 20:40])
    rows = np.array([77, 3, 50, 3])
    np.testing.assert_array_equal(stars[rows].at(days[rows], 6000.0), whole[rows])
    assert stars[rows].id == tuple(stars.id[row] for row in rows) and len(stars[:0]) == 0
    again, other = variable_stars(120, seed=7), variable_stars(120, seed=8)
    np.testing.assert_array_equal(again.at(days, 6000.0), whole)
    assert not np.array_equal(other.period, stars.period)


def test_random_walks_have_the_covariance_they_should():
    n = 4000
    decay, seed = np.full(n, 30.0), np.arange(n, dtype=np.uint64) + np.uint64(5)
    days = np.tile([0.0, 0.01, 1.0, 10.0, 30.0, 60.0], (n, 1)) + np.linspace(0, 700, n)[:, None]
    for walk, within in ((random_walk, 0.05), (slow_walk, 0.06)):
        seen = walk(days, decay, seed)
        expected = np.exp(-(days[0] - days[0, 0]) / 30.0)
        np.testing.assert_allclose((seen * seen[:, :1]).mean(axis=0), expected, atol=within)
        np.testing.assert_allclose(seen.std(axis=0), 1, atol=0.04)
        assert abs(seen.mean()) < 0.05


def test_quasars_vary_as_their_structure_function_says():
    stars = variable_stars(400, seed=1, classes=["QSO"])
    days = np.tile([0.0, 5.0, 8000.0], (400, 1))
    seen = stars.offset(days, 5500.0) / (stars.amplitude[:, None] / 3.29)
    tau = stars.own["QSO"][1]["decay"]
    short = (seen[:, 1] - seen[:, 0]) / np.sqrt(2 * (1 - np.exp(-5 / tau)))
    assert short.std() == pytest.approx(1, abs=0.1) and (seen[:, 2] - seen[:, 0]).std() == pytest.approx(np.sqrt(2), abs=0.15)


def test_eclipses_hide_what_geometry_says():
    assert overlap(np.array([0.0]), np.array([1.0]), np.array([0.5]))[0] == pytest.approx(0.25)
    assert overlap(np.array([2.0]), np.array([1.0]), np.array([0.5]))[0] == 0
    assert overlap(np.array([0.1]), np.array([0.5]), np.array([1.0]))[0] == pytest.approx(1)
    apart = np.linspace(0, 1.2, 7)
    ring = np.sqrt((np.arange(4000) + 0.5) / 4000)  # a disc of many points, each with its light
    angle = 2 * np.pi * np.arange(400) / 400
    x, y = ring[:, None] * np.cos(angle), ring[:, None] * np.sin(angle)
    light = (1 - 0.55 * (1 - np.sqrt(1 - ring**2)))[:, None] * np.ones_like(x)
    direct = [light[(x - d) ** 2 + y**2 < 0.09].sum() / light.sum() for d in apart]
    np.testing.assert_allclose(darkened_overlap(apart, np.array(1.0), np.array(0.3)), direct, atol=0.008)


def test_keplers_equation_is_solved():
    phase, e = np.linspace(-0.5, 0.5, 101), 0.7
    anomaly, distance = true_anomaly(phase, np.array(e))
    eccentric = 2 * np.arctan(np.sqrt((1 - e) / (1 + e)) * np.tan(anomaly / 2))
    np.testing.assert_allclose(eccentric[1:-1] - e * np.sin(eccentric[1:-1]), 2 * np.pi * phase[1:-1], atol=1e-9)
    np.testing.assert_allclose(distance, (1 - e**2) / (1 + e * np.cos(anomaly)), rtol=1e-9)


def test_minima_of_rv_tauri_stars_take_turns():
    stars = variable_stars(60, seed=8, classes=["RV"])
    grid = stars.epoch[:, None] + stars.period[:, None] * np.linspace(0, 20, 4000)
    turn = np.exp(2j * np.pi * np.linspace(0, 20, 4000))
    power = [np.abs((stars.offset(grid, 5500.0) * turn**k).mean(axis=1)) for k in (1, 2)]
    assert np.all(power[1] > power[0]) and np.median(power[0] / power[1]) > 0.1


def test_flares_are_blue_short_and_decay_slowly():
    assert flare(np.array([-1.5, 0.0, 1e3])) == pytest.approx([0, 0.992, 0], abs=0.01)
    half = np.linspace(-1, 3, 4001)
    assert np.ptp(half[flare(half) > 0.5]) == pytest.approx(0.95, abs=0.06)
    stars = variable_stars(30, seed=9, classes=["UV"])
    days = np.tile(np.arange(0, 10, 0.002), (30, 1))
    blue, red = (stars.offset(days, wave).min(axis=1) for wave in (4000.0, 8000.0))
    assert np.median(blue) < -0.3 and (blue < red).all()


def test_spans_stay_inside_and_classes_are_named_right():
    random = np.random.default_rng(0)
    for span in (Span(1, 10), Span(1, 10, 3, 0.2), Span(1, 10, 100, 0.1)):
        drawn = span.draw(random, 2000)
        assert drawn.min() >= 1 and drawn.max() <= 10
    with pytest.raises(DataError, match="no class of variables named 'RRX'; there are RRAB"):
        variable_stars(3, classes=["RRX"])
    for wrong in ([], {"RRAB": -1.0}, {"RRAB": 0.0}):
        with pytest.raises(DataError, match="weights"):
            variable_stars(3, classes=wrong)
    with pytest.raises(DataError, match="expected"):
        variable_stars(3).at(np.zeros((2, 5)), 5500.0)
    mixed = variable_stars(1000, seed=1, classes={"RRAB": 3, "EW": 1})
    assert (mixed.name == "RRAB").mean() == pytest.approx(0.75, abs=0.05)
    assert len(variable_stars(0)) == 0 and variable_stars(0).at(np.zeros((0, 4)), 5500.0).shape == (0, 4)


def test_real_rr_lyrae_look_like_ours(shared_data):
    import gzip

    text = gzip.open(shared_data / "rr-lyrae" / "S82_RRLyr_table2.dat.gz", "rt").read().splitlines()
    names = text[0].lstrip("#").split()
    rows = [dict(zip(names, line.split(), strict=True)) for line in text[1:] if line.strip()]
    days = _times(300, 50.0)
    for kind, name in (("ab", "RRAB"), ("c", "RRC")):
        period, green, red = (np.array([float(row[key]) for row in rows if row["type"] == kind]) for key in ("P", "gA", "rA"))
        stars = variable_stars(300, seed=1, classes=[name])
        ours = [np.ptp(stars.offset(days, wave), axis=1) for wave in (4686.0, 6166.0)]
        assert np.median(stars.period) == pytest.approx(np.median(period), rel=0.05)
        assert np.median(ours[0]) == pytest.approx(np.median(green), rel=0.15)
        assert np.median(ours[1] / ours[0]) == pytest.approx(np.median(red / green), abs=0.03)


def test_every_class_stands_in_the_docs_with_its_source():
    page = Path(__file__).resolve().parents[3] / "docs" / "sky.rst"
    if not page.is_file():
        pytest.skip("the docs are not beside the package")
    text = " ".join(page.read_text().split())
    missing = [one.name for one in CLASSES.values()
               if f"* - {one.name} - {one.title} -" not in text or one.source not in text]
    assert not missing
