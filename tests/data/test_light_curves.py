"""Times, magnitudes, plain tables, and light curves put in order: bad input is masked and counted, or refused in words."""

import numpy as np
import pytest
from astropy import units as u
from astropy.table import MaskedColumn, QTable, Table
from astropy.time import Time
from hypothesis import given, settings
from hypothesis import strategies as st

import astrofm
from astrofm.data import collate, length_buckets, split_by_length
from astrofm.data import curves as curves_module
from astrofm.data.curves import Curves, join_curves, pad_curves, settle, stretches
from astrofm.data.magnitudes import blank_magnitudes, to_flux, to_magnitude
from astrofm.data.times import tdb_days, tdb_time
from astrofm.errors import DataError
from astrofm.testing import FakePhotometer
from astrofm.training.dataset import join


def curves(*stars):
    """Make light curves of lists of (day, value, error, mask, band)."""
    points = [np.array([point[k] for star in stars for point in star]) for k in range(5)] if any(stars) else [np.zeros(0)] * 5
    days, value, error = (np.asarray(array, float) for array in points[:3])
    return Curves(np.cumsum([0, *map(len, stars)]), np.full(len(stars), 2459000.5), days, value,
                  error, np.asarray(points[3], bool), np.asarray(points[4], np.int16),
                  {"id": [f"star {k}" for k in range(len(stars))]})


def good(*days):
    return [(day, 10 + day, 0.1, False, 0) for day in days]


def test_points_are_sorted_and_counted():
    settled = settle(curves(good(3, 1, 2), good(5, 6)))
    assert settled.days.tolist() == [0, 1, 2, 0, 1] and settled.epoch.tolist() == [2459001.5, 2459005.5]
    assert settled.value.tolist() == [11, 12, 13, 15, 16]
    assert settled.meta["n_unsorted"] == [2, 0] and settled.meta["n_points"] == [3, 2]


def test_points_without_a_time_leave_and_are_counted_as_bad():
    settled = settle(curves(good(np.nan, 1, np.inf), good(2)))
    assert settled.days.tolist() == [0, 0] and settled.meta["n_no_time"] == [2, 0] and settled.meta["n_bad"] == [2, 0]


def test_days_begin_at_the_first_good_point_and_masked_ones_lie_before():
    settled = settle(curves([(1, 5, 0, False, 0), (2, 5, 0.1, True, 0), *good(4, 7)]))
    assert settled.days.tolist() == [-3, -2, 0, 3] and settled.mask.tolist() == [True, True, False, False]
    assert not settled.value[:2].any() and settled.meta["n_bad"] == [2]


def test_a_repeated_measurement_is_masked_and_another_at_the_same_time_is_not():
    settled = settle(curves([*good(1, 1), (1, 7, 0.1, False, 0), (1, 11, 0.1, False, 1), *good(2)]))
    assert settled.meta["n_duplicate"] == [1] and settled.mask.sum() == 1 and settled.meta["n_bad"] == [1]
    assert sorted(settled.value[~settled.mask].tolist()) == [7, 11, 11, 12]


def test_a_star_without_good_points_begins_at_its_first_and_one_without_any_is_there():
    settled = settle(curves([(3, 1, -1, False, 0), (4, np.nan, 1, False, 0)], [], good(9)))
    batch = pad_curves(settled, "x")
    assert batch.coordinate.tolist() == [[0, 1], [0, 0], [0, 0]] and batch.mask[:2].all() and not batch.mask[2, 0]
    assert batch.meta["n_points"] == [2, 0, 1] and batch.meta["n_bad"] == [2, 0, 0]
    assert pad_curves(settle(curves()), "x").value.shape == (0, 0)


def test_numbers_beyond_single_precision_are_masked():
    settled = settle(curves([(1, 1e60, 1, False, 0), (2, 1, 1e-60, False, 0), (3, 1, 1, False, 0)]))
    assert settled.mask.tolist() == [True, True, False] and np.isfinite(settled.value).all()


@settings(max_examples=60, deadline=None)
@given(st.lists(st.lists(st.tuples(
    st.sampled_from([0.0, 0.5, 1.0, 2.25, 7.0, np.nan]), st.sampled_from([1.0, -2.0, np.nan, np.inf, 3.5]),
    st.sampled_from([0.1, 0.2, 0.0, -1.0, np.nan]), st.booleans(), st.integers(0, 2)), max_size=12), min_size=1, max_size=4),
    st.randoms(use_true_random=False))
