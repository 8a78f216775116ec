"""Tell variable stars apart: real labelled sets in five folds, from set to set, with few labels, and strangers among them.

    python benchmarks/variables.py --data DATA -o RUN --peer [--features] [--portable] [--model MODEL ...]

DATA holds ``asas hipparcos-ogle eros``. Each reader (``--peer``, light-curve's hand-crafted features and a Lomb-Scargle
period; ``--features``, astrofm's own; ``--portable``, those of them that mean the same in every survey; each ``--model``; and
features and model together) turns light curves into numbers, and each of ``--classifiers`` learns from these. All rows of a
table are measured in the same way on the same stars. Started again, it goes on: what stars were read as, and each row, are
kept in RUN. The protocols are in docs/variables.rst.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from itertools import permutations
from pathlib import Path

import numpy as np
from variables_classes import Tidy, chances, common_classes
from variables_models import as_it_is, posed
from variables_readers import Reader, features_reader, joined_reader, model_reader, peer_reader, told_of
from variables_rows import Rows, file_name, show
from variables_scores import auroc, confusions, few_of_each, macro_f1, micro_f1, scores, stratified_folds
from variables_sets import SETS, LabelledSet, in_one_band, same_stars, starembed
from variables_transfer import transfer_table

from astrofm import load_model
from astrofm.data import FEATURES, PORTABLE

PARTS = ("folds", "across", "few", "unlike", "as-is", "transfer", "tuned")


def folded(told: np.ndarray, classes: np.ndarray, kind: str, *, repeats: int = 3, folds: int = 5, trees: int = 500) -> dict:
    """Learn four fifths of the stars and answer for the rest, five times, and all that with other folds ``repeats`` times.

    Every star is answered once a repeat, and the scores are of all answers of a repeat; means over repeats.
    """
    names = np.unique(classes)
    parts, total = [], np.zeros((len(classes), len(names)))
    for repeat in range(repeats):
        fold, answer = stratified_folds(classes, folds, seed=repeat), np.zeros((len(classes), len(names)))
        for k in range(folds):
            new = fold == k
            answer[new] = chances(kind, told[~new], classes[~new], told[new], seed=repeat, trees=trees, names=names)
        parts.append(asdict(scores(classes, answer, names)))
        total += answer
    return {**{key: type(parts[0][key])(np.mean([part[key] for part in parts])) for key in parts[0]},
            "spread": float(np.std([part["micro"] for part in parts])),
            "confusions": confusions(classes, names[total.argmax(1)])}


def folds_table(stars: LabelledSet, told: Mapping[str, np.ndarray], rows: Rows, options: argparse.Namespace) -> None:
    """Print what five folds give, of all classes and of those with enough members."""
    for least in sorted({1, options.members}):
        whole = stars.of_at_least(least)
        kept = np.isin(stars.classes, np.unique(whole.classes))
        if least > 1 and kept.all():
            continue
        for reader, numbers in told.items():
            for kind in options.classifiers:
                row = rows.row("folds", stars.name, least, reader, kind, options.repeats, options.trees,
                               make=lambda n=numbers, k=kind, kept=kept: folded(n[kept], stars.classes[kept], k,
                                                                                repeats=options.repeats, trees=options.trees))
                show(f"{stars.name}, classes of >= {least}: {reader}, {kind}", row)
                if least == 1:
                    print("    commonest errors: " + "; ".join(f"{a} -> {b} {n}" for a, b, n in row["confusions"][:6]))


def across(known: tuple[np.ndarray, np.ndarray], new: tuple[np.ndarray, np.ndarray], kind: str, trees: int) -> dict:
    """Learn one set and answer for another, over the classes that both have; ``(told, common classes)`` of each."""
    both = np.intersect1d(known[1], new[1])
    both = both[both != ""]
    learnt, asked = np.isin(known[1], both), np.isin(new[1], both)
    answer = chances(kind, known[0][learnt], known[1][learnt], new[0][asked], trees=trees, names=both)
    return {**asdict(scores(new[1][asked], answer, both)), "learnt": int(learnt.sum()),
            "confusions": confusions(new[1][asked], both[answer.argmax(1)])}


def across_table(sets: Mapping[str, LabelledSet], readers: Mapping[str, Reader], rows: Rows, run: Path,
                 options: argparse.Namespace) -> None:
    """Print what one set teaches about another; every star is seen in one band, and shared stars are left out."""
    single = {name: in_one_band(stars) for name, stars in sets.items()}
    for old, new in permutations(single, 2):
        families = "eros" in (old, new)
        names = [common_classes(each, single[each].classes, families=families) for each in (old, new)]
        shared = None
        for reader, read in readers.items():
            told = [told_of(single[each].batch, read, run / "told" / "one-band" / f"{each}.{file_name(reader)}.npz")
                    for each in (old, new)]
            if shared is None:
                shared = same_stars(single[old], single[new])
            for kind in options.classifiers:
                row = rows.row("across", old, new, reader, kind, options.trees, int(shared.sum()),
                               make=lambda t=told, k=kind, s=shared, n=names: across(
                                   (t[0][~s], n[0][~s]), (t[1], n[1]), k, options.trees))
                show(f"{old} -> {new} ({shared.sum()} left out): {reader}, {kind}", row)


def few(told: np.ndarray, classes: np.ndarray, kind: str, shots: int, *, repeats: int = 5, trees: int = 500) -> dict:
    """Learn ``shots`` stars of each class that has twice as many, and answer for the rest of these classes."""
    names, counts = np.unique(classes, return_counts=True)
    names = names[counts >= 2 * shots]
    if len(names) < 2:
        return {"classes": len(names)}
    kept = np.isin(classes, names)
    told, classes, results = told[kept], classes[kept], []
    for repeat in range(repeats):
        taught = np.zeros(len(classes), bool)
        taught[few_of_each(classes, shots, seed=repeat)] = True
        answer = names[chances(kind, told[taught], classes[taught], told[~taught], seed=repeat, trees=trees).argmax(1)]
        results.append((micro_f1(classes[~taught], answer), macro_f1(classes[~taught], answer)))
    middle, spread = np.mean(results, 0), np.std(results, 0)
    return {"micro": float(middle[0]), "macro": float(middle[1]), "spread": float(spread[1]), "classes": len(names)}


def unlike(told: np.ndarray, classes: np.ndarray, kind: str, *, members: int = 10, trees: int = 500) -> dict:
    """Leave one class out: how well its stars stand out among stars of known classes that were not learnt either.

    Two scores: one less the highest probability, and the mean distance to the five nearest learnt stars, in features of
    normal distribution. Means of the AUROC over classes with enough members.
    """
    names, counts = np.unique(classes, return_counts=True)
    results = []
    for name in names[counts >= members]:
        stranger = classes == name
        asked = stranger.copy()
        asked[~stranger] = stratified_folds(classes[~stranger], 5) == 0
        top = chances(kind, told[~asked], classes[~asked], told[asked], trees=trees).max(1)
        tidy = Tidy(True).fit(told[~asked])
        far = nearest(tidy.transform(told[~asked]), tidy.transform(told[asked]))
        results.append((auroc(1 - top, stranger[asked]), auroc(far, stranger[asked])))
    middle = np.mean(results, 0) if results else (np.nan, np.nan)
    return {"auroc_probability": float(middle[0]), "auroc_distance": float(middle[1]), "classes": len(results)}


def nearest(known: np.ndarray, new: np.ndarray, count: int = 5) -> np.ndarray:
    """Give the mean distance of each new star to its nearest known ones; shape ``(m,)``."""
    distance = np.sqrt(np.maximum((new**2).sum(1)[:, None] + (known**2).sum(1) - 2 * new @ known.T, 0))
    return np.sort(distance, axis=1)[:, :count].mean(1)


def as_is_table(name: str, stars: LabelledSet, rows: Rows, options: argparse.Namespace) -> None:
    """Print what models' own classes are worth on a real set that they have no label of."""
    truth = common_classes(name, stars.classes)
    for each in options.model if (truth != "").any() else ():
        path, _, posing = each.partition("@")
        show(f"{name}, as it is: {each}", rows.row("as-is", name, each, make=lambda p=path, posing=posing: as_it_is(
            load_model(p), posed(in_one_band(stars).batch, posing), truth)))


