"""Ask a model for named quantities, given others by name."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from astropy import units as u
from astropy.table import QTable, Table

from ..data import Batch
from ..errors import DataError, UnknownNameError
from .answers import Declared, make_table
from .band_means import Measured, holds_spectra, measured
from .card import error_scale, names_of
from .inputs import is_one_star
from .precision import autocast, batch_size

if TYPE_CHECKING:
    from ..compat import Spectrum, SpectrumList
    from .model import Model

#: flag of a star of which nothing usable was given
NOTHING = "no-usable-quantity"
#: flag of a spectrum that has no flux in the band that is the unit of the others, and does not count
NO_REFERENCE = "no-reference-flux"
#: columns of a table that are no quantities, and are handed through
HANDED_THROUGH = ("id",)


def request(model: Model, given: Mapping[str, Any] | Table, wanted: str | Sequence[str]) -> QTable | Spectrum | SpectrumList:
    """See `Model.request`."""
    quantities = _quantities(model)
    spectra = measured(quantities)
    asked, order = _asked(quantities, spectra, [wanted] if isinstance(wanted, str) else wanted)
    value, ids, scales, one = _values(quantities, spectra, given)
    found, error = answer(model, value, asked)
    usable = np.isfinite(value).any(axis=1)
    lost = {f"{NO_REFERENCE}:{name}": ~np.isfinite(scale) for name, scale in scales.items()}
    flags = {NOTHING: ~usable, **lost, **_outside(quantities, value)}
    for name, rows in _outside({name: quantities[name] for name in asked}, found).items():
        flags[name] = flags[name] | rows
    for spectrum in {each.instrument: each for each in spectra.values()}.values():
        flags = spectrum.merge(flags)
    flagged = names_of(flags, len(value))
    if len(order) == 1 and order[0] in spectra:
        spectrum = spectra[order[0]]
        many = spectrum.spectra(found, error, scales.get(spectrum.instrument), ids, flagged, model.provenance())
        return many[0] if one else many
    columns: dict[str, Any] = {"id": ids, "flags": flagged}
    declared, wavelengths = [Declared("id", "str", "identifier of the star, as it was given")], {}
    start = 0
    for name in order:
        if name in spectra:
            spectrum, scale = spectra[name], scales.get(spectra[name].instrument)
            pair = [x[:, start: start + len(spectrum.names)] for x in (found, error)]
            pair = pair if scale is None else [x * scale[:, None] for x in pair]
            unit, text = str(spectrum.unit(scale)), f"mean fluxes in bands, as {spectrum.instrument} sees them"
            wavelengths[name] = spectrum.bands.mean(axis=1).tolist()
        else:
            pair = [x[:, start] for x in (found, error)]
            unit, text = quantities[name].get("unit", ""), quantities[name].get("description") or name
        start += len(spectra[name].names) if name in spectra else 1
        columns[name], columns[f"{name}_err"] = pair
        declared += [Declared(name, "float32", text, unit),
                     Declared(f"{name}_err", "float32", f"one-sigma error of {name}", unit)]
    table = make_table([*declared, Declared("flags", "str", "what to be careful about, separated by commas")], columns)
    table.meta.update(model.provenance())
    if wavelengths:
        table.meta["wavelengths"] = wavelengths
    return table


@torch.inference_mode()
def answer(model: Model, value: np.ndarray, asked: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
    """Answer names for stars of which some quantities are known.

    Parameters
    ----------
    model : Model
    value : ndarray, shape ``(n, q)``
        In the order and the units of the model's quantities; NaN where nothing is known.
    asked : sequence of str

    Returns
    -------
    value, error : ndarray of float32, shape ``(n, len(asked))``
        NaN for stars of which nothing is known.
    """
    encoder, core = model.encoder, model.core
    head = next(iter(model.heads.values()))
    rows = encoder.rows(asked)
    scale = encoder.scale.of(rows - 1)
    found = np.full((2, len(value), len(asked)), np.nan, np.float32)
    usable = np.flatnonzero(np.isfinite(value).any(axis=1))
    place, size = np.arange(value.shape[1], dtype=float), batch_size(core.device, encoder)
    with autocast(core.precision, core.device, encoder):
        for start in range(0, len(usable), size):
            chosen = usable[start: start + size]
            part = value[chosen].astype(np.float32)
            batch = Batch(encoder.name, place, np.nan_to_num(part), np.zeros_like(part), ~np.isfinite(part))
            tokens = encoder.embed_asked(batch.tensors(core.device), rows).float()
            with torch.autocast(core.device.type, enabled=False):
                mean, log_variance = head.numbers(model.aligner.answers(tokens, len(asked)))
            found[0, chosen], found[1, chosen] = (column.cpu().numpy() for column in scale.numbers(
                mean, (0.5 * log_variance).exp()))
    found[1] *= np.array([error_scale(model.about, encoder.name, name) for name in asked], np.float32)
    return found[0], found[1]


def _quantities(model: Model) -> Mapping[str, Mapping[str, Any]]:
    quantities = getattr(model.encoder, "quantities", None)
    if quantities is None or not hasattr(model.aligner, "answers"):
        raise DataError(f"model {model.name!r} takes spectra and answers no names: `predict`, `translate` and `embed` are "
                        "its verbs; for requests load a model whose encoder is 'named-quantities'")
    return quantities


def _known(quantities: Mapping[str, Mapping[str, Any]], name: str, spectra: Iterable[str] = ()) -> None:
    if name in quantities:
        return
    if name.removesuffix("_err") in quantities:
        raise UnknownNameError(f"{name!r}: errors of what is given are not used, as the model takes none: leave it out")
    known = [*quantities, *spectra]
    near = difflib.get_close_matches(name.lower(), known, n=3, cutoff=0.5)
    units = ", ".join(f"{one!r} ({quantities.get(one, {}).get('unit') or 'no unit'})" for one in near)
    single = [one for one in known if not re.search(r"\d$", one)]
    stems = dict.fromkeys(re.sub(r"\d+$", "", one) for one in quantities if re.search(r"\d$", one))
    listed = [*single, *(f"{stem}0 to {_family(quantities, stem)[-1]}" for stem in stems if _family(quantities, stem))]
    raise UnknownNameError(f"the model knows no quantity {name!r}." + (f" Did you mean {units}?" if near else
                           f" It knows {', '.join(listed[:40])}; leave out what is none of them"))


def _asked(quantities: Mapping[str, Mapping[str, Any]], spectra: Mapping[str, Measured],
           wanted: Sequence[str]) -> tuple[list[str], list[str]]:
    """Give the quantities that are asked for, and the columns of the answer, in order."""
    wanted = list(map(str, wanted))
    if not wanted:
        raise DataError("nothing is asked for: name at least one quantity, for example ['teff']")
    known = {*quantities, *spectra}
    order = list(dict.fromkeys(name if name in known else name.removesuffix("_err") for name in wanted))
    asked: list[str] = []
    for name in order:
        if name not in spectra:
            _known(quantities, name, spectra)
        asked += spectra[name].names if name in spectra else [name]
    twice = sorted({name for name in wanted if wanted.count(name) > 1} | {name for name in asked if asked.count(name) > 1})
    if twice:
        raise DataError(f"{twice[0]!r} is asked for twice: name each quantity once")
    return asked, order


def _values(quantities: Mapping[str, Mapping[str, Any]], spectra: Mapping[str, Measured],
            given: Mapping[str, Any] | Table) -> tuple[np.ndarray, list[str], dict[str, np.ndarray], bool]:
    """Put what is given into columns ``(n, q)``, converted and checked.

    Also give the identifiers, the scales of spectra by instrument, and whether it is one star, not a list of one.
    """
    if isinstance(given, Table):
        given = {name: given[name] for name in given.colnames}
    if not isinstance(given, Mapping):
        raise DataError(f"a {type(given).__name__} says no names: hand over a mapping such as {{'teff': 4800 * u.K}}"
                        + (f", or {{{next(iter(spectra))!r}: spectrum}}" if spectra else "")
                        + ", or an astropy table (Table.from_pandas makes one of a DataFrame)")
    if not set(given) - set(HANDED_THROUGH):
        raise DataError("nothing is given: hand over a mapping such as {'jk': 0.6, 'teff': 4800 * u.K}, or a table")
    columns: dict[str, Any] = {}
    scales, ids, many, named = {}, None, False, {}
    for name, value in given.items():
        if name in HANDED_THROUGH:
            continue
        family = _family(quantities, name)
        if name in spectra and holds_spectra(value):
            bands, scales[spectra[name].instrument], ids = spectra[name].take(value)
            part, many = dict(zip(spectra[name].names, bands.T, strict=True)), many or not is_one_star(value)
            part = {key: column if many else column[0] for key, column in part.items()}
        elif name in spectra or family:
            part = _split(name, family or list(spectra[name].names), value)
        else:
            _known(quantities, name, spectra)
            part = {name: value}
        for key in set(part) & set(columns):
            raise DataError(f"{key!r} is given twice, by {name!r} too: give it once")
        columns.update(part)
        named.update(dict.fromkeys(part, name))
    arrays = {name: _in_unit(name, value, quantities[name].get("unit", "")) for name, value in columns.items()}
    ids = ids if given.get("id") is None else np.atleast_1d(np.asarray(given["id"])).astype(str).tolist()
    sizes = {named[name]: len(array) for name, array in arrays.items() if array.ndim}
    sizes |= {} if given.get("id") is None else {"id": len(ids)}
    if len(set(sizes.values())) > 1:
        raise DataError("the quantities have different numbers of stars: " + ", ".join(
            f"{name} {size}" for name, size in sizes.items()))
    n = next(iter(sizes.values()), 1)
    found = np.full((n, len(quantities)), np.nan)
    for k, name in enumerate(quantities):
        if name in arrays:
            found[:, k] = arrays[name]
    scales = {name: np.broadcast_to(scale, n) for name, scale in scales.items()}
    ids = list(np.broadcast_to(np.array(ids or [""], dtype=object), n))
    return found, ids, scales, not sizes


def _family(quantities: Mapping[str, Mapping[str, Any]], stem: str) -> list[str]:
    """Give the names that are a stem and a number, in order of the number, where the stem is none of the names."""
    if stem in quantities:
        return []
    numbered = {int(hit[1]): name for name in quantities if (hit := re.fullmatch(rf"{re.escape(stem)}(\d+)", name))}
    return [numbered[k] for k in sorted(numbered)]


def _split(stem: str, family: list[str], value: Any) -> dict[str, Any]:
    array = u.Quantity(value) if isinstance(value, u.Quantity) else np.ma.asarray(value)
    if array.ndim not in (1, 2) or array.shape[-1] > len(family):
        raise DataError(f"{stem!r} stands for {family[0]} to {family[-1]}: give an array of shape "
                        f"(n, {len(family)}) or less, not {array.shape}")
    return {name: array[..., k] for name, k in zip(family, range(array.shape[-1]), strict=False)}


def _in_unit(name: str, value: Any, unit: str) -> np.ndarray:
    try:
        if isinstance(value, u.Dex) and unit == "dex":  # logarithms of cgs units, as log10 of gravity is given
            cgs = value.unit.physical_unit.cgs
            value = value.to_value(u.dex(u.CompositeUnit(1, cgs.bases, cgs.powers)))
        elif isinstance(value, u.Quantity):
            value = value.to_value(unit or u.dimensionless_unscaled)
        elif getattr(value, "unit", None):
            value = u.Quantity(np.ma.filled(np.ma.asarray(value, float), np.nan), value.unit).to_value(
                unit or u.dimensionless_unscaled)
        array = np.ma.filled(np.ma.asarray(value, dtype=float), np.nan)
    except u.UnitConversionError as error:
        raise DataError(f"{name!r} is in {unit or 'no unit'}, and {error}: convert it first") from error
    except (TypeError, ValueError) as error:
        raise DataError(f"{name!r} is no number or array of numbers: {value!r:.60}") from error
    if array.ndim > 1:
        raise DataError(f"{name!r} has shape {array.shape}: give a number, or one a star")
    array = np.array(array)
    array[np.isinf(array)] = np.nan
    return array


def _outside(quantities: Mapping[str, Mapping[str, Any]], value: np.ndarray) -> dict[str, np.ndarray]:
    """Flag the values that lie outside the range that the model was trained on."""
    flags = {}
    for k, (name, one) in enumerate(quantities.items()):
        low, high = one.get("low"), one.get("high")
        with np.errstate(invalid="ignore"):
            flags[f"outside-range:{name}"] = ((value[:, k] < (-np.inf if low is None else low))
                                              | (value[:, k] > (np.inf if high is None else high)))
    return flags
