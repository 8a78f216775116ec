"""Find a model by its name, file or address, check it, and keep it for the process."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING

from astropy import log

from ..errors import ModelFileError, UnknownNameError
from .foreign import refuse_folder

if TYPE_CHECKING:
    from .model import Model

#: loaded models of this process, by file hash, device and precision
_LOADED: dict[tuple[str, str, str], Model] = {}
NAMED = re.compile(r"(?P<name>[a-z0-9][a-z0-9.-]*)@(?P<revision>[0-9A-Za-z._-]+)#sha256=(?P<sha256>[0-9a-fA-F]{64})")
PINNED = re.compile(r"(?P<address>https://[^#]+)#sha256=(?P<sha256>[0-9a-fA-F]{64})")


def load_model(name_or_path: str | os.PathLike, *, device: str = "cpu", precision: str = "auto") -> Model:
    """Load a model by its registered name, its file, or a pinned address.

    Parameters
    ----------
    name_or_path : str or path
        ``"stellar-tiny"``; ``"mine.safetensors"``; or ``"https://host/file.safetensors#sha256=..."``, which is
        downloaded once into astropy's cache and verified each time. Published checkpoints whose hash is not known here
        are pinned by you: ``"some-model@REVISION#sha256=..."``.
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

    path, sha256, importer = locate(name_or_path)
    if importer:
        return _imported(path, str(sha256), importer, device, precision)
    file = open_model(path, sha256=sha256)
    key = (file.sha256, device, precision)
    if key not in _LOADED:
        _LOADED[key] = Model._from_file(file).to(device, precision=precision)
    return _LOADED[key]


def _imported(path: Path, sha256: str, importer: str, device: str, precision: str) -> Model:
    from ..registry import get_importer

    key = (sha256, device, precision)
    if key not in _LOADED:
        _LOADED[key] = get_importer(importer)(path).to(device, precision=precision)
    return _LOADED[key]


def locate(name_or_path: str | os.PathLike) -> tuple[Path, str | None, str]:
    """Find the file of a model, the SHA-256 it must have, if that is known, and the importer it needs, if any."""
    text = os.fspath(name_or_path)
    if text.startswith("http:"):
        raise ModelFileError(f"{text}: models are only downloaded over https")
    if text.startswith("https:"):
        match = PINNED.fullmatch(text)
        if not match:
            raise ModelFileError(f"{text} has no hash to trust it by: write it as https://...#sha256=<64 digits>, as the "
                                 "model's authors give it")
        return download(match["address"], match["sha256"]), match["sha256"], ""
    if match := NAMED.fullmatch(text):
        return _registered(match["name"], match["revision"], match["sha256"].lower())
    path = Path(text)
    if path.is_dir():
        refuse_folder(path)
    if path.is_file():
        return path, None, ""
    if "#" in text:
        raise ModelFileError(f"{text} pins a model in a way that is not understood: write NAME@REVISION#sha256=<64 "
                             "hexadecimal digits>")
    if path.suffix or len(path.parts) > 1:
        raise ModelFileError(f"there is no model file {text}: check the path, or name a model (`astrofm models`)")
    return _registered(text)


def _registered(name: str, revision: str = "", sha256: str = "") -> tuple[Path, str, str]:
    from ..registry import model_card

    card = model_card(name)
    if card.location.startswith("https:"):
        revision, sha256 = revision or card.revision, sha256 or card.sha256
        if not sha256 or ("{revision}" in card.location and not revision):
            raise ModelFileError(
                f"{name!r} is published at {card.location} (licence: {card.license or 'none given'}), and no version of it "
                "is pinned here. Look up the revision (commit) and the file's SHA-256 on that site and say "
                f"load_model(\"{name}@REVISION#sha256=<64 digits>\"); or download it and use `astrofm import-weights`")
        log.info(f"{name}: {card.summary}; licence {card.license or 'not given'}; please cite "
                 f"{card.reference or card.location}")
        addresses = [address.replace("{revision}", revision) for address in (card.location, *card.also)]
        return _download_one(addresses, sha256, card.importer), sha256, card.importer
    package, _, inside = card.location.partition(":")
    try:
        path = Path(str(files(package).joinpath(inside)))
    except ModuleNotFoundError as error:
        raise UnknownNameError(f"model {name!r} lies in package {package!r}, which is not installed") from error
    if not path.is_file():
        raise ModelFileError(f"model {name!r} should be in {path} and is not: reinstall {package.split('.')[0]}")
    return path, card.sha256, card.importer


def _download_one(addresses: Sequence[str], sha256: str, importer: str) -> Path:
    """Download a file from the first address that has it."""
    reasons = []
    for address in addresses:
        try:
            return download(address, sha256, importer)
        except ModelFileError as error:
            reasons.append(error)
    if len(reasons) == 1:
        raise reasons[0]
    raise ModelFileError(" And ".join(map(str, reasons))) from reasons[-1]


def download(address: str, sha256: str, importer: str = "") -> Path:
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
        then = f"say `astrofm import-weights {importer} FILE -o MODEL`, and load MODEL" if importer else \
            "give the file's path instead"
        raise ModelFileError(f"{address} cannot be downloaded ({error}): if this machine is offline, download it "
                             f"elsewhere and {then}") from error
    with path.open("rb") as stream:
        digest = hashlib.file_digest(stream, "sha256").hexdigest()
    if digest != sha256.lower():
        clear_download_cache(address, pkgname="astrofm")
        raise ModelFileError(f"{address} gave a file with SHA-256 {digest}, expected {sha256}: it was not kept. Try "
                             "again, or ask the model's authors")
    return path
