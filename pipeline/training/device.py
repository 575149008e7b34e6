"""Where a training calculates: on the processor, or on the accelerator that was asked for.

Trainings draw their examples on the processor, from generators that any machine repeats; only models go elsewhere.
Tensors follow them there by themselves, at the first operation in which both meet.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

CPU = torch.device("cpu")


class NoSuchDevice(ValueError):
    """torch knows no such device, or there is none here; the message says what is there."""


def device_of(name: str) -> torch.device:
    """The device of that name, ``cuda`` or ``cuda:1`` say. Raises NoSuchDevice where nothing can be put on it."""
    try:
        return torch.empty(0, device=name).device
    except (RuntimeError, AssertionError, ValueError) as error:
        there = torch.accelerator.current_accelerator(check_available=True)
        raise NoSuchDevice(
            f"torch finds no device {name!r} here; it finds cpu{f', {there}' if there else ''}"
        ) from error


class Following(TorchFunctionMode):
    """Where tensors of the processor and of ``device`` meet in one operation, those of the processor are brought over.

    An operation that writes into its first argument leaves that one where it is.
    """

    def __init__(self, device: torch.device) -> None:
        super().__init__()
        self.device = device

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Sequence[type],
        args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        kwargs = dict(kwargs or {})
        met = {tensor.device.type for tensor in _tensors([*args, *kwargs.values()])}
        if len(met) > 1 and self.device.type in met:
            kept = args[:1] if _writes(func) else ()
            args = (*kept, *(self._brought(x) for x in args[len(kept) :]))
            kwargs = {name: self._brought(x) for name, x in kwargs.items()}
        return func(*args, **kwargs)

    def _brought(self, x: Any) -> Any:
        if isinstance(x, Tensor):
            return x.to(self.device)
        return type(x)(self._brought(y) for y in x) if type(x) in (list, tuple) else x


def _tensors(values: Sequence[Any]) -> Iterator[Tensor]:
    for value in values:
        if isinstance(value, Tensor):
            yield value
        elif isinstance(value, list | tuple):
            yield from _tensors(value)


def _writes(func: Callable[..., Any]) -> bool:
    name = getattr(func, "__name__", "")
    return name == "__setitem__" or (name.endswith("_") and not name.endswith("__"))


@contextmanager
def accelerated(device: torch.device, *modules: nn.Module) -> Iterator[torch.device]:
    """Within it ``modules`` are on ``device``, and what meets them follows; afterwards they are back."""
    if device == CPU:
        yield CPU
        return
    for module in modules:
        module.to(device)
    try:
        with Following(device):
            yield device
    finally:
        for module in modules:
            module.to(CPU)
