"""After "I cannot tell": another photo instead. Exactly once, nothing lost, never two photos mixed."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from study_app.study import flow, visit
from study_app.study.definition import Study
from study_app.study.exchange import SHOWN_BEFORE
from study_app.study.media import MediaStore, folder_of
from study_app.study.state import Exposure
from study_app.study.store import NotSaved, Refused, Store
from tests.study_app.people import MANIFEST, arrive, ask, png, request, walk_to

ROOT = Path(__file__).parents[2]
CANNOT_TELL = "I cannot tell from this photo."


@pytest.fixture
def unclear(store: Store, media: MediaStore, study: Study) -> str:
    """A participant whose assistant could not tell, in period 1."""
    participant = arrive(store, study)
    walk_to(store, media, participant, "conversation:1", colour=1)
    ask(store, participant, 1, CANNOT_TELL, None)
    return participant


def exposure_of(store: Store, participant: str) -> Exposure:
    return store.state(participant).exposures[1]


def wanting(store: Store, participant: str) -> str:
    """Another photo is wanted; the one there is."""
    photo = exposure_of(store, participant).photo
    store.photos.want_another(participant, 1, photo)
    return photo


def events(store: Store, participant: str) -> list[tuple[str, dict[str, Any]]]:
    kinds = "'another_photo_wanted', 'photo_exchanged', 'photo_kept'"
    with store.database.read() as conn:
        sql = f"SELECT kind, data FROM event WHERE participant = ? AND kind IN ({kinds}) ORDER BY id"
        return [(row["kind"], json.loads(row["data"])) for row in conn.execute(sql, (participant,))]


def one(store: Store, query: str, *parameters: Any) -> dict[str, Any]:
    with store.database.read() as conn:
        (row,) = conn.execute(query, parameters).fetchall()
    return dict(row)


def test_another_photo_is_chosen_and_asked_about(store: Store, media: MediaStore, unclear: str) -> None:
    first = wanting(store, unclear)
    assert visit.current(store, unclear).step == flow.Photo(1)
    second = media.keep(unclear, png(2))
    with pytest.raises(Refused, match="'Vitiligo' is no condition that the models know; those are vitiligo"):
        store.photos.replace(unclear, 1, first, second, "Vitiligo", ["vitiligo"])
    store.photos.replace(unclear, 1, first, second, "vitiligo", ["vitiligo"])
    now = exposure_of(store, unclear)
    assert (now.photo, now.known_label, now.another_photo_wanted_at) == (second, "vitiligo", None)
    assert (now.about_photo, now.answered, now.earlier_photos) == ((), False, (first,))
    assert visit.current(store, unclear).step == flow.Conversation(1)
    with pytest.raises(Refused, match="complete answer"):
        store.finish_exposure(unclear, 1)
    ask(store, unclear, 1)
    store.finish_exposure(unclear, 1)
    assert visit.current(store, unclear).step == flow.Rating(1)


def test_what_was_said_about_the_first_photo_stays_as_it_was(store: Store, media: MediaStore, unclear: str) -> None:
    (asked,) = exposure_of(store, unclear).jobs
    turns = exposure_of(store, unclear).turns
    first = wanting(store, unclear)
    second = media.keep(unclear, png(2))
    store.photos.replace(unclear, 1, first, second, None)
    ask(store, unclear, 1)
    now = exposure_of(store, unclear)
    assert now.jobs[0] == asked
    assert now.turns[:2] == turns
    assert [turn.text for turn in now.turns] == ["What is it?", CANNOT_TELL, "What is it?", "It may be acne."]
    assert [kind for kind, _ in events(store, unclear)] == ["another_photo_wanted", "photo_exchanged"]
    assert events(store, unclear)[1][1].items() >= {"period": 1, "photo": first, "new_photo": second}.items()


def test_keeping_the_photo_leads_back_and_then_on(store: Store, unclear: str) -> None:
    before = exposure_of(store, unclear)
    photo = wanting(store, unclear)
    store.photos.keep(unclear, 1, photo)
    assert exposure_of(store, unclear) == before
    assert visit.current(store, unclear).step == flow.Conversation(1)
    store.finish_exposure(unclear, 1)
    assert one(store, "SELECT photos_exchanged FROM exposures") == {"photos_exchanged": 0}


def test_there_is_no_limit_but_no_photo_comes_back(store: Store, media: MediaStore, unclear: str) -> None:
    shown = [exposure_of(store, unclear).photo]
    for colour in range(2, 7):
        wanting(store, unclear)
        for photo in shown:
            with pytest.raises(Refused, match=SHOWN_BEFORE):
                store.photos.replace(unclear, 1, shown[-1], photo, None)
        shown.append(media.keep(unclear, png(colour)))
        store.photos.replace(unclear, 1, shown[-2], shown[-1], None)
        ask(store, unclear, 1, CANNOT_TELL, None)
    assert exposure_of(store, unclear).earlier_photos == tuple(shown[:-1])
    store.finish_exposure(unclear, 1)
    assert one(store, "SELECT photo, photos_exchanged FROM exposures") == {"photo": shown[-1], "photos_exchanged": 5}
    with store.database.read() as conn:
        pairs = conn.execute("SELECT photo, new_photo FROM photo_exchanges").fetchall()
    assert sorted(tuple(pair) for pair in pairs) == sorted(pairwise(shown))


def test_only_an_assistant_that_cannot_tell_gets_another_photo(store: Store, media: MediaStore, study: Study) -> None:
    participant = arrive(store, study)
    walk_to(store, media, participant, "photo:1")
    with pytest.raises(Refused, match="no photo in period 1"):
        store.photos.want_another(participant, 1, "a" * 64)
    walk_to(store, media, participant, "conversation:1")
    photo = exposure_of(store, participant).photo
    with pytest.raises(Refused, match="only when the assistant cannot tell"):
        store.photos.want_another(participant, 1, photo)
    store.jobs.start("k", participant, 1, request(store, participant, 1), "What is it?")
    with pytest.raises(Refused, match="still answering"):
        store.photos.want_another(participant, 1, photo)
    store.jobs.finish("k", "Acne.", '{"label": "acne"}', MANIFEST)
    with pytest.raises(Refused, match="only when the assistant cannot tell"):
        store.photos.want_another(participant, 1, photo)
    with pytest.raises(Refused, match="does not exchange"):
        store.photos.replace(participant, 1, photo, media.keep(participant, png(3)), None)
    store.finish_exposure(participant, 1)
    with pytest.raises(Refused, match="has finished"):
        store.photos.want_another(participant, 1, photo)
    assert events(store, participant) == []


def test_while_another_photo_is_chosen_nothing_is_asked_nor_rated(store: Store, unclear: str) -> None:
    wanting(store, unclear)
    with pytest.raises(Refused, match="Another photo is being chosen"):
        store.jobs.start("k", unclear, 1, request(store, unclear, 1), "Why?")
    with pytest.raises(Refused, match="Another photo is being chosen"):
        store.finish_exposure(unclear, 1)
    with pytest.raises(sqlite3.IntegrityError), store.database.write() as conn:
        conn.execute("UPDATE exposure SET finished_at = 'now'")


def test_a_question_about_the_photo_given_back_is_refused(store: Store, media: MediaStore, unclear: str) -> None:
    old = request(store, unclear, 1)
    first = wanting(store, unclear)
    store.photos.replace(unclear, 1, first, media.keep(unclear, png(2)), None)
    with pytest.raises(Refused, match="another photo"):
        store.jobs.start(store.jobs.next_key(unclear, 1), unclear, 1, old, "Why?")
    assert store.jobs.open_jobs() == ()


def test_a_question_that_failed_on_one_photo_is_a_turn_of_its_own_on_the_next(
    store: Store, media: MediaStore, unclear: str
) -> None:
    store.jobs.start("k", unclear, 1, request(store, unclear, 1), "What is it?")
    store.jobs.fail("k", "The models ran out of memory.")
    first = wanting(store, unclear)
    store.photos.replace(unclear, 1, first, media.keep(unclear, png(2)), None)
    store.jobs.start("k2", unclear, 1, request(store, unclear, 1), "What is it?")
    store.jobs.fail("k2", "The models ran out of memory.")
    ask(store, unclear, 1)
    said = [(turn.role, turn.job) for turn in exposure_of(store, unclear).turns]
    assert [role for role, _ in said] == ["participant", "assistant", "participant", "participant", "assistant"]
    assert said[3] == ("participant", "k2")


def test_the_new_photo_must_be_the_participants(store: Store, media: MediaStore, study: Study, unclear: str) -> None:
    first = wanting(store, unclear)
    with pytest.raises(Refused, match="not kept"):
        store.photos.replace(unclear, 1, first, media.keep(arrive(store, study), png(8)), None)
    assert exposure_of(store, unclear).photo == first


# Repeats, tabs and kills ---------------------------------------------------------------------------


def test_every_step_may_be_repeated(store: Store, media: MediaStore, unclear: str) -> None:
    first = wanting(store, unclear)
    since = exposure_of(store, unclear)
    store.photos.want_another(unclear, 1, first)
    assert exposure_of(store, unclear) == since
    store.photos.keep(unclear, 1, first)
    store.photos.keep(unclear, 1, first)
    wanting(store, unclear)
    second = media.keep(unclear, png(2))
    store.photos.replace(unclear, 1, first, second, None)
    done = exposure_of(store, unclear)
    store.photos.replace(unclear, 1, first, second, None)
    assert exposure_of(store, unclear) == done
    assert [kind for kind, _ in events(store, unclear)] == [
        "another_photo_wanted",
        "photo_kept",
        "another_photo_wanted",
        "photo_exchanged",
    ]


def test_a_tab_that_shows_an_older_photo_changes_nothing(store: Store, media: MediaStore, unclear: str) -> None:
    first = wanting(store, unclear)
    second, third = media.keep(unclear, png(2)), media.keep(unclear, png(3))
    store.photos.replace(unclear, 1, first, second, None)
    ask(store, unclear, 1, CANNOT_TELL, None)
    stale: list[Callable[[], None]] = [
        lambda: store.photos.want_another(unclear, 1, first),
        lambda: store.photos.keep(unclear, 1, first),
        lambda: store.photos.replace(unclear, 1, first, third, None),
    ]
    wanted = {False: exposure_of(store, unclear)}
    wanting(store, unclear)
    wanted[True] = exposure_of(store, unclear)
    for attempt in stale:
        with pytest.raises(Refused):
            attempt()
    assert exposure_of(store, unclear) == wanted[True]
    store.photos.keep(unclear, 1, second)
    for attempt in stale:
        with pytest.raises(Refused):
            attempt()
    assert exposure_of(store, unclear) == wanted[False]


def test_of_many_tabs_one_exchanges_the_photo(store: Store, media: MediaStore, unclear: str) -> None:
    first = wanting(store, unclear)
    new = [media.keep(unclear, png(colour)) for colour in range(2, 10)]
    start = threading.Barrier(len(new))

    def tab(photo: str) -> bool:
        start.wait()
        try:
            store.photos.replace(unclear, 1, first, photo, None)
        except Refused:
            return False
        return True

    with ThreadPoolExecutor(len(new)) as pool:
        done = list(pool.map(tab, new))
    assert done.count(True) == 1
    assert exposure_of(store, unclear).photo == new[done.index(True)]
    assert one(store, "SELECT photos_exchanged FROM exposures") == {"photos_exchanged": 1}


def test_a_write_that_fails_half_way_leaves_the_state_before(
    store: Store, media: MediaStore, unclear: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The event is the last statement of each transaction: without it nothing happened."""
    second = media.keep(unclear, png(2))

    def full(*_: object) -> None:
        raise NotSaved("the disk is full")

    first = exposure_of(store, unclear).photo
    steps: list[Callable[[], None]] = [
        lambda: store.photos.want_another(unclear, 1, first),
        lambda: store.photos.keep(unclear, 1, first),
        lambda: store.photos.want_another(unclear, 1, first),
        lambda: store.photos.replace(unclear, 1, first, second, None),
    ]
    for step in steps:
        before = exposure_of(store, unclear)
        with monkeypatch.context() as patched:
            patched.setattr("study_app.study.exchange.append_event", full)
            with pytest.raises(NotSaved):
                step()
        assert exposure_of(store, unclear) == before
        step()
        assert exposure_of(store, unclear) != before


