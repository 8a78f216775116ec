"""Protocols of the benchmark of variables: no star is learnt and asked, what is known is not measured again."""

import sys
from dataclasses import replace

import numpy as np
import pytest

from astrofm.data import Batch


@pytest.fixture
def bench(benchmarks):
    pytest.importorskip("sklearn")
    import variables

    return variables


def clouds(sizes, seed=0, apart=6.0):
    """Give features and classes of Gaussian clouds."""
    random = np.random.default_rng(seed)
    classes = np.repeat([f"class{k}" for k in range(len(sizes))], sizes)
    centres = apart * np.eye(len(sizes), 4)
    return centres[[int(each[5:]) for each in classes]] + random.normal(size=(len(classes), 4)), classes


def test_folds_answer_every_star_without_having_learnt_it(bench, monkeypatch):
    told, classes = clouds([12, 7, 1])
    told[:, 3] = np.arange(len(told))  # a name for each star
    asked = []

    def cheat(kind, known, own, new, *, names, **options):
        assert not set(known[:, 3]) & set(new[:, 3])
        asked.extend(new[:, 3])
        return np.eye(len(names))[np.zeros(len(new), int)]

    monkeypatch.setattr(bench, "chances", cheat)
    row = bench.folded(told, classes, "forest", repeats=2)
    assert sorted(asked) == sorted(2 * list(range(20)))
    assert row["micro"] == pytest.approx(12 / 20) and row["classes"] == 3 and row["confusions"] == [
        ("class1", "class0", 7), ("class2", "class0", 1)]


@pytest.mark.parametrize("kind", ["forest", "extra-trees", "knn", "mlp", "linear", "extra-trees+linear"])
def test_every_classifier_tells_clouds_apart_and_takes_nan(bench, kind):
    told, classes = clouds([40, 40, 40])
    told[::17, 0], told[5, 1] = np.nan, np.inf
    row = bench.folded(told, classes, kind, repeats=1, trees=40)
    assert row["micro"] > 0.9 and row["macro"] > 0.9


def test_noise_is_told_apart_by_chance_only(bench):
    told, classes = clouds([60, 60], apart=0.0)
    assert bench.folded(told, classes, "forest", repeats=2, trees=60)["micro"] < 0.65
    assert abs(bench.unlike(told, classes, "forest", trees=60)["auroc_distance"] - 0.5) < 0.2


def test_an_unknown_classifier_is_named(bench):
    with pytest.raises(ValueError, match="no classifier 'oracle'"):
        bench.chances("oracle", *clouds([3, 3]), np.zeros((1, 4)))


def test_a_class_left_out_stands_out(bench):
    row = bench.unlike(*clouds([40, 40, 40]), "forest", trees=60)
    assert row["classes"] == 3 and row["auroc_distance"] > 0.9


def test_few_labels_leave_out_classes_that_are_too_small(bench):
    told, classes = clouds([30, 30, 3])
    assert bench.few(told, classes, "knn", 1)["classes"] == 3
    row = bench.few(told, classes, "forest", 5, trees=40)
    assert row["classes"] == 2 and row["micro"] > 0.8
    assert bench.few(told, classes, "knn", 50) == {"classes": 0}


def test_across_sets_only_common_classes_count(bench):
    told, classes = clouds([20, 20, 20])
    other = np.where(classes == "class2", "", np.where(classes == "class1", "class1", "class0"))
    row = bench.across((told, classes), (told + 0.1, other), "linear", 10)
    assert row["stars"] == 40 and row["learnt"] == 40 and row["classes"] == 2 and row["micro"] > 0.9


def test_common_names_of_classes(bench):
    assert bench.common_classes("asas", np.array(["Mira", "LSP", "W_Ursae_Maj"])).tolist() == ["M", "", "EW"]
    assert bench.common_classes("acvs", np.array(["ED", "ECL"]), families=True).tolist() == ["eclipsing", ""]
    assert bench.common_classes("eros", np.array(["Cepheid"]), families=True).tolist() == ["Cepheid"]
    with pytest.raises(ValueError, match="no synonyms of the classes of 'macho'"):
        bench.common_classes("macho", np.array(["Mira"]))


def test_common_names_are_those_of_the_real_sets(bench, shared_data):
    pytest.importorskip("pyarrow")
    from variables_classes import SYNONYMS

    for name in ("asas", "acvs", "hipparcos-ogle"):
        stars = bench.SETS[name](shared_data)
        assert set(SYNONYMS[name]) <= set(stars.classes.tolist())
        assert len(set(stars.batch.meta["id"])) == len(stars) == {"asas": 519, "acvs": 10460, "hipparcos-ogle": 953}[name]


