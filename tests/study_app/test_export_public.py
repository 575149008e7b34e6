"""What the Psych-DS folder holds may be published: no word that people typed, no trace of their photos."""

from __future__ import annotations

import csv
import json
from pathlib import Path

from study_app.study.definition import Study, load_study
from study_app.study.export.psychds import file_name
from study_app.study.media import MediaStore
from study_app.study.store import Store
from tests.study_app.conftest import SKINGEN
from tests.study_app.export_study import YAML, described, fill, lamps, unpacked
from tests.study_app.people import arrive, ask, png, walk_to
from tests.study_app.psychds_rules import problems

SENTINEL = "ada.lovelace@example.org"
FREE_TEXT = """\
  - {id: work, kind: short_text, wording: "Occupation and e-mail?"}
  - {id: skin, kind: long_text, wording: "About your skin?", missing: may_skip}
  - {id: years, kind: number, wording: "How old?", minimum: 18, maximum: 99}
scales:"""
WORDS = """\
  - {id: why, kind: short_text, wording: "Why?", repeated: true}
  - {id: story, kind: long_text, wording: "What happened?"}
comments:"""
UPLOADED = 7
"""Colour of the participant's own picture."""


def wordy(store: Store, media: MediaStore, folder: Path) -> str:
    """A participant who finished and was then excluded, and who, like the researcher, wrote SENTINEL wherever words
    can be written; returns the hash of the uploaded photo."""
    study = lamps(folder, YAML.replace("scales:", FREE_TEXT, 1).replace("comments:", WORDS, 1))
    participant = arrive(store, study)
    for step in ("demographics", "conversation:1", "final_items", "comments"):
        walk_to(store, media, participant, step, rating=1, colour=UPLOADED)
        if step == "demographics":
            for item, value in (("work", SENTINEL), ("skin", SENTINEL), ("years", 37)):
                store.save_answer(participant, item, value)
        if step == "conversation:1":
            typed_question(store, participant)
        if step == "final_items":
            for period in (1, 2):
                store.save_answer(participant, "why", SENTINEL, period)
            store.save_answer(participant, "story", SENTINEL)
    store.save_answer(participant, "comments", SENTINEL)
    store.exclude(participant, f"not eligible: wrote from {SENTINEL}")
    return store.state(participant).exposures[1].photo


def typed_question(store: Store, participant: str) -> None:
    """A question in period 1, which the manifest repeats."""
    key = store.jobs.next_key(participant, 1)
    photo = store.state(participant).exposures[1].photo
    store.jobs.start(key, participant, 1, json.dumps({"photo": photo, "question": SENTINEL}), SENTINEL)
    manifest = {"profile": "p", "seed": 7, "question": SENTINEL, "prompts": {"question": SENTINEL}, "caption": SENTINEL}
    store.jobs.finish(key, f"Hello, {SENTINEL}", json.dumps({"label": "acne"}), json.dumps(manifest))


def holders(folder: Path, text: str) -> list[str]:
    """Files below ``folder`` that hold ``text``."""
    files = [path for path in sorted(folder.rglob("*")) if path.is_file()]
    assert files
    return [path.relative_to(folder).as_posix() for path in files if text.encode() in path.read_bytes()]


def cells(dataset: Path, table: str, study: str = "two_lamps") -> list[dict[str, str]]:
    with (dataset / "data" / file_name(study, table)).open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_no_word_from_any_free_text_field_is_published(store: Store, media: MediaStore, tmp_path: Path) -> None:
    photo = wordy(store, media, tmp_path)
    dataset = unpacked(store, tmp_path)
    assert problems(dataset) == []
    assert holders(dataset, SENTINEL) == []
    assert holders(dataset, photo) == []
    taken_home = holders(dataset.parent, SENTINEL)
    assert {"participants.csv", "flow.csv", "exposures.csv", "replies.csv", "all_answers.csv"} <= set(taken_home)
    assert {"comments.csv", "conversations.csv", "wide/two_lamps.csv", "study.db"} <= set(taken_home)
    assert "exposures.csv" in holders(dataset.parent, photo)


