"""Who comes in: open, by invitation, from a recruiting site; one person, one session; and the way back."""

from __future__ import annotations

import csv
import sqlite3
import threading
import zipfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from typer.testing import CliRunner

from study_app.__main__ import cli
from study_app.study import flow, visit
from study_app.study.definition import DefinitionError, Study, load_study
from study_app.study.definition_running import Entry, Parameter, ReturnUrls
from study_app.study.entry import Arrival, new_code, plain_code, read_arrival
from study_app.study.errors import HasWithdrawn
from study_app.study.export import write_export
from study_app.study.media import MediaStore
from study_app.study.outcomes import return_url
from study_app.study.panel import write_panel
from study_app.study.store import Refused, Store
from tests.study_app.conftest import SKINGEN
from tests.study_app.people import arrive, walk_to

PROLIFIC = Entry(
    kind="panel",
    person="PROLIFIC_PID",
    parameters=(Parameter(name="PROLIFIC_PID", keep=True), Parameter(name="STUDY_ID"), Parameter(name="SESSION_ID")),
)
LINK = {"PROLIFIC_PID": "5f2e9c0a1b7d3e4f5a6b7c8d", "STUDY_ID": "s1", "SESSION_ID": "x1"}
CODES = {"completed": "C-DONE", "declined": "C-NO"}


@pytest.fixture(scope="module")
def by_panel(study: Study) -> Study:
    urls = ReturnUrls(completed="https://app.example.org/complete?cc={code}&pid={PROLIFIC_PID}")
    return replace(study, entry=PROLIFIC, return_urls=urls)


@pytest.fixture(scope="module")
def by_invitation(study: Study) -> Study:
    return replace(study, entry=Entry(kind="invitation"))


def come(store: Store, study: Study, pid: str, run_kind: str = "live") -> str:
    """The participant that a link with this id leads to."""
    store.register(study)
    arrival = read_arrival(study.entry, {**LINK, "PROLIFIC_PID": pid})
    return of(store, store.door.come_from_panel(study, run_kind, arrival))  # type: ignore[arg-type]


def of(store: Store, token: str | None) -> str:
    state = store.participant_by_token(token or "")
    assert state is not None
    return state.participant


def file_holds(store: Store, text: str) -> bool:
    return text.encode() in store.database.path.read_bytes()


def test_a_study_says_nothing_of_entry_and_keeps_its_hash(study: Study) -> None:
    assert "entry" not in study.canonical()
    assert study.hash == replace(study, entry=Entry()).hash != replace(study, entry=Entry(kind="invitation")).hash


def test_the_same_person_comes_back_to_the_same_session_from_any_device(store: Store, by_panel: Study) -> None:
    first, again, other = (come(store, by_panel, pid) for pid in ("pid-1", "pid-1", "pid-2"))
    assert (first, again, other) == ("P0001", "P0001", "P0002")
    store.record_consent(first, agreed=True)
    assert come(store, by_panel, " pid-1 ") == first
    assert come(store, replace(by_panel, title="Edited meanwhile"), "pid-1") == first
    assert come(store, by_panel, "pid-1", "pilot") == "P0003"  # trying out does not use up the real one
    assert store.counts(by_panel, "live").arrived == 2


def test_many_arrivals_of_one_person_at_once_are_one(db: Path, by_panel: Study) -> None:
    stores = [Store.open(db) for _ in range(4)]
    stores[0].register(by_panel)
    start = threading.Barrier(8)

    def arrival(n: int) -> str:
        start.wait()
        return come(stores[n % 4], by_panel, "pid-1")

    with ThreadPoolExecutor(8) as pool:
        assert set(pool.map(arrival, range(8))) == {"P0001"}
    for store in stores:
        store.close()


def test_every_link_given_goes_on_to_work(store: Store, by_panel: Study) -> None:
    store.register(by_panel)
    arrival = read_arrival(PROLIFIC, LINK)
    tokens = [store.door.come_from_panel(by_panel, "live", arrival) for _ in range(3)]
    tokens.append(store.door.new_link("P0001"))
    assert len(set(tokens)) == 4
    assert {of(store, token) for token in tokens} == {"P0001"}
    assert not any(file_holds(store, token) for token in tokens)


