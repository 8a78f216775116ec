"""Predictions of a stream of files: in order, with ids, and never more in memory than a batch."""

import weakref

import numpy as np
import pytest
from astropy.table import vstack


@pytest.fixture
def paths(tmp_path):
    """Ten files of three stars each, one of them damaged, and one of nobody."""
    for k in range(10):
        (tmp_path / f"{k}.wide").write_text(f"WIDE {3 * k} {3 * k + 1} {3 * k + 2}")
    (tmp_path / "4.wide").write_text("WIDE x")
    (tmp_path / "7.wide").write_text("Dear Sir")
    return [tmp_path / f"{k}.wide" for k in (9, 8, 7, 6, 5, 4, 3, 2, 1, 0)]


def test_its_tables_are_those_of_predict_in_order_with_ids(model, paths):
    tables = list(model.predict_stream(map(str, paths), size=4))
    assert len(tables) > 3 and max(map(len, tables)) <= 4 + 2  # failures of files stand between the stars
    whole, stream = model.predict(paths), vstack(tables, metadata_conflicts="silent")
    wanted = [name for k in range(9, -1, -1)
              for name in ([""] if k in (4, 7) else [f"example-{3 * k + j}" for j in range(3)])]
    assert stream["id"].tolist() == whole["id"].tolist() == wanted
    assert stream["file"].tolist() == whole["file"].tolist() and (stream["file"] != "").all()
    assert stream["error"].tolist() == whole["error"].tolist() and (stream["flags"] == "not-read").sum() == 2
    np.testing.assert_allclose(stream["teff"].value, whole["teff"].value, rtol=1e-5)
    assert tables[0].colnames == whole.colnames and tables[0].meta["sha256"] == model.sha256


def test_it_holds_a_batch_at_a_time_and_not_the_survey(model, instruments, tmp_path, monkeypatch):
    read, alive = [], []
    reader = type(instruments["wide"]).read

    def counted(self, path):
        read.append(path)
        return reader(self, path)

    def watched(batch):
        alive.append(weakref.ref(batch.value))
        assert sum(each() is not None for each in alive) <= 2, "batches that were answered are kept"
        return predict(batch)

    predict = model.core.predict
    monkeypatch.setattr(type(instruments["wide"]), "read", counted)
    monkeypatch.setattr(model.core, "predict", watched)
    paths = [tmp_path / f"{k}.wide" for k in range(20)]
    for k, path in enumerate(paths):
        path.write_text(f"WIDE {k} {k + 1} {k + 2}")
    tables = model.predict_stream(paths, size=6)
    next(tables)
    assert len(read) <= 3, "files are read long before they are wanted"
    assert sum(map(len, tables)) == 60 - 6 and len(alive) == 10
