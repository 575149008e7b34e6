"""The whole study in Chinese: no page mixes languages, but for what the models say, which is marked as English."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from google.protobuf.json_format import MessageToDict
from streamlit.testing.v1 import AppTest
from streamlit.testing.v1.element_tree import Node

from pipeline.types import DIAGNOSIS_PROMPT, request_from_json, request_to_json
from study_app.participant.safe_text import as_html
from study_app.services import services
from study_app.study.store import NotSaved
from tests.scripted import small_png
from tests.study_app.participant_app import scripted_app
from tests.study_app.people import walk_to
from tests.study_app.test_pages import APP, PATIENCE_S, state_of, token_of

CHINESE = re.compile(r"[\u4e00-\u9fff]")
SHOWN = {"label", "body", "text", "caption", "captions", "alt", "placeholder", "content", "help", "options", "title"}
"""Fields of Streamlit's messages that somebody reads or hears."""
NOT_READ = re.compile(r"<script>.*|<style>.*|:material/\w+:|:[a-z-]+\[|<div lang=\"en\">.*?</div>|<[^>]*>", re.DOTALL)
NAMES = r"SkinGEN|JPEG|PNG|WebP|HEIC|MB|IP|English|P0\d+|SKINGEN-[A-Z]+|[Pp]soriasis|[Aa]cne|[Vv]itiligo|^\.[a-z]+$"
PLACEHOLDERS = r"\[Name of the institution\]|\[Ethics approval number\]|\[Name and e-mail of the researcher\]"
ALLOWED = re.compile(f"{PLACEHOLDERS}|{NAMES}")
"""Names that Chinese text keeps in Latin letters, what the study file leaves to be replaced, conditions' names."""


