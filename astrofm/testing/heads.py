"""The conformance suite of heads."""

from __future__ import annotations

import torch
from astropy import units as u

from ..interfaces.head import Head, Label
from .cards import refuses
from .parts import PartTests, close, vectors

#: unit of each label of the vocabulary; None for classes
VOCABULARY = {
    "teff": "K", "logg": "dex", "fe_h": "dex", "alpha_m": "dex", "mg_fe": "dex", "c_fe": "dex", "n_fe": "dex",
    **{f"{x}_fe": "dex" for x in ("alpha", "o", "al", "si", "ca", "ti", "mn", "ni", "cr")},
    "vmic": "km/s", "vsini": "km/s", "rv": "km/s", "a_v": "mag", "e_bp_rp": "mag", "mass": "Msun", "radius": "Rsun",
    "age": "Gyr", "delta_nu": "uHz", "nu_max": "uHz", "period": "d", "amplitude": "mag",
    "spectral_type": None, "variable_class": None,
}


class HeadTests(PartTests):
    """The promises of a head; subclass it, set `name` (and `arguments` if it needs any), and run pytest.

    Attributes
    ----------
    name : str
        Registered name of the head.
    arguments : mapping
        Plain JSON values for its constructor.
    other_labels : tuple of str
        Labels of yours that the vocabulary has no name for.

    Examples
    --------
    >>> from astrofm.testing import HeadTests
    >>> class TestGaussian(HeadTests):
    ...     name = "gaussian"
    ...     arguments = {"dim": 16, "hidden": 16, "depth": 1}
    """

    kind = "heads"
    interface = Head
    other_labels: tuple[str, ...] = ()

    def outputs(self, part: Head) -> dict[str, torch.Tensor]:
        return dict(part.read(vectors(5, part.dim)))

    def read(self, part: Head, embedding: torch.Tensor) -> dict[str, torch.Tensor]:
        """Read without gradients."""
        with torch.inference_mode():
            return dict(part.read(embedding))

    def test_labels_are_declared(self):
        labels = self.build().labels
        assert len(labels), "the head declares no labels"
        assert all(isinstance(label, Label) for label in labels), "`labels` holds something that is no Label"
        names = [label.name for label in labels]
        assert len(set(names)) == len(names), f"a label is declared twice: {names}"

    def test_labels_have_names_of_the_vocabulary(self):
        for label in self.build().labels:
            assert label.name in VOCABULARY or label.name in self.other_labels, (
                f"{label.name!r} is not in the vocabulary ({', '.join(VOCABULARY)}); if it measures "
                "something else, name it in `other_labels`")
            assert label.name == label.name.lower() and label.name.isidentifier(), (
                f"{label.name!r}: a label is lower case with underscores")
            clash = label.name.endswith(("_err", "_probability"))
            assert not clash, f"{label.name!r} would clash with a column of errors or probabilities"

    def test_units_are_those_of_the_vocabulary(self):
        for label in self.build().labels:
            if label.classes:
                assert not label.unit, f"{label.name!r} is a class and has the unit {label.unit!r}"
                continue
            try:
                unit = u.Unit(label.unit)
            except ValueError as error:
                raise AssertionError(f"astropy can't read {label.name!r}'s unit {label.unit!r}") from error
            expected = VOCABULARY.get(label.name)
            assert expected is None or unit.is_equivalent(expected), (
                f"{label.name!r} is in {label.unit or 'no unit'}, the vocabulary has {expected}")

    def test_ranges_and_classes_make_sense(self):
        for label in self.build().labels:
            if label.low is not None and label.high is not None:
                assert label.low < label.high, f"the range of {label.name!r} is {label.low} to {label.high}"
            assert len(label.classes) != 1, f"{label.name!r} has one class only"
            assert len(set(label.classes)) == len(label.classes), f"a class of {label.name!r} is named twice"

    def test_declared_columns_and_only_those(self):
        part = self.build()
        expected = set()
        for label in part.labels:
            expected |= {f"{label.name}_probability"} if label.classes else {label.name, f"{label.name}_err"}
        with torch.inference_mode():
            got = set(part._read(vectors(3, part.dim)))
        assert got == expected, f"promised {sorted(expected)}, gave {sorted(got)}"

    def test_shapes_are_as_promised_for_no_star_one_and_many(self):
        part = self.build()
        classes = {f"{label.name}_probability": len(label.classes) for label in part.labels if label.classes}
        for count in (0, 1, 5):
            for name, column in self.read(part, vectors(count, part.dim)).items():
                expected = (count, classes[name]) if name in classes else (count,)
                assert tuple(column.shape) == expected, (
                    f"{name} of {count} stars has shape {tuple(column.shape)}")

    def test_errors_are_positive_and_finite(self):
        part = self.build()
        for scale in (1.0, 30.0):
            for name, column in self.read(part, scale * vectors(50, part.dim)).items():
                assert torch.isfinite(column).all(), f"{name} is not finite everywhere"
                if name.endswith("_err"):
                    assert (column > 0).all(), f"{name} is not positive everywhere"

    def test_probabilities_are_probabilities(self):
        part = self.build()
        for name, column in self.read(part, 3 * vectors(50, part.dim)).items():
            if name.endswith("_probability"):
                assert (column >= 0).all(), f"{name} has negative numbers"
                assert (column.sum(1) - 1).abs().max() < 1e-5, f"{name} does not sum to one"

    def test_neighbours_do_not_leak_and_order_carries_through(self):
        part, rows = self.build(), [3, 1, 4, 0, 2]
        embedding = vectors(5, part.dim)
        whole, mixed = self.read(part, embedding), self.read(part, embedding[rows])
        alone = self.read(part, embedding[1:2])
        for name in whole:
            assert close(whole[name][rows], mixed[name]), f"{name}: stars in another order are read otherwise"
            assert close(whole[name][1:2], alone[name]), f"{name}: a star alone is read otherwise"

    def test_a_wrong_number_of_dimensions_is_refused(self):
        part = self.build()
        refuses(ValueError, lambda: part.read(vectors(2, part.dim + 1)), "an embedding of another size")

    def test_the_input_is_left_alone(self):
        part = self.build()
        embedding = vectors(5, part.dim)
        before = embedding.clone()
        self.read(part, embedding)
        assert torch.equal(before, embedding), "reading changes the embedding it is given"
