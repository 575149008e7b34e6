"""The researcher's page: a ZIP is prepared, told of, and only then offered; a failure is told in words."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest
from streamlit.testing.v1 import AppTest

from study_app.researcher import exports, kept
from study_app.study.access.roles import Account
from study_app.study.definition import Study
from study_app.study.export import ExportError
from study_app.study.media import MediaStore
from study_app.study.store import Store
from tests.study_app.people import arrive, walk_to


def draw() -> None:
    from study_app.researcher import exports

    exports.page()


@pytest.fixture
def page(store: Store, media: MediaStore, study: Study, monkeypatch: pytest.MonkeyPatch) -> AppTest:
    """The page without the login and the models around it, of a study with one participant."""
    walk_to(store, media, arrive(store, study), "finished")
    monkeypatch.setattr(exports, "services", lambda: SimpleNamespace(store=store, media=media, study=study))
    monkeypatch.setattr(exports, "researcher_head", lambda title: None)
    somebody = Account("anna", "editor", "active", "")
    monkeypatch.setattr(exports, "proof", lambda: "a token")
    monkeypatch.setattr(exports, "with_proof", lambda token, role: somebody)
    monkeypatch.setattr(exports, "with_role", lambda role: somebody)
    return AppTest.from_function(draw, default_timeout=60).run()


def prepared(page: AppTest) -> bytes:
    content = page.session_state[kept._KEPT][exports._READY].content
    assert isinstance(content, bytes)
    return content


def test_a_zip_is_offered_after_it_was_prepared(page: AppTest) -> None:
    assert [button.label for button in page.get("download_button")] == ["Download database"]
    assert any("`run_kind` says in every file with participants" in text.value for text in page.markdown)
    page.button(key="export_prepare").click().run()
    assert not page.exception
    assert [button.label for button in page.get("download_button")] == ["Download ZIP", "Download database"]
    assert any("1 participants, 17 answers" in text.value for text in page.markdown)
    content = prepared(page)
    assert content.startswith(b"PK")
    assert b".png" not in content
    assert [(e.who, e.action, e.detail) for e in exports.services().store.researcher.audit.entries()] == [
        ("anna", "exported", "without photos")
    ]


def test_photos_come_when_asked_for(page: AppTest) -> None:
    page.toggle(key="export_photos").set_value(True).run()
    page.button(key="export_prepare").click().run()
    assert b"photos/" in prepared(page)


def test_too_many_pictures_are_left_to_the_command_line(page: AppTest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exports, "LARGEST_PICTURES", 0)
    page.run()
    assert page.toggle(key="export_photos").disabled


def test_a_failure_is_told_and_no_older_zip_offered(page: AppTest, monkeypatch: pytest.MonkeyPatch) -> None:
    page.button(key="export_prepare").click().run()

    def fails(*_: object) -> None:
        raise ExportError("Nothing was exported: the view flow has 1 rows, the database 2.")

    monkeypatch.setattr(exports, "write_export", fails)
    page.button(key="export_prepare").click().run()
    assert [error.value for error in page.error] == ["Nothing was exported: the view flow has 1 rows, the database 2."]
    assert [button.label for button in page.get("download_button")] == ["Download database"]


def test_the_database_is_a_copy_without_links(page: AppTest, store: Store, tmp_path: Path) -> None:
    copied = exports._copy(exports.services(), "a token")
    assert [e.subject for e in store.researcher.audit.entries()] == ["the database"]
    with store.database.read() as conn:
        token = conn.execute("SELECT token_hash FROM participant").fetchone()[0]
    assert copied.startswith(b"SQLite format 3")
    assert token.encode() not in copied
