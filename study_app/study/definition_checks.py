"""What one field of a study says about another.

Looks at the raw file, so that it reports beside the errors of single fields; whatever has the wrong shape is
passed over here, it is reported already.
"""

from __future__ import annotations

import math
import string
from collections import Counter
from collections.abc import Iterator
from fractions import Fraction
from typing import Any

from study_app.study.definition_errors import Loc, Problem
from study_app.study.definition_items import MAX_DECIMALS, kind_of
from study_app.study.definition_text import texts_in

DRAWS = "generated"
"""The explainer that draws pictures."""

MAX_ORDERS = 5
"""All orders of five conditions are 120 sequences; more cannot be balanced in a study of this kind."""
MAX_CONDITIONS = 9
"""The pages have signs for nine assistants."""
NOT_SAID = "prefer_not_to_say"
"""Stored where a participant prefers not to answer an item that allows it."""
SCORED = ("likert", "slider")
"""Kinds whose answers are numbers on a scale with two ends, so that they can be reversed and added up."""


def cross_checks(data: dict[str, Any]) -> list[Problem]:
    return [
        *_unknown_scales(data),
        *_repeated_ids(data),
        *_steps(data),
        *_placeholders(data),
        *_design(data),
        *_items(data),
        *_scores(data),
        *_languages(data),
    ]


def dicts_in(data: Any, field: str) -> Iterator[tuple[int, dict[str, Any]]]:
    rows = data.get(field) if isinstance(data, dict) else None
    for index, row in enumerate(rows if isinstance(rows, list) else []):
        if isinstance(row, dict):
            yield index, row


def asked_in(data: dict[str, Any]) -> Iterator[tuple[Loc, str, dict[str, Any]]]:
    """(path, name for a message, raw item) of every item and question."""
    for field, thing in (("demographics", "question"), ("items", "item")):
        for index, row in dicts_in(data, field):
            yield (field, index), f"{thing} '{row.get('id')}'", row


def _unknown_scales(data: dict[str, Any]) -> Iterator[Problem]:
    scales = data.get("scales")
    known = list(scales) if isinstance(scales, dict) else []
    for here, name, item in asked_in(data):
        scale = item.get("scale")
        if isinstance(scale, str) and scale not in known:
            yield Problem((*here, "scale"), f"{name} has scale '{scale}'; scales are {', '.join(known) or 'none'}")


def _repeated_ids(data: dict[str, Any]) -> Iterator[Problem]:
    """Items, questions and comments share one space of ids: the log of answers names them by id."""
    asked: list[tuple[Loc, Any]] = [((*here, "id"), row.get("id")) for here, _, row in asked_in(data)]
    comments = data.get("comments")
    if isinstance(comments, dict):
        asked.append((("comments", "id"), comments.get("id", "comments")))
    groups = [asked]
    for field, key in (("conditions", "key"), ("scores", "id")):
        groups.append([((field, i, key), row.get(key)) for i, row in dicts_in(data, field)])
    for here, _, row in asked_in(data):
        for several in ("options", "sides"):
            groups.append([((*here, several, i, "value"), o.get("value")) for i, o in dicts_in(row, several)])
    for group in groups:
        seen: set[str] = set()
        for loc, name in group:
            if name is not None and str(name) in seen:
                yield Problem(loc, f"{loc[-1]} '{name}' is used twice; it must be unique")
            seen.add(str(name))


def _steps(data: dict[str, Any]) -> Iterator[Problem]:
    steps = data.get("steps")
    if not isinstance(steps, list) or not all(isinstance(step, str) for step in steps):
        return
    here = ("steps",)
    for step, count in Counter(steps).items():
        if count > 1:
            yield Problem(here, f"step '{step}' stands {count} times; every step comes once")
    if steps[:1] != ["consent"]:
        yield Problem(here, "the first step must be consent")
    if "periods" not in steps:
        yield Problem(here, "step 'periods' is missing: it holds photo, conversation and rating")
    elif "final_items" in steps and steps.index("final_items") < steps.index("periods"):
        yield Problem(here, "step 'final_items' must come after periods")
    once = any(not item.get("repeated") for _, item in dicts_in(data, "items"))
    again = any(item.get("repeated") is True for _, item in dicts_in(data, "items"))
    needs = {"demographics": bool(data.get("demographics")), "comments": bool(data.get("comments"))}
    for step, there in {**needs, "final_items": once}.items():
        if there != (step in steps):
            what = "an item with repeated: false" if step == "final_items" else f"the field '{step}'"
            text = f"there is {what}, but no step '{step}'" if there else f"step '{step}' needs {what}"
            yield Problem(here, text)
    if not again:
        yield Problem(("items",), "no item has repeated: true, so there is nothing to rate after a condition")


