"""The arithmetic of the model card, on vectors small enough to check by hand; no model is loaded."""

from __future__ import annotations

import io
import json
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import psutil
import pytest
import torch
from PIL import Image
from safetensors.torch import save_file
from typer.testing import CliRunner

from pipeline.evaluation import masking, running
from pipeline.evaluation.abstaining import ON_PHOTOS, abstaining, over_kinds, photographs
from pipeline.evaluation.card import (
    are_of_these_weights,
    differences,
    missed,
    read_figures,
    row,
    write_card,
    write_figures,
)
from pipeline.evaluation.cli import app
from pipeline.evaluation.figures import Figure, mean, number, over, share
from pipeline.evaluation.masking import absent_names, box_iou, box_of, clear_box, hull, iou, two_lesions
from pipeline.evaluation.pack import MEASURES
from pipeline.evaluation.retrieving import large_library, retrieving
from pipeline.evaluation.seeing import caption_f1, concepts_said, f1, seeing, tone_said
from pipeline.evaluation.sheet import CELL, GAP, LINE, ROWS, explanations
from pipeline.evaluation.timing import megabytes, peak_memory
from pipeline.evaluation.unseen import cell, photo, shown
from pipeline.explaining import MemoryImages
from pipeline.phantom import LABELS, SKIN_TYPES, Phantom, draw
from pipeline.profile import load_profile
from pipeline.types import Diagnosis, Explained, TextDelta

ONE = 100_000_500
"""A test seed."""


# Figures and goals ---------------------------------------------------------------------------------


def test_share_names_the_worst_group() -> None:
    figure = share("right", [True, True, False, True], ["a", "a", "b", "b"], at_least=70, worst_at_least=60)
    assert (figure.value, figure.n, figure.worst, figure.worst_value) == (75.0, 4, "b", 50.0)
    assert figure.holds is False  # the whole reaches its goal, the worst group does not
    assert replace(figure, worst_at_least=50).holds is True


def test_where_less_is_better_the_worst_group_has_most() -> None:
    figure = share("abstains", [True, False, False, False], ["a", "a", "b", "b"], rare=True, at_most=25)
    assert (figure.worst, figure.worst_value, figure.holds) == ("a", 50.0, True)
    assert replace(figure, at_most=24).holds is False


def test_a_goal_is_reached_at_its_very_value_and_not_by_rounding() -> None:
    assert Figure("x", 96.0, 1, at_least=96).holds is True
    assert Figure("x", 95.99, 1, at_least=96).holds is False
    assert Figure("x", float("nan"), 1, at_least=0).holds is False
    assert Figure("x", 3.0, 1).holds is None


def test_a_worst_goal_without_groups_is_the_whole_s() -> None:
    assert mean("x", [0.5, 0.7], worst_at_least=0.65).holds is False


def test_nothing_measured_is_an_error_and_so_is_a_group_too_few() -> None:
    with pytest.raises(ValueError, match="nothing was measured"):
        share("x", [])
    with pytest.raises(ValueError, match="shorter"):
        share("x", [True, False], ["a"])


def test_figures_say_value_and_goal_in_their_unit() -> None:
    figure = Figure("x", 96.04, 5, worst="a", worst_value=80.0, at_least=96, worst_at_least=85)
    assert figure.goal == "at least 96 %, no group below 85 %"
    assert row(figure) == "| x | 96.0 % | 5 | a 80.0 % | at least 96 %, no group below 85 % | **no** |"
    assert number(0.9196, "") == "0.920"
    assert number(0.456, "s") == "0.46 s"


def test_a_figure_survives_json() -> None:
    figure = Figure("x", 1 / 3, 5, "s", "a", 0.1, at_most=3.0, this_machine=True)
    assert Figure.from_json(json.loads(json.dumps(figure.as_json()))) == figure
    assert figure.as_json()["holds"] is True