def test_what_is_no_free_text_stays_published(store: Store, media: MediaStore, tmp_path: Path) -> None:
    wordy(store, media, tmp_path)
    dataset = unpacked(store, tmp_path)
    (person,) = cells(dataset, "participants")
    assert json.loads(person["demographics"]) == {"hand": "left", "years": 37}
    for table in ("participants", "flow", "wide"):
        (row,) = cells(dataset, table)
        assert (row["outcome"], row["exclusion_reason"]) == ("excluded", "by a researcher")
    assert {(row["period"], row["photo"]) for row in cells(dataset, "exposures")} == {("1", "1"), ("2", "1")}
    assert json.loads(cells(dataset, "exposures")[0]["manifest"])["seed"] == 7
    assert "own words are left out" in str(described(dataset)["demographics"]["description"])
    assert "is 'by a researcher'" in str(described(dataset)["exclusion_reason"]["description"])


def test_reasons_of_the_apps_own_are_published(store: Store, tmp_path: Path) -> None:
    fill(store, lamps(tmp_path))
    dataset = unpacked(store, tmp_path)
    assert [row["exclusion_reason"] for row in cells(dataset, "flow")] == ["", "", "declined", ""]
    assert [row["exclusion_reason"] for row in cells(dataset, "wide")] == ["", "", "declined", ""]


def test_an_exchanged_photo_keeps_its_number(store: Store, media: MediaStore, study: Study, tmp_path: Path) -> None:
    participant = arrive(store, study)
    walk_to(store, media, participant, "conversation:1")
    first = store.state(participant).exposures[1].photo
    ask(store, participant, 1, "I cannot tell.", label=None)
    store.photos.want_another(participant, 1, first)
    store.photos.replace(participant, 1, first, media.keep(participant, png(9)), None)
    dataset = unpacked(store, tmp_path)
    (exchanged,) = cells(dataset, "photo_exchanges", "skingen")
    assert (exchanged["photo"], exchanged["new_photo"]) == ("2", "1")
    assert [row["photo"] for row in cells(dataset, "exposures", "skingen")] == ["1"]


def test_materials_and_codebook_name_no_file(store: Store, tmp_path: Path) -> None:
    arrive(store, load_study(SKINGEN.with_name("image_relevance.yaml")))
    dataset = unpacked(store, tmp_path)
    (file,) = (dataset / "materials").iterdir()
    said = json.loads(file.read_text("utf-8"))
    assert [set(case) for case in said["photo"]["cases"][:2]] == [{"id", "truth"}] * 2
    assert holders(dataset, ".jpg") == []


def test_questions_tell_the_sides_of_a_pair_and_name_no_picture(store: Store, tmp_path: Path) -> None:
    sides = "sides: [{value: left_one, picture: mrs_lovelace.png}, {value: right_one, picture: mr_babbage.png}]"
    pair = f'  - {{id: nearer, kind: pairwise, wording: "Which is nearer?", {sides}}}\ncomments:'
    for name in ("mrs_lovelace", "mr_babbage"):
        (tmp_path / f"{name}.png").write_bytes(png(UPLOADED))
    arrive(store, lamps(tmp_path, YAML.replace("comments:", pair, 1)))
    dataset = unpacked(store, tmp_path)
    (row,) = [row for row in cells(dataset, "questions") if row["item"] == "nearer"]
    assert json.loads(row["options"]) == [{"value": value, "label": ""} for value in ("left_one", "right_one")]
    (hand,) = [row for row in cells(dataset, "questions") if row["item"] == "hand"]
    assert [option["value"] for option in json.loads(hand["options"])] == ["left", "right"]
    for text in ("lovelace", "babbage"):
        assert holders(dataset, text) == []
