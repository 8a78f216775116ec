"""The output of a long job: refused early, kept when interrupted, resumed only for the same job, renamed when whole."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import OutputError
from . import formats

if TYPE_CHECKING:
    from .verbs import Job

#: rows of a chunk, and bytes at which it is written before that
ROWS, BYTES = 1000, 32_000_000


class Output:
    """A table that does not exist yet; everything that could stop it from being written is found here.

    Parameters
    ----------
    path : Path
    form : str, optional
        ``"ecsv"``, ``"fits"`` or ``"parquet"``; from the suffix where it is not given.
    overwrite : bool
        Replace the file, and what an interrupted run of another job left.
    forms : sequence of str, optional
        Those that can hold this table.

    Raises
    ------
    OutputError
        It exists, can't be written, or can't be of this form.
    """

    def __init__(self, path: Path, *, form: str | None = None, overwrite: bool = False,
                 forms: Sequence[str] | None = None):
        self.path, self.overwrite = Path(path), overwrite
        self.form = form or formats.of_suffix(self.path)
        if forms and self.form not in forms:
            raise OutputError(f"{path}: spectra are written as {' or '.join(forms)}, not {self.form}: name it "
                              f"{self.path.with_suffix('.' + forms[0]).name}")
        formats.check(self.form)
        if self.path.is_dir():
            raise OutputError(f"{path} is a folder: name a file in it, such as {self.path / 'out.ecsv'}")
        if self.path.exists() and not overwrite:
            raise OutputError(f"{path} exists already: choose another name, or say --overwrite")
        if not self.path.parent.is_dir():
            raise OutputError(f"there is no folder {self.path.parent} to write {self.path.name} into: make it first")
        if not os.access(self.path.parent, os.W_OK):
            raise OutputError(f"{path} cannot be written: you may not write into {self.path.parent}")

    @property
    def folder(self) -> Path:
        """Where the rows are kept until the table is whole."""
        return self.path.with_name(self.path.name + ".part")

    @contextmanager
    def begin(self, job: Job, files: Sequence[Path]) -> Iterator[Part]:
        """Start the job, or go on with it where a run of the very same job stopped.

        Raises
        ------
        OutputError
            What is there was begun by another model, version or list of files, or is being written now.
        """
        manifest = _manifest(job, files, self.form)
        try:
            self._make_folder(manifest)
            with _locked(self.folder):
                yield Part(self, job, manifest)
        except OutputError:
            raise
        except OSError as error:
            raise OutputError(f"{self.path} cannot be written: {error.strerror or error}. What is done is kept in "
                              f"{self.folder}: make room and run the same command again") from error

    def _make_folder(self, manifest: dict[str, Any]) -> None:
        place = self.folder / "manifest.json"
        if place.is_file():
            before = _read_json(place)
            different = _difference(before, manifest)
            if not different:
                return
            if not self.overwrite:
                raise OutputError(f"{self.folder} was begun {different}; rows of both must not be mixed. Run that "
                                  "command again, choose another -o, or say --overwrite to start anew")
        if self.folder.exists():
            if not place.is_file() and any(self.folder.iterdir()):
                raise OutputError(f"{self.folder} is in the way, and is none of astrofm's: move it, or choose another -o")
            shutil.rmtree(self.folder)
        self.folder.mkdir()
        _write_whole(place, json.dumps(manifest, indent=1).encode())


class Part:
    """The rows that are done, in chunks, and where in the input they end."""

    def __init__(self, output: Output, job: Job, manifest: dict[str, Any]):
        self.output, self.folder, self.job, self.manifest = output, output.folder, job, manifest
        self.rows = self.read = self.files_done = self.stars_open = 0
        self.chunks: list[Path] = []
        self._waiting: list[dict[str, np.ndarray]] = []
        self._where = (0, 0)
        for entry in _read_log(self.folder / "done.jsonl"):
            self._count(entry)

    def _count(self, entry: dict[str, Any]) -> None:
        self.chunks.append(self.folder / entry["chunk"])
        self.rows += entry["rows"]
        self.read += entry["read"]
        self.files_done, self.stars_open = self._where = entry["files_done"], entry["stars_open"]

    def add(self, arrays: dict[str, np.ndarray], files_done: int, stars_open: int) -> None:
        """Add rows; they are on disk once a chunk of them is together."""
        self._waiting.append(arrays)
        self._where = (files_done, stars_open)
        rows = sum(len(one["flags"]) for one in self._waiting)
        size = sum(array.nbytes for one in self._waiting for array in one.values())
        if rows >= ROWS or size >= BYTES:
            self.flush()

    def flush(self) -> None:
        """Write what is waiting."""
        if not self._waiting:
            return
        arrays = {name: np.concatenate([one[name] for one in self._waiting]) for name in self._waiting[0]}
        name = f"chunk-{len(self.chunks):06d}" + formats.chunk_suffix(self.output.form)
        formats.write_chunk(self.folder / name, self.job, arrays, form=self.output.form)
        entry = {"chunk": name, "rows": len(arrays["flags"]), "read": int(np.sum(arrays["flags"] != "not-read")),
                 "files_done": self._where[0], "stars_open": self._where[1]}
        with (self.folder / "done.jsonl").open("a") as log:
            log.write(json.dumps(entry) + "\n")
            log.flush()
            os.fsync(log.fileno())
        self._waiting.clear()
        self._count(entry)

    def finish(self) -> None:
        """Join the chunks into the output, under its own name only when it is whole."""
        self.flush()
        joined = self.folder / ("joined" + formats.SUFFIX[self.output.form])
        formats.join(joined, self.output.form, self.job, self.chunks)
        if self.output.path.exists() and not self.output.overwrite:
            raise OutputError(f"{self.output.path} has appeared meanwhile: move it and run the same command again")
        os.replace(joined, self.output.path)
        shutil.rmtree(self.folder)


def _manifest(job: Job, files: Sequence[Path], form: str) -> dict[str, Any]:
    digest = hashlib.sha256()
    for file in files:
        state = file.stat()
        digest.update(f"{file.resolve()}\0{state.st_size}\0{state.st_mtime_ns}\n".encode("utf-8", "surrogateescape"))
    manifest = {"verb": job.verb, "model": job.meta["model"], "model_sha256": job.meta["sha256"],
                "astrofm": job.meta["astrofm"], "form": form, "asked": dict(job.asked),
                "columns": [asdict(column) for column in job.columns], "files": len(files),
                "inputs_sha256": digest.hexdigest()}
    return json.loads(json.dumps(manifest))


def _difference(before: dict[str, Any], now: dict[str, Any]) -> str:
    """Say in words how the job that was begun differs from this one; empty if it does not."""
    words = {
        "verb": "by `astrofm {}`, not {}", "model": "with model {}, not {}",
        "model_sha256": "with another model of the same name (SHA-256 {:.12}..., not {:.12}...)",
        "astrofm": "by astrofm {}, not {}", "form": "as {}, not {}", "asked": "with options {}, not {}",
        "files": "with {} files, not {}", "inputs_sha256": "with other input files, or they have changed since",
        "columns": "with other columns",
    }
    return next((text.format(before.get(key), now[key]) for key, text in words.items() if before.get(key) != now[key]),
                "")


def _read_json(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(path.read_text())
        return found if isinstance(found, dict) else {}
    except ValueError:
        return {}


def _read_log(path: Path) -> list[dict[str, Any]]:
    """Read what is done: a line a chunk. A last line that was cut off is dropped, a chunk told twice counts once."""
    if not path.exists():
        return []
    entries = {}
    for line in path.read_text().splitlines():
        try:
            entry = json.loads(line)
        except ValueError:
            break
        entries[entry["chunk"]] = entry
    _write_whole(path, "".join(json.dumps(entry) + "\n" for entry in entries.values()).encode())
    return list(entries.values())


def _write_whole(path: Path, data: bytes) -> None:
    temporary = path.with_name(path.name + ".new")
    temporary.write_bytes(data)
    os.replace(temporary, path)


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Keep a second run of the same job away; the lock falls when this process ends, however it ends."""
    try:
        import fcntl
    except ImportError:  # not on Windows
        yield
        return
    with (folder / "lock").open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise OutputError(f"{folder} is being written by another run: wait for it, or choose another -o") from error
        yield
