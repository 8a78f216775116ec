"""The analysis card of a light curve: as seen, folded at its period, its classes and numbers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ..data import FEATURES, Batch
from ..registry import get_instrument
from .classes import RANKED

if TYPE_CHECKING:
    from astropy.table import QTable
    from matplotlib.figure import Figure

    from .model import Model

#: colours of bands, of classes in the set, and of the others
BANDS, INSIDE, OUTSIDE = ("#2a6f97", "#c1440e", "#6a4c93", "#2d6a4f", "#b5838d", "0.25"), "#c1440e", "0.75"
#: classes shown, light curves of more points have no error bars, and features that stand beside what the model says
CLASSES, ERRORS = 8, 1500
TOLD = ("period", "period_log_fap", "amplitude_90", "median", "time_base", "points_all")


def draw_curve(model: Model, batch: Batch, said: QTable, figure: Figure, grid: Any) -> None:
    """Draw what a model makes of a light curve into the first two rows of a grid of six columns.

    Parameters
    ----------
    model : Model
    batch : Batch
        Of one star.
    said : QTable
        What `Model.predict` gives of it.
    figure : Figure
    grid : GridSpec
    """
    instrument = get_instrument(batch.instrument)
    bands, unit = instrument.bands, str(batch.meta.get("unit", [instrument.unit])[0])
    measured = {name: float(values[0]) for name, values in instrument.features(batch, TOLD).items()}
    period = measured["period"]
    if "period" in said.colnames and np.isfinite(said["period"][0]):
        period = float(said["period"].to_value("d")[0])
    good = ~np.asarray(batch.mask[0], bool)
    days, value, error = (np.asarray(x[0], float)[good] for x in (batch.coordinate, batch.value, batch.error))
    band = np.zeros(len(days), int) if batch.band is None else np.asarray(batch.band[0])[good].astype(int)
    first = batch.meta.get("first_time", [None])[0]
    whole = figure.add_subplot(grid[0, :])
    _points(whole, days, value, error, band, bands, unit)
    whole.set_xlabel("days" if first is None else f"days since JD {float(first):.4f} (TDB)", labelpad=0)
    whole.set_ylabel(unit or "relative flux")
    if len(bands) > 1:
        whole.legend(loc="upper right", fontsize=8, frameon=False, ncols=len(bands))
    folded = figure.add_subplot(grid[1, :3])
    _folded(folded, days, value, error, band, bands, unit, period)
    labels = [label for head in model.heads.values() for label in head.labels]
    classes = [label for label in labels if label.classes]
    if classes:
        asked, inside = model.classify(batch), grid[1, 3:5].subgridspec(1, len(classes))
        for place, label in enumerate(classes):
            _classes(figure.add_subplot(inside[0, place]), said, asked, label)
    numbers = figure.add_subplot(grid[1, 5] if classes else grid[1, 3:])
    _numbers(numbers, said, [label for label in labels if not label.classes], measured)


def _points(axis: Any, x: np.ndarray, value: np.ndarray, error: np.ndarray, band: np.ndarray, bands: tuple[str, ...],
            unit: str) -> None:
    for place in np.unique(band):
        own, colour = band == place, BANDS[place % len(BANDS)]
        dots = {"ms": 3.5 if len(x) < ERRORS else 1.5, "color": colour, "ls": "", "marker": "o", "mew": 0}
        if len(x) < ERRORS:
            axis.errorbar(x[own], value[own], error[own], elinewidth=0.5, ecolor=colour, alpha=0.8, **dots)
        else:
            axis.plot(x[own], value[own], alpha=0.5, **dots)
        axis.plot([], [], label=bands[place], **{**dots, "ms": 5})
    low, high = value.min(), value.max()
    room = 0.08 * (high - low) or 1.0
    axis.set_ylim(*((high + room, low - room) if unit == "mag" else (low - room, high + room)))
    axis.margins(x=0.01)


def _folded(axis: Any, days: np.ndarray, value: np.ndarray, error: np.ndarray, band: np.ndarray, bands: tuple[str, ...],
            unit: str, period: float) -> None:
    if not np.isfinite(period):
        axis.axis("off")
        axis.set_title("no period found", fontsize=10)
        return
    middle = np.zeros(int(band.max()) + 1)
    for place in np.unique(band):
        middle[place] = np.median(value[band == place])
    away, phase = value - middle[band], days / period % 1.0
    twice = [np.concatenate([x, x]) for x in (away, error, band)]
    _points(axis, np.concatenate([phase, phase + 1]), *twice, bands, unit)
    axis.set_xlim(0, 2)
    axis.set_xlabel("cycles", labelpad=0)
    axis.set_ylabel(f"{unit or 'relative flux'}, less each band's median" if len(bands) > 1 else
                    f"{unit or 'relative flux'}, less the median", fontsize=8)
    axis.set_title(f"folded at {period:.7g} d", fontsize=10)


def _classes(axis: Any, said: Any, asked: Any, label: Any) -> None:
    name = label.name
    chance = {one: float(said[f"{name}_probability_{one}"][0]) for one in label.classes
              if f"{name}_probability_{one}" in said.colnames}
    chance = chance or {str(asked[f"{name}_{k}"][0]): float(asked[f"{name}_{k}_probability"][0])
                        for k in range(1, RANKED + 1) if f"{name}_{k}" in asked.colnames}
    best = sorted(chance, key=lambda one: -chance[one])[:CLASSES][::-1]
    members = str(asked[f"{name}_set"][0]).split(",")
    axis.barh(best, [chance[one] for one in best], color=[INSIDE if one in members else OUTSIDE for one in best])
    axis.set_xlim(0, 1)
    axis.set_xlabel("probability", labelpad=0)
    told = ", ".join(members[:5]) + " …" * (len(members) > 5)
    axis.set_title(f"{name}: {asked[name][0]}\nset of 90 %: {told}", fontsize=10)
    axis.tick_params(labelsize=8)


def _numbers(axis: Any, said: Any, labels: list[Any], measured: dict[str, float]) -> None:
    axis.axis("off")
    lines = []
    for label in labels:
        value, error = (float(getattr(said[name][0], "value", said[name][0])) for name in (label.name, f"{label.name}_err"))
        digits = max(0, min(8, 1 - int(np.floor(np.log10(error))))) if error > 0 else 3
        lines.append(f"{label.name}  {value:.{digits}f} ± {error:.{digits}f} {label.unit}")
    shown = [name for name in TOLD if np.isfinite(measured[name]) and name not in said.colnames]
    lines += ["", "measured", *(f"{name}  {measured[name]:.5g} {FEATURES[name].unit}" for name in shown)]
    axis.text(0, 0.98, "\n".join(lines), va="top", fontsize=9, transform=axis.transAxes, linespacing=1.5)
