"""What an instrument promises about spectra: the way they are written does not matter, what they say does."""

from __future__ import annotations

import numpy as np
from astropy import units as u
from astropy.nddata import UnknownUncertainty

from ..compat import Spectrum
from ..data import Sample, collate
from ..data.wavelength import to_air
from ..errors import DataError
from .cards import refuses, skip
from .claims import ClaimPromises
from .variants import (
    differences,
    errors,
    reverse,
    uncertainties,
    vacuum_angstrom,
    vary,
    with_bad_pixels,
)

DENSITIES = ("W m-2 um-1", "1e-17 erg s-1 cm-2 AA-1", "Jy", "mJy")


class SpectrumPromises(ClaimPromises):
    """Promises about instruments whose example is a `~specutils.Spectrum`; skipped for others."""

    def spectrum(self) -> Spectrum:
        """Get the example as a spectrum in vacuum Angstrom."""
        example = self.example()
        if not isinstance(example, Spectrum):
            skip(f"the example of {self.name!r} is a {type(example).__name__}, no spectrum")
        wave = vacuum_angstrom(example, self.instrument())
        return vary(example, axis=wave * u.AA, meta={"medium": "vacuum"})

    def agrees(self, variant: Spectrum, what: str, *, tolerance: float = 3e-6):
        """Assert that a variant of the example gives the example's Sample."""
        instrument = self.instrument()
        sample = instrument.sample(self.spectrum())
        changed = differences(sample, instrument.sample(variant), tolerance=tolerance)
        assert not changed, f"{what} changes {', '.join(changed)} of the Sample"

    def test_wavelengths_are_vacuum_angstrom_and_increase(self):
        spectrum = self.spectrum()
        sample, wave = self.instrument().sample(spectrum), vacuum_angstrom(spectrum, self.instrument())
        assert (np.diff(sample.coordinate) > 0).all(), "the wavelengths of the Sample do not increase"
        good = sample.coordinate[~sample.mask]
        step = np.diff(np.sort(wave)).max()
        assert wave.min() - step <= good[0] and good[-1] <= wave.max() + step, (
            f"the example covers {wave.min():.0f}-{wave.max():.0f} Angstrom in vacuum and its Sample "
            f"{good[0]:.0f}-{good[-1]:.0f}")

    def test_unit_of_the_axis_does_not_matter(self):
        spectrum = self.spectrum()
        axis = u.Quantity(spectrum.spectral_axis)
        for unit in ("nm", "um", "THz", "cm-1", "eV"):
            self.agrees(vary(spectrum, axis=axis.to(unit, u.spectral())), f"an axis in {unit}")

    def test_direction_of_the_axis_does_not_matter(self):
        self.agrees(reverse(self.spectrum()), "turning the axis round")

    def test_unit_of_the_flux_does_not_matter(self):
        spectrum = self.spectrum()
        density = u.spectral_density(u.Quantity(spectrum.spectral_axis))
        if not spectrum.flux.unit.is_equivalent(u.Jy, density):
            skip(f"the flux of the example is in {str(spectrum.flux.unit) or 'no unit'}")
        for unit in DENSITIES:
            self.agrees(vary(spectrum, flux=spectrum.flux.to(unit, density),
                             error=errors(spectrum).to(unit, density)), f"flux in {unit}")

    def test_kind_of_uncertainty_does_not_matter(self):
        spectrum = self.spectrum()
        for kind, uncertainty in uncertainties(spectrum).items():
            self.agrees(vary(spectrum, uncertainty=uncertainty), f"the uncertainty as {kind}")

    def test_byte_order_does_not_matter(self):
        spectrum = self.spectrum()
        flux, error = spectrum.flux.astype(">f4"), errors(spectrum).astype(">f4")
        self.agrees(vary(spectrum, flux=flux, error=error), "big-endian float32, as FITS has it")

    def test_air_wavelengths_are_converted(self):
        spectrum = self.spectrum()
        wave = u.Quantity(spectrum.spectral_axis).to_value(u.AA)
        in_air = vary(spectrum, axis=to_air(wave) * u.AA, meta={"medium": "air"})
        self.agrees(in_air, 'writing air wavelengths and meta["medium"] = "air"', tolerance=1e-4)

    def test_bad_pixels_become_mask_and_touch_no_others(self):
        instrument, spectrum = self.instrument(), self.spectrum()
        clean, spots, pixels = self._spots(spectrum)
        spoilt = vacuum_angstrom(spectrum, instrument)[pixels]
        distance = np.abs(clean.coordinate[:, None] - spoilt).min(1)
        far = distance > 3 * np.gradient(clean.coordinate) + 2 * np.abs(np.diff(spoilt)).min()
        for what, variant in with_bad_pixels(spectrum, pixels).items():
            sample = instrument.sample(variant)
            assert sample.mask[spots].all(), f"a pixel with {what} is not masked"
            assert np.isfinite(sample.value).all() and np.isfinite(sample.error).all(), f"{what} goes through"
            assert not sample.value[spots].any(), f"a pixel with {what} has a value under its mask"
            same = np.array_equal(sample.mask[far], clean.mask[far]) and np.allclose(
                sample.value[far], clean.value[far], rtol=1e-5, atol=0)
            assert same, f"a pixel with {what} changes pixels elsewhere"

    def test_bad_pixels_are_counted_in_meta(self):
        instrument, spectrum = self.instrument(), self.spectrum()
        clean, _, pixels = self._spots(spectrum)
        assert "n_bad" in clean.meta, 'meta["n_bad"], the number of pixels that came in bad, is missing'
        expected = clean.meta["n_bad"] + int(_good(spectrum)[pixels].sum())
        for what, variant in with_bad_pixels(spectrum, pixels).items():
            got = instrument.sample(variant).meta["n_bad"]
            assert got == expected, f'{expected} pixels are bad, some by {what}: meta["n_bad"] says {got}'

    def test_a_spectrum_without_a_good_pixel_is_refused_or_masked(self):
        instrument, spectrum = self.instrument(), self.spectrum()
        for what, variant in with_bad_pixels(spectrum, np.arange(len(spectrum.flux))).items():
            try:
                sample = instrument.sample(variant)
            except DataError:
                continue
            assert sample.mask.all(), f"{what} in every pixel, and {(~sample.mask).sum()} pixels are good"
            assert not sample.value.any() and not sample.error.any(), f"{what}: numbers stand under the mask"

    def test_what_it_cannot_represent_is_refused_in_words(self):
        spectrum = self.spectrum()
        axis, flux = u.Quantity(spectrum.spectral_axis), spectrum.flux
        bare = Spectrum(spectral_axis=axis, flux=flux, meta=dict(spectrum.meta))
        pair = Spectrum(spectral_axis=axis, flux=np.stack([flux, flux]), meta=dict(spectrum.meta))
        count = len(flux)
        refused = {
            "no uncertainty": bare,
            "an uncertainty of unknown kind": vary(spectrum, uncertainty=UnknownUncertainty(np.ones(count))),
            "flux in kelvin": vary(spectrum, flux=np.ones(count) * u.K, error=np.ones(count) * u.K),
            "flux in magnitudes": vary(spectrum, flux=np.ones(count) * u.mag, error=np.ones(count) * u.mag),
            "an axis in km/s": vary(spectrum, axis=np.linspace(-100, 100, count) * u.km / u.s),
            'meta["medium"] = "water"': vary(spectrum, meta={"medium": "water"}),
            "radio wavelengths": vary(spectrum, axis=axis * 1e8),
            "X-ray wavelengths": vary(spectrum, axis=axis * 1e-4),
            "two spectra in one": pair,
        }
        for what, variant in refused.items():
            refuses(DataError, lambda variant=variant: self.instrument().sample(variant), what)

    def test_rebuilt_spectra_carry_units_uncertainty_and_mask(self):
        instrument = self.instrument()
        spectrum = self.spectrum()
        _, _, pixels = self._spots(spectrum)
        sample = instrument.sample(with_bad_pixels(spectrum, pixels)["mask True"])
        rebuilt = instrument.rebuild(collate([sample]))[0]
        assert isinstance(rebuilt, Spectrum), f"rebuild() gives a {type(rebuilt).__name__}"
        density = u.spectral_density(u.Quantity(rebuilt.spectral_axis))
        alike = rebuilt.flux.unit.is_equivalent(spectrum.flux.unit, density)
        assert alike or u.dimensionless_unscaled in (rebuilt.flux.unit, spectrum.flux.unit), (
            f"{spectrum.flux.unit} in, {rebuilt.flux.unit} out")
        wave = vacuum_angstrom(rebuilt, instrument)
        assert np.allclose(np.sort(wave), sample.coordinate, rtol=1e-7), "the wavelengths come back changed"
        assert rebuilt.uncertainty is not None, "the rebuilt spectrum has no uncertainty"
        good = ~sample.mask
        assert np.allclose(errors(rebuilt).value[good], sample.error[good], rtol=1e-5), (
            "the errors come back changed")
        assert rebuilt.mask is not None and np.array_equal(rebuilt.mask, sample.mask), (
            "the mask comes back changed")
        assert rebuilt.meta.get("medium") == "vacuum", 'the rebuilt spectrum does not say meta["medium"]'

    def test_arrays_straight_to_a_batch_keep_the_contract(self):
        instrument, sample = self.instrument(), self.instrument().sample(self.spectrum())
        if not hasattr(instrument, "batch"):
            skip(f"{self.name!r} makes no batches from arrays")
        value, error = np.stack([sample.value] * 2), np.stack([sample.error] * 2)
        place = np.flatnonzero(~sample.mask)[:3]
        value[1, place[0]], error[1, place[1]], error[1, place[2]] = np.nan, np.inf, 0.0
        batch = instrument.batch(value, error, np.stack([sample.mask] * 2))
        changed = differences(sample, batch.sample(0), tolerance=0)
        assert not changed, f"the same star as arrays differs in {', '.join(changed)}"
        assert batch.mask[1, place].all(), "NaN, infinite or zero errors in arrays are not masked"
        assert np.isfinite(batch.value).all() and np.isfinite(batch.error).all(), "NaN goes through"

    def _spots(self, spectrum: Spectrum) -> tuple[Sample, np.ndarray, np.ndarray]:
        """Sample the spectrum; choose three good grid pixels, and the spectrum's own that reach into them."""
        clean = self.instrument().sample(spectrum)
        wave = vacuum_angstrom(spectrum, self.instrument())
        good = np.flatnonzero(~clean.mask)
        assert len(good) >= 12, f"the example has {len(good)} good pixels: too few to test with"
        spots = good[[len(good) // 4, len(good) // 2, 3 * len(good) // 4]]
        middle = clean.coordinate[spots]
        own = np.abs(np.gradient(wave))[np.abs(wave[:, None] - middle).argmin(0)]
        reach = 0.6 * (np.gradient(clean.coordinate)[spots] + own)
        return clean, spots, np.flatnonzero((np.abs(wave[:, None] - middle) <= reach).any(1))


def _good(spectrum: Spectrum) -> np.ndarray:
    error = errors(spectrum).value
    mask = False if spectrum.mask is None else np.asarray(spectrum.mask, bool)
    return np.isfinite(spectrum.flux.value) & np.isfinite(error) & (error > 0) & ~mask
