"""The originals' files, tensor by tensor: shapes are known at once, values are read when they are wanted."""

from __future__ import annotations

import json
import pickle
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from torch import Tensor


class ConversionError(ValueError):
    """The files do not fit together; the message names the file and the tensors, and what to do."""


@dataclass(frozen=True)
class Lazy:
    """One tensor in a file."""

    file: Path
    shape: tuple[int, ...]
    read: Callable[[], Tensor]


def read_pth(path: Path, prefix: str = "", inside: str | None = None) -> dict[str, Lazy]:
    """Tensors of a torch file by ``prefix`` + name; ``inside``: the entry that holds them ("model").

    Only tensors and plain values are unpickled (weights_only), and the file is mapped, not read into memory.
    Raises ConversionError.
    """
    state = _load(path)
    if inside is not None:
        if not isinstance(state, Mapping) or not isinstance(state.get(inside), Mapping):
            raise ConversionError(f"{path}: has no entry {inside!r} with tensors; is it another model's checkpoint?")
        state = state[inside]
    found = {}
    for name, value in state.items():
        if not isinstance(value, Tensor):
            raise ConversionError(f"{path}: {name!r} is a {type(value).__name__}, not a tensor; is it the right file?")
        found[prefix + name] = Lazy(path, tuple(value.shape), partial(_same, value))
    return found


def _same(value: Tensor) -> Tensor:
    return value


def first_line(error: BaseException) -> str:
    return str(error).split("\n")[0]


def _load(path: Path) -> Any:
    if not path.is_file():
        raise ConversionError(f"{path}: no such file; docs/models.md says where each part comes from")
    try:
        # files older than torch 1.6 are no zip archives and cannot be mapped
        return torch.load(path, map_location="cpu", weights_only=True, mmap=zipfile.is_zipfile(path))
    except (pickle.UnpicklingError, RuntimeError, EOFError) as error:
        raise ConversionError(
            f"{path}: cannot be read as tensors alone, so it is not opened: loading anything else from a .pth file "
            f"could run a stranger's code. Check the file's origin and hash. ({first_line(error)})"
        ) from error


def read_llama(folder: Path, prefix: str = "llama_model.") -> tuple[dict[str, Any], dict[str, Lazy]]:
    """config.json and the tensors of a transformers folder: safetensors or .bin, in one file or in shards.

    Raises ConversionError, for a shard that the index names and the folder lacks, too.
    """
    config = folder / "config.json"
    if not config.is_file():
        raise ConversionError(f"{folder}: has no config.json; a transformers folder of Vicuna or Llama-2 is wanted")
    found: dict[str, Lazy] = {}
    for file in _weight_files(folder):
        if file.suffix == ".safetensors":
            with safe_open(file, "pt") as tensors:
                for name in tensors.keys():  # noqa: SIM118
                    shape = tuple(tensors.get_slice(name).get_shape())
                    found[prefix + name] = Lazy(file, shape, partial(_from_safetensors, file, name))
        else:
            found.update(read_pth(file, prefix))
    return json.loads(config.read_text()), found


def _from_safetensors(file: Path, name: str) -> Tensor:
    with safe_open(file, "pt") as tensors:
        return tensors.get_tensor(name)


def _weight_files(folder: Path) -> list[Path]:
    for stem, suffix in (("model", ".safetensors"), ("pytorch_model", ".bin")):
        index = folder / f"{stem}{suffix}.index.json"
        if index.is_file():
            files = [folder / name for name in sorted(set(json.loads(index.read_text())["weight_map"].values()))]
            if missing := [file.name for file in files if not file.is_file()]:
                raise ConversionError(f"{folder}: the download is incomplete, {', '.join(missing)} is not there")
            return files
        if (folder / f"{stem}{suffix}").is_file():
            return [folder / f"{stem}{suffix}"]
    raise ConversionError(f"{folder}: has neither model.safetensors nor pytorch_model.bin, nor an index of shards")
