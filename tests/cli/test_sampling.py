"""``astrofm sample`` writes what files hold, with labels and stars of a table, and goes on where it stopped."""

import sys

import numpy as np
import pytest
from astropy.table import MaskedColumn, Table

from astrofm.cli import main, sampling
from astrofm.models.inputs import to_sample
from astrofm.training import ShardedData


def sample(folder, out, *more):
    return main(["sample", str(folder), "-o", str(out), *map(str, more)])


def test_files_become_shards_in_order_and_bad_ones_are_named(folder, instruments, tmp_path, capsys):
    out = tmp_path / "set"
    assert sample(folder, out, "--size", 4) == 0
    told = capsys.readouterr()
    assert "05.wide" in told.err and "07.wide" in told.err and "11 stars of wide in" in told.out
    data = ShardedData.open(out, verify=True)
    batch = data.batch("wide", np.arange(11))
    assert batch.meta["id"] == [f"example-{k}" for k in (0, 1, 2, 3, 33, 4, 6, 8, 9, 10, 11)]
    expected = to_sample(instruments["wide"].example(33))
    np.testing.assert_array_equal(batch.value[4], expected.value)
    np.testing.assert_array_equal(batch.error[4], expected.error)
    np.testing.assert_array_equal(batch.mask[4], expected.mask)
    np.testing.assert_array_equal(batch.coordinate, expected.coordinate)


def test_a_table_brings_labels_and_says_whose_spectra_belong_together(folder, instruments, tmp_path):
    table = Table({"obsid": [f"example-{k}" for k in (0, 1, 2, 3)], "gaia": [77, 77, 78, 2**60 + 1],
                   "teff": MaskedColumn([5000.0, 5100.0, 6000.0, 7000.0], mask=[0, 0, 1, 0]), "note": ["a", "b", "c", "d"]})
    table.write(tmp_path / "labels.ecsv")
    assert sample(folder, tmp_path / "set", "--table", tmp_path / "labels.ecsv", "--key", "obsid", "--star", "gaia") == 0
    data = ShardedData.open(tmp_path / "set")
    assert data.stars["wide"][:5].tolist() == ["77", "77", "78", str(2**60 + 1), "example-33"]
    teff = data.column("wide", "teff")
    assert teff[:2].tolist() == [5000, 5100] and teff[3] == 7000 and np.isnan(teff[[2, 4]]).all()
    assert data.batch("wide", np.arange(5)).meta["note"] == ["a", "b", "c", "d", ""]


def test_interrupted_the_same_command_goes_on_to_the_same_set(folder, instruments, tmp_path, monkeypatch, capsys):
    assert sample(folder, tmp_path / "whole", "--size", 3) == 0
    pieces = sampling._from_files

    def broken(files, start, labels):
        for count, piece in enumerate(pieces(files, start, labels)):
            if count == 2:
                raise KeyboardInterrupt
            yield piece

    monkeypatch.setattr(sampling, "_from_files", broken)
    assert sample(folder, tmp_path / "again", "--size", 3) == 130
    assert "run the same command again" in capsys.readouterr().err
    monkeypatch.undo()
    assert sample(folder, tmp_path / "again", "--size", 3) == 0
    one, two = (ShardedData.open(tmp_path / name) for name in ("whole", "again"))
    assert one.stars["wide"].tolist() == two.stars["wide"].tolist()
    rows = np.arange(11)
    np.testing.assert_array_equal(one.batch("wide", rows).value, two.batch("wide", rows).value)


@pytest.mark.parametrize(("words", "message"), [
    ([], "say which files to sample"), (["--simulate", "5"], "--through names"),
    (["--simulate", "0", "--through", "a"], "1 or more"),
    (["FOLDER", "--simulate", "5", "--through", "wide"], "say which files to sample"),
    (["FOLDER", "--size", "0"], "1 or more"),
    (["FOLDER", "--table", "no.ecsv"], "can't be read as a table"), (["FOLDER", "--table", "TABLE"], "has no column 'id'"),
    (["FOLDER", "--table", "TWICE"], "has an id twice"), (["FOLDER/07.wide"], "none of the 1 files")])
def test_what_can_not_be_sampled_is_told(words, message, folder, instruments, tmp_path, capsys):
    Table({"a": [1]}).write(tmp_path / "t.ecsv")
    Table({"id": ["x", "x"]}).write(tmp_path / "u.ecsv")
    names = {"FOLDER": str(folder), "TABLE": str(tmp_path / "t.ecsv"), "TWICE": str(tmp_path / "u.ecsv"),
             "FOLDER/07.wide": str(folder / "07.wide")}
    assert main(["sample", *(names.get(word, word) for word in words), "-o", str(tmp_path / "set")]) == 1
    assert message in capsys.readouterr().err


def test_without_the_simulated_sky_it_says_what_to_install(monkeypatch, tmp_path, capsys):
    monkeypatch.setitem(sys.modules, "astrofm_sky", None)
    assert main(["sample", "--simulate", "3", "--through", "wide", "-o", str(tmp_path / "set")]) == 1
    assert "pip install astrofm-sky" in capsys.readouterr().err
