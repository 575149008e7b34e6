"""Runs the commands of a page of docs/ as its reader would type them."""

from __future__ import annotations

import os
import re
import shlex
import signal
import socket
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from typer.testing import CliRunner

from analysis.__main__ import app as analysis
from study_app.__main__ import DEFAULT_STUDY, ROOT
from study_app.__main__ import cli as study_app

PROGRAMS = {"study_app": study_app, "analysis": analysis}
ENDS_WITHIN_S = 60


def commands(page: str, printed: Sequence[str] = ()) -> list[list[str]]:
    """The words after "python -m" of each command on docs/``page``, in their order, the shipped study by its full path.

    ``printed``: beginnings of the lines that a command prints. Whatever else stands in a block that is neither YAML nor
    Python must be a command, so that none is passed over."""
    text = (ROOT / "docs" / page).read_text()
    found = []
    for language, block in re.findall(r"^```(.*)\n((?:.*\n)*?)```$", text, re.MULTILINE):
        lines = [] if language in ("yaml", "yml", "python") else block.splitlines()
        for line in lines:
            if not line.startswith(tuple(printed)) or not printed:
                assert line.startswith("python -m "), f"{page}: {line!r} is no command that is run here"
                found.append(shlex.split(line)[2:])
    assert len(found) == len(re.findall(r"^python -m ", text, re.MULTILINE)), f"{page}: a command in another block"
    return [[word.replace("questionnaires/skingen.yaml", str(DEFAULT_STUDY)) for word in words] for words in found]


def ran(program: str, *words: str) -> str:
    """What the command says, here in this folder; it must not fail."""
    if words[0] == "serve":
        return served(*words)
    result = CliRunner().invoke(PROGRAMS[program], words, env={"COLUMNS": "200"})
    assert result.exit_code == 0, f"{program} {' '.join(words)}: {result.output}"
    return result.output


def served(*words: str) -> str:
    """`python -m study_app serve ...` on a free port, ended by Ctrl-C when it says where the participants go."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    process = subprocess.Popen(
        [sys.executable, "-m", "study_app", *words, "--port", str(port), "--no-browser"],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert process.stdout is not None
    printed = []
    try:
        for line in process.stdout:
            printed.append(line)
            if "Ctrl-C ends it" in line:
                process.send_signal(signal.SIGINT)
        code = process.wait(ENDS_WITHIN_S)
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()
    said = "".join(printed)
    assert code == 0, f"{' '.join(words)}: {said}"
    assert f"Participants:  http://localhost:{port}/" in said, said
    return said


def remove_database(db: Path) -> None:
    """With what SQLite may have left beside it."""
    for file in db.parent.glob(f"{db.name}*"):
        if file.is_file():
            file.unlink()