@pytest.mark.parametrize("end", ["declined", "excluded", "finished"])
def test_whoever_has_left_cannot_start_again(store: Store, media: MediaStore, by_panel: Study, end: str) -> None:
    participant = come(store, by_panel, "pid-1")
    if end == "declined":
        store.record_consent(participant, agreed=False)
    elif end == "excluded":
        store.exclude(participant, "took part in the pilot")
    else:
        walk_to(store, media, participant, "finished")
    assert come(store, by_panel, "pid-1") == participant
    assert visit.current(store, participant).step.key == end
    assert store.counts(by_panel, "live").arrived == 1


def test_whoever_withdrew_cannot_start_again_and_leaves_no_trace(
    store: Store, media: MediaStore, by_panel: Study, by_invitation: Study
) -> None:
    participant = come(store, by_panel, "pid-1")
    come(store, by_panel, "pid-1")
    store.register(by_invitation)
    (code,) = store.door.invite(by_invitation, 1)
    invited = of(store, store.door.come_with_code(by_invitation, "live", code))
    for each in (participant, invited):
        walk_to(store, media, each, "photo:1")
        media.withdraw(each)
    before = everything(store)
    with pytest.raises(HasWithdrawn):
        come(store, by_panel, "pid-1")
    with pytest.raises(HasWithdrawn):
        store.door.come_with_code(by_invitation, "live", code)
    with pytest.raises(HasWithdrawn):
        store.door.new_link(participant)
    assert everything(store) == before
    assert store.counts(by_panel, "live").arrived == 2


def everything(store: Store) -> list[str]:
    """All that the file holds, as SQL."""
    conn = sqlite3.connect(store.database.path)
    lines = list(conn.iterdump())
    conn.close()
    return lines


def test_only_what_the_study_says_is_kept_and_the_id_is_hashed(store: Store, study: Study, by_panel: Study) -> None:
    participant = come(store, by_panel, "pid-kept-1")
    assert store.door.kept(participant) == {"PROLIFIC_PID": "pid-kept-1"}
    assert not file_holds(store, "x1")
    nothing = replace(by_panel, entry=replace(PROLIFIC, parameters=tuple(Parameter(name=n) for n in LINK)))
    anonymous = come(store, replace(nothing, id="other", return_urls=None), "pid-not-kept-2")
    assert store.door.kept(anonymous) == {}
    assert not file_holds(store, "pid-not-kept-2")


def test_declining_and_withdrawing_erase_the_kept_id(store: Store, media: MediaStore, by_panel: Study) -> None:
    declined, withdrew, stays = (come(store, by_panel, f"pid-of-{n}") for n in range(3))
    store.record_consent(declined, agreed=False)
    walk_to(store, media, withdrew, "photo:1")
    media.withdraw(withdrew)
    assert [row.participant for row in store.door.panel()] == [stays]
    assert [file_holds(store, f"pid-of-{n}") for n in range(3)] == [False, False, True]


def test_no_export_has_the_ids_but_the_panel_list(
    store: Store, media: MediaStore, by_panel: Study, tmp_path: Path
) -> None:
    done, left = come(store, by_panel, "pid-done"), come(store, by_panel, "pid-left")
    walk_to(store, media, done, "finished")
    write_export(store, tmp_path / "all.zip", media)
    with zipfile.ZipFile(tmp_path / "all.zip") as packed:
        for name in packed.namelist():
            assert b"pid-done" not in packed.read(name), name
        packed.extract("study.db", tmp_path)
    conn = sqlite3.connect(tmp_path / "study.db")
    for table in ("secret", "link", "invitation", "admission", "panel_id", "active_tab"):
        assert conn.execute(f"SELECT count(*) FROM {table}").fetchone() == (0,)
    conn.close()
    assert write_panel(store, tmp_path / "panel.csv") == 2
    with (tmp_path / "panel.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [(row["PROLIFIC_PID"], row["outcome"], row["code"]) for row in rows] == [
        ("pid-done", "completed", by_panel.completion_codes.completed),
        ("pid-left", "not finished", ""),
    ]
    assert "participant" not in rows[0]
    write_panel(store, tmp_path / "numbers.csv", with_numbers=True)
    assert (tmp_path / "numbers.csv").read_text().count(left) == 1
    with pytest.raises(FileExistsError):
        write_panel(store, tmp_path / "panel.csv")


