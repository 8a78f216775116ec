"""A plugin that looks installed: entry points can be tested without pip."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path


def fake_distribution(folder: Path, name: str, *, module: str, files: Mapping[str, str],
                      version: str = "0.1") -> Path:
    """Write a package and its ``.dist-info`` into a folder; on ``sys.path``, astrofm finds it as a plugin.

    Parameters
    ----------
    folder : Path
        Is made if it does not exist.
    name : str
        Of the distribution, such as ``"astrofm-feros"``.
    module : str
        Module with the hooks: the value of the entry point.
    files : mapping of str to str
        Path inside the folder, and text, of each file of the package.
    version : str

    Returns
    -------
    Path
        The folder.

    Examples
    --------
    >>> from tempfile import mkdtemp
    >>> from pathlib import Path
    >>> from astrofm.testing import fake_distribution
    >>> folder = fake_distribution(Path(mkdtemp()), "astrofm-none", module="astrofm_none",
    ...                            files={"astrofm_none.py": ""})
    >>> sorted(path.name for path in folder.iterdir())
    ['astrofm_none-0.1.dist-info', 'astrofm_none.py']
    """
    information = folder / f"{name.replace('-', '_')}-{version}.dist-info"
    information.mkdir(parents=True, exist_ok=True)
    (information / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
    (information / "entry_points.txt").write_text(f"[astrofm]\n{name.removeprefix('astrofm-')} = {module}\n")
    for path, text in files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text)
    return folder
