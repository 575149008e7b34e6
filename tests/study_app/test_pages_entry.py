"""Coming in, going on in one tab, and the ends, as participants see them."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from study_app.participant import tab
from study_app.services import services
from study_app.study.database import utc_now
from tests.study_app.conftest import SKINGEN
from tests.study_app.participant_app import scripted_app
from tests.study_app.people import walk_to
from tests.study_app.test_pages import APP, PATIENCE_S, state_of, title, token_of

PANEL = """
entry:
  kind: panel
  person: PROLIFIC_PID
  parameters: [{name: PROLIFIC_PID, keep: true}, {name: SESSION_ID}]
return_urls: {completed: "https://app.prolific.com/submissions/complete?cc={code}"}
resume_within_hours: 24
"""
INVITATION = "\nentry: {kind: invitation}\n"


@pytest.fixture
def door(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The app with the SkinGEN study and the lines of the test's parameter at its end."""
    file = tmp_path / "study.yaml"
    file.write_text(SKINGEN.read_text() + request.param)
    with scripted_app(tmp_path, monkeypatch, file):
        yield


def come(**parameters: str) -> AppTest:
    page = AppTest.from_file(APP, default_timeout=PATIENCE_S)
    for name, value in parameters.items():
        page.query_params[name] = value
    return page.run()


@pytest.mark.usefixtures("door")
@pytest.mark.parametrize("door", [PANEL], indirect=True)
def test_from_a_recruiting_site_and_back(monkeypatch: pytest.MonkeyPatch) -> None:
    lacking = come(SESSION_ID="s1", PROLIFIC_PID="{{%PROLIFIC_PID%}}")
    assert title(lacking) == "This link is not complete"
    assert any("`PROLIFIC_PID`" in text.value for text in lacking.markdown)
    assert services().store.counts(services().study, "pilot").arrived == 0

    first = come(PROLIFIC_PID="p1", SESSION_ID="s1")
    assert title(first) == services().study.title
    assert not {"PROLIFIC_PID", "SESSION_ID"} & set(first.query_params)
    assert "t" in first.query_params
    again = come(PROLIFIC_PID="p1", SESSION_ID="s2")
    assert state_of(again).participant == state_of(first).participant == "P0001"
    assert token_of(again) != token_of(first)

    opened = services()
    walk_to(opened.store, opened.media, "P0001", "comments")
    done = come(PROLIFIC_PID="p1", SESSION_ID="s1")
    assert not _links(done)
    done.button(key="next_comments").click().run()
    assert _links(done) == ["https://app.prolific.com/submissions/complete?cc=SKINGEN-DONE"]

    late = come(PROLIFIC_PID="p2", SESSION_ID="s3")
    monkeypatch.setattr(opened.store.database, "clock", lambda: utc_now() + timedelta(hours=25))
    late.run()
    assert title(late) == "The time for this study is over"
    assert any("24 hours" in text.value for text in late.markdown)


def _links(page: AppTest) -> list[str]:
    return [element.proto.url for element in page.get("link_button")]


@pytest.mark.usefixtures("door")
@pytest.mark.parametrize("door", [INVITATION], indirect=True)
def test_by_invitation_by_link_or_typed() -> None:
    opened = services()
    linked, typed = opened.store.door.invite(opened.study, 2)
    page = come(code="AAAA-AAAA-AAAA-AAAA")
    assert title(page) == "Taking part by invitation"
    assert "not known" in page.warning[0].value
    page.text_input(key="invitation_code").input(typed.lower())
    page.button(key="invitation_open").click().run()
    assert title(page) == opened.study.title
    assert state_of(page).participant == "P0001"
    assert "code" not in page.query_params
    assert state_of(come(code=linked)).participant == "P0002"
    declined = come(code=linked)
    declined.button(key="decline").click().run()
    back = come(code=linked)
    assert title(back) == "You do not take part"
    assert any("cannot start again" in text.value for text in back.markdown)
    assert opened.store.counts(opened.study, "pilot").arrived == 2


@pytest.mark.usefixtures("door")
@pytest.mark.parametrize("door", [INVITATION, PANEL], indirect=True)
def test_who_withdrew_and_comes_again_leaves_no_trace(monkeypatch: pytest.MonkeyPatch) -> None:
    opened = services()
    panel = opened.study.entry.kind == "panel"
    by = {"PROLIFIC_PID": "p1", "SESSION_ID": "s"} if panel else {"code": opened.store.door.invite(opened.study, 1)[0]}
    first = come(**by)
    again = come(**by)
    walk_to(opened.store, opened.media, "P0001", "finished")
    again.run()
    assert any("your invitation or id stays" in text.value for text in again.markdown)
    again.checkbox(key="withdraw_sure").check().run()
    again.button(key="withdraw").click().run()
    assert title(again) == "You have withdrawn"
    before = kept()
    assert [event["kind"] for event in before["event"]] == ["withdrawn"]
    monkeypatch.setattr(opened.store.database, "clock", lambda: utc_now() + timedelta(hours=1))
    for page in (come(t=token_of(first)), come(t=token_of(again)), come(**by)):
        assert title(page) == "You have withdrawn"
        assert any("cannot start again" in text.value for text in page.markdown)
        page.run()
        assert kept() == before


def kept() -> dict[str, list[dict[str, object]]]:
    """All that the database holds of participants."""
    with services().store.database.read() as conn:
        return {
            table: [dict(row) for row in conn.execute(f"SELECT * FROM {table}")]
            for table in ("participant", "event", "link", "admission", "panel_id", "active_tab", "answer")
        }


@pytest.mark.usefixtures("door")
@pytest.mark.parametrize("door", [""], indirect=True)
def test_one_tab_goes_on_and_the_other_stores_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    still, here = {"first", "second"}, ["first"]
    monkeypatch.setattr(tab, "this_tab", lambda: here[0])
    monkeypatch.setattr(tab, "is_open", still.__contains__)
    first = come()
    here[0] = "second"
    second = come(t=token_of(first))
    assert title(second) == "The study is open in another tab"
    here[0] = "first"
    assert title(first.run()) == services().study.title
    here[0] = "second"
    second.button(key="go_on_here").click().run()
    assert title(second) == services().study.title
    here[0] = "first"
    first.button(key="decline").click().run()  # on a page that no longer holds the study
    assert title(first) == "The study is open in another tab"
    assert state_of(second).status == "active"
    still.remove("second")
    assert title(first.run()) == services().study.title
