"""Sample size by simulation: the right tests, the right level, and a search that finds what is there."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml
from typer.testing import CliRunner

from analysis.__main__ import app
from analysis.between_table import between_tests
from analysis.compare import compare
from analysis.errors import InputError
from analysis.load import load
from analysis.power import ALL, Plan, Power, draw, p_value, power_at, read_plan, sample_size
from tests.analysis.size import DOC

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


def changed(folder: Path, **fields: object) -> Path:
    """The study with other fields."""
    path = folder / "changed.yaml"
    path.write_text(yaml.safe_dump({**yaml.safe_load(STUDY.read_text("utf-8")), **fields}))
    return path


def between(folder: Path, *effects: str) -> Plan:
    return read_plan(changed(folder, design={"kind": "between"}), list(effects))


def test_between_subjects_each_participant_rates_one_condition(tmp_path: Path) -> None:
    plan = between(tmp_path, "trust:generated=+4")
    assert plan.block == 3
    ratings = draw(plan, 32, np.random.default_rng(1))
    met = ~np.isnan(ratings)
    assert met.sum(axis=1).tolist() == [1] * 32
    assert met.sum(axis=0).tolist() == [11, 11, 10]
    assert np.nanmean(ratings, axis=0)[2] > 4.5 > np.nanmean(ratings, axis=0)[0]


def test_between_subjects_p_is_the_reports(tmp_path: Path) -> None:
    plan = between(tmp_path, "trust:generated=0.9")
    for n in (24, 45):  # with and without the exact p of all groups
        ratings = draw(plan, n, np.random.default_rng(n))
        rows = [
            {
                "participant": f"P{who:04d}",
                "condition": plan.conditions[place],
                "item": "trust",
                "value": ratings[who, place],
            }
            for who, place in np.argwhere(~np.isnan(ratings))
        ]
        file = tmp_path / "ratings.csv"
        pd.DataFrame(rows).to_csv(file, index=False)
        tests = between_tests(load(file)).frame
        assert p_value(ratings, plan, ALL) == tests.query("test == 'kruskal_wallis'")["p"].item()
        pairs = tests.query("test == 'mann_whitney'")
        assert len(pairs) == 3
        for pair in pairs.to_dict("records"):
            names = {f"{pair['first']}-{pair['second']}", f"{pair['second']}-{pair['first']}"} & set(plan.tests)
            assert p_value(ratings, plan, names.pop()) == pytest.approx(pair["p_holm"], rel=1e-12)


def test_between_subjects_power_is_that_of_the_simulated_page(tmp_path: Path) -> None:
    """docs/size-and-power.md, whose studies are drawn by other code; n counts the participants of all conditions."""
    lines = [
        line.split(" | ") for line in DOC.read_text("utf-8").splitlines() if line.startswith("| Kruskal–Wallis, ex")
    ]
    ((_, _, _, size, power, *_),) = lines
    for effect, page in (("0", float(size)), ("0.6", float(power))):
        found = power_at(between(tmp_path, f"trust:generated={effect}"), 12, ALL, 0.05, 400, seed=3)
        assert abs(found.power - page) <= 1.5 * found.error + 0.01
    within = power_at(read_plan(STUDY, ["trust:generated=0.6"]), 12, ALL, 0.05, 400, seed=3)
    assert within.power > 0.2


def test_between_subjects_the_pair_is_corrected_over_the_pairs(tmp_path: Path) -> None:
    plan = between(tmp_path, "trust:generated=3")
    ratings = np.full((9, 3), np.nan)
    for who, (place, value) in enumerate([(0, 1), (0, 1), (0, 2), (1, 1), (1, 1), (1, 2), (2, 5), (2, 5), (2, 4)]):
        ratings[who, place] = value
    # 3 against 3, fully apart: 2 of the 20 ways to deal them, 0.1 twice; Holm: 3 x 0.1, then 2 x 0.1 raised to it.
    assert p_value(ratings, plan, "text-generated") == pytest.approx(0.3)
    assert p_value(ratings, plan, "cases-generated") == pytest.approx(0.3)
    assert p_value(ratings, plan, "text-cases") == pytest.approx(1.0)


def test_several_cases_in_a_condition_are_averaged(tmp_path: Path) -> None:
    photo = {**yaml.safe_load(STUDY.read_text("utf-8"))["photo"], "cases_per_condition": 4}
    plan = read_plan(changed(tmp_path, photo=photo), ["trust:generated=0"])
    ratings = draw(plan, 400, np.random.default_rng(1))
    assert {0.0, 0.25, 0.5, 0.75} == set(np.unique(ratings % 1))
    single = draw(read_plan(STUDY, ["trust:generated=0"]), 400, np.random.default_rng(1))
    assert ratings.std() < 0.85 * single.std()


@pytest.mark.parametrize(
    ("design", "block"),
    [
        ({"kind": "within", "sequences": "all_orders"}, 6),
        ({"kind": "within", "sequences": "latin_square"}, 3),
        ({"kind": "within", "sequences": "williams"}, 6),
        ({"sequences": "fixed", "orders": [["text", "cases", "generated"], ["generated", "cases", "text"]]}, 2),
        ({}, 6),
        ({"kind": "between"}, 3),
    ],
)
def test_sizes_are_multiples_of_what_is_balanced(tmp_path: Path, design: dict[str, object], block: int) -> None:
    plan = read_plan(changed(tmp_path, design=design), ["trust:generated=0.6"])
    found, tried = sample_size(plan, 0.8, lambda n: Power(n, 1000, min(1, n / 100)))
    assert found == -(-80 // block) * block
    assert all(size.n % block == 0 for size in tried)


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


@pytest.mark.parametrize(("needed", "found"), [(900, 900), (991, 996), (997, None)])
def test_the_search_goes_up_to_the_largest_balanced_size(needed: int, found: int | None) -> None:
    plan = read_plan(STUDY, ["trust:generated=0.1"])
    size, tried = sample_size(plan, 0.8, lambda n: Power(n, 1000, 0.8 if n >= needed else 0.5))
    assert size == found
    assert tried[-1].n == 996  # the last multiple of the six orders up to 1,000


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


def test_command_between_subjects_says_what_n_counts(tmp_path: Path) -> None:
    study = changed(tmp_path, design={"kind": "between"}, planned_n=32)
    effects = ["--effect", "trust:generated=3", "--simulations", "20"]
    result = CliRunner().invoke(app, ["power", str(study), *effects])
    assert result.exit_code == 0
    needed = re.search(
        r"the Kruskal–Wallis test of 'trust' needs (\d+) participants in total, (\d+) in each", result.output
    )
    assert needed is not None
    assert int(needed[1]) == 3 * int(needed[2])
    assert "The study plans 32: power" in result.output
    result = CliRunner().invoke(app, ["power", str(study), *effects, "--test", "text-generated"])
    assert "the pair text-generated (Mann–Whitney, Holm-corrected) of 'trust' needs" in result.output


def test_command_refuses_a_mixed_design(tmp_path: Path) -> None:
    groups = {"plain": ["text", "cases"], "rich": ["text", "generated"]}
    study = changed(tmp_path, design={"kind": "mixed", "groups": groups})
    result = CliRunner().invoke(app, ["power", str(study), "--effect", "trust:generated=0.6"])
    assert result.exit_code == 2
    assert "the design is mixed; the power is that of within and between designs" in result.output
    assert "needs" not in result.output


SUS = STUDY.parent / "instruments" / "sus.yaml"


@pytest.mark.parametrize(
    ("item", "message"),
    [
        ("ease", "'ease': it belongs to the score 'Experience', which is tested in place of its items"),
        ("experience", "'experience': it belongs to the score 'Experience'"),
        ("sus_3", "'sus_3': it belongs to the score 'System Usability Scale"),
        ("useful", "the items rated after every condition are trust, ease, effort"),
    ],
)
def test_command_refuses_what_a_score_is_tested_in_place_of(tmp_path: Path, item: str, message: str) -> None:
    items = yaml.safe_load(STUDY.read_text("utf-8"))["items"]
    score = {"id": "experience", "name": "Experience", "items": ["ease", "effort"], "method": "mean"}
    study = changed(tmp_path, items=[*items, {"instrument": "sus", "repeated": True}], scores=[score])
    (tmp_path / "instruments").mkdir()
    (tmp_path / "instruments" / "sus.yaml").write_bytes(SUS.read_bytes())
    result = CliRunner().invoke(app, ["power", str(study), "--effect", f"{item}:generated=0.6"])
    assert result.exit_code == 2
    assert message in result.output
    assert read_plan(study, ["trust:generated=0.6"]).item == "trust"


def test_items_of_an_instrument_that_lies_elsewhere_are_refused_as_well(tmp_path: Path) -> None:
    study = changed(tmp_path, items=[{"instrument": "sus", "repeated": True}])
    with pytest.raises(InputError, match=r"'sus_3': it is no item of the study file.*instrument \(sus\) are tested"):
        read_plan(study, ["sus_3:generated=0.6"])