def batch_of(classes, seed):
    random = np.random.default_rng(seed)
    shape = (len(classes), 12)
    level = np.array([int(each[5:]) for each in classes])[:, None]
    value = (level + random.normal(0, 0.1, shape)).astype(np.float32)
    return Batch("robot", np.sort(random.uniform(0, 100, shape), axis=1), value, np.full(shape, 0.1, np.float32),
                 np.zeros(shape, bool), np.zeros(shape, np.int16),
                 {"id": [f"{seed}-{row}" for row in range(len(classes))], "true_class": list(classes),
                  "first_time": [2450000.0] * len(classes)})


def test_transfer_takes_any_embedding_and_shows_it_no_label(bench):
    classes = clouds([30, 30])[1]
    known, new = batch_of(classes, 1), batch_of(classes, 2)
    from variables_transfer import transfer

    rows = transfer(lambda batch: batch.value.mean(1, keepdims=True), known, new, (2, 20), "linear")
    assert [row["labels"] for row in rows] == [2, 20] and rows[1]["micro"] > 0.95
    blind = transfer(lambda batch: np.zeros((len(batch), 1)), known, new, (20,), "linear")
    assert blind[0]["micro"] == pytest.approx(0.5)


def test_weights_that_learned_are_compared_with_the_same_without(bench):
    from astrofm_sky import observe_variables, variable_stars
    from variables_models import fresh, tuned

    from astrofm import load_model

    known, new = (observe_variables(variable_stars(count, seed=seed, classes=["RRAB", "M"], magnitude=(13, 15)), "ztf",
                                    seed=seed)
                  for count, seed in ((40, 1), (20, 2)))
    model = load_model("variable-tiny")
    before, blank = model.embed(new), fresh(model)
    assert not np.allclose(blank.embed(new), before, atol=0.1) and not blank.heads
    row, = tuned(model, known, new, [12], "fine-tuned")
    assert row["labels"] == 12 and row["stars"] == 20 and row["micro"] >= 0.9
    np.testing.assert_array_equal(model.embed(new), before)


def test_a_model_s_own_classes_are_compared_under_common_names(bench):
    from astrofm_sky import observe_variables, variable_stars
    from variables_models import as_it_is, posed

    from astrofm import load_model

    stars = variable_stars(24, seed=3, classes=["RRAB", "CWB", "HADS"], magnitude=(13, 15))
    batch = observe_variables(stars, "ztf", seed=3)
    names = {"CWB": "CW", "HADS": "DSCT"}
    truth = np.array([names.get(one, one) for one in batch.meta["true_class"]])
    truth[0] = ""
    row = as_it_is(load_model("variable-tiny"), batch, truth)
    assert row["stars"] == 23 and row["classes"] == 3 and row["micro"] > 0.6 and row["inside"] > 0.6 and row["set_size"] >= 1
    assert (posed(batch, "kepler:").instrument, set(posed(batch, "kepler:").band[~batch.mask])) == ("kepler", {0})
    with pytest.raises(SystemExit, match="ztf has no band 'x'"):
        posed(batch, "ztf:x")


def test_rows_are_measured_once_and_kept(bench, tmp_path):
    calls = []
    for _ in range(2):
        row = bench.Rows(tmp_path / "rows.json").row("folds", "asas", make=lambda: calls.append(1) or {"micro": 0.5})
    assert row["micro"] == 0.5 and len(calls) == 1


def test_what_was_read_is_kept_for_the_same_stars_only(bench, tmp_path):
    batch, calls = batch_of(["class0"] * 5, 3), []

    def reader(part, bands):
        assert bands == 1
        calls.append(len(part))
        return part.value[:, :2]

    for _ in range(2):
        told = bench.told_of(batch, reader, tmp_path / "told" / "a.npz", size=2)
    assert calls == [2, 2, 1] and (told == batch.value[:, :2]).all()
    other = replace(batch, meta={**batch.meta, "id": list("vwxyz")})
    with pytest.raises(ValueError, match="is of other stars"):
        bench.told_of(other, reader, tmp_path / "told" / "a.npz")


def test_bands_are_read_one_by_one_with_their_colour(bench):
    from variables_readers import each_band

    batch = batch_of(["class3", "class3"], 4)
    band = np.tile(np.arange(12) % 2, (2, 1)).astype(np.int16)
    value = np.where(band == 1, batch.value + 2, batch.value)
    mask = batch.mask.copy()
    mask[1, band[1] == 1] = True
    told = each_band(replace(batch, band=band, value=value, mask=mask), 2, lambda t, y, e: np.array([len(t), y.mean()]), 2,
                     least=3)
    assert told.shape == (2, 5) and told[0] == pytest.approx([6, 3, 6, 5, 2], abs=0.3)
    assert told[1, :2] == pytest.approx([6, 3], abs=0.3) and np.isnan(told[1, 2:]).all()


def test_nothing_to_measure_is_said(bench, tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "argv", ["variables.py"])
    with pytest.raises(SystemExit, match="say --peer"):
        bench.main(["--data", str(tmp_path), "-o", str(tmp_path / "run")])
