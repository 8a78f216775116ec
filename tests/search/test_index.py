"""An index finds what a comparison of everything finds, keeps its table, and is trusted by its hash."""

import time
import tracemalloc

import numpy as np
import pytest
from astropy import units as u
from astropy.table import Column, MaskedColumn, QTable
from astropy.utils.masked import Masked

import astrofm
from astrofm.errors import DataError, ModelFileError, OutputError
from astrofm.search import Index
from astrofm.search import index as module


def make(n=500, d=8, *, shared=None, seed=0):
    random = np.random.default_rng(seed)
    table = QTable({"id": [f"star-{k}" for k in range(n)], "instrument": np.where(np.arange(n) % 3, "wide", "coarse"),
                    "file": [""] * n, "row": np.arange(n)})
    return Index(random.normal(size=(n, d)).astype(np.float32), table, model="small", sha256="0" * 64, shared=shared)


def cosines(index, query, shared=None):
    a, b = query[:, :shared].astype(float), index.embeddings[:, :shared].astype(float)
    return (a / np.linalg.norm(a, axis=1, keepdims=True)) @ (b / np.linalg.norm(b, axis=1, keepdims=True)).T


@pytest.mark.parametrize("shared", [None, 5])
@pytest.mark.parametrize("rows", [70, 100_000])
def test_the_nearest_are_those_of_a_comparison_with_all(monkeypatch, shared, rows):
    monkeypatch.setattr(module, "ROWS", rows)
    monkeypatch.setattr(module, "QUERIES", 7)
    index = make(shared=shared)
    query = np.random.default_rng(1).normal(size=(20, 8)).astype(np.float32)
    found = index.nearest(query, 9)
    scores = cosines(index, query, shared)
    expected = np.argsort(-scores, axis=1)[:, :9]
    np.testing.assert_array_equal(np.asarray(found["row"]).reshape(20, 9), expected)
    np.testing.assert_allclose(np.asarray(found["similarity"]).reshape(20, 9), np.take_along_axis(scores, expected, 1),
                               atol=1e-6)
    assert found["query"].tolist() == np.repeat(np.arange(20), 9).tolist()


def test_only_one_instrument_where_it_is_asked_for():
    index = make()
    query = np.random.default_rng(1).normal(size=8).astype(np.float32)
    found = index.nearest(query, 4, instrument="coarse")
    scores = cosines(index, query[None])[0]
    scores[np.arange(500) % 3 != 0] = -2
    assert found["row"].tolist() == np.argsort(-scores)[:4].tolist() and "query" not in found.colnames
    with pytest.raises(DataError, match="nothing of 'wode', only of coarse, wide"):
        index.nearest(query, instrument="wode")


def test_more_neighbours_than_stars_gives_all_that_can_be_found():
    index = make(6)
    index.embeddings[2] = np.nan
    index = Index(index.embeddings, index.table, model="small", sha256="")
    found = index.nearest(index.embeddings[0], 99)
    assert sorted(found["row"]) == [0, 1, 3, 4, 5] and index.unusable == 1
    assert found["row"][0] == 0 and found["similarity"][0] == pytest.approx(1.0)


@pytest.mark.parametrize(("query", "k", "message"), [
    (np.full((2, 8), [[1.0], [np.nan]]), 3, "query 1 is not finite"),
    (np.full((2, 8), [[1.0], [0.0]]), 3, "query 1 is zero"),
    (np.ones(7), 3, "8 numbers"), (np.ones(8), 0, "k is 0")])
def test_wrong_questions_are_refused(query, k, message):
    with pytest.raises(DataError, match=message):
        make().nearest(query, k)


def test_no_question_gives_an_empty_table():
    assert len(make().nearest(np.zeros((0, 8)), 3)) == 0


@pytest.mark.parametrize("rows", [70, 100_000])
def test_of_stars_equally_near_the_first_of_the_index_are_given(monkeypatch, rows):
    monkeypatch.setattr(module, "ROWS", rows)
    table = make(500).table
    embeddings = np.eye(8, dtype=np.float32)[np.arange(500) % 8]
    index = Index(embeddings, table, model="small", sha256="")
    found = index.nearest(np.eye(8)[:2], 70)
    for query in (0, 1):
        own = found[found["query"] == query]
        first = np.arange(query, 500, 8)
        rest = np.flatnonzero(np.arange(500) % 8 != query)
        assert own["row"].tolist() == [*first, *rest[:70 - len(first)]]


