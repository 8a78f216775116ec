"""One file is a model: exact, checked before anything is built, and never half written."""

import json
import pickle
import struct
import subprocess
import sys

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from astrofm.errors import ModelFileError, OutputError, UnknownNameError
from astrofm.models import Model, load_model, read_card


@pytest.fixture
def saved(model, tmp_path):
    return model.save(tmp_path / "small.safetensors")


def test_a_saved_model_gives_the_very_same_numbers(model, saved, stars):
    again = Model.load(saved)
    for verb in ("embed", "predict"):
        a, b = getattr(model, verb)(stars), getattr(again, verb)(stars)
        if verb == "predict":
            assert a.colnames == b.colnames
            a, b = a["teff"].value, b["teff"].value
        np.testing.assert_array_equal(a, b)
    np.testing.assert_array_equal(model.translate(stars[0], to="coarse").flux,
                                  again.translate(stars[0], to="coarse").flux)
    assert again.sha256 == model.sha256
    assert again.save(saved.with_name("again.safetensors")).read_bytes() == saved.read_bytes()


def test_half_precision_is_half_the_file_and_loads_as_float32(model, saved, tmp_path, stars):
    half = model.save(tmp_path / "half.safetensors", dtype="float16")
    assert half.stat().st_size < 0.7 * saved.stat().st_size
    again = Model.load(half)
    assert all(p.dtype == torch.float32 for p in again.encoder.parameters())
    np.testing.assert_allclose(again.predict(stars)["teff"], model.predict(stars)["teff"], rtol=0.02)


def test_a_file_is_not_overwritten_unasked_nor_left_half(model, saved, tmp_path):
    before = saved.read_bytes()
    with pytest.raises(OutputError, match="exists already"):
        model.save(saved)
    assert saved.read_bytes() == before
    model.save(saved, overwrite=True)
    with pytest.raises(OutputError, match="cannot be written"):
        model.save(tmp_path / "nowhere" / "x.safetensors")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["small.safetensors"]


def test_the_card_is_read_without_torch(saved):
    code = (f"import sys; from astrofm.models import read_card; card = read_card({str(saved)!r}); "
            "print(card['name'], 'torch' in sys.modules)")
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["small", "False"]


def test_the_card_says_what_the_model_is(saved):
    card = read_card(saved)
    assert card["parts"]["encoder"]["name"] == "any-wavelength"
    assert [label["name"] for label in card["labels"]] == ["teff", "logg", "spectral_type"]
    assert card["instruments"]["wide"]["grid"]["n"] == 1200 and card["instruments"]["coarse"]["calibration"] == "absolute"


def _rewrite(path, change):
    """Change the card and tensors of a model file."""
    tensors = load_file(path)
    card = read_card(path)
    change(card, tensors)
    save_file(tensors, path, {"astrofm": json.dumps(card)})


CHANGES = {
    "another version": (lambda card, tensors: card.update(format=99), "format version 99"),
    "no name": (lambda card, tensors: card.pop("name"), "has no 'name'"),
    "unknown part": (lambda card, tensors: card["parts"]["encoder"].update(name="nonesuch"), "not installed"),
    "bad arguments": (lambda card, tensors: card["parts"]["encoder"]["arguments"].update(flavour=3), "cannot be built"),
    "a tensor less": (lambda card, tensors: tensors.pop("encoder.project.bias"), "lacks tensor 'encoder.project.bias'"),
    "a tensor more": (lambda card, tensors: tensors.update(extra=torch.zeros(2)), "'extra'"),
    "another shape": (lambda card, tensors: tensors.update({"encoder.project.bias": torch.zeros(3)}), "has shape"),
    "a list as calibration": (lambda card, tensors: card.update(calibration=[1.0]), "list as 'calibration'"),
    "a word as a scale": (lambda card, tensors: card.update(calibration={"*": {"teff": "2"}}), "numbers are needed"),
    "one wavelength": (lambda card, tensors: card.update(wavelengths=[3700.0]), "numbers are needed"),
    "a label without a name": (lambda card, tensors: card["labels"].append({}), "has no name"),
    "another kind": (lambda card, tensors: tensors.update({"encoder.project.bias": torch.zeros(12, dtype=torch.int32)}),
                     "needs"),
}


