"""A mixed design: participants are dealt into groups (between), and each group meets its own conditions (within)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from study_app.study.definition_checks import MAX_ORDERS
from study_app.study.definition_errors import Problem


def group_checks(data: dict[str, Any]) -> Iterator[Problem]:
    """Groups belong to a mixed design; they are of one size, differ, and between them have every condition."""
    design = data.get("design")
    if not isinstance(design, dict):
        return
    mixed, groups = design.get("kind") == "mixed", design.get("groups")
    if mixed and not groups:
        text = "kind: mixed needs 'groups': a name for each group, with the conditions that its participants meet"
        yield Problem(("design", "groups"), text)
    if groups and not mixed:
        yield Problem(("design", "groups"), "groups need kind: mixed")
    if mixed and design.get("sequences") == "fixed":
        text = "a mixed design takes its sequences from the groups: all_orders, latin_square or williams"
        yield Problem(("design", "sequences"), text)
    if not (mixed and isinstance(groups, dict)):
        return
    rows = data.get("conditions")
    keys = [str(row.get("key")) for row in rows if isinstance(row, dict)] if isinstance(rows, list) else []
    lists = {str(name): list(map(str, group)) for name, group in groups.items() if isinstance(group, list)}
    yield from _each(lists, keys)
    if design.get("sequences", "all_orders") == "all_orders":
        yield from _orders(lists)
    sizes = {len(group) for group in lists.values()}
    if len(lists) < 2 and len(groups) < 2:
        yield Problem(("design", "groups"), "a mixed design has two groups at least")
    if len(sizes) > 1:
        text = "the groups differ in size; every participant must meet the same number of conditions"
        yield Problem(("design", "groups"), text)
    left = [key for key in keys if not any(key in group for group in lists.values())]
    if left:
        yield Problem(("design", "groups"), f"no group has condition {', '.join(left)}")


def _each(groups: dict[str, list[str]], keys: list[str]) -> Iterator[Problem]:
    seen: list[frozenset[str]] = []
    for name, group in groups.items():
        here = ("design", "groups", name)
        unknown = [key for key in group if key not in keys]
        if unknown:
            yield Problem(here, f"group '{name}' has '{unknown[0]}'; conditions are {', '.join(keys)}")
        if len(set(group)) < len(group):
            yield Problem(here, f"group '{name}' names a condition twice")
        if frozenset(group) in seen:
            yield Problem(here, f"group '{name}' has the conditions of another group, so nothing tells them apart")
        seen.append(frozenset(group))


def _orders(groups: dict[str, list[str]]) -> Iterator[Problem]:
    """All orders of a group are as many as those of a study with the group's conditions alone."""
    for name, group in groups.items():
        if len(group) > MAX_ORDERS:
            text = f"group '{name}' has {len(group)} conditions; all orders are balanced for up to {MAX_ORDERS}: "
            yield Problem(("design", "groups", name), text + "use latin_square or williams")
