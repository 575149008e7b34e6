"""From a profile to explainers: the only door-side module that reaches for torch, and only when called."""

from __future__ import annotations

from dataclasses import replace

from pipeline.jobqueue import Explainers
from pipeline.profile import Profile
from pipeline.types import ImageStore


def load_explainers(profile: Profile, images: ImageStore, threads: int | None = None) -> Explainers:
    """Load every model of the profile. ``threads``: CPU threads, instead of the profile's number.

    Raises ProfileError when weights are missing.
    """
    from pipeline.explainers import make_explainers
    from pipeline.skingen import SkinGEN

    if threads is not None:
        profile = replace(profile, settings={**profile.settings, "threads": threads})
    return make_explainers(SkinGEN.load(profile, images))
