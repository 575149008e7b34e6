"""What a profile needs in memory: parameters times bytes each, plus the largest working set, device by device.

Light: parameters are counted in the headers of the safetensors files; nothing is loaded, no torch. Working sets are
the profile's estimates (docs/models.md, "Memory"). Roles work one after the other, so the largest of them counts once.
"""

from __future__ import annotations

import json
import math
import shutil
import struct
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil  # type: ignore[import-untyped]

from pipeline.profile import Profile
from pipeline.roles import Role

GB = 1e9
RUNTIME = 0.6e9
"""CUDA's context and libraries on a device before any weight: a usual figure, not measured here."""
BITS = {"float32": 32, "float16": 16, "bfloat16": 16}
QUANTISED_BITS = {"8bit": 8.0, "4bit": 4.5}
"""4 bit: with a 32-bit scale per 64 weights (bitsandbytes' default block)."""


@dataclass(frozen=True)
class Need:
    """Of one role, in bytes."""

    role: str
    device: str
    """cpu, cuda or cuda:N"""
    parameters: float
    weights: float
    working: float
    counted: bool
    """From the files; False: from the number in the profile, 0 where there is none"""

    @property
    def known(self) -> bool:
        return self.weights > 0


def parameters_of(place: Path) -> float:
    """Number of values in a role's weights, from safetensors' headers; 0 where there are none.

    A folder that holds its weights in two precisions (`x.fp16.safetensors` beside `x.safetensors`) counts once.
    """
    files = set(place.rglob("*.safetensors")) if place.is_dir() else {place} & set(place.parent.glob("*.safetensors"))
    twice = {f for f in files if ".fp16." in f.name and f.with_name(f.name.replace(".fp16.", ".")) in files}
    return float(sum(_values(f) for f in files - twice))


def _most_parameters(place: Path) -> float:
    """Of files whose headers cannot be counted without opening them: an upper bound, two bytes each."""
    files = [place] if place.is_file() else place.rglob("*")
    return sum(f.stat().st_size for f in files if f.suffix in {".bin", ".pth", ".pt", ".ckpt"}) / 2


def _values(file: Path) -> int:
    """Of one safetensors file: 8 bytes of length, then JSON: name -> dtype, shape, place."""
    with file.open("rb") as data:
        head = data.read(8)
        if len(head) < 8 or (length := struct.unpack("<Q", head)[0]) > 100_000_000:
            return 0  # cut off or no safetensors: its hash says so
        try:
            header = json.loads(data.read(length))
        except ValueError:
            return 0
    return sum(math.prod(row["shape"]) for name, row in header.items() if name != "__metadata__")


def need_of(role: Role, place: Path | None, devices: Mapping[str, float]) -> Need:
    """``place``: where its files are, None where they are not; ``devices``: name -> bytes, for `device: auto`."""
    device = role.device if role.device != "auto" else next((d for d in devices if d.startswith("cuda")), "cpu")
    if role.remote is not None or role.name == "cases":
        return Need(role.name, "cpu", 0, 0, 0, counted=True)
    counted = parameters_of(place) if place is not None else 0.0
    parameters = counted or role.parameters or (_most_parameters(place) if place is not None else 0.0)
    usual = "float32" if device == "cpu" else "float16"
    bits = QUANTISED_BITS.get(role.quantisation, BITS[usual if role.dtype == "auto" else role.dtype])
    return Need(role.name, device, parameters, parameters * bits / 8, role.working, bool(counted))


@dataclass(frozen=True)
class DevicePlan:
    """One device's roles in the order in which they should be loaded: the largest first, while the free memory is in
    one piece."""

    device: str
    available: float
    needs: tuple[Need, ...]

    @property
    def runtime(self) -> float:
        return 0.0 if self.device == "cpu" else RUNTIME

    @property
    def weights(self) -> float:
        return sum(need.weights for need in self.needs)

    @property
    def peak(self) -> float:
        """All weights, and the working set of the role that needs most."""
        return self.runtime + self.weights + max((need.working for need in self.needs), default=0.0)

    @property
    def fits(self) -> bool:
        return self.peak <= self.available

    def after(self, role: str) -> float:
        """Bytes taken when this role and those before it are loaded."""
        names = [need.role for need in self.needs]
        return self.runtime + sum(need.weights for need in self.needs[: names.index(role) + 1])


def plan(profile: Profile, devices: Mapping[str, float]) -> tuple[DevicePlan, ...]:
    """Every device that the profile uses."""
    needs = []
    for name in profile.roles:
        role = profile.spec(name)
        place = profile.root / role.place
        needs.append(need_of(role, place if role.remote is None and place.exists() else None, devices))
    used: dict[str, list[Need]] = {}
    for need in needs:
        used.setdefault(need.device, []).append(need)
    return tuple(
        DevicePlan(device, devices.get(device, 0.0), tuple(sorted(rows, key=lambda n: -n.weights)))
        for device, rows in used.items()
    )


def devices_here() -> dict[str, float]:
    """Name -> free bytes: the processor's memory, and the first graphics card's where nvidia-smi sees one."""
    found = {"cpu": float(psutil.virtual_memory().available)}
    if shutil.which("nvidia-smi"):
        found |= _cards(["nvidia-smi", "--query-gpu=memory.free", "--format=csv,noheader,nounits"])
    return found


def _cards(command: Sequence[str]) -> dict[str, float]:
    try:
        said = subprocess.run(command, capture_output=True, text=True, timeout=20, check=True).stdout
        free = [float(line) * 2**20 for line in said.split()]
    except (OSError, subprocess.SubprocessError, ValueError):
        return {}
    return {name: size for i, size in enumerate(free) for name in ((f"cuda:{i}", "cuda") if i == 0 else (f"cuda:{i}",))}
