"""The files that a command was given."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path


def given_files(options: argparse.Namespace) -> list[Path]:
    """List the files, and those in folders; say which folders of folders were passed by."""
    from ..models.inputs import find_files

    files = find_files(options.files, recursive=options.recursive)
    folders = [path for path in map(Path, options.files) if path.is_dir() and not options.recursive]
    for folder in folders:
        inside = sum(item.is_dir() and not item.name.startswith(".") for item in folder.iterdir())
        if inside:
            print(f"astrofm: {folder} holds {inside} folder{'s' * (inside > 1)} besides its files, passed by: say "
                  "--recursive for the files in there, too", file=sys.stderr)
    return files
