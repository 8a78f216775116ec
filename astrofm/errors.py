"""What can go wrong, by name. Every message says what, where, and what to type next."""


class AstrofmError(Exception):
    """Base of every error that astrofm raises on purpose."""


class ReadError(AstrofmError, OSError):
    """A file could not be read; the message names the file and the cause."""


class DataError(AstrofmError, ValueError):
    """A spectrum, light curve or array breaks the data contract of an instrument or a model."""


class UnknownNameError(AstrofmError, LookupError):
    """No instrument, encoder, aligner, head or model has this name."""


class AmbiguousError(AstrofmError, LookupError):
    """More than one instrument or plugin claims the same name, file or object."""


class PluginError(AstrofmError, ImportError):
    """A plugin is broken; raised where it is asked for by name, or with ``ASTROFM_STRICT_PLUGINS``."""


class ModelFileError(AstrofmError, ValueError):
    """A model file is truncated, altered, of another format version, or not a model at all."""


class OutputError(AstrofmError, OSError):
    """An output file exists already or cannot be written."""


class AstrofmWarning(UserWarning):
    """Something was left out or flagged; the work went on."""


class PluginWarning(AstrofmWarning):
    """One installed plugin could not be loaded; the others work."""
