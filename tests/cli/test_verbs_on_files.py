"""The command does many files in order, keeps what is done, resumes only the same job, and refuses early."""

import json

import numpy as np
import pytest
from astropy.table import QTable

from astrofm.cli import main
from astrofm.models import streams


def run(verb, folder, model_file, out, *more):
    return main([verb, str(folder), "-m", str(model_file), "-o", str(out), "--no-progress", *more])


@pytest.mark.parametrize("suffix", ["ecsv", "fits", "parquet"])
def test_a_folder_becomes_a_table_with_a_row_for_every_star_and_every_bad_file(suffix, folder, model_file, tmp_path):
    if suffix == "parquet":
        pytest.importorskip("pyarrow")
    out = tmp_path / f"out.{suffix}"
    assert run("predict", folder, model_file, out) == 0
    table = QTable.read(out) if suffix != "fits" else QTable.read(out, hdu=1)
    text = {name: [one.decode() if isinstance(one, bytes) else str(one) for one in table[name]]
            for name in ("id", "file", "flags")}
    assert [name[-7:-5] for name in text["file"]] == ["00", "01", "02", "03", "03", *(f"{k:02d}" for k in range(4, 12))]
    assert [one for one in text["id"] if one not in ("", "--")] == [
        f"example-{k}" for k in (0, 1, 2, 3, 33, 4, 6, 8, 9, 10, 11)]
    bad = ["not-read" in flags for flags in text["flags"]]
    assert np.flatnonzero(bad).tolist() == [6, 8]
    assert np.isfinite(table["teff"].value[~np.array(bad)]).all() and str(table["teff"].unit) == "K"
    assert not (tmp_path / f"out.{suffix}.part").exists()


def test_size_of_batches_and_shards_do_not_change_the_answer(folder, model_file, tmp_path):
    run("predict", folder, model_file, tmp_path / "one.ecsv")
    run("predict", folder, model_file, tmp_path / "small.ecsv", "--size", "2")
    for k in (1, 2, 3):
        run("predict", folder, model_file, tmp_path / f"shard{k}.ecsv", "--shard", f"{k}/3")
    one, small = (QTable.read(tmp_path / f"{name}.ecsv") for name in ("one", "small"))
    shards = np.concatenate([QTable.read(tmp_path / f"shard{k}.ecsv")["teff"].value for k in (1, 2, 3)])
    np.testing.assert_allclose(one["teff"].value, small["teff"].value, rtol=0.02)
    np.testing.assert_allclose(one["teff"].value, shards, rtol=0.02)


class Interrupting:
    """Stands for Ctrl-C after some pieces."""

    def __init__(self, after):
        self.after, self.real = after, streams.stream

    def __call__(self, *arguments, **named):
        for number, piece in enumerate(self.real(*arguments, **named)):
            if number == self.after:
                raise KeyboardInterrupt
            yield piece


@pytest.mark.parametrize("after", [0, 1, 3])
def test_an_interrupted_run_keeps_what_is_done_and_goes_on(after, folder, model_file, tmp_path, monkeypatch, capsys):
    run("predict", folder, model_file, tmp_path / "whole.ecsv", "--size", "2")
    out = tmp_path / "out.ecsv"
    with monkeypatch.context() as patch:
        patch.setattr(streams, "stream", Interrupting(after))
        assert run("predict", folder, model_file, out, "--size", "2") == 130
    assert "are kept in" in capsys.readouterr().err and not out.exists()
    assert run("predict", folder, model_file, out, "--size", "2") == 0
    whole, resumed = QTable.read(tmp_path / "whole.ecsv"), QTable.read(out)
    assert list(whole["file"]) == list(resumed["file"]) and list(whole["id"]) == list(resumed["id"])
    np.testing.assert_allclose(whole["teff"].value, resumed["teff"].value, rtol=0.02)


def test_rows_of_two_models_are_never_mixed(folder, model_file, tmp_path, monkeypatch, capsys):
    out = tmp_path / "out.ecsv"
    with monkeypatch.context() as patch:
        patch.setattr(streams, "stream", Interrupting(2))
        run("predict", folder, model_file, out, "--size", "2")
    from model_fakes import make_model

    other = make_model(notes="another").save(tmp_path / "other.safetensors")
    assert run("predict", folder, other, out) == 1
    assert "another model" in capsys.readouterr().err
    assert run("predict", folder, other, out, "--overwrite") == 0


