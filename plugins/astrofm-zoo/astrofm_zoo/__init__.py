"""Published foundation models of stars for astrofm."""

from astrofm import Card, ModelCard, hookimpl

SPECCLIP = "arXiv:2507.01939"
SPECTRAFM = "arXiv:2411.04750"
STARS = "arXiv:2308.10944"
STARCLR = "arXiv:2604.24516"
HUB = "https://huggingface.co/astroshawn/SpecCLIP"
#: published checkpoints: where they lie in the repository, and what they are
FILES = {
    "specclip-lrs": ("encoders/lrs_encoder.ckpt", "masked transformer of LAMOST low-resolution spectra"),
    "specclip-xp": ("encoders/xp_encoder.ckpt", "masked transformer of Gaia XP spectra"),
    "specclip-xp-autoencoder": ("encoders/xp_encoder_mlp.ckpt", "autoencoder of Gaia XP spectra"),
    "specclip-base": ("specclip/specclip_model_base.ckpt", "LAMOST and XP spectra in one space"),
    "specclip-pr": ("specclip/specclip_model_predrecon_mlp.ckpt", "LAMOST and XP spectra in one space, with decoders"),
    "specclip-split": ("specclip/specclip_model_split_mlp.ckpt", "LAMOST and XP spectra: shared and own parts, decoders"),
}
#: other names under which their authors list the same files
ALSO = {"specclip-base": ("specclip/specclip_mlp.ckpt",)}


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
def astrofm_heads() -> list[Card]:
    """Offer the heads of published models."""
    return [Card("specclip-regressor", "astrofm_zoo.specclip.regressor:PublishedRegressor",
                 "a published perceptron of one label, without errors", SPECCLIP, "BSD-3-Clause")]


@hookimpl
def astrofm_models() -> list[ModelCard]:
    """Offer the published checkpoints, downloaded when they are asked for."""
    return [ModelCard(name, f"{HUB}/resolve/{{revision}}/{path}", "", summary, SPECCLIP, "MIT", importer="specclip",
                      also=tuple(f"{HUB}/resolve/{{revision}}/{other}" for other in ALSO.get(name, ())))
            for name, (path, summary) in FILES.items()]


@hookimpl
def astrofm_objectives() -> list[Card]:
    """Offer what published models were trained by."""
    place = "astrofm_zoo.specclip.objectives"
    return [Card("specclip-masked", f"{place}:MaskedRuns", "hidden runs of tokens, for a transformer", SPECCLIP),
            Card("specclip-autoencoder", f"{place}:Autoencoder", "a spectrum through a bottleneck", SPECCLIP),
            Card("specclip-alignment", f"{place}:Alignment", "LAMOST and XP spectra of a star brought together", SPECCLIP)]


@hookimpl
def astrofm_importers() -> list[Card]:
    """Offer the import of published weights."""
    return [Card("specclip", "astrofm_zoo.specclip.published:import_weights",
                 "the six checkpoints of huggingface.co/astroshawn/SpecCLIP", SPECCLIP, "MIT"),
            Card("spectrafm", "astrofm_zoo.spectrafm.published:import_weights",
                 "the folders of Zenodo 14041360: labels from any pixels of APOGEE spectra; no licence was given", SPECTRAFM,
                 "none given"),
            Card("starclr", "astrofm_zoo.starclr.published:import_weights",
                 "the checkpoints of Zenodo 19728042: light curves embedded, variable stars of TESS, ZTF and Gaia classified",
                 STARCLR, "MIT"),
            Card("stars", "astrofm_zoo.stars.published:import_weights",
                 "the folder model_torch of github.com/henrysky/astroNN_stars_foundation: any quantity from any others",
                 STARS, "MIT")]
