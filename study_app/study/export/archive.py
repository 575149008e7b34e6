"""The ZIP: everything is written to files first, packed, and counted again from the pack before it gets its name."""

from __future__ import annotations

import hashlib
import os
import sqlite3
import tempfile
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC
from pathlib import Path

from study_app.study.export import codebook as book
from study_app.study.export import photos, wide
from study_app.study.export.counts import checked_counts, must_agree
from study_app.study.export.csv_files import CsvFile, batches, count_rows, write_csv
from study_app.study.export.errors import ExportError
from study_app.study.export.parquet import ParquetFile
from study_app.study.export.psychds import file_name, make_data_folder, write_psychds
from study_app.study.export.readme import Pictures, about, readme
from study_app.study.export.snapshot import snapshot
from study_app.study.export.spss_syntax import write_syntax
from study_app.study.export.tables import NAMES, SCHEMA, columns_of, people_of, rows_of
from study_app.study.export.variables import Definition, read_definitions
from study_app.study.media import MediaStore
from study_app.study.state import RunKind
from study_app.study.store import Store

COMPRESSED = (".png", ".parquet")
LEVEL = 3
"""Of deflate: half the time of the usual 6, for a tenth more bytes."""
CHECKSUMS = "SHA256SUMS"


@dataclass(frozen=True)
class Exported:
    """What was written: the file, its bytes, the rows of each CSV file in it, and pictures whose files are gone."""

    path: Path
    size: int
    rows: Mapping[str, int]
    lost_pictures: tuple[str, ...]


@dataclass
class _Pack:
    """The open ZIP, with the checksum of everything that went in."""

    archive: zipfile.ZipFile
    checksums: dict[str, str] = field(default_factory=dict)

    def add(self, name: str, file: Path) -> None:
        with file.open("rb") as source:
            self.checksums[name] = hashlib.file_digest(source, "sha256").hexdigest()
        packed = file.suffix in COMPRESSED
        self.archive.write(file, name, zipfile.ZIP_STORED if packed else zipfile.ZIP_DEFLATED)

    def add_png(self, name: str, png: bytes) -> None:
        self.archive.writestr(name, png, zipfile.ZIP_STORED)  # compressed already
        self.checksums[name] = hashlib.sha256(png).hexdigest()

    def close(self) -> None:
        lines = "".join(f"{digest}  {name}\n" for name, digest in sorted(self.checksums.items()))
        self.archive.writestr(CHECKSUMS, lines, zipfile.ZIP_DEFLATED)
        self.archive.close()


def write_export(
    store: Store, target: Path, media: MediaStore | None = None, run_kind: RunKind | None = None
) -> Exported:
    """Write the ZIP to ``target``, with the pictures if ``media`` is given, of one run only if ``run_kind`` is.
    Complete under its name or not there.

    Raises ExportError (a count is not the database's, or that run has no participants), NotSaved (the database is
    busy), FileExistsError."""
    if target.exists():
        raise FileExistsError(f"{target} exists; choose another name.")
    part = target.with_name(target.name + ".part")
    try:
        rows, lost = _write_part(store, part, media, run_kind)
        count_again(part, rows)
        os.replace(part, target)
    except sqlite3.DatabaseError as error:  # the copy cannot be read, or there is no room for it
        raise ExportError(f"Nothing was exported: {error}. Is the disk full, or the database damaged?") from error
    finally:
        part.unlink(missing_ok=True)
    return Exported(target, target.stat().st_size, rows, lost)


def _write_part(
    store: Store, part: Path, media: MediaStore | None, run_kind: RunKind | None
) -> tuple[dict[str, int], tuple[str, ...]]:
    """Write the ZIP; returns the rows that its CSV files must have, and the names of lost pictures."""
    exported_at = store.database.clock().astimezone(UTC).isoformat(timespec="seconds")
    with tempfile.TemporaryDirectory() as scratch, snapshot(store, Path(scratch), run_kind) as conn:
        folder = Path(scratch) / "export"
        folder.mkdir()
        definitions = read_definitions(conn)
        rows = _write_tables(conn, folder, definitions, exported_at)
        pack = _Pack(zipfile.ZipFile(part, "w", zipfile.ZIP_DEFLATED, compresslevel=LEVEL))
        lost = _add_pictures(pack, conn, media)
        pictures = Pictures(media is not None, photos.owned(conn), lost)
        text = readme(conn, definitions, rows, pictures, exported_at, run_kind)
        (folder / "README.txt").write_text(text, "utf-8")
        for file in sorted(path for path in folder.rglob("*") if path.is_file()):
            pack.add(file.relative_to(folder).as_posix(), file)
        pack.add("study.db", Path(scratch) / "study.db")
        pack.close()
    return rows, lost


