"""End to end: a database in, files out, every number computed a second way."""

from __future__ import annotations

import io
import json
import re
import sqlite3
import statistics
import subprocess
import sys
import zlib
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from html.parser import HTMLParser
from itertools import combinations
from pathlib import Path

import pandas as pd
import pytest
from fontTools.ttLib import TTFont
from PIL import Image
from scipy import stats
from typer.testing import CliRunner

from analysis import figures
from analysis.__main__ import app
from analysis.describe import Description
from analysis.measures import Item
from analysis.model import Condition
from analysis.pdf_fonts import NEEDED
from analysis.report import Summary, html, summarise
from tests.analysis.builder import CONDITIONS, ONCE, REPEATED, Book, answered

TABLES = (
    *("flow", "table3", "table4", "table5", "ratings_by_condition", "tests"),
    *("sensitivity", "agreement", "apa"),
)
FIGURES = ("figure9", "flow", "counts", "differences")
FILES = {
    *(f"{table}.{ending}" for table in TABLES for ending in ("csv", "md", "tex")),
    *(f"{figure}.{ending}" for figure in FIGURES for ending in ("png", "svg", "pdf")),
    *("report.html", "results.json", "apa.txt", "methods.txt"),
}


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return answered(40).write(tmp_path_factory.mktemp("study") / "study.db")


@pytest.fixture(scope="module")
def summary(database: Path) -> Summary:
    return summarise(database)


