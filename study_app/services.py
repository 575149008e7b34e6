"""What every page works with, opened once per process: the study, the store, pictures, models' door, jobs."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import streamlit as st

from pipeline.client import PipelineClient
from study_app.jobs import JobRunner
from study_app.model_copies import ModelCopies
from study_app.models import KnownModels
from study_app.study.definition import Study, load_study
from study_app.study.media import MediaStore, folder_of
from study_app.study.running import Running
from study_app.study.state import RunKind
from study_app.study.store import Store

ROOT = Path(__file__).resolve().parents[1]


@dataclass(frozen=True)
class Services:
    study: Study
    folder: Path
    """Where the study file is: the files of assigned cases are named from there."""
    started_as: RunKind
    """The run named at the start; `run_kind` is the one that counts."""
    database: Path
    store: Store
    media: MediaStore
    client: PipelineClient
    models: KnownModels
    runner: JobRunner

    @property
    def run_kind(self) -> RunKind:
        """The run of those who arrive now: the Studies page may have changed it. Raises NotSaved."""
        return Running(self.store.database).run_kind(self.study.id, self.started_as)


@st.cache_resource(show_spinner=False)
def services() -> Services:
    """Opened by the first visit after a start; unfinished jobs go on from there.

    Environment: see `study_app.serving`, which sets it. Raises DefinitionError or CannotOpen, which
    `python -m study_app serve` has ruled out before it starts the app.
    """
    file = Path(os.environ.get("SKINGEN_STUDY", str(ROOT / "questionnaires" / "skingen.yaml")))
    study = load_study(file)
    database = Path(os.environ.get("SKINGEN_DB", str(ROOT / "data" / "study.db")))
    store = Store.open(database)
    store.register(study)
    client = PipelineClient.from_environment()
    media = MediaStore(folder_of(database), store, ModelCopies(client))
    runner = JobRunner(store, media, client)
    runner.resume()
    kind = cast(RunKind, os.environ.get("SKINGEN_RUN_KIND", "pilot"))
    return Services(study, file.parent, kind, database, store, media, client, KnownModels(client), runner)
