"""A study, a store and its pictures."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from study_app.study.definition import Study, load_study
from study_app.study.media import MediaStore, folder_of
from study_app.study.store import Store

SKINGEN = Path(__file__).parents[2] / "questionnaires" / "skingen.yaml"
ENGLISH = Path(__file__).parent / "studies" / "skingen_english.yaml"
"""The same study in one language, its texts each on its own line: what tests change a line of."""
MOLES = Path(__file__).parent / "studies" / "moles.yaml"
"""Other conditions, items, kinds of items and languages than the studies that ship."""
ADVICE = Path(__file__).parent / "studies" / "advice.yaml"
"""Decisions before and after an advice, assigned cases, a mixed design."""


@pytest.fixture(scope="session")
def study() -> Study:
    return load_study(SKINGEN)


@pytest.fixture(scope="session")
def moles() -> Study:
    return load_study(MOLES)


@pytest.fixture(scope="session")
def memory_folder() -> Iterator[Path]:
    """A folder in memory where there is one: thousands of durable commits take minutes on a slow disk."""
    shared = Path("/dev/shm")
    folder = Path(tempfile.mkdtemp(dir=shared if shared.is_dir() else None))
    yield folder
    shutil.rmtree(folder)


@pytest.fixture
def db(memory_folder: Path) -> Path:
    return Path(tempfile.mkdtemp(dir=memory_folder)) / "study.db"


@pytest.fixture
def store(db: Path) -> Iterator[Store]:
    opened = Store.open(db)
    yield opened
    opened.close()


@pytest.fixture
def media(db: Path, store: Store) -> MediaStore:
    return MediaStore(folder_of(db), store)
