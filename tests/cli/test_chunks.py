"""Chunks joined into one table hold what was in them, whatever broke off between two of them."""

from types import SimpleNamespace

import numpy as np
import pytest
from astropy.table import QTable
from test_verbs_on_files import Interrupting, run

from astrofm.cli import formats
from astrofm.models import pieces, streams
from astrofm.models.answers import FIRST, LAST, fill

JOB = SimpleNamespace(columns=(*FIRST, *LAST), meta={"model": "small"}, extra={})


def _joined(folder, form, chunks):
    if form == "parquet":
        pytest.importorskip("pyarrow")
    paths = [folder / f"{k}{formats.chunk_suffix(form)}" for k in range(len(chunks))]
    for path, failed in zip(paths, chunks, strict=True):
        piece = pieces.Piece(None, np.zeros(0, int), {row: pieces.Failure(*told) for row, told in failed.items()})
        formats.write_chunk(path, JOB, fill(JOB.columns, len(piece), [(piece, {})]), form=form)
    out = folder / f"out{formats.SUFFIX[form]}"
    formats.join(out, form, JOB, paths)
    return QTable.read(out, hdu=1) if form == "fits" else QTable.read(out)


def _text(column):
    return [one.decode() if isinstance(one, bytes) else str(one) for one in column]


@pytest.mark.parametrize("form", ["ecsv", "fits", "parquet"])
def test_names_that_are_not_ascii_do_not_shift_the_rows_of_another_chunk(form, tmp_path):
    table = _joined(tmp_path, form, [{0: ("abc", "bad"), 1: ("d", "bad")}, {0: ("été", "worse"), 1: ("e", "bad")}])
    name = "\\xe9t\\xe9" if form == "fits" else "été"
    assert _text(table["file"]) == ["abc", "d", name, "e"]
    assert _text(table["error"]) == ["bad", "bad", "worse", "bad"]
    assert list(table["n_bad"]) == [-1] * 4


@pytest.mark.parametrize("form", ["ecsv", "fits", "parquet"])
def test_a_message_of_several_lines_stays_in_its_row(form, tmp_path):
    table = _joined(tmp_path, form, [{0: ("a", "one\n# two\n\"three\"")}, {0: ("b", "four\r\nfive")}])
    assert _text(table["error"]) == ['one # two "three"', "four five"]


@pytest.mark.parametrize("damage", ["torn", "twice"])
def test_a_log_that_was_cut_or_written_twice_loses_and_doubles_nothing(damage, folder, model_file, tmp_path, monkeypatch):
    out = tmp_path / "out.ecsv"
    with monkeypatch.context() as patch:
        patch.setattr(streams, "stream", Interrupting(3))
        assert run("predict", folder, model_file, out, "--size", "2") == 130
    log = tmp_path / "out.ecsv.part" / "done.jsonl"
    line = log.read_text().splitlines()[-1]
    log.write_text(log.read_text() + (line[:20] if damage == "torn" else line + "\n"))
    with monkeypatch.context() as patch:  # what is appended after the damage must count, too
        patch.setattr(streams, "stream", Interrupting(1))
        assert run("predict", folder, model_file, out, "--size", "2") == 130
    assert run("predict", folder, model_file, out, "--size", "2") == 0
    run("predict", folder, model_file, tmp_path / "whole.ecsv", "--size", "2")
    assert list(QTable.read(out)["file"]) == list(QTable.read(tmp_path / "whole.ecsv")["file"])
