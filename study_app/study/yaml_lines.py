"""YAML with the line of every value, so that an error can name it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import yaml

from study_app.study.definition_errors import DefinitionError, Problem

Loc = tuple[str | int, ...]
"""Path to a value: ("items", 2, "scale")."""
SECOND = "<second>"
"""Last part of the path of a field's second occurrence, which has a line of its own."""
PLAIN_WORDS = (
    ("\\t", "a tab stands where only spaces may: indent with spaces"),
    ("mapping values are not allowed", "a second colon, or a line indented too far: put a text with a colon in quotes"),
    ("expected <block end>", "this line is indented differently from the ones it belongs to"),
    ("could not find expected ':'", "a field without its colon, or a text without its closing quote"),
    ("but got '?'", "a text with a question mark inside brackets: put it in quotes"),
    ("expected ',' or", "a bracket that is opened in or before this line is not closed"),
    ("unexpected end of stream", "a quote or bracket is opened and never closed"),
    ("found unexpected end", "a quote or bracket is opened and never closed"),
)


@dataclass(frozen=True)
class Document:
    data: Any
    lines: dict[Loc, int]
    """1-based line of the value, or of its key when it has one."""
    problems: tuple[tuple[Loc, str], ...]
    """Duplicate keys, and keys that are not text."""

    def line(self, loc: Loc) -> int:
        """Line of the value, or of the nearest thing around it (a missing field has none)."""
        while loc and loc not in self.lines:
            loc = loc[:-1]
        return self.lines.get(loc, 1)

    def told(self, name: str, problems: Iterable[Problem]) -> tuple[str, ...]:
        """Each problem as ``file:line: what [path]``, in the order of the file, none twice."""
        rows = sorted({(self.line(problem.loc), problem.message, _path(problem.loc)) for problem in problems})
        return tuple(f"{name}:{line}: {message}{path}" for line, message, path in rows)


def _path(loc: Loc) -> str:
    """("items", 2, "scale") -> " [items[2].scale]"."""
    text = ""
    for part in loc:
        if part == SECOND:
            continue
        text += f"[{part}]" if isinstance(part, int) else f".{part}"
    return f" [{text.removeprefix('.')}]" if text else ""


def read_yaml(name: str, text: str) -> Document:
    """Raises DefinitionError when ``text`` is no YAML at all; ``name`` is the file's, for the message."""
    try:
        reader = _Reader(yaml.SafeLoader(text))
        data = reader.document()
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise DefinitionError((f"{name}:{line}: not YAML: {_plain(str(error.problem))}",)) from error
    except (yaml.YAMLError, RecursionError) as error:
        raise DefinitionError((f"{name}:1: not YAML: {error}",)) from error
    return Document(data, reader.lines, tuple(reader.problems))


def _plain(problem: str) -> str:
    """What the YAML reader says, in words of somebody who writes a study."""
    return next((f"{plain} ({problem})" for words, plain in PLAIN_WORDS if words in problem), problem)


class _Reader:
    def __init__(self, loader: yaml.SafeLoader) -> None:
        self.loader = loader
        self.lines: dict[Loc, int] = {}
        self.problems: list[tuple[Loc, str]] = []

    def document(self) -> Any:
        """The only document of the file; None when it is empty."""
        node = self.loader.get_single_node()
        return None if node is None else self.value(node, ())

    def value(self, node: yaml.Node, loc: Loc) -> Any:
        self.lines.setdefault(loc, node.start_mark.line + 1)
        if isinstance(node, yaml.MappingNode):
            return self.mapping(node, loc)
        if isinstance(node, yaml.SequenceNode):
            return [self.value(child, (*loc, index)) for index, child in enumerate(node.value)]
        return self.loader.construct_object(node)

    def mapping(self, node: yaml.MappingNode, loc: Loc) -> dict[str, Any]:
        result: dict[str, Any] = {}
        for key_node, child in node.value:
            key = self.loader.construct_object(key_node)
            here = (*loc, str(key))
            if not isinstance(key, str):
                self.lines.setdefault(here, key_node.start_mark.line + 1)
                self.problems.append((here, f"field {key!r} is not text: put it in quotes"))
                continue
            if key in result:
                first = self.lines[here]
                self.lines[(*here, SECOND)] = key_node.start_mark.line + 1
                self.problems.append(
                    ((*here, SECOND), f"field '{key}' stands here a second time (first: line {first})")
                )
                continue
            self.lines[here] = key_node.start_mark.line + 1
            result[key] = self.value(child, here)
        return result
