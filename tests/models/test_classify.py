"""Classes come with what is above them, with sets that hold the right one as often as said, and with strangers told apart."""

import json
import sys

import numpy as np
import pytest
import torch
from astropy import units as u
from astropy.table import MaskedColumn, QTable, Table

from astrofm.errors import DataError, UnknownNameError
from astrofm.interfaces import Label
from astrofm.models import Model, conformal
from astrofm.models.fit import ADAPTING
from astrofm.nn.plain import PlainAligner
from astrofm.nn.points import PointEncoder
from astrofm.testing import FakePhotometer

CENTRES = {"rrab": (0.0, 0.0), "rrc": (1.6, 0.0), "ea": (0.0, 3.0), "mira": (4.0, 4.0)}
PARENTS = {"rrab": "rrlyr", "rrc": "rrlyr", "rrlyr": "pulsating", "mira": "pulsating", "ea": "eclipsing"}
METHODS = ["head", "probe", "forest", "lora", "full"]


def within(part, expected, n, sigmas=3.5):
    return abs(part - expected) < sigmas * np.sqrt(expected * (1 - expected) / n) + 1 / n


@pytest.fixture
def sky(instruments):
    """Give a function that makes n stars, whose spectra say nothing and whose two numbers beside them tell their class."""
    def make(n, seed, rare=6):
        random = np.random.default_rng(seed)
        names = random.choice(["rrab", "rrc", "ea"], n, p=[0.5, 0.2, 0.3])
        names[:rare] = "mira"
        place = np.array([CENTRES[one] for one in names]) + random.normal(size=(n, 2))
        instrument = instruments["coarse"]
        shape = (n, len(instrument.wavelength()))
        batch = instrument.batch((1 + 0.02 * random.normal(size=shape)).astype("f4"), np.full(shape, 0.02, "f4"),
                                 np.zeros(shape, bool), {"id": [f"star-{seed}-{k}" for k in range(n)]})
        table = QTable({"id": batch.meta["id"], "period": place[:, 0] * u.d, "skew": place[:, 1]})
        return batch, table, Table({"kind": names})
    return make


def fitted(model, sky, n=400, **options):
    if options.get("method") == "forest":
        pytest.importorskip("sklearn")
    batch, extras, labels = sky(n, 0)
    return model.fit(batch, labels, extras=extras, parents=PARENTS, **options)


@pytest.mark.parametrize("method", METHODS)
def test_sets_hold_the_right_class_as_often_as_is_said(method, model, sky):
    made = fitted(model, sky, method=method)
    batch, extras, labels = sky(500, 1, rare=0)
    truth = np.asarray(labels["kind"])
    for coverage in (0.8, 0.9, 0.97):
        table = made.classify(batch, coverage=coverage, extras=extras)
        inside = np.array([one in has.split(",") for one, has in zip(truth, table["kind_set"], strict=True)])
        # thresholds vary, too, of 400 stars or of the fifth that is kept; the most probable class is never left out
        known = 80 if method in ADAPTING else 400
        assert inside.mean() > coverage - 3.5 * np.sqrt(coverage * (1 - coverage) * (1 / 500 + 1 / known))
        assert [len(has.split(",")) for has in table["kind_set"]] == table["kind_set_size"].tolist()
        assert all(has.split(",")[0] == best for has, best in zip(table["kind_set"], table["kind_1"], strict=True))
    assert table.meta["coverage"] == 0.97 and table["id"].tolist() == batch.meta["id"]


def test_fine_tuning_takes_three_stars(model, sky):
    batch, extras, labels = sky(30, 0)
    with pytest.raises(DataError, match="all rows are of 2 stars"):
        model.fit(batch, labels, extras=extras, method="lora", stars=["one", "two"] * 15)


def test_sets_of_any_probabilities_cover_each_class_exactly():
    random = np.random.default_rng(1)
    classes = ("a", "b", "c", "d")

    def stars(n):
        truth = random.choice(4, n, p=[0.5, 0.3, 0.195, 0.005])
        return random.dirichlet(np.ones(4), n) * 0.7 + 0.3 * np.eye(4)[random.permuted(truth)], truth

    sets = conformal.measure_sets(*stars(3000), classes)
    assert set(sets["classes"]) == {"a", "b", "c"} and len(sets["every"]["scores"]) == conformal.KEPT
    chance, truth = stars(6000)
    inside = conformal.members(sets, chance, classes, 0.9)[np.arange(6000), truth]
    for k in range(3):
        n = np.sum(truth == k)
        assert within(inside[truth == k].mean(), 0.9, min(n, sets["classes"][classes[k]]["stars"]))


