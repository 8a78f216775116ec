"""What a model computes in unless told."""

import pytest
import torch

from astrofm.models.precision import has_bfloat16

CPU = torch.device("cpu")


@pytest.mark.parametrize(("found", "fast"), [
    ({"avx512_f": True, "avx512_bf16": True, "amx_bf16": True}, True),
    ({"avx512_f": True, "avx512_bf16": True, "amx_bf16": False}, False),  # measured: float32 is faster there
    ({"avx2": True, "avx512_bf16": False, "amx_bf16": False}, False),
    ({"neon": True, "sve_bf16": True}, False),
])
def test_bfloat16_is_for_processors_that_are_faster_in_it(monkeypatch, found, fast):
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: found, raising=False)
    assert has_bfloat16(CPU) is fast


@pytest.mark.parametrize("fast", [True, False])
def test_a_torch_that_does_not_list_what_a_processor_can_is_asked_for_tiles(monkeypatch, fast):
    monkeypatch.delattr(torch.cpu, "get_capabilities", raising=False)
    monkeypatch.setattr(torch.cpu, "_is_amx_tile_supported", lambda: fast, raising=False)
    assert has_bfloat16(CPU) is fast
