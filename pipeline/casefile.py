"""The vectors of a case library as a file, and the CLIP that they are of. Nothing here needs torch."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from safetensors import safe_open
from safetensors.numpy import save_file

from pipeline.profile import Profile

VECTORS = "cases.safetensors"
MADE_BY = "clip_sha256"
"""In the metadata of cases.safetensors: `fingerprint` of the CLIP that its vectors come from"""


def write_vectors(
    folder: Path, image: NDArray[np.float32], text: NDArray[np.float32], clip_sha256: str | None = None
) -> None:
    """Both (cases, width), in the order of cases.json, as half floats."""
    record = {} if clip_sha256 is None else {MADE_BY: clip_sha256}
    save_file({"image": image.astype(np.float16), "text": text.astype(np.float16)}, folder / VECTORS, record)


def made_by(folder: Path) -> str | None:
    """`fingerprint` of the library's CLIP; None: it was not recorded."""
    with safe_open(folder / VECTORS, framework="np") as file:
        return (file.metadata() or {}).get(MADE_BY)


def width(folder: Path) -> int:
    """Numbers in each of the library's vectors."""
    with safe_open(folder / VECTORS, framework="np") as file:
        return int(file.get_slice("image").get_shape()[1])


def clip_width(folder: Path) -> int:
    """Numbers in the embeddings of a CLIP folder; where its config.json does not say, CLIPConfig's 512."""
    return int(json.loads((folder / "config.json").read_text()).get("projection_dim", 512))


def of_another_clip(profile: Profile, clip_sha256: str) -> str | None:
    """Why the profile's cases cannot be compared with what its CLIP says, and what to do; None: they can.

    clip_sha256: the CLIP's `fingerprint`, compared where the library records one. Raises ProfileError when weights
    are missing.
    """
    folder = profile.folder("cases")
    own, wanted, by = width(folder), clip_width(profile.folder("clip")), made_by(folder)
    if own != wanted:
        why = f"its cases are described by {own} numbers, CLIP gives {wanted}"
    elif by not in (None, clip_sha256):
        why = f"it was built with a CLIP of SHA-256 {by}, this one has {clip_sha256}"
    else:
        return None
    again = f"build it again with `python -m pipeline cases build ... --profile {profile.called}`"
    todo = profile.get("cases") if profile.spec("cases").embedded else again
    return f"profile {profile.name}: role 'cases': {folder} is of another CLIP: {why}; {todo}"
