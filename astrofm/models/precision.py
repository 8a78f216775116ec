"""How a model computes: where, how many stars at a time, and in which precision."""

from __future__ import annotations

import copy
import warnings
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext

import torch
from torch import nn

from ..errors import DataError
from ..interfaces.encoder import Encoder

PRECISIONS = ("auto", "float32", "bfloat16", "int8")
#: stars an encoder or an aligner sees at a time on an accelerator
GPU_BATCH = 512


def has_bfloat16(device: torch.device) -> bool:
    """Say whether a device computes faster in bfloat16 than in float32.

    Of processors, those with matrix tiles (AMX) do, by four times; with the vector instructions alone (AVX512-BF16), whole
    encoders took 1.1 to 1.7 times as long as in float32.
    """
    if device.type == "cuda":
        return torch.cuda.is_bf16_supported()
    if device.type != "cpu":
        return False
    capabilities = getattr(torch.cpu, "get_capabilities", dict)()
    if capabilities:
        return bool(capabilities.get("amx_bf16"))
    return bool(getattr(torch.cpu, "_is_amx_tile_supported", bool)())


def autocast(precision: str, device: torch.device, encoder: Encoder) -> AbstractContextManager:
    """Give the context in which an encoder runs.

    Parameters
    ----------
    precision : str
        ``"float32"`` (also around ``"int8"`` layers), ``"bfloat16"``, or ``"auto"``: bfloat16 where that is faster
        (`has_bfloat16`) and the encoder does not keep float32.
    device : torch.device
    encoder : Encoder
    """
    if precision == "bfloat16" or (precision == "auto" and not encoder.keeps_float32 and has_bfloat16(device)):
        return torch.autocast(device.type, torch.bfloat16)
    return nullcontext()


def with_int8_layers(encoder: Encoder) -> nn.Module:
    """Give an encoder with linear layers of 8-bit weights, whose inputs are rounded as they come; it shares the rest.

    Raises
    ------
    DataError
        This torch has no such layers.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # torch plans to move them to another package
            from torch.ao.nn.quantized import dynamic
            from torch.ao.quantization import default_dynamic_qconfig

            return _rounded(encoder, dynamic.Linear.from_float, default_dynamic_qconfig)
    except (ImportError, AttributeError, RuntimeError) as error:
        raise DataError(f"this torch ({torch.__version__}) has no 8-bit linear layers ({error}): say precision=\"auto\""
                        ) from error


def _rounded(module: nn.Module, from_float: Callable[[nn.Module], nn.Module], how: object) -> nn.Module:
    if type(module) is nn.Linear:
        layer = copy.deepcopy(module)
        layer.qconfig = how
        return from_float(layer)
    same = copy.copy(module)
    same._modules = {name: _rounded(part, from_float, how) for name, part in module._modules.items() if part is not None}
    return same


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
