"""What encoders of light curves measure for heads, beside the embedding."""

from __future__ import annotations

import difflib
from collections.abc import Collection
from dataclasses import replace

import torch

from ..data import FEATURES, Batch
from ..errors import DataError, UnknownNameError
from ..interfaces import Encoder, LightCurveInstrument
from ..registry import get_instrument
from .ragged import CurveView, see_points

#: features that some instruments have and others have not begin so: see `astrofm.data.colour_features`
OF_BANDS = ("colour_", "amplitude_ratio_")


def measure_curves(encoder: Encoder, batch: Batch, names: Collection[str], view: CurveView) -> dict[str, torch.Tensor]:
    """Measure light curves: the ``amplitude`` of the points that are seen, and features by name.

    Parameters
    ----------
    encoder : Encoder
        That measures, for errors.
    batch : Batch
        Of tensors, with ``meta["unit"]`` where features are wanted.
    names : collection of str
        ``amplitude``, those of `astrofm.data.FEATURES`, and of the instrument's bands.
    view : CurveView
        Of the points that are seen.

    Raises
    ------
    UnknownNameError
        No feature has one of the names.
    DataError
        The instrument takes no light curves.
    """
    unknown = next((name for name in names
                    if name != "amplitude" and name not in FEATURES and not name.startswith(OF_BANDS)), None)
    if unknown is not None:
        near = difflib.get_close_matches(unknown, ("amplitude", *FEATURES), n=1)
        raise UnknownNameError(f"encoder {encoder.name!r} measures no {unknown!r}" + (
            f": did you mean {near[0]!r}?" if near else "; it measures amplitude and what astrofm.data.FEATURES lists"))
    found = {"amplitude": see_points(batch, view)[1]} if "amplitude" in names else {}
    others = [name for name in names if name != "amplitude"]
    if others:
        instrument = get_instrument(batch.instrument)
        if not isinstance(instrument, LightCurveInstrument):
            raise DataError(f"instrument {batch.instrument!r} takes no light curves: nothing is measured on them")
        arrays = {name: getattr(batch, name).cpu().numpy() for name in ("coordinate", "value", "error", "mask")}
        band = None if batch.band is None else batch.band.cpu().numpy()
        features = instrument.features(replace(batch, **arrays, band=band), others, workers=torch.get_num_threads())
        found |= {name: torch.from_numpy(values).to(batch.value.device) for name, values in features.items()}
    return found
