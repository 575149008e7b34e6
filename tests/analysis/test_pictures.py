"""The figures beside Figure 9: their numbers are those of the rows, their files what printers and grey print need."""

from __future__ import annotations

import io
import json
import re
from collections import Counter
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from matplotlib.colors import to_rgb
from PIL import Image

from analysis import difference_figure, flow_figure, stacked, times_figure
from analysis.describe import describe
from analysis.figures import render
from analysis.load import load
from analysis.model import StudyData
from analysis.pictures import Picture
from tests.analysis.builder import CONDITIONS, REPEATED, Book, answered


def whole(n: int = 24) -> Book:
    """A study with periods, durations and people who left at every stage."""
    book = answered(n)
    order = {p["participant"]: p["sequence"].split(">") for p in book.participants}
    for number, row in enumerate(book.ratings):
        row["period"] = order[row["participant"]].index(row["condition"]) + 1 if row["condition"] else None
        row["duration_s"] = 1.5 + number % 7
    for person in book.participants:
        person["periods_finished"] = 3
    lost = {"exclusion_reason": "failed attention check", "sequence": "text>cases>generated", "periods_finished": 3}
    for item in REPEATED:
        for condition in CONDITIONS:
            book.rate(book.participants[0] | {"participant": "P0101"}, item, 1, condition)
    book.person("P0101", "excluded", **lost)
    book.person("P0102", "withdrawn", sequence="text>cases>generated", periods_finished=1)
    book.person("P0103", "screened_out", exclusion_reason="under 18", consented_at=None, allocated_at=None)
    book.person("P0104", "abandoned", allocated_at=None)
    return book


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> StudyData:
    return load(whole().write(tmp_path_factory.mktemp("pictures") / "study.db"))


def only(found: Iterator[Picture]) -> Picture:
    (picture,) = found
    return picture


def drawn(picture: Picture) -> list[str]:
    """The texts in an SVG, which matplotlib keeps as comments beside their outlines."""
    found = re.findall(r"<!-- (.*?) -->", picture.svg.decode(), re.DOTALL)
    return [text.replace("&gt;", ">") for text in found]


def test_every_count_of_every_item_is_drawn(data: StudyData) -> None:
    picture = only(stacked.pictures(data))
    texts = Counter(drawn(picture))
    for item in REPEATED:
        for condition in CONDITIONS:
            rows = data.ratings[(data.ratings["item"] == item) & (data.ratings["condition"] == condition)]
            counts = Counter(rows["value"].astype(int))
            assert f"{CONDITIONS[condition]}: {', '.join(str(counts[point]) for point in range(1, 6))}." in picture.alt
            assert all(texts[str(number)] for number in counts.values())
    assert texts["n = 24"] == 9 + 3
    assert [texts[wording] for wording, _ in REPEATED.values()] == [1, 1, 1]


def test_bars_are_centred_on_the_middle_of_the_scale(data: StudyData) -> None:
    cell = describe([1, 2, 3, 3, 5], 1, 5)
    assert stacked._ends(cell) == pytest.approx((0.6, 0.4))
    assert stacked._ends(describe([1, 2, 3, 4], 1, 4)) == pytest.approx((0.5, 0.5))


@pytest.mark.parametrize("points", [2, 4, 5, 7])
def test_neighbours_differ_in_grey(points: int) -> None:
    grey = [float(np.dot([0.2126, 0.7152, 0.0722], to_rgb(colour))) for colour in stacked.colours(points)]
    assert min(abs(a - b) for a, b in pairwise(grey)) > 0.05
    if points == 5:
        assert min(abs(a - b) for i, a in enumerate(grey) for b in grey[i + 1 :]) > 0.05


