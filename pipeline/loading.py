"""From a profile to explainers: reaches for torch only when it is called."""

from __future__ import annotations

import warnings
from dataclasses import replace

from pipeline.jobqueue import Explainers
from pipeline.profile import Profile
from pipeline.types import ImageStore


def load_explainers(profile: Profile, images: ImageStore, threads: int | None = None) -> Explainers:
    """Load every model of the profile. ``threads``: CPU threads, instead of the profile's number.

    Raises ProfileError when weights are missing.
    """
    _hush_libraries()
    from pipeline.explainers import make_explainers
    from pipeline.skingen import SkinGEN

    if threads is not None:
        profile = replace(profile, settings={**profile.settings, "threads": threads})
    with warnings.catch_warnings():
        # peft remarks on every LoRA that covers only some of the layers it could cover: ours do.
        warnings.filterwarnings("ignore", module="peft")
        return make_explainers(SkinGEN.load(profile, images))


def _hush_libraries() -> None:
    """No progress bars and hints of the model libraries between ours, not even while they are imported."""
    from diffusers.utils import logging as diffusers_logging
    from transformers.utils import logging as transformers_logging

    for library in (diffusers_logging, transformers_logging):
        library.set_verbosity_error()
        library.disable_progress_bar()