def test_few_sources_make_a_wide_interval_however_often_each_is_counted() -> None:
    right = [True] * 19 + [False]
    few = over("wordings", share("x", right * 50), [100.0 * r for r in right * 50], [str(i) for i in range(20)] * 50)
    once = over("people", share("x", right * 50), [100.0 * r for r in right * 50], [str(i) for i in range(1000)])
    assert few.value == once.value == 95.0
    assert few.low is not None
    assert few.low == pytest.approx(85, abs=2.6)  # binomial of 20 at 0.95: 2.5th percentile is 17
    assert few.high == 100.0
    assert (once.low, once.high) == pytest.approx((93.6, 96.3), abs=0.3)  # 95 +- 1.96 x 0.69
    assert few.interval_said == f"({few.low:.1f} to 100.0)"
    assert "| 95.0 % (85.0 to 100.0) | 1000, of 20 wordings |" in row(replace(few, low=85.0))
    assert Figure.from_json(json.loads(json.dumps(few.as_json()))) == few


# Phantoms ------------------------------------------------------------------------------------------


def test_any_number_of_phantoms_is_balanced_over_conditions_and_skin_types() -> None:
    cells = [cell(i) for i in range(600)]
    by_condition = Counter(label for label, _ in cells)
    by_cell = Counter(cells)
    assert len(by_cell) == len(LABELS) * len(SKIN_TYPES)
    assert max(by_condition.values()) - min(by_condition.values()) <= 1
    assert max(by_cell.values()) - min(by_cell.values()) <= 1


def test_progress_counts_to_the_end(capsys: pytest.CaptureFixture[str]) -> None:
    assert list(shown(iter(range(7)), "looking", 7)) == list(range(7))
    assert "looking: 7/7" in capsys.readouterr().err


# Seeing --------------------------------------------------------------------------------------------


def test_a_caption_claims_its_phrases_also_those_that_no_concept_has() -> None:
    assert concepts_said("brown skin with a plaque, silvery scale and redness") == {
        "a plaque",
        "silvery scale",
        "redness",
    }
    assert concepts_said("clear brown skin") == set()
    assert concepts_said("olive skin with a plaqueish") == {"a plaqueish"}


def test_f1_is_two_hits_over_all_claims() -> None:
    # 2 of 3 said are true, 2 of 4 true are said: 2 x 2 / (3 + 4)
    said, true = [{"a", "b"}, {"c"}], [{"a", "b", "d"}, {"e"}]
    assert f1(said, true) == pytest.approx(4 / 7)
    assert f1([set()], [set()]) == 1.0
    figure = caption_f1(said, true, ["x", "y"])
    assert (figure.worst, figure.worst_value, figure.holds) == ("y", 0.0, False)


class TalksFor:
    """A SkinGEN whose every answer is known."""

    def __init__(self, label: str, lookalikes: tuple[str, ...]) -> None:
        self.look = lambda image: image
        self.skingpt = SimpleNamespace(
            first_task=lambda seen: iter(["a plaque on fair skin"]),
            second_task=lambda seen, first: iter(["second"]),
            reduce=lambda seen, first, second: Diagnosis(label, lookalikes, 0.0, 1.0),
        )


def test_one_diagnosis_for_all_is_right_for_its_own_condition_only() -> None:
    test = [draw(ONE + i, 64, label, i + 1) for i, label in enumerate(LABELS[:4])]
    skingen: Any = TalksFor(LABELS[0], (LABELS[1],))
    figures = list(seeing(skingen, test, lambda p: p.caption))
    by_condition, by_type, among, captions, tone_of_answer, tone_of_caption = figures
    assert (by_condition.value, by_condition.worst_value) == (25.0, 0.0)
    assert (by_type.value, by_type.at_least, by_type.worst_at_least) == (25.0, None, 92)
    assert among.value == 50.0
    assert captions.value == 1.0
    assert (tone_of_answer.value, tone_of_answer.worst_value) == (25.0, 0.0)  # it is fair, the second type, to it
    assert tone_of_caption.value == 100.0