def test_any_order_settles_the_same_and_each_star_as_if_it_were_alone(stars, random):
    settled = settle(curves(*stars))
    shuffled = settle(curves(*[random.sample(star, len(star)) for star in stars]))
    alone = join_curves([settle(curves(star)) for star in stars])
    for other in (shuffled, alone):
        for name in ("starts", "epoch", "days", "value", "error", "mask", "band"):
            np.testing.assert_array_equal(getattr(settled, name), getattr(other, name))
        assert settled.meta["n_bad"] == other.meta["n_bad"]
    usable = settled.error[~settled.mask]
    assert (usable > 0).all() and not settled.value[settled.mask].any() and np.isfinite(settled.value).all()
    inside = [star for star, n in enumerate(settled.meta["n_points"]) for _ in range(n)]
    assert (np.diff(settled.days)[np.diff(inside) == 0] >= 0).all()


def test_curves_that_do_not_fit_together_are_refused():
    whole = curves(good(1, 2))
    with pytest.raises(DataError, match="error has shape"):
        Curves(whole.starts, whole.epoch, whole.days, whole.value, whole.error[:1], whole.mask, whole.band)
    with pytest.raises(DataError, match="'id' has 2 rows for 1 stars"):
        Curves(*(getattr(whole, name) for name in ("starts", "epoch", "days", "value", "error", "mask", "band")),
               meta={"id": ["a", "b"]})
    with pytest.raises(DataError, match="by stretches"):
        whole[::2]


@pytest.mark.parametrize(("scale", "form"), [("utc", "mjd"), ("tcb", "jd"), ("tai", "mjd"), ("tdb", "unix")])
def test_times_of_every_scale_become_tdb_to_a_microsecond(scale, form):
    truth = Time(2459000.5, np.linspace(0, 1500, 7), format="jd", scale="tdb")
    for times in (truth, Time(2459000.5, np.linspace(0, 30, 500), format="jd", scale="tdb")):  # sparse, and dense
        epoch, days = tdb_days(Time(getattr(times, scale), format=form))
        assert np.abs((tdb_time(epoch, days) - times).to_value(u.us)).max() < 1
        assert epoch % 1 == 0.5


@pytest.mark.parametrize(("times", "message"), [
    (Time([1325.3, 1326.3], format="mjd", scale="tdb"), "under another name"),
    (Time([58000.0, 58001.0], format="jd", scale="utc"), "under another name"),
    (Time([58000.0, 2458001.0], format="mjd", scale="utc"), "under another name"),
    (Time([58000.0], format="mjd", scale="local"), "no clock"), (Time([58000.0], format="mjd", scale="ut1"), "no clock"),
    (Time([58001.0], format="mjd") - Time([58000.0], format="mjd"), "folded")])
def test_times_that_are_none_are_refused(times, message):
    with pytest.raises(DataError, match=message):
        tdb_days(times)


def test_magnitudes_and_fluxes_go_both_ways():
    flux, error = to_flux(np.array([15.0, 20.0]), np.array([0.01, 0.1]), 25.0)
    np.testing.assert_allclose(flux, [1e4, 100])
    np.testing.assert_allclose(error, [1e4 * 0.01 * np.log(10) / 2.5, 100 * 0.1 * np.log(10) / 2.5])
    for one, other in zip(to_magnitude(flux, error, 25.0), ([15, 20], [0.01, 0.1]), strict=True):
        np.testing.assert_allclose(one, other)
    assert np.isnan(to_magnitude([0.0, -3.0], [1.0, 1.0], 25.0)[0]).all()
    magnitude, error = blank_magnitudes([99.0, 15.0, -999.0, 15.0], [0.1, 99.0, 0.1, 0.1])
    assert np.isnan(magnitude).tolist() == [True, False, True, False]
    assert np.isnan(error).tolist() == [False, True, False, False]


TABLE = {"when": [58203.4, 58201.4, 58202.4], "m": [16.2, 99.0, 16.0], "em": [0.02, 0.02, 0.03],
         "filter": ["blue", "red", "R"], "flag": [0, 0, 1]}
NAMES = {"time": "when", "mag": "m", "error": "em", "band": "filter", "mask": "flag", "scale": "utc", "format": "mjd"}


@pytest.mark.parametrize("make", [dict, Table, QTable, "pandas", "records"])
def test_plain_tables_of_every_kind_become_the_same_light_curve(make):
    if make == "pandas":
        make = pytest.importorskip("pandas").DataFrame
    table = Table(TABLE).as_array() if make == "records" else make(TABLE)
    star = astrofm.light_curve(table, **NAMES, instrument="fake-photometer", id=2**60 + 1)
    assert star.colnames == ["time", "mag", "mag_err", "band", "mask"] and star["mag"].unit == u.mag
    sample = FakePhotometer().sample(star)
    assert sample.meta["id"] == 2**60 + 1 and sample.band[~sample.mask].tolist() == [0]
    assert (sample.meta["n_bad"], sample.meta["n_unsorted"]) == (2, 2)
    np.testing.assert_allclose(sample.value[~sample.mask], 10 ** (-0.4 * (16.2 - 25)), rtol=1e-6)


