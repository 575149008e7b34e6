"""How long an export of a large study takes, and how much memory: `python -m benchmarks.export`.

The database is filled in one transaction with rows as people's sessions leave them: the simulation would take an
hour for as many, and what is measured here is reading. Target: 2,000 participants in 20 s and 500 MB.
The peer is the plain loop: every view by pandas.read_sql, then to_csv, in the same process conditions.
"""

from __future__ import annotations

import argparse
import json
import random
import resource
import sqlite3
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from study_app.study.allocation import sequences
from study_app.study.definition import Study, load_study
from study_app.study.store import Store

ROOT = Path(__file__).resolve().parents[1]
STUDY = ROOT / "questionnaires" / "skingen.yaml"
TARGET_S, TARGET_MB = 20.0, 500.0
TURNS = 4
"""Questions asked per exposure."""
WORDS = (
    "the",
    "diagnosis",
    "may",
    "be",
    "=acne,",
    "a",
    "common",
    '"inflammation"',
    "of",
    "follicles;",
    "皮肤",
    "see\na",
)


@dataclass(frozen=True)
class Measured:
    """``cpu_s``: processor time of the process; ``wall_s`` depends on what else the machine does."""

    wall_s: float
    cpu_s: float
    peak_mb: float
    size_mb: float


def fill(database: Path, people: int, seed: int = 0) -> int:
    """Make a database of ``people`` participants who completed; returns the answers in it."""
    study = load_study(STUDY)
    store = Store.open(database)
    store.register(study)
    store.close()
    conn = sqlite3.connect(database)
    conn.execute("PRAGMA synchronous = OFF")
    with conn:
        for number in range(1, people + 1):
            _person(conn, study, f"P{number:04d}", random.Random(f"{seed}|{number}"))
    answers = int(conn.execute("SELECT count(*) FROM answer").fetchone()[0])
    conn.close()
    return answers


def _person(conn: sqlite3.Connection, study: Study, name: str, drawn: random.Random) -> None:
    order = drawn.choice(sequences(study))
    at = (
        f"2026-03-01T{n // 3600 % 24:02d}:{n // 60 % 60:02d}:{n % 60:02d}.000Z"
        for n in range(drawn.randrange(9000), 90000)
    )
    start = next(at)
    conn.execute(
        "INSERT INTO participant VALUES (?, ?, ?, 'live', 'completed', NULL, ?, ?, ?, ?, ?, ?, NULL)",
        (name, f"{drawn.getrandbits(256):064x}", study.hash, ">".join(order), start, start, start, start, start),
    )
    answers: list[tuple[str, str, int | None, int | str]] = []
    for question in study.demographics:
        answers.append((name, question.id, None, drawn.choice(question.options).value))
    for period, condition in enumerate(order, 1):
        _exposure(conn, name, period, condition, drawn, at)
        answers += [(name, item.id, period, drawn.randint(1, 5)) for item in study.repeated_items]
    answers += [(name, item.id, None, drawn.randint(1, 5)) for item in study.final_items]
    answers.append((name, "comments", None, _text(drawn, 40)))
    answers += drawn.sample(answers[2:], 2)  # changes of mind: another row, the same question
    conn.executemany(
        "INSERT INTO answer (participant, item, period, value, answered_at, duration_s) VALUES (?, ?, ?, ?, ?, ?)",
        [(*answer, next(at), round(drawn.lognormvariate(1.5, 0.5), 2)) for answer in answers],
    )


