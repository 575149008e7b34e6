"""Pictures: kept for their owners, erased with the last of them."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from pathlib import Path

import pytest

from study_app.study import flow, visit
from study_app.study.definition import Study
from study_app.study.media import MediaStore, folder_of
from study_app.study.store import Refused, Store
from tests.study_app.people import arrive, png, request, walk_to

PERSONAL = ("answer", "turn", "job", "job_event", "exposure", "step_done", "media_owner")


def files(db: Path) -> set[str]:
    return {path.stem for path in folder_of(db).rglob("*") if path.is_file()}


def test_a_picture_is_named_by_its_content_and_kept_once(media: MediaStore, db: Path) -> None:
    name = media.put(png(1))
    assert name == hashlib.sha256(png(1)).hexdigest() == media.put(png(1))
    assert media.get(name) == png(1)
    assert files(db) == {name}


def test_only_png_is_stored(media: MediaStore, db: Path) -> None:
    with pytest.raises(ValueError, match="Not a PNG"):
        media.put(b"\xff\xd8\xff JPEG")
    assert files(db) == set()


@pytest.mark.parametrize("name", ["0" * 64, "../study.db", "", "A" * 64, "/etc/passwd", "0" * 64 + "\n"])
def test_an_unknown_or_impossible_name_is_a_key_error(media: MediaStore, name: str) -> None:
    with pytest.raises(KeyError):
        media.get(name)


def test_a_picture_is_read_by_its_owners_only(media: MediaStore, store: Store, study: Study) -> None:
    owner, other = arrive(store, study), arrive(store, study)
    name = media.keep(owner, png(1))
    assert media.read(owner, name) == png(1)
    with pytest.raises(KeyError) as forbidden:
        media.read(other, name)
    with pytest.raises(KeyError) as unknown:
        media.read(other, "0" * 64)
    assert type(forbidden.value) is type(unknown.value)
    media.keep(other, png(1))
    assert media.read(other, name) == png(1)


def test_withdrawal_erases_photo_chat_and_answers_and_leaves_a_tombstone(
    media: MediaStore, store: Store, study: Study, db: Path
) -> None:
    gone, stays = arrive(store, study), arrive(store, study)
    walk_to(store, media, stays, "finished", colour=1)
    walk_to(store, media, gone, "comments", colour=2)
    store.save_answer(gone, "comments", "My secret is xyzzy-8841.")
    store.log_event(gone, "note", {"secret": "xyzzy-8842"})
    shared = media.keep(gone, png(1))
    own = media.keep(gone, png(2))
    assert b"xyzzy" in db.read_bytes()

    media.withdraw(gone)
    media.withdraw(gone)

    assert b"xyzzy" not in db.read_bytes()  # overwritten, not just unlinked
    assert files(db) == {shared}
    assert own not in files(db)
    with store.database.read() as conn:
        for table in PERSONAL:
            if table != "job_event":
                query = f"SELECT count(*) FROM {table} WHERE participant = ?"
                assert conn.execute(query, (gone,)).fetchone()[0] == 0
        assert conn.execute("SELECT count(DISTINCT job) FROM job_event").fetchone()[0] == 3
        for view in ("ratings", "exposures", "comments", "conversations"):
            assert {row["participant"] for row in conn.execute(f"SELECT * FROM {view}")} <= {stays}
        tombstone = conn.execute("SELECT * FROM flow WHERE participant = ?", (gone,)).fetchone()
    assert tombstone["outcome"] == "withdrawn"
    assert tombstone["withdrawn_at"] >= tombstone["consented_at"]
    assert visit.current(store, gone).step == flow.Withdrawn()
    assert store.counts(study, "live").completed == 1


def test_after_a_withdrawal_nothing_is_kept_any_more(media: MediaStore, store: Store, study: Study, db: Path) -> None:
    participant = arrive(store, study)
    walk_to(store, media, participant, "conversation:1")
    key = store.jobs.next_key(participant, 1)
    asked = request(store, participant, 1)
    store.jobs.start(key, participant, 1, asked, "What is it?")
    media.withdraw(participant)
    assert not store.jobs.append_events(key, [(1, "{}")])
    assert not store.jobs.finish(key, "Acne.", None, "{}")
    with pytest.raises(Refused, match="withdrew"):
        media.keep(participant, png(5))
    with pytest.raises(Refused):
        store.jobs.start("another key", participant, 1, asked, "What is it?")
    assert files(db) == set()


def test_a_picture_is_owned_before_it_is_on_disk(store: Store, study: Study) -> None:
    """Killed in between, there is an owner without a file, never a file that no withdrawal would erase."""
    participant = arrive(store, study)
    seen: list[bool] = []

    def write() -> None:
        with Store.open(store.database.path).database.read() as other:
            seen.append(other.execute("SELECT 1 FROM media_owner").fetchone() is not None)

    store.pictures.own(participant, "a" * 64, write)
    assert seen == [True]


def test_a_picture_that_arrives_during_the_withdrawal_is_not_kept(
    media: MediaStore, store: Store, study: Study, db: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    participant = arrive(store, study)
    write, calls = store.database.write, iter(range(9))

    def withdrawing_between() -> object:
        if next(calls) == 1:  # after the owner was committed, before the file is written
            monkeypatch.undo()
            media.withdraw(participant)
        return write()

    monkeypatch.setattr(store.database, "write", withdrawing_between)
    with pytest.raises(Refused, match="withdrew"):
        media.keep(participant, png(1))
    assert files(db) == set()


def test_a_withdrawal_cut_short_can_be_repeated(media: MediaStore, store: Store, study: Study, db: Path) -> None:
    participant = arrive(store, study)
    walk_to(store, media, participant, "photo:2")

    def killed(pictures: tuple[str, ...]) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        store.pictures.withdraw(participant, killed)
    assert store.state(participant).status == "active"
    assert len(files(db)) == 1
    media.withdraw(participant)
    assert files(db) == set()


KILLED = """
import os, sys
from study_app.study.media import MediaStore, folder_of
from study_app.study.store import Store
from tests.study_app.people import png
os.replace = lambda *_: os._exit(9)
store = Store.open(sys.argv[1])
MediaStore(folder_of(sys.argv[1]), store).keep(sys.argv[2], png(1))
"""


def test_a_photo_whose_writing_was_killed_is_erased_too(
    media: MediaStore, store: Store, study: Study, db: Path
) -> None:
    participant, other = arrive(store, study), arrive(store, study)
    killed = subprocess.run([sys.executable, "-c", KILLED, str(db), participant], cwd=Path(__file__).parents[2])
    assert killed.returncode == 9
    (draft,) = [path for path in folder_of(db).rglob("*") if path.is_file()]
    assert draft.read_bytes() == png(1)
    (draft.parent / "tmpk3x9.part").write_bytes(png(1))  # as an earlier version named them
    kept = media.keep(other, png(2))
    media.withdraw(participant)
    assert files(db) == {kept}


def test_a_photo_whose_writing_was_killed_can_be_kept_again(
    media: MediaStore, store: Store, study: Study, db: Path
) -> None:
    participant = arrive(store, study)
    name = hashlib.sha256(png(1)).hexdigest()
    draft = media.path_of(name).with_name(f"{name}.png.part")
    draft.parent.mkdir()
    draft.write_bytes(png(1)[:20])
    assert media.read(participant, media.keep(participant, png(1))) == png(1)
    assert not draft.exists()
