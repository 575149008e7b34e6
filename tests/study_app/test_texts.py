"""What the app itself says: complete in every language, used, filled in, and nothing said past it."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import streamlit
import yaml

from pipeline.photo import PhotoError
from pipeline.types import DIAGNOSIS_PROMPT
from study_app import texts
from study_app.participant import page_language, unanswered
from study_app.study.definition import Study, load_study
from study_app.study.definition_items import YesNo
from study_app.study.definition_text import Translated
from study_app.study.exchange import SHOWN_BEFORE
from tests.study_app.conftest import ENGLISH, SKINGEN

APP = Path(__file__).resolve().parents[2] / "study_app"
PARTICIPANT = APP / "participant"
FIRST = texts.of(texts.FIRST)
OTHERS = [texts.of(language) for language in texts.languages() if language != texts.FIRST]


@pytest.mark.parametrize("other", OTHERS, ids=lambda other: other.language)
def test_no_key_is_missing_or_too_many(other: texts.Texts) -> None:
    assert set(other.forms) == set(FIRST.forms)
    assert set(other.frontend) == set(FIRST.frontend)


@pytest.mark.parametrize("other", OTHERS, ids=lambda other: other.language)
def test_every_text_has_the_same_places_to_fill(other: texts.Texts) -> None:
    different = {key for key in FIRST.forms if places(FIRST, key) != places(other, key)}
    different |= {key for key in FIRST.frontend if FIRST.frontend[key].count("{}") != other.frontend[key].count("{}")}
    assert different == set()


@pytest.mark.parametrize("spoken", [FIRST, *OTHERS], ids=lambda spoken: spoken.language)
def test_every_plural_has_one_text_per_form_and_no_text_is_empty(spoken: texts.Texts) -> None:
    forms = {spoken.plural(n) for n in range(1000)}
    assert forms == set(range(len(forms)))
    data = yaml.safe_load((texts.FOLDER / f"{spoken.language}.yaml").read_text(encoding="utf-8"))
    plurals = {f"{section}.{key}" for section, all_ in data.items() for key, text in all_.items() if type(text) is list}
    assert {key for key in plurals if len(spoken.forms[key]) != len(forms)} == set()
    assert plurals == {key for key in FIRST.forms if len(FIRST.forms[key]) > 1}
    assert all(text.strip() for forms_ in spoken.forms.values() for text in forms_)


def test_numbers_choose_the_form_and_lists_are_joined() -> None:
    zh = texts.of("zh-CN")
    assert [FIRST.say("waiting.ahead", n=n).split(" ahead")[0] for n in (1, 2)] == ["One person is", "2 people are"]
    assert zh.say("waiting.ahead", n=1).startswith("您前面还有 1 人")
    assert FIRST.listed(["2"]) == "2"
    assert FIRST.listed(["2", "3", "5"]) == "2, 3 and 5"
    assert zh.listed(["2", "3", "5"]) == "2、3、5"


def test_a_language_without_a_file_speaks_english_and_a_wrong_key_is_an_error() -> None:
    assert texts.of("tlh").say("page.continue") == FIRST.say("page.continue")
    assert texts.spoken_in("tlh") is None
    assert texts.spoken_in("zh-Hant") == "zh"
    with pytest.raises(KeyError):
        FIRST.say("page.contniue")
    with pytest.raises(KeyError):
        FIRST.say("page.step", step=1)


def places(spoken: texts.Texts, key: str) -> frozenset[str]:
    return frozenset().union(*map(texts.places, spoken.forms[key]))


# What the code does with the texts -------------------------------------------------------------------


def trees() -> Iterator[tuple[str, ast.Module]]:
    """The code that speaks to participants."""
    for file in (*sorted(PARTICIPANT.glob("*.py")), APP / "failures.py"):
        yield file.name, ast.parse(file.read_text(encoding="utf-8"))


def sayings() -> Iterator[tuple[str, ast.Call]]:
    """("file:line", call) of every `say(...)`."""
    for name, tree in trees():
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and getattr(node.func, "id", getattr(node.func, "attr", "")) == "say":
                yield f"{name}:{node.lineno}", node


def keys_in(tree: ast.Module) -> Iterator[str]:
    """What looks like a key; for a name looked up in a section (`f"photo_refused.{reason}"`) all of that section."""
    sections = "|".join({key.partition(".")[0] for key in FIRST.forms})
    for node in ast.walk(tree):
        if isinstance(node, ast.JoinedStr) and isinstance(node.values[0], ast.Constant):
            start = str(node.values[0].value)
            if re.fullmatch(rf"({sections})\.", start):
                yield from (key for key in FIRST.forms if key.startswith(start))
        elif isinstance(node, ast.Constant) and re.fullmatch(rf"({sections})\.[a-z_]+", str(node.value)):
            yield str(node.value)


def test_every_text_that_is_said_is_there_and_every_one_there_is_said() -> None:
    used = {name: set(keys_in(tree)) for name, tree in trees()}
    assert {name: keys - set(FIRST.forms) for name, keys in used.items() if not keys <= set(FIRST.forms)} == {}
    assert set(FIRST.forms) - set().union(*used.values()) == set()
    assert len(list(sayings())) > 100


def test_every_place_is_filled_where_a_text_is_said() -> None:
    wrong = []
    for where, call in sayings():
        given = {keyword.arg for keyword in call.keywords}
        if None in given or not isinstance(call.args[0], ast.Constant):
            continue  # values from a mapping: filled in by the tests of the pages
        key = str(call.args[0].value)
        if key not in FIRST.forms:
            continue  # told above
        several = len(FIRST.forms[key]) > 1
        if given | ({"n"} if several else set()) != places(FIRST, key) | ({"n"} if several else set()):
            wrong.append(f"{where} {key}")
        if several and "n" not in given:
            wrong.append(f"{where} {key}: n chooses the form")
    assert wrong == []


NO_WORDS = {"key", "type", "icon", "width", "format", "avatar", "gap", "icon_position", "selection_mode", "submit_mode"}
NO_WORDS |= {"label_visibility", "vertical_alignment", "horizontal_alignment", "language", "suffix", "text_alignment"}
NO_WORDS |= {"place", "of"}
"""Arguments that nobody reads."""
MARKUP = re.compile(r":material/\w+:|:[a-z-]+\[|https?://\S+|<[^>]*>")
WORD = re.compile(r"[A-Za-z]{2}")


def literals(node: ast.AST) -> Iterator[str]:
    """Texts written out in an argument; those that are handed to `say` or look something up are no words."""
    match node:
        case ast.Constant(str(text)):
            yield text
        case ast.Call() | ast.Subscript() | ast.Attribute() | ast.Compare():
            return
        case ast.IfExp():
            yield from literals(node.body)
            yield from literals(node.orelse)
        case _:
            for child in ast.iter_child_nodes(node):
                yield from literals(child)


_DRAWS = (
    "markdown button checkbox title header subheader caption text write info warning error success toast expander "
    "selectbox pills segmented_control radio slider select_slider text_input text_area number_input file_uploader "
    "camera_input chat_input image progress link_button toggle popover tabs dialog spinner status metric multiselect "
    "html code set_page_config head next_clicked show_picture show_text"
)
DRAWS = frozenset(_DRAWS.split())
"""Functions, Streamlit's and ours, whose arguments are shown or spoken."""


