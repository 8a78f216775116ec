"""Rows of tables, each measured once."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any


class Rows:
    """Rows of tables, each measured once and kept in a file."""

    def __init__(self, file: Path):
        self.file = file
        self.known = json.loads(file.read_text()) if file.exists() else {}

    def row(self, *key: Any, make: Callable[[], Mapping[str, Any]]) -> Mapping[str, Any]:
        """Give a row; measure it if no earlier run has."""
        name = " | ".join(map(str, key))
        if name not in self.known:
            start = time.monotonic()
            self.known[name] = {**make(), "seconds": round(time.monotonic() - start, 1)}
            kept = self.file.with_suffix(".part")
            kept.write_text(json.dumps(self.known, indent=1))
            kept.replace(self.file)
        return self.known[name]


def show(title: str, row: Mapping[str, Any]) -> None:
    """Print a row of a table."""
    numbers = "  ".join(f"{key} {value:.3f}" if isinstance(value, float) else f"{key} {value}" for key, value in row.items()
                        if key not in ("confusions", "seconds"))
    print(f"{title:64s} {numbers}", flush=True)


def file_name(reader: str) -> str:
    """Give the name that a reader's files have."""
    return "".join(c if c.isalnum() or c in "-." else "_" for c in reader)