def count_again(archive: Path, rows: Mapping[str, int]) -> None:
    """Count the rows of every CSV file in the finished ZIP. Raises ExportError when one is not as in ``rows``."""
    with zipfile.ZipFile(archive) as packed:
        for name, expected in rows.items():
            with packed.open(name) as file:
                must_agree(name, count_rows(file), expected)


def _write_tables(
    conn: sqlite3.Connection, folder: Path, definitions: Sequence[Definition], exported_at: str
) -> dict[str, int]:
    """Everything made of the tables; returns the rows that each CSV file must have, by its name in the ZIP."""
    rows = {f"{table}.csv": number for table, number in checked_counts(conn, definitions).items()}
    (folder / "parquet").mkdir()
    for table in NAMES:
        held = _write_table(conn, table, folder / f"{table}.csv", folder / "parquet" / f"{table}.parquet")
        must_agree(f"{table}.parquet", held, rows[f"{table}.csv"])
    studies = {one.study: [other for other in definitions if other.study == one.study] for one in definitions}
    columns = {study: wide.variables(versions) for study, versions in studies.items()}
    (folder / "wide").mkdir()
    data = make_data_folder(folder)
    for study, versions in studies.items():
        file, public = folder / "wide" / f"{study}.csv", data / file_name(study, "wide")
        for written in (file, public):
            rows[written.relative_to(folder).as_posix()] = people_of(conn, study)
        _write_wide(conn, file, public, versions, columns[study])
    entries = book.codebook(conn, definitions, {f"wide/{study}.csv": columns[study] for study in studies})
    rows["codebook.csv"] = len(entries)
    write_csv(folder / "codebook.csv", book.HEADER, book.rows(entries))
    text = book.markdown(entries, ", ".join(studies))
    (folder / "codebook.md").write_text(text, "utf-8")
    summary = about(conn, definitions)
    for file, number in write_psychds(conn, folder, definitions, columns, summary, text, exported_at).items():
        rows[file.relative_to(folder).as_posix()] = number
    return rows


def _write_table(conn: sqlite3.Connection, table: str, csv: Path, parquet: Path) -> int:
    """Both files of one table in one pass; returns how many rows the Parquet file has."""
    with CsvFile(csv, columns_of(conn, table)) as text, ParquetFile(conn, table, parquet) as typed:
        for rows in batches(rows_of(conn, table)):
            text.add(rows)
            typed.add(rows)
    return typed.rows()


def _write_wide(
    conn: sqlite3.Connection,
    file: Path,
    public: Path,
    versions: Sequence[Definition],
    columns: Sequence[wide.Variable],
) -> None:
    """The wide file, and in ``public`` what may be published. Raises ExportError unless every answer found its cell."""
    placed: list[int] = []
    with CsvFile(file, wide.header(columns)) as everything, CsvFile(public, wide.public_header(columns)) as published:
        for rows in batches(wide.wide_rows(conn, versions, columns, placed.append)):
            everything.add(rows)
            published.add(wide.public_rows(rows, columns))
    write_syntax(file, columns)
    study = versions[0].study
    answers = conn.execute(f"SELECT count(*) FROM {SCHEMA}.all_answers WHERE study = ?", (study,)).fetchone()[0]
    must_agree(f"the answers in wide/{study}.csv", sum(placed), int(answers))


def _add_pictures(pack: _Pack, conn: sqlite3.Connection, media: MediaStore | None) -> tuple[str, ...]:
    """Names of those whose files are gone."""
    lost = []
    for name, png in photos.pictures(conn, media) if media else ():
        if png is None:
            lost.append(name)
        else:
            pack.add_png(name, png)
    return tuple(lost)