def main(arguments: Sequence[str] | None = None) -> None:
    """Print tables."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("-o", "--output", type=Path, required=True)
    parser.add_argument("--peer", action="store_true", help="light-curve's features and a Lomb-Scargle period")
    parser.add_argument("--features", action="store_true", help="astrofm's hand-crafted features")
    parser.add_argument("--portable", action="store_true", help="those of them that mean the same in every survey")
    parser.add_argument("--model", nargs="+", default=[], help="NAME, or NAME@INSTRUMENT:BAND to show it all stars as such")
    parser.add_argument("--sets", nargs="+", choices=SETS, default=["asas", "hipparcos-ogle", "eros"])
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=list(PARTS))
    parser.add_argument("--classifiers", nargs="+", default=["forest", "extra-trees", "linear"],
                        help="forest extra-trees knn mlp linear, or sums such as extra-trees+linear")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--trees", type=int, default=500)
    parser.add_argument("--members", type=int, default=10, help="the second table has classes of at least so many stars")
    parser.add_argument("--shots", type=int, nargs="+", default=[1, 5, 10])
    parser.add_argument("--labels", type=int, nargs="+", default=[5, 50, 500])
    parser.add_argument("--surveys", nargs="+", default=["ztf", "gaia-epoch"], help="that simulated stars are seen by")
    parser.add_argument("--simulated", nargs="+", help="classes of simulated stars",
                        default=["RRAB", "RRC", "DCEP", "DSCT", "EA", "EW", "M", "SR", "RS", "CONST"])
    parser.add_argument("--tested", type=int, default=1000, help="simulated stars that are answered for")
    parser.add_argument("--most", type=int, help="take so many stars of each set, drawn by chance")
    parser.add_argument("--starembed", type=Path, help="folder of train-*.parquet, validation-*.parquet and test-*.parquet")
    parser.add_argument("--class-column", help="column of the classes in --starembed")
    options = parser.parse_args(arguments)
    readers: dict[str, Reader] = {"peer": peer_reader()} if options.peer else {}
    readers |= {"features": features_reader(tuple(FEATURES))} if options.features else {}
    readers |= {"portable": features_reader(PORTABLE)} if options.portable else {}
    readers |= {name: model_reader(name) for name in options.model}
    readers |= {f"{own}+{name}": joined_reader([readers[own], readers[name]]) for own in ("features", "portable")
                if own in readers for name in options.model}
    if not readers:
        raise SystemExit("nothing to measure: say --peer, --features, --model MODEL, or several of them")
    options.output.mkdir(parents=True, exist_ok=True)
    suffix = f".{options.most}" if options.most else ""
    rows = Rows(options.output / f"rows{suffix}.json")
    begin = time.monotonic()
    if options.starembed:
        starembed_table(options, readers, rows)
        return
    sets = {}
    for name in options.sets:
        stars = SETS[name](options.data)
        if options.most and options.most < len(stars):
            stars = stars[np.sort(np.random.default_rng(0).permutation(len(stars))[:options.most])]
        sets[name] = stars
        print(f"{time.monotonic() - begin:.0f} s: {name}, {len(stars)} stars of {len(np.unique(stars.classes))} classes",
              flush=True)
        if "as-is" in options.parts:
            as_is_table(name, stars, rows, options)
        if not {"folds", "few", "unlike"} & set(options.parts):
            continue
        told = {reader: told_of(stars.batch, read, options.output / "told" / f"{name}{suffix}.{file_name(reader)}.npz")
                for reader, read in readers.items()}
        print(f"{time.monotonic() - begin:.0f} s: read", flush=True)
        if "folds" in options.parts:
            folds_table(stars, told, rows, options)
        for reader, numbers in told.items():
            for kind in options.classifiers:
                for shots in options.shots if "few" in options.parts else ():
                    show(f"{name}, {shots} of each class: {reader}, {kind}",
                         rows.row("few", name, shots, reader, kind, options.trees, make=lambda n=numbers, k=kind, s=shots,
                                  c=stars.classes: few(n, c, k, s, trees=options.trees)))
                if "unlike" in options.parts:
                    show(f"{name}, a class left out: {reader}, {kind}",
                         rows.row("unlike", name, options.members, reader, kind, options.trees, make=lambda n=numbers, k=kind,
                                  c=stars.classes: unlike(n, c, k, members=options.members, trees=options.trees)))
    if "across" in options.parts and len(sets) > 1:
        across_table(sets, readers, rows, options.output / f"across{suffix}", options)
    if {"transfer", "tuned"} & set(options.parts):
        transfer_table(readers, rows, options.output, options)
    print(f"{time.monotonic() - begin:.0f} s in all")


def starembed_table(options: argparse.Namespace, readers: Mapping[str, Reader], rows: Rows) -> None:
    """Print what StarEmbed's own split gives: learn train and validation, answer for test."""
    if not options.class_column:
        raise SystemExit("--starembed needs --class-column, the name of the column that holds the classes")
    parts = {name: starembed(options.starembed, name, options.class_column) for name in ("train", "validation", "test")}
    for reader, read in readers.items():
        told = {name: told_of(stars.batch, read, options.output / "told" / f"starembed-{name}.{file_name(reader)}.npz")
                for name, stars in parts.items()}
        learnt = [np.concatenate([told[name] for name in ("train", "validation")]),
                  np.concatenate([parts[name].classes for name in ("train", "validation")])]
        names = np.unique(learnt[1])
        truth, asked = parts["test"].classes, told["test"]
        for kind in options.classifiers:
            show(f"StarEmbed: {reader}, {kind}", rows.row(
                "starembed", reader, kind, options.trees, make=lambda k=kind, a=learnt, t=truth, new=asked, n=names: asdict(
                    scores(t, chances(k, *a, new, trees=options.trees, names=n), n))))


if __name__ == "__main__":
    main()