def test_a_skin_tone_is_read_whole_and_in_front_of_skin_only() -> None:
    assert tone_said("redness and wheals on very fair skin, as in urticaria") == "very fair"
    assert tone_said("brown colour on dark brown skin.") == "dark brown"
    assert tone_said("brown colour and a plaque") is None


# Abstaining ----------------------------------------------------------------------------------------


def test_abstentions_are_counted_where_they_should_be_and_where_not(tmp_path: Path) -> None:
    Image.new("RGB", (300, 300), (200, 150, 130)).save(tmp_path / "arm.png")
    test = [draw(ONE + i, 64) for i in range(4)]
    known = {photo(p).tobytes() for p in test[:3]}
    skingen: Any = SimpleNamespace(
        look=lambda image: image.tobytes(), skingpt=SimpleNamespace(is_familiar=lambda seen: seen in known)
    )
    *kinds, overall, photos, phantoms = abstaining(skingen, test, 2, tmp_path)
    assert [figure.value for figure in kinds] == [100.0] * 4
    assert (photos.value, photos.n, photos.holds) == (100.0, 1, True)
    assert (overall.value, overall.n, overall.holds) == (100.0, 8, True)
    assert list(abstaining(skingen, test, 2)) == [*kinds, overall, phantoms], "the mean is the same without photos"
    assert (phantoms.value, phantoms.holds) == (25.0, False)


def test_each_kind_counts_the_same_however_many_pictures_it_has() -> None:
    overall = over_kinds([share("abstains on noise", [True] * 9), share("abstains on photos", [False])])
    assert (overall.value, overall.n, overall.worst, overall.holds) == (50.0, 10, "photos", False)


def test_a_folder_without_photos_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("none")
    with pytest.raises(FileNotFoundError, match="holds no photo"):
        photographs(tmp_path)


# Masking -------------------------------------------------------------------------------------------


def area(*boxes: tuple[int, int, int, int], side: int = 40) -> np.ndarray:
    """A mask of rectangles x0, y0, x1, y1."""
    mask = np.zeros((side, side), dtype=np.bool_)
    for x0, y0, x1, y1 in boxes:
        mask[y0:y1, x0:x1] = True
    return mask


def test_overlaps() -> None:
    assert iou(area((0, 0, 4, 4)), area((2, 0, 6, 4))) == pytest.approx(8 / 24)
    assert iou(area(), area()) == 0.0
    assert box_iou((0, 0, 4, 4), (2, 0, 6, 4)) == pytest.approx(8 / 24)
    assert box_iou((0, 0, 4, 4), (4, 0, 8, 4)) == 0.0
    assert box_of(area((3, 5, 9, 7), (10, 6, 11, 20))) == (3, 5, 11, 20)
    assert hull([(3, 5, 9, 7), (10, 6, 11, 20)]) == (3, 5, 11, 20)
    assert hull([]) is None


def test_two_lesions_lie_apart_and_are_large_enough() -> None:
    big, small, speck = (0, 0, 12, 12), (20, 20, 28, 28), (35, 2, 37, 4)
    assert two_lesions(area(speck, small, big)) == (big, small)
    assert two_lesions(area(big, speck)) is None  # 4 of 1600 pixels are under 1 %
    ring = area((0, 0, 20, 20)) & ~area((2, 2, 18, 18)) | area((6, 6, 12, 12))
    assert two_lesions(ring) is None  # one lies in the other's box


def phantom_of(mask: np.ndarray, seed: int = ONE) -> Phantom:
    return replace(draw(seed, 64, LABELS[0], 1), mask=mask, image=np.zeros((*mask.shape, 3), np.uint8))


def test_a_clear_box_touches_no_lesion_and_is_the_same_again() -> None:
    phantom = phantom_of(area((0, 0, 30, 15)))
    box = clear_box(phantom)
    assert box is not None
    assert not (masking.inside(box, (40, 40)) & phantom.mask).any()
    assert clear_box(phantom) == box
    assert clear_box(phantom_of(np.ones((40, 40), np.bool_))) is None


