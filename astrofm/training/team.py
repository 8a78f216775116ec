"""The processes that train together, as ``torchrun`` starts them."""

from __future__ import annotations

import atexit
import os
from collections.abc import Sequence

import torch
from torch import distributed


class Team:
    """One process of those that train together; made without arguments, one alone.

    Attributes
    ----------
    rank, size : int
        Which process this is, and of how many.
    """

    def __init__(self, rank: int = 0, size: int = 1):
        self.rank, self.size = rank, size

    @classmethod
    def from_environment(cls, device: str = "cpu") -> Team:
        """Join the others that ``torchrun`` started; one alone where it did not."""
        size = int(os.environ.get("WORLD_SIZE", 1))
        if size == 1:
            return cls()
        if not distributed.is_initialized():
            # what an optimiser imports at its first step: imported after the group is made, it holds the group for ever,
            # whose threads then outlive the interpreter, and now and then the process is aborted on its way out
            import torch._dynamo  # noqa: F401
            distributed.init_process_group("nccl" if device.startswith("cuda") else "gloo")
            atexit.register(_leave)
        return cls(distributed.get_rank(), size)

    @property
    def first(self) -> bool:
        """Whether this process writes files and speaks."""
        return self.rank == 0

    def join(self, tensors: Sequence[torch.Tensor], numbers: dict[str, float] | None = None) -> list[torch.Tensor]:
        """Give the sums of tensors over all processes; ``numbers`` are summed in place."""
        if self.size == 1:
            return list(tensors)
        if numbers:
            names = sorted(numbers)
            device = tensors[0].device if tensors else torch.device("cpu")
            total = torch.tensor([numbers[name] for name in names], dtype=torch.float64, device=device)
            distributed.all_reduce(total)
            numbers.update(zip(names, total.tolist(), strict=True))
        if not tensors:
            return []
        flat = torch.cat([tensor.reshape(-1) for tensor in tensors])
        distributed.all_reduce(flat)
        sizes = [tensor.numel() for tensor in tensors]
        return [part.view_as(tensor) for part, tensor in zip(flat.split(sizes), tensors, strict=True)]

    def wait(self) -> None:
        """Wait for the others."""
        if self.size > 1:
            distributed.barrier()


def _leave() -> None:
    if distributed.is_initialized():
        distributed.destroy_process_group()