def test_similarity_is_never_more_than_one():
    index = make(2000, 64)
    score = index.nearest(index.embeddings, 3)["similarity"]
    assert score.max() <= 1.0 and score[::3].min() > 0.99999


def test_a_large_index_is_searched_quickly_in_the_memory_of_a_block():
    index = make(200_000, 256)
    query = np.random.default_rng(1).normal(size=(300, 256)).astype(np.float32)
    tracemalloc.start()
    start = time.perf_counter()
    index.nearest(query, 5)
    seconds, peak = time.perf_counter() - start, tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 150e6  # all similarities are 240 MB, and sorting them twice that again
    assert seconds < 10


def test_stars_find_themselves_and_carry_their_columns(model, stars):
    table = QTable({"age": [1, 2, 3, 4, 5, 6] * u.Gyr, "name": [f"ä{k}" for k in range(6)]})
    index = astrofm.build_index(model, stars, table)
    found = index.search(model, stars, 1)
    assert found["id"].tolist() == [f"example-{k}" for k in range(6)]
    assert found["age"].unit == u.Gyr and found["age"].value.tolist() == [1, 2, 3, 4, 5, 6]
    assert index.search(model, stars[0], 2, instrument="coarse")["instrument"].tolist() == ["coarse", "coarse"]
    assert found.meta["sha256"] == model.sha256


def test_a_star_that_can_not_be_embedded_is_kept_and_never_found(model, stars):
    from dataclasses import replace

    from astrofm.models.inputs import to_sample

    sample = to_sample(stars[0])
    blind = replace(sample, mask=np.ones_like(sample.mask))
    index = astrofm.build_index(model, [stars[0], blind, stars[1]])
    assert len(index) == 3 and index.unusable == 1 and "no-usable-pixel" in index.table["flags"][1]
    assert len(index.nearest(index.embeddings[0], 9)) == 2


def test_only_what_instruments_share_is_compared(model, stars, tmp_path):
    model.aligner.shared = 4
    index = Index.load(astrofm.build_index(model, stars).save(tmp_path / "i.safetensors"))
    assert index.shared == 4 and index.embeddings.shape == (6, 10)
    query = index.embeddings[0].copy()
    query[4:] += 100.0
    assert index.nearest(query, 1)["similarity"][0] == pytest.approx(1.0)


def test_ids_of_the_table_are_checked_against_those_of_the_stars(model, stars):
    ids = [f"example-{k}" for k in range(6)]
    assert astrofm.build_index(model, stars, QTable({"id": ids})).table["id"].tolist() == ids
    with pytest.raises(DataError, match="row 0 of the table has id 'example-5'.* 'example-0'"):
        astrofm.build_index(model, stars, QTable({"id": ids[::-1]}))


def test_stars_without_an_id_have_that_of_the_table(model, instruments):
    from model_fakes import spectrum_of

    nameless = [spectrum_of(np.full(1200, 1.0 + k)) for k in range(2)]
    index = astrofm.build_index(model, nameless, QTable({"id": [2**60 + 1, 2**60 + 2]}))
    assert index.table["id"].tolist() == [str(2**60 + 1), str(2**60 + 2)]


@pytest.mark.parametrize("name", ["similarity", "query"])
def test_columns_that_the_answer_has_itself_are_refused(model, stars, name):
    with pytest.raises(DataError, match="rename it"):
        astrofm.build_index(model, stars, QTable({name: np.arange(6)}))


def test_tables_that_do_not_fit_are_refused(model, stars):
    with pytest.raises(DataError, match="has 2 rows and there are 6 stars"):
        astrofm.build_index(model, stars, QTable({"a": [1, 2]}))
    with pytest.raises(DataError, match="rename it"):
        astrofm.build_index(model, stars, QTable({"snr": np.arange(6)}))


