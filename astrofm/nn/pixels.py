"""The encoder whose tokens are pixels: one token for all, told apart by their wavelengths."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import nn

from ..data import Batch
from ..errors import DataError
from .coordinates import ScaledWavelengthEncoding
from .tokens import TokenEncoder, choose

#: a pixel of the encoder's own is found on a grid that is off by no more than this part of the step, the grid's or its own
SAME_PIXEL = 0.1
#: range of the median of spectra that are divided by their continuum
NORMALISED = (0.3, 3.0)


class PixelTokens(TokenEncoder):
    """Turn the pixels of continuum-normalised spectra into tokens (Koblischke & Bovy 2024, arXiv:2411.04750).

    Every pixel has the same row of the table; its wavelength is added as sines and cosines. A star whose median flux shows
    that it was not divided by its continuum has no tokens.

    Parameters
    ----------
    asked : sequence of str
        Labels whose rows lead the tokens.
    dim, heads, hidden, dropout, absent
        See `~astrofm.nn.tokens.TokenEncoder`.
    context : int
        Most pixels of a star that are taken: evenly among its good ones. A trained one takes as many as it was trained on.
    wavelengths : sequence of two floats
        Range (Angstrom) that the encoding of wavelength is scaled to; no pixel beyond it is taken.
    limits : sequence of two floats, optional
        Flux beyond them is absent.
    farthest : float
        So is flux that is further from the centre, in spreads.
    centre, spread : float
        Of the flux of all pixels.
    pixels : int
        Pixels with a centre and a spread of their own, then in the buffers ``pixel_wavelength`` (vacuum Angstrom),
        ``pixel_centre`` and ``pixel_spread``; only these are taken, each from the pixel of the grid that is nearest.
    rows, pixel_row, label_row : int
        Size of the table, the row of all pixels, and of the first label.
    instruments : sequence of str, optional
        Those that it embeds; any by default.
    exact : bool
        Weights were published with answers in single precision: ``"auto"`` keeps to it.
    """

    name = "pixel-tokens"
    over_continuum = True

    def __init__(self, *, asked: Sequence[str] = ("teff",), dim: int = 256, heads: Sequence[int] = (16, 8),
                 hidden: Sequence[int] = (2048, 1024), dropout: float = 0.05, absent: str = "hidden", context: int = 512,
                 wavelengths: Sequence[float] = (3000.0, 25000.0), limits: Sequence[float] | None = (0.05, 1.2),
                 farthest: float = 10.0, centre: float = 1.0, spread: float = 0.1, pixels: int = 0, rows: int = 0,
                 pixel_row: int = 1, label_row: int = 2, instruments: Sequence[str] | None = None,
                 exact: bool = False):
        rows = rows or label_row + len(asked)
        instruments = None if instruments is None else list(instruments)
        super().__init__(rows=rows, dim=dim, heads=heads, hidden=hidden, dropout=dropout, absent=absent,
                         asked=list(asked), context=context, wavelengths=list(wavelengths),
                         limits=None if limits is None else list(limits), farthest=farthest, centre=centre,
                         spread=spread, pixels=pixels, pixel_row=pixel_row, label_row=label_row, instruments=instruments,
                         exact=exact)
        if not (0 < pixel_row < rows and 0 < label_row <= rows - len(asked)):
            raise ValueError(f"a table of {rows} rows has no room for pixels at {pixel_row} and {len(asked)} labels from "
                             f"{label_row}")
        self.instruments = None if instruments is None else tuple(instruments)
        self.context, self.farthest, self.pixel_row, self.keeps_float32 = context, farthest, pixel_row, exact
        self.limits = limits or (-torch.inf, torch.inf)
        self.place = ScaledWavelengthEncoding(dim, low=wavelengths[0], high=wavelengths[1])
        self.register_buffer("asked", label_row + torch.arange(len(asked)), persistent=False)
        self.centre, self.spread = centre, spread
        if pixels:
            self.register_buffer("pixel_wavelength", torch.zeros(pixels, dtype=torch.float64))
            self.register_buffer("pixel_centre", torch.full((pixels,), float(centre)))
            self.register_buffer("pixel_spread", torch.full((pixels,), float(spread)))

    def tokens(self, batch: Batch) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Give what every pixel that may be taken would be.

        Parameters
        ----------
        batch : Batch
            Of tensors, ``n`` stars on one grid.

        Returns
        -------
        value : Tensor, shape ``(n, p)``
            Standardised.
        wavelength : Tensor of float64, shape ``(p,)``
        present : Tensor of bool, shape ``(n, p)``

        Raises
        ------
        DataError
            No shared grid; a grid that lacks the encoder's pixels.
        """
        if batch.coordinate.ndim != 1:
            raise DataError(f"encoder {self.name!r} takes spectra on one grid: sample them through an Instrument first")
        columns, centre, spread = self.columns(batch.coordinate)
        wavelength = self._buffers.get("pixel_wavelength", batch.coordinate[columns])
        value, bad = batch.value[:, columns], batch.mask[:, columns]
        bad = bad | ~_over_continuum(value, bad)[:, None]
        low, high = self.limits
        standardised = (value - centre) / spread
        present = ~bad & (value >= low) & (value <= high) & (standardised.abs() <= self.farthest)
        return standardised, wavelength, present

    def columns(self, wavelength: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor | float, torch.Tensor | float]:
        """Find the pixels that may be taken on a grid ``(p,)``: their columns, and centre and spread of their flux."""
        if "pixel_wavelength" not in self._buffers:
            inside = (wavelength >= self.place.low) & (wavelength <= self.place.high)
            if not inside.any():
                raise DataError(f"the spectra cover {wavelength[0]:.0f}-{wavelength[-1]:.0f} Angstrom and the encoder was "
                                f"made for {self.place.low:.0f}-{self.place.high:.0f}")
            return inside.nonzero()[:, 0], self.centre, self.spread
        own = self.pixel_wavelength
        after = torch.searchsorted(wavelength, own).clamp(1, len(wavelength) - 1)
        columns = torch.where((wavelength[after] - own).abs() < (wavelength[after - 1] - own).abs(), after, after - 1)
        steps = nn.functional.pad(own.diff(), (1, 1), value=torch.inf)  # a gap on one side makes no wider pixel
        step = torch.minimum(steps[1:], steps[:-1]).nan_to_num(posinf=0.0).maximum(wavelength[after] - wavelength[after - 1])
        lost = int(((wavelength[columns] - own).abs() > SAME_PIXEL * step).sum())
        if lost:
            raise DataError(f"the encoder has {len(own)} pixels of its own, {own[0]:.1f}-{own[-1]:.1f} Angstrom, and {lost} "
                            f"of them are not among these {len(wavelength)}, {wavelength[0]:.1f}-{wavelength[-1]:.1f}: hand "
                            "over the spectra with all their pixels, those without data masked")
        return columns, self.pixel_centre, self.pixel_spread

    def _embed(self, batch: Batch) -> torch.Tensor:
        value, wavelength, present = self.tokens(batch)
        index, chosen = choose(present, min(self.context, present.shape[1]))
        return self.encode(torch.full_like(index, self.pixel_row), value.gather(1, index), chosen, self.asked,
                           place=self.place(wavelength[index]))


def _over_continuum(value: torch.Tensor, bad: torch.Tensor) -> torch.Tensor:
    """Say whose flux can be one divided by its continuum, by its median: ``(n,)``."""
    middle = value.masked_fill(bad, torch.nan).nanmedian(dim=1).values
    return (middle > NORMALISED[0]) & (middle < NORMALISED[1])
