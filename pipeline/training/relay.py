"""A long training that one machine begins and another ends: at a handover its weights are put into the pack.

A checkpoint has all that a training needs to go on, and is six times and more as large as what is shipped. At a
handover weights are rounded to the float16 in which a pack keeps them, and the optimiser forgets; in a run that nobody
breaks off as well, so that it makes no difference to the result.
"""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

import torch
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor, nn


def trained(model: nn.Module) -> dict[str, Tensor]:
    """What a training changes; running statistics are not part of it."""
    return {name: parameter for name, parameter in model.named_parameters() if parameter.requires_grad}


@torch.no_grad()
def hand_over(model: nn.Module, folder: Path, part: str, step: int, key: str) -> None:
    """Round the trained parameters to float16 and write them as ``folder/<part>-<step>.safetensors``, the only one.

    key: of what the part is made from; weights made from anything else are never taken over
    """
    rounded = {name: parameter.half() for name, parameter in trained(model).items()}
    for name, parameter in trained(model).items():
        parameter.copy_(rounded[name])
    folder.mkdir(parents=True, exist_ok=True)
    tensors = {name: tensor.cpu().contiguous() for name, tensor in rounded.items()}
    file = _file(folder, part, step)
    save_file(tensors, file.with_suffix(".partial"), metadata={"key": key})
    file.with_suffix(".partial").replace(file)
    for earlier in folder.glob(f"{part}-[0-9]*.safetensors"):
        if earlier != file:
            earlier.unlink()


@torch.no_grad()
def take_over(model: nn.Module, folder: Path, part: str, steps: Collection[int], key: str) -> int:
    """Put the furthest handover of ``steps`` that is there into ``model``; returns its step, 0 when there is none."""
    for step in sorted(steps, reverse=True):
        file = _file(folder, part, step)
        if not file.exists() or _key(file) != key:
            continue
        with safe_open(file, "pt") as tensors:
            for name, parameter in trained(model).items():
                parameter.copy_(tensors.get_tensor(name))
        return step
    return 0


def clear(folder: Path, key: str) -> None:
    """Remove the handovers of a part that is made."""
    for file in folder.glob("*.safetensors"):
        if _key(file) == key:
            file.unlink()
    if folder.exists() and not any(folder.iterdir()):
        folder.rmdir()


def _file(folder: Path, part: str, step: int) -> Path:
    return folder / f"{part}-{step}.safetensors"


def _key(file: Path) -> str:
    with safe_open(file, "pt") as tensors:
        return str((tensors.metadata() or {}).get("key", ""))