EXCHANGER = """
import sys
from study_app.study.media import MediaStore, folder_of
from study_app.study.store import Store
from tests.study_app.people import ask, png
store = Store.open(sys.argv[1])
media = MediaStore(folder_of(sys.argv[1]), store)
for colour in range(2, 100_000):
    first = store.state("P0001").exposures[1].photo
    store.photos.want_another("P0001", 1, first)
    store.photos.replace("P0001", 1, first, media.keep("P0001", png(colour)), None)
    ask(store, "P0001", 1, "I cannot tell from this photo.", None)
    sys.stdout.write(f"{colour}\\n")
    sys.stdout.flush()
"""


@pytest.mark.parametrize("after_s", [0.0, 0.003, 0.011, 0.017, 0.029, 0.041])
def test_a_kill_at_any_moment_leaves_a_step_the_participant_can_go_on_from(
    tmp_path: Path, study: Study, after_s: float
) -> None:
    db = tmp_path / "study.db"
    store = Store.open(db)
    media = MediaStore(folder_of(db), store)
    participant = arrive(store, study)
    walk_to(store, media, participant, "conversation:1", colour=1)
    ask(store, participant, 1, CANNOT_TELL, None)
    process = subprocess.Popen([sys.executable, "-c", EXCHANGER, str(db)], stdout=subprocess.PIPE, cwd=ROOT)
    assert process.stdout is not None
    process.stdout.readline()
    threading.Event().wait(after_s)
    os.kill(process.pid, signal.SIGKILL)
    acknowledged = 1 + len([line for line in process.stdout.readlines() if line.endswith(b"\n")])
    process.wait()
    process.stdout.close()

    assert one(store, "PRAGMA integrity_check") == {"integrity_check": "ok"}
    assert one(store, "SELECT photos_exchanged AS n FROM exposures")["n"] in (acknowledged, acknowledged + 1)
    now = exposure_of(store, participant)
    assert media.read(participant, now.photo)
    assert all(job.photo in (*now.earlier_photos, now.photo) for job in now.jobs)
    log = [kind for kind, _ in events(store, participant)]
    assert log.count("another_photo_wanted") - log.count("photo_exchanged") == (now.another_photo_wanted_at is not None)
    for job in store.jobs.open_jobs():  # the app's start would go on with it
        store.jobs.finish(job.key, "It may be acne.", '{"label": "acne"}', MANIFEST)
    if now.another_photo_wanted_at is not None:
        assert visit.current(store, participant).step == flow.Photo(1)
        store.photos.keep(participant, 1, now.photo)
    walk_to(store, media, participant, "finished")
    store.close()


