"""Plugins that only look installed."""

import sys

import pytest

from astrofm.testing import fake_distribution

CARD = '''
from astrofm import Card, hookimpl


@hookimpl
def astrofm_instruments():
    return [Card("{name}", "{target}", "a fake spectrograph", formats={formats!r})]
'''
INSTRUMENT = '''
from astrofm.testing import FakeInstrument


class Fake(FakeInstrument):
    name = "{name}"
    example_header = {{"INSTRUME": "{mark}"}}

    def matches(self, spectrum):
        return spectrum.meta.get("header", {{}}).get("INSTRUME") == "{mark}"

    def claims_file(self, path):
        return path.read_text(errors="replace").startswith("{mark}")

    def read(self, path):
        return [self.example(seed) for seed in range(int(path.read_text().split()[1]))]
'''


@pytest.fixture
def install(tmp_path, monkeypatch, fresh_registry):
    """Give a function that writes a plugin where Python finds it; all is undone after the test."""
    before = set(sys.modules)
    monkeypatch.delenv("ASTROFM_DISABLE_PLUGINS", raising=False)
    monkeypatch.delenv("ASTROFM_STRICT_PLUGINS", raising=False)

    def write(name, text, **files):
        folder = tmp_path / name
        module = name.replace("-", "_")
        more = {f"{module}_{key}.py": value for key, value in files.items()}
        fake_distribution(folder, name, module=module, files={f"{module}.py": text, **more})
        monkeypatch.syspath_prepend(folder)
        fresh_registry.refresh()

    yield write
    for name in set(sys.modules) - before:
        if str(tmp_path) in str(getattr(sys.modules[name], "__file__", "")):
            del sys.modules[name]


@pytest.fixture
def install_instrument(install):
    """Give a function that installs a plugin with one fake instrument that reads files."""

    def write(package, name, *, mark=None, formats=(), text=INSTRUMENT):
        module = package.replace("-", "_")
        install(package, CARD.format(name=name, target=f"{module}_parts:Fake", formats=tuple(formats)),
                parts=text.format(name=name, mark=mark or name.upper()))

    return write
