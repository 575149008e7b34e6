"""The language is switched in the middle of a page: what the browser still holds in the other one is no answer.

A browser sends a choice by the words it shows, and keeps sending those of before the switch until something is chosen
anew. The test's own pages would write them in the new language, so they are put back.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from study_app.services import services
from tests.scripted import small_png
from tests.study_app.conftest import SKINGEN
from tests.study_app.participant_app import scripted_app
from tests.study_app.test_pages import state_of, visit_at

MANY = (1, 2, 3, 4, 5, 6)
"""More options than stand beside each other: a field that opens."""
OPTIONS = "\n".join(f"      - {{value: o{n}, label: {{en: Way {n}, zh: 方式{n}}}}}" for n in MANY)
ITEMS = f"""  - id: way
    kind: single
    wording: {{en: "Which way?", zh: "哪种方式？"}}
    repeated: true
    options:
{OPTIONS}
  - id: order
    kind: ranking
    wording: {{en: Put them in order., zh: 请排序。}}
    repeated: true
    options: [{{value: a, label: {{en: Words, zh: 文字}}}}, {{value: b, label: {{en: Pictures, zh: 图片}}}}]
"""


@pytest.fixture(autouse=True)
def door(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    file = tmp_path / "study.yaml"
    file.write_text(SKINGEN.read_text().replace("  - id: trust\n", f"{ITEMS}  - id: trust\n", 1))
    with scripted_app(tmp_path, monkeypatch, file):
        yield


def switch(page: AppTest, language: str, then: str | None = None) -> AppTest:
    """Switch, and in a second run press the button ``then``: every field that is still there says what it said."""
    before = {state.id: state.string_value for state in page._tree.get_widget_states().widgets}
    page.button_group(key="language_switch").set_value(language).run()
    if then is not None:
        page.button(key=then).click()
    sent = page._tree.get_widget_states()
    for state in sent.widgets:
        if state.WhichOneof("value") == "string_value" and state.id in before:
            state.string_value = before[state.id]
    return page._run(sent)


@pytest.mark.parametrize("said", [None, "psoriasis"])
def test_what_the_photo_shows_is_stored_as_the_models_call_it(said: str | None) -> None:
    page = visit_at("photo:1")
    page.file_uploader(key="upload_1").upload("IMG_1.png", small_png(side=120), "image/png").run()
    if said is not None:
        page.selectbox(key="label_1_en").select(said).run()
    switch(page, "zh")
    assert page.selectbox(key="label_1_zh").value == (said or "")
    switch(page, "en", then="next_photo:1")
    assert state_of(page).exposures[1].known_label == said


def test_a_choice_among_many_and_a_ranking_keep_their_answers() -> None:
    page = visit_at("rating:1")
    page.selectbox(key="item_way_1").select("o3").run()
    page.selectbox(key="item_order_1_1").select("b").run()
    page.selectbox(key="item_order_1_2_b").select("a").run()
    answers = {("way", 1): "o3", ("order", 1): json.dumps(["b", "a"])}
    assert state_of(page).answers.items() >= answers.items()
    switch(page, "zh", then="next_rating:1")
    assert state_of(page).answers.items() >= answers.items()
    with services().store.database.read() as conn:
        stored = conn.execute("SELECT item, value FROM answer WHERE item IN ('way', 'order') ORDER BY id").fetchall()
    assert [tuple(row) for row in stored] == [(item, value) for (item, _), value in answers.items()], "nothing anew"
