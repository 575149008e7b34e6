"""A Psych-DS folder (schema 1.5, psych-ds.github.io): what may be published, with its data dictionary.

Left out: free text, also in answers about the person and in a researcher's reasons, the questions that participants
typed, photos and their hashes (`public.py`). They may tell who somebody is, and a Psych-DS folder is made to be passed
on. The rules are those of `psychds-validator`; the tests re-check them.
"""

from __future__ import annotations

import json
import shutil
import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from study_app.study.export.columns import describe
from study_app.study.export.csv_files import write_csv
from study_app.study.export.public import MASKED, all_public, prepare, public_select
from study_app.study.export.tables import TABLES, WITHDRAWN, columns_of, count_of
from study_app.study.export.variables import Definition
from study_app.study.export.wide import PERSON, Variable

PUBLISHED = (*(table.name for table in TABLES if not table.free_text), WITHDRAWN)
FOLDER = "psych-ds"
NOT_PUBLISHED = ("completion_codes", "return_urls", "contact")
"""Of a definition: what would let strangers claim a payment, and who was to be asked."""
README = """# {title}

{description}

This folder follows Psych-DS (https://psych-ds.github.io). `dataset_description.json` describes every column,
`documentation/codebook.md` every variable with its values; `materials/` holds each version of the study as it was
asked, in all its languages, named by the beginning of its hash (without codes, addresses, the contact and names of
files).

Keys: a row of `ratings` is one participant, item and period; of `exposures` one participant and period; of
`participants`, `flow` and the wide files one participant. `run_kind` tells the pilot from the live run.
Empty cells are missing. Texts that begin like a formula
have an apostrophe in front. Free text (also about the person), reasons typed by researchers, questions typed by
participants, photos and their hashes are left out; they are in the export this folder came with. Before you publish:
fill in `license`, `citation` and `funder`, check what the ethics approval allows, and remember that times are exact:
whoever knows when somebody took part, as a recruiting site does, finds that person's rows by them.
"""


def make_data_folder(export: Path) -> Path:
    """Where the data files go."""
    data = export / FOLDER / "data"
    data.mkdir(parents=True)
    return data


def write_psychds(
    conn: sqlite3.Connection,
    export: Path,
    definitions: Sequence[Definition],
    wide: Mapping[str, Sequence[Variable]],
    about: str,
    codebook: str,
    exported_at: str,
) -> dict[Path, int]:
    """Finish the folder psych-ds of ``export``, in which the tables lie, and the wide files in psych-ds/data already;
    returns the CSV files of the tables with the rows that each must have.

    ``wide``: study -> columns. ``about``: one paragraph on the data. ``exported_at``: ISO-8601."""
    written: dict[Path, int] = {}
    variables: dict[str, dict[str, Any]] = {}
    folder = export / FOLDER
    data = folder / "data"
    prepare(conn)
    only = definitions[0].study if len({definition.study for definition in definitions}) == 1 else None
    for table in PUBLISHED:
        file = data / file_name(only, table)
        if all_public(conn, table):
            shutil.copyfile(export / f"{table}.csv", file)
        else:
            write_csv(file, columns_of(conn, table), conn.execute(public_select(conn, table)))
        written[file] = count_of(conn, table)
        _add(variables, (_column(table, name) for name in columns_of(conn, table)))
    for columns in wide.values():
        _add(variables, (_column("participants", name) for name in PERSON))
        _add(variables, (_variable(column) for column in columns if not column.free_text))
    title = "; ".join(dict.fromkeys(definition.title for definition in definitions)) or "Study without participants"
    description = _description(definitions, title, about, list(variables.values()), exported_at)
    (folder / "dataset_description.json").write_text(json.dumps(description, indent=2, ensure_ascii=False), "utf-8")
    (folder / "README.md").write_text(README.format(title=title, description=about), "utf-8")
    (folder / "CHANGES.md").write_text(
        f"# Changes\n\n- {exported_at[:10]}: exported from the study's database.\n", "utf-8"
    )
    _write_materials(folder / "materials", definitions)
    (folder / "documentation").mkdir()
    (folder / "documentation" / "codebook.md").write_text(codebook, "utf-8")
    return written


