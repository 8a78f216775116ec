"""``astrofm demo``: the main job on a simulated night of stars, with a page of pictures."""

from __future__ import annotations

import argparse
import html
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import DataError, PluginError

if TYPE_CHECKING:
    from astropy.table import QTable

    from ..data import Batch
    from ..models import Model

#: labels that are drawn against the truth
DRAWN = ("teff", "logg", "fe_h", "a_v", "rv")


def add_arguments(verb: str, parser: argparse.ArgumentParser) -> None:
    """Add what `run` needs."""
    parser.add_argument("-o", "--output", type=Path, default=Path("astrofm-demo"), metavar="FOLDER",
                        help="where the page is written (%(default)s)")
    parser.add_argument("-m", "--model", default="stellar-tiny")
    parser.add_argument("--stars", type=int, default=60)
    parser.add_argument("--seed", type=int, default=1)


def run(options: argparse.Namespace) -> int:
    """Observe, predict, embed, translate, draw; give 0."""
    from ..models import load_model

    sky = _sky()
    model = load_model(options.model)
    seen, wanted = _instruments(model)
    if options.stars < 2:
        raise DataError(f"--stars is {options.stars}: say 2 or more")
    night = sky.night([seen, wanted], n=options.stars, seed=options.seed)
    batch = night.seen[seen]
    table = model.predict(batch)
    spectra = model.translate(batch, to=wanted)
    ours, theirs = model.embed(batch), model.embed(night.seen[wanted])
    options.output.mkdir(parents=True, exist_ok=True)
    first = int(np.argsort(np.asarray(table["snr"]))[len(table) // 2])
    _draw(options.output / "demo.png", batch, spectra[first], night.clean[wanted][first], table, first)
    table.write(options.output / "labels.ecsv", overwrite=True)
    retrieved = _recall(ours, theirs)
    _page(options.output / "index.html", model, table, seen, wanted, retrieved)
    print(f"{len(table)} simulated stars, seen by {seen}; model {model.name}\n")
    shown = table["id", "teff", "teff_err", "logg", "logg_err", "fe_h", "fe_h_err", "spectral_type", "snr", "flags"][:8]
    print("\n".join(_readable(shown).pformat(max_width=-1)))
    print(f"\nof {len(table)} stars, {retrieved} have their own {wanted} spectrum nearest in the shared space")
    print(f"embedding: {ours.shape[1]} numbers a star; translation: {len(spectra[first].flux)} pixels of {wanted}")
    print(f"page: {options.output / 'index.html'}")
    return 0


def _readable(table: QTable) -> QTable:
    """Round the numbers that are shown."""
    for name in table.colnames:
        if getattr(table[name], "dtype", None) is not None and table[name].dtype.kind == "f":
            table[name].info.format = ".2f" if name[:3] in ("log", "fe_", "a_v", "spe") else ".0f"
    return table


def _sky() -> Any:
    try:
        import astrofm_sky
    except ImportError as error:
        raise PluginError("the demo needs the simulated sky: pip install astrofm-sky") from error
    return astrofm_sky


def _instruments(model: Model) -> tuple[str, str]:
    """Choose what sees the night (the instrument of most pixels) and what that is translated to."""
    from ..registry import cards

    pixels = {name: told.get("grid", {}).get("n", 0) for name, told in model.about["instruments"].items()}
    here = [name for name in sorted(pixels, key=pixels.get, reverse=True) if name in cards("instruments")]
    if len(here) < 2:
        lacking = [name for name in model.instruments if name not in here]
        raise PluginError(f"the demo needs two instruments of model {model.name!r}; these are not installed: "
                          f"{', '.join(lacking) or 'none'}. pip install "
                          + " ".join(f"astrofm-{name.split('-')[0]}" for name in lacking))
    return here[0], here[1]


def _recall(ours: np.ndarray, theirs: np.ndarray) -> int:
    """Count the stars whose own other view is the nearest by cosine."""
    ours = ours / np.linalg.norm(ours, axis=1, keepdims=True)
    theirs = theirs / np.linalg.norm(theirs, axis=1, keepdims=True)
    return int(np.sum((ours @ theirs.T).argmax(axis=1) == np.arange(len(ours))))


def _draw(path: Path, batch: Batch, spectrum: Any, clean: np.ndarray, table: QTable, row: int) -> None:
    try:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    except ImportError as error:
        raise PluginError("the demo draws with matplotlib: pip install matplotlib") from error
    figure = Figure(figsize=(12, 10), layout="constrained")
    FigureCanvasAgg(figure)
    rows = figure.subfigures(3, 1)
    one = batch.sample(row)
    seen = rows[0].subplots()
    good = ~one.mask
    seen.plot(one.coordinate[good], one.value[good], lw=0.5, color="0.3")
    seen.set(title=f"{one.meta['id']} as {batch.instrument} saw it", xlabel="vacuum wavelength [Angstrom]", ylabel="flux")
    low, high = np.percentile(one.value[good], [0.2, 99.8]) if good.any() else (0.0, 1.0)
    seen.set_ylim(low - 0.1 * (high - low), high + 0.1 * (high - low))  # cosmic rays may leave the picture
    other = rows[1].subplots()
    wave, value = spectrum.spectral_axis.to_value("Angstrom"), spectrum.flux.value
    error = spectrum.uncertainty.array
    scale = np.nansum(value * clean) / np.nansum(clean**2)
    other.plot(wave, clean * scale, color="k", lw=1, label="truth")
    other.plot(wave, value, color="C1", lw=1, label="translated")
    other.fill_between(wave, value - error, value + error, color="C1", alpha=0.3, lw=0)
    other.set(title=f"translated to {spectrum.meta['instrument']}, over the truth", xlabel="vacuum wavelength [Angstrom]",
              ylabel="flux, the input's scale")
    other.legend()
    names = [name for name in DRAWN if name in table.colnames and f"true_{name}" in batch.meta]
    for axes, name in zip(np.atleast_1d(rows[2].subplots(1, len(names))), names, strict=True):
        truth = np.asarray(batch.meta[f"true_{name}"], float)
        axes.errorbar(truth, table[name].value, table[f"{name}_err"].value, fmt=".", ms=4, lw=0.6, color="C0")
        axes.axline((truth.mean(), truth.mean()), slope=1, color="k", lw=0.7)
        axes.set(xlabel=f"true {name}", ylabel="predicted" if name == names[0] else "",
                 title=str(table[name].unit))
    figure.savefig(path, dpi=110)


def _page(path: Path, model: Model, table: QTable, seen: str, wanted: str, retrieved: int) -> None:
    rows = "\n".join(_readable(table[:20]).pformat(html=True, max_width=-1, max_lines=-1))
    path.write_text(f"""<!DOCTYPE html>
<html lang="en"><meta charset="utf-8"><title>astrofm demo</title>
<style>body {{ font: 15px/1.5 sans-serif; max-width: 75em; margin: 2em auto; }} img {{ max-width: 100%; }}
table {{ font-size: 12px; border-collapse: collapse; }} td, th {{ padding: 2px 8px; border-bottom: 1px solid #ddd; }}
div {{ overflow-x: auto; }}</style>
<h1>A simulated night</h1>
<p>{len(table)} average stars with known labels, observed by {html.escape(seen)} with random motion, dust and noise;
labels, translation and embeddings by {html.escape(model.name)}. {retrieved} of them have their own
{html.escape(wanted)} spectrum nearest in the shared space. The stars are smooth means of real ones that the model may have
learned from: how good it is on real spectra stands in its documentation.</p>
<img src="demo.png" alt="spectrum, translation over truth, labels over truth">
<h2>Labels</h2><div>{rows}</div></html>
""")
