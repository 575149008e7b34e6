"""Who took part (paper, Table 3): what the study asked about its participants, counted.

The questions and their options come from the study's definition (view or file ``questions``). A CSV that comes without
it is read as the paper's own study: gender and medical background, where they are there.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from statistics import mean, stdev

import pandas as pd

from analysis.describe import half_up
from analysis.export import Table
from analysis.model import Question, StudyData
from analysis.tables import once

PAPER: dict[str, tuple[str, tuple[str, ...]]] = {
    "gender": ("Gender", ("male", "female")),
    "medical_background": ("Medical background", ("yes", "no")),
}
"""Questions of the paper's Table 3: key -> title and the options printed, also when nobody chose them."""
TEXTS = ("short_text", "long_text")
"""Kinds that hold what people wrote: they are in no table."""
NUMBERS = ("number", "slider")
NOT_SAID = "prefer_not_to_say"
COLUMNS = ("characteristic", "option", "count", "percentage")
FIGURES = ("mean", "sd", "minimum", "maximum")
"""Columns of table3.csv; the second ones are there where the study asks for a number."""

Row = tuple[object, ...]


def questions_of(frame: pd.DataFrame | None, study: str, hashes: Sequence[str]) -> tuple[Question, ...] | None:
    """The questions about the participants; None where ``frame`` is None, or of other studies.

    Args:
        frame: the view or file ``questions``.
        hashes: versions of the study that are analysed; their options are put together.
    """
    if frame is None:
        return None
    rows = frame[(frame["study"] == study) & frame["definition_hash"].astype(str).isin(hashes)]
    if rows.empty:
        return None
    rows = rows[rows["step"] == "demographics"]
    rows = rows.sort_values("position", key=lambda column: column.astype(float), kind="stable")
    found: dict[str, Question] = {}
    for row in rows.to_dict("records"):
        question = Question(
            str(row["item"]), str(row["kind"]), _options(row.get("options")), str(row.get("unit") or "")
        )
        before = found.setdefault(question.key, question)
        found[question.key] = replace(before, options=before.options | question.options)
    return tuple(found.values())


def table3(data: StudyData) -> Table:
    """Who took part: counts and percentages of all analysed participants; of a number n, mean, sample SD and range."""
    rows: list[Row] = []
    for question in _asked(data):
        rows += _of_question(question, [given.get(question.key) for given in data.participants["demographics"]])
    frame = pd.DataFrame(rows, columns=[*COLUMNS, *FIGURES])
    display = pd.DataFrame(
        {
            "Characteristic": once(frame["characteristic"]),
            "Option": [_shown(row) for row in rows],
            "Count": frame["count"].astype(str),
            "Percentage": [f"{half_up(value)}%" for value in frame["percentage"]],
        }
    )
    several = [_title(question) for question in _asked(data) if question.kind == "multiple"]
    note = f"Several options could be chosen: {', '.join(several)}." if several else ""
    kept = frame if frame["mean"].notna().any() else frame[list(COLUMNS)]
    return Table("table3", f"Table 3. Participants (n = {data.n})", kept, display, note, words=2)


def _options(text: object) -> dict[str, str]:
    """[{"value": ..., "label": ...}, ...] as JSON -> stored value -> what was shown."""
    listed = _json(text)
    pairs = [each for each in listed if isinstance(each, dict)] if isinstance(listed, list) else []
    return {str(each.get("value")): str(each.get("label") or each.get("value")) for each in pairs}


def _json(text: object) -> object:
    try:
        return json.loads(text) if isinstance(text, str) else None
    except ValueError:
        return None


def _asked(data: StudyData) -> tuple[Question, ...]:
    if data.questions is not None:
        return tuple(question for question in data.questions if question.kind not in TEXTS)
    given = {key for answers in data.participants["demographics"] for key in answers}
    return tuple(Question(key, "single", {}) for key in PAPER if key in given)


def _of_question(question: Question, answers: Sequence[object]) -> Iterator[Row]:
    """One row an option, or one of the numbers; then who would not say, and who did not."""
    title, people = _title(question), len(answers)
    said = [answer for answer in answers if answer not in (None, "")]

    def counted(option: str, count: int) -> Row:
        return (title, option, count, 100 * count / people, *[None] * len(FIGURES))

    if question.kind in NUMBERS:
        numbers = [number for number in map(_number, said) if number is not None]
        if numbers:
            spread = stdev(numbers) if len(numbers) > 1 else None
            yield *counted("", len(numbers))[:4], mean(numbers), spread, min(numbers), max(numbers)
        refused = said.count(NOT_SAID)
        if refused:
            yield counted(_words(NOT_SAID), refused)
    else:
        chosen = [value for answer in said for value in _chosen(question, answer)]
        for value, label in _rows_of(question, chosen).items():
            yield counted(label, chosen.count(value))
    if len(said) < people:
        yield counted("Not stated", people - len(said))


def _rows_of(question: Question, chosen: Iterable[str]) -> dict[str, str]:
    """value -> label of each row: the study's options, or the paper's; others only where somebody chose them."""
    printed = PAPER.get(question.key, ("", ()))[1]
    if printed and (not question.options or set(printed) <= set(question.options)):
        offered = {value: _words(value) for value in printed}
    elif question.kind == "yes_no" and not question.options:
        offered = {value: _words(value) for value in ("yes", "no")}
    else:
        offered = question.options
    others = sorted(set(chosen) - set(offered), key=lambda value: (value == NOT_SAID, value))
    return {**offered, **{value: question.options.get(value, _words(value)) for value in others}}


def _chosen(question: Question, answer: object) -> list[str]:
    """What was chosen: several options of ``multiple``, of a ranking the first."""
    listed = _json(answer) if question.kind in ("multiple", "ranking") else None
    if not isinstance(listed, list):
        return [str(answer)]
    return [str(value) for value in (listed[:1] if question.kind == "ranking" else listed)]


def _number(answer: object) -> float | None:
    try:
        number = float(str(answer))
    except ValueError:
        return None
    return number if math.isfinite(number) else None


def _title(question: Question) -> str:
    title = PAPER[question.key][0] if question.key in PAPER else _words(question.key)
    unit = f" ({question.unit})" if question.unit and question.unit.lower() not in title.lower().split() else ""
    return f"{title}{unit}{', ranked first' if question.kind == 'ranking' else ''}"


def _shown(row: Row) -> str:
    """The option, or the figures of a number."""
    average, spread, low, high = row[len(COLUMNS) :]
    if not isinstance(average, float | int) or not isinstance(spread, float | int | None):
        return str(row[1])
    return f"M = {half_up(average)}, SD = {half_up(spread)}, range {low:.12g} to {high:.12g}"


def _words(option: str) -> str:
    words = option.replace("_", " ").strip()
    return words[:1].upper() + words[1:]
