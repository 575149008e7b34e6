"""docs/run-the-skingen-study.md: its commands run, in their order, and give what the page promises."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from study_app.study.store import Store
from tests.study_app.docs_commands import commands, ran, remove_database

FEWER = {"32": "6", "200": "20"}
"""Participants of the simulation, and simulated studies of each size: as few as tell whether the command works."""


@pytest.mark.timeout(600)
def test_its_commands_run_in_their_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    done = []
    for program, *words in commands("run-the-skingen-study.md"):
        if words[0] == "account":
            with_owner(Path("study.db"))
        said = ran(program, *(FEWER.get(word, word) for word in words))
        done.append(words[0])
        if words[0] == "account":
            assert "/researcher?invitation=" in said
        if words[0] == "power":
            assert "participants" in said
        if words[0] == "serve":
            assert f"{words[-1].capitalize()} run of " in said
            assert "setup code: " in said
        if done.count("serve") == 2 and words[0] == "serve":
            # the page's study.db comes from people; the same tables, filled the same way
            remove_database(Path("study.db"))
            shutil.copyfile("try.db", "study.db")
    assert done == [
        "check", "power", "simulate", "report", "serve", "serve", "status", "backup", "account", "withdraw", "exclude",
        "export", "report", "reproduce",
    ]  # fmt: skip
    assert {"try-report", "report", "backup.db", "study.zip", "paper"} <= {path.name for path in tmp_path.iterdir()}


def with_owner(db: Path) -> None:
    """Who followed the page set a password at the first start."""
    store = Store.open(db)
    store.researcher.set_password("correct horse battery")
    store.close()
