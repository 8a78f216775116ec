"""What encoders, aligners and heads promise alike: plain arguments, exact files, gradients, no chance."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from torch import nn

from .cards import CardTests, skip


class PartTests(CardTests):
    """Promises of every torch part.

    Attributes
    ----------
    name : str
        Registered name of the part.
    arguments : mapping
        Plain JSON values for its constructor; needed where it has no defaults.
    without_gradient : tuple of str
        How the names of parameters start that `outputs` need not depend on, such as those used only in training.
    """

    arguments: Mapping[str, Any] = {}
    without_gradient: tuple[str, ...] = ()
    interface: type[nn.Module] = nn.Module

    def part_class(self) -> type[nn.Module]:
        """Get the class under test from the registry; override it to test one that is not registered."""
        from ..registry import get_part

        return get_part(self.kind, self.name)

    def build(self, *, seed: int = 0) -> nn.Module:
        """Build the part from its arguments, with weights of that seed, in evaluation mode."""
        arguments = json.loads(json.dumps(self.arguments))
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            try:
                return self.part_class()(**arguments).eval()
            except TypeError as error:
                raise AssertionError(f"{self.name!r} can't be built from {arguments}: {error}. Set "
                                     f"`arguments` in {type(self).__name__} to what it needs") from error

    def outputs(self, part: nn.Module) -> dict[str, torch.Tensor]:
        """Compute everything the part gives on fixed inputs; ``n`` stars each."""
        raise NotImplementedError

    def test_target_is_of_the_kind_it_is_registered_as(self):
        found = self.part_class()
        assert issubclass(found, self.interface), f"{found.__name__} is no {self.interface.__name__}"
        assert found.name == self.name, f"{found.__name__}.name is {found.name!r}, not {self.name!r}"

    def test_arguments_are_plain_json_and_build_the_same_shapes(self):
        part = self.build()
        try:
            text = json.dumps(part.arguments, allow_nan=False)
        except (TypeError, ValueError) as error:
            raise AssertionError(f"`arguments` go into a model's card and are no JSON: {error}") from error
        again = type(part)(**json.loads(text))
        assert _shapes(again) == _shapes(part), "built again from its own `arguments`, it has other weights"
        assert again.arguments == part.arguments, (
            f"`arguments` change: {again.arguments} from {part.arguments}")

    def test_arguments_that_were_given_are_kept(self):
        kept = json.loads(json.dumps(self.build().arguments))
        for key, item in json.loads(json.dumps(self.arguments)).items():
            assert kept.get(key, _NOTHING) == item, f"{key}={item!r} was given, `arguments` hold {kept}"

    def test_outputs_are_finite_float32(self):
        for what, tensor in self.outputs(self.build()).items():
            assert tensor.dtype == torch.float32, f"{what} is {tensor.dtype}, promised float32"
            assert finite(tensor), f"{what} is not finite everywhere"

    def test_outputs_tell_stars_apart(self):
        for what, tensor in self.outputs(self.build()).items():
            assert not torch.equal(tensor[0], tensor[1]), f"{what} is the same for two different stars"

    def test_the_same_input_gives_the_same_output(self):
        part = self.build()
        first, again = self.outputs(part), self.outputs(part)
        for what in first:
            assert equal(first[what], again[what]), f"{what} is another one the second time, in eval()"

    def test_saving_and_loading_is_exact(self):
        part, other = self.build(seed=1), self.build(seed=2)
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "part.safetensors"
            state = part.state_dict()
            save_file({key: tensor.detach().clone().contiguous() for key, tensor in state.items()}, path)
            other.load_state_dict(load_file(path))
        expected, got = self.outputs(part), self.outputs(other)
        for what in expected:
            assert equal(expected[what], got[what]), (
                f"{what} changes when the weights go through a file: something that matters is neither in "
                "state_dict() nor in `arguments`")

    def test_gradient_reaches_every_parameter(self):
        part = self.build()
        if not list(part.parameters()):
            skip(f"{self.name!r} has no parameters")
        random = torch.Generator().manual_seed(0)
        with torch.no_grad():  # layers that start at zero hide what lies before them
            for parameter in part.parameters():
                parameter += 0.02 * torch.randn(parameter.shape, generator=random)
        total = sum((torch.nan_to_num(tensor) * torch.randn(tensor.shape, generator=random)).sum()
                    for tensor in self.outputs(part).values())
        assert total.requires_grad, "no output depends on a parameter"
        total.backward()
        for name, parameter in part.named_parameters():
            if name.startswith(self.without_gradient) or not parameter.requires_grad:
                continue
            gradient = parameter.grad
            assert gradient is not None and gradient.any(), (
                f"no gradient reaches {name!r}; if that is right, name it in `without_gradient`")
            assert torch.isfinite(gradient).all(), f"the gradient of {name!r} is not finite"


_NOTHING = object()


def _shapes(part: nn.Module) -> dict[str, tuple[int, ...]]:
    return {name: tuple(tensor.shape) for name, tensor in part.state_dict().items()}


def close(first: torch.Tensor, second: torch.Tensor, tolerance: float = 1e-5) -> bool:
    """Compare two tensors, to ``tolerance`` of the largest number in the first; NaN must stand in the same places."""
    if first.shape != second.shape or not torch.equal(torch.isnan(first), torch.isnan(second)):
        return False
    first, second = torch.nan_to_num(first), torch.nan_to_num(second)
    scale = max(1.0, float(first.detach().abs().max())) if first.numel() else 1.0
    return bool(((first - second).abs() <= tolerance * scale).all())


def equal(first: torch.Tensor, second: torch.Tensor) -> bool:
    """Say whether two tensors are the same to the bit; NaN is equal to NaN."""
    return torch.equal(torch.isnan(first), torch.isnan(second)) and torch.equal(torch.nan_to_num(first),
                                                                               torch.nan_to_num(second))


def finite(tensor: torch.Tensor) -> bool:
    """Say whether every number is finite; a token may be absent, all of it NaN."""
    if tensor.ndim == 3:
        tensor = tensor[~torch.isnan(tensor).all(dim=-1)]
    return bool(torch.isfinite(tensor).all())


def vectors(count: int, dim: int, *, seed: int = 0) -> torch.Tensor:
    """Make ``count`` random embeddings of ``dim`` numbers."""
    return torch.randn(count, dim, generator=torch.Generator().manual_seed(seed))
