"""The log of a run: CSV files, and TensorBoard's where it is asked for."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from pathlib import Path

from ..errors import DataError


class Log:
    """Write rows of numbers to ``NAME.csv`` in a folder, and to TensorBoard.

    Parameters
    ----------
    folder : Path
    tensorboard : bool

    Raises
    ------
    DataError
        TensorBoard is asked for and not installed.
    """

    def __init__(self, folder: Path, *, tensorboard: bool = False):
        self.folder = folder
        self.writer = None
        if tensorboard:
            try:
                from torch.utils.tensorboard import SummaryWriter
            except ImportError as error:
                raise DataError("a TensorBoard log needs tensorboard: pip install tensorboard") from error
            self.writer = SummaryWriter(str(folder / "tensorboard"))

    def write(self, name: str, step: int, row: Mapping[str, float]) -> None:
        """Add a row; the columns are those of the file's first one."""
        path = self.folder / f"{name}.csv"
        new = not path.exists()
        with path.open("a", newline="") as stream:
            writer = csv.DictWriter(stream, ["step", *row], extrasaction="ignore", lineterminator="\n")
            if new:
                writer.writeheader()
            writer.writerow({"step": step, **{key: f"{number:.6g}" for key, number in row.items()}})
        if self.writer is not None:
            for key, number in row.items():
                self.writer.add_scalar(f"{name}/{key}", number, step)
            self.writer.flush()


def forget_after(path: Path, step: int) -> None:
    """Drop the rows of a log after a checkpoint, which a resumed run writes again."""
    if not path.exists():
        return
    with path.open(newline="") as stream:
        lines = stream.read().splitlines()
    kept = [line for line in lines[1:] if int(float(line.split(",")[0])) <= step]
    path.write_text("\n".join([lines[0], *kept]) + "\n")
