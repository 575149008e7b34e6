"""The JSON Schema of a study file, generated from the typed models: editors check and complete the file with it.

    python -m study_app.study.definition_schema        writes questionnaires/study.schema.json anew

The schema knows single fields only; what one field says about another is told by `python -m study_app check`.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter

from study_app.study.definition import Study

FILE = Path(__file__).resolve().parents[2] / "questionnaires" / "study.schema.json"
_INSTRUMENT = {
    "type": "object",
    "description": "The items of a file in instruments/, in this place.",
    "properties": {
        "instrument": {"type": "string"},
        "repeated": {"type": "boolean"},
        "missing": {"enum": ["required", "may_skip", "prefer_not_to_say"]},
    },
    "required": ["instrument", "repeated"],
    "additionalProperties": False,
}


def schema() -> dict[str, Any]:
    """JSON Schema (2020-12) of a study file."""
    found = TypeAdapter(Study).json_schema()
    del found["properties"]["instruments"], found["$defs"]["InstrumentSource"]
    items = found["properties"]["items"]["items"]
    items["anyOf"] = [*items.pop("oneOf", items.get("anyOf", [])), _INSTRUMENT]
    found["title"] = "A study"
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **found}


def schema_text() -> str:
    return json.dumps(schema(), indent=1, ensure_ascii=False, sort_keys=True) + "\n"


if __name__ == "__main__":
    FILE.write_text(schema_text(), encoding="utf-8")