# What is told afterwards ---------------------------------------------------------------------------


def test_withdrawal_erases_both_photos(store: Store, media: MediaStore, unclear: str, db: Path) -> None:
    first = wanting(store, unclear)
    second = media.keep(unclear, png(2))
    store.photos.replace(unclear, 1, first, second, "xyzzy-7741", ["xyzzy-7741"])
    assert {path.stem for path in folder_of(db).rglob("*.png")} == {first, second}
    wanted = bytes(first, "ascii")
    assert wanted in db.read_bytes()
    media.withdraw(unclear)
    assert list(folder_of(db).rglob("*.png")) == []
    assert wanted not in db.read_bytes()
    assert b"xyzzy-7741" not in db.read_bytes()
    with store.database.read() as conn:
        assert conn.execute("SELECT * FROM photo_exchanges").fetchall() == []


def test_durations_tell_the_choosing_apart_from_the_conversation(db: Path, study: Study) -> None:
    clock = [datetime.now(UTC)]
    store = Store.open(db, clock=lambda: clock[0])
    media = MediaStore(folder_of(db), store)

    def pass_s(seconds: float) -> None:
        clock[0] += timedelta(seconds=seconds)

    participant = arrive(store, study)
    walk_to(store, media, participant, "conversation:1", colour=1)
    began = clock[0]
    ask(store, participant, 1, CANNOT_TELL, None)
    pass_s(20)
    first = wanting(store, participant)
    pass_s(7)
    store.photos.keep(participant, 1, first)
    pass_s(10)
    wanting(store, participant)
    pass_s(33.5)
    store.photos.replace(participant, 1, first, media.keep(participant, png(2)), None)
    exchanged = clock[0]
    ask(store, participant, 1)
    pass_s(60)
    store.finish_exposure(participant, 1)
    row = one(store, "SELECT * FROM exposures")
    stamps = [datetime.fromisoformat(row[name]) for name in ("started_at", "finished_at")]
    assert abs((stamps[0] - began).total_seconds()) < 0.01, "the exposure began with its first photo"
    assert (stamps[1] - stamps[0]).total_seconds() == pytest.approx(130.5, abs=0.01)
    assert row["choosing_again_s"] == pytest.approx(40.5, abs=0.01)
    told = one(store, "SELECT * FROM photo_exchanges")
    spent = datetime.fromisoformat(told["exchanged_at"]) - datetime.fromisoformat(told["wanted_at"])
    assert spent.total_seconds() == pytest.approx(33.5, abs=0.01)
    assert abs((datetime.fromisoformat(told["exchanged_at"]) - exchanged).total_seconds()) < 0.01
    store.close()


