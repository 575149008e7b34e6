"""SPSS syntax that reads a wide file with its labels: CSV carries neither wording nor the meaning of values.

Also read by PSPP. Lengths are in bytes, as SPSS counts in its Unicode mode.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from pathlib import Path

from study_app.study.export.columns import ColumnKind, describe
from study_app.study.export.wide import PERSON, Variable

LONGEST_TEXT, LONGEST_LABEL, LONGEST_VALUE_LABEL = 32767, 180, 120
"""Bytes of a text, of a variable's label and of a value's label. SPSS keeps 255 of a variable's label, but a line
of syntax holds 256 with the name before it."""
HEAD = """* Encoding: UTF-8.
* Reads {name} with labels. Set the folder first, for instance: CD 'C:\\export\\wide'.
* Missing answers are system-missing. Nothing is filtered: 'outcome' says who completed, 'run_kind' what was a pilot.
* Numbers have a decimal point, which SPSS does not read where it is set to commas; RESTORE sets it back.
PRESERVE.
SET DECIMAL=DOT.
GET DATA
  /TYPE=TXT
  /FILE='{name}'
  /ENCODING='UTF8'
  /ARRANGEMENT=DELIMITED
  /DELIMITERS=','
  /QUALIFIER='"'
  /FIRSTCASE=2
  /VARIABLES="""


def write_syntax(wide_file: Path, columns: Sequence[Variable]) -> None:
    """Write ``NAME.sps`` beside ``NAME.csv``, which is read for the longest text of each column."""
    lengths = _lengths(wide_file)
    person = [
        (name, describe("participants", name).kind, describe("participants", name).description) for name in PERSON
    ]
    described = [*person, *((column.name, column.kind, column.label) for column in columns)]
    lines = [HEAD.format(name=wide_file.name)]
    lines += [f"    {name} {_format(kind, lengths[name])}" for name, kind, _ in described]
    lines[-1] += "."
    lines.append("VARIABLE LABELS")
    lines += [f"  {name} {_quoted(label, LONGEST_LABEL)}" for name, _, label in described]
    lines[-1] += "."
    for column in columns:
        lines += _value_labels(column)
    levels = [column.name for column in columns if column.asked and column.kind == "integer"]
    if levels:
        lines += ["VARIABLE LEVEL", *(f"  {name}" for name in levels), "  (ORDINAL)."]
    wide_file.with_suffix(".sps").write_text("\n".join([*lines, "EXECUTE.", "RESTORE.", ""]), "utf-8")


def _lengths(file: Path) -> dict[str, int]:
    """Bytes of the longest text in each column, 1 at least."""
    with file.open(encoding="utf-8", newline="") as opened:
        reader = csv.reader(opened)
        names = next(reader)
        longest = [1] * len(names)
        for row in reader:
            longest = [max(before, len(cell.encode())) for before, cell in zip(longest, row, strict=True)]
    return dict(zip(names, longest, strict=True))


def _format(kind: ColumnKind, length: int) -> str:
    if kind == "integer":
        return "F8.0"
    return "F12.3" if kind == "number" else f"A{min(length, LONGEST_TEXT)}"


def _value_labels(column: Variable) -> Iterator[str]:
    """Nothing for a column without labels, or with values that are as long as labels."""
    labelled = [(value, label) for value, label in column.values if label]
    if not labelled or any(isinstance(value, str) for value, _ in labelled) != (column.kind == "text"):
        return
    yield f"VALUE LABELS {column.name}"
    for value, label in labelled[:-1]:
        yield f"  {_value(value)} {_quoted(label, LONGEST_VALUE_LABEL)}"
    value, label = labelled[-1]
    yield f"  {_value(value)} {_quoted(label, LONGEST_VALUE_LABEL)}."


def _value(value: int | str) -> str:
    return _quoted(value, LONGEST_LABEL) if isinstance(value, str) else str(value)


def _quoted(text: str, longest: int) -> str:
    """One line in apostrophes; whole characters only where it is cut."""
    line = " ".join(text.split()).encode()[:longest].decode(errors="ignore")
    return "'" + line.replace("'", "''") + "'"
