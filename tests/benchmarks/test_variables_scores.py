"""Scores of classes are what their definitions say; folds lose and repeat no star."""

import numpy as np
import pytest


@pytest.fixture
def scoring(benchmarks):
    import variables_scores

    return variables_scores


def test_every_star_is_in_one_fold_and_classes_are_spread(scoring):
    classes = np.repeat(["a", "b", "c", "d"], [50, 13, 3, 1])
    folds = scoring.stratified_folds(classes, 5, seed=3)
    for name, most in (("a", 10), ("b", 3), ("c", 1), ("d", 1)):
        counts = np.bincount(folds[classes == name], minlength=5)
        assert counts.sum() == (classes == name).sum() and counts.max() == most
    assert np.ptp(np.bincount(folds)) <= 1
    assert (folds == scoring.stratified_folds(classes, 5, seed=3)).all()
    assert (folds != scoring.stratified_folds(classes, 5, seed=4)).any()


def test_more_folds_than_stars_are_refused(scoring):
    with pytest.raises(ValueError, match="3 stars cannot be dealt to 5 folds"):
        scoring.stratified_folds(np.array(["a", "b", "c"]), 5)


def test_f1_of_each_class_by_hand(scoring):
    truth = np.array(["a", "a", "a", "b", "b", "c"])
    answer = np.array(["a", "a", "b", "b", "b", "b"])
    assert scoring.f1_scores(truth, answer) == pytest.approx({"a": 0.8, "b": 2 / 3, "c": 0.0})
    assert scoring.macro_f1(truth, answer) == pytest.approx((0.8 + 2 / 3) / 3)
    assert scoring.micro_f1(truth, answer) == pytest.approx(4 / 6)


def test_scores_agree_with_scikit_learn(scoring):
    metrics = pytest.importorskip("sklearn.metrics")
    random = np.random.default_rng(0)
    truth = random.choice(["a", "b", "c", "d"], 300, p=[0.6, 0.2, 0.15, 0.05])
    noise = random.random((300, 4)) + 0.8 * (truth[:, None] == np.array(["a", "b", "c", "d"]))
    chances = noise / noise.sum(1, keepdims=True)
    answer = np.array(["a", "b", "c", "d"])[chances.argmax(1)]
    found = scoring.scores(truth, chances, ["a", "b", "c", "d"])
    assert found.micro == pytest.approx(metrics.f1_score(truth, answer, average="micro"))
    assert found.macro == pytest.approx(metrics.f1_score(truth, answer, average="macro"))
    assert found.log_loss == pytest.approx(metrics.log_loss(truth, chances, labels=["a", "b", "c", "d"]))
    score = np.round(chances[:, 0], 1)
    assert scoring.auroc(score, truth == "a") == pytest.approx(metrics.roc_auc_score(truth == "a", score))


def test_auroc_of_one_kind_only_is_not_a_number(scoring):
    assert np.isnan(scoring.auroc(np.arange(3.0), np.ones(3, bool)))


def test_a_class_that_was_never_learnt_counts_as_an_error(scoring):
    chances = np.array([[0.9, 0.1], [0.2, 0.8]])
    assert scoring.log_loss(np.array(["a", "z"]), chances, ["a", "b"], floor=1e-3) == pytest.approx(
        -(np.log(0.9) + np.log(1e-3)) / 2)
    assert scoring.coverage(np.array(["a", "z"]), chances > 0.05, ["a", "b"]) == (0.5, 2.0)


def test_calibration_error_is_the_gap_between_what_is_said_and_what_is_right(scoring):
    chances = np.tile([[0.8, 0.2]], (10, 1))
    truth = np.array(["a"] * 8 + ["b"] * 2)
    assert scoring.calibration_error(truth, chances, ["a", "b"]) == pytest.approx(0.0, abs=1e-12)
    assert scoring.calibration_error(np.array(["b"] * 10), chances, ["a", "b"]) == pytest.approx(0.8)


def test_unsorted_names_and_sums_other_than_one_are_refused(scoring):
    with pytest.raises(ValueError, match="sorted"):
        scoring.places(np.array(["a"]), ["b", "a"])
    with pytest.raises(ValueError, match="add up to 1"):
        scoring.scores(np.array(["a", "b"]), np.ones((2, 2)), ["a", "b"])
    with pytest.raises(ValueError, match=r"expected \(2, 2\)"):
        scoring.scores(np.array(["a", "b"]), np.ones((2, 3)) / 3, ["a", "b"])


def test_few_of_each_draws_so_many_and_no_more_than_there_are(scoring):
    classes = np.repeat(["a", "b"], [20, 2])
    rows = scoring.few_of_each(classes, 5, seed=1)
    assert len(rows) == len(set(rows)) == 7 and (classes[rows] == "b").sum() == 2


def test_confusions_count_errors_only(scoring):
    truth, answer = np.array(["a", "a", "a", "b"]), np.array(["b", "b", "a", "a"])
    assert scoring.confusions(truth, answer) == [("a", "b", 2), ("b", "a", 1)]