def test_differences_count_participants(data: StudyData) -> None:
    picture = only(difference_figure.pictures(data))
    frame = data.by_condition(data.repeated_items[0])
    d = frame["text"] - frame["generated"]
    said = f"{(d < 0).sum()} rated SkinGEN higher, {(d == 0).sum()} alike, {(d > 0).sum()} SkinGPT (text) higher"
    assert f"Perceived Trust: {said}" in picture.alt
    assert f"second higher: {(d < 0).sum()}" in drawn(picture)


def test_page_times_have_quartiles_of_the_pages(data: StudyData) -> None:
    picture = only(times_figure.pictures(data))
    rows = data.ratings[data.ratings["condition"] == "cases"]
    q1, median, q3 = np.percentile(rows.groupby("participant")["duration_s"].max(), [25, 50, 75])
    assert f"{median:.1f} s ({q1:.1f} to {q3:.1f}), n = 24" in drawn(picture)
    assert len([text for text in drawn(picture) if text.endswith("n = 24")]) == len(CONDITIONS) + 1


def test_flow_accounts_for_everybody(data: StudyData) -> None:
    flow = data.flow
    assert (flow.arrived, flow.consented, flow.allocated, flow.completed) == (28, 27, 26, 24)
    assert flow.not_consented == {"screened out: under 18": 1}
    assert flow.not_allocated == {"abandoned": 1}
    assert sum(arm.allocated for arm in flow.arms) == flow.allocated
    assert sum(arm.completed + sum(arm.out.values()) for arm in flow.arms) == flow.allocated
    arm = next(arm for arm in flow.arms if arm.sequence == "text>cases>generated")
    assert (arm.allocated, arm.finished, arm.completed) == (6, (6, 5, 5), 4)
    assert arm.out == {"excluded: failed attention check": 1, "withdrawn": 1}
    texts = drawn(only(flow_figure.pictures(data)))
    for said in ("Arrived: 28", "Consented: 27", "Allocated to a sequence: 26"):
        assert said in texts
    assert "Completed the study and analysed: 24" in texts
    table = flow_figure.table(data)
    assert table.frame["allocated"].sum() == 26
    assert "screened out: under 18" in table.note


def test_files_are_for_print_and_always_the_same(data: StudyData) -> None:
    picture = only(difference_figure.pictures(data))
    found = picture.files()
    assert set(found) == {"differences.png", "differences.svg", "differences.pdf"}
    image = Image.open(io.BytesIO(found["differences.png"]))
    assert round(image.info["dpi"][0]) == 300
    assert image.width == 2160
    assert found["differences.pdf"].startswith(b"%PDF")
    assert b"CreationDate" not in found["differences.pdf"]
    assert only(difference_figure.pictures(data)).files() == found


def test_simulated_data_is_stamped_in_every_figure(tmp_path: Path) -> None:
    book = whole(6)
    book.meta.append({"key": "simulated", "value": "1"})
    data = load(book.write(tmp_path / "simulated.db"))
    for module in (stacked, difference_figure, times_figure, flow_figure):
        assert "SIMULATED DATA" in drawn(only(module.pictures(data)))


def test_no_figure_where_there_is_nothing_to_draw(tmp_path: Path, data: StudyData) -> None:
    book = Book()
    book.define()
    book.person("P1", demographics=json.dumps({}))
    nothing = load(book.write(tmp_path / "nothing.db"))
    assert [list(m.pictures(nothing)) for m in (stacked, difference_figure, times_figure)] == [[], [], []]
    book = answered(2)
    for row in book.items:
        row["scale_max"] = 100
    assert list(stacked.pictures(load(book.write(tmp_path / "wide.db")))) == []
    csv = tmp_path / "ratings.csv"
    csv.write_text("participant,condition,item,value\nP1,a,x,1\nP1,b,x,2\nP2,a,x,2\nP2,b,x,2\n")
    bare = load(csv)
    assert list(flow_figure.pictures(bare)) == []
    assert "1 rated b higher, 1 alike" in only(difference_figure.pictures(bare)).alt
    assert render(only(stacked.pictures(bare)).draw(), "png")