def test_the_threshold_of_few_stars_is_that_of_the_theory():
    kept = conformal.keep(np.arange(9.0))
    assert conformal.threshold(kept, 0.9) == 8 and conformal.threshold(kept, 0.5) == 4
    assert conformal.threshold(kept, 0.95) == np.inf
    np.testing.assert_allclose(conformal.p_value(kept, np.array([-1.0, 0.0, 7.5, 9.0, np.nan])), [1, 1, 0.2, 0.1, np.nan])
    many = np.random.default_rng(0).normal(size=5003)
    exact = np.sort(many)[int(np.ceil(5004 * 0.9)) - 1]
    assert exact <= conformal.threshold(conformal.keep(many), 0.9) <= np.quantile(many, 0.906)
    assert conformal.p_value(conformal.keep(many), np.array([exact]))[0] >= 0.1 - 1e-3


def test_probabilities_are_right_on_average(model, sky):
    batch, extras, labels = sky(800, 2, rare=0)
    table = fitted(model, sky).classify(batch, extras=extras, false_alarm=0)
    chance = np.asarray(table["kind_probability"], float)
    right = np.asarray(table["kind"]) == np.asarray(labels["kind"])
    assert abs(chance.mean() - right.mean()) < 3.5 * np.sqrt(np.mean(chance * (1 - chance)) * (1 / 800 + 1 / 400))
    twice = conformal.tempered(np.array([[0.6, 0.3, 0.1]]), 0.5)
    np.testing.assert_allclose(twice, np.array([[0.36, 0.09, 0.01]]) / 0.46)


def test_what_is_above_a_class_has_the_sum_of_what_is_below(model, sky):
    batch, extras, _ = sky(60, 3)
    made = fitted(model, sky)
    table, plain = made.classify(batch, extras=extras, false_alarm=0), made.predict(batch, extras=extras)
    chance = {one: np.asarray(plain[f"kind_probability_{one}"], float) for one in CENTRES}
    assert table["kind"].tolist() == plain["kind"].tolist()
    np.testing.assert_allclose(sum(chance.values()), 1, atol=1e-5)
    for row, one in enumerate(table["kind"]):
        below = {"rrab": ["rrab", "rrc"], "rrc": ["rrab", "rrc"], "ea": ["ea"], "mira": ["rrab", "rrc", "mira"]}[one]
        assert table["kind_parent"][row] == PARENTS[one]
        assert table["kind_parent_probability"][row] == pytest.approx(sum(chance[name][row] for name in below), abs=1e-5)
        two = PARENTS.get(PARENTS[one], "")
        assert table["kind_parent_2"][row] == two
        assert np.isnan(table["kind_parent_2_probability"][row]) == (two == "")
    assert {"rrlyr", "eclipsing"} <= set(table["kind_parent"])
    other = made.classify(batch, extras=extras, parents={one: "all" for one in CENTRES}, false_alarm=0)
    np.testing.assert_allclose(other["kind_parent_probability"], 1, atol=1e-5)


@pytest.mark.parametrize("method", METHODS)
def test_a_fitted_model_is_saved_whole(method, model, sky, tmp_path):
    keep = [] if method in ADAPTING else ["atmosphere"]
    made = fitted(model, sky, n=120, method=method, keep=keep)
    again = Model.load(made.save(tmp_path / "made.safetensors"))
    batch, extras, _ = sky(20, 4)
    one, two = made.classify(batch, extras=extras), again.classify(batch, extras=extras)
    assert one.colnames == two.colnames and again.about["labels"][-1]["parents"] == PARENTS
    for name in one.colnames:
        np.testing.assert_array_equal(one[name], two[name], err_msg=name)
    assert ("teff" in again.predict(batch, extras=extras).colnames) == bool(keep) and "teff" not in one.colnames
    assert "spectral_type" not in one.colnames, "a head that is not kept is not asked"


def test_forests_keep_their_thresholds_when_weights_are_halved(model, sky, tmp_path):
    made = fitted(model, sky, n=120, method="forest")
    batch, extras, _ = sky(20, 4)
    half = Model.load(made.save(tmp_path / "half.safetensors", dtype="float16"))
    assert torch.equal(half.heads["kind"].threshold, made.heads["kind"].threshold)
    assert torch.equal(half.distances["kind"].whitening, made.distances["kind"].whitening)


