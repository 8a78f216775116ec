"""astrofm's own parts, through the same door as everybody's."""

from __future__ import annotations

from .cards import Card, ModelCard
from .hookspecs import hookimpl

_LICENSE = "BSD-3-Clause"
#: SHA-256 of the shipped weights; change with them
STELLAR_TINY = "4f9345b2e62250e9bfbe6717e02c5bb4309cc474e642193c45354c2b1d7a1f1b"
VARIABLE_TINY = "058797c708cafca70ee1f97e3bf80635704584f14e174fab8ec331e8f617aa26"


@hookimpl
def astrofm_encoders() -> list[Card]:
    """Offer the any-wavelength trunk, and encoders of tokens of any kind."""
    return [Card("any-wavelength", "astrofm.nn.trunk:AnyWavelengthEncoder",
                 "spectra of any range and sampling, as patches that know wavelength, error and mask",
                 "arXiv:2111.06377", _LICENSE),
            Card("pixel-tokens", "astrofm.nn.pixels:PixelTokens",
                 "continuum-normalised spectra, pixel by pixel, told apart by wavelength", "arXiv:2411.04750", _LICENSE),
            Card("points", "astrofm.nn.points:PointEncoder",
                 "light curves of any cadence and length, as points or patches that know time, band and error",
                 "arXiv:1706.03762", _LICENSE),
            Card("any-cadence", "astrofm.nn.cadence:AnyCadenceEncoder",
                 "light curves of any survey: points, the curve folded at its period, and numbers of the star",
                 "1989ApJ...338..277P", _LICENSE),
            Card("named-quantities", "astrofm.nn.quantities:NamedQuantities",
                 "whatever is known of a star by name: coefficients, colours, labels", "arXiv:2308.10944", _LICENSE)]


@hookimpl
def astrofm_aligners() -> list[Card]:
    """Offer the shared space, and answers to names."""
    return [Card("shared-space", "astrofm.nn.shared:SharedSpace",
                 "one space for all instruments, decoded at any wavelength", "arXiv:2103.00020", _LICENSE),
            Card("plain", "astrofm.nn.plain:PlainAligner", "the embedding as it is, for encoders that stand alone", "",
                 _LICENSE),
            Card("asked-names", "astrofm.nn.asking:AskedNames",
                 "answers to the names that are asked, by cross-attention to a star's tokens", "arXiv:2308.10944", _LICENSE)]


@hookimpl
def astrofm_heads() -> list[Card]:
    """Offer numbers with errors, and classes with probabilities."""
    return [Card("gaussian", "astrofm.nn.heads:GaussianHead", "numbers, each with its own error",
                 "1994icnn.conf...55N", _LICENSE),
            Card("linear", "astrofm.nn.heads:LinearHead", "numbers as weighted sums, in closed form", "", _LICENSE),
            Card("asked-numbers", "astrofm.nn.asking:AskedNumbers", "numbers with errors out of answers to names",
                 "arXiv:2308.10944", _LICENSE),
            Card("posterior", "astrofm.nn.posterior:PosteriorHead", "joint posteriors of labels by a normalising flow",
                 "arXiv:1906.04032", _LICENSE),
            Card("classes", "astrofm.nn.heads:ClassHead", "probabilities of named classes", "", _LICENSE),
            Card("classes-with-extras", "astrofm.nn.plain:ExtraClassHead",
                 "probabilities of named classes, out of an embedding and named numbers of the star", "", _LICENSE),
            Card("as-measured", "astrofm.nn.plain:MeasuredHead", "numbers that the encoder measures on the star, as labels",
                 "", _LICENSE),
            Card("learned-classes", "astrofm.nn.classes:LearnedClassHead",
                 "probabilities of named classes, out of an embedding and numbers some of which may be missing",
                 "arXiv:2007.07314", _LICENSE),
            Card("forest", "astrofm.nn.forest:ForestHead", "probabilities of named classes by a forest of decision trees",
                 "2001MachL..45....5B", _LICENSE)]


@hookimpl
def astrofm_objectives() -> list[Card]:
    """Offer labels and quantities asked of tokens, and what is learned of light curves."""
    return [Card("asked-labels", "astrofm.training.asked:AskedLabels", "labels of spectra from random pixels of them",
                 "arXiv:2411.04750", _LICENSE),
            Card("asked-quantities", "astrofm.training.asked_quantities:AskedQuantities",
                 "any quantity of a star from any others", "arXiv:2308.10944", _LICENSE),
            Card("contrastive-views", "astrofm.training.curves:ContrastiveViews", "views of a star's light curves are alike",
                 "arXiv:1807.03748", _LICENSE),
            Card("masked-points", "astrofm.training.points:MaskedPoints", "hidden points of light curves from the others",
                 "", _LICENSE),
            Card("variable-stars", "astrofm.training.variables:VariableStars",
                 "views are alike, hidden points can be told, and of simulated stars class, period and amplitude", "",
                 _LICENSE)]


@hookimpl
def astrofm_models() -> list[ModelCard]:
    """Offer the models that ship in the wheel."""
    return [ModelCard("stellar-tiny", "astrofm.models:weights/stellar-tiny.safetensors", STELLAR_TINY,
                      "labels, translation and embeddings of stars from optical spectra of any spectrograph", "",
                      _LICENSE),
            ModelCard("variable-tiny", "astrofm.models:weights/variable-tiny.safetensors", VARIABLE_TINY,
                      "class, period and amplitude of variable stars from light curves of any survey", "", _LICENSE)]
