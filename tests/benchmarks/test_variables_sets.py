"""Labelled sets in the layouts of the real files: no star and no point is lost, and folds see no star twice."""

import csv
import gzip
import io
import tarfile

import numpy as np
import pytest

from astrofm.data import Batch
from astrofm.testing import LightCurveInstrumentTests


@pytest.fixture
def sets(benchmarks):
    import variables_sets

    return variables_sets


def curve(seed, points=30):
    random = np.random.default_rng(seed)
    days = np.sort(random.uniform(1900, 2900, points)).round(5)
    return days, (10 + 0.3 * np.sin(days / (1.3 + seed)) + 0.01 * random.normal(size=points)).round(3), np.full(points, 0.03)


@pytest.fixture
def asas(tmp_path):
    folder = tmp_path / "asas"
    folder.mkdir()
    with tarfile.open(folder / "light_curves.tar.gz", "w:gz") as archive:
        for star in range(4):
            text = "".join(f"{day},{mag},{error}\n" for day, mag, error in zip(*curve(star, 20 + star), strict=True)).encode()
            entry = tarfile.TarInfo(f"light_curves/{1000 + star}.dat")
            entry.size = len(text)
            archive.addfile(entry, io.BytesIO(text))
    (folder / "classes.csv").write_text("id,class\n1003,Mira\n1001,RSG\n1000,Mira\n1002,Mira\n")
    return tmp_path


def write_parquet(path, **columns):
    arrow = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    path.parent.mkdir(exist_ok=True)
    parquet.write_table(arrow.table(columns), path)


def write_acvs(folder):
    curves = [curve(star) for star in (0, 7)]
    curves[0] = [column for column in curve(0, 20)]
    write_parquet(folder / "asas" / "acvs_light_curves.parquet", asas_id=["000001-0100.1", "000002-0100.1"], ra=[10.0, 20.0],
                  dec=[-1.0, -2.0], var_class=["MIRA", "EC"], hjd=[list(each[0] + 2450000) for each in curves],
                  vmag=[each[1].astype(np.float32) for each in curves],
                  vmag_err=[each[2].astype(np.float32) for each in curves])


def write_hipparcos(folder, survey="HIPPARCOS(Hp, BJD-2440000)"):
    curves = [curve(1), curve(2, 40)]
    write_parquet(folder / "hipparcos-ogle" / "light_curves.parquet", id=["7", "8"], ra=[10.0001, 30.0], dec=[-1.0, 5.0],
                  var_class=["Mira", "Beta Lyrae"], survey=[survey, "OGLE"],
                  time=[list(curves[0][0] + 6000), list(curves[1][0] + 2448000)],
                  mag=[each[1].astype(np.float32) for each in curves],
                  magerr=[each[2].astype(np.float32) for each in curves])


def write_eros(folder, more=()):
    (folder / "eros").mkdir()
    names = ["1_5", "1_7"]
    with open(folder / "eros" / "train.csv", "w", newline="") as file:
        table = csv.writer(file)
        table.writerow(["Unnamed: 0", "period", "type", "div_period"])
        table.writerows([[names[0], "2.4", "3.0", "4.0"], [names[1], "3.0", "1.0", "1.0"], *more])
    with gzip.open(folder / "eros" / "train_varlength_features.csv.gz", "wt", newline="") as file:
        table = csv.writer(file)
        table.writerow(["", *(f"{kind}_points_{band}" for kind in ("time", "light", "error") for band in "br")])
        for star, name in enumerate(names):
            blue, red = curve(star, 12), curve(star + 10, 9)
            table.writerow([name, *(str(list(map(float, band[k]))) for k in range(3) for band in (blue, red))])


def test_asas_keeps_every_star_with_its_own_class(sets, asas):
    stars = sets.asas(asas)
    assert isinstance(stars.batch, Batch) and stars.batch.meta["id"] == ["1003", "1001", "1000", "1002"]
    assert stars.classes.tolist() == ["Mira", "RSG", "Mira", "Mira"]
    assert (~stars.batch.mask).sum(1).tolist() == [23, 21, 20, 22]
    days, magnitude, _ = curve(1, 21)
    good = ~stars.batch.mask[1]
    np.testing.assert_allclose(stars.batch.value[1][good], magnitude, rtol=1e-6)
    np.testing.assert_allclose(stars.batch.coordinate[1][good] + stars.batch.meta["first_time"][1], days + 2450000,
                               atol=70 / 86400, rtol=0)
    assert len(stars.of_at_least(2)) == 3 and np.isnan(stars.period).all()


def test_a_star_without_a_light_curve_is_named(sets, asas):
    with open(asas / "asas" / "classes.csv", "a") as file:
        file.write("4242,Mira\n")
    with pytest.raises(ValueError, match="no light curve of 1 stars of classes.csv: 4242"):
        sets.asas(asas)


