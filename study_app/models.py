"""What the app knows of the models: asked at the door, remembered once they answered."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass

from pipeline.client import PipelineClient, PipelineUnavailable
from pipeline.types import LabelInfo

LANGUAGE = "en"
"""What the models understand and answer in; names, descriptions and captions of conditions too."""
_ASK_AGAIN_S = 1.0


@dataclass(frozen=True)
class Models:
    """``labels``: the closed set of conditions the models know."""

    demonstration: bool
    profile: str
    labels: tuple[LabelInfo, ...]

    @property
    def names(self) -> tuple[str, ...]:
        """Of the conditions, as the models name them."""
        return tuple(info.label for info in self.labels)

    def description(self, label: str) -> str:
        """Empty for a label that is not in the closed set."""
        return next((info.description for info in self.labels if info.label == label), "")


class KnownModels:
    """Asks the door at most once a second until it has answered once, so that no page waits for it."""

    def __init__(self, client: PipelineClient) -> None:
        self._client = client
        self._known: Models | None = None
        self._asked = float("-inf")
        self._lock = threading.Lock()

    def now(self) -> Models | None:
        """None while the door does not answer, for instance in the first seconds after a start."""
        with self._lock:
            if self._known is None and time.monotonic() - self._asked > _ASK_AGAIN_S:
                self._asked = time.monotonic()
                self._known = self._ask()
            return self._known

    def _ask(self) -> Models | None:
        try:
            health = self._client.health()
            return Models(health.demonstration, health.profile, tuple(self._client.labels()))
        except PipelineUnavailable:
            return None
