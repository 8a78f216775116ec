"""When real stars were really looked at, as a cadence for made ones."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from astrofm.data import Batch
from astrofm.errors import DataError

from .cadences import Cadence, Visits


@dataclass(frozen=True, eq=False)
class Real(Cadence):
    """The real times, bands, magnitudes and errors of real stars.

    Each simulated star takes the place of a real one, drawn at random: it gets its mean magnitude in each band, and the
    errors of its points, which grow and shrink with the light.

    Parameters
    ----------
    batch : Batch
        Light curves as an instrument reads them.
    magnitude, error : ndarray, shape ``(n, p)``
        In magnitudes.

    Examples
    --------
    >>> from astrofm_sky import observe_variables, variable_stars
    >>> from astrofm_sky.real_times import Real
    >>> from astrofm.data import collate
    >>> from astrofm.testing import FakePhotometer
    >>> fake = FakePhotometer()
    >>> batch = collate([fake.sample(fake.example(seed)) for seed in range(3)])
    >>> seen = observe_variables(variable_stars(5, seed=1), fake, cadence=Real.of(batch, fake))
    >>> seen.value.shape
    (5, 120)
    """

    batch: Batch
    magnitude: np.ndarray
    error: np.ndarray

    @classmethod
    def of(cls, batch: Batch, instrument) -> Real:
        """Take the visits of light curves; their instrument says how fluxes become magnitudes.

        Raises
        ------
        DataError
            No light curves, or relative flux.
        """
        from .seeing import as_magnitudes

        if batch.band is None or "first_time" not in batch.meta:
            raise DataError("real cadences come from a batch of light curves, with bands and meta['first_time']")
        return cls(batch, *as_magnitudes(batch, instrument))

    def visits(self, random: np.random.Generator, count: int, bands: int) -> Visits:
        """Draw real stars; see `Cadence.visits`."""
        good = ~self.batch.mask & np.isfinite(self.magnitude) & np.isfinite(self.error)
        rich = np.flatnonzero(good.sum(axis=1) > 0)
        if not len(rich):
            raise DataError("no star of the batch has a good point: no cadence can be taken from it")
        rows = random.choice(rich, count)
        mean = np.zeros(good.shape)
        for band in range(bands):
            own = good & (self.batch.band == band)
            values = np.ma.masked_array(self.magnitude, ~own)
            mean = np.where(own, np.ma.median(values, axis=1).filled(0.0)[:, None], mean)
        star, point = np.nonzero(good[rows])
        row = rows[star]
        first = np.asarray(self.batch.meta["first_time"], float)
        return Visits(star, first[row] + self.batch.coordinate[row, point], self.batch.band[row, point], np.zeros(len(star)),
                      mean[row, point], self.error[row, point])