def test_absent_names_are_never_the_true_one() -> None:
    for seed in range(ONE, ONE + 40):
        phantom = phantom_of(area(), seed)
        names = absent_names(phantom)
        assert len(set(names)) == 3
        assert phantom.label not in names
        assert absent_names(phantom) == names


class Masks:
    """Stands for a segmenter: a mask for each box."""

    def __init__(self, mask_of: Callable[[Any], np.ndarray]) -> None:
        self.mask_of = mask_of

    def uncut(self, image: Any, boxes: Any) -> list[np.ndarray]:
        return [self.mask_of(box) for box in boxes]


def test_a_segmenter_that_ignores_its_box_does_not_pass() -> None:
    phantom = phantom_of(area((2, 2, 10, 10), (25, 25, 36, 36)))
    obedient: Any = Masks(lambda box: phantom.mask & masking.inside(tuple(box), phantom.mask.shape))
    stubborn: Any = Masks(lambda box: area((25, 25, 36, 36)))
    assert [(f.value, f.n) for f in masking._prompted(obedient, [phantom])] == [(100.0, 2), (100.0, 1)]
    assert [f.value for f in masking._prompted(stubborn, [phantom])] == [50.0, 0.0]


# Retrieving ----------------------------------------------------------------------------------------


def test_a_large_library_is_one_that_the_product_reads(tmp_path: Path) -> None:
    library = large_library(tmp_path, 200, width=8)
    hits = library.search(library.image_vectors[5], library.text_vectors[5], k=4)
    assert hits[0].index == 5
    assert hits[0].similarity == pytest.approx(1, abs=1e-2)
    assert len(hits) == 4


def test_precision_is_the_share_of_hits_with_the_true_label(tmp_path: Path) -> None:
    library = large_library(tmp_path, 64, width=8)
    own = library.rows[3]["label"]
    rows = [hit.label for hit in library.search(library.image_vectors[3], library.text_vectors[3], k=4)]
    skingen: Any = SimpleNamespace(
        library=library,
        clip=SimpleNamespace(images=lambda i: library.image_vectors[3:4], texts=lambda t: library.text_vectors[3:4]),
    )
    (precision,) = retrieving(skingen, [draw(ONE, 64, own, 1)], lambda p: "skin")
    assert precision.value == rows.count(own) / 4 > 0


# Card ----------------------------------------------------------------------------------------------

FIGURES = [
    Figure("diagnosis right", 97.0, 600, worst="striae", worst_value=80.0, at_least=96, worst_at_least=85),
    Figure("box IoU", 0.91, 600, "", at_least=0.88),
    Figure("all models loaded", 7.0, 1, "s", at_most=6, this_machine=True),
    Figure("abstains on noise", 100.0, 150),
]


@pytest.fixture
def pack(tmp_path: Path) -> Path:
    """A pack with one role of 6 parameters and one log of two sittings."""
    (tmp_path / "clip").mkdir()
    save_file({"w": torch.zeros(2, 3)}, tmp_path / "clip" / "model.safetensors")
    (tmp_path / "logs").mkdir()
    rows = [{"step": 20, "loss": 2.0, "s_per_step": 3.0}, {"step": 40, "loss": 1.0, "s_per_step": 6.0}]
    (tmp_path / "logs" / "judge.jsonl").write_text("\n".join(map(json.dumps, rows)) + "\n")
    write_figures(tmp_path, FIGURES)
    return tmp_path


def test_the_card_begins_with_what_does_not_hold(pack: Path) -> None:
    text = write_card(pack).read_text()
    assert "2 of the 3 figures with a goal do not reach it:" in text
    assert "- diagnosis right: 97.0 % (worst: striae 80.0 %); the goal is at least 96 %" in text
    assert text.index("What does not hold") < text.index("| what | value |")
    assert "| box IoU | 0.910 | 600 |  | at least 0.88 | yes |" in text
    assert "| all models loaded (this machine) | 7.00 s | 1 |  | at most 6 s | **no** |" in text
    assert "| clip | 0.00 M | 0.0 MB |" in text
    assert "| judge | 40 | 1.0 | 3 |" in text
    assert "What was tried" not in text


