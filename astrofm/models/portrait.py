"""The analysis card of a star: one picture of what a model makes of it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from astropy import units as u

from ..data import Batch, collate
from ..errors import DataError
from . import conformal, inputs
from .response import smooth_response
from .spectra import decoded_at, spectrum_instrument

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from ..compat import Spectrum
    from .model import Model

#: colours of what was seen, of what the model says, and of its errors
SEEN, SAID, ERROR = "0.35", "#c1440e", "#f2c9b0"
#: and of what it says where the smooth shape of the flux is taken from what was seen
BENT = "#1f5fa8"
#: label panels in a row, classes shown, neighbours listed, draws of a posterior
PANELS, CLASSES, NEIGHBOURS, DRAWS = 6, 6, 8, 4000


class Searchable(Protocol):
    """What a card asks of an index."""

    def check(self, model: Model) -> None:
        """Raise an error unless the model made it."""

    def nearest(self, query: np.ndarray, k: int) -> Any:
        """Give a table of the nearest stars."""


def draw(model: Model, star: Any, *, index: Searchable | None = None, to: Sequence[str] | None = None) -> Figure:
    """Draw the card of a star; see `Model.card`.

    Raises
    ------
    DataError
        Several stars, a model without decoder or labels to show, or no matplotlib.
    """
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise DataError("a card is drawn with matplotlib: pip install 'astrofm[plot]'") from error
    if isinstance(star, Batch) and len(star) == 1:
        batch = star
    elif inputs.is_one_star(star):
        batch = collate([inputs.to_sample(star)])
    else:
        raise DataError("a card is of one star: give one Spectrum or TimeSeries, or a Batch of one")
    if index is not None:
        index.check(model)
    embedding = model.core.embed(batch)
    if not np.isfinite(embedding).all():
        raise DataError(f"the {'spectrum' if batch.band is None else 'light curve'} has no usable "
                        f"{'pixel' if batch.band is None else 'point'}: there is nothing to draw")
    table = model.predict(batch)
    if batch.band is not None:
        return _of_light_curve(Figure, model, batch, table, embedding, index, to)
    targets = [name for name in model.instruments if name != batch.instrument] if to is None else list(to)
    spectra = _decoded(model, batch, targets)
    labels = [label for head in model.heads.values() for label in head.labels]
    rows = len(spectra) + -(-len(labels) // PANELS) + (index is not None)
    figure, grid = _figure(Figure, model, batch, table, rows)
    for row, (name, spectrum) in enumerate(spectra):
        _spectrum_panel(figure.add_subplot(grid[row, :]), model, batch, name, spectrum)
    for place, label in enumerate(labels):
        axis = figure.add_subplot(grid[len(spectra) + place // PANELS, place % PANELS])
        _label_panel(axis, model, embedding, table, label)
    if index is not None:
        _neighbours_panel(figure.add_subplot(grid[rows - 1, :]), index, embedding[0])
    return figure


def _figure(kind: type[Figure], model: Model, batch: Batch, table: Any, rows: int) -> tuple[Figure, Any]:
    figure = kind(figsize=(13, 1.0 + 2.6 * rows), layout="constrained")
    figure.suptitle(f"{batch.sample(0).meta.get('id') or 'star'}   {batch.instrument}   S/N {float(table['snr'][0]):.0f}   "
                    f"model {model.name}   {str(table['flags'][0]) or 'no flags'}")
    return figure, figure.add_gridspec(rows, PANELS)


def _of_light_curve(kind: type[Figure], model: Model, batch: Batch, table: Any, embedding: np.ndarray,
                    index: Searchable | None, to: Sequence[str] | None) -> Figure:
    from .curve_portrait import draw_curve

    if to:
        raise DataError(f"light curves are not translated: leave out to={', '.join(to)}")
    figure, grid = _figure(kind, model, batch, table, 2 + (index is not None))
    draw_curve(model, batch, table, figure, grid)
    if index is not None:
        _neighbours_panel(figure.add_subplot(grid[2, :]), index, embedding[0])
    return figure


def _decoded(model: Model, batch: Batch, targets: Sequence[str]) -> list[tuple[str, Spectrum | None]]:
    """Reconstruct and translate; a model that can't decode shows the spectrum alone."""
    found: list[tuple[str, Spectrum | None]] = []
    for name in (batch.instrument, *targets):
        try:
            found.append((name, model.reconstruct(batch)[0] if name == batch.instrument
                          else model.translate(batch, to=name)[0]))
        except DataError:
            if name == batch.instrument:
                found.append((name, None))
    return found


