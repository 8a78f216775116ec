"""The stars that ``stellar-tiny`` learns from: real libraries and models on one grid, with labels where they have them."""

from __future__ import annotations

import re
from dataclasses import dataclass, fields
from functools import cached_property
from pathlib import Path

import numpy as np
from astrofm_sky import libraries
from astrofm_sky.between import Between, scaled
from astrofm_sky.sources import Sources

#: how often a star of each group is drawn
GROUPS = {"miles": 0.70, "kurucz": 0.05, "stelib": 0.04, "templates": 0.08, "archetypes": 0.13}
#: temperature of the classes of dwarfs (Pecaut & Mamajek 2013, ApJS 208, 9) and giants (Alonso et al. 1999, A&AS 140,
#: 261; van Belle et al. 1999, AJ 117, 521); numeric classes, B0 = 20 ... M0 = 70
DWARFS = np.array([
    (15, 41400), (19, 33300), (20, 31400), (21, 26000), (22, 20600), (23, 17000), (25, 15700), (27, 14000), (28, 12300),
    (29, 10700), (30, 9700), (32, 8840), (34, 8270), (35, 8080), (37, 7800), (39, 7440), (40, 7220), (42, 6810),
    (44, 6640), (45, 6510), (46, 6340), (48, 6170), (49, 6040), (50, 5920), (52, 5770), (54, 5680), (55, 5660),
    (56, 5590), (58, 5490), (59, 5340), (60, 5280), (61, 5170), (62, 5040), (63, 4840), (64, 4600), (65, 4410),
    (66, 4230), (67, 4070), (70, 3850), (71, 3660), (72, 3560), (73, 3430), (74, 3210), (75, 3060), (76, 2810)])
GIANTS = np.array([
    (40, 7200), (45, 6470), (50, 5800), (55, 5050), (58, 4900), (60, 4750), (61, 4600), (62, 4450), (63, 4300),
    (64, 4150), (65, 3950), (67, 3890), (70, 3820), (71, 3760), (72, 3700), (73, 3620), (74, 3540), (75, 3420),
    (76, 3240), (77, 3100), (78, 2900)])


@dataclass(frozen=True, eq=False)
class Corpus:
    """Stars in the rest frame, without extinction.

    Parameters
    ----------
    wavelength : ndarray, shape ``(P,)``
    flux : ndarray of float32, shape ``(N, P)``
        Natural log of the flux over its median.
    labels : ndarray, shape ``(N, 3)``
        ``teff logg fe_h``; NaN where unknown.
    kind : ndarray, shape ``(N,)``
        Numeric class; NaN where unknown.
    group : ndarray of int, shape ``(N,)``
        Index into `GROUPS`.
    chance : ndarray, shape ``(N,)``
        How often a star is drawn; 0 for held-out stars.
    held_out : ndarray of bool, shape ``(N,)``
        Labelled stars kept for calibration.
    shift : ndarray, shape ``()``
        Classes by which the templates' own F, G and K classes differ from those that temperature and gravity give.
    """

    wavelength: np.ndarray
    flux: np.ndarray
    labels: np.ndarray
    kind: np.ndarray
    group: np.ndarray
    chance: np.ndarray
    held_out: np.ndarray
    shift: np.ndarray

    def draw(self, random: np.random.Generator, count: int, *,
             held_out: bool = False) -> tuple[Sources, np.ndarray, np.ndarray]:
        """Draw stars: those with labels are made between the library's, held-out ones are as they are.

        Returns
        -------
        sources : Sources
        labels : ndarray, shape ``(count, 3)``
        kinds : ndarray, shape ``(count,)``
            Numeric class.
        """
        chance = self.held_out / self.held_out.sum() if held_out else self.chance
        chosen = random.choice(len(self.flux), count, p=chance)
        flux, labels = self.flux[chosen], self.labels[chosen]
        if not held_out:
            for rows, between in self.between:
                here = np.flatnonzero(np.isin(chosen, rows))
                if len(here):
                    flux[here], labels[here] = between.draw(random, np.searchsorted(rows, chosen[here]))
        kind = np.where(np.isfinite(labels[:, 0]), self.kinds(labels), self.kind[chosen])
        sources = Sources(self.wavelength, np.exp(flux), None, {}, [str(k) for k in chosen], libraries.RESOLUTION)
        return sources, labels, kind

    @cached_property
    def between(self) -> list[tuple[np.ndarray, Between]]:
        """For each group with labels, its rows with all labels that are not held out, and the stars between them."""
        known = np.isfinite(self.labels).all(1) & ~self.held_out
        every = [np.flatnonzero(known & (self.group == k)) for k in range(len(GROUPS))]
        return [(rows, Between(self.labels[rows], self.flux[rows])) for rows in every if len(rows)]

    def kinds(self, labels: np.ndarray) -> np.ndarray:
        """Give the numeric classes of labels ``(n, 3)`` on the templates' scale."""
        kind = kind_of(labels[:, 0], labels[:, 1])
        return kind + self.shift * ((kind > 39) & (kind < 69))