def _exposure(
    conn: sqlite3.Connection, name: str, period: int, condition: str, drawn: random.Random, at: Iterator[str]
) -> None:
    photo = f"{drawn.getrandbits(256):064x}"
    conn.execute(
        "INSERT INTO exposure VALUES (?, ?, ?, ?, ?, ?, ?, NULL)",
        (name, period, condition, photo, "psoriasis", next(at), next(at)),
    )
    conn.execute("INSERT INTO media_owner VALUES (?, ?)", (photo, name))
    for turn in range(TURNS):
        question = _text(drawn, 8)
        manifest = {
            "profile": "phantom",
            "question": question,
            "seed": drawn.getrandbits(31),
            "models": {role: {"id": role, "sha256": f"{drawn.getrandbits(256):064x}"} for role in "abcdefgh"},
            "prompts": {"question": question, "diagnosis": _text(drawn, 60)},
            "settings": {"steps": 30, "size": 96},
            "latency_s": {role: drawn.random() for role in "abcdefgh"},
        }
        job = conn.execute(
            "INSERT INTO job (key, participant, period, request, status, diagnosis, manifest, created_at, finished_at) "
            "VALUES (?, ?, ?, ?, 'done', ?, ?, ?, ?)",
            (
                f"{name}-{period}-{turn}",
                name,
                period,
                json.dumps({"photo": photo, "question": question}),
                json.dumps({"label": "acne vulgaris"}),
                json.dumps(manifest),
                next(at),
                next(at),
            ),
        ).lastrowid
        conn.executemany(
            "INSERT INTO turn (participant, period, role, text, at, job) VALUES (?, ?, ?, ?, ?, ?)",
            [
                (name, period, "participant", question, next(at), job),
                (name, period, "assistant", _text(drawn, 80), next(at), job),
            ],
        )
        conn.executemany(
            "INSERT INTO job_event VALUES (?, ?, ?)",
            [(job, n, json.dumps({"type": "text_delta", "text": _text(drawn, 4)})) for n in range(1, 21)],
        )


def _text(drawn: random.Random, words: int) -> str:
    return " ".join(drawn.choices(WORDS, k=words))


def exported(database: Path, target: Path) -> None:
    from study_app.study.export import write_export

    store = Store.open(database)
    write_export(store, target)
    store.close()


def plain_loop(database: Path, target: Path) -> None:
    """What a script would do: pandas reads each view as a whole and writes it; no checks, nothing else."""
    import pandas as pd

    conn = sqlite3.connect(database)
    views = [row[0] for row in conn.execute("SELECT name FROM sqlite_master WHERE type = 'view'")]
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as packed:
        for view in views:
            packed.writestr(f"{view}.csv", pd.read_sql(f"SELECT * FROM {view}", conn).to_csv(index=False))


WAYS = {"export": exported, "plain": plain_loop}


def measure(way: str, database: Path, target: Path) -> Measured:
    """In a process of its own: its peak memory is that of the export alone, imports included."""
    command = [sys.executable, "-m", "benchmarks.export", "--only", way, str(database), str(target)]
    done = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True)
    return Measured(**json.loads(done.stdout.splitlines()[-1]), size_mb=target.stat().st_size / 1e6)


def _only(way: str, database: Path, target: Path) -> None:
    begun = time.perf_counter()
    WAYS[way](database, target)
    used = resource.getrusage(resource.RUSAGE_SELF)
    told = {
        "wall_s": time.perf_counter() - begun,
        "cpu_s": used.ru_utime + used.ru_stime,
        "peak_mb": used.ru_maxrss / 1000,
    }
    print(json.dumps(told))


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("-n", type=int, default=2000, help="participants")
    parser.add_argument("--plain", action="store_true", help="the plain loop beside it (minutes at 2,000)")
    parser.add_argument("--only", nargs=3, metavar=("WAY", "DATABASE", "ZIP"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.only:
        way, database, target = options.only
        _only(way, Path(database), Path(target))
        return
    with tempfile.TemporaryDirectory() as folder:
        database = Path(folder) / "study.db"
        answers = fill(database, options.n)
        print(f"{options.n} participants, {answers} answers stored, database {database.stat().st_size / 1e6:.0f} MB")
        ways = ("export", "plain") if options.plain else ("export",)
        for way in ways:
            found = measure(way, database, Path(folder) / f"{way}.zip")
            print(
                f"{way:<7} {found.wall_s:6.1f} s, {found.cpu_s:6.1f} s of processor time, "
                f"peak {found.peak_mb:4.0f} MB, ZIP {found.size_mb:.1f} MB"
            )
            if way == "export":
                met = found.wall_s <= TARGET_S and found.peak_mb <= TARGET_MB
                print(f"        target {TARGET_S:.0f} s, {TARGET_MB:.0f} MB: {'met' if met else 'MISSED'}")


if __name__ == "__main__":
    main()