@pytest.mark.parametrize(
    "value",
    ["", " ", "{{%PROLIFIC_PID%}}", "%SURVEY_CODE%", "${workerId}", "[id]", "ASSIGNMENT_ID_NOT_AVAILABLE", "x" * 201],
)
def test_a_link_that_does_not_say_who_comes_lets_nobody_in(store: Store, by_panel: Study, value: str) -> None:
    arrival = read_arrival(PROLIFIC, {**LINK, "PROLIFIC_PID": value})
    assert arrival.lacking == ("PROLIFIC_PID",)
    store.register(by_panel)
    with pytest.raises(Refused, match="lacks PROLIFIC_PID"):
        store.door.come_from_panel(by_panel, "live", arrival)
    assert store.counts(by_panel, "live").arrived == 0


def test_every_parameter_that_lacks_is_named() -> None:
    assert read_arrival(PROLIFIC, {"STUDY_ID": "s"}).lacking == ("PROLIFIC_PID", "SESSION_ID")
    assert read_arrival(PROLIFIC, LINK) == Arrival(LINK["PROLIFIC_PID"], {"PROLIFIC_PID": LINK["PROLIFIC_PID"]})


def test_an_invitation_lets_one_person_in_and_brings_them_back(store: Store, by_invitation: Study) -> None:
    store.register(by_invitation)
    codes = store.door.invite(by_invitation, 3)
    assert len(set(codes)) == 3
    first = of(store, store.door.come_with_code(by_invitation, "live", codes[0]))
    typed = codes[0].lower().replace("-", " ")
    assert of(store, store.door.come_with_code(by_invitation, "live", typed)) == first == "P0001"
    assert of(store, store.door.come_with_code(by_invitation, "live", codes[1])) == "P0002"
    assert store.door.come_with_code(by_invitation, "live", new_code()) is None
    assert store.door.come_with_code(by_invitation, "live", "") is None
    assert store.door.invitations(by_invitation, "live") == (3, 2)
    assert not any(file_holds(store, text) for code in codes for text in (code, plain_code(code)))


def test_codes_of_another_study_are_not_known(store: Store, by_invitation: Study, study: Study) -> None:
    other = replace(by_invitation, id="other")
    store.register(by_invitation)
    (code,) = store.door.invite(other, 1)
    assert store.door.come_with_code(by_invitation, "live", code) is None
    with pytest.raises(Refused, match=r"entry: \{kind: invitation\}"):
        store.door.invite(study, 1)


def test_the_way_back_is_filled_in_and_escaped(store: Store, media: MediaStore, by_panel: Study) -> None:
    assert return_url(by_panel, "completed", {"PROLIFIC_PID": "a b&c"}) == (
        "https://app.example.org/complete?cc=SKINGEN-DONE&pid=a%20b%26c"
    )
    assert return_url(by_panel, "completed", {}) is None  # erased meanwhile
    assert return_url(by_panel, "declined", {}) is None


def test_after_its_time_a_link_says_that_it_is_over_and_the_place_is_free(db: Path, study: Study) -> None:
    limited = replace(study, resume_within_hours=24.0, completion_codes=replace(study.completion_codes, over="C-LATE"))
    now = datetime.now(UTC) - timedelta(hours=25)
    store = Store.open(db, clock=lambda: now)
    media = MediaStore(db.parent / "media", store)
    slow, done = arrive(store, limited), arrive(store, limited)
    walk_to(store, media, slow, "photo:2")
    walk_to(store, media, done, "finished")
    now += timedelta(hours=23)
    assert visit.current(store, slow).step == flow.Photo(2)
    now += timedelta(hours=2)
    assert visit.current(store, slow).step == flow.Over()
    assert visit.current(store, done).step == flow.Finished()
    sequence = ">".join(store.state(slow).sequence)
    store.close()
    reopened = Store.open(db)
    assert reopened.counts(limited, "live").per_sequence[sequence][1] == 0
    reopened.close()


