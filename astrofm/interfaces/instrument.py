"""The first noun: an `Instrument` says what one survey's product looks like, and turns it into numbers and back."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from astropy import units as u

from ..data import Batch, Sample, collate
from ..errors import DataError, ReadError

if TYPE_CHECKING:
    from ..compat import Spectrum
    from ..data.linespread import LineSpread

#: unit of the flux of instruments that name no other: F_lambda
F_LAMBDA = u.Unit("erg s-1 cm-2 AA-1")


class Instrument(ABC):
    """One survey's data product: how it is recognised, read, checked, sampled and rebuilt.

    A subclass sets `name` and says in `matches` which objects are its own. See `SpectrumInstrument`
    for what comes for free with spectra.
    """

    #: registered name, lower case with hyphens
    name: str = ""

    def claims(self, data: Any) -> bool:
        """Say whether ``data`` is a product of this instrument; never raises, never True by default."""
        meta = getattr(data, "meta", None)
        if not isinstance(meta, Mapping):
            return False
        if "instrument" in meta:
            return meta["instrument"] == self.name
        return bool(self.matches(data))

    @abstractmethod
    def matches(self, data: Any) -> bool:
        """Say whether an object that names no instrument in its ``meta`` is this instrument's own."""

    def claims_file(self, path: Path) -> bool:
        """Say from its header whether the file is this instrument's; False unless a subclass knows better."""
        return False

    def read(self, path: Path) -> list[Any]:
        """Read every star of a file into astropy objects.

        Raises
        ------
        ReadError
            If the file is damaged, or this instrument reads no files.
        """
        raise ReadError(f"instrument {self.name!r} reads no files: read {path} with specutils and hand the "
                        "Spectrum over")

    def read_batches(self, paths: Sequence[Path], *, size: int = 256,
                     on_error: Callable[[Path, Exception], None] | None = None) -> Iterator[Batch]:
        """Read files straight into batches of about ``size`` stars, in order, in bounded memory.

        Parameters
        ----------
        paths : sequence of Path
        size : int
            Stars a batch.
        on_error : callable, optional
            Called with the path and the error of each file that cannot be read or sampled; without it
            the error is raised.

        Yields
        ------
        Batch
            With the file of each star in ``meta["file"]``.
        """
        waiting: list[Sample] = []
        for path in paths:
            try:
                found = []
                for data in self.read(Path(path)):
                    sample = self.sample(data)
                    found.append(Sample(sample.instrument, sample.coordinate, sample.value, sample.error,
                                        sample.mask, sample.band, {**sample.meta, "file": str(path)}))
            except (DataError, ReadError) as error:
                if on_error is None:
                    raise
                on_error(Path(path), error)
                continue
            waiting += found
            while len(waiting) >= size:
                yield collate(waiting[:size])
                del waiting[:size]
        if waiting:
            yield collate(waiting)

    @abstractmethod
    def sample(self, data: Any) -> Sample:
        """Check one astropy object and turn it into arrays; the object is left alone.

        Raises
        ------
        DataError
            If the object can't be represented: it says what, and what to do.
        """

    @abstractmethod
    def rebuild(self, batch: Batch) -> list[Any]:
        """Turn a batch back into astropy objects, in order, with units and uncertainties."""

    @abstractmethod
    def example(self, seed: int = 0) -> Any:
        """Make a small object that this instrument claims; for tests and documentation."""


