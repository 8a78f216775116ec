"""What travels between the rooms: a `Sample` is one star, a `Batch` is many from one instrument."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from ..errors import DataError

__all__ = ["Batch", "Sample", "collate"]


@dataclass(frozen=True, eq=False)
class Sample:
    """One star as one instrument saw it, as plain arrays.

    Parameters
    ----------
    instrument : str
        Registered name of the instrument: lower case with hyphens.
    coordinate : ndarray of float64, shape ``(p,)``
        Vacuum wavelength in Angstrom (spectra) or days since the first point (light curves).
    value, error : ndarray of float32, shape ``(p,)``
        Flux (or magnitude) and its one-sigma error, in the instrument's own unit. Both are finite
        everywhere; under the mask they are 0 and carry no information. Values of light curves may be float64.
    mask : ndarray of bool, shape ``(p,)``
        True where a pixel or point is bad.
    band : ndarray of int16, shape ``(p,)``, optional
        Index of the band of each point; only for light curves.
    meta : mapping
        ``id`` and whatever the survey says about the star: plain scalars and strings.
    """

    instrument: str
    coordinate: np.ndarray
    value: np.ndarray
    error: np.ndarray
    mask: np.ndarray
    band: np.ndarray | None = None
    meta: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self):
        shape = np.shape(self.coordinate)
        if len(shape) != 1:
            raise DataError(f"a Sample has one-dimensional arrays, got coordinate of shape {shape}")
        for name in ("value", "error", "mask", "band"):
            array = getattr(self, name)
            if array is not None and np.shape(array) != shape:
                raise DataError(f"{name} has shape {np.shape(array)}, coordinate has {shape}")
        if self.coordinate.dtype != np.float64:
            raise DataError(f"coordinate must be float64, got {self.coordinate.dtype}: "
                            "float32 loses wavelengths and times")

    def __len__(self) -> int:
        return len(self.coordinate)


@dataclass(frozen=True, eq=False)
class Batch:
    """``n`` stars from one instrument.

    Parameters
    ----------
    instrument : str
        Registered name of the instrument.
    coordinate : float64 array, shape ``(p,)`` (shared) or ``(n, p)``
        Vacuum Angstrom, or days since each star's first point.
    value, error : float32 array, shape ``(n, p)``
        Values of light curves may be float64: a magnitude of 18 in single precision is good to 1e-6.
    mask : bool array, shape ``(n, p)``
        True = bad. Padding is masked.
    band : int16 array, shape ``(n, p)``, optional
    meta : mapping of str to sequence of length ``n``
        Columns; ``id`` is always there.

    Notes
    -----
    The arrays are NumPy's until `tensors` hands the same batch out as torch tensors.
    """

    instrument: str
    coordinate: Any
    value: Any
    error: Any
    mask: Any
    band: Any | None = None
    meta: Mapping[str, Sequence[Any]] = field(default_factory=dict)

    def __post_init__(self):
        shape = tuple(self.value.shape)
        if len(shape) != 2:
            raise DataError(f"a Batch has two-dimensional values (n, p), got {shape}")
        for name in ("error", "mask", "band"):
            array = getattr(self, name)
            if array is not None and tuple(array.shape) != shape:
                raise DataError(f"{name} has shape {tuple(array.shape)}, value has {shape}")
        if tuple(self.coordinate.shape) not in (shape, shape[1:]):
            raise DataError(f"coordinate has shape {tuple(self.coordinate.shape)}, "
                            f"expected {shape[1:]} or {shape}")
        for key, column in self.meta.items():
            if len(column) != shape[0]:
                raise DataError(f"meta column {key!r} has {len(column)} rows, the batch has {shape[0]}")

    def __len__(self) -> int:
        return int(self.value.shape[0])

    def __getitem__(self, rows) -> Batch:
        """Select stars by a slice, an index array or a boolean array; the order is kept."""
        if isinstance(rows, (int, np.integer)):
            rows = slice(rows, rows + 1) if rows != -1 else slice(-1, None)
        index = np.arange(len(self))[rows]
        return replace(
            self,
            coordinate=self.coordinate if self.coordinate.ndim == 1 else self.coordinate[index],
            value=self.value[index], error=self.error[index], mask=self.mask[index],
            band=None if self.band is None else self.band[index],
            meta={key: [column[i] for i in index] for key, column in self.meta.items()},
        )

    def sample(self, row: int) -> Sample:
        """Take one star out of the batch."""
        return Sample(
            self.instrument,
            self.coordinate if self.coordinate.ndim == 1 else self.coordinate[row],
            self.value[row], self.error[row], self.mask[row],
            None if self.band is None else self.band[row],
            {key: column[row] for key, column in self.meta.items()},
        )

    def tensors(self, device: str | None = None) -> Batch:
        """Hand out the same batch with torch tensors on ``device``; float64 of coordinates and light curves stays."""
        import torch

        def tensor(array, dtype):
            if array is None:
                return None
            if not isinstance(array, torch.Tensor):
                native = np.asarray(array)
                array = torch.from_numpy(np.ascontiguousarray(native, native.dtype.newbyteorder("=")))
            return array.to(device=device, dtype=dtype)

        double = self.band is not None and str(self.value.dtype).endswith(("float64", "f8"))
        return replace(
            self, coordinate=tensor(self.coordinate, torch.float64),
            value=tensor(self.value, torch.float64 if double else torch.float32),
            error=tensor(self.error, torch.float32), mask=tensor(self.mask, torch.bool),
            band=tensor(self.band, torch.long),
        )


def collate(samples: Sequence[Sample]) -> Batch:
    """Stack samples of one instrument into a batch; shorter ones are padded under the mask.

    Parameters
    ----------
    samples : sequence of Sample
        At least one, all of the same instrument.

    Returns
    -------
    Batch
        With a shared ``coordinate`` of shape ``(p,)`` where all samples are spectra on the same one.

    Raises
    ------
    DataError
        If there is no sample, or they come from several instruments.
    """
    if not samples:
        raise DataError("cannot collate zero samples: the instrument and the grid are unknown")
    names = sorted({sample.instrument for sample in samples})
    if len(names) > 1:
        raise DataError(f"a batch holds one instrument, got {', '.join(names)}: collate each on its own")
    keys = list(dict.fromkeys(key for sample in samples for key in sample.meta))
    meta = {key: [sample.meta.get(key) for sample in samples] for key in keys}
    first = samples[0]
    shared = first.band is None and all(len(s) == len(first)
                                        and np.array_equal(s.coordinate, first.coordinate) for s in samples)
    if shared:
        return Batch(
            first.instrument, first.coordinate,
            np.stack([s.value for s in samples]), np.stack([s.error for s in samples]),
            np.stack([s.mask for s in samples]), None, meta,
        )
    size = (len(samples), max(map(len, samples)))
    coordinate = np.zeros(size)
    kind = np.float32 if first.band is None else np.result_type(np.float32, *{s.value.dtype for s in samples})
    value, error = np.zeros(size, kind), np.zeros(size, np.float32)
    mask, band = np.ones(size, bool), None if first.band is None else np.zeros(size, np.int16)
    for row, s in enumerate(samples):
        coordinate[row, : len(s)] = s.coordinate
        coordinate[row, len(s):] = s.coordinate[-1] if len(s) else 0.0
        value[row, : len(s)], error[row, : len(s)], mask[row, : len(s)] = s.value, s.error, s.mask
        if band is not None:
            band[row, : len(s)] = s.band
    return Batch(first.instrument, coordinate, value, error, mask, band, meta)
