"""Cards: the frozen records a plugin answers with. They name things; nothing is imported until it is asked for."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Card:
    """One instrument, encoder, aligner or head that a plugin offers.

    Parameters
    ----------
    name : str
        Registered name: lower case, digits and hyphens.
    target : str
        ``"module:Class"``, imported only when somebody asks for it.
    summary : str
        One line for listings.
    reference : str
        Bibcode, DOI or arXiv number of the paper to cite.
    license : str
        SPDX expression.
    formats : tuple of str
        Names under which specutils' ``Spectrum.read(path, format=...)`` knows the files of an instrument.
    """

    name: str
    target: str
    summary: str
    reference: str = ""
    license: str = ""
    formats: tuple[str, ...] = ()


@dataclass(frozen=True)
class ModelCard:
    """One ready-made model that a plugin offers: where its file is, and how it is trusted.

    Parameters
    ----------
    name : str
        What `~astrofm.load_model` takes.
    location : str
        ``"package:file"`` for a file inside an installed package, or an ``https://`` address, in which ``{revision}``
        stands for a version that is pinned.
    sha256 : str
        Of the file; it is checked each time the model is loaded. Empty where nobody has pinned it: then
        `~astrofm.load_model` wants ``NAME@REVISION#sha256=...``.
    summary, reference, license : str
        As for `Card`.
    importer : str
        Registered importer that makes a model of the file, where it is a checkpoint as its authors published it.
    revision : str
        That ``sha256`` belongs to.
    also : tuple of str
        Other addresses of the same file, tried in turn where it is not at ``location``.
    """

    name: str
    location: str
    sha256: str
    summary: str
    reference: str = ""
    license: str = ""
    importer: str = ""
    revision: str = ""
    also: tuple[str, ...] = ()