def test_strangers_are_unknown_and_known_stars_are_so_as_seldom_as_is_said(model, sky):
    made = fitted(model, sky, n=600)
    batch, extras, _ = sky(1000, 5, rare=0)
    for alarm in (0.01, 0.1):
        part = np.mean(made.classify(batch, extras=extras, false_alarm=alarm)["kind"] == "unknown")
        assert within(part, alarm, 300)
    extras["period"], extras["skew"] = 500 * u.d, -300.0
    table = made.classify(batch[:50], extras=extras[:50])
    assert set(table["kind"]) == {"unknown"} and set(table["kind_parent"]) == {""}
    assert np.isnan(table["kind_probability"]).all() and (table["kind_p_value"] < 0.01).all()
    assert all("unknown:kind" in flags for flags in table["flags"]) and (table["kind_1"] != "").all()
    assert all("unknown:kind" in flags for flags in made.predict(batch[:5], extras=extras[:50])["flags"])
    assert "unknown" not in set(made.classify(batch[:50], extras=extras[:50], false_alarm=0)["kind"])


def test_numbers_that_are_missing_hurt_nobody(model, sky):
    made = fitted(model, sky)
    batch, extras, _ = sky(20, 6)
    extras["skew"] = MaskedColumn(extras["skew"], mask=np.arange(20) < 10)
    table = made.classify(batch, extras=extras)
    assert (table["kind"] != "").all() and not any("missing" in flags for flags in table["flags"])
    assert [extra.name for extra in made.heads["kind"].extras] == ["period", "skew"]
    assert made.heads["kind"].extras[0].unit == "d"
    hours = QTable({"id": extras["id"], "period": extras["period"].to(u.h), "skew": extras["skew"]})
    other = made.classify(batch, extras=hours)
    np.testing.assert_allclose(other["kind_1_probability"], table["kind_1_probability"], rtol=1e-4)
    with pytest.raises(DataError, match="reads 'period'"):
        made.classify(batch)


def test_what_the_encoder_measures_is_read_beside_a_table():
    fake = FakePhotometer()
    stars = [fake.sample(fake.example(k)) for k in range(30)]
    torch.manual_seed(0)
    model = Model(PointEncoder(dim=8, depth=1, heads=2, hidden=16), PlainAligner(dim=8), {}, card={"name": "small"})
    labels = Table({"kind": ["a", "b", "c"] * 10})
    made = model.fit(stars, labels, method="probe", extras=["amplitude", {"period": np.arange(30.0) % 3}])
    assert [(extra.name, extra.measured) for extra in made.heads["kind"].extras] == [("amplitude", True), ("period", False)]
    table = made.classify(stars, extras={"period": np.arange(30.0) % 3}, false_alarm=0)
    assert np.mean(np.asarray(table["kind"]) == labels["kind"]) > 0.9, "the period says it all"
    with pytest.raises(UnknownNameError, match="measures no 'magic'; it measures amplitude"):
        model.fit(stars, labels, extras=["magic"])
    with pytest.raises(DataError, match="'amplitude' is given twice"):
        model.fit(stars, labels, extras=["amplitude", {"amplitude": np.ones(30)}])


def test_a_star_without_a_pixel_is_left_blank(model, sky):
    made = fitted(model, sky, n=120)
    batch, extras, _ = sky(4, 7)
    batch.mask[1] = True
    table = made.classify(batch, extras=extras)
    assert table["kind"][1] == "" == table["kind_set"][1] and table["kind_set_size"][1] == -1
    assert np.isnan(table["kind_1_probability"][1]) and "no-usable-pixel" in table["flags"][1]
    assert (table["kind"][[0, 2, 3]] != "").all()


def test_how_common_classes_are_can_be_said(model, sky):
    batch, extras, _ = sky(200, 8)
    said = {"rrab": 0.05, "rrc": 0.05, "ea": 0.85, "mira": 0.05}
    parts = {str(prior): np.mean(fitted(model, sky, method="probe", prior=prior).classify(
        batch, extras=extras, false_alarm=0)["kind"] == "ea") for prior in ("table", "even", said)}
    assert parts[str(said)] > parts["table"]
    with pytest.raises(DataError, match="prior lacks class 'ea'"):
        fitted(model, sky, prior={"rrab": 1})
    with pytest.raises(DataError, match="'table', 'even'"):
        fitted(model, sky, prior="flat")


