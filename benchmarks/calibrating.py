"""Calibrate 5,000 continuous Gaia XP spectra: our matrix product against GaiaXPy, from one parsed table.

Usage: ``python benchmarks/calibrating.py [FOLDER]``, where FOLDER holds XP_CONTINUOUS files as CSV (default:
``../shared/data/gaia-xp`` beside the repository). The real rows are repeated. Exits with 1 if fluxes are less
than 100 times as fast, fluxes with errors less than 3 times, or any number differs by more than 1e-6.
"""

from __future__ import annotations

import contextlib
import io
import sys
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from astrofm_gaia.calibration import calibrate, flux, flux_error
from astrofm_gaia.coefficients import COLUMNS, XPCoefficients
from astrofm_gaia.text import parse_arrays

N = 5000
FOLDER = Path(__file__).resolve().parents[2] / "shared" / "data" / "gaia-xp"
FILES = ("XP_CONTINUOUS_RAW_with_missing_BP.csv", "XP_CONTINUOUS_RAW_colour_eq_dr3int6.csv")


def parsed_table(folder: Path) -> pd.DataFrame:
    """Parse the real rows and repeat them ``N`` times; arrays in the cells."""
    rows = pd.concat([pd.read_csv(folder / name) for name in FILES], ignore_index=True)
    for name in COLUMNS:
        arrays = parse_arrays([cell if isinstance(cell, str) else None for cell in rows[name]], name)
        rows[name] = pd.Series([array if len(array) else np.nan for array in arrays], dtype=object)
    return pd.concat([rows] * (N // len(rows) + 1), ignore_index=True).iloc[:N].reset_index(drop=True)


def official(table: pd.DataFrame) -> tuple[np.ndarray, np.ndarray]:
    """Calibrate with GaiaXPy's public function, its progress bar silenced."""
    with contextlib.redirect_stdout(io.StringIO()):
        import gaiaxpy

        result, _ = gaiaxpy.calibrate(table, save_file=False)
    return np.stack(result["flux"]), np.stack(result["flux_error"])


def best(task: Callable[[], Any], repeat: int) -> tuple[float, Any]:
    """Time a task: the best of ``repeat`` runs in seconds, and what it gave."""
    times = []
    for _ in range(repeat):
        start = time.perf_counter()
        result = task()
        times.append(time.perf_counter() - start)
    return min(times), result


def difference(ours: np.ndarray, theirs: np.ndarray) -> float:
    """Give the largest relative difference; infinite where only one of the two is NaN."""
    if not np.array_equal(np.isnan(ours), np.isnan(theirs)):
        return np.inf
    return float(np.nanmax(np.abs(ours - theirs) / np.abs(theirs)))


def main() -> int:
    """Run the comparison and print it."""
    warnings.simplefilter("ignore")
    table = parsed_table(Path(sys.argv[1]) if len(sys.argv) > 1 else FOLDER)
    slow, (their_flux, their_error) = best(lambda: official(table), 2)
    flux(table[:1])
    coefficients = XPCoefficients.from_table(table)
    tasks = {"flux from the table": (lambda: flux(table), 7),
             "flux from XPCoefficients": (lambda: flux(coefficients), 7),
             "flux and error from the table (Batch)": (lambda: calibrate(table), 3),
             "flux and error from XPCoefficients (Batch)": (lambda: calibrate(coefficients), 3)}
    times = {name: best(task, repeat)[0] for name, (task, repeat) in tasks.items()}
    print(f"{'':44}{'seconds':>9}{'per second':>12}{'ratio':>8}")
    print(f"{'gaiaxpy.calibrate from the table':44}{slow:9.4f}{N / slow:12,.0f}{1:8}")
    for name, seconds in times.items():
        print(f"{name:44}{seconds:9.4f}{N / seconds:12,.0f}{slow / seconds:8.1f}")
    off = difference(flux(coefficients), their_flux), difference(flux_error(coefficients), their_error)
    print(f"largest relative difference: flux {off[0]:.1e}, error {off[1]:.1e}")
    good = slow / times["flux from the table"] >= 100 and max(off) <= 1e-6
    return 0 if good and slow / times["flux and error from the table (Batch)"] >= 3 else 1


if __name__ == "__main__":
    sys.exit(main())
