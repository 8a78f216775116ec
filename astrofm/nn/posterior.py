"""A head of joint posteriors: a normalising flow over the labels, given the embedding."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import nn

from ..errors import DataError
from ..interfaces.head import Head
from .blocks import ResidualMLP
from .labels import TEFF, LabelScale, describe

#: standardised labels stay within this many spreads of their centre
REACH = 12.0
#: numbers drawn at a time, so that memory stays bounded
DRAWN = 400_000


class PosteriorHead(Head):
    """Read the joint posterior of labels out of an embedding, by a neural spline flow (Durkan et al. 2019, arXiv:1906.04032).

    A table's column is the median, its error half of the width between the 15.87 and 84.13 percentiles. `sample` draws from
    the posterior itself, whatever its shape. The flow is zuko's: ``pip install 'astrofm[flow]'``.

    Parameters
    ----------
    dim : int
        Numbers of the embedding.
    labels : sequence of mapping
        As for `GaussianHead`.
    hidden, depth : int
        Of the perceptrons that the embedding sets the splines with.
    transforms, bins : int
        Of the flow.
    draws : int
        Samples that a column is made of: evenly spread (Sobol), so that few are enough.

    Raises
    ------
    DataError
        zuko is not installed.
    """

    name = "posterior"

    def __init__(self, *, dim: int = 256, labels: Sequence[Mapping] | None = None, hidden: int = 64, depth: int = 2,
                 transforms: int = 3, bins: int = 8, draws: int = 128):
        labels = [dict(label) for label in labels or [TEFF]]
        super().__init__(dim=dim, labels=labels, hidden=hidden, depth=depth, transforms=transforms, bins=bins, draws=draws)
        try:
            from zuko.flows import NSF
        except ImportError as error:
            raise DataError("a posterior head needs zuko: pip install 'astrofm[flow]'") from error
        self.dim, self.draws = dim, draws
        self.labels = describe(labels)
        self.scale = LabelScale(labels)
        self.enter = nn.Sequential(nn.Linear(dim, hidden), ResidualMLP(hidden, hidden))
        self.flow = NSF(len(labels), hidden, transforms=transforms, bins=bins, hidden_features=[hidden] * depth,
                        passes=2 if len(labels) > 1 else None)

    def log_density(self, embedding: torch.Tensor, truth: torch.Tensor) -> torch.Tensor:
        """Give the log density of true labels, in standardised units: what training makes large.

        Parameters
        ----------
        embedding : Tensor, shape ``(n, dim)``
        truth : Tensor, shape ``(n, number of labels)``
            In the labels' units.

        Returns
        -------
        Tensor, shape ``(n,)``
            NaN for a star one of whose labels is not known: a joint posterior needs all of them.
        """
        wanted = self.scale.standardise(truth)
        known = torch.isfinite(wanted).all(1)
        with torch.autocast(embedding.device.type, enabled=False):
            flow = self.flow(self.enter(embedding.float()))
            density = flow.log_prob(torch.where(known[:, None], wanted, 0.0).clamp(-REACH, REACH).float())
        return torch.where(known, density, torch.nan)

    def sample(self, embedding: torch.Tensor, draws: int, *, seed: int = 0) -> torch.Tensor:
        """Draw from the posteriors.

        Parameters
        ----------
        embedding : Tensor, shape ``(n, dim)``
        draws : int
        seed : int
            Same seed, same draws, whichever stars are asked for together.

        Returns
        -------
        Tensor, shape ``(n, draws, number of labels)``
            In the labels' units.
        """
        even = torch.quasirandom.SobolEngine(len(self.labels), scramble=True, seed=seed).draw(draws, dtype=torch.float64)
        noise = torch.special.ndtri(even.clamp(1e-6, 1 - 1e-6)).to(embedding.device, torch.float32)
        size = max(1, DRAWN // (draws * len(self.labels)))
        found = [self._drawn(embedding[at: at + size], noise) for at in range(0, len(embedding), size)]
        return torch.cat(found) if found else embedding.new_zeros(0, draws, len(self.labels))

    def _drawn(self, embedding: torch.Tensor, noise: torch.Tensor) -> torch.Tensor:
        with torch.autocast(embedding.device.type, enabled=False):
            flow = self.flow(self.enter(embedding.float()))
            x = flow.transform.inv(noise[:, None].expand(-1, len(embedding), -1))
        return self.scale.physical(x.nan_to_num(0.0).clamp(-REACH, REACH).transpose(0, 1))

    def _read(self, embedding: torch.Tensor) -> Mapping[str, torch.Tensor]:
        drawn = self.sample(embedding, self.draws)
        levels = torch.tensor([0.1587, 0.5, 0.8413], device=drawn.device)
        low, middle, high = drawn.quantile(levels, dim=1) if len(drawn) else drawn.new_zeros(3, 0, len(self.labels))
        columns = {}
        for k, label in enumerate(self.labels):
            columns[label.name] = middle[:, k]
            columns[f"{label.name}_err"] = (0.5 * (high - low)[:, k]).clamp_min(torch.finfo(drawn.dtype).tiny)
        return columns
