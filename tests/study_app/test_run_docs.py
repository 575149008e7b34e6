"""docs/run-the-skingen-study.md: its commands run, in their order, and give what the page promises."""

from __future__ import annotations

import re
import shlex
import shutil
from pathlib import Path

import pytest
from typer.testing import CliRunner

from analysis.__main__ import app as analysis
from study_app.__main__ import DEFAULT_STUDY, ROOT
from study_app.__main__ import cli as study_app

TEXT = (ROOT / "docs" / "run-the-skingen-study.md").read_text()
COMMANDS = re.findall(r"^python -m (study_app|analysis) (.*)$", TEXT, re.MULTILINE)
PROGRAMS = {"study_app": study_app, "analysis": analysis}
ENDLESS = {"serve", "power", "reproduce"}
"""They run until they are ended, or for minutes; what they do is tested elsewhere. Here their options are read."""


def test_its_commands_run_in_their_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    done = []
    for program, line in COMMANDS:
        words = shlex.split(line.replace("questionnaires/skingen.yaml", str(DEFAULT_STUDY)).replace("-n 32", "-n 6"))
        name, arguments = words[0], words[1:]
        if name in ENDLESS:
            result = CliRunner().invoke(PROGRAMS[program], [name, "--help"], env={"COLUMNS": "200"})
            assert all(word in result.output for word in arguments if word.startswith("--"))
        else:
            result = CliRunner().invoke(PROGRAMS[program], words)
        assert result.exit_code == 0, f"{line}: {result.output}"
        done.append(name)
        if name == "simulate":  # the page's study.db comes from people; the same tables, filled the same way
            shutil.copyfile("try.db", "study.db")
    assert done == [
        "check", "power", "simulate", "report", "serve", "serve", "status", "backup", "withdraw", "exclude", "export",
        "report", "reproduce",
    ]  # fmt: skip
    assert {"try-report", "report", "backup.db", "study.zip"} <= {path.name for path in tmp_path.iterdir()}