def test_the_commands_make_links_and_the_list(memory_folder: Path, tmp_path: Path) -> None:
    file = tmp_path / "study.yaml"
    file.write_text(SKINGEN.read_text() + "\nentry: {kind: invitation}\n")
    db = memory_folder / "invited.db"
    runner = CliRunner()
    made = runner.invoke(cli, ["invite", str(file), "-n", "40", "--db", str(db), "--url", "https://study.example.org/"])
    links = made.stdout.split()
    assert len(set(links)) == 40
    assert all(link.startswith("https://study.example.org/?code=") for link in links)
    store = Store.open(db)
    study = load_study(file)
    store.register(study)
    assert of(store, store.door.come_with_code(study, "live", links[7].partition("code=")[2])) == "P0001"
    store.close()
    nobody = runner.invoke(cli, ["panel", "--db", str(db), "--out", str(tmp_path / "panel.csv")])
    assert nobody.exit_code == 1
    assert "keep: true" in nobody.stderr
    assert runner.invoke(cli, ["invite", str(SKINGEN), "--db", str(db)]).exit_code == 1


# fmt: off
MISTAKES = [
    ("entry: {kind: closed}", "entry has kind 'closed'; allowed: 'open', 'invitation' or 'panel' [entry.kind]"),
    ("entry: {person: PID}", "entry has person, which needs kind: panel [entry.person]"),
    ("entry: {kind: panel}", "entry of kind panel needs 'parameters', and 'person': the one that tells people apart [entry]"),  # noqa: E501
    ("entry: {kind: panel, person: PID, parameters: [{name: ID}]}", "entry has person 'PID'; parameters are ID [entry.person]"),  # noqa: E501
    ("entry: {kind: panel, person: a, parameters: [{name: a}, {name: a}]}", "parameter 'a' stands there twice [entry.parameters[1].name]"),  # noqa: E501
    ("entry: {kind: panel, person: t, parameters: [{name: t}]}", "parameter 't' is one of the app's own; rename it on the recruiting site [entry.parameters[0].name]"),  # noqa: E501
    ("entry: {kind: panel, person: a b, parameters: [{name: a b}]}", "parameter 1 has name 'a b': use letters, digits, _, . and -, a letter first [entry.parameters[0].name]"),  # noqa: E501
    ("return_urls: {completed: app.prolific.com}", "return_urls has completed 'app.prolific.com': write a whole address, https://... [return_urls.completed]"),  # noqa: E501
    ("return_urls: {completed: 'https://a.org/?c={cod}'}", "return_urls has completed with {cod}; allowed: {code} (a parameter needs keep: true, and of who declines none is kept) [return_urls.completed]"),  # noqa: E501
    ("return_urls: {screened_out: 'https://a.org/'}", "return_urls has 'screened_out', for which there is no completion code [return_urls.screened_out]"),  # noqa: E501
    ("return_urls: {over: 'https://a.org/'}", "return_urls has 'over', which needs the field 'resume_within_hours' [return_urls.over]"),  # noqa: E501
    ("resume_within_hours: 0", "the study has resume_within_hours 0; it must be greater than 0.0 [resume_within_hours]"),  # noqa: E501
]
# fmt: on


@pytest.mark.parametrize(("line", "message"), MISTAKES)
def test_a_mistake_about_running_is_told(tmp_path: Path, line: str, message: str) -> None:
    file = tmp_path / "broken.yaml"
    file.write_text(SKINGEN.read_text() + f"\n{line}\n")
    with pytest.raises(DefinitionError) as caught:
        load_study(file)
    assert [problem.split(": ", 1)[1] for problem in caught.value.problems] == [message]
