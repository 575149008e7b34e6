"""``python -m analysis reproduce``: audit, reconstruction, the report over it, and the comparison with the paper.

Which way the data go. The rules of the house let the app import the analysis and not the reverse. So the drawing lives
here, and what writes sessions through the study's store lives in the app: ``python -m study_app reconstruct --db
DB``. Given that database, this command analyses it; without one it writes the same data as CSV files with the columns
of the store's views and analyses those. Both go through ``analysis.report.summarise``, like any study.
"""

from __future__ import annotations

import io
from dataclasses import dataclass
from pathlib import Path

from matplotlib.figure import Figure

from analysis import report
from analysis.errors import InputError, NoData
from analysis.export import Table
from analysis.paper import audit, comparison, figure9, pages
from analysis.paper.checks import Check
from analysis.paper.comparison import Compared
from analysis.paper.published import published
from analysis.paper.reconstruction import reconstruct
from analysis.paper.reconstruction_csv import csv_files
from analysis.report import Summary

FOLDER = "reconstruction"
KIND = "reconstruction"
"""The run kind of its sessions: never counted among live ones or pilots."""


@dataclass(frozen=True)
class Reproduction:
    """What was analysed, how it compares with the paper, and every check."""

    source: Path
    summary: Summary
    compared: tuple[Compared, ...]
    checks: tuple[Check, ...]

    @property
    def equal(self) -> bool:
        """Whether every cell of Tables 3 and 5 came out as published."""
        return all(cell.equal for cell in self.compared)

    @property
    def comparison(self) -> Table:
        return comparison.table(self.compared)


def reproduce(out: Path, database: Path | None = None, seed: int = 0) -> Reproduction:
    """Analyse a reconstruction and write everything under ``out``.

    Args:
        database: from ``python -m study_app reconstruct``; None draws a reconstruction and writes it as CSV files.
        seed: of the drawing; without effect on a ``database``, which holds its own.

    Raises:
        InputError: ``out`` cannot be written, or the database holds no reconstruction.
    """
    facts = published()
    source = database or _drawn(out, seed)
    try:
        summary = report.summarise(source, KIND)
    except NoData as error:
        raise InputError(
            f"{source}: holds no reconstruction of the paper. Make one with python -m study_app reconstruct, or leave "
            "the database away."
        ) from error
    found = Reproduction(source, summary, comparison.compare_tables(summary, facts), audit.audit(facts))
    _write(out, _files(found, None if database else seed))
    report.write(summary, out / "report")
    return found


def _drawn(out: Path, seed: int) -> Path:
    _write(out / FOLDER, csv_files(reconstruct(seed)))
    return out / FOLDER / "ratings.csv"


def _files(found: Reproduction, seed: int | None) -> dict[str, bytes]:
    """File name -> bytes of everything but the report and the drawn data."""
    facts = published()
    tables = (
        found.comparison,
        audit.consistency_table(facts),
        audit.closure_table(facts),
        audit.checks_table(found.checks),
        audit.figure4a_table(facts),
        audit.figure4bc_table(facts),
    )
    contents: dict[str, bytes] = {}
    for table in tables:
        contents[f"{table.name}.csv"] = table.csv()
        contents[f"{table.name}.md"] = table.markdown().encode()
        contents[f"{table.name}.tex"] = table.latex().encode()
    bars = figure9.bars(found.compared, found.summary.table5.frame)
    contents |= _pictures(figure9.draw(facts, bars))
    contents["what_cannot_be_reproduced.md"] = pages.what_cannot_be_reproduced(found.checks).encode()
    names = [*contents, "report/report.html", *([] if seed is None else [f"{FOLDER}/ratings.csv"])]
    page = pages.reproduction(
        found.summary.headline, found.checks, [found.comparison], figure9.alt_text(facts, bars), _how(seed), names
    )
    return {"reproduction.md": page.encode(), **contents}


def _how(seed: int | None) -> str:
    drawn = "Nobody gave these answers: they were drawn among the many data sets that give Tables 3 and 5."
    if seed is None:
        return f"{drawn} They were read from the database of a reconstruction."
    return (
        f"{drawn} Seed {seed}. To write them as sessions through the study's own store and analyse those: "
        f"`python -m study_app reconstruct --seed {seed} --db reconstruction.db`, then "
        "`python -m analysis reproduce reconstruction.db --out DIR`."
    )


def _pictures(figure: Figure) -> dict[str, bytes]:
    """PNG (300 dpi), SVG and PDF; the same content gives the same bytes."""
    without = {
        "png": {"Software": None},
        "svg": {"Date": None, "Creator": None},
        "pdf": {"CreationDate": None, "Creator": None, "Producer": None},
    }
    found = {}
    for kind, metadata in without.items():
        buffer = io.BytesIO()
        figure.savefig(buffer, format=kind, dpi=figure9.DPI, metadata=metadata, facecolor=figure.get_facecolor())
        found[f"figure9.{kind}"] = buffer.getvalue()
    return found


def _write(folder: Path, contents: dict[str, bytes]) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, content in contents.items():
            (folder / name).write_bytes(content)
    except OSError as error:
        raise InputError(f"{folder}: cannot be written ({error.strerror}). Choose another --out.") from error
