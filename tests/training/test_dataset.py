"""A data set on disk gives back what was written, splits by star, and is trusted by its hashes."""

import json

import numpy as np
import pytest

from astrofm.data import Batch
from astrofm.errors import DataError, OutputError, ReadError
from astrofm.training import ShardedData, ShardWriter, part_of

WAVE = np.linspace(4000.0, 5000.0, 7)


def batch(instrument, stars, *, wave=WAVE, **columns):
    random = np.random.default_rng([len(stars), sum(map(ord, instrument))])
    value = random.normal(size=(len(stars), len(wave))).astype(np.float32)
    return Batch(instrument, wave, value, np.abs(value), value > 1,
                 meta={"id": [f"{instrument}-{star}" for star in stars], "star": list(stars), **columns})


@pytest.fixture
def folder(tmp_path):
    writer = ShardWriter(tmp_path / "set", {"what": "test"})
    names = [f"star {k}" for k in range(40)]
    writer.write([batch("one", names[:25], teff=np.arange(25.0), source=np.arange(25) + 2**60),
                  batch("two", names[10:30])], done=1)
    writer.write([batch("one", names[25:40], fe_h=np.arange(15.0))], done=2)
    writer.finish()
    return tmp_path / "set"


def test_rows_come_back_as_they_were_in_the_order_asked_for(folder):
    data = ShardedData.open(folder, verify=True)
    names = [f"star {k}" for k in range(40)]
    first, second = batch("one", names[:25]), batch("one", names[25:])
    rows = np.array([30, 3, 24, 25, 3])
    found = data.batch("one", rows)
    for name in ("value", "error", "mask"):
        whole = np.concatenate([getattr(first, name), getattr(second, name)])
        np.testing.assert_array_equal(getattr(found, name), whole[rows])
    np.testing.assert_array_equal(found.coordinate, WAVE)
    assert list(found.meta["star"]) == [names[row] for row in rows]
    assert list(data.batch("one", np.array([24])).meta["source"]) == [24 + 2**60]


def test_nothing_is_in_memory_before_it_is_asked_for(folder):
    from astrofm.training.dataset import _mapped

    data = ShardedData.open(folder)
    assert isinstance(_mapped(data.files["one"][0])[0]["value"], np.memmap)


def test_columns_are_joined_over_shards(folder):
    teff = ShardedData.open(folder).column("one", "teff")
    assert teff[:25].tolist() == list(range(25)) and np.isnan(teff[25:]).all()


def test_spectra_of_a_star_are_paired(folder):
    data = ShardedData.open(folder)
    rows = data.rows(["one", "two"])
    assert len(rows) == 20
    assert all(data.stars["one"][a] == data.stars["two"][b] for a, b in rows)


def test_a_split_is_by_star_whole_and_the_same_everywhere(folder):
    data = ShardedData.open(folder)
    low, high = data.rows(["one"], low=0.0, high=0.3)[:, 0], data.rows(["one"], low=0.3)[:, 0]
    assert sorted([*low, *high]) == list(range(40)) and 0 < len(low) < 25
    pairs = data.rows(["two", "one"], low=0.0, high=0.3)
    assert set(data.stars["two"][pairs[:, 0]]) <= set(data.stars["one"][low])
    assert part_of("star 7") == pytest.approx(0.47748867364)


def test_the_parts_of_many_stars_are_spread_evenly():
    places = [part_of(f"{k}") for k in range(20_000)]
    counts = np.histogram(places, 10, (0, 1))[0]
    assert counts.min() > 1850 and counts.max() < 2150


@pytest.mark.parametrize("what", ["flip", "cut", "gone", "list", "unfinished", "none"])
def test_a_damaged_set_is_refused_in_words(folder, what):
    shard = folder / "one-00001.safetensors"
    content = shard.read_bytes()
    listed = folder / "dataset.json"
    if what == "flip":
        shard.write_bytes(content[:-3] + bytes([content[-3] ^ 1]) + content[-2:])
    elif what == "cut":
        shard.write_bytes(content[:-1])
    elif what == "gone":
        shard.unlink()
    elif what == "list":
        listed.write_text(listed.read_text()[:50])
    elif what == "unfinished":
        listed.write_text(json.dumps({**json.loads(listed.read_text()), "complete": False}))
    else:
        listed.unlink()
    with pytest.raises(ReadError, match="again|astrofm sample"):
        ShardedData.open(folder, verify=True)


def test_a_set_that_was_begun_is_gone_on_with_and_another_source_is_not(tmp_path):
    writer = ShardWriter(tmp_path, {"files": 3})
    writer.write([batch("one", ["a", "b"])], done=2)
    again = ShardWriter(tmp_path, {"files": 3})
    assert again.done == 2
    again.write([batch("one", ["c"])], done=3)
    again.finish()
    assert list(ShardedData.open(tmp_path).stars["one"]) == ["a", "b", "c"]
    with pytest.raises(OutputError, match="another source"):
        ShardWriter(tmp_path, {"files": 4})


def test_grids_are_not_mixed(tmp_path):
    writer = ShardWriter(tmp_path, {})
    writer.write([batch("one", ["a"])], done=1)
    writer.write([batch("one", ["b"], wave=WAVE + 1)], done=2)
    writer.finish()
    with pytest.raises(DataError, match="several wavelength grids"):
        ShardedData.open(tmp_path).batch("one", np.array([0, 1]))


def test_an_instrument_that_is_not_there_is_named(folder):
    with pytest.raises(ReadError, match="nothing of 'three'"):
        ShardedData.open(folder).rows(["one", "three"])
