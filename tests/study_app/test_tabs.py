"""One tab at a time: who holds the study, who takes over, and what the others may not do."""

from __future__ import annotations

from study_app.study.definition import Study
from study_app.study.media import MediaStore
from study_app.study.store import Store
from tests.study_app.people import arrive, walk_to


def test_the_first_tab_holds_the_study_until_another_takes_it(store: Store, study: Study) -> None:
    participant, other = arrive(store, study), arrive(store, study)
    still = {"a", "b"}
    assert store.tabs.hold(participant, "a", still.__contains__)
    assert not store.tabs.hold(participant, "b", still.__contains__)
    assert store.tabs.hold(participant, "a", still.__contains__)
    store.tabs.take(participant, "b")
    assert store.tabs.hold(participant, "b", still.__contains__)
    assert not store.tabs.hold(participant, "a", still.__contains__)
    assert store.tabs.holder(other) is None


def test_a_closed_tab_holds_nothing_and_a_click_more_changes_nothing(store: Store, study: Study) -> None:
    participant = arrive(store, study)
    store.tabs.take(participant, "a")
    assert store.tabs.hold(participant, "b", lambda tab: tab != "a")
    store.tabs.take(participant, "b")
    with store.database.read() as conn:
        assert conn.execute("SELECT count(*) FROM active_tab").fetchone()[0] == 1


def test_after_a_restart_the_next_tab_goes_on(store: Store, media: MediaStore, study: Study) -> None:
    participant = arrive(store, study)
    store.tabs.take(participant, "of the server before")
    reopened = Store.open(store.database.path)
    assert reopened.tabs.hold(participant, "new", lambda tab: tab == "new")
    reopened.close()
    walk_to(store, media, participant, "photo:1")
    media.withdraw(participant)
    assert store.tabs.holder(participant) is None