def _write_materials(folder: Path, definitions: Sequence[Definition]) -> None:
    """Each version of the study: what participants read and were asked."""
    folder.mkdir()
    for definition in definitions:
        if definition.source is not None:
            public = _published(json.loads(definition.source.canonical()))
            file = folder / f"{definition.study}_{definition.short}.json"
            file.write_text(json.dumps(public, indent=2, ensure_ascii=False), "utf-8")


def _published(said: dict[str, Any]) -> dict[str, Any]:
    """A definition without NOT_PUBLISHED and without the names of picture files, which may name a patient."""
    public = {key: value for key, value in said.items() if key not in NOT_PUBLISHED}
    for case in public["photo"].get("cases", []):
        case.pop("file")
        case.pop("pictures", None)
    for item in (*public["demographics"], *public["items"]):
        for side in item.get("sides", []):
            side.pop("picture", None)
    return public


def file_name(study: str | None, table: str) -> str:
    """``study-skingen_description-photoExchanges_data.csv``: values in Psych-DS names are letters and digits."""
    keywords = ([f"study-{_alphanumeric(study)}"] if study else []) + [f"description-{_alphanumeric(table)}"]
    return f"{'_'.join(keywords)}_data.csv"


def _alphanumeric(text: str) -> str:
    first, *others = text.split("_")
    return first + "".join(other.capitalize() for other in others)


def _description(
    definitions: Sequence[Definition], title: str, about: str, variables: list[dict[str, Any]], exported_at: str
) -> dict[str, Any]:
    """dataset_description.json: a schema.org Dataset (JSON-LD)."""
    institutions = [name for name in dict.fromkeys(d.institution for d in definitions) if not name.startswith("[")]
    constructs = dict.fromkeys(a.construct for definition in definitions for a in definition.asked if a.construct)
    description: dict[str, Any] = {
        "@context": "https://schema.org/",
        "@type": "Dataset",
        "name": title,
        "description": about,
        "schemaVersion": "Psych-DS 1.5.0",
        "dateCreated": exported_at[:10],
        "identifier": [definition.hash for definition in definitions],
        "keywords": ["user study", "explainable AI", *constructs],
        "measurementTechnique": "Online questionnaire",
        "variableMeasured": variables,
    }
    if institutions:
        description["author"] = [{"@type": "Organization", "name": name} for name in institutions]
    return description


def _add(known: dict[str, dict[str, Any]], new: Iterable[dict[str, Any]]) -> None:
    """A name that several files share is one variable; where they mean different things, it says both."""
    for variable in new:
        before = known.setdefault(variable["name"], variable)
        if variable["description"] not in before["description"]:
            before["description"] += f" / {variable['description']}"


def _column(table: str, name: str) -> dict[str, Any]:
    column = describe(table, name)
    description = column.description
    if name in MASKED:
        description += f"; {MASKED[name].said}"
    variable = {"@type": "PropertyValue", "name": name, "description": description}
    return {**variable, "unitText": column.unit} if column.unit else variable


def _variable(column: Variable) -> dict[str, Any]:
    variable: dict[str, Any] = {"@type": "PropertyValue", "name": column.name, "description": column.label}
    if column.unit:
        variable["unitText"] = column.unit
    lowest = [asked.minimum for asked in column.asked if asked.minimum is not None]
    highest = [asked.maximum for asked in column.asked if asked.maximum is not None]
    if lowest and highest:
        variable |= {"minValue": min(lowest), "maxValue": max(highest)}
    if column.values:
        variable["valueReference"] = [
            {"@type": "PropertyValue", "value": value, "name": label or str(value)} for value, label in column.values
        ]
    return variable