def _placeholders(data: dict[str, Any]) -> Iterator[Problem]:
    keys = [str(row.get("key")) for _, row in dicts_in(data, "conditions")]
    between = isinstance(data.get("design"), dict) and data["design"].get("kind") in ("between", "mixed")
    for field, allowed in (("assistant_name", ["n"]), ("final_items_intro", [] if between else keys)):
        for text in texts_in(data.get(field)):
            if isinstance(text, str):
                yield from _in_braces(field, text, allowed)


def _in_braces(field: str, text: str, allowed: list[str]) -> Iterator[Problem]:
    try:
        names = [name for _, name, _, _ in string.Formatter().parse(text) if name is not None]
    except ValueError:
        yield Problem((field,), f"{field} has a brace without a partner")
        return
    for name in names:
        if name not in allowed:
            braces = ", ".join("{" + key + "}" for key in allowed) or "none, as each participant meets one condition"
            yield Problem((field,), f"{field} has {{{name}}}; allowed: {braces}")
    if field == "assistant_name" and "n" not in names:
        yield Problem((field,), "assistant_name lacks {n}, the number of the period")


def _design(data: dict[str, Any]) -> Iterator[Problem]:
    rows = data.get("conditions")
    n = len(rows) if isinstance(rows, list) else 0
    design = data.get("design", {})
    if not isinstance(design, dict):
        return
    sequences = design.get("sequences", "all_orders")
    if n > MAX_CONDITIONS:
        yield Problem(("conditions",), f"{n} conditions; at most {MAX_CONDITIONS} are possible")
    elif n > MAX_ORDERS and sequences == "all_orders" and design.get("kind") not in ("between", "mixed"):
        text = f"{n} conditions; all orders are balanced for up to {MAX_ORDERS}: use latin_square, williams or fixed"
        yield Problem(("conditions",), text)
    if design.get("kind") == "between" and "sequences" in design:
        text = "a between-subjects design has no sequences: each participant meets one condition"
        yield Problem(("design", "sequences"), text)
    if (sequences == "fixed") != ("orders" in design):
        text = "sequences: fixed needs the field 'orders'" if sequences == "fixed" else "orders need sequences: fixed"
        yield Problem(("design", "orders"), text)
    keys = sorted(str(row.get("key")) for _, row in dicts_in(data, "conditions"))
    listed = design.get("orders")
    orders: list[Any] = listed if isinstance(listed, list) else []
    for index, order in enumerate(orders):
        if isinstance(order, list) and sorted(map(str, order)) != keys:
            text = f"order {index + 1} must name each condition once: {', '.join(keys)}"
            yield Problem(("design", "orders", index), text)
        if isinstance(order, list) and order in orders[:index]:
            yield Problem(("design", "orders", index), f"order {index + 1} stands there already")


def _items(data: dict[str, Any]) -> Iterator[Problem]:
    english_only = data.get("languages", ["en"]) == ["en"]
    for here, name, row in asked_in(data):
        kind = kind_of(row)
        if here[0] == "demographics" and row.get("repeated") is True:
            yield Problem((*here, "repeated"), f"{name} is asked once, before the conditions: repeated must be false")
        options = [option.get("value") for _, option in (*dicts_in(row, "options"), *dicts_in(row, "sides"))]
        if row.get("missing") == NOT_SAID and NOT_SAID in options:
            text = f"{name} offers '{NOT_SAID}' twice: as an option and by missing; leave one of the two"
            yield Problem((*here, "missing"), text)
        if kind in ("number", "slider"):
            yield from _range(here, name, row, *((0, 100) if kind == "slider" else (None, None)))
        if kind == "pairwise":
            yield from _sides(here, name, row)
            yield from _drawn_sides(here, name, row, data)
        if kind == "multiple" and options:
            yield from _how_many(here, name, row, len(options))
        if kind == "yes_no" and not english_only and not {"label_yes", "label_no"} <= row.keys():
            text = f"{name} needs the fields 'label_yes' and 'label_no', the words in the study's languages"
            yield Problem(here, text)


def _range(here: Loc, name: str, row: dict[str, Any], low: Any, high: Any) -> Iterator[Problem]:
    least: Any = row.get("minimum", low)
    most: Any = row.get("maximum", high)
    if not (is_number(least) and is_number(most)):
        return
    if least >= most:
        yield Problem((*here, "maximum"), f"{name} has maximum {most}; it must be greater than its minimum, {least}")
    elif kind_of(row) == "number" and not any_number(least, most, row.get("decimals", 0)):
        text = f"{name} has no answer: no number from {least} to {most} fits decimals: {row.get('decimals', 0)}"
        yield Problem((*here, "decimals" if "decimals" in row else "minimum"), text)
    step = row.get("step", 1)
    if kind_of(row) == "slider" and isinstance(step, int) and step > 0 and (most - least) % step:
        yield Problem((*here, "step"), f"{name} has step {step}, which does not lead from {least} to {most}")


