"""The parts that come with astrofm keep the promises asked of a stranger's."""

from astrofm.testing import AlignerTests, EncoderTests, HeadTests

LABELS = [
    {"name": "teff", "unit": "K", "low": 3e3, "high": 3e4, "centre": 3.75, "spread": 0.15, "log": True},
    {"name": "logg", "unit": "dex", "low": 0.0, "high": 5.5, "centre": 3.5, "spread": 1.0},
    {"name": "rv", "unit": "km/s", "low": -500.0, "high": 500.0, "spread": 100.0},
]


class TestAnyWavelength(EncoderTests):
    name = "any-wavelength"
    arguments = {"dim": 24, "width": 24, "depth": 2, "heads": 2, "hidden": 32, "patch": 16}


class TestSharedSpace(AlignerTests):
    name = "shared-space"
    arguments = {"source_dim": 24, "dim": 16, "width": 32, "depth": 2, "patch": 16}


class TestGaussian(HeadTests):
    name = "gaussian"
    arguments = {"dim": 16, "labels": LABELS, "hidden": 16, "depth": 1}


class TestClasses(HeadTests):
    name = "classes"
    arguments = {"dim": 16, "classes": ["A", "F", "G", "K"], "hidden": 16}


class TestAsMeasured(HeadTests):
    name = "as-measured"
    arguments = {"dim": 16, "labels": [{"name": "period", "unit": "d", "value": "period", "error": "period_err"},
                                       {"name": "amplitude", "unit": "mag", "value": "amplitude_90", "error": "mean_error"}]}


class TestPosterior(HeadTests):
    name = "posterior"
    arguments = {"dim": 16, "labels": LABELS, "hidden": 16, "depth": 1, "transforms": 2, "draws": 32}


class TestPosteriorAsItComes(HeadTests):
    name = "posterior"


class TestAnyWavelengthAsItComes(EncoderTests):
    name = "any-wavelength"


class TestSharedSpaceAsItComes(AlignerTests):
    name = "shared-space"


class TestGaussianAsItComes(HeadTests):
    name = "gaussian"


class TestClassesAsTheyCome(HeadTests):
    name = "classes"


class TestLearnedClasses(HeadTests):
    name = "learned-classes"
    arguments = {"dim": 16, "extras": [{"name": "period", "unit": "d"}], "classes": ["a", "b", "c"], "hidden": [16],
                 "parents": {"a": "d", "b": "d"}}
    other_labels = ("variable_class",)


class TestForest(HeadTests):
    name = "forest"
    arguments = {"dim": 16, "extras": [{"name": "period"}], "classes": ["a", "b", "c"], "trees": 10, "nodes": 30}
    other_labels = ("variable_class",)


class TestLearnedClassesAsTheyCome(HeadTests):
    name = "learned-classes"
    other_labels = ("variable_class",)


class TestForestAsItComes(HeadTests):
    name = "forest"
    other_labels = ("variable_class",)
