"""The audit computes: it finds what does not add up, and changes its mind when a cell is changed."""

from __future__ import annotations

from dataclasses import replace

import pytest
from scipy import stats

from analysis.paper import audit_others, audit_skingen
from analysis.paper.checks import Check, Verdict
from analysis.paper.consistency import counts_of_percentage
from analysis.paper.published import Cell, Published, published

FACTS = published()


def checks(facts: Published = FACTS) -> dict[str, Check]:
    found = [*audit_skingen.audit(facts), *audit_others.audit(facts)]
    by_key = {check.key: check for check in found}
    assert len(by_key) == len(found)
    return by_key


def changed(paper: str, table: str, row: str, column: str, value: str) -> Published:
    old = FACTS.cell(paper, table, row, column)
    assert old.value != value
    return Published(tuple(replace(cell, value=value) if cell is old else cell for cell in FACTS.cells))


def test_the_cells_are_named_once_and_have_an_origin() -> None:
    names = [(cell.paper, cell.table, cell.row, cell.column) for cell in FACTS.cells]
    assert len(set(names)) == len(names) > 250
    assert all(cell.origin for cell in FACTS.cells)
    assert {cell.paper for cell in FACTS.cells} == {"skingen", "skingpt4", "dermdit"}


def test_figure_9_has_eighteen_cells_and_no_number() -> None:
    cells = FACTS.select("skingen", "figure9")
    assert len(cells) == 3 * 3 * 2
    assert {cell.value for cell in cells} == {""}


def test_what_does_not_add_up_is_found_and_nothing_else() -> None:
    found = {key: check.verdict for key, check in checks().items()}
    wrong = {key for key, verdict in found.items() if verdict is Verdict.contradicts}
    texts = {f"skingpt4.arxiv.figure4a.{n}" for n in (1, 2, 3, 4, 5, 7)}
    texts |= {f"skingpt4.journal.figure4a.{n}" for n in range(1, 8)}
    assert wrong == texts | {
        "skingen.table1.f17k-30-shot",
        "skingen.table2.blip_gain.SCIN.CLIP",
        "skingen.table2.blip_gain.SCIN.DINOv2",
        "skingpt4.figure4a.cases",
        "skingpt4.arxiv.cases",
        "skingpt4.journal.cases",
        "skingpt4.arxiv.sum_of_rounded",
        "dermdit.table2.test_sets",
        "dermdit.table2.f1",
    }
    by_rounding = {key for key, verdict in found.items() if verdict is Verdict.by_rounding}
    assert by_rounding == {"skingen.table2.blip_gain.f17k.CLIP", "skingen.table2.blip_gain.f17k.MSE"}


def test_a_check_says_what_was_computed_from_what() -> None:
    found = checks()
    assert len(found) > 50
    for check in found.values():
        assert check.cells
        assert all(cell in FACTS.cells for cell in check.cells)
        assert check.computed
        assert check.sentence.endswith(".")
    table1 = found["skingen.table1.f17k-30-shot"]
    assert (table1.published, table1.computed) == ("3470", "3420")
    assert table1.sentence == "f17k-30-shot: 114 labels x 30 images = 3420, but Table 1 prints 3470, +50."
    assert table1.origins == "section 5.2; Table 1, section 3.1 (name of the row); Table 1, section 3.1"
    assert found["skingpt4.figure4a.cases"].computed == "160 ratings in each of 7 rows"
    assert found["dermdit.table2.auc"].computed == "higher in 1, lower in 10 of 11 rows"
    assert "a difference of +2.0 ratings" in found["skingpt4.journal.figure4a.2"].sentence


CHANGES = """
skingen  | table1 | f17k-30-shot | image counts | 3420 | skingen.table1.f17k-30-shot | holds
skingen  | table1 | f17k-5-shot | image counts | 571 | skingen.table1.f17k-5-shot | contradicts
skingen  | table2 | SCIN_BLIP Gain | CLIP | +0.03 | skingen.table2.blip_gain.SCIN.CLIP | holds
skingen  | table2 | SCIN_BLIP Gain | MSE | +0.16 | skingen.table2.blip_gain.SCIN.MSE | contradicts
skingen  | table2 | f17k_all | MSE | 1.26 | skingen.table2.scaling_effect.f17k.MSE | contradicts
skingen  | table3 | Gender: Male | count | 21 | skingen.table3.gender | contradicts
skingen  | table3 | Medical background: No | percentage | 62.6 | skingen.table3.medical_background | contradicts
skingen  | table5 | I find SkinGEN to be a useful system. | mean | 4.39 | skingen.table5.6 | contradicts
skingen  | table5 | I find SkinGEN to be a useful system. | sd | 0.76 | skingen.table5.6 | contradicts
skingen  | text of section 5.3 | I find SkinGEN to be a useful system. | mean | 4.41 | skingen.text.6 | contradicts
skingpt4 | figure4c | answers | count | 751 | skingpt4.figure4c.answers | contradicts
skingpt4 | table2 | Herpes | clinical evaluation | 11 | skingpt4.table2.clinical_evaluation | contradicts
skingpt4 | text | cases | n | 160 | skingpt4.figure4a.cases | holds
skingpt4 | text (arXiv) | Willingness to use | percent agree | 76.25 | skingpt4.arxiv.figure4a.7 | holds
skingpt4 | figure4b | online dermatologists | lowest, minutes | 0.01 | skingpt4.figure4b.test | not determined
dermdit  | table2 | caption | test datasets | 11 | dermdit.table2.test_sets | holds
dermdit  | table2 | DDI | synthetic: Recall | 0.069 | dermdit.table2.recall | contradicts
""".strip().splitlines()


@pytest.mark.parametrize("line", CHANGES)
def test_a_changed_cell_changes_the_verdict(line: str) -> None:
    paper, table, row, column, value, key, verdict = (part.strip() for part in line.split("|"))
    assert checks()[key].verdict != verdict
    assert checks(changed(paper, table, row, column, value))[key].verdict == verdict


def test_separated_response_times_determine_their_test() -> None:
    """scipy on any two separated samples of 20 gives the same p."""
    p = stats.mannwhitneyu(range(20), range(100, 120), method="exact").pvalue
    computed = checks()["skingpt4.figure4b.test"].computed
    assert computed == f"U = 0, exact two-sided p = {p:.2g}"


def test_counts_of_a_percentage() -> None:
    assert list(counts_of_percentage("68.75", 32)) == [22]
    assert list(counts_of_percentage("78.76", 160)) == []
    assert list(counts_of_percentage("78.75", 160)) == [126]
    assert list(counts_of_percentage("50", 200)) == [99, 100, 101]  # 49.5 and 50.5 are ties
    assert list(counts_of_percentage("100", 7)) == [7]


def test_an_unknown_cell_is_an_error_and_no_empty_answer() -> None:
    with pytest.raises(KeyError):
        FACTS.cell("skingen", "table5", "I like it.", "mean")
    with pytest.raises(ValueError, match="not a printed decimal"):
        _ = Cell("skingen", "figure9", "Perceived Trust", "text: mean", "", "Figure 9").number