class SpectrumInstrument(Instrument):
    """A spectrograph: set `name`, `grid` and `matches`, and the rest works.

    Examples
    --------
    >>> import numpy as np
    >>> from astropy import units as u
    >>> from astrofm.interfaces import SpectrumInstrument
    >>> class Feros(SpectrumInstrument):
    ...     name = "feros"
    ...     grid = np.geomspace(3530, 9200, 2048) * u.AA
    ...     example_header = {"INSTRUME": "FEROS"}
    ...
    ...     def matches(self, spectrum):
    ...         return spectrum.meta.get("header", {}).get("INSTRUME") == "FEROS"
    >>> sample = Feros().sample(Feros().example())
    >>> len(sample), sample.instrument
    (2048, 'feros')
    """

    #: wavelengths of the pixels, in the product's own medium, increasing or decreasing
    grid: u.Quantity
    #: "vacuum" or "air": what the product's wavelengths are where a spectrum's ``meta["medium"]`` does not say
    medium: str = "vacuum"
    #: unit of values and errors in a Sample
    unit: u.UnitBase = F_LAMBDA
    #: "absolute", or "relative" where the survey calibrates the shape of the spectrum only
    calibration: str = "relative"
    #: line-spread function, where it is known
    line_spread: LineSpread | None = None
    #: what puts arrays of the survey's pixels on the grid, where the plugin has such a function; for messages
    from_arrays: str = ""
    #: header of the example
    example_header: Mapping[str, Any] = {}

    def wavelength(self) -> np.ndarray:
        """Give the grid in vacuum Angstrom, increasing; shape ``(p,)``, float64."""
        from ..data.wavelength import to_vacuum

        wave = np.sort(np.asarray(self.grid.to_value(u.AA), np.float64))
        return to_vacuum(wave) if self.medium == "air" else wave

    def batch(self, value: np.ndarray, error: np.ndarray, mask: np.ndarray,
              meta: Mapping[str, Sequence[Any]] | None = None) -> Batch:
        """Make a batch from arrays of shape ``(n, p)`` that are on the grid and in the unit already."""
        meta = dict(meta or {})
        meta.setdefault("id", [""] * len(value))
        with np.errstate(over="ignore"):
            value, error = np.asarray(value).astype(np.float32), np.asarray(error).astype(np.float32)
        mask = mask | ~np.isfinite(value) | ~np.isfinite(error) | ~(error > 0)
        value[mask], error[mask] = 0, 0
        return Batch(self.name, self.wavelength(), value, error, mask, meta=meta)

    def sample(self, data: Spectrum) -> Sample:
        """Check a spectrum and put it on the grid as arrays.

        Parameters
        ----------
        data : `~specutils.Spectrum`
            One-dimensional, any spectral unit, with an uncertainty.

        Returns
        -------
        Sample
            Vacuum Angstrom, increasing; flux in `unit`. Pixels that are masked, not finite, without a
            positive error, or not covered are masked; ``meta`` counts those that came in bad.

        Raises
        ------
        DataError
            Not a one-dimensional spectrum; no uncertainty; a unit that is no flux density; a medium that
            is neither vacuum nor air; no pixel on the grid.
        """
        from .sampling import put_on_grid, spectrum_arrays

        wave, value, error, mask = spectrum_arrays(data, self)
        bad = int(mask.sum())
        value, error, mask, resampled = put_on_grid(wave, value, error, mask, self)
        meta = {"id": "", **self.describe(data), "n_bad": bad, "resampled": resampled}
        return Sample(self.name, self.wavelength(), value, error, mask, meta=meta)

    def describe(self, data: Spectrum) -> dict[str, Any]:
        """Pick the plain scalars of ``meta`` that travel with the sample; ``id`` among them."""
        return {key: item for key, item in data.meta.items()
                if isinstance(item, (str, bool, int, float, np.generic)) and key != "instrument"}

    def rebuild(self, batch: Batch) -> list[Spectrum]:
        """Make one `~specutils.Spectrum` a star, with uncertainty, mask and ``meta``."""
        from astropy.nddata import StdDevUncertainty

        from ..compat import Spectrum

        if batch.instrument != self.name:
            raise DataError(f"instrument {self.name!r} rebuilds its own batches, not {batch.instrument!r}")
        spectra = []
        for row in range(len(batch)):
            one = batch.sample(row)
            meta = {**one.meta, "instrument": self.name, "medium": "vacuum", "calibration": self.calibration}
            spectra.append(Spectrum(
                spectral_axis=one.coordinate * u.AA, flux=np.asarray(one.value, float) * self.unit,
                uncertainty=StdDevUncertainty(np.asarray(one.error, float), unit=self.unit),
                mask=np.array(one.mask), meta=meta))
        return spectra

    def example(self, seed: int = 0) -> Spectrum:
        """Make a smooth spectrum with a few lines and noise on the grid, under `example_header`."""
        from astropy.nddata import StdDevUncertainty

        from ..compat import Spectrum

        random = np.random.default_rng(seed)
        wave = self.grid.to_value(u.AA)
        middle = np.median(wave)
        flux = (wave / middle) ** random.uniform(-2, 1)
        for centre in random.uniform(wave.min(), wave.max(), 12):
            flux -= 0.3 * flux * np.exp(-0.5 * ((wave - centre) / (0.002 * centre)) ** 2)
        error = np.full_like(flux, 0.02)
        flux = flux + error * random.standard_normal(len(flux))
        return Spectrum(spectral_axis=self.grid, flux=flux * self.unit,
                        uncertainty=StdDevUncertainty(error * self.unit),
                        meta={"header": dict(self.example_header), "id": f"example-{seed}"})
