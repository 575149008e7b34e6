"""Parts that need each other are trained in order, others side by side; a failure is told and loses nothing."""

from __future__ import annotations

import sys
import time
from pathlib import Path

import pytest

from pipeline.training.cli import PARTS
from pipeline.training.together import Part, PartFailed, ready, run_together

CHAIN = {"a": Part("first"), "b": Part("second", ("a",)), "c": Part("alone")}


def script(text: str) -> list[str]:
    return [sys.executable, "-c", text]


def test_a_part_waits_for_what_it_needs() -> None:
    assert ready(CHAIN, set(), set()) == ["a", "c"]
    assert ready(CHAIN, set(), {"a", "c"}) == []
    assert ready(CHAIN, {"a"}, {"a", "c"}) == ["b"]


def test_the_order_of_the_parts_works_one_by_one_too() -> None:
    done: set[str] = set()
    for name, part in PARTS.items():
        assert set(part.needs) <= done, name
        done.add(name)


def test_two_run_side_by_side_and_say_how_far_they_are(tmp_path: Path) -> None:
    text = "import time; open('{0}', 'w').write(str(time.time())); print('x [##] 3/9'); time.sleep(0.6); print('good')"
    said: list[str] = []
    run_together(CHAIN, lambda n: script(text.format(tmp_path / n)), 2, tmp_path / "out", said.append, every=0.2)
    began = {name: float((tmp_path / name).read_text()) for name in CHAIN}
    assert abs(began["a"] - began["c"]) < 0.5
    assert began["b"] > began["a"] + 0.5
    assert [line.split("  ")[-1] for line in said if "done" in line][-1].endswith("good")


def test_a_failure_names_the_part_and_ends_the_others(tmp_path: Path) -> None:
    def command(name: str) -> list[str]:
        return script("raise SystemExit(3)" if name == "a" else "import time; time.sleep(30)")

    began = time.monotonic()
    with pytest.raises(PartFailed, match="a ended with code 3"):
        run_together(CHAIN, command, 2, tmp_path, lambda _: None)
    assert time.monotonic() - began < 20