def test_remarks_are_part_of_the_card(pack: Path) -> None:
    (pack / "remarks.md").write_text("Longer training: 96.8 %.\n")
    assert "## What was tried\n\nLonger training: 96.8 %.\n" in write_card(pack).read_text()


def test_a_card_of_reached_goals_says_so(pack: Path) -> None:
    write_figures(pack, FIGURES[1:2])
    assert "All 1 figures with a goal reach it." in write_card(pack).read_text()
    assert missed(FIGURES[1:2]) == []


def test_a_second_run_is_compared_without_seconds(pack: Path) -> None:
    assert differences(read_figures(pack), FIGURES) == []
    now = [replace(FIGURES[0], value=97.1), *FIGURES[1:2], replace(FIGURES[2], value=5.0)]
    changed = differences(FIGURES, now)
    assert len(changed) == 2
    assert changed[0].startswith("diagnosis right: 97.0 of 600 striae 80.0 %, now 97.1")
    assert changed[1] == "abstains on noise: 100.0 of 150, now not measured"


@pytest.fixture
def profile(pack: Path, tmp_path: Path) -> str:
    """A profile of that pack; no role can be loaded."""
    (pack / "labels.yaml").write_text("{}\n")
    path = tmp_path / "small.yaml"
    path.write_text("name: small\ndemonstration: true\nroot: .\nlabels: labels.yaml\nroles: {}\nsettings: {}\n")
    return str(path)


def test_the_card_is_made_again_from_its_figures(pack: Path, profile: str) -> None:
    result = CliRunner().invoke(app, ["card", "--profile", profile])
    assert result.exit_code == 0, result.output
    assert "box IoU" in (pack / "MODEL_CARD.md").read_text()


def run_with(monkeypatch: pytest.MonkeyPatch, figures: list[Figure], *arguments: str) -> Any:
    monkeypatch.setattr("pipeline.evaluation.cli.run", lambda plan, parts, jobs, report, afresh: figures)
    return CliRunner().invoke(app, ["pack", *arguments])


