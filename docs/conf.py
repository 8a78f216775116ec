"""How the documentation is built: ``sphinx-build -W docs docs/_build/html``."""

import os

from sphinx_astropy.conf.v2 import *  # noqa: F403
from sphinx_astropy.conf.v2 import exclude_patterns, extensions, intersphinx_mapping

import astrofm

project = "astrofm"
author = "The astrofm developers"
copyright = author
version = release = astrofm.__version__

exclude_patterns += ["_build", "_templates", "changes/*"]
extensions += ["sphinx.ext.mathjax"]
html_title = f"astrofm {version}"
html_theme_options = {"logo": {"text": "astrofm"}}
html_context = {"default_mode": "light"}

# Names of numpy, astropy and specutils become links where the documentation is published; elsewhere the build needs no
# network, and a name that is not found stays a plain name.
if os.environ.get("READTHEDOCS") == "True":
    intersphinx_mapping.update({
        "specutils": ("https://specutils.readthedocs.io/en/stable/", None),
        "torch": ("https://pytorch.org/docs/stable/", None),
    })
else:
    intersphinx_mapping.clear()
nitpicky = False

autodoc_typehints = "none"
automodsumm_inherited_members = False
numpydoc_show_class_members = False
numpydoc_xref_param_type = False