def test_how_common_classes_are_can_be_said_when_stars_are_asked(model, sky):
    batch, extras, _ = sky(300, 2, rare=0)
    prior = {"rrab": 0.1, "rrc": 0.7}
    told = fitted(model, sky, n=2000, method="probe", prior={**prior, "ea": 0.15, "mira": 0.05}).predict(batch, extras=extras)
    made = fitted(model, sky, n=2000, method="probe", prior="even")
    plain, asked = made.classify(batch, extras=extras), made.classify(batch, extras=extras, prior=prior)
    same = made.classify(batch, extras=extras, prior={"rrab": 0.25})
    np.testing.assert_allclose(same["kind_1_probability"], plain["kind_1_probability"], atol=1e-6)
    agree = np.asarray(asked["kind_1"]) == np.asarray(told["kind"])
    assert agree.mean() > 0.95 and np.mean(asked["kind_1"] == "rrc") > np.mean(plain["kind_1"] == "rrc")
    extra = [set(a.split(",")) - set(b.split(",")) for a, b in zip(asked["kind_set"], plain["kind_set"], strict=True)]
    assert all(len(more) <= 1 for more in extra), "sets hold what they held, and the most probable"
    assert asked.meta["prior"] == str(prior) or asked.meta["prior"] == prior
    for wrong, message in (({"cow": 0.1}, "names class 'cow'"), ({"ea": -1}, "a number above 0"),
                           ({"ea": 1.0}, "leaves none for the other classes"), ({"ea": np.nan}, "a number above 0"),
                           ({"ea": "some"}, "gives 'some' of the stars to ea"), ("even", "not 'even'")):
        for stars in (batch, [batch[:1], batch[1:]], []):  # said at once, and not of each star
            with pytest.raises(DataError, match=message):
                made.classify(stars, extras=extras, prior=wrong)
    with pytest.raises(DataError, match="above none of the model's"):
        made.classify(batch, extras=extras, parents={"cow": "mammal"})


def test_classes_too_rare_for_a_coverage_share_a_threshold_of_their_own():
    random = np.random.default_rng(3)
    truth = np.repeat([0, 1, 2], [1000, 25, 24])  # 0.97 takes 33 stars: the last two have them together
    chance = np.where(np.eye(3)[truth] > 0, random.uniform(0.8, 1, (1049, 1)), 0.1)
    chance[truth > 0] = np.where(np.eye(3)[truth[truth > 0]] > 0, random.uniform(0.1, 0.4, (49, 1)), 0.3)
    sets = conformal.measure_sets(chance, truth, ("a", "b", "c"))
    inside = conformal.members(sets, chance, ("a", "b", "c"), 0.97)[np.arange(1049), truth]
    assert inside[truth == 0].mean() >= 0.97 and inside[truth > 0].mean() >= 0.97
    assert not conformal.members(sets, np.array([[0.1, 0.8, 0.1]]), ("a", "b", "c"), 0.97)[0, 0]
    many = conformal.measure_sets(np.tile(chance, (5, 1)), np.tile(truth, 5), ("a", "b", "c"))  # of these not all are kept
    inside = conformal.members(many, chance, ("a", "b", "c"), 0.995)[np.arange(1049), truth]
    assert inside[truth > 0].mean() >= 0.99


def test_classes_and_numbers_are_learned_of_one_table(model, sky):
    batch, extras, labels = sky(150, 9)
    labels["teff"] = np.random.default_rng(0).uniform(4000, 8000, 150) * u.K
    labels["kind"] = MaskedColumn(labels["kind"], mask=np.arange(150) < 20)
    labels["kind"][30] = ""
    made = model.fit(batch, labels, extras=extras)
    assert {"kind", "teff"} <= set(made.predict(batch, extras=extras).colnames)
    assert sum(made.about["provenance"]["classes"]["kind"]["counts"].values()) == 129
    with pytest.raises(DataError, match="a forest learns classes, and label 'teff'"):
        model.fit(batch, labels, method="forest")
    with pytest.raises(DataError, match="learns one column of classes, or numbers"):
        model.fit(batch, labels, method="lora")