def test_a_part_can_be_measured_anew_on_the_same_weights_alone(
    pack: Path, profile: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    quicker = replace(FIGURES[2], value=5.0)
    result = run_with(monkeypatch, [quicker], "--parts", "timing", "--renew", "--profile", profile)
    assert result.exit_code == 0, result.output
    assert read_figures(pack) == [*FIGURES[:2], quicker, FIGURES[3]]
    assert "5.00 s" in (pack / "MODEL_CARD.md").read_text()
    save_file({"w": torch.ones(2, 3)}, pack / "clip" / "model.safetensors")
    refused = run_with(monkeypatch, FIGURES[:1], "--parts", "seeing", "--renew", "--profile", profile)
    assert refused.exit_code == 2
    assert "other weights" in refused.output
    assert read_figures(pack) == [*FIGURES[:2], quicker, FIGURES[3]]


def test_the_shipped_card_is_of_the_shipped_weights_and_figures() -> None:
    shipped = load_profile("phantom").root
    assert are_of_these_weights(shipped)
    assert all(row(figure) in (shipped / "MODEL_CARD.md").read_text() for figure in read_figures(shipped))


def test_a_whole_run_writes_the_card_and_a_part_does_not(
    pack: Path, profile: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = (pack / "figures.json").read_bytes()
    assert run_with(monkeypatch, FIGURES[:1], "--profile", profile, "--parts", "seeing").exit_code == 0
    assert (pack / "figures.json").read_bytes() == before
    assert not (pack / "MODEL_CARD.md").exists()
    assert run_with(monkeypatch, FIGURES[:1], "--profile", profile).exit_code == 0
    assert read_figures(pack) == FIGURES[:1]
    assert (pack / "MODEL_CARD.md").exists()


def test_photos_that_a_second_run_was_not_given_are_not_missed(
    pack: Path, profile: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_figures(pack, [*FIGURES, share(ON_PHOTOS, [True] * 6, at_least=90)])
    again = run_with(monkeypatch, FIGURES, "--profile", profile, "--again")
    assert again.exit_code == 0, again.output
    assert "--photos names a folder" in again.output
    given = run_with(monkeypatch, FIGURES, "--profile", profile, "--again", "--photos", str(tmp_path))
    assert given.exit_code == 1
    assert f"{ON_PHOTOS}: 100.0 of 6, now not measured" in given.output


def test_a_figure_that_is_new_is_added(pack: Path, profile: str, monkeypatch: pytest.MonkeyPatch) -> None:
    new = share(ON_PHOTOS, [True] * 6, at_least=90)
    result = run_with(monkeypatch, [new], "--parts", "abstaining", "--renew", "--profile", profile)
    assert result.exit_code == 0, result.output
    assert read_figures(pack) == [*FIGURES, new]


def test_a_second_run_that_differs_fails(profile: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert run_with(monkeypatch, FIGURES, "--profile", profile, "--again").exit_code == 0
    changed = [replace(FIGURES[0], value=1.0), *FIGURES[1:]]
    result = run_with(monkeypatch, changed, "--profile", profile, "--again")
    assert result.exit_code == 1
    assert "diagnosis right: 97.0" in result.output
    part = run_with(monkeypatch, FIGURES[1:2], "--profile", profile, "--again", "--parts", "masking")
    assert part.exit_code == 0  # figures of other parts are not missed


def test_an_unknown_part_is_named() -> None:
    result = CliRunner().invoke(app, ["pack", "--parts", "seeing,smelling"])
    assert result.exit_code == 2
    assert "smelling" in result.output


def test_every_part_is_measured_somewhere() -> None:
    assert set(MEASURES) | {"timing"} == set(running.PARTS) == set(running._LONGEST_FIRST) | {"timing"}


def test_the_pack_s_size_leaves_out_what_the_evaluation_writes(tmp_path: Path) -> None:
    (tmp_path / "clip").mkdir()
    (tmp_path / "clip" / "model.safetensors").write_bytes(b"x" * 1500)
    (tmp_path / "figures.json").write_bytes(b"x" * 9000)
    assert megabytes(tmp_path) == pytest.approx(0.0015)


def test_peak_memory_remembers_what_was_given_back() -> None:
    block = np.ones(200_000_000, dtype=np.uint8)
    resident = psutil.Process().memory_info().rss / 1e9
    del block
    assert psutil.Process().memory_info().rss / 1e9 < resident - 0.15
    assert peak_memory() > 0.99 * resident


# Sheet ---------------------------------------------------------------------------------------------


def test_a_sheet_holds_every_photo_and_an_abstention_leaves_its_row_empty() -> None:
    images, seen = MemoryImages(), []

    def explain(request: Any) -> Any:
        seen.append(request.photo)
        yield TextDelta("I cannot tell.")
        yield Explained(SimpleNamespace(caption=None))  # type: ignore[arg-type]

    explainer: Any = SimpleNamespace(explain=explain)
    pixels = np.asarray(explanations(explainer, images))
    assert len(set(seen)) == ROWS
    assert (pixels[:, -(CELL + GAP) :] == 255).all()  # nothing was drawn
    for i, sha256 in enumerate(seen):
        y = GAP + 2 * LINE + i * (CELL + LINE + GAP) + LINE
        cell_of = pixels[y : y + CELL, GAP : GAP + CELL].astype(float)
        original = Image.open(io.BytesIO(images.get(sha256))).resize((CELL, CELL), Image.Resampling.LANCZOS)
        assert np.array_equal(cell_of, np.asarray(original, dtype=float))