@pytest.mark.parametrize(("change", "message"), CHANGES.values(), ids=CHANGES)
def test_a_file_that_is_not_right_is_refused_in_words(change, message, saved):
    _rewrite(saved, change)
    with pytest.raises(ModelFileError, match=message) as caught:
        Model.load(saved)
    assert str(saved) in str(caught.value)


@pytest.mark.parametrize("cut", [0, 5, 8, 100, 5000, -1000, -1])
def test_a_truncated_file_is_refused(cut, saved):
    saved.write_bytes(saved.read_bytes()[:cut])
    with pytest.raises(ModelFileError):
        Model.load(saved)


@pytest.mark.parametrize("data", [struct.pack("<Q", 2**62) + b"{}", b"\x80\x04cos\nsystem\n", b"PK\x03\x04torch",
                                  struct.pack("<Q", 2) + b"[]", struct.pack("<Q", 2) + b"{}"])
def test_what_is_no_model_is_refused_and_runs_nothing(data, tmp_path):
    path = tmp_path / "evil.safetensors"
    path.write_bytes(data)
    with pytest.raises(ModelFileError):
        Model.load(path)
    with pytest.raises(ModelFileError):
        read_card(path)


def test_one_flipped_bit_is_found_by_the_hash(model, saved):
    data = bytearray(saved.read_bytes())
    data[-100] ^= 1
    other = saved.with_name("flipped.safetensors")
    other.write_bytes(data)
    with pytest.raises(ModelFileError, match="SHA-256"):
        Model.load(other, sha256=model.sha256)
    assert Model.load(saved, sha256=model.sha256).name == "small"


@pytest.mark.parametrize(("name", "error", "message"), [
    ("nonesuch", UnknownNameError, "no model named 'nonesuch'"),
    ("nowhere/x.safetensors", ModelFileError, "there is no model file"),
    ("http://x.y/z.safetensors", ModelFileError, "https"),
    ("https://x.y/z.safetensors", ModelFileError, "no hash")])
def test_models_that_are_not_there_say_what_to_do(name, error, message):
    with pytest.raises(error, match=message):
        load_model(name)


def test_a_model_is_loaded_once(saved):
    assert load_model(saved) is load_model(str(saved))


@pytest.mark.parametrize(("write", "says"), [
    (lambda path: torch.save({"state_dict": {}}, path), "is a zip archive, as torch writes checkpoints"),
    (lambda path: torch.save({"state_dict": {}}, path, _use_new_zipfile_serialization=False), "is a pickle"),
    (lambda path: path.write_bytes(pickle.dumps({"a": list(range(99))})), "is a pickle, which is a program"),
    (lambda path: save_file({"a": torch.ones(2)}, path), "without an astrofm card"),
    (lambda path: path.mkdir(), "is a folder")])
def test_weights_of_others_are_told_from_damage_and_imported(write, says, tmp_path):
    path = tmp_path / "given.ckpt"
    write(path)
    for ask in (load_model, read_card) if path.is_file() else (load_model,):
        with pytest.raises(ModelFileError, match=f"{says}.*astrofm import-weights IMPORTER .*given.ckpt -o MODEL"):
            ask(path)


@pytest.mark.parametrize("name", ["some-model@main#sha256=zz", "some-model#sha256=" + "0" * 64])
def test_a_pin_that_is_none_asks_for_the_digits(name):
    with pytest.raises(ModelFileError, match="write NAME@REVISION#sha256=<64 hexa"):
        load_model(name)


def test_a_file_whose_name_has_a_hash_is_a_file(model, tmp_path):
    assert load_model(model.save(tmp_path / "mine#2.safetensors")).sha256
