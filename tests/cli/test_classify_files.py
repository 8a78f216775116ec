"""``astrofm classify``: the rows of `Model.classify`, for files."""

import json

import numpy as np
import pytest
from astropy.table import QTable, Table

from astrofm.cli import main
from astrofm.models import Model


@pytest.fixture
def measured(model_file, instruments, tmp_path):
    """Give the small model with classes measured on 80 stars."""
    stars = [instruments["wide"].example(seed) for seed in range(80)]
    truth = np.random.default_rng(0).choice(["A", "F", "G"], 80)
    made = Model.load(model_file).calibrate(stars, Table({"spectral_type": truth}))
    return made.save(tmp_path / "measured.safetensors")


def run(folder, model, out, *more):
    return main(["classify", str(folder), "-m", str(model), "-o", str(out), "--no-progress", *more])


@pytest.mark.parametrize("suffix", ["ecsv", "fits", "parquet"])
def test_a_row_a_star_bad_files_too(suffix, folder, measured, tmp_path):
    if suffix == "parquet":
        pytest.importorskip("pyarrow")
    assert run(folder, measured, tmp_path / f"out.{suffix}", "--coverage", "0.8") == 0
    if suffix == "parquet":
        import pyarrow.parquet

        found = pyarrow.parquet.read_table(tmp_path / "out.parquet")
        read = {name: found[name].to_pylist() for name in found.column_names}
    else:
        table = QTable.read(tmp_path / f"out.{suffix}")
        read = {name: [str(x).strip() if x is not np.ma.masked else "" for x in table[name]] for name in table.colnames}
    files = [folder / f"{k:02d}.wide" for k in range(12)]
    expected = Model.load(measured).classify(files, coverage=0.8)
    assert list(read) == expected.colnames
    for name in ("spectral_type", "spectral_type_set", "spectral_type_1", "id"):
        assert [one or "" for one in read[name]] == expected[name].tolist()
    bad = ["not-read" in flags for flags in expected["flags"]]
    assert sum(bad) == 2 and all(expected["spectral_type"][bad] == "")


def test_a_job_is_gone_on_with_for_the_same_coverage_only(folder, measured, tmp_path, capsys):
    out = tmp_path / "out.ecsv"
    run(folder, measured, out)
    (tmp_path / "out.ecsv.part").mkdir()
    job = {"verb": "classify", "asked": {"coverage": "0.5"}}
    (tmp_path / "out.ecsv.part" / "manifest.json").write_text(json.dumps(job))
    out.unlink()
    assert run(folder, measured, out) == 1
    assert "was begun" in capsys.readouterr().err


@pytest.mark.parametrize(("more", "message"), [(["--coverage", "2"], "coverage is 2"),
                                               (["--false-alarm", "-1"], "false_alarm")])
def test_wrong_options_are_refused_before_any_work(more, message, folder, measured, tmp_path, capsys):
    assert run(folder, measured, tmp_path / "out.ecsv", *more) == 1
    assert message in capsys.readouterr().err and not list(tmp_path.glob("out*"))


def test_the_card_is_shown_with_what_was_measured(measured, capsys):
    assert main(["show", str(measured)]) == 0
    assert "classes of 80 stars" in capsys.readouterr().out
