"""The encoder whose tokens are named quantities: any of them in, any of them asked for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch

from ..data import Batch
from ..errors import DataError
from .labels import TEFF, LabelScale
from .tokens import TokenEncoder

#: what a `Batch` of quantities says its instrument is: column k holds the k-th quantity
QUANTITIES = "named-quantities"


class NamedQuantities(TokenEncoder):
    """Turn what is known of a star, by name, into tokens (Leung & Bovy 2023, arXiv:2308.10944).

    A quantity that is NaN or masked is absent. Their order does not matter.

    Parameters
    ----------
    quantities : sequence of mapping
        For each ``name``, ``unit``, ``description``, ``centre``, ``spread`` and ``log`` as labels have them.
    asked : sequence of str
        Those whose answers are a star's embedding.
    dim, heads, hidden, dropout
        See `~astrofm.nn.tokens.TokenEncoder`.
    context : int
        Most quantities of a star that it was trained on.
    """

    name = "named-quantities"
    instruments = (QUANTITIES,)
    cpu_batch = 256
    keeps_float32 = True

    def __init__(self, *, quantities: Sequence[Mapping] | None = None, asked: Sequence[str] | None = None, dim: int = 128,
                 heads: Sequence[int] = (16, 8), hidden: Sequence[int] = (1024, 512), dropout: float = 0.1,
                 context: int = 64):
        quantities = [dict(one) for one in quantities or [TEFF]]
        asked = [one["name"] for one in quantities] if asked is None else list(asked)
        super().__init__(rows=len(quantities) + 1, dim=dim, heads=heads, hidden=hidden, dropout=dropout, absent="hidden",
                         quantities=quantities, asked=asked, context=context)
        self.arguments = {key: value for key, value in self.arguments.items() if key not in ("rows", "absent")}
        #: the quantities by name, each as it was given
        self.quantities = {one["name"]: one for one in quantities}
        if len(self.quantities) != len(quantities) or not set(asked) <= set(self.quantities):
            raise ValueError("each quantity has one name, and only quantities can be asked for")
        self.context, self.scale = context, LabelScale(quantities)
        self.register_buffer("asked", self.rows(asked), persistent=False)

    def rows(self, names: Sequence[str]) -> torch.Tensor:
        """Give the rows of names in the table; int, shape ``(k,)``."""
        places = {name: k for k, name in enumerate(self.quantities, 1)}
        return torch.tensor([places[name] for name in names], dtype=torch.long)

    def embed_asked(self, batch: Batch, asked: torch.Tensor) -> torch.Tensor:
        """Embed a batch of tensors with other names ahead: ``(n, k + t, dim)`` for rows ``asked`` ``(k,)``."""
        if batch.value.shape[1] != len(self.quantities):
            raise DataError(f"a batch has {batch.value.shape[1]} columns and the model {len(self.quantities)} quantities")
        value = self.scale.standardise(batch.value)
        present = ~batch.mask & torch.isfinite(value)
        most = int(present.sum(dim=1).max()) if len(present) else 0
        if most > self.context:
            raise DataError(f"{most} quantities are known of a star and the model was trained on {self.context} at most: "
                            "leave out the least certain")
        columns = present.any(dim=0).nonzero()[:, 0]
        columns = columns if len(columns) else columns.new_zeros(1)
        name = (columns + 1).expand(len(value), -1)
        return self.encode(name, torch.nan_to_num(value[:, columns]), present[:, columns], asked.to(value.device))

    def _embed(self, batch: Batch) -> torch.Tensor:
        return self.embed_asked(batch, self.asked)
