"""From a profile to loaded models: reaches for torch only when it is called."""

from __future__ import annotations

import gc
import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

from pipeline.jobqueue import Explainers
from pipeline.profile import Profile
from pipeline.types import ImageStore

if TYPE_CHECKING:
    from pipeline.skingen import SkinGEN


def load_explainers(profile: Profile, images: ImageStore, threads: int | None = None) -> Explainers:
    """The study's three conditions over all models of the profile.

    ``threads``: CPU threads, instead of the profile's number. Raises ProfileError when weights are missing.
    """
    skingen = load_skingen(profile, images, threads)
    from pipeline.explainers import make_explainers

    return make_explainers(skingen)


def load_skingen(profile: Profile, images: ImageStore, threads: int | None = None) -> SkinGEN:
    """All models of the profile, loaded without the libraries' chatter. Raises ProfileError."""
    wait_politely()
    if threads is not None:
        profile = replace(profile, settings={**profile.settings, "threads": threads})
    with _no_garbage_collection(), warnings.catch_warnings():
        _hush_libraries()
        from pipeline.skingen import SkinGEN

        # peft remarks on a second adapter in one model; ours has one per LoRA
        warnings.filterwarnings("ignore", module="peft")
        return SkinGEN.load(profile, images)


@contextmanager
def _no_garbage_collection() -> Iterator[None]:
    """What is made meanwhile stays to the end, and is never looked through again.

    Importing the model libraries makes so many objects that looking for garbage among them takes a sixth of the time
    until all models are loaded, and finds next to none.
    """
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        if was_on:
            gc.enable()


def wait_politely() -> None:
    """OpenMP threads that wait for each other sleep instead of spinning. To be called before torch is imported.

    Spinning threads keep the one they wait for off its core as soon as anything else runs there, and the app
    always does. Four pictures on 2 cores beside two busy processes: 4.5 to 31 s spinning, 1.8 to 2.0 s asleep.
    """
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")


def _hush_libraries() -> None:
    """No progress bars and hints of the model libraries between ours, not even while they are imported."""
    from diffusers.utils import logging as diffusers_logging
    from transformers.utils import logging as transformers_logging

    for library in (diffusers_logging, transformers_logging):
        library.set_verbosity_error()
        library.disable_progress_bar()
