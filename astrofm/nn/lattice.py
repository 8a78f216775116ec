"""One lattice for all wavelengths: every spectrum becomes patches of equal log-wavelength pixels.

The pixels of the lattice lie at ``log10(wavelength / Angstrom) = STEP * 2**level * k`` for whole ``k``; a
spectrograph is put on the level whose pixels are nearest to its own, so that a new instrument needs no
new weights. Level 0 has the 1e-4 dex pixels that many survey pipelines share.
"""

from __future__ import annotations

import warnings
from collections import OrderedDict
from dataclasses import dataclass

import numpy as np
import torch

from ..data.resample import overlap_matrix
from ..errors import DataError

#: pixels of level 0, in dex of wavelength
STEP = 1e-4
#: coarsest level
MAX_LEVEL = 6


@dataclass(frozen=True, eq=False)
class Plan:
    """How spectra on one grid become patches.

    Parameters
    ----------
    level : int
    first : int
        Lattice index of the first pixel of the first patch; a multiple of the patch size.
    patches : int
    matrix : sparse Tensor, shape ``(patches * size, p)``
        Share of each input pixel in each lattice pixel; full rows sum to one.
    """

    level: int
    first: int
    patches: int
    matrix: torch.Tensor
    square: torch.Tensor


def level_of(wavelength: np.ndarray) -> int:
    """Choose the lattice level whose step is nearest to a grid's finest tenth of pixels."""
    if len(wavelength) < 2:
        raise DataError("a spectrum needs at least two pixels")
    step = float(np.quantile(np.diff(np.log10(wavelength)), 0.1))
    return int(np.clip(round(np.log2(max(step, 1e-9) / STEP)), 0, MAX_LEVEL))


def pixels(level: int, first: int, count: int) -> np.ndarray:
    """Give the wavelengths (Angstrom, float64) of ``count`` lattice pixels from index ``first``."""
    return 10.0 ** (STEP * 2**level * (first + np.arange(count)))


def span(wavelength: np.ndarray, level: int, size: int) -> tuple[int, int]:
    """Give the index of the first pixel of the first patch, and the number of patches that cover a grid."""
    index = np.log10(wavelength[[0, -1]]) / (STEP * 2**level)
    first = int(np.floor((index[0] + 0.25) / size)) * size
    last = int(np.floor((index[1] - 0.25) / size)) * size
    return first, (last - first) // size + 1


class Lattice:
    """Makes and keeps the plans of the grids it has met.

    Parameters
    ----------
    size : int
        Pixels a patch.
    """

    #: plans kept; surveys share a handful of grids
    CAPACITY = 32

    def __init__(self, size: int = 64):
        self.size = size
        self._plans: OrderedDict[tuple[bytes, str], Plan] = OrderedDict()

    def plan(self, coordinate: torch.Tensor) -> Plan:
        """Plan for a shared grid; ``coordinate`` has shape ``(p,)``, vacuum Angstrom, increasing.

        Raises
        ------
        DataError
            If each star has its own grid, or the grid does not increase.
        """
        if coordinate.ndim != 1:
            raise DataError("spectra of a batch share one grid: sample them through an Instrument first; light curves "
                            "need a model of light curves")
        wavelength = coordinate.detach().cpu().numpy()
        key = (wavelength.tobytes(), str(coordinate.device))
        if key in self._plans:
            self._plans.move_to_end(key)
            return self._plans[key]
        if np.any(np.diff(wavelength) <= 0) or wavelength[0] <= 0:
            raise DataError("the wavelengths of a batch must be positive and increase")
        plan = self._make(wavelength, coordinate.device)
        self._plans[key] = plan
        if len(self._plans) > self.CAPACITY:
            self._plans.popitem(last=False)
        return plan

    def _make(self, wavelength: np.ndarray, device: torch.device) -> Plan:
        level = level_of(wavelength)
        first, patches = span(wavelength, level, self.size)
        grid = pixels(level, first, patches * self.size)
        matrix = overlap_matrix(wavelength, grid).tocsr()
        width = np.gradient(grid)
        matrix = matrix.multiply(1.0 / width[:, None]).tocsr()
        matrix.data[matrix.data < 1e-3] = 0.0
        matrix.eliminate_zeros()
        return Plan(level, first, patches, _tensor(matrix, device), _tensor(matrix.power(2), device))

    def patches(self, plan: Plan, value: torch.Tensor, error: torch.Tensor,
                mask: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Put ``n`` spectra on the lattice.

        Parameters
        ----------
        plan : Plan
        value, error : Tensor, shape ``(n, p)``
        mask : bool Tensor, shape ``(n, p)``
            True = bad; those pixels don't count.

        Returns
        -------
        value, error : Tensor, shape ``(n, t, size)``
        mask : bool Tensor, shape ``(n, t, size)``
            True where less than half of a lattice pixel is covered by good pixels.
        """
        with torch.autocast(value.device.type, enabled=False):
            weight = (plan.matrix @ (~mask).float().T).T
            total = (plan.matrix @ torch.where(mask, 0.0, value.float()).T).T
            spread = (plan.square @ (torch.where(mask, 0.0, error.float()) ** 2).T).T
        bad = weight < 0.5
        safe = torch.where(bad, 1.0, weight)
        shape = (len(value), plan.patches, self.size)
        return (torch.where(bad, 0.0, total / safe).reshape(shape),
                torch.where(bad, 0.0, spread.clamp_min(0).sqrt() / safe).reshape(shape), bad.reshape(shape))


def _tensor(matrix, device: torch.device) -> torch.Tensor:
    matrix = matrix.tocsr()
    matrix.sort_indices()
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Sparse CSR tensor support is in beta", category=UserWarning)
        return torch.sparse_csr_tensor(
            torch.from_numpy(matrix.indptr.astype(np.int64)), torch.from_numpy(matrix.indices.astype(np.int64)),
            torch.from_numpy(matrix.data.astype(np.float32)), size=matrix.shape, device=device,
            check_invariants=True)
