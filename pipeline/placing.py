"""Where a model goes and in which precision: from a role of the profile to from_pretrained's options."""

from __future__ import annotations

from importlib.util import find_spec
from typing import Any

import torch

from pipeline.profile import ProfileError
from pipeline.roles import Role


def device_of(role: Role) -> torch.device:
    """Raises ProfileError when the profile wants a graphics card that torch does not see."""
    if role.device == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    if role.device.startswith("cuda") and not torch.cuda.is_available():
        raise ProfileError(
            f"role {role.name!r}: device {role.device!r}, and torch sees no graphics card; write `auto` or `cpu`"
        )
    return torch.device(role.device)


def dtype_of(role: Role) -> torch.dtype:
    """auto: float32 on a CPU, whose float16 is unusably slow; float16 otherwise."""
    if role.dtype == "auto":
        return torch.float32 if device_of(role).type == "cpu" else torch.float16
    return {"float32": torch.float32, "float16": torch.float16, "bfloat16": torch.bfloat16}[role.dtype]


def options_of(role: Role) -> dict[str, Any]:
    """dtype, device_map and quantisation for from_pretrained; embedded models: float32, CPU. Raises ProfileError."""
    if role.embedded:
        return {"dtype": torch.float32}
    options: dict[str, Any] = {"dtype": dtype_of(role), "device_map": {"": device_of(role)}}
    if role.quantisation != "none":
        options["quantization_config"] = _quantisation(role)
    return options


def _quantisation(role: Role) -> Any:
    if find_spec("bitsandbytes") is None:
        raise ProfileError(
            f"role {role.name!r}: quantisation {role.quantisation} needs bitsandbytes: `pip install bitsandbytes`, or "
            "write `quantisation: none`"
        )
    from transformers import BitsAndBytesConfig

    if role.quantisation == "8bit":
        return BitsAndBytesConfig(load_in_8bit=True)
    return BitsAndBytesConfig(load_in_4bit=True, bnb_4bit_quant_type="nf4", bnb_4bit_compute_dtype=dtype_of(role))
