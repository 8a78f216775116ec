"""The emulator gives the networks' spectra and their derivatives, and only where they were fitted."""

import numpy as np
import pytest
from astrofm_sky.emulator import LABELS, Emulator, as_observed

from astrofm.errors import DataError, ReadError


@pytest.fixture
def emulator(tmp_path):
    """Networks of 40 pixels, in the layout of the published ones."""
    random = np.random.default_rng(0)
    (tmp_path / "apogee").mkdir()
    np.savez(tmp_path / "apogee" / "NN_normalized_spectra.npz", w_array_0=random.normal(size=(40, 5, 5)).astype("f4"),
             b_array_0=random.normal(size=(40, 5)).astype("f4"), w_array_1=random.normal(size=(40, 5)).astype("f4"),
             b_array_1=random.normal(size=40).astype("f4"), x_min=np.array([4200, 4, -0.8, -0.3, 0.0]),
             x_max=np.array([7000, 5, 0.4, 0.5, 45.0]))
    np.savez(tmp_path / "apogee" / "apogee_wavelength.npz", wavelength=np.linspace(15200, 16900, 40))
    return Emulator.open(tmp_path)


def test_flux_is_that_of_the_networks_pixel_by_pixel(emulator):
    labels = emulator.draw(70, np.random.default_rng(1))
    found = emulator.flux(labels)
    scaled = (labels[33] - emulator.low) / (emulator.high - emulator.low) - 0.5
    for pixel in (0, 17, 39):
        hidden = 1 / (1 + np.exp(-(scaled @ emulator.hidden[:, pixel] + emulator.hidden_bias[pixel])))
        assert found[33, pixel] == pytest.approx(hidden @ emulator.output[pixel] + emulator.output_bias[pixel], rel=1e-4)


def test_the_sensitivity_is_the_derivative(emulator):
    labels = 0.5 * (emulator.low + emulator.high)[None] + 0.1 * (emulator.high - emulator.low)
    slopes = emulator.sensitivity(labels)
    for k in range(len(LABELS)):
        step = 0.01 * (emulator.high[k] - emulator.low[k])
        move = step * np.eye(len(LABELS))[k]
        slope = (emulator.flux(labels + move).astype(float) - emulator.flux(labels - move)) / (2 * step)
        np.testing.assert_allclose(slopes[..., k], slope, atol=0.02 * np.abs(slope).max())


def test_labels_beyond_the_models_are_refused(emulator):
    labels = emulator.draw(3, np.random.default_rng(0))
    labels[1, 2] = 0.9
    with pytest.raises(DataError, match="fe_h lies outside -0.8 to 0.4 dex"):
        emulator.flux(labels)
    with pytest.raises(DataError, match="shape \\(n, 5\\), not"):
        emulator.flux(labels[:, :4])
    with pytest.raises(ReadError, match="docs/sky.rst"):
        Emulator.open("nowhere")


def test_real_networks_have_the_lines_where_the_laboratory_has_them(shared_data):
    from astrofm_apogee.lines import name_lines

    emulator = Emulator.open(shared_data)
    slope = np.abs(emulator.sensitivity(np.array([[4800.0, 4.5, 0.0, 0.1, 5.0]]))[0, :, 3])
    strongest = emulator.wavelength[np.argsort(-slope)[:60]]
    named = {name.split(" 1")[0] for name in name_lines(strongest, within=0.6)}
    assert "Mg I" in named and emulator.flux(np.array([[4800.0, 4.5, 0.0, 0.1, 5.0]])).max() < 1.3


def test_what_is_observed_is_noisy_broader_and_masked_and_repeats(emulator):
    flux = np.ones((200, 400), np.float32)
    flux[:, 200] = 0.4
    value, error, mask = as_observed(flux, np.random.default_rng(3), snr=(100.0, 100.0), strengths=0.0, continuum=0.0)
    again = as_observed(flux, np.random.default_rng(3), snr=(100.0, 100.0), strengths=0.0, continuum=0.0)
    np.testing.assert_array_equal(value, again[0])
    assert 0.005 < mask.mean() < 0.02 and not value[mask].any() and not error[mask].any()
    far = ~mask & (np.abs(np.arange(400) - 200) > 20)
    assert np.std(value[far]) == pytest.approx(0.01, rel=0.05) and np.allclose(error[far], 0.01)
    middle = value[~mask[:, 200], 200]
    assert 0.45 < middle.mean() < 0.9, "the line is broader, and so less deep"