def test_saved_and_loaded_it_is_the_same(tmp_path, model, stars):
    table = QTable({"source_id": np.arange(6) + 2**60, "rv": np.arange(6.0) * u.km / u.s,
                    "name": [f"ζ {k}" for k in range(6)],
                    "flag": np.arange(6) % 2 == 0, "kind": MaskedColumn(list("abcdef"), mask=[0, 1, 0, 0, 0, 1])})
    table["rv"].info.description = "radial velocity"
    index = astrofm.build_index(model, stars, table)
    path = index.save(tmp_path / "stars.safetensors")
    again = Index.load(path)
    np.testing.assert_array_equal(index.embeddings, again.embeddings)
    assert (again.model, again.sha256, again.shared) == (index.model, index.sha256, index.shared)
    assert again.table.colnames == index.table.colnames
    for name in index.table.colnames:
        first, second = index.table[name], again.table[name]
        assert first.dtype.kind == second.dtype.kind and first.info.unit == second.info.unit, name
        assert np.array_equal(np.ma.getmaskarray(first), np.ma.getmaskarray(second))
        assert [str(x) for x in first] == [str(x) for x in second], name
    assert again.table["source_id"][3] == 2**60 + 3 and again.table["rv"].info.description == "radial velocity"
    with pytest.raises(OutputError, match="exists already"):
        index.save(path)


@pytest.mark.parametrize("column", [
    Masked(np.arange(6.0) * u.K, mask=[0, 1, 0, 0, 0, 1]), MaskedColumn(np.arange(6), mask=[1, 0, 0, 0, 0, 0], unit="s"),
    MaskedColumn(np.arange(6)), u.Dex(np.arange(6.0), u.dex(u.cm / u.s**2)), np.arange(6.0) * u.ABmag,
    np.arange(6.0) * u.dex, Column(np.arange(6, dtype=">i8")), Column(np.ones((6, 2)), unit="not a unit"),
    Column(["a\udcff", "", "é", " ", "ζ", "x"]),
], ids=repr)
def test_columns_of_every_kind_come_back(tmp_path, column):
    index = make(6)
    index.table["mine"] = column
    before, after = index.table["mine"], Index.load(index.save(tmp_path / "i.safetensors")).table["mine"]
    assert type(after) is type(before) and after.shape == before.shape and after.dtype.kind == before.dtype.kind
    assert str(after.info.unit) == str(before.info.unit)
    mask = np.asarray(getattr(before, "mask", np.zeros(before.shape, bool)))
    np.testing.assert_array_equal(getattr(after, "mask", np.zeros(after.shape, bool)), mask)
    old, new = (np.asarray(getattr(one, "value", one))[~mask] for one in (before, after))
    np.testing.assert_array_equal(old, new)


@pytest.mark.parametrize("column", [
    np.arange(6, dtype=np.longdouble), np.arange(6) * 1j, np.arange(6.0) * u.def_unit("furlong_of_mine")],
    ids=["longdouble", "complex", "unit"])
def test_columns_that_would_not_come_back_are_not_saved(tmp_path, column):
    if column.dtype == np.longdouble and column.dtype.itemsize == 8:
        pytest.skip("long double is double here")
    index = make(6)
    index.table["mine"] = column
    with pytest.raises(DataError, match="column 'mine'"):
        index.save(tmp_path / "i.safetensors")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("what", ["flip", "cut", "other", "none"])
def test_a_damaged_index_is_refused(tmp_path, what, model):
    path = make().save(tmp_path / "i.safetensors")
    content = bytearray(path.read_bytes())
    if what == "flip":
        content[-5] ^= 1
        path.write_bytes(content)
    elif what == "cut":
        path.write_bytes(content[:-9])
    elif what == "other":
        model.save(path, overwrite=True)
    else:
        path.unlink()
    with pytest.raises(ModelFileError, match="i.safetensors"):
        Index.load(path)


def test_an_index_of_another_model_is_refused(model, stars):
    with pytest.raises(DataError, match="made by 'small' .* not by 'small'"):
        make(d=10).search(model, stars)
