"""``astrofm index`` and ``search`` from files to neighbours."""

import numpy as np
import pytest
from astropy.table import QTable

from astrofm.cli import main
from astrofm.search import Index


def test_files_are_indexed_and_find_themselves(folder, model_file, tmp_path, capsys):
    index, out = tmp_path / "night.safetensors", tmp_path / "found.ecsv"
    assert main(["index", str(folder), "-m", str(model_file), "-o", str(index)]) == 0
    assert "11 stars by small; 2 rows say" in capsys.readouterr().err
    assert len(Index.load(index)) == 13
    assert main(["search", str(folder), "--index", str(index), "-m", str(model_file), "-k", "2", "-o", str(out)]) == 0
    assert "left out" in capsys.readouterr().err
    found = QTable.read(out)
    first = found[np.arange(0, len(found), 2)]
    assert len(found) == 22 and first["id"].tolist() == first["query_id"].tolist()
    assert first["file"].tolist() == first["query_file"].tolist()
    np.testing.assert_allclose(first["similarity"], 1.0, atol=1e-5)


def test_without_a_file_the_neighbours_are_printed(folder, model_file, tmp_path, capsys):
    index = tmp_path / "night.safetensors"
    main(["index", str(folder), "-m", str(model_file), "-o", str(index)])
    assert main(["search", str(folder / "04.wide"), "--index", str(index), "-m", str(model_file), "-k", "1"]) == 0
    assert "example-4" in capsys.readouterr().out


@pytest.mark.parametrize("form", ["ecsv", "fits", "parquet"])
def test_neighbours_of_every_form_of_table(folder, model_file, tmp_path, form, monkeypatch):
    if form == "parquet":
        pytest.importorskip("pyarrow")
    monkeypatch.chdir(tmp_path)
    night = folder.rename(tmp_path / "ночь")
    out = tmp_path / "found"
    assert main(["index", "ночь", "-m", str(model_file), "-o", "i.safetensors"]) == 0
    assert main(["search", "ночь/04.wide", "--index", "i.safetensors", "-m", str(model_file), "-k", "3", "-o", str(out),
                 "--format", form, "--instrument", "wide"]) == 0
    found = QTable.read(out, format={"ecsv": "ascii.ecsv"}.get(form, form))
    assert len(found) == 3 and str(found["id"][0]) == "example-4" and str(found["query_id"][0]) == "example-4"
    assert found["similarity"][0] == pytest.approx(1.0, abs=1e-4) and night.exists()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["found", "i.safetensors", "small.safetensors", "ночь"]


def test_errors_are_told_before_work_starts(folder, model_file, tmp_path, capsys, monkeypatch):
    index = tmp_path / "night.safetensors"
    main(["index", str(folder), "-m", str(model_file), "-o", str(index)])
    ask = [str(folder), "--index", str(index), "-m", str(model_file)]
    monkeypatch.setattr("astrofm.models.core.Core.embed", lambda *_: pytest.fail("work was started"))
    for words, message in (
            (["index", str(folder), "-m", str(model_file), "-o", str(index)], "exists already"),
            (["search", str(folder), "--index", str(tmp_path / "no.idx"), "-m", str(model_file)], "there is no index"),
            (["search", str(folder), "--index", str(index), "-m", str(model_file), "-o", "o.txt"], "written as"),
            (["search", str(folder), "--index", str(index)], "use that model"),
            (["index", str(folder), "-m", str(model_file), "-o", str(tmp_path / "no" / "i.st")], "there is no folder"),
            (["search", *ask, "-o", str(tmp_path / "no" / "o.ecsv")], "there is no folder"),
            (["search", *ask, "-k", "0"], "k is 0"),
            (["search", *ask, "--instrument", "wode"], "nothing of 'wode', only of wide"),
            (["search", str(folder / "07.wide"), "--index", str(index), "-m", str(model_file)], "none of the files")):
        capsys.readouterr()
        assert main(words) == 1
        assert message in capsys.readouterr().err
