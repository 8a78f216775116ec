"""What the weights see of a data set, computed once and kept on disk."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch

from ..data import Batch
from ..errors import DataError
from .dataset import ShardedData

#: spectra seen at a time
BLOCK = 256


def keep_seen(data: ShardedData, instrument: str, see: Callable[[Batch], torch.Tensor], folder: Path, *, key: str,
              progress: Callable[[str], None] = print) -> np.ndarray:
    """Compute what the weights see of all that an instrument saw, or find it from an earlier run.

    Parameters
    ----------
    data : ShardedData
    instrument : str
    see : callable
        From a batch of tensors to ``(n, k)``.
    folder : Path
        Where it is kept: ``INSTRUMENT.npy`` and how far it is.
    key : str
        What ``see`` depends on; what was kept under another key is computed again.
    progress : callable

    Returns
    -------
    memmap of float32, shape ``(rows, k)``
        Rows that are not finite can't be learned from: ``see`` refused them, which is told.

    Raises
    ------
    DataError
        ``see`` refuses all of a block of spectra: what is wrong is wrong with the data set.
    """
    folder.mkdir(parents=True, exist_ok=True)
    array, mark = folder / f"{instrument}.npy", folder / f"{instrument}.json"
    rows = len(data.stars[instrument])
    wanted = {"key": hashlib.sha256(f"{key} {data.sha256}".encode()).hexdigest(), "rows": rows}
    state = json.loads(mark.read_text()) if mark.exists() and array.exists() else {}
    done = int(state.get("done", 0)) if {name: state.get(name) for name in wanted} == wanted else 0
    kept = np.lib.format.open_memmap(array, "r+") if done else None
    for start in range(done, rows, BLOCK):
        batch = data.batch(instrument, np.arange(start, min(start + BLOCK, rows)))
        seen, refused = _see(see, batch)
        for message in refused[:1]:
            progress(f"{instrument}: {len(refused)} rows from {start:,} on are left out: {message}")
        if kept is None:
            kept = np.lib.format.open_memmap(array, "w+", np.float32, (rows, seen.shape[1]))
        kept[start: start + len(seen)] = seen
        if start // BLOCK % 40 == 39 or start + BLOCK >= rows:
            kept.flush()
            mark.write_text(json.dumps({**wanted, "done": min(start + BLOCK, rows)}))
            progress(f"{instrument}: {min(start + BLOCK, rows):,} of {rows:,} stars prepared")
    return np.lib.format.open_memmap(array, "r")


def _see(see: Callable[[Batch], torch.Tensor], batch: Batch) -> tuple[np.ndarray, list[str]]:
    """Compute a block; stars that are refused are NaN, and why."""
    try:
        with torch.no_grad():
            return see(batch.tensors()).numpy(), []
    except DataError as error:
        if len(batch) == 1:
            raise
        found: list[np.ndarray | None] = []
        refused = []
        for row in range(len(batch)):
            try:
                with torch.no_grad():
                    found.append(see(batch[row: row + 1].tensors()).numpy()[0])
            except DataError as reason:
                found.append(None)
                refused.append(str(reason))
        good = next((row for row in found if row is not None), None)
        if good is None:
            raise error
        return np.stack([np.full_like(good, np.nan) if row is None else row for row in found]), refused
