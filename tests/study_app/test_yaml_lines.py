"""Study files that are odd as YAML: each ends in words with a line, soon, and never in a traceback."""

from __future__ import annotations

import time

import pytest

from study_app.study.checked import check_text
from study_app.study.definition import DefinitionError
from tests.study_app.conftest import ENGLISH

SOON_S = 1.0
NINES = "9" * 5000


def told(text: str) -> list[str]:
    """What is wrong with the study ``text``, in less than SOON_S of processor time."""
    begun = time.process_time()
    with pytest.raises(DefinitionError) as caught:
        check_text("mine.yaml", text.encode())
    assert time.process_time() - begun < SOON_S
    return list(caught.value.problems)


def nested(first: str, levels: int, each: str) -> str:
    """``levels`` fields, each of which repeats the one before, ``{}`` in ``each``."""
    lines = [f"a0: &a0 {first}"]
    lines += [f"a{n}: &a{n} {each.replace('{}', f'*a{n - 1}')}" for n in range(1, levels)]
    return "\n".join(lines)


LISTS = nested("[x, x, x, x, x, x, x, x, x, x]", 9, f"[{', '.join(['{}'] * 10)}]")  # 10^9 values
FIELDS = nested("{x: 1, y: 2}", 30, "{p: {}, q: {}}")  # 2^30


@pytest.mark.parametrize(
    ("text", "line"),
    [
        (LISTS, 5),  # each x is a value of one letter: 210, 2,110, 21,110 and 211,110 are repeated in the lines 2 to 5
        (FIELDS, 13),
        (f"t: &t {'x' * 60_000}\nu: [*t,\n  *t]", 2),
    ],
    ids=["lists", "fields", "long text"],
)
def test_aliases_of_aliases_end_before_they_fill_the_memory(text: str, line: int) -> None:
    (problem,) = told(text)
    assert problem.startswith(f"mine.yaml:{line}: the aliases (*) up to here stand for more than 100000 values")


def test_aliases_of_a_reasonable_size_are_read() -> None:
    text = ENGLISH.read_text()
    options = "\n".join(f"  - {{id: extra_{n}, wording: Any, options: *many}}" for n in range(50))
    many = ", ".join(f"{{value: v{n}, label: Value number {n}}}" for n in range(10))
    first = f"  - {{id: extra, wording: Any, options: &many [{many}]}}"
    study = check_text("mine.yaml", text.replace("demographics:", f"demographics:\n{first}\n{options}\n#", 1).encode())
    assert [len(getattr(item, "options", ())) for item in study.demographics[:51]] == [10] * 51


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ("2020-99-99", "'2020-99-99' cannot be read as a date: correct it, or put it in quotes if it is text"),
        ("!!timestamp abc", "'abc' cannot be read as a date: correct it"),
        ("2020-01-01 00:00:00 +99:99", "cannot be read as a date: correct it"),
        ("!!int abc", "'abc' cannot be read as a whole number: correct it"),
        ('!!int ""', "'' cannot be read as a whole number: correct it"),
        ("!!float abc", "'abc' cannot be read as a number: correct it"),
        ("!!bool abc", "'abc' cannot be read as true or false: correct it"),
        (NINES, "'999999999999999999999999999...' is a whole number of 5000 characters; the longest has 100"),
        (f"0x{NINES}", "is a whole number of 5002 characters; the longest has 100"),
        (f"1{':1' * 50_000}", "is a whole number of 100001 characters; the longest has 100"),
        (f"{NINES}.0", "is a number of 5002 characters; the longest has 100"),
    ],
)
def test_a_value_that_means_nothing_is_told_with_its_line(value: str, said: str) -> None:
    good = ENGLISH.read_text()
    line = good.partition("contact:")[0].count("\n") + 1
    problems = told(good.replace("contact:", f"contact: {value} #", 1))
    assert problems[0].startswith(f"mine.yaml:{line}: ")
    assert said in problems[0]
    assert problems[0].endswith(" [contact]")
    assert all(problem.startswith(f"mine.yaml:{line}: ") for problem in problems)


@pytest.mark.parametrize(
    "name", ["!!int abc", "2020-99-99", f"? {NINES}\n", f"? 0x{NINES}\n", "? [a, b]\n", "? {a: b}\n"]
)
def test_a_name_of_a_field_that_means_nothing_is_told_with_its_line(name: str) -> None:
    good = ENGLISH.read_text()
    line = good.partition("contact:")[0].count("\n") + 1
    problems = told(good.replace("contact:", f"{name}: 1\ncontact:", 1))
    assert [problem for problem in problems if f":{line}:" in problem or f"line {line} " in problem]
