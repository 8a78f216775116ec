"""The benchmark that compares one trunk with an encoder an instrument, on made-up libraries."""

import sys
from dataclasses import fields
from pathlib import Path

import numpy as np
import pytest
import torch
from astrofm_sky import analytic_stars

for plugin in ("astrofm_apogee", "astrofm_desi", "astrofm_gaia", "astrofm_lamost"):
    pytest.importorskip(plugin, reason="the benchmark looks through all of them")
BENCHMARKS = Path(__file__).resolve().parents[3] / "benchmarks"


@pytest.fixture(scope="module")
def trunk():
    """Import the benchmark, which is no part of a package."""
    before = list(sys.path)
    sys.path.insert(0, str(BENCHMARKS))
    try:
        import trunk
    finally:
        sys.path[:] = before
    return trunk


@pytest.fixture(scope="module")
def run(trunk, tmp_path_factory):
    """Make a folder of a run with a corpus of toy stars, and networks of APOGEE spectra, that need no data."""
    from corpus import GROUPS, Corpus

    folder, random = tmp_path_factory.mktemp("run"), np.random.default_rng(0)
    stars, others = analytic_stars(150, seed=1), analytic_stars(60, seed=2)
    labels = np.stack([stars.labels[name] for name in trunk.LABELS], axis=1)
    labels[120:] = np.nan
    held = np.arange(150) < 15
    group = np.where(np.arange(150) < 120, list(GROUPS).index("miles"), list(GROUPS).index("archetypes"))
    chance = np.where(held, 0.0, 1.0) / (~held).sum()
    corpus = Corpus(stars.wavelength, np.log(stars.flux / np.median(stars.flux, axis=1, keepdims=True)).astype(np.float32),
                    labels, np.full(150, 50.0), group, chance, held, np.array(0.0))
    np.savez(folder / "corpus.npz", **{field.name: getattr(corpus, field.name) for field in fields(Corpus)})
    np.savez(folder / "others.npz", flux=others.flux)
    (folder / "apogee").mkdir()
    np.savez(folder / "apogee" / "NN_normalized_spectra.npz", w_array_0=random.normal(size=(7214, 5, 5)).astype("f4"),
             b_array_0=random.normal(size=(7214, 5)).astype("f4"), b_array_1=np.ones(7214, "f4"),
             w_array_1=random.normal(0, 0.05, (7214, 5)).astype("f4"), x_min=np.array([4000, 3, -2.0, -0.3, 0.0]),
             x_max=np.array([8000, 5, 0.8, 0.5, 45.0]))
    np.savez(folder / "apogee" / "apogee_wavelength.npz", wavelength=np.linspace(15200, 16900, 7214))
    return folder


@pytest.fixture(scope="module")
def stars(trunk, run):
    return trunk.Stars(run, run)


def test_stars_measured_on_are_never_drawn(stars):
    random = np.random.default_rng(0)
    drawn = {key for corpus in (stars.corpus, stars.near) for key in corpus.draw(random, 2000)[0].id}
    assert not drawn & {str(k) for k in np.flatnonzero(stars.corpus.held_out)} and len(drawn) > 100


def test_what_one_instrument_sees_does_not_depend_on_the_others(trunk, stars):
    few, labels = stars.views((0, 3), 12, (trunk.LRS, trunk.SDSS))
    many, same = stars.views((0, 3), 12, trunk.INSTRUMENTS)
    for name in (trunk.LRS, trunk.SDSS):
        assert np.array_equal(few[name][0].value, many[name][0].value)
    assert np.array_equal(labels, same, equal_nan=True)
    infrared, rows = many[trunk.APOGEE]
    assert 0 < len(infrared) == len(rows) < 12 and np.isfinite(labels[rows]).all()


def test_labels_are_learned_from_one_instrument_alone(trunk, stars):
    design = trunk.Design("each-desi", 0)
    losses = trunk.Losses({"each-desi": design}, stars, 12, 0)
    views, labels = stars.views((0, 0), 12, trunk.INSTRUMENTS)
    views = {name: (batch.tensors(), torch.from_numpy(rows)) for name, (batch, rows) in views.items()}
    losses._of(design, views, torch.from_numpy(labels), 0)[1].backward()
    taught = {name for name, encoder in design.parts["encoders"].items() if any(p.grad is not None for p in
                                                                               encoder.parameters())}
    assert taught == {trunk.LRS}


def test_the_benchmark_runs_and_goes_on_where_it_was(trunk, run, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["trunk.py", "--data", str(run), "-o", str(run), "--steps", "2", "--stars", "12",
                                      "--tested", "20"])
    monkeypatch.setattr(torch, "set_float32_matmul_precision", lambda precision: None)  # it would outlive the test

    def retrieved() -> list[str]:
        trunk.main()
        return [line for line in capsys.readouterr().out.splitlines() if " to LAMOST" in line]

    first = retrieved()
    assert sum(" desi " in line for line in first) == 7 and sum(" apogee " in line for line in first) == 4
    monkeypatch.setattr(trunk.Losses, "__call__", lambda *_: pytest.fail("it trains again"))
    assert retrieved() == first
