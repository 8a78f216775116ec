"""Named compositions of the four nouns that can be saved to one file, and the verbs they do."""

from importlib import import_module

__all__ = ["ClassDistance", "Familiarity", "Model", "light_curve_features", "load_model", "read_card"]

_HOMES = {"ClassDistance": "familiarity", "Familiarity": "familiarity", "Model": "model",
          "light_curve_features": "features", "load_model": "store", "read_card": "files"}


def __getattr__(name: str):
    if name in _HOMES:
        return getattr(import_module(f".{_HOMES[name]}", __name__), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__():
    return sorted({*globals(), *__all__})