def _sides(here: Loc, name: str, row: dict[str, Any]) -> Iterator[Problem]:
    """Two texts or two pictures, each in one form."""
    given = []
    for index, side in dicts_in(row, "sides"):
        there = [field for field in ("text", "picture", "shown_in") if side.get(field)]
        given += there
        if len(there) != 1:
            both = " and ".join(f"a {field}" for field in there) if there else "neither text nor picture nor shown_in"
            text = f"{name}: side '{side.get('value')}' has {both}; it needs one of them"
            yield Problem((*here, "sides", index), text)
    if len(given) == 2 and given.count("text") == 1:
        yield Problem((*here, "sides"), f"{name} compares a text with a picture; give two texts or two pictures")


def _drawn_sides(here: Loc, name: str, row: dict[str, Any], data: dict[str, Any]) -> Iterator[Problem]:
    """Pictures that the participant was shown: there are some only after the conditions, and not for everybody."""
    draw = [str(one.get("key")) for _, one in dicts_in(data, "conditions") if one.get("explainer") == DRAWS]
    asked_of = [(index, side["shown_in"]) for index, side in dicts_in(row, "sides") if side.get("shown_in")]
    for index, condition in asked_of:
        if condition not in draw:
            text = f"{name}: no pictures are drawn in '{condition}'; conditions with explainer: {DRAWS} are "
            yield Problem((*here, "sides", index, "shown_in"), text + (", ".join(draw) or "none"))
    if asked_of and (here[0] == "demographics" or row.get("repeated") is True):
        text = f"{name} compares pictures of the conditions: it must be among the items, with repeated: false"
        yield Problem(here, text)
    if asked_of and row.get("missing") != "may_skip":
        text = f"{name} compares drawn pictures, and an assistant may have drawn none: it needs missing: may_skip"
        yield Problem(here, text)


def _how_many(here: Loc, name: str, row: dict[str, Any], options: int) -> Iterator[Problem]:
    least, most = row.get("at_least", 1), row.get("at_most", options)
    if is_number(least) and is_number(most) and not least <= most <= options:
        text = f"{name} asks for {least} to {most} of {options} options; at_least <= at_most <= {options} is possible"
        yield Problem((*here, "at_most" if "at_most" in row else "at_least"), text)


def is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def any_number(least: float, most: float, decimals: Any) -> bool:
    """Whether a number with so many digits after the point is from ``least`` to ``most``. What is no count of digits
    is passed over: it is reported already."""
    if not isinstance(decimals, int) or isinstance(decimals, bool) or not 0 <= decimals <= MAX_DECIMALS:
        return True
    if any(isinstance(limit, float) and not math.isfinite(limit) for limit in (least, most)):
        return least <= most
    first, last = (Fraction(str(limit)) * 10**decimals for limit in (least, most))
    return math.ceil(first) <= math.floor(last)


def _scores(data: dict[str, Any]) -> Iterator[Problem]:
    asked = {str(row.get("id")): row for _, _, row in asked_in(data)}
    rated = [name for name, row in asked.items() if kind_of(row) in SCORED]
    for index, score in dicts_in(data, "scores"):
        name, items, reverse = score.get("id"), score.get("items"), score.get("reverse", [])
        if not isinstance(items, list) or not isinstance(reverse, list):
            continue
        for item in items:
            if item not in rated:
                text = f"score '{name}' has item '{item}'; items on a scale are {', '.join(rated) or 'none'}"
                yield Problem(("scores", index, "items"), text)
        for item in reverse:
            if item not in items:
                text = f"score '{name}' reverses '{item}', which is none of its items"
                yield Problem(("scores", index, "reverse"), text)
        if len({bool(asked[item].get("repeated")) for item in items if item in rated}) > 1:
            text = f"score '{name}' mixes items asked after every condition with items asked once"
            yield Problem(("scores", index, "items"), text)
        if len(set(map(str, items))) < len(items):
            yield Problem(("scores", index, "items"), f"score '{name}' names an item twice")


def _languages(data: dict[str, Any]) -> Iterator[Problem]:
    languages = data.get("languages")
    if isinstance(languages, list) and len(set(map(str, languages))) < len(languages):
        yield Problem(("languages",), "a language stands there twice")