def test_an_output_that_exists_or_cannot_be_written_is_refused_before_work(folder, model_file, tmp_path, capsys):
    out = tmp_path / "out.ecsv"
    out.write_text("precious")
    for path, words in ((out, "exists already"), (tmp_path / "no" / "out.ecsv", "no folder"), (tmp_path, "written as"),
                        (tmp_path / "out.xls", "written as")):
        assert run("predict", folder, model_file, path) == 1
        message = capsys.readouterr().err
        assert words in message and "Traceback" not in message
    assert out.read_text() == "precious"


def test_an_empty_folder_and_files_of_nobody_are_told(model_file, tmp_path, capsys):
    empty = tmp_path / "empty"
    empty.mkdir()
    assert run("predict", empty, model_file, tmp_path / "out.ecsv") == 1
    assert "holds no files" in capsys.readouterr().err
    (empty / "x.txt").write_text("hello")
    assert run("predict", empty, model_file, tmp_path / "out.ecsv") == 1
    assert "nothing could be done with any of the files" in capsys.readouterr().err


def test_stars_that_the_model_does_not_reach_and_folders_passed_by_are_told_at_the_end(folder, instruments, tmp_path, capsys):
    from model_fakes import make_model

    model_file = make_model(wavelengths=[20.0, 30.0]).save(tmp_path / "elsewhere.safetensors")
    (folder / "deeper").mkdir()
    (folder / "deeper" / "01.wide").write_text("WIDE 1")
    assert run("predict", folder, model_file, tmp_path / "out.ecsv") == 0
    told = capsys.readouterr().err
    assert f"{folder} holds 1 folder besides its files, passed by: say --recursive" in told
    assert "11 of them have most of their pixels outside 20-30 Angstrom, where small was trained" in told
    assert run("predict", folder, model_file, tmp_path / "all.ecsv", "--recursive") == 0
    assert "passed by" not in capsys.readouterr().err


def test_embeddings_have_a_column_of_fixed_width(folder, model_file, tmp_path):
    assert run("embed", folder, model_file, tmp_path / "out.fits") == 0
    table = QTable.read(tmp_path / "out.fits", hdu=1)
    assert table["embedding"].shape == (13, 10)
    embedding = np.ma.filled(table["embedding"], np.nan)
    assert np.isnan(embedding[6]).all() and np.isfinite(embedding[0]).all()


def test_translations_are_a_table_of_spectra_with_their_wavelengths(folder, model_file, tmp_path, capsys):
    assert run("translate", folder, model_file, tmp_path / "out.fits", "--to", "coarse") == 0
    table, wave = (QTable.read(tmp_path / "out.fits", hdu=k) for k in (1, 2))
    assert table["flux"].shape == (13, 60) and len(wave["wavelength"]) == 60
    assert table["calibration"][0] == "relative" and str(table["unit"][0]) in ("", "--")
    assert not table["mask"][0].any() and table["mask"][6].all()
    assert run("translate", folder, model_file, tmp_path / "out.ecsv", "--to", "coarse") == 1
    assert "written as fits" in capsys.readouterr().err


def test_a_wrong_model_is_told_without_a_traceback(folder, tmp_path, capsys):
    (tmp_path / "bad.safetensors").write_bytes(b"nonsense")
    assert run("predict", folder, tmp_path / "bad.safetensors", tmp_path / "out.ecsv") == 1
    message = capsys.readouterr().err
    assert message.startswith("astrofm: ") and "not a model file" in message
    assert not (tmp_path / "out.ecsv").exists()


def test_the_listing_commands_say_what_is_there(folder, model_file, capsys):
    assert main(["plugins"]) == 0
    assert "instrument wide" in capsys.readouterr().out
    assert main(["identify", str(folder / "00.wide"), str(folder / "07.wide")]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].endswith(": wide") and "no installed instrument knows" in lines[1]
    assert main(["show", str(model_file)]) == 0
    assert "trained on 3000 to 9000 K" in capsys.readouterr().out
    assert main(["show", str(model_file), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["name"] == "small"
    assert main(["cite", "any-wavelength"]) == 0
    assert "arXiv" in capsys.readouterr().out
    assert main(["cite", "nonesuch"]) == 1
    assert main(["models"]) == 0


@pytest.mark.parametrize(("verb", "both"), [("classify", True), ("search", True), ("translate", False)])
def test_help_says_light_curves_where_they_are_taken(verb, both, capsys):
    assert main([verb, "--help"]) == 0
    assert ("light curves" in capsys.readouterr().out.split("FILES-or-FOLDER")[-1].split("options")[0]) == both


def test_wrong_words_are_told(capsys):
    assert main([]) == 2
    assert main(["predict"]) == 2
    assert main(["frobnicate"]) == 2
    assert main(["--version"]) == 0
