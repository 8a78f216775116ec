"""Files that are no model of ours: what they are, and what to do with them."""

from __future__ import annotations

from pathlib import Path

from ..errors import ModelFileError

#: how the files begin that people take for models
ZIP, PICKLE = b"PK\x03\x04", b"\x80"
PROTOCOLS = range(2, 6)
IMPORT = "import it: astrofm import-weights IMPORTER {path} -o MODEL (`astrofm plugins` lists the importers)"


def refuse_foreign(path: Path, start: bytes) -> None:
    """Raise an error where the first bytes of a file are those of another kind of model.

    Raises
    ------
    ModelFileError
        A torch checkpoint, another archive, or a pickle.
    """
    advice = IMPORT.format(path=path)
    if start.startswith(ZIP):
        raise ModelFileError(f"{path} is a zip archive, as torch writes checkpoints, and no model of astrofm: {advice}")
    if start.startswith(PICKLE) and len(start) > 1 and start[1] in PROTOCOLS:
        raise ModelFileError(f"{path} is a pickle, which is a program and is never loaded: if it is a published checkpoint, "
                             f"{advice}")


def refuse_folder(path: Path) -> None:
    """Raise an error for a folder that is given as a model.

    Raises
    ------
    ModelFileError
        Always.
    """
    raise ModelFileError(f"{path} is a folder, and a model of astrofm is one file (.safetensors): name the file in it; if it "
                         f"holds published weights, {IMPORT.format(path=path)}")