def test_all_rows_of_a_star_are_left_out_together():
    from astrofm.models.class_stars import folds_of

    keys = [str(k // 4) for k in range(200)]
    fold = folds_of(keys, np.arange(200) // 4 % 2, 0)
    assert all(len(set(fold[at: at + 4])) == 1 for at in range(0, 200, 4))
    for kind in (0, 1):  # each class is in each fold
        assert np.bincount(fold[np.arange(200) // 4 % 2 == kind], minlength=5).tolist() == [20] * 5


def test_a_forest_of_repeated_stars_is_measured_on_stars_left_out(model, sky):
    made = fitted(model, sky, n=120, method="forest", stars=[k // 2 for k in range(120)])
    assert made.about["provenance"]["classes"]["kind"]["how"] == "5-fold"


@pytest.mark.parametrize("kind", ["ExtraTreesClassifier", "RandomForestClassifier"])
def test_a_forest_reads_what_scikit_learn_reads(kind):
    ensemble = pytest.importorskip("sklearn.ensemble")
    from astrofm.models.trees import as_head

    random = np.random.default_rng(0)
    x, y = random.normal(size=(400, 7)).astype(np.float32), random.choice([0, 1, 3, 4], 400)
    x[:, 2] += y
    x[::3, 4] = 0.1  # numbers that lie on thresholds
    forest = getattr(ensemble, kind)(50, random_state=0, bootstrap=True, class_weight="balanced").fit(x, y)
    head = as_head(forest, np.zeros(7), {"dim": 5, "extras": [{"name": "a"}, {"name": "b"}], "label": "kind",
                                         "classes": ["p", "q", "r", "s", "t"]})
    new = np.concatenate([x, random.normal(size=(3000, 7)).astype(np.float32)])
    found = head.read(torch.from_numpy(new))["kind_probability"].numpy()
    np.testing.assert_allclose(found[:, [0, 1, 3, 4]], forest.predict_proba(new), atol=1e-6)
    assert not found[:, 2].any() and len(head.leaf) < len(head.feature)
    new[5, 6] = np.nan
    filled = np.where(np.isnan(new), 0, new)
    np.testing.assert_allclose(head.read(torch.from_numpy(new))["kind_probability"].numpy()[5, [0, 1, 3, 4]],
                               forest.predict_proba(filled)[5], atol=1e-6)


def test_a_forest_is_read_without_scikit_learn(model, sky, tmp_path, monkeypatch):
    path = fitted(model, sky, n=120, method="forest").save(tmp_path / "made.safetensors")
    monkeypatch.setitem(sys.modules, "sklearn.ensemble", None)
    batch, extras, _ = sky(10, 10)
    assert (Model.load(path).classify(batch, extras=extras)["kind_1"] != "").all()
    with pytest.raises(DataError, match=r"astrofm\[variables\]"):
        model.fit(sky(60, 1)[0], sky(60, 1)[2], method="forest")


@pytest.mark.parametrize(("names", "message"), [
    (["a"] * 30, "1 classes, 'a'"), ([""] * 30, "0 classes"), (["a", "b"] * 9 + [""] * 12, "20 are the least"),
    (["a", "unknown"] * 15, "strangers"), (["a,b", "c"] * 15, "commas"),
    (np.array([object(), "b"] * 15, object), "neither a class's name"), (["a", "b"] * 5, "10 rows of labels")])
def test_columns_that_are_no_classes_are_refused(names, message, model, sky):
    with pytest.raises(DataError, match=message):
        model.fit(sky(30, 0)[0], Table({"kind": names}))


def test_wrong_questions_are_refused(model, sky):
    batch, extras, labels = sky(60, 0)
    for options, message in (({"coverage": 1.5}, "coverage is 1.5"), ({"false_alarm": -1}, "false_alarm is -1"),
                             ({"parents": {"nobody": "x"}}, "above none of"), ({"parents": {"A": "B", "B": "A"}}, "circle")):
        with pytest.raises(DataError, match=message):
            model.classify(batch, **options)
    for options, message in (({"smoothing": 2}, "smoothing is 2"), ({"parents": {"x": "y"}}, "above none of"),
                             ({"extras": 3}, "extras are a table"), ({"extras": {"kind": ["a"] * 60}}, "holds no numbers"),
                             ({"extras": extras[:9]["period", "skew"]}, "9 rows")):
        with pytest.raises(DataError, match=message):
            model.fit(batch, labels, **options)
    with pytest.raises(UnknownNameError, match="measures no 'amplitude': give it to the head from outside"):
        model.fit(batch, labels, extras=["amplitude"])
    for method in ("lora", "full"):
        with pytest.raises(DataError, match="one column of classes, or numbers: choose 'kind' alone"):
            model.fit(batch, Table({"kind": labels["kind"], "teff": np.linspace(4000, 5000, 60)}), method=method)
    with pytest.raises(DataError, match="`prior` is for labels that are classes"):
        model.fit(batch, Table({"teff": np.linspace(4000, 5000, 60)}), prior="even")
    with pytest.raises(ValueError, match="neither a class nor above one"):
        Label("kind", classes=("a", "b"), parents={"c": "d"})


def test_a_model_without_classes_says_which_have_some(model, sky):
    plain = Model(model.encoder, model.aligner, {"atmosphere": model.heads["atmosphere"]}, card={"name": "plain"})
    with pytest.raises(DataError, match=r"no head of classes \(it reads teff, logg\).*stellar-tiny \(spectral_type\)"):
        plain.classify(sky(3, 0)[0])


def test_a_model_that_was_never_measured_says_so_and_calibrate_measures_it(model, sky):
    batch, _, _ = sky(300, 0)
    table = model.classify(batch)
    assert all("uncalibrated:spectral_type" in flags for flags in table["flags"])
    assert np.isnan(table["spectral_type_p_value"]).all() and "unknown" not in set(table["spectral_type"])
    random = np.random.default_rng(0)
    truth = random.choice(["A", "F", "G"], 300, p=[0.1, 0.2, 0.7])
    measured = model.calibrate(batch[:200], Table({"spectral_type": truth[:200]}))
    after = measured.classify(batch[200:])
    assert not any("uncalibrated" in flags for flags in after["flags"]) and np.isfinite(after["spectral_type_p_value"]).all()
    inside = np.mean([one in has.split(",") for one, has in zip(truth[200:], after["spectral_type_set"], strict=True)])
    assert inside > 0.9 - 3.5 * np.sqrt(0.09 / 60)
    with pytest.raises(DataError, match="has no class 'a'. Did you mean 'A'"):
        model.calibrate(batch[:30], Table({"spectral_type": ["a", "F"] * 15}))
    with pytest.raises(DataError, match="no label 'kind' that is a class"):
        model.calibrate(batch[:30], Table({"kind": ["a", "F"] * 15}))
    with pytest.raises(DataError, match="10 stars of 'coarse'"):
        model.calibrate(batch[:10], Table({"spectral_type": ["A", "F"] * 5}))


def test_an_altered_calibration_is_refused(model, sky, tmp_path):
    from astrofm.errors import ModelFileError
    from astrofm.models.card_text import check_card

    made = fitted(model, sky, n=60, method="probe")
    for change in ({"temperature": "hot"}, {"sets": {}}, {"distance": {"stars": 5, "scores": []}}):
        card = json.loads(json.dumps(made.about))
        card["calibration"]["*"]["kind"] |= change
        with pytest.raises(ModelFileError, match="calibration"):
            check_card(tmp_path, {"__metadata__": {"astrofm": json.dumps(card)}})


def test_no_star_and_one(model, sky):
    made = fitted(model, sky, n=60, method="probe")
    batch, extras, _ = sky(2, 11)
    assert len(made.classify(batch[:0], extras=extras[:0])) == 0
    assert len(made.classify(batch[:1], extras=extras)) == 1


def test_a_head_learns_to_read_what_stands_beside_the_embedding_alone(model, sky):
    made = fitted(model, sky)
    head = made.heads["kind"]
    batch, extras, labels = sky(300, 1, rare=0)
    beside = np.stack([extras["period"].value, extras["skew"]], axis=1)
    whole = torch.from_numpy(np.concatenate([made.core.embed(batch), beside], axis=1)).float()
    truth, classes = np.asarray(labels["kind"]), np.array(head.labels[0].classes)

    def right(without, seed=0):
        with torch.inference_mode():
            scores = head.scores_of_part(whole, without, torch.Generator().manual_seed(seed))
        return np.mean(classes[scores.argmax(1)] == truth), scores

    with torch.inference_mode():
        every = head.scores(whole)
    assert torch.equal(right((0, 0))[1], every)
    assert torch.equal(right((1, 1))[1], right((1, 0))[1]), "a star is never read without both"
    same = (right((0.5, 0))[1] == every).all(1).float().mean()
    assert 0.4 < same < 0.6
    assert right((1, 0))[0] > 0.65 > 0.6 > right((0, 1))[0]  # the spectra say nothing
