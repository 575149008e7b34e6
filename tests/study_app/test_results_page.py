"""The results page of a study that was edited while it ran: all versions together, or one."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pytest

from analysis.export import Table
from study_app.researcher.results import for_a_phone
from study_app.services import services
from study_app.study.definition import load_study
from study_app.study.versions import completed_versions
from tests.study_app.conftest import SKINGEN
from tests.study_app.people import arrive, walk_to
from tests.study_app.researcher_app import account, live_app, open_page, words


@pytest.fixture(autouse=True)
def app(db: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    with live_app(db, monkeypatch):
        yield


def test_versions_are_shown_together_or_one_by_one(tmp_path: Path) -> None:
    opened, token = services(), account("anna", "viewer")
    walk_to(opened.store, opened.media, arrive(opened.store, opened.study), "finished")
    page = open_page("results", token)
    assert not page.selectbox, "nothing to choose while there is one version"

    edited = tmp_path / "skingen.yaml"
    edited.write_text(SKINGEN.read_text().replace("planned_n: 32", "planned_n: 33"))
    study = load_study(edited)
    opened.store.register(study)
    for colour in (1, 2):
        walk_to(opened.store, opened.media, arrive(opened.store, study), "finished", colour=colour)
    versions = completed_versions(opened.store.database, study.id, "live")
    assert [(each.definition_hash, each.completed) for each in versions] == [(opened.study.hash, 1), (study.hash, 2)]
    assert completed_versions(opened.store.database, study.id, "pilot") == ()

    page = open_page("results", token)
    assert not page.warning
    assert "3 completed participants" in words(page)
    page = page.selectbox(key="version").select(study.hash).run()
    assert "2 completed participants" in words(page)
    page = page.selectbox(key="version").select("").run()
    assert "3 completed participants" in words(page)


def test_what_is_rated_on_another_scale_has_a_figure_of_its_own(tmp_path: Path) -> None:
    opened, token = services(), account("anna", "viewer")
    slider = '\n  - {id: sure, kind: slider, wording: "How sure?", ends: ["0", "100"], construct: Sure, repeated: true}'
    edited = tmp_path / "skingen.yaml"
    edited.write_text(SKINGEN.read_text().replace("\nitems:", f"\nitems:{slider}\n#", 1))
    study = load_study(edited)
    opened.store.register(study)
    walk_to(opened.store, opened.media, arrive(opened.store, study), "finished")
    page = open_page("results", token)
    assert not page.exception
    captions = [words_ for words_ in words(page).split("\n") if "Figure 9. Ratings by system, mean" in words_]
    assert len(captions) == 2
    assert ["How sure?" in caption for caption in captions] == [True, False]


def test_a_table_too_wide_for_a_phone_says_the_same_in_two_columns() -> None:
    display = pd.DataFrame(
        [
            ("Trust", "All systems", "32", "–", "χ²(2) = 7.10", ".029", "–", "W = 0.11"),
            ("", "A vs B", "32", "4", "W⁺ = 51", "< .001", ".003", "r = 0.61"),
            ("Ease", "A vs B", "31", "31", "no difference", "–", "–", "–"),
        ],
        columns=["Item", "Comparison", "n", "Equal", "Statistic", "p", "p (Holm)", "Effect"],
    )
    narrow = for_a_phone(Table("tests", "Comparison", pd.DataFrame(), display, words=2))
    assert list(narrow.columns) == ["Comparison", "Result"]
    assert [tuple(row) for row in narrow.itertuples(index=False)] == [
        ("Trust: All systems", "n = 32, χ²(2) = 7.10, p = .029, W = 0.11"),
        ("Trust: A vs B", "n = 32, Equal = 4, W⁺ = 51, p < .001, p (Holm) = .003, r = 0.61"),
        ("Ease: A vs B", "n = 31, Equal = 31, no difference"),
    ]
