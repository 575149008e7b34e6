"""What the model server still holds of a participant, let go of with them.

The server forgets by itself, in an hour or two; after a withdrawal it is told to do so at once.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from contextlib import suppress

from pipeline.client import JobUnknown, PipelineClient, PipelineError, RequestRefused

log = logging.getLogger(__name__)


class ModelCopies:
    """A `study_app.study.media.Copies`."""

    def __init__(self, client: PipelineClient) -> None:
        self._client = client

    def forget(self, jobs: Iterable[str], pictures: Iterable[str]) -> None:
        """Jobs first, since the server keeps what a job it knows is about. Never raises: a server that does not answer
        holds its copies until it ends, or for the two hours of `pipeline.images.KEEP_S`."""
        try:
            for key in jobs:
                with suppress(JobUnknown):
                    self._client.forget(key)
            for sha256 in pictures:
                with suppress(RequestRefused):  # somebody else's job drew or asked about the same picture
                    self._client.erase_image(sha256)
        except PipelineError as error:
            log.warning("The model server was not told of a withdrawal: %s", error)