def test_masked_cells_are_masked_points():
    table = Table(TABLE)
    table["m"] = MaskedColumn([16.2, 16.1, 16.0], mask=[False, True, False])
    table["when"] = MaskedColumn(TABLE["when"], mask=[False, False, True])
    sample = FakePhotometer().sample(astrofm.light_curve(table, **{**NAMES, "mask": None}))
    assert sample.mask.tolist() == [True, False] and sample.meta["n_no_time"] == 1


@pytest.mark.parametrize("column", ["filter", "flag"])
def test_points_whose_band_or_flag_is_masked_are_masked(column):
    table = Table({**TABLE, "m": [16.2, 16.1, 16.0], "flag": [0, 0, 0]})
    table[column] = MaskedColumn(table[column], mask=[True, False, False])  # the cells say what they said
    sample = FakePhotometer().sample(astrofm.light_curve(table, **NAMES))
    assert sample.mask.tolist() == [False, False, True] and sample.meta["n_bad"] == 1


def test_days_since_an_epoch_keep_their_precision():
    table = {"t": [1325.29525977, 1326.5], "f": [1.0, 1.1], "e": [0.1, 0.1]}
    star = astrofm.light_curve(table, time="t", flux="f", error="e", epoch=Time(2457000, format="jd", scale="tdb"))
    assert ((star.time[1] - star.time[0]).to_value(u.day) - 1.20474023) == pytest.approx(0, abs=1e-12)


@pytest.mark.parametrize(("changes", "message"), [
    ({"mag": "magnitude"}, "no column 'magnitude' for mag; it has when, m"), ({"time": "t"}, "no column 't' for time"),
    ({"error": "err"}, "no column 'err' for error"), ({"band": "b"}, "no column 'b' for band"),
    ({"mag": None}, "mag=.* or flux"),
    ({"flux": "m"}, "one of the two"), ({"scale": None}, "say what they are, for example format=\"mjd\""),
    ({"scale": "gps"}, "is no time of format")])
def test_what_is_missing_is_said(changes, message):
    with pytest.raises(DataError, match=message):
        astrofm.light_curve(TABLE, **{**NAMES, **changes})
    with pytest.raises(DataError, match="table with named columns"):
        astrofm.light_curve(np.ones((3, 4)), **NAMES)


def test_an_error_of_all_points_must_be_said():
    star = astrofm.light_curve(TABLE, **{**NAMES, "error": 50 * u.mmag})
    assert star["mag_err"].unit == u.mag and star["mag_err"].value == pytest.approx(0.05)


@pytest.mark.parametrize("table, changes, message", [
    ({"f": np.ones(5)}, {"error": 5 * u.electron / u.s}, r"error is in electron / s, and column 'f' in no unit"),
    ({"f": np.ones(5)}, {"error": np.ones(3) * u.one}, "give one number with a unit"),
    ({"f": ["1.5"] * 4 + ["bad"]}, {}, "column 'f' holds something else than numbers, such as 'bad'"),
    ({"e": np.array([0.1] * 4 + [None], object)}, {"error": "e"}, None),
    ({"f": np.ones(4)}, {}, "different lengths: 't' 5, 'f' 4, 'error' 4"),
    ({"b": ["g"] * 6}, {"band": "b"}, "different lengths.*'b' 6"),
    ({"f": np.ones((5, 2))}, {}, r"'f' \(5, 2\)"), ({"t": ["today"] * 5}, {}, "column 't' is no time"),
    ({"f": np.ones(5, complex)}, {}, "column 'f' holds complex numbers"),
    ({"q": ["True", "False"] * 2 + ["no"]}, {"mask": "q"}, "column 'q' holds something else than numbers or True and False"),
    ({}, {"format": "MJD"}, "no format 'MJD' of times; astropy has .*mjd"),
    ({}, {"epoch": 2457000}, "epoch is 2457000: give one time, such as Time"),
    ({}, {"epoch": Time([1, 2], format="jd")}, "give one time"),
    ({}, {"epoch": Time(2457000, format="jd", scale="tdb")}, "epoch is a time of scale 'tdb', .*leave scale and format out"),
    ({"t": Time(np.arange(5.0), format="mjd", scale="utc")}, {"format": None}, "'t' holds times of scale 'utc', and scale="),
])
def test_columns_that_do_not_fit_are_refused_in_words(table, changes, message):
    table = {"t": np.arange(5.0) + 58300, "f": np.ones(5), **table}
    named = {"time": "t", "flux": "f", "error": 0.1 * u.one, "format": "mjd", "scale": "tdb", **changes}
    if message is None:  # no number in a cell is a missing one
        assert np.isnan(astrofm.light_curve(table, **named)["flux_err"][4])
        return
    with pytest.raises(DataError, match=message):
        astrofm.light_curve(table, **named)


