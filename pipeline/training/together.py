"""All parts of the pack, each as a process of its own as soon as what it needs is there, several side by side."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Part:
    """One training: what it makes, the parts whose weights it reads, and the files it learns from."""

    about: str
    needs: tuple[str, ...] = ()
    reads: tuple[str, ...] = ()
    """Patterns, from the folder of the trainings"""
    replaces: str | None = None
    """The part whose weights it begins with and writes its own in the place of"""


@dataclass(frozen=True)
class _Running:
    process: subprocess.Popen[bytes]
    output: Path
    began: float


class PartFailed(RuntimeError):
    """A part ended with an error; the message names it and the file with its output."""


def ready(parts: Mapping[str, Part], done: set[str], started: set[str]) -> list[str]:
    """Parts that may start now, in the order of ``parts``."""
    return [name for name, part in parts.items() if name not in started and set(part.needs) <= done]


def run_together(
    parts: Mapping[str, Part],
    command: Callable[[str], Sequence[str]],
    jobs: int,
    folder: Path,
    say: Callable[[str], None],
    every: float = 30.0,
    done: Collection[str] = (),
) -> None:
    """Run ``command(name)`` for every part but those that are ``done``.

    At most ``jobs`` run at once, with the processor's cores shared among them. Each part's output goes to
    ``folder/<name>.txt``; ``say`` hears of starts, ends and, every ``every`` seconds, of how far the running ones are.
    Raises PartFailed when one fails, after ending the others; their checkpoints stay, so the same call goes on from
    there.
    """
    folder.mkdir(parents=True, exist_ok=True)
    environment = {**os.environ, "OMP_NUM_THREADS": str(max(1, (os.cpu_count() or 1) // jobs))}
    began, told = time.monotonic(), time.monotonic()
    running: dict[str, _Running] = {}
    finished = set(done)
    started = set(done)

    def tell(text: str) -> None:
        say(f"{(time.monotonic() - began) / 60:6.1f} min  {text}")

    try:
        while len(finished) < len(parts):
            for name in ready(parts, finished, started)[: jobs - len(running)]:
                running[name] = _start(command(name), folder / f"{name}.txt", environment)
                started.add(name)
                tell(f"{name}: {parts[name].about}")
            time.sleep(min(0.5, every))
            for name, part in list(running.items()):
                code = part.process.poll()
                if code is None:
                    continue
                if code:
                    raise PartFailed(f"{name} ended with code {code}; its output is in {part.output}")
                del running[name]
                finished.add(name)
                tell(f"{name}: done in {(time.monotonic() - part.began) / 60:.1f} min. {_last_line(part.output)}")
            if time.monotonic() - told >= every:
                told = time.monotonic()
                tell("; ".join(f"{name} {_progress(part.output)}" for name, part in running.items()))
    finally:
        for part in running.values():
            part.process.terminate()


def _start(command: Sequence[str], output: Path, environment: dict[str, str]) -> _Running:
    with output.open("wb") as file:
        process = subprocess.Popen(command, stdout=file, stderr=subprocess.STDOUT, env=environment)
    return _Running(process, output, time.monotonic())


def _last_line(output: Path) -> str:
    """What a part says at its end: the last line that is not a progress bar."""
    lines = [x.strip() for x in re.split(r"[\r\n]", output.read_text(errors="replace"))]
    return next((x for x in reversed(lines) if x and "[#" not in x and "it/s]" not in x), "")


def _progress(output: Path) -> str:
    """`120/4000`, as its progress bar says."""
    found = re.findall(r"\] (\d+/\d+)", output.read_text(errors="replace"))
    return found[-1] if found else "prepares"


def this_python(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "pipeline", *arguments]