def kind_of(teff: np.ndarray, logg: np.ndarray) -> np.ndarray:
    """Give the numeric class of stars from temperature and gravity; NaN stays NaN."""
    def look_up(table):
        return np.interp(-np.log10(np.nan_to_num(teff, nan=5000.0)), -np.log10(table[:, 1]), table[:, 0])

    giant = np.clip((3.7 - np.nan_to_num(logg, nan=4.5)) / 0.8, 0, 1) * (np.nan_to_num(teff, nan=5000.0) < 7000)
    kind = (1 - giant) * look_up(DWARFS) + giant * look_up(GIANTS)
    return np.where(np.isfinite(teff) & np.isfinite(logg), kind, np.nan)


def load_corpus(data: Path, *, cache: Path) -> Corpus:
    """Read the libraries (a minute), or what an earlier call kept in ``cache``."""
    if cache.exists():
        with np.load(cache, allow_pickle=False) as kept:
            return Corpus(**{field.name: kept[field.name] for field in fields(Corpus)})
    corpus = _make(data)
    np.savez(cache, **{field.name: getattr(corpus, field.name) for field in fields(Corpus)})
    return corpus


def _make(data: Path) -> Corpus:
    models = libraries.archetypes(data)
    templates = libraries.templates(data)
    stelib, _ = libraries.extend(libraries.stelib(data), models)
    references = Sources.concatenate([stelib, templates, libraries.archetypes(data, count=9000, seed=2)])
    miles, _ = libraries.extend(libraries.miles(data), references)
    kurucz, _ = libraries.extend(libraries.kurucz(data), models)
    every = {"miles": miles, "kurucz": kurucz, "stelib": stelib, "templates": libraries.extend(templates, models)[0],
             "archetypes": libraries.extend(models, models)[0]}
    flux, labels, kind, group = [], [], [], []
    for k, name in enumerate(GROUPS):
        part = every[name]
        count = len(part.flux)
        values = np.where(part.mask, np.nan, part.flux)
        values = values / np.nanmedian(values, axis=1, keepdims=True)
        flux.append(np.log(np.nan_to_num(values, nan=1e-4).clip(1e-4)).astype(np.float32))
        empty = np.full(count, np.nan)
        labels.append(np.stack([part.labels.get(x, empty) for x in ("teff", "logg", "fe_h")], axis=1))
        kind.append(part.labels.get("type", empty))
        group += [k] * count
    labels, group = np.concatenate(labels), np.array(group)
    held_out = _held_out(labels, group)
    return Corpus(miles.wavelength, np.concatenate(flux), labels, np.concatenate(kind), group,
                  _chance(labels, group, held_out), held_out, template_shift(templates, miles))


def template_shift(templates: Sources, miles: Sources) -> np.ndarray:
    """Give the median difference between a template's class and that of its MILES labels, for F, G and K stars."""
    row = {name: k for k, name in enumerate(miles.id)}
    away = []
    for name, kind in zip(templates.id, templates.labels["type"], strict=True):
        number = re.search(r"\((\d+)\)", name)
        k = row.get(f"HD{number[1]}") if number else None
        if k is not None and 40 <= kind < 70:
            away.append(kind - kind_of(miles.labels["teff"][k: k + 1], miles.labels["logg"][k: k + 1])[0])
    return np.array(np.nanmedian(away))


def _held_out(labels: np.ndarray, group: np.ndarray) -> np.ndarray:
    known = np.flatnonzero((group == 0) & np.isfinite(labels).all(1))
    held = np.zeros(len(group), bool)
    held[np.random.default_rng(7).choice(known, len(known) // 10, replace=False)] = True
    return held


def _chance(labels: np.ndarray, group: np.ndarray, held_out: np.ndarray) -> np.ndarray:
    chance = np.zeros(len(group))
    place = scaled(labels)
    for k, share in enumerate(GROUPS.values()):
        rows = np.flatnonzero((group == k) & ~held_out)
        if np.isfinite(labels[rows, 0]).any():
            rows = rows[np.isfinite(labels[rows, :2]).all(1)]
            distance = np.linalg.norm(np.nan_to_num(place[rows][:, None, :2] - place[rows][None, :, :2]), axis=2)
            weight = (distance < 2).sum(1) ** -0.5 * _like_the_disc(labels[rows])
        else:
            weight = np.ones(len(rows))
        chance[rows] = share * weight / weight.sum()
    return chance / chance.sum()


def _like_the_disc(labels: np.ndarray) -> np.ndarray:
    """Weigh stars so that metallicities are those of the solar neighbourhood with generous tails, and hot stars rarer.

    The libraries were made to cover the diagram: drawn evenly, F stars would be metal-poor more often than not, and
    a reddened B star as likely as an F star.
    """
    fe_h, teff = np.nan_to_num(labels[:, 2], nan=-0.15), np.nan_to_num(labels[:, 0], nan=5000.0)
    return (np.exp(-0.5 * ((fe_h + 0.15) / 0.35) ** 2) + 0.12) * np.where(teff > 9500, 0.3, 1.0)