@pytest.mark.parametrize("more", [-1, 1])
def test_stars_of_a_table_whose_columns_differ_in_length_are_refused(more):
    table = {"star": [1, 2, 1], "t": np.arange(3.0), "f": np.ones(3 + more)}
    with pytest.raises(DataError, match=f"different lengths.*'f' {3 + more}"):
        astrofm.light_curves(table, id="star", time="t", flux="f", error=0.1 * u.one, format="jd", scale="tdb")


def test_a_table_of_many_stars_gives_one_light_curve_each():
    table = {name: column * 2 for name, column in TABLE.items()} | {"star": np.array([7, 3, 7, 9, 3, 7])}
    stars = astrofm.light_curves(table, id="star", **NAMES)
    assert [(star.meta["id"], len(star)) for star in stars] == [(7, 3), (3, 2), (9, 1)]
    assert stars[0]["band"].tolist() == ["blue", "R", "R"]
    assert astrofm.light_curves({name: [] for name in table}, id="star", **NAMES) == []


def test_buckets_hold_every_star_once_and_waste_little():
    lengths = np.random.default_rng(1).integers(1, 20000, 500)
    groups = length_buckets(lengths, size=64, waste=0.2)
    assert sorted(np.concatenate(groups).tolist()) == list(range(500))
    assert max(map(len, groups)) <= 64 and all(lengths[rows].min() >= 0.8 * lengths[rows].max() for rows in groups)
    assert length_buckets([]) == [] and [rows.tolist() for rows in length_buckets([0, 0])] == [[0, 1]]
    with pytest.raises(DataError, match="at least one star"):
        length_buckets([1], size=0)


def fakes(*lengths):
    fake = FakePhotometer()
    return [fake.sample(fake.example(k)[:length]) for k, length in enumerate(lengths)]


def test_a_padded_batch_splits_into_groups_of_like_length():
    samples = fakes(120, 30, 118, 29)
    batch, seen = collate(samples), []
    for rows, part in split_by_length(batch):
        assert part.value.shape[1] == max(len(samples[row]) for row in rows)
        for place, row in enumerate(rows):
            np.testing.assert_array_equal(part.coordinate[place, :len(samples[row])], samples[row].coordinate)
            assert part.meta["id"][place] == samples[row].meta["id"]
        seen += rows.tolist()
    assert sorted(seen) == [0, 1, 2, 3]
    with pytest.raises(DataError, match="share one grid"):
        next(split_by_length(astrofm.Batch("x", np.arange(3.0), *[np.ones((2, 3), np.float32)] * 2, np.zeros((2, 3), bool))))


def test_one_long_light_curve_does_not_pad_all_that_are_read_with_it(monkeypatch):
    monkeypatch.setattr(curves_module, "PADDED", 40)
    lengths = [3, 4, 0, 100, 5, 5, 5, 39, 1, 1]
    many = settle(curves(*(good(*range(length)) for length in lengths)))
    parts = list(stretches(many, 4))
    assert [name for part in parts for name in part.meta["id"]] == many.meta["id"]
    assert [np.diff(part.starts).tolist() for part in parts] == [[3, 4, 0], [100], [5, 5, 5], [39], [1, 1]]
    assert [pad_curves(part, "fake-photometer").value.shape for part in parts] == [(3, 4), (1, 100), (3, 5), (1, 39), (2, 1)]
    class Told(FakePhotometer):
        name = "told"

        def _read(self, path):
            return curves(*(good(*range(length)) for length in lengths))

    batches = list(Told().read_batches(["a", "b"], size=4))
    assert [batch.value.shape for batch in batches] == [(3, 4), (1, 100), (3, 5), (1, 39), (4, 4), (1, 0), (1, 100),
                                                       (3, 5), (1, 39), (2, 1)]


def test_light_curves_never_share_a_coordinate_and_join_whatever_their_lengths():
    short, long = collate(fakes(20, 20)), collate(fakes(50))
    assert short.coordinate.shape == (2, 20) and collate([fakes(20)[0]] * 2).coordinate.shape == (2, 20)
    joined = join([short, long])
    assert joined.value.shape == (3, 50) and joined.mask[:2, 20:].all()
    assert (joined.coordinate[:2, 20:] == short.coordinate[:, -1:]).all()
    np.testing.assert_array_equal(joined.value[2], long.value[0])