def test_the_exposure_has_the_diagnosis_and_the_manifest_of_its_photo(
    store: Store, media: MediaStore, unclear: str
) -> None:
    first = wanting(store, unclear)
    second = media.keep(unclear, png(2))
    store.photos.replace(unclear, 1, first, second, "vitiligo", ["vitiligo"])
    row = one(store, "SELECT photo, known_label, diagnosis, manifest FROM exposures")
    assert row == {"photo": second, "known_label": "vitiligo", "diagnosis": None, "manifest": None}
    store.jobs.start("k", unclear, 1, request(store, unclear, 1), "What is it?")
    store.jobs.finish("k", "Vitiligo.", '{"label": "vitiligo"}', '{"profile": "second"}')
    row = one(store, "SELECT diagnosis, manifest FROM exposures")
    assert row == {"diagnosis": "vitiligo", "manifest": '{"profile": "second"}'}
    told = one(store, "SELECT photo, known_label, new_photo, manifest FROM photo_exchanges")
    assert told == {"photo": first, "known_label": None, "new_photo": second, "manifest": MANIFEST}


def test_the_monitor_counts_whoever_chooses_again_at_the_photo(store: Store, study: Study, unclear: str) -> None:
    assert store.counts(study, "live").at_step == {"conversation:1": 1}
    wanting(store, unclear)
    assert store.counts(study, "live").at_step == {"photo:1": 1}
    assert store.troubles() == ()


def test_progress_goes_back_with_the_page(store: Store, study: Study, unclear: str) -> None:
    wanting(store, unclear)
    now = visit.current(store, unclear)
    assert flow.progress(study, now.state, now.step) == (3, 13)
    later = replace(now.state, status="excluded")
    assert flow.next_step(study, later) == flow.Excluded()
