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
MOST_REPEATED = 100_000
"""Values, and characters of them, that the aliases of a file may stand for. Out of a few lines, aliases of aliases make
more than any memory holds."""
LONGEST_NUMBER = 100
"""Characters. Of longer ones Python refuses some, and reads others for minutes."""
KINDS = {"int": "a whole number", "float": "a number", "bool": "true or false", "timestamp": "a date"}
"""What a value that is not text is, by the end of its YAML tag."""
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
    """Duplicate keys, keys that are not text, and values that are not what they look like."""

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
    """Raises DefinitionError when ``text`` is no YAML at all, or its aliases stand for too much.

    ``name``: the file's, for the message."""
    try:
        reader = _Reader(yaml.SafeLoader(text))
        data = reader.document()
    except _TooMuchRepeated as error:
        raise DefinitionError((f"{name}:{error.line}: {error}",)) from error
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise DefinitionError((f"{name}:{line}: not YAML: {_plain(str(error.problem))}",)) from error
    except (yaml.YAMLError, RecursionError) as error:
        raise DefinitionError((f"{name}:1: not YAML: {error}",)) from error
    return Document(data, reader.lines, tuple(reader.problems))


def _plain(problem: str) -> str:
    """What the YAML reader says, in words of somebody who writes a study."""
    return next((f"{plain} ({problem})" for words, plain in PLAIN_WORDS if words in problem), problem)


class _TooMuchRepeated(ValueError):
    """``line``: of what was written last before the alias that makes it too much, or of the alias's own field."""

    def __init__(self, line: int) -> None:
        super().__init__(
            f"the aliases (*) up to here stand for more than {MOST_REPEATED} values or letters: write out what "
            "they stand for, or repeat less"
        )
        self.line = line


class _Reader:
    def __init__(self, loader: yaml.SafeLoader) -> None:
        self.loader = loader
        self.lines: dict[Loc, int] = {}
        self.problems: list[tuple[Loc, str]] = []
        self.met: set[int] = set()
        self.repeated = 0
        self.written = 1

    def document(self) -> Any:
        """The only document of the file; None when it is empty."""
        node = self.loader.get_single_node()
        return None if node is None else self.value(node, ())

    def value(self, node: yaml.Node, loc: Loc) -> Any:
        self.count(node)
        self.lines.setdefault(loc, node.start_mark.line + 1)
        if isinstance(node, yaml.MappingNode):
            return self.mapping(node, loc)
        if isinstance(node, yaml.SequenceNode):
            return [self.value(child, (*loc, index)) for index, child in enumerate(node.value)]
        return self.scalar(node, loc)

    def count(self, node: yaml.Node) -> None:
        """A node that is met again is what an alias stands for. Raises _TooMuchRepeated."""
        if id(node) not in self.met:
            self.met.add(id(node))
            self.written = node.start_mark.line + 1
            return
        self.repeated += 1 + (len(node.value) if isinstance(node, yaml.ScalarNode) else 0)
        if self.repeated > MOST_REPEATED:
            raise _TooMuchRepeated(self.written)

    def scalar(self, node: yaml.Node, loc: Loc) -> Any:
        """What the text of ``node`` means, or the text itself, and a problem, where it means nothing."""
        kind = KINDS.get(node.tag.rpartition(":")[2], "a value")
        shown = node.value if len(node.value) <= 30 else f"{node.value[:27]}..."
        if kind in (KINDS["int"], KINDS["float"]) and len(node.value) > LONGEST_NUMBER:
            text = f"'{shown}' is {kind} of {len(node.value)} characters; the longest has {LONGEST_NUMBER}"
        else:
            try:
                return self.loader.construct_object(node)
            except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError):
                # whatever the conversion stumbles over; PyYAML lets it through as it is
                text = f"'{shown}' cannot be read as {kind}: correct it, or put it in quotes if it is text"
        self.problems.append((loc, text))
        return node.value

    def mapping(self, node: yaml.MappingNode, loc: Loc) -> dict[str, Any]:
        result: dict[str, Any] = {}
        for key_node, child in node.value:
            self.count(key_node)
            line = key_node.start_mark.line + 1
            if not isinstance(key_node, yaml.ScalarNode):
                self.problems.append((loc, f"the field in line {line} has a list or fields for a name: write one word"))
                continue
            key = self.scalar(key_node, (*loc, key_node.value))
            here = (*loc, str(key))
            if not isinstance(key, str):
                self.lines.setdefault(here, line)
                self.problems.append((here, f"field {key!r} is not text: put it in quotes"))
                continue
            if key in result:
                first = self.lines[here]
                self.lines[(*here, SECOND)] = line
                self.problems.append(
                    ((*here, SECOND), f"field '{key}' stands here a second time (first: line {first})")
                )
                continue
            self.lines[here] = line
            result[key] = self.value(child, here)
        return result
