"""Readers of instruments as formats of specutils, registered when ``Spectrum.read`` is first used.

specutils has no entry point for loaders: they are registered by importing the package that has them. So that
``import astrofm`` need not import every plugin, ``Spectrum.read`` and ``SpectrumList.read`` are given a reader that
looks for plugins first and then does what it always did.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from threading import RLock
from typing import TYPE_CHECKING, Any

from ..errors import ReadError
from .identify import read_as
from .look_up import cards, get_instrument

if TYPE_CHECKING:
    from ..compat import SpectrumList

#: above the generic readers of specutils (up to 6), which claim any table of fluxes; below those it has for a survey (10)
PRIORITY = 7
_registered: set[tuple[str, str]] = set()
_lock = RLock()


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
    """Register the formats that the instruments' cards name, each once.

    ``Spectrum.read`` does it by itself; call it before using `astropy.io.registry` directly.
    """
    with _lock:
        for card in cards("instruments").values():
            for label in card.formats:
                if (card.name, label) not in _registered:
                    _register(card.name, label)
                    _registered.add((card.name, label))


def _register(name: str, label: str) -> None:
    from specutils.io.registers import data_loader

    from ..compat import SPECTRA, SpectrumList

    for cls, loader in {**{cls: _one(name, cls) for cls in SPECTRA}, SpectrumList: _all(name)}.items():
        data_loader(label, identifier=_identifier(name), dtype=cls, priority=PRIORITY, force=True,
                    autogenerate_spectrumlist=False)(loader)


def _all(name: str) -> Callable[..., SpectrumList]:
    def load(file: Any, **options: Any) -> SpectrumList:
        from ..compat import SpectrumList

        if options:
            raise TypeError(f"the reader of {name!r} takes no options, got {', '.join(options)}")
        path = _path(file)
        if path is None:
            raise ReadError(f"the reader of {name!r} reads files by path, got {type(file).__name__}: save it first")
        return SpectrumList(read_as(name, path))

    return load


def _one(name: str, cls: type) -> Callable[..., Any]:
    read = _all(name)

    def load(file: Any, **options: Any) -> Any:
        stars = read(file, **options)
        if len(stars) != 1:
            raise ReadError(f"{_path(file)} holds {len(stars)} stars: SpectrumList.read and astrofm.read give them all")
        star = stars[0]
        if isinstance(star, cls):
            return star
        return cls(spectral_axis=star.spectral_axis, flux=star.flux, uncertainty=star.uncertainty, mask=star.mask,
                   meta=star.meta)

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
