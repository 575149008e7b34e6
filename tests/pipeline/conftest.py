"""The embedded pack, loaded once: what these tests run is what `make run` runs."""

from __future__ import annotations

import hashlib

import pytest

from pipeline.loading import load_skingen
from pipeline.phantom import Phantom, draw
from pipeline.profile import load_profile
from pipeline.skingen import SkinGEN


class Pictures(dict[str, bytes]):
    """An ImageStore in memory."""

    def put(self, data: bytes) -> str:
        name = hashlib.sha256(data).hexdigest()
        self[name] = data
        return name

    def get(self, sha256: str) -> bytes:  # type: ignore[override]
        return self[sha256]


@pytest.fixture(scope="session")
def pictures() -> Pictures:
    return Pictures()


@pytest.fixture(scope="session")
def skingen(pictures: Pictures) -> SkinGEN:
    return load_skingen(load_profile("phantom"), pictures)


@pytest.fixture(scope="session")
def psoriasis() -> Phantom:
    """A photo of the test seeds that the models never saw."""
    return draw(100_000_123, 240, "psoriasis", 3)