def test_hipparcos_and_ogle_are_told_apart_by_band_and_share_a_clock(sets, tmp_path):
    write_hipparcos(tmp_path)
    stars = sets.hipparcos_ogle(tmp_path)
    assert [set(stars.batch.band[row][~stars.batch.mask[row]].tolist()) for row in range(2)] == [{0}, {1}]
    assert stars.batch.meta["first_time"] == pytest.approx([curve(1)[0][0] + 2446000, curve(2, 40)[0][0] + 2448000])
    one = sets.in_one_band(stars)
    assert (~one.batch.mask).sum() == (~stars.batch.mask).sum() and not one.batch.band.any()


def test_another_survey_in_the_file_is_refused(sets, tmp_path):
    write_hipparcos(tmp_path, survey="MACHO")
    with pytest.raises(ValueError, match="not MACHO"):
        sets.hipparcos_ogle(tmp_path)


def test_eros_has_two_bands_and_the_true_period(sets, tmp_path):
    write_eros(tmp_path)
    stars = sets.eros(tmp_path)
    assert stars.classes.tolist() == ["RR Lyrae", "eclipsing"] and stars.period.tolist() == pytest.approx([0.6, 3.0])
    good = ~stars.batch.mask
    assert [[int((good[row] & (stars.batch.band[row] == band)).sum()) for band in (0, 1)] for row in (0, 1)] == [[12, 9]] * 2
    days, magnitude, _ = curve(10, 9)
    red = good[0] & (stars.batch.band[0] == 1)
    np.testing.assert_allclose(stars.batch.value[0][red], magnitude, rtol=1e-6)
    np.testing.assert_allclose(np.diff(stars.batch.coordinate[0][red]), np.diff(days))
    one = sets.in_one_band(stars)
    assert (~one.batch.mask).sum(1).tolist() == [12, 12]


class TestPhotometerOfEros(LightCurveInstrumentTests):
    name = "eros"
    # no plugin offers it, so that it has no card
    test_card_is_complete = test_target_can_be_imported_and_has_the_name_of_the_card = None
    test_listing_the_cards_loads_nothing_heavy = None

    @pytest.fixture(autouse=True)
    def small(self, sets):
        self.subject = sets.PHOTOMETERS["eros"]

    def instrument(self):
        return self.subject

    def others(self):
        return {}

    def test_stars_of_the_set_come_back_as_light_curves_of_it(self, sets, tmp_path):
        write_eros(tmp_path)
        batch = sets.eros(tmp_path).batch
        for series, name in zip(self.subject.rebuild(batch), batch.meta["id"], strict=True):
            assert series.meta["id"] == name and series["band"].tolist().count("b") == 12 and len(series) == 21
            again = self.subject.sample(series)
            assert (again.band == 1).sum() == 9 and again.meta["n_bad"] == 0
        features = self.subject.features(batch, ["points_all", "bands", "colour_b_r"])
        assert features["points_all"].tolist() == [21, 21] and features["bands"].tolist() == [2, 2]
        assert np.isfinite(features["colour_b_r"]).all()


def test_files_of_eros_that_name_different_stars_are_refused(sets, tmp_path):
    write_eros(tmp_path, more=[["9_9", "1", "1.0", "1.0"]])
    with pytest.raises(ValueError, match="1 stars are in one of the two files only"):
        sets.eros(tmp_path)


def test_the_same_star_is_found_by_its_points_and_by_its_place(sets, asas):
    write_acvs(asas)
    write_hipparcos(asas)
    catalogue, stars, hipparcos = sets.acvs(asas), sets.asas(asas), sets.hipparcos_ogle(asas)
    assert sets.same_stars(stars, catalogue).tolist() == [False, False, True, False]
    assert sets.same_stars(catalogue, stars).tolist() == [True, False]
    assert sets.same_stars(catalogue, hipparcos).tolist() == [True, False]


def test_starembed_needs_times_values_and_errors_of_one_length(sets, tmp_path):
    band = {"mjd": [58000.0, 58001.5], "target": [15.0, 15.2], "past_feat_dynamic_real": [0.01, 0.02], "length": 2}
    lacking = {**band, "past_feat_dynamic_real": [0.01]}
    empty = {"mjd": [], "target": [], "past_feat_dynamic_real": [], "length": 0}
    write_parquet(tmp_path / "data" / "train-0.parquet", sourceid=["a", "b"], kind=["RRAB", "EW"],
                  bands_data=[{"g": band, "r": band, "i": empty}, {"g": empty, "r": band, "i": empty}])
    stars = sets.starembed(tmp_path, "train", "kind")
    assert stars.classes.tolist() == ["RRAB", "EW"] and (~stars.batch.mask).sum(1).tolist() == [4, 2]
    assert set(stars.batch.band[1][~stars.batch.mask[1]].tolist()) == {1}
    assert stars.batch.meta["first_time"] == pytest.approx([2458000.5, 2458000.5])
    write_parquet(tmp_path / "data" / "test-0.parquet", sourceid=["a"], kind=["EW"],
                  bands_data=[{"g": lacking, "r": band, "i": band}])
    with pytest.raises(ValueError, match=r"\[1, 2, 2\] errors"):
        sets.starembed(tmp_path, "test", "kind")
    with pytest.raises(ValueError, match="no validation-"):
        sets.starembed(tmp_path, "validation", "kind")