@pytest.fixture
def door(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    with scripted_app(tmp_path, monkeypatch):
        yield


pytestmark = pytest.mark.usefixtures("door")


def chinese(token: str | None = None) -> AppTest:
    """A new tab whose address asks for Chinese."""
    page = AppTest.from_file(APP, default_timeout=PATIENCE_S)
    page.query_params["lang"] = "zh"
    if token is not None:
        page.query_params["t"] = token
    return page.run()


def at(step: str) -> AppTest:
    opened = services()
    token = opened.store.arrive(opened.study, "pilot")
    state = opened.store.participant_by_token(token)
    assert state is not None
    walk_to(opened.store, opened.media, state.participant, step)
    return chinese(token)


def texts_of(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        for key, inside in value.items():
            if key in SHOWN or not isinstance(inside, str):
                yield from texts_of(inside)
    elif isinstance(value, list):
        for inside in value:
            yield from texts_of(inside)
    elif isinstance(value, str):
        yield value


def said(node: Node) -> Iterator[str]:
    """Every text on the page, hidden labels and alt texts too."""
    proto = getattr(node, "proto", None)
    if proto is not None:
        yield from texts_of(MessageToDict(proto))
    for child in getattr(node, "children", {}).values():
        yield from said(child)


def all_chinese(page: AppTest) -> str:
    """The page's text, in which nothing is English."""
    assert not page.exception
    texts = [NOT_READ.sub("", text) for text in said(page._tree)]
    english = [text for text in texts if re.search(r"[A-Za-z]{2}", ALLOWED.sub("", text))]
    assert english == []
    whole = "\n".join(texts)
    assert CHINESE.search(page.title[0].value)
    return whole


def test_consent_says_that_the_assistants_speak_english() -> None:
    page = chinese()
    assert "助手只懂英文" in all_chinese(page)
    page.button(key="agree").click().run()
    assert page.warning[0].value == "如要参加，请勾选上面的每一项。"
    page.button_group(key="language_switch").set_value("en").run()
    assert page.title[0].value == "How do assistants explain skin conditions?"
    assert not page.info
    page.button_group(key="language_switch").set_value("zh").run()
    page.button(key="decline").click().run()
    assert "您没有参加本研究" in all_chinese(page)


def test_an_unknown_link_is_told_in_the_language_of_the_visitor() -> None:
    assert "无法识别此链接" in all_chinese(chinese("nobodys"))


@pytest.mark.parametrize("step", ["demographics", "rating:1", "final_items", "comments", "finished"])
def test_a_page_is_all_chinese(step: str) -> None:
    page = at(step)
    all_chinese(page)
    if step in ("demographics", "rating:1"):
        page.button(key=f"next_{step}").click().run()
        assert "尚未" in page.warning[0].value
        all_chinese(page)


def test_the_photo_step_and_its_refusals_are_all_chinese() -> None:
    page = at("photo:1")
    all_chinese(page)
    page.file_uploader(key="upload_1").upload("holiday.jpg", b"This is a letter.", "image/jpeg").run()
    assert page.warning[0].value.startswith("无法将此文件作为照片打开")
    page.file_uploader(key="upload_1").upload("tiny.png", small_png(side=8), "image/png").run()
    assert "每边至少需要 32 像素" in page.warning[0].value
    page.file_uploader(key="upload_1").upload("IMG_1.png", small_png(side=120), "image/png").run()
    assert "银屑病 (psoriasis)" in page.selectbox(key="label_1_zh").options
    all_chinese(page)


def first_asked(condition: str) -> AppTest:
    """A conversation with the assistant of ``condition`` whose first answer is complete."""
    opened = services()
    page = at("photo:1")
    while state_of(page).sequence[0] != condition:
        page = at("photo:1")
    participant = state_of(page).participant
    photo = opened.media.keep(participant, small_png(side=120))
    opened.store.start_exposure(participant, 1, photo, "psoriasis", ["psoriasis"])
    page = chinese(token_of(page))
    assert opened.runner.wait(state_of(page).exposures[1].jobs[0].key, PATIENCE_S)
    return page.run()


@pytest.mark.parametrize("condition", ["cases", "generated"])
def test_what_the_models_say_is_marked_as_english_and_offered_questions_reach_them_in_english(condition: str) -> None:
    page = first_asked(condition)
    whole = all_chinese(page)
    assert "助手只懂英文" in whole
    assert "您能帮我诊断这张图片中的皮肤病吗？" in whole, "what was asked in English is said in Chinese, too"
    (button,) = (each for each in page.button if each.label == "我对这个诊断有疑问")
    button.click().run()
    asked = [request_from_json(job.request).question for job in state_of(page).exposures[1].jobs]
    assert asked == [DIAGNOSIS_PROMPT, "I doubt this diagnosis"]
    assert services().runner.wait(state_of(page).exposures[1].jobs[-1].key, PATIENCE_S)
    assert "我对这个诊断有疑问" in all_chinese(page.run())


def test_a_failed_answer_is_told_in_chinese(monkeypatch: pytest.MonkeyPatch) -> None:
    page = first_asked("text")
    store, participant = services().store, state_of(page).participant
    (first,) = state_of(page).exposures[1].jobs
    request = replace(request_from_json(first.request), key="k2", question="Why?")
    store.jobs.start("k2", participant, 1, request_to_json(request), "为什么？")
    store.jobs.fail("k2", "The answer could not be completed. Ask again. (Reference ab12)")
    page.run()
    shown = "\n".join(texts_of([MessageToDict(each.proto) for each in page.get("html")]))
    assert "未能完成回答。请重新提问。 参考编号：ab12" in shown
    assert page.warning[0].value == "您写的内容已保存。"

    def busy(*_: object) -> None:
        raise NotSaved("busy")

    monkeypatch.setattr(store, "finish_exposure", busy)
    page.button(key="rate").click().run()
    assert page.error[0].value.startswith("未能保存")


def test_an_unexpected_failure_is_told_in_chinese(monkeypatch: pytest.MonkeyPatch) -> None:
    page = chinese()

    def broken(*_: object) -> None:
        raise RuntimeError("a secret of the inside")

    monkeypatch.setattr(services().store, "touch", broken)
    page.run()
    assert page.error[0].value.startswith("无法显示本页")


def test_english_words_of_a_model_are_told_to_a_screen_reader() -> None:
    assert as_html("It is **acne**.", bold=True, language="en").startswith('<div lang="en"><p')
    assert as_html(" ", bold=True, language="en") == ""
