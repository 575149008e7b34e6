"""What was acknowledged survives a kill in the middle of writing."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import pytest

from study_app.study import visit
from study_app.study.definition import Study
from study_app.study.media import MediaStore
from study_app.study.store import Store
from tests.study_app.people import arrive, walk_to

ROOT = Path(__file__).parents[2]
WRITER = """
import itertools, sys
from study_app.study.store import Store
store = Store.open(sys.argv[1])
for n in itertools.count():
    item, value = ("trust", "ease", "effort")[n % 3], n // 3 % 5 + 1
    store.save_answer("P0001", item, value, period=1)
    sys.stdout.write(f"{item} {value}\\n")  # the acknowledgement
    sys.stdout.flush()
"""


@pytest.mark.parametrize("after_s", [0.0, 0.013, 0.03, 0.07])
def test_a_killed_writer_loses_no_acknowledged_answer(tmp_path: Path, study: Study, after_s: float) -> None:
    db = tmp_path / "study.db"  # on the disk, not in memory
    store = Store.open(db)
    participant = arrive(store, study)
    walk_to(store, MediaStore(tmp_path / "media", store), participant, "rating:1")
    store.close()
    writer = subprocess.Popen([sys.executable, "-c", WRITER, str(db)], stdout=subprocess.PIPE, text=True, cwd=ROOT)
    assert writer.stdout is not None
    acknowledged = [writer.stdout.readline()]
    time.sleep(after_s)
    os.kill(writer.pid, signal.SIGKILL)
    acknowledged += writer.stdout.readlines()
    writer.wait()
    writer.stdout.close()
    whole = [tuple(line.split()) for line in acknowledged if line.endswith("\n")]

    conn = sqlite3.connect(db)
    assert conn.execute("PRAGMA integrity_check").fetchone()[0] == "ok"
    conn.close()
    store = Store.open(db)
    with store.database.read() as read:
        log = read.execute("SELECT item, value FROM answer WHERE period = 1 ORDER BY id").fetchall()
    stored = [(row["item"], str(row["value"])) for row in log]
    assert stored[: len(whole)] == whole
    assert len(stored) <= len(whole) + 1  # at most the one in flight
    assert visit.current(store, participant).step.key == "rating:1"
    store.close()
