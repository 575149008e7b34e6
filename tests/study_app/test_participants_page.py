"""The participants' page: what is shown of somebody, that it is written down, and what can be done about them."""

from __future__ import annotations

import html
import json
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from pipeline.types import (
    AdapterPlan,
    ExplainRequest,
    GeneratedImage,
    ImagesReady,
    TextDelta,
    event_to_json,
    request_to_json,
)
from study_app.services import services
from study_app.study.roster import in_words, look_at, read_answers, read_people
from tests.study_app.people import MANIFEST, arrive, png, walk_to
from tests.study_app.researcher_app import account, drawn, live_app, open_page, tables, words


@pytest.fixture(autouse=True)
def app(db: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """An app without models; P0001 completed, P0002 is in the second period."""
    with live_app(db, monkeypatch):
        opened = services()
        walk_to(opened.store, opened.media, arrive(opened.store, opened.study), "finished")
        walk_to(opened.store, opened.media, arrive(opened.store, opened.study), "photo:2", colour=1)
        yield


def open_participant(participant: str, who: str = "anna") -> AppTest:
    page = open_page("participants", account(who, "editor"))
    page = page.selectbox(key="people_open").select(participant).run()
    assert not page.exception
    return page


def audited() -> list[tuple[str, str, str]]:
    """Oldest first, without signing in and accounts."""
    entries = reversed(services().store.researcher.audit.entries())
    return [(e.action, e.subject, e.detail) for e in entries if e.subject.startswith("P0")]


def conversation() -> str:
    """P0002 asks and gets words and a picture; the hash of the picture."""
    opened, participant = services(), "P0002"
    photo = opened.media.keep(participant, png(9))
    opened.store.start_exposure(participant, 2, photo, "psoriasis", ["psoriasis"])
    picture = opened.media.keep(participant, png(77))
    key = opened.store.jobs.next_key(participant, 2)
    request = request_to_json(ExplainRequest(key, "generated", photo, question="What <b>is</b> it?"))
    opened.store.jobs.start(key, participant, 2, request, "What <b>is</b> it?")
    told = [
        TextDelta("This looks like **acne**."),
        ImagesReady((GeneratedImage("acne", picture, "acne on skin", 1, AdapterPlan("acne", None, 0.0, 0.0, ())),)),
    ]
    opened.store.jobs.append_events(key, [(n, event_to_json(event)) for n, event in enumerate(told, 1)])
    opened.store.jobs.finish(key, "This looks like acne.", json.dumps({"label": "acne"}), MANIFEST)
    return picture


def test_the_list_has_everybody_of_the_run_and_no_answer_of_anybody() -> None:
    page = open_page("participants", account("anna", "owner"))
    listed = tables(page)[0]
    assert list(listed["Number"]) == ["P0002", "P0001"]
    assert list(listed["Outcome"]) == ["Active", "Completed"]
    assert list(listed["Answers"]) == ["5", "17"]
    assert audited() == []
    page = page.button_group(key="people_outcomes").set_value(["completed"]).run()
    assert list(tables(page)[0]["Number"]) == ["P0001"]
    page = page.button_group(key="run_participants").set_value("pilot").run()
    assert "Nobody has arrived" in words(page)


def test_opening_somebody_is_written_down_once_and_shows_answers_in_words() -> None:
    services().store.save_answer("P0002", "trust", 2, period=1)
    page = open_participant("P0002").run()
    assert audited() == [("participant opened", "P0002", "")]
    answers = tables(page)[0]
    trust = answers[answers["Item"] == "trust"].iloc[0]
    assert (trust["Answer"], trust["Changed"]) == ("2 (Disagree)", "1")
    assert trust["Step"] == "Rating, Assistant 1"
    assert trust["Condition"] == services().store.state("P0002").sequence[0]
    page.selectbox(key="people_open").select("P0001").run()
    assert audited() == [("participant opened", "P0002", ""), ("participant opened", "P0001", "")]


def test_what_a_participant_or_a_failure_says_is_shown_letter_by_letter() -> None:
    """Markdown would load the picture from another site, and so tell it who reads, and make a link of a word."""
    opened, said = services(), "![y](http://e.example/y.png) [link](http://e.example) <img src=x> $x$\u202e\nmore"
    shown = "![y](http://e.example/y.png) [link](http://e.example) <img src=x> $x$more"
    writer = arrive(opened.store, opened.study)
    walk_to(opened.store, opened.media, writer, "comments", colour=2)
    opened.store.save_answer(writer, "comments", said)
    page = open_participant(writer)
    answers = tables(page)[0]
    assert answers[answers["Item"] == "comments"].iloc[0]["Answer"] == shown
    opened.store.exclude(writer, said)
    page = open_participant(writer)
    assert any(html.escape(said.split("\u202e")[0]) in body for body in bodies(page)), "the reason, too"
    pages = [page, open_page("participants", account("anna", "editor"))]
    assert list(tables(pages[-1])[0]["Reason"]) == [shown, "", ""]
    photo = opened.media.keep("P0002", png(9))
    opened.store.start_exposure("P0002", 2, photo, "psoriasis", ["psoriasis"])
    key = opened.store.jobs.next_key("P0002", 2)
    opened.store.jobs.start(key, "P0002", 2, request_to_json(ExplainRequest(key, "text", photo)), said)
    opened.store.jobs.fail(key, said)
    pages.append(open_page("monitor", account("anna", "viewer")))
    assert list(tables(pages[-1])[0]["What"]) == [shown]
    for page in pages:
        assert not {"img", "a"} & set(drawn(page).tags)
        assert "e.example" not in words(page)
        assert not any("e.example" in str(table.value) for table in page.table)


def bodies(page: AppTest) -> list[str]:
    return [element.proto.body for element in page.get("html")]


def test_nothing_is_shown_when_it_cannot_be_written_down(monkeypatch: pytest.MonkeyPatch) -> None:
    from study_app.study.errors import NotSaved

    page = open_page("participants", account("anna", "owner"))

    def full(*_: object) -> None:
        raise NotSaved("Not saved: the disk is full.")

    monkeypatch.setattr(services().store.researcher.audit, "add", full)
    page = page.selectbox(key="people_open").select("P0001").run()
    assert not tables(page), "the list only"
    assert page.error


def test_the_conversation_is_there_as_it_was_with_its_pictures() -> None:
    conversation()
    page = open_participant("P0002")
    said = [message.avatar for message in page.chat_message]
    assert said == [":material/person:", ":material/counter_1:", ":material/person:", ":material/counter_2:"]
    bodies = [element.proto.body for element in page.get("html")]
    assert any("What &lt;b&gt;is&lt;/b&gt; it?" in body for body in bodies), "foreign text stays text"
    assert any("<strong>acne</strong>" in body for body in bodies)
    pictures = page.get("image") or page.get("imgs")
    assert len(pictures) >= 4, "a photo in each period, and beside the drawn picture again"
    assert "participant said: psoriasis" in words(page)


def test_a_new_link_leads_to_the_same_participant() -> None:
    page = open_participant("P0002")
    page = page.button(key="link_P0002").click().run()
    token = page.code[0].value.split("?t=")[1]
    state = services().store.participant_by_token(token)
    assert state is not None
    assert state.participant == "P0002"
    assert audited()[-1] == ("new link for participant", "P0002", "")
    other = page.selectbox(key="people_open").select("P0001").run()
    assert not other.code, "another participant's link is not shown"


def test_excluding_needs_a_reason() -> None:
    page = open_participant("P0001").button(key="exclude_P0001").click().run()
    assert "Give a reason" in words(page)
    assert services().store.state("P0001").status == "completed"
    page.text_input(key="reason_P0001").set_value("took part twice")
    page = page.button(key="exclude_P0001").click().run()
    assert services().store.state("P0001").exclusion_reason == "took part twice"
    assert audited()[-1] == ("participant excluded", "P0001", "")  # the reason stands with the participant alone
    assert not [button for button in page.button if button.key == "exclude_P0001"]


def test_withdrawing_needs_the_number_and_leaves_nothing() -> None:
    page = open_participant("P0001").button(key="withdraw_P0001").click().run()
    assert "Nothing was erased" in words(page)
    page.text_input(key="confirm_P0001").set_value("P0002")
    page = page.button(key="withdraw_P0001").click().run()
    assert services().store.state("P0001").status == "completed"
    page.text_input(key="confirm_P0001").set_value("p0001")
    page = page.button(key="withdraw_P0001").click().run()
    assert services().store.state("P0001").status == "withdrawn"
    assert audited()[-1] == ("participant withdrawn and erased", "P0001", "")
    assert "No answers are kept" in words(page)
    assert "nothing is left to do" in words(page)
    assert not tables(page)


def test_a_backup_that_a_withdrawal_does_not_reach_is_named(db: Path) -> None:
    stranger = db.with_name("study.before-v2.db")
    stranger.write_text("no database at all")
    page = open_participant("P0001")
    page.text_input(key="confirm_P0001").set_value("P0001")
    page = page.button(key="withdraw_P0001").click().run()
    assert services().store.state("P0001").status == "withdrawn"
    assert str(stranger) in page.warning[0].value
    page = page.button(key="erase_again_P0001").click().run()
    assert str(stranger) in page.warning[0].value  # until it is deleted
    stranger.unlink()
    assert "nothing is left to do" in words(open_participant("P0001"))


def test_who_withdrew_before_backups_were_reached_is_erased_there_by_a_button(db: Path) -> None:
    """A version of the app that did not reach backups left P0001 whole in this one."""
    secret = b"xyzzy-8841"
    services().store.save_answer("P0002", "comments", "mine stays")
    services().store.database.backup(db.with_name("study.before-v5.db"))
    backup = db.with_name("study.before-v5.db")
    conn = sqlite3.connect(backup)
    conn.execute(
        "INSERT INTO answer (participant, item, value, answered_at) VALUES ('P0001', 'comments', ?, 'now')",
        (secret.decode(),),
    )
    conn.commit()
    conn.close()
    kept = backup.rename(db.with_name("aside"))
    services().media.withdraw("P0001")
    kept.rename(backup)
    page = open_participant("P0001")
    assert str(backup) in page.warning[0].value
    assert secret in backup.read_bytes()
    page = page.button(key="erase_again_P0001").click().run()
    assert secret not in backup.read_bytes()
    assert b"mine stays" in backup.read_bytes()
    assert audited()[-1] == ("participant withdrawn and erased", "P0001", "")
    assert not page.warning
    assert "nothing is left to do" in words(page)


def test_looking_at_somebody_changes_nothing() -> None:
    """`visit.current` would draw a sequence or complete the study."""
    opened = services()
    newcomer = arrive(opened.store, opened.study)
    opened.store.record_consent(newcomer, agreed=True)
    walk_to(opened.store, opened.media, "P0002", "comments", colour=1)
    with opened.store.database.read() as conn:
        before = "\n".join(conn.iterdump())
    for person in read_people(opened.store.database, opened.study, "live"):
        read_answers(opened.store.database, look_at(opened.store.database, person.participant))
    with opened.store.database.read() as conn:
        assert "\n".join(conn.iterdump()) == before


def test_answers_in_words() -> None:
    study = services().study
    assert in_words(study, "trust", 5) == "5 (Strongly Agree)"
    assert in_words(study, "gender", "female") == "Female"
    assert in_words(study, "of a later version", "x") == "x"


def test_several_options_in_words(moles: object) -> None:
    from study_app.study.definition import Study
    from study_app.study.definition_items import Multiple

    assert isinstance(moles, Study)
    study = moles.in_language(moles.languages[0])
    item = next(each for each in (*study.items, *study.demographics) if isinstance(each, Multiple))
    value = json.dumps([option.value for option in item.options[:2]])
    assert in_words(study, item.id, value) == ", ".join(option.label for option in item.options[:2])
