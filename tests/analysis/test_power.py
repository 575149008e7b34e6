"""Sample size by simulation: the right tests, the right level, and a search that finds what is there."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml
from typer.testing import CliRunner

from analysis.__main__ import app
from analysis.compare import compare
from analysis.errors import InputError
from analysis.power import ALL, Power, draw, p_value, power_at, read_plan, sample_size

STUDY = Path(__file__).parents[2] / "questionnaires" / "skingen.yaml"


def test_the_plan_is_the_studys() -> None:
    plan = read_plan(STUDY, ["trust:generated=+0.6", "trust:cases=-0.1"])
    assert (plan.item, plan.low, plan.high, plan.planned_n) == ("trust", 1, 5, 32)
    assert plan.shifts == (0.0, -0.1, 0.6)
    assert plan.tests == ("all", "text-cases", "text-generated", "cases-generated")


@pytest.mark.parametrize(
    ("effect", "message"),
    [
        (["trust=1"], "write ITEM:CONDITION=SIZE"),
        (["useful:text=1"], "the items rated after every condition are trust, ease, effort"),
        (["trust:robot=1"], "the conditions are text, cases, generated"),
        (["trust:text=1", "ease:text=1"], "all on the same item"),
        ([], "Give one effect"),
    ],
)
def test_effects_that_the_study_does_not_have(effect: list[str], message: str) -> None:
    with pytest.raises(InputError, match=message):
        read_plan(STUDY, effect)


def test_a_file_that_is_no_study(tmp_path: Path) -> None:
    path = tmp_path / "study.yaml"
    for text in ("- 1\n", "{", "conditions: 3\n"):
        path.write_text(text)
        with pytest.raises(InputError, match="no" if text == "{" else "not a study file"):
            read_plan(path, ["trust:text=1"])


def test_p_is_the_reports() -> None:
    plan = read_plan(STUDY, ["trust:generated=0.5"])
    ratings = draw(plan, 24, np.random.default_rng(1))
    assert set(np.unique(ratings)) <= {1, 2, 3, 4, 5}
    found = compare("trust", pd.DataFrame(ratings, columns=list(plan.conditions)))
    assert p_value(ratings, plan, ALL) == found.friedman.p
    for pair in found.pairs:
        assert p_value(ratings, plan, pair.name) == pair.p_holm
    assert p_value(np.full((5, 3), 3.0), plan, ALL) == 1


def test_power_grows_with_the_effect_and_is_the_level_without_one() -> None:
    nothing, something = (read_plan(STUDY, [f"trust:generated={size}"]) for size in ("0", "1.5"))
    level = power_at(nothing, 12, ALL, 0.05, 150, seed=3)
    assert level.power <= 0.05 + 2 * level.error
    assert power_at(something, 12, ALL, 0.05, 100, seed=3).power > 0.8
    assert power_at(nothing, 12, ALL, 0.05, 40, seed=3) == power_at(nothing, 12, ALL, 0.05, 40, seed=3)


def test_the_search_finds_the_smallest_multiple_of_the_orders() -> None:
    plan = read_plan(STUDY, ["trust:generated=0.6"])
    found, tried = sample_size(plan, 0.8, lambda n: Power(n, 1000, min(1, n / 100)))
    assert found == 84  # 80 is no multiple of six
    assert [size.n for size in tried] == sorted({size.n for size in tried})
    assert sample_size(plan, 0.8, lambda n: Power(n, 1000, 0.1))[0] is None


def test_command(tmp_path: Path) -> None:
    study = yaml.safe_load(STUDY.read_text())
    path = tmp_path / "study.yaml"
    path.write_text(yaml.safe_dump({**study, "planned_n": 18}))
    arguments = [
        "power",
        str(path),
        "--effect",
        "trust:generated=2",
        "--simulations",
        "20",
        "--out",
        str(tmp_path / "out"),
    ]
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 0
    assert "needs 6 participants" in result.output or "needs 12 participants" in result.output
    assert "The study plans 18: power 1.000" in result.output
    table = pd.read_csv(tmp_path / "out" / "power.csv")
    assert list(table["n"]) == sorted(table["n"])
    assert {file.name for file in (tmp_path / "out").iterdir()} == {"power.csv", "power.png", "power.svg"}
    wrong = CliRunner().invoke(app, ["power", str(path), "--effect", "trust:generated=2", "--test", "text-robot"])
    assert wrong.exit_code == 2
    assert "choose one of all, text-cases" in wrong.output