def _spectrum_panel(axis: Any, model: Model, batch: Batch, name: str, spectrum: Spectrum | None) -> None:
    own = name == batch.instrument
    unit = ""
    if own:
        wave, value, unit = _seen(model, batch)
        axis.plot(wave, value, color=SEEN, lw=0.6, label="seen")
        finite = value[np.isfinite(value)]
        if len(finite):
            low, high = np.quantile(finite, (0.005, 0.995))
            axis.set_ylim(low - 0.15 * (high - low), high + 0.15 * (high - low))
    if spectrum is not None:
        at, value = spectrum.spectral_axis.to_value(u.AA), np.where(spectrum.mask, np.nan, spectrum.flux.value)
        if spectrum.uncertainty is not None:
            error = spectrum.uncertainty.array
            axis.fill_between(at, value - error, value + error, color=ERROR, lw=0)
        axis.plot(at, value, color=SAID, lw=0.9, label="reconstructed" if own else f"as {name} would see it")
        if own and name not in model.aligner.normalised and spectrum_instrument(name).calibration == "relative":
            seen = (np.asarray(part[0]) for part in (batch.value, batch.error, batch.mask))
            axis.plot(at, value * smooth_response(at, *seen, value), color=BENT, lw=0.9,
                      label="reconstructed, times a smooth response")
        unit = spectrum.flux.unit.to_string("unicode") or str(spectrum.meta.get("calibration", ""))
    axis.set_xlabel("wavelength (vacuum, Å)", labelpad=0)
    axis.set_ylabel(f"flux\n{unit}" if unit else "flux", fontsize=8)
    axis.legend(loc="upper left", fontsize=8, frameon=False)
    axis.margins(x=0.01)


def _seen(model: Model, batch: Batch) -> tuple[np.ndarray, np.ndarray, str]:
    """Give what was seen: in the survey's unit, or as a model that normalises sees it."""
    if batch.instrument in model.aligner.normalised:
        import torch

        at = decoded_at(model, spectrum_instrument(batch.instrument))
        with torch.no_grad():
            value = model.encoder.see(batch.tensors()).numpy()[0]
        bridged = np.interp(at, np.asarray(batch.coordinate), np.asarray(batch.mask[0], float)) > 1e-3
        return at, np.where(bridged, np.nan, value), f"relative to {model.aligner.normalised[batch.instrument]}"
    value = np.where(np.asarray(batch.mask[0], bool), np.nan, np.asarray(batch.value[0], float))
    return np.asarray(batch.coordinate), value, spectrum_instrument(batch.instrument).unit.to_string("unicode")


def _label_panel(axis: Any, model: Model, embedding: np.ndarray, table: Any, label: Any) -> None:
    axis.set_yticks([])
    if label.classes:
        read = model.core.read(embedding)[f"{label.name}_probability"]
        chance = conformal.calibrated(model.about, str(table["instrument"][0]), label.name, read)[0]
        best = np.sort(np.argsort(-chance)[:CLASSES]) if label.ordered else np.argsort(-chance)[:CLASSES]
        axis.bar([label.classes[k] for k in best], chance[best], color=SAID)
        axis.set_title(f"{label.name}: {table[label.name][0]}{' (median)' if label.ordered else ''}", fontsize=10)
        return
    value, error = (float(getattr(table[name][0], "value", table[name][0])) for name in (label.name, f"{label.name}_err"))
    digits = max(0, min(6, 1 - int(np.floor(np.log10(error))))) if error > 0 else 3
    axis.set_title(f"{label.name}  {value:.{digits}f} ± {error:.{digits}f} {label.unit}", fontsize=9)
    drawn = _drawn(model, embedding, label)
    if drawn is not None:
        low, high = np.quantile(drawn, (0.01, 0.99))
        axis.hist(drawn, bins=40, range=(low, high if high > low else low + 1), color=ERROR, density=True)
        axis.axvline(value, color=SAID)
    elif np.isfinite(error) and error > 0:
        x = value + error * np.linspace(-4, 4, 200)
        axis.fill_between(x, np.exp(-0.5 * ((x - value) / error) ** 2), color=ERROR)
        axis.axvline(value, color=SAID)
    axis.tick_params(labelsize=8)


def _drawn(model: Model, embedding: np.ndarray, label: Any) -> np.ndarray | None:
    import torch

    for head in model.heads.values():
        names = [one.name for one in head.labels]
        if label.name in names and hasattr(head, "sample"):
            with torch.inference_mode():
                given = torch.from_numpy(embedding).to(model.device)
                return head.sample(given, DRAWS)[0, :, names.index(label.name)].cpu().numpy()
    return None


def _neighbours_panel(axis: Any, index: Searchable, embedding: np.ndarray) -> None:
    axis.axis("off")
    found = index.nearest(embedding, NEIGHBOURS)
    columns = [name for name in found.colnames if name not in ("file", "error", "n_bad")][:8]
    cells = [[_short(row[name]) for name in columns] for row in found]
    shown = axis.table(cellText=cells, colLabels=columns, loc="center", edges="horizontal")
    shown.auto_set_font_size(False)
    shown.set_fontsize(8)
    axis.set_title("nearest stars of the index", fontsize=10, loc="left")


def _short(item: Any) -> str:
    number = getattr(item, "value", item)
    if isinstance(number, (float, np.floating)):
        return f"{number:.4g} {getattr(item, 'unit', '')}".strip()
    return str(item)
