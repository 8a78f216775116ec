"""Find a model by its name, file or address, check it, and keep it for the process."""

from __future__ import annotations

import os
import re
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import ModelFileError, UnknownNameError

if TYPE_CHECKING:
    from .model import Model

#: loaded models of this process, by file hash, device and precision
_LOADED: dict[tuple[str, str, str], Model] = {}
PINNED = re.compile(r"(?P<address>https://[^#]+)#sha256=(?P<sha256>[0-9a-fA-F]{64})")


def load_model(name_or_path: str | os.PathLike, *, device: str = "cpu", precision: str = "auto") -> Model:
    """Load a model by its registered name, its file, or a pinned address.

    Parameters
    ----------
    name_or_path : str or path
        ``"stellar-tiny"``; ``"mine.safetensors"``; or ``"https://host/file.safetensors#sha256=..."``, which is
        downloaded once into astropy's cache and verified each time.
    device, precision : str
        As for `Model.to`.

    Returns
    -------
    Model
        The same one each time in a process, as long as the file is the same.

    Raises
    ------
    UnknownNameError
        No plugin offers a model of that name, and there is no such file.
    ModelFileError
        The file is damaged, altered, or can't be had.
    """
    from .files import open_model
    from .model import Model

    path, sha256 = locate(name_or_path)
    file = open_model(path, sha256=sha256)
    key = (file.sha256, device, precision)
    if key not in _LOADED:
        _LOADED[key] = Model._from_file(file).to(device, precision=precision)
    return _LOADED[key]


def locate(name_or_path: str | os.PathLike) -> tuple[Path, str | None]:
    """Find the file of a model, and the SHA-256 it must have, if that is known."""
    text = os.fspath(name_or_path)
    if text.startswith("http:"):
        raise ModelFileError(f"{text}: models are only downloaded over https")
    if text.startswith("https:"):
        match = PINNED.fullmatch(text)
        if not match:
            raise ModelFileError(f"{text} has no hash to trust it by: write it as https://...#sha256=<64 digits>, as the "
                                 "model's authors give it")
        return download(match["address"], match["sha256"]), match["sha256"]
    path = Path(text)
    if path.is_file():
        return path, None
    if path.suffix or len(path.parts) > 1:
        raise ModelFileError(f"there is no model file {text}: check the path, or name a model (`astrofm models`)")
    return _registered(text)


def _registered(name: str) -> tuple[Path, str]:
    from ..registry import model_card

    card = model_card(name)
    if card.location.startswith("https:"):
        return download(card.location, card.sha256), card.sha256
    package, _, inside = card.location.partition(":")
    try:
        path = Path(str(files(package).joinpath(inside)))
    except ModuleNotFoundError as error:
        raise UnknownNameError(f"model {name!r} lies in package {package!r}, which is not installed") from error
    if not path.is_file():
        raise ModelFileError(f"model {name!r} should be in {path} and is not: reinstall {package.split('.')[0]}")
    return path, card.sha256


def download(address: str, sha256: str) -> Path:
    """Download a file into astropy's cache, or find it there, and verify it.

    Raises
    ------
    ModelFileError
        There is no network or no such file, or it is another file than it should be.
    """
    import hashlib

    from astropy.utils.data import clear_download_cache, download_file

    try:
        path = Path(download_file(address, cache=True, pkgname="astrofm", show_progress=False))
    except OSError as error:
        raise ModelFileError(f"{address} cannot be downloaded ({error}): if this machine is offline, download it "
                             "elsewhere and give the file's path instead") from error
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    if digest != sha256.lower():
        clear_download_cache(address, pkgname="astrofm")
        raise ModelFileError(f"{address} gave a file with SHA-256 {digest}, expected {sha256}: it was not kept. Try "
                             "again, or ask the model's authors")
    return path
