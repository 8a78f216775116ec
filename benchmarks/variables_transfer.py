"""Variable stars of simulated surveys: what few labels teach, by what readers tell and through models' weights."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

import numpy as np
from variables_classes import chances
from variables_models import RATES, tuned
from variables_readers import Reader, told_of
from variables_rows import Rows, file_name, show
from variables_scores import few_of_each, scores

from astrofm import load_model
from astrofm.data import Batch


def transfer(embed: Callable[[Batch], np.ndarray], known: Batch, new: Batch, labels: Sequence[int], kind: str,
             trees: int = 500) -> list[dict]:
    """Learn 5, 50, 500 simulated stars a class of one survey by what ``embed(batch) -> (n, d)`` tells, and answer for others.

    Parameters
    ----------
    embed : callable
        Taught on another survey, or on none; the batches hold what no label says.
    known, new : Batch
        Simulated stars with ``true_class`` in ``meta``, of one instrument; no star is in both.
    labels : sequence of int
        Stars a class.
    """
    truth = [np.asarray(batch.meta["true_class"], str) for batch in (known, new)]
    told, asked, results = embed(known), embed(new), []
    for count in labels:
        rows = few_of_each(truth[0], count)
        names = np.unique(truth[0])
        answer = chances(kind, told[rows], truth[0][rows], asked, trees=trees, names=names)
        results.append({"labels": count, **asdict(scores(truth[1], answer, names))})
    return results


def simulated(survey: str, most: int, options: argparse.Namespace) -> tuple[Batch, Batch]:
    """Observe simulated stars to learn from, at least ``most`` a class, and others to answer for."""
    from astrofm_sky import observe_variables, variable_stars

    drawn = [variable_stars(count, seed=seed, magnitude=(13.0, 17.5), classes=options.simulated)
             for count, seed in ((int(1.3 * most * len(options.simulated)), 100), (options.tested, 101))]
    known, new = (observe_variables(stars, survey, seed=102 + k) for k, stars in enumerate(drawn))
    return known, new


def transfer_table(readers: Mapping[str, Reader], rows: Rows, run: Path, options: argparse.Namespace) -> None:
    """Print what few labels of simulated stars teach, by readers and through models' weights.

    Models may come from simulated stars of another survey, or from none.
    """
    most = max(options.labels)
    for survey in options.surveys:
        known, new = simulated(survey, most, options)
        for reader, read in readers.items() if "transfer" in options.parts else ():
            files = {role: run / "told" / "transfer" / f"{survey}.{role}.{most}.{options.tested}.{file_name(reader)}.npz"
                     for role in ("known", "new")}

            def embed(batch: Batch, *, read: Reader = read, files: Mapping[str, Path] = files,
                      known: Batch = known) -> np.ndarray:
                return told_of(batch, read, files["known" if batch is known else "new"])

            for kind in options.classifiers:
                found = rows.row("transfer", survey, reader, kind, options.labels, options.tested, options.simulated,
                                 options.trees, make=lambda e=embed, k=kind, known=known, new=new: {
                                     "rows": transfer(e, known, new, options.labels, k, options.trees)})
                for each in found["rows"]:
                    show(f"simulated {survey}: {reader}, {kind}", each)
        for name in options.model if "tuned" in options.parts else ():
            for kind in RATES:
                for count in options.labels:
                    found = rows.row("tuned", survey, name, kind, count, options.tested, options.simulated,
                                     make=lambda n=name, k=kind, c=count, known=known, new=new: tuned(
                                         load_model(n.partition("@")[0]), known, new, [c], k)[0])
                    show(f"simulated {survey}: {name}, all weights, {kind}", found)