@pytest.fixture(scope="module")
def printed(database: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """The folder that the command wrote, once for all tests (figures take their time), and what it printed."""
    folder = tmp_path_factory.mktemp("report") / "new" / "folder"
    code, output = command(database, "--out", folder)
    assert code == 0
    return folder, output


@pytest.fixture(scope="module")
def report(printed: tuple[Path, str]) -> Path:
    return printed[0]


def from_sql(database: Path, item: str, condition: str | None = None) -> list[int]:
    """An item's answers by participant, read past the analysis."""
    query = "SELECT value FROM ratings WHERE item = ? AND condition IS ? ORDER BY participant"
    with closing(sqlite3.connect(database)) as connection:
        return [row[0] for row in connection.execute(query, (item, condition))]


def test_ratings_by_condition(database: Path, report: Path) -> None:
    table = pd.read_csv(report / "ratings_by_condition.csv")
    assert len(table) == 9
    for row in table.itertuples():
        values = from_sql(database, row.item, row.condition)
        assert row.n == len(values) == 40
        assert row.mean == pytest.approx(statistics.mean(values), rel=1e-12)
        assert row.sd == pytest.approx(statistics.stdev(values), rel=1e-12)
        assert row.median == statistics.median(values)
        counts = Counter(values)
        assert [getattr(row, f"count_{point}") for point in range(1, 6)] == [counts[p] for p in range(1, 6)]


def test_table5(database: Path, report: Path) -> None:
    table = pd.read_csv(report / "table5.csv")
    assert list(table["item"]) == list(ONCE)
    markdown = (report / "table5.md").read_text()
    for row in table.itertuples():
        values = from_sql(database, row.item)
        assert row.n == 40
        assert row.mean == pytest.approx(statistics.mean(values), rel=1e-12)
        mean, sd = statistics.mean(values) + 1e-9, statistics.stdev(values)  # half up
        assert f"| {ONCE[row.item]} | {mean:.2f} ± {sd:.2f} | 40 |" in markdown


def test_table3(database: Path, report: Path) -> None:
    with closing(sqlite3.connect(database)) as connection:
        given = [json.loads(row[0]) for row in connection.execute("SELECT demographics FROM participants")]
    men = sum(answer["gender"] == "male" for answer in given)
    table = pd.read_csv(report / "table3.csv")
    rows = {(name, option): (count, share) for name, option, count, share in table.itertuples(index=False)}
    assert rows == {
        ("Gender", "Male"): (men, men * 2.5),
        ("Gender", "Female"): (40 - men, (40 - men) * 2.5),
        ("Medical background", "Yes"): (0, 0),
        ("Medical background", "No"): (40, 100),
    }


def test_tests(database: Path, report: Path) -> None:
    table = pd.read_csv(report / "tests.csv").set_index(["item", "test", "first", "second"]).sort_index()
    assert len(table) == 12
    for item in REPEATED:
        columns = [from_sql(database, item, condition) for condition in CONDITIONS]
        expected = stats.friedmanchisquare(*columns)
        row = table.loc[(item, "friedman")].iloc[0]
        assert row["statistic"] == pytest.approx(expected.statistic, rel=1e-9)
        assert row["p_asymptotic"] == pytest.approx(expected.pvalue, rel=1e-9)
        assert row["effect_size"] == pytest.approx(expected.statistic / 80, rel=1e-9)
        for first, second in [("text", "cases"), ("text", "generated"), ("cases", "generated")]:
            row = table.loc[(item, "wilcoxon", first, second)]
            a, b = (columns[list(CONDITIONS).index(key)] for key in (first, second))
            peer = stats.wilcoxon(a, b, zero_method="wilcox", correction=False, method="asymptotic")
            assert min(row["statistic"], row["w_minus"]) == peer.statistic
            assert row["p"] == pytest.approx(peer.pvalue, rel=0.15, abs=2e-3)  # exact against normal
            assert row["n"] == 40
            assert row["n_zero"] == sum(x == y for x, y in zip(a, b, strict=True))


def test_figure_is_a_journal_column_and_the_page_shows_the_exported_file(summary: Summary, report: Path) -> None:
    image = Image.open(report / "figure9.png")
    assert image.size == (1080, 900)
    assert round(image.info["dpi"][0]) == 300
    assert summary.figure9("light", "png") == (report / "figure9.png").read_bytes()
    assert summary.figure9("light", "svg") == (report / "figure9.svg").read_bytes()
    dark = Image.open(io.BytesIO(summary.figure9("dark", "png"))).convert("RGB")
    assert dark.getpixel((0, 0)) == (0x12, 0x19, 0x1D)


@pytest.mark.parametrize(("items", "turned"), [(3, 0), (9, 90)])
def test_no_number_of_figure_9_hides_a_whisker_or_is_hidden(items: int, turned: int) -> None:
    """Means near the ends of the scale, whose whiskers end beyond it."""
    systems = [Condition(key, key) for key in "abc"]
    rated = [Item(f"i{number}", f"item {number}", "", "", 1, 5, True) for number in range(items)]
    cells = {(item, c): Description(9, mean, 1.4, 3.0, {}) for item in rated
             for c, mean in zip(systems, (1.2, 3.0, 4.6), strict=True)}  # fmt: skip
    figure = figures.figure9(cells)
    (axes,) = figure.axes
    numbers = [text.get_window_extent() for text in axes.texts]
    assert [text.get_text() for text in axes.texts].count("4.60") == items
    assert {text.get_rotation() for text in axes.texts} == {turned}
    assert all(number.y1 < axes.get_window_extent().y0 for number in numbers)
    names = [label.get_window_extent() for label in axes.get_xticklabels()]
    assert all(number.y0 > name.y1 for number in numbers for name in names)
    assert not any(a.overlaps(b) for a, b in combinations(numbers, 2))
    assert axes.get_ylim()[0] < 1.2 - 1.4
    assert axes.get_ylim()[1] > 4.6 + 1.4


def test_fonts_in_a_pdf_are_whole_outlines_and_nothing_else(report: Path) -> None:
    pdf = (report / "figure9.pdf").read_bytes()
    streams = [
        zlib.decompress(found) for found in re.findall(rb"FlateDecode.*?stream\r?\n(.*?)\r?\nendstream", pdf, re.S)
    ]
    fonts = [TTFont(io.BytesIO(stream)) for stream in streams if stream.startswith(b"\0\1\0\0")]
    outlines = 0
    for font in fonts:
        assert {"glyf", "loca", "hmtx", "head"} <= set(font.keys()) <= NEEDED
        outlines += sum(font["glyf"][name].numberOfContours != 0 for name in font.getGlyphOrder())
    assert outlines > 20
    assert any(b"beginbfrange" in stream for stream in streams)  # so that text can be searched


def test_svg_is_the_same_in_another_process(database: Path, report: Path) -> None:
    code = (
        "import sys; from analysis.report import summarise; "
        "sys.stdout.buffer.write(summarise(sys.argv[1]).figure9('light', 'svg'))"
    )
    run = subprocess.run([sys.executable, "-c", code, str(database)], capture_output=True, check=True)
    assert run.stdout == (report / "figure9.svg").read_bytes()
    assert b"<dc:date>" not in run.stdout


def test_threads_draw_the_same_figure(summary: Summary, report: Path) -> None:
    with ThreadPoolExecutor(4) as pool:
        drawn = list(pool.map(lambda _: figures.figure9_bytes(summary.cells, kind="svg"), range(4)))
    assert set(drawn) == {(report / "figure9.svg").read_bytes()}


class Page(HTMLParser):
    """Collects what a page would fetch, its headings and its pictures' texts."""

    def __init__(self) -> None:
        super().__init__()
        self.addresses: list[str] = []
        self.alts: list[str] = []
        self.tags: Counter[str] = Counter()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags[tag] += 1
        for name, value in attrs:
            if name in ("src", "srcset", "href"):
                self.addresses.append(value or "")
            if name == "alt":
                self.alts.append(value or "")


def test_html_is_one_file_that_says_what_was_computed(database: Path, report: Path) -> None:
    text = (report / "report.html").read_text()
    page = Page()
    page.feed(text)
    assert page.addresses
    assert all(address.startswith("data:image/svg+xml;base64,") for address in page.addresses)
    assert page.tags["script"] == 0
    assert (page.tags["h1"], page.tags["table"], page.tags["caption"]) == (1, 9, 9)
    mean = statistics.mean(from_sql(database, "trust", "generated"))
    assert len(page.alts) == 4
    assert any(f"SkinGEN {mean + 1e-9:.2f}" in alt for alt in page.alts)
    trust = Counter(from_sql(database, "trust", "generated"))
    assert f"Perceived Trust, SkinGEN: {', '.join(str(trust[p]) for p in range(1, 6))}." in " ".join(page.alts)
    for said in ("40 completed participants", "d1d1d1", "scipy", "sample standard deviation", 'lang="en"'):
        assert said in text
    assert "SIMULATED" not in text


def test_simulated_data_is_stamped(tmp_path: Path, summary: Summary) -> None:
    book = answered(40)
    book.meta.append({"key": "simulated", "value": "1"})
    stamped = summarise(book.write(tmp_path / "simulated.db"))
    assert stamped.simulated
    assert "SIMULATED DATA" in html(stamped)
    figure = stamped.figure9("light", "svg")
    assert b"SIMULATED DATA" in figure  # matplotlib keeps a text as a comment by its glyphs
    assert b"SIMULATED DATA" not in summary.figure9("light", "svg")


def test_a_wording_can_neither_run_nor_break_a_table(tmp_path: Path) -> None:
    book = answered(5)
    evil = '=HYPERLINK("http://x")|<script>alert(1)</script> 100% & $x_1$ {a}\\'
    next(row for row in book.items if row["item"] == "correct")["wording"] = evil
    next(row for row in book.items if row["item"] == "useful")["wording"] = "-1 + 1"
    summary = summarise(book.write(tmp_path / "evil.db"))
    table = pd.read_csv(io.BytesIO(summary.table5.csv()))
    assert list(table["question"]) == [f"'{evil}", ONCE["informative"], "'-1 + 1"]
    assert "<script>" not in html(summary)
    assert "<script>" not in summary.table5.markdown()
    row = next(line for line in summary.table5.markdown().splitlines() if "HYPERLINK" in line)
    assert len(re.findall(r"(?<!\\)\|", row)) == 4
    latex = summary.table5.latex()
    assert r"100\% \& \$x\_1\$ \{a\}\textbackslash{}" in latex
    assert latex.count(r"\\") == 4


def test_missing_answers_are_said_in_the_tables(tmp_path: Path) -> None:
    book = answered(10)
    gone = next(row for row in book.ratings if row["item"] == "ease" and row["condition"] == "cases")
    book.ratings.remove(gone)
    found = summarise(book.write(tmp_path / "missing.db"))
    assert "(n = 9)" in found.ratings_by_condition.markdown()
    assert f"Without an answer in every system of some item: {gone['participant']}" in found.tests.note
    table = found.tests.frame
    row = table[(table["item"] == "ease") & (table["test"] == "friedman")].iloc[0]
    assert (row["n"], row["left_out"]) == (9, gone["participant"])
    assert "n = 9 to 10 per bar" in found.figure_caption()


def test_one_participant_and_no_repeated_items(tmp_path: Path) -> None:
    one = summarise(answered(1).write(tmp_path / "one.db"))
    assert "± –" in one.table5.markdown()
    assert "fewer than two participants" in one.tests.markdown()
    assert one.figure9("light", "svg")
    book = answered(3)
    book.ratings = [row for row in book.ratings if row["condition"] is None]
    book.items = [row for row in book.items if not row["repeated"]]
    once = summarise(book.write(tmp_path / "once.db"))
    assert not once.has_figure
    assert [table.name for table in once.tables] == ["flow", "table3", "table4", "table5", "agreement"]
    assert [name for name, pictures in once.pictures.items() if pictures] == ["flow", "counts"]


def test_unknown_demographics_are_not_counted_as_nobody(tmp_path: Path) -> None:
    book = Book()
    book.define()
    book.person("P1", demographics=None)
    book.person("P2", demographics=json.dumps({"medical_background": "prefer_not_to_say"}))
    table = summarise(book.write(tmp_path / "unknown.db")).table3.frame
    assert [tuple(row) for row in table.itertuples(index=False)] == [
        ("Medical background", "Yes", 0, 0.0),
        ("Medical background", "No", 0, 0.0),
        ("Medical background", "Prefer not to say", 1, 50.0),
        ("Medical background", "Not stated", 1, 50.0),
    ]


def command(*arguments: object) -> tuple[int, str]:
    result = CliRunner().invoke(app, ["report", *map(str, arguments)])
    assert result.exception is None or isinstance(result.exception, SystemExit)
    return result.exit_code, result.output


def test_command_prints_table5_and_the_tests(printed: tuple[Path, str]) -> None:
    folder, output = printed
    assert {path.name for path in folder.iterdir()} == FILES
    for said in (ONCE["correct"], "SkinGPT (text) vs SkinGEN", "χ²(2) =", "43 files"):
        assert said in output


def test_command_refuses_plainly_and_writes_nothing(database: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    book = Book()
    book.define()
    book.person("P1", "active")
    code, output = command(book.write(tmp_path / "early.db"), "--out", out)
    assert code == 1
    assert "There is nothing to report yet" in output
    code, output = command(tmp_path / "none.db", "--out", out)
    assert code == 2
    assert "no such file" in output
    assert not out.exists()
    out.write_text("a file")
    code, output = command(database, "--out", out)
    assert code == 2
    assert "Choose another --out" in output


def test_the_analysis_is_light_and_knows_no_other_room() -> None:
    code = (
        "import sys, analysis.__main__; "
        "print([m for m in sys.modules if m.split('.')[0] in "
        "('study_app', 'pipeline', 'streamlit', 'torch') or m == 'matplotlib.pyplot'])"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "[]"
