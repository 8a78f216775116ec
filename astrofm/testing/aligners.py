"""The conformance suite of aligners."""

from __future__ import annotations

import torch

from ..interfaces.aligner import Aligner
from .cards import refuses, skip
from .parts import PartTests, close, vectors


class AlignerTests(PartTests):
    """The promises of an aligner; subclass it, set `name` (and `arguments` if it needs any), and run pytest.

    Attributes
    ----------
    name : str
        Registered name of the aligner.
    arguments : mapping
        Plain JSON values for its constructor.
    instrument : str
        An instrument that it aligns.
    wavelengths : tuple of float
        Range that it decodes, vacuum Angstrom.

    Examples
    --------
    >>> from astrofm.testing import AlignerTests
    >>> class TestSharedSpace(AlignerTests):
    ...     name = "shared-space"
    ...     arguments = {"source_dim": 16, "dim": 16, "width": 32, "depth": 1}
    """

    kind = "aligners"
    interface = Aligner
    instrument: str = "fake"
    wavelengths: tuple[float, float] = (4000.0, 9000.0)

    def grid(self, count: int = 300) -> torch.Tensor:
        """Make wavelengths of equal steps in their logarithm, float64, shape ``(count,)``."""
        low, high = torch.tensor(self.wavelengths, dtype=torch.float64).log().tolist()
        return torch.linspace(low, high, count, dtype=torch.float64).exp()

    def embeddings(self, part: Aligner, count: int = 5, *, dim: int | None = None) -> torch.Tensor:
        """Make that many random embeddings as the aligner takes them: a vector a star, or eight tokens."""
        dim = dim or part.source_dim
        return vectors(8 * count, dim).reshape(count, 8, dim) if part.takes_tokens else vectors(count, dim)

    def needs_decoder(self, part: Aligner) -> None:
        """Skip the running test where the aligner decodes nothing."""
        if not part.decodes:
            skip(f"aligner {self.name!r} decodes no spectra")

    def outputs(self, part: Aligner) -> dict[str, torch.Tensor]:
        aligned = part.align(self.embeddings(part), self.instrument)
        if not part.decodes:
            return {"the shared embedding": aligned}
        value, error = part.decode(aligned, self.grid(), self.instrument, source=self.instrument)
        return {"the shared embedding": aligned, "the decoded value": value, "the decoded error": error}

    def aligned(self, part: Aligner, count: int = 5) -> torch.Tensor:
        """Align that many random embeddings, without gradients."""
        with torch.inference_mode():
            return part.align(self.embeddings(part, count), self.instrument)

    def decode(self, part: Aligner, aligned: torch.Tensor,
               grid: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Decode without gradients."""
        with torch.inference_mode():
            return part.decode(aligned, grid, self.instrument, source=self.instrument)

    def test_shapes_are_as_promised_for_no_star_one_and_many(self):
        part, grid = self.build(), self.grid(50)
        assert part.dim > 0 and part.source_dim > 0, f"dim is {part.dim}, source_dim {part.source_dim}"
        for count in (0, 1, 5):
            aligned = self.aligned(part, count)
            assert tuple(aligned.shape) == (count, part.dim), (
                f"{count} stars are aligned to {tuple(aligned.shape)}")
            for array in self.decode(part, aligned, grid) if part.decodes else ():
                assert tuple(array.shape) == (count, 50), f"{count} stars are decoded to {tuple(array.shape)}"

    def test_any_wavelengths_can_be_decoded(self):
        part = self.build()
        self.needs_decoder(part)
        aligned = self.aligned(part)
        low, high = self.wavelengths
        uneven = torch.tensor([low, low + 1.0, low + 30.0, 0.5 * (low + high), high], dtype=torch.float64)
        even = torch.linspace(low, high, 77, dtype=torch.float64)
        for grid in (even, uneven, self.grid(2), self.grid(4000)):
            for array in self.decode(part, aligned, grid):
                assert tuple(array.shape) == (5, len(grid)), (
                    f"{len(grid)} wavelengths give {tuple(array.shape)}")
                assert torch.isfinite(array).all(), f"{len(grid)} wavelengths: not finite everywhere"

    def test_decoded_spectra_vary_with_wavelength(self):
        part = self.build()
        self.needs_decoder(part)
        value, _ = self.decode(part, self.aligned(part), self.grid())
        assert (value.std(1) > 0).all(), "every wavelength is decoded to the same number"

    def test_errors_are_positive_and_finite(self):
        part = self.build()
        self.needs_decoder(part)
        for scale in (1.0, 30.0):
            _, error = self.decode(part, scale * self.aligned(part), self.grid())
            assert torch.isfinite(error).all() and (error > 0).all(), (
                "a decoded error is not positive and finite")

    def test_neighbours_do_not_leak_and_order_carries_through(self):
        part, grid, rows = self.build(), self.grid(), [3, 1, 4, 0, 2]
        embedding = self.embeddings(part)
        with torch.inference_mode():
            aligned = part.align(embedding, self.instrument)
            assert close(aligned[rows], part.align(embedding[rows], self.instrument)), (
                "stars in another order are aligned otherwise")
            assert close(aligned[1:2], part.align(embedding[1:2], self.instrument)), (
                "a star alone is aligned otherwise")
        if not part.decodes:
            return
        decoded = [self.decode(part, chosen, grid) for chosen in (aligned, aligned[rows], aligned[1:2])]
        for whole, mixed, alone in zip(*decoded, strict=True):
            assert close(whole[rows], mixed), "stars in another order are decoded otherwise"
            assert close(whole[1:2], alone), "a star alone is decoded otherwise"

    def test_decoding_in_chunks_of_wavelength_equals_the_whole(self):
        part, grid = self.build(), self.grid()
        self.needs_decoder(part)
        aligned = self.aligned(part)
        whole = self.decode(part, aligned, grid)
        pieces = [self.decode(part, aligned, chunk) for chunk in grid.split(97)]
        for k, what in enumerate(("value", "error")):
            joined = torch.cat([piece[k] for piece in pieces], 1)
            assert close(whole[k], joined), (
                f"the decoded {what} depends on the other wavelengths that were asked for")

    def test_a_wrong_number_of_dimensions_is_refused(self):
        part = self.build()
        refuses(ValueError, lambda: part.align(self.embeddings(part, 2, dim=part.source_dim + 1), self.instrument),
                "an embedding of another size")

    def test_the_input_is_left_alone(self):
        part = self.build()
        embedding = self.embeddings(part)
        before = embedding.clone()
        with torch.inference_mode():
            aligned = part.align(embedding, self.instrument)
            kept = aligned.clone()
            if part.decodes:
                part.decode(aligned, self.grid(), self.instrument, source=self.instrument)
        assert torch.equal(before, embedding), "aligning changes the embedding it is given"
        assert torch.equal(kept, aligned), "decoding changes the embedding it is given"
