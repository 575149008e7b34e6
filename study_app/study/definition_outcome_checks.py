"""What the rules of a study's outcomes say about its items: eligibility, attention checks, exclusion, codes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from study_app.study.definition_cases import periods_met
from study_app.study.definition_checks import any_number, asked_in, dicts_in, is_number
from study_app.study.definition_errors import Problem
from study_app.study.definition_items import kind_of


def outcome_checks(data: dict[str, Any]) -> list[Problem]:
    """As `definition_checks.cross_checks`, on the raw file."""
    return [*_eligibility(data), *_attention(data), *_exclusion(data), *_codes(data)]


def _eligibility(data: dict[str, Any]) -> Iterator[Problem]:
    questions = {str(row.get("id")): row for _, row in dicts_in(data, "demographics")}
    steps = data.get("steps")
    order = [step for step in steps if step in ("demographics", "periods")] if isinstance(steps, list) else []
    if data.get("eligibility") and order == ["periods", "demographics"]:
        text = "eligibility is decided after demographics: that step must come before periods"
        yield Problem(("eligibility",), text)
    for index, rule in dicts_in(data, "eligibility"):
        here, name = ("eligibility", index), rule.get("item")
        row = questions.get(str(name))
        if row is None:
            known = ", ".join(questions) or "none"
            yield Problem((*here, "item"), f"eligibility asks for '{name}'; questions of demographics are {known}")
            continue
        if row.get("missing", "required") != "required":
            text = f"eligibility needs an answer to '{name}', which has missing: {row['missing']}; make it required"
            yield Problem((*here, "item"), text)
        yield from _rule(here, rule, row)
    for name, row in questions.items():
        rules = [(index, rule) for index, rule in dicts_in(data, "eligibility") if str(rule.get("item")) == name]
        yield from _nobody(name, row, rules)


def _rule(here: tuple[str | int, ...], rule: dict[str, Any], row: dict[str, Any]) -> Iterator[Problem]:
    name, kind = rule.get("item"), kind_of(row)
    limits, listed = {"at_least", "at_most"} & rule.keys(), rule.get("one_of")
    if kind == "number":
        if not limits or listed is not None:
            yield Problem(here, f"eligibility by '{name}', a number, needs at_least or at_most, and no one_of")
        return
    if kind not in ("single", "yes_no"):
        text = f"eligibility by '{name}' is not possible: its kind is {kind}; allowed: number, single, yes_no"
        yield Problem((*here, "item"), text)
        return
    options = _options(row)
    if limits or not listed:
        yield Problem(here, f"eligibility by '{name}' needs one_of: some of {', '.join(map(str, options))}")
    for value in listed if isinstance(listed, list) else []:
        if value not in options:
            text = f"eligibility by '{name}' has {value!r}; allowed: {', '.join(map(str, options))}"
            yield Problem((*here, "one_of"), text)


def _options(row: dict[str, Any]) -> list[Any]:
    """What a question of kind single or yes_no stores."""
    if kind_of(row) == "yes_no":
        return ["yes", "no"]
    return [option.get("value") for _, option in dicts_in(row, "options")]


def _nobody(name: str, row: dict[str, Any], rules: list[tuple[int, dict[str, Any]]]) -> Iterator[Problem]:
    """The first of the rules on one question with which no answer to it meets them all."""
    if kind_of(row) == "number":
        yield from _no_number(name, row, rules)
        return
    allowed, left = _options(row), _options(row)
    for index, rule in rules:
        listed = rule.get("one_of")
        if not isinstance(listed, list) or not left or not all(value in allowed for value in listed):
            return
        left = [value for value in left if value in listed]
        if listed and not left:
            text = f"eligibility by '{name}' lets nobody take part: no option is in every one_of"
            yield Problem(("eligibility", index), text)


def _no_number(name: str, row: dict[str, Any], rules: list[tuple[int, dict[str, Any]]]) -> Iterator[Problem]:
    low: Any = row.get("minimum")
    high: Any = row.get("maximum")
    decimals = row.get("decimals", 0)
    if not (is_number(low) and is_number(high) and any_number(low, high, decimals)):
        return
    limits: dict[str, Any] = {}
    for index, rule in rules:
        for limit, stricter in (("at_least", max), ("at_most", min)):
            if is_number(rule.get(limit)):
                limits[limit] = stricter(limits.get(limit, rule[limit]), rule[limit])
        least, most = max(low, limits.get("at_least", low)), min(high, limits.get("at_most", high))
        if not any_number(least, most, decimals):
            asked = " and ".join(f"{limit.replace('_', ' ')} {value}" for limit, value in limits.items())
            digits = f" fits decimals: {decimals} and" if least <= most else ""
            text = f"eligibility by '{name}' lets nobody take part: no answer from {low} to {high}{digits} is {asked}"
            yield Problem(("eligibility", index), text)
            return


def _attention(data: dict[str, Any]) -> Iterator[Problem]:
    scales = data.get("scales")
    for here, name, row in asked_in(data):
        right = row.get("attention_check")
        if right is None:
            continue
        allowed: list[Any] = [option.get("value") for _, option in dicts_in(row, "options")]
        scale = scales.get(str(row.get("scale"))) if isinstance(scales, dict) else None
        if isinstance(scale, dict) and isinstance(scale.get("labels"), list):
            least = scale.get("minimum", 1)
            allowed = list(range(least, least + len(scale["labels"]))) if isinstance(least, int) else []
        if allowed and right not in allowed:
            text = f"{name} has attention_check {right!r}; allowed: {', '.join(map(str, allowed))}"
            yield Problem((*here, "attention_check"), text)
        if row.get("missing", "required") != "required":
            yield Problem((*here, "missing"), f"{name} is an attention check: it must be required")
    checks = {str(row.get("id")) for _, _, row in asked_in(data) if row.get("attention_check") is not None}
    for index, score in dicts_in(data, "scores"):
        items = score.get("items")
        for item in items if isinstance(items, list) else []:
            if str(item) in checks:
                text = f"score '{score.get('id')}' counts '{item}', which is an attention check"
                yield Problem(("scores", index, "items"), text)


def _exclusion(data: dict[str, Any]) -> Iterator[Problem]:
    rule = data.get("exclusion")
    limit = rule.get("failed_attention_checks") if isinstance(rule, dict) else None
    if not isinstance(limit, int) or isinstance(limit, bool):
        return
    rows = [row for _, _, row in asked_in(data) if row.get("attention_check") is not None]
    met = sum(periods_met(data) if row.get("repeated") is True else 1 for row in rows)
    if limit > met:
        text = f"exclusion after {limit} failed attention checks, but a participant meets only {met}"
        yield Problem(("exclusion", "failed_attention_checks"), text)


def _codes(data: dict[str, Any]) -> Iterator[Problem]:
    codes = data.get("completion_codes")
    if not isinstance(codes, dict):
        return
    for code, field in (("screened_out", "eligibility"), ("failed_checks", "exclusion")):
        there = bool(data.get(field))
        if there != (code in codes):
            text = f"there is the field '{field}', but completion_codes has no '{code}'"
            text = text if there else f"completion_codes has '{code}', which needs the field '{field}'"
            yield Problem(("completion_codes", code), text)
    known = [str(code) for code in codes.values()]
    if len(set(known)) < len(known):
        yield Problem(
            ("completion_codes",), "two outcomes have the same completion code: the recruiter cannot tell them"
        )