def drawn(tree: ast.Module) -> Iterator[tuple[int, str]]:
    """(line, words) of every literal that a page hands to what draws it."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and getattr(node.func, "id", getattr(node.func, "attr", "")) in DRAWS:
            arguments = [*node.args, *(word.value for word in node.keywords if word.arg not in NO_WORDS)]
            for text in (text for each in arguments for text in literals(each)):
                if WORD.search(MARKUP.sub("", text)):
                    yield node.lineno, text


def test_no_page_of_participants_has_words_of_its_own() -> None:
    assert [(name, *words) for name, tree in trees() for words in drawn(tree)] == []


@pytest.mark.parametrize(
    "code",
    [
        'st.button("Go on", key="x")',
        'bar.markdown(f"{done} of {all_} done")',
        'st.image(png, alt="A photo" if own else say("photo.offered"))',
        'head(visit, "About " + name)',
        'st.selectbox(wording, values, placeholder="Choose")',
    ],
)
def test_words_in_the_code_would_be_found(code: str) -> None:
    assert list(drawn(ast.parse(code)))
    assert not list(drawn(ast.parse('st.button(say("page.continue"), key="go on", icon=":material/close:")')))


SENTENCE = re.compile(r"[A-Za-z]{2,},? [a-z]{2,} [a-z]+")


def test_no_sentence_stands_in_the_code_of_participants_pages() -> None:
    """Wherever it is kept before it is shown. Docstrings, what is raised and asserted, and scripts are none."""
    found = []
    for file in sorted(PARTICIPANT.glob("*.py")):
        tree = ast.parse(file.read_text(encoding="utf-8"))
        silent = {
            id(text) for node in ast.walk(tree) if isinstance(node, ast.Raise | ast.Assert) for text in ast.walk(node)
        }
        silent |= {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
        constants = [node for node in ast.walk(tree) if isinstance(node, ast.Constant) and id(node) not in silent]
        for text, line in [(node.value, node.lineno) for node in constants if isinstance(node.value, str)]:
            if SENTENCE.search(text) and "<script>" not in text:
                found.append(f"{file.name}:{line} {text[:50]}")
    assert found == []


def test_failures_on_participants_pages_are_told_in_their_language() -> None:
    wrong = [file.name for file in PARTICIPANT.glob("*.py") if "failures import guarded" in file.read_text()]
    assert wrong == []


# Words that stand elsewhere, too ---------------------------------------------------------------------


def test_what_is_kept_in_english_elsewhere_is_the_english_text() -> None:
    for sentence, name in unanswered.REASONS.items():
        assert FIRST.say(f"unanswered.{name}") == sentence
    assert {f"unanswered.{name}" for name in unanswered.REASONS.values()} == {
        key for key in FIRST.forms if key.startswith("unanswered.")
    }
    assert FIRST.say("conversation.first_question") == DIAGNOSIS_PROMPT
    assert FIRST.say("photo.shown_before") == SHOWN_BEFORE
    defaults = Study.__dataclass_fields__["assistant_name"], YesNo.__dataclass_fields__["label_yes"]
    assert FIRST.say("study.assistant_name", number="{n}") == getattr(
        defaults[0].default, "default", defaults[0].default
    )
    assert FIRST.say("questions.yes") == getattr(defaults[1].default, "default", defaults[1].default)


def test_every_reason_to_refuse_a_photo_is_told() -> None:
    reasons = {kind.reason for kind in PhotoError.__subclasses__()}
    assert len(reasons) > 4
    assert {f"photo_refused.{reason}" for reason in reasons} == {
        k for k in FIRST.forms if k.startswith("photo_refused.")
    }


def test_streamlit_still_writes_the_words_that_the_page_replaces() -> None:
    """After an update of Streamlit: what it calls them now stands in its scripts."""
    static = Path(streamlit.__file__).parent / "static"
    scripts = "\n".join(file.read_text(encoding="utf-8") for file in static.rglob("*.js"))
    assert len(scripts) > 100_000
    # some are put together there from a part and a name
    parts = {
        "ctrl_enter_applies": "+Enter to ",
        "command_enter_applies": "+Enter to ",
        "enter_applies": "Press Enter to ",
    }
    parts |= {"fullscreen_of": "Fullscreen", "close_fullscreen_of": "Close fullscreen"}
    parts |= dict.fromkeys(("message_from_user", "message_from_assistant"), "Chat message from ")
    gone = [
        text
        for key, text in FIRST.frontend.items()
        if not all(part in scripts for part in parts.get(key, text).split("{}"))
    ]
    assert gone == []


def test_the_words_of_streamlit_are_replaced_and_put_back() -> None:
    def put(text: str, language: str) -> str:
        for pattern, said in page_language.rules(language):
            if re.search(pattern, text):
                return re.sub(pattern, said.replace("$1", r"\1"), text)
        return text

    pairs = [("Upload", "上传"), ("20MB per file", "每个文件最大 20MB"), ("Fullscreen: 您的照片", "全屏：您的照片")]
    for english, chinese in pairs:
        assert put(english, "zh") == chinese
        assert put(chinese, "en") == english
    assert put("Uploaded", "zh") == "Uploaded"
    for spoken in (FIRST, *OTHERS):
        assert len(set(spoken.frontend.values())) == len(spoken.frontend)


@pytest.mark.parametrize("language", ["ar", "ar-EG", "he", "fa", "ur-PK", "AR", "az-Arab", "uz-Arab-AF"])
def test_a_page_written_from_right_to_left_says_so(language: str) -> None:
    assert page_language.direction(language) == "rtl"


@pytest.mark.parametrize("language", ["en", "zh", "zh-Hant", "de-CH", "az", "ku", "ur-Latn", "arn"])
def test_any_other_page_goes_from_left_to_right(language: str) -> None:
    assert page_language.direction(language) == "ltr"


def test_conditions_of_the_embedded_models_have_a_chinese_name() -> None:
    labels = set(yaml.safe_load((APP.parent / "pipeline/packs/phantom/labels.yaml").read_text()))
    assert set(texts.of("zh").conditions) == labels
    assert texts.of("zh").condition("psoriasis") == "银屑病 (psoriasis)"
    assert FIRST.condition("psoriasis") == "psoriasis"


# The study that ships --------------------------------------------------------------------------------


def test_the_skingen_study_says_in_english_what_it_said_and_everything_in_chinese_too(study: Study) -> None:
    was = load_study(ENGLISH)
    now = study.in_language("en")
    assert now.languages == ("en", "zh")
    changed = {n for n in Study.__dataclass_fields__ if getattr(now, n) != getattr(was, n)}
    assert changed == {"languages"}
    written = list(each_text(yaml.safe_load(ENGLISH.read_text()), yaml.safe_load(SKINGEN.read_text())))
    assert len(written) > 40
    assert [en for en, zh in written if not re.search(r"[\u4e00-\u9fff]", zh)] == []
    assert all(isinstance(item.wording, Translated) for item in study.items)


def each_text(before: object, now: object) -> Iterator[tuple[str, str]]:
    """(English, Chinese) wherever a text of one language became one in both; the English the same."""
    if isinstance(now, dict) and set(now) == {"en", "zh"}:
        assert now["en"] == before
        yield now["en"], now["zh"]
    elif isinstance(now, dict) and isinstance(before, dict):
        for key in before:
            yield from each_text(before[key], now[key])
    elif isinstance(now, list) and isinstance(before, list):
        for one, other in zip(before, now, strict=True):
            yield from each_text(one, other)
    else:
        assert now == before
