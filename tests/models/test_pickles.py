"""Checkpoints of others are read, and nothing in them is run."""

import collections
import os
import pickle
import zipfile

import pytest
import torch

from astrofm.errors import ModelFileError
from astrofm.models.pickles import Record, read_checkpoint


def save(tmp_path, whole):
    path = tmp_path / "one.ckpt"
    torch.save(whole, path)
    return path


def test_tensors_of_all_kinds_and_shapes_come_over(tmp_path):
    whole = {"ints": torch.arange(24).reshape(2, 3, 4).transpose(0, 2), "half": torch.randn(5).half(),
             "bf16": torch.randn(3, 2).bfloat16(), "bool": torch.tensor([True, False]), "scalar": torch.tensor(3.5),
             "empty": torch.zeros(0, 4), "view": torch.arange(10.0)[3:8:2], "parameter": torch.nn.Parameter(torch.ones(2)),
             "ordered": collections.OrderedDict(a=torch.ones(1), b=[torch.zeros(2), (1, "x", None, 2.5)]), "set": {1, 2}}
    found = read_checkpoint(save(tmp_path, whole))
    for name in ("ints", "half", "bf16", "bool", "scalar", "empty", "view"):
        assert torch.equal(found[name], whole[name]) and found[name].dtype == whole[name].dtype
    assert torch.equal(found["parameter"], torch.ones(2))
    assert torch.equal(found["ordered"]["b"][0], torch.zeros(2)) and found["ordered"]["b"][1] == (1, "x", None, 2.5)
    assert found["set"] == {1, 2}


class Hostile:
    def __init__(self, do, *args):
        self.what = do, args

    def __reduce__(self):
        return self.what


@pytest.mark.parametrize("hostile", [
    lambda mark: Hostile(os.system, f"touch {mark}"), lambda mark: Hostile(eval, f"open({str(mark)!r}, 'w')"),
    lambda mark: Hostile(exec, f"open({str(mark)!r}, 'w')"), lambda mark: Hostile(os.makedirs, str(mark)),
    lambda mark: Hostile(getattr, mark, "touch")])
def test_nothing_is_run(hostile, tmp_path):
    mark = tmp_path / "mark"
    found = read_checkpoint(save(tmp_path, {"a": [hostile(mark)], "b": torch.ones(2)}))
    assert not mark.exists()
    assert isinstance(found["a"][0], Record) and found["a"][0].origin and torch.equal(found["b"], torch.ones(2))


class Bare(dict):
    """A dict of a class of its own: a pickle makes it without arguments, state or initialisation."""


def test_a_dict_of_a_class_of_its_own_becomes_a_record_of_its_pairs(tmp_path):
    found = read_checkpoint(save(tmp_path, {"empty": Bare(), "full": Bare(k=5)}))
    assert (found["empty"].args, found["empty"].state, found["empty"].items) == ((), None, [])
    assert found["full"].items == [("k", 5)] and found["full"].state is None


class Odd(list):
    def __init__(self):
        super().__init__([1, 2])
        self.inside = {"k": 5}


def test_objects_become_records_that_remember(tmp_path):
    found = read_checkpoint(save(tmp_path, {"odd": Odd(), "module": torch.nn.Linear(2, 3)}))
    assert found["odd"].items == [1, 2] and found["odd"].state == {"inside": {"k": 5}}
    assert found["module"].origin == "torch.nn.modules.linear.Linear" and found["module"].state["in_features"] == 2


def forge(tmp_path, path, change):
    """Copy a checkpoint with one of its members changed."""
    forged = tmp_path / "forged.ckpt"
    with zipfile.ZipFile(path) as old, zipfile.ZipFile(forged, "w") as new:
        for info in old.infolist():
            data = change(info.filename, old.read(info))
            if data is not None:
                new.writestr(info.filename, data)
    return forged


@pytest.mark.parametrize("change, says", [
    (lambda name, data: data[:-8] if "/data/" in name else data, "reaches beyond"),
    (lambda name, data: None if "/data/" in name else data, "KeyError"),
    (lambda name, data: b"big" if name.endswith("byteorder") else data, "big-endian"),
    (lambda name, data: data[: len(data) // 2] if name.endswith("data.pkl") else data, "damaged pickle"),
    (lambda name, data: pickle.dumps([1, 2]) if name.endswith("data.pkl") else data, "holds a list")])
def test_damage_is_told(change, says, tmp_path):
    path = save(tmp_path, {"a": torch.arange(100.0)})
    with pytest.raises(ModelFileError, match=says):
        read_checkpoint(forge(tmp_path, path, change))


def test_a_folder_is_no_checkpoint(tmp_path):
    with pytest.raises(ModelFileError, match="is a folder: name the checkpoint in it"):
        read_checkpoint(tmp_path)


def test_compressed_members_are_refused(tmp_path):
    path = tmp_path / "bomb.ckpt"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("one/data.pkl", pickle.dumps({}) + b"\0" * 10**6)
    with pytest.raises(ModelFileError, match="is compressed, which torch never does"):
        read_checkpoint(path)
