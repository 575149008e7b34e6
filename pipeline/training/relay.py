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


def trainable(model: nn.Module) -> dict[str, Tensor]:
    """What a training changes; running statistics are not part of it."""
    return {name: parameter for name, parameter in model.named_parameters() if parameter.requires_grad}


@torch.no_grad()
def hand_over(model: nn.Module, folder: Path, part: str, step: int, key: str) -> None:
    """Round the trained parameters to float16 and write them as ``folder/<part>-<step>.safetensors``.

    key: of what the part is made from; weights made from anything else are never taken over. What was handed over
    earlier of the same goes.
    """
    rounded = {name: parameter.half() for name, parameter in trainable(model).items()}
    for name, parameter in trainable(model).items():
        parameter.copy_(rounded[name])
    folder.mkdir(parents=True, exist_ok=True)
    tensors = {name: tensor.cpu().contiguous() for name, tensor in rounded.items()}
    file = _file(folder, part, step)
    save_file(tensors, file.with_suffix(".partial"), metadata={"key": key})
    file.with_suffix(".partial").replace(file)
    for other in folder.glob(f"{part}-[0-9]*.safetensors"):
        if _step(other) < step and _key(other) == key:
            other.unlink()


def furthest(folder: Path, part: str, steps: Collection[int], key: str) -> int:
    """The last of ``steps`` at which weights of this ``key`` were handed over; 0 when there are none."""
    files = {step: _file(folder, part, step) for step in steps}
    return max((step for step, file in files.items() if file.exists() and _key(file) == key), default=0)


@torch.no_grad()
def take_over(model: nn.Module, folder: Path, part: str, step: int) -> None:
    """Put what was handed over at ``step`` into ``model``."""
    with safe_open(_file(folder, part, step), "pt") as tensors:
        for name, parameter in trainable(model).items():
            parameter.copy_(tensors.get_tensor(name))


def clear(folder: Path, key: str) -> None:
    """Remove the handovers of a part that is made."""
    for file in folder.glob("*.safetensors"):
        if _key(file) == key:
            file.unlink()
    if folder.exists() and not any(folder.iterdir()):
        folder.rmdir()


def _file(folder: Path, part: str, step: int) -> Path:
    return folder / f"{part}-{step}.safetensors"


def _step(file: Path) -> int:
    return int(file.stem.rpartition("-")[2])


def _key(file: Path) -> str:
    with safe_open(file, "pt") as tensors:
        return str((tensors.metadata() or {}).get("key", ""))
