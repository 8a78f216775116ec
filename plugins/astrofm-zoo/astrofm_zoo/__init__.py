"""Published foundation models of stars for astrofm."""

from astrofm import Card, hookimpl

SPECCLIP = "arXiv:2507.01939"


@hookimpl
def astrofm_encoders() -> list[Card]:
    """Offer the encoders of published models."""
    return [Card("specclip", "astrofm_zoo.specclip.encoder:SpecCLIPEncoder",
                 "SpecCLIP's backbones of LAMOST low-resolution and Gaia XP spectra", SPECCLIP, "BSD-3-Clause")]


@hookimpl
def astrofm_aligners() -> list[Card]:
    """Offer the aligners of published models."""
    return [Card("specclip", "astrofm_zoo.specclip.aligner:SpecCLIPAligner",
                 "SpecCLIP's shared space, with the decoders of its pr and split models", SPECCLIP, "BSD-3-Clause"),
            Card("token-mean", "astrofm_zoo.specclip.aligner:TokenMean",
                 "the mean of a star's tokens, for encoders that were never aligned", "", "BSD-3-Clause")]


@hookimpl
def astrofm_importers() -> list[Card]:
    """Offer the import of published weights."""
    return [Card("specclip", "astrofm_zoo.specclip.published:import_weights",
                 "the six checkpoints of huggingface.co/astroshawn/SpecCLIP", SPECCLIP, "MIT")]
