"""Readers of instruments as formats of specutils, registered when ``Spectrum.read`` is first used.

specutils has no entry point for loaders: they are registered by importing the package that has them. So that
``import astrofm`` need not import every plugin, ``Spectrum.read`` and ``SpectrumList.read`` are given a reader that
looks for plugins first and then does what it always did.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from ..errors import ReadError
from .discovery import plugins
from .look_up import cards, get_instrument

#: above the generic readers of specutils, which claim any table of fluxes
PRIORITY = 20
_registered: set[tuple[str, str]] = set()


def attach(*classes: type) -> None:
    """Let the ``read`` of these classes know the formats of installed instruments."""
    for cls in classes:
        method = cls.__dict__.get("read") or next(c.__dict__["read"] for c in cls.__mro__ if "read" in c.__dict__)
        if not getattr(method.fget, "knows_astrofm", False):
            cls.read = type(method)(_knowing(method.fget))


def _knowing(reader: type) -> type:
    class Read(reader):
        __doc__ = reader.__doc__
        knows_astrofm = True

        def __call__(self, *args: Any, **kwargs: Any) -> Any:
            register()
            return super().__call__(*args, **kwargs)

        def list_formats(self, *args: Any, **kwargs: Any) -> Any:
            register()
            return super().list_formats(*args, **kwargs)

    return Read


def register() -> None:
    """Register the formats that the instruments' cards name, each once."""
    plugins()
    for card in cards("instruments").values():
        for label in card.formats:
            if (card.name, label) not in _registered:
                _registered.add((card.name, label))
                _register(card.name, label)


def _register(name: str, label: str) -> None:
    from specutils import Spectrum1D
    from specutils.io.registers import data_loader

    from ..compat import Spectrum

    for cls in dict.fromkeys((Spectrum, Spectrum1D)):
        data_loader(label, identifier=_identifier(name), dtype=cls, priority=PRIORITY, force=True)(_loader(name, cls))


def _loader(name: str, cls: type) -> Callable[..., Any]:
    def load(file: Any, **kwargs: Any) -> Any:
        if kwargs:
            raise TypeError(f"the reader of {name!r} takes no arguments, got {', '.join(kwargs)}")
        path = _path(file)
        if path is None:
            raise ReadError(f"the reader of {name!r} reads files by path, got {type(file).__name__}")
        spectra = get_instrument(name).read(path)
        if len(spectra) != 1:
            raise ReadError(f"{path} holds {len(spectra)} stars: astrofm.read(path) gives them all")
        one = spectra[0]
        if isinstance(one, cls):
            return one
        return cls(spectral_axis=one.spectral_axis, flux=one.flux, uncertainty=one.uncertainty, mask=one.mask,
                   meta=one.meta)

    return load


def _identifier(name: str) -> Callable[..., bool]:
    def knows(origin: str, *args: Any, **kwargs: Any) -> bool:
        path = next((p for p in map(_path, args) if p is not None), None)
        return origin == "read" and path is not None and path.is_file() and get_instrument(name).claims_file(path)

    return knows


def _path(file: Any) -> Path | None:
    if isinstance(file, (str, Path)):
        return Path(file)
    name = getattr(file, "name", None)
    return Path(name) if isinstance(name, str) else None
