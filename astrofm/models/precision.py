"""How a model computes: where, how many stars at a time, and in which precision."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext

import torch

from ..errors import DataError
from ..interfaces.encoder import Encoder

PRECISIONS = ("auto", "float32", "bfloat16")
#: stars an encoder or an aligner sees at a time on an accelerator
GPU_BATCH = 512


def has_bfloat16(device: torch.device) -> bool:
    """Say whether a device computes in bfloat16 faster than in float32."""
    if device.type == "cuda":
        return torch.cuda.is_bf16_supported()
    if device.type != "cpu":
        return False
    capabilities = getattr(torch.cpu, "get_capabilities", dict)()
    if capabilities:
        return bool(capabilities.get("avx512_bf16") or capabilities.get("amx_bf16"))
    return any(getattr(torch.cpu, name, bool)() for name in ("_is_avx512_bf16_supported", "_is_amx_tile_supported"))


def autocast(precision: str, device: torch.device) -> AbstractContextManager:
    """Give the context in which an encoder runs.

    Parameters
    ----------
    precision : str
        ``"float32"``, ``"bfloat16"``, or ``"auto"``: bfloat16 where the processor has it.
    device : torch.device
    """
    if precision == "bfloat16" or (precision == "auto" and has_bfloat16(device)):
        return torch.autocast(device.type, torch.bfloat16)
    return nullcontext()


def check_precision(precision: str) -> str:
    """Give the precision back, or raise `DataError` naming those there are."""
    if precision not in PRECISIONS:
        raise DataError(f"precision is one of {', '.join(PRECISIONS)}, not {precision!r}")
    return precision


def check_device(device: str | torch.device) -> torch.device:
    """Make a torch device, or raise `DataError` if this machine has none like it."""
    try:
        found = torch.device(device)
    except RuntimeError as error:
        raise DataError(f"there is no device {device!r}: say \"cpu\" or \"cuda\"") from error
    if found.type == "cuda" and not torch.cuda.is_available():
        raise DataError("this machine has no CUDA device that torch can use: say device=\"cpu\"")
    return found


def batch_size(device: torch.device, encoder: Encoder) -> int:
    """Choose how many stars are worked on at a time."""
    return encoder.cpu_batch if device.type == "cpu" else GPU_BATCH
