"""The whole report of a study: computed in memory by ``summarise``, put into a folder by ``write``.

The researcher's page uses ``summarise`` as well, so that screen and files cannot differ.
"""

from __future__ import annotations

import base64
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from analysis import apa, difference_figure, figures, flow_figure, stacked, tables, times_figure
from analysis.account import accounted
from analysis.agreement import agreement_table, systems_table
from analysis.between_table import between_tests
from analysis.bootstrap import SEED
from analysis.compare import Comparison, compare_items
from analysis.demographics import table3
from analysis.errors import InputError
from analysis.export import Table
from analysis.facts import Facts, as_json
from analysis.figures import Format, Theme
from analysis.load import load
from analysis.measures import SCORE
from analysis.methods import paragraph
from analysis.mixed_design import groups_of
from analysis.mixed_table import mixed_tests
from analysis.model import StudyData
from analysis.pairs import pairs_table
from analysis.people import by_rule
from analysis.pictures import KINDS, Picture
from analysis.reliance_table import reliance_table
from analysis.results import results, versions
from analysis.sensitivity_tables import sensitivity, with_and_without


@dataclass(frozen=True)
class Summary:
    """Everything that is reported about one study, run kind and definition.

    Every ``Table`` has ``frame`` (full precision), ``display`` (strings, for a page) and the
    methods ``csv()``, ``markdown()`` and ``latex()``.
    """

    data: StudyData
    table3: Table
    table5: Table
    ratings_by_condition: Table
    tests: Table
    comparisons: tuple[Comparison, ...]
    cells: figures.Cells
    seed: int = SEED

    @cached_property
    def pages(self) -> tuple[figures.Cells, ...]:
        """What each figure of Figure 9 draws: one a scale, the first mostly the only one."""
        return figures.by_scale(self.cells)

    @property
    def n(self) -> int:
        """Completed participants."""
        return self.data.n

    @property
    def simulated(self) -> bool:
        return self.data.simulated

    @cached_property
    def facts(self) -> Facts:
        """results.json before it is written: every number, computed when it is first asked for."""
        return results(self.data, self.comparisons, self.seed)

    @cached_property
    def said(self) -> tuple[apa.Said, ...]:
        """Every test as a string ready to paste."""
        return apa.sentences(self.facts, {item.key: item.name for item in self.data.items})

    @property
    def flow(self) -> Table:
        return accounted(flow_figure.table(self.data), self.data)

    @property
    def table4(self) -> Table:
        return accounted(tables.table4(self.data), self.data)

    @cached_property
    def further(self) -> dict[str, Table]:
        """The tables made of ``facts``, by name; some have no rows."""
        names = {item.key: item.name for item in self.data.items}
        found = (
            sensitivity(self.facts, names),
            with_and_without(self.facts, names),
            agreement_table(self.data, self.facts),
            systems_table(self.facts),
            reliance_table(self.facts),
            pairs_table(self.facts),
            apa.table(self.said),
        )
        return {table.name: accounted(table, self.data) for table in found}

    @property
    def methods(self) -> str:
        """A paragraph for the methods section."""
        return paragraph(self.data, self.facts)

    @cached_property
    def pictures(self) -> dict[str, tuple[Picture, ...]]:
        """Kind (flow, counts, differences, page_times, answer_times) -> figures beside Figure 9; may be none."""
        return {
            "flow": tuple(flow_figure.pictures(self.data)),
            "counts": tuple(stacked.pictures(self.data)),
            "differences": tuple(difference_figure.pictures(self.data)),
            "page_times": tuple(times_figure.pictures(self.data)),
            "answer_times": tuple(times_figure.answer_pictures(self.data)),
        }

    @property
    def tables(self) -> tuple[Table, ...]:
        """The tables that have rows, in the order of the report."""
        every = (
            *(self.flow, self.table3, self.table4, self.ratings_by_condition, self.tests, self.table5),
            *self.further.values(),
        )
        return tuple(table for table in every if not table.frame.empty)

    @property
    def headline(self) -> str:
        """``40 completed participants, live run only, 2 left out (2 withdrawn).``"""
        gone = by_rule(self.data.left_out)
        account = ", ".join(f"{number} {reason}" for reason, number in gone.items())
        left_out = f"{sum(gone.values())} left out ({account})" if gone else "nobody left out"
        people = "participant" if self.n == 1 else "participants"
        return f"{self.n} completed {people}, {self.data.run_kind} run only, {left_out}."

    @property
    def has_figure(self) -> bool:
        """False for a study without repeated items, or with more systems than Figure 9 has colours."""
        return 0 < len(self.data.conditions) <= len(figures.PALETTES["light"].bars) and bool(self.cells)

    def figure9(self, theme: Theme = "light", kind: Format = "png", page: int = 0) -> bytes:
        """A page of Figure 9 as file bytes, identical to those that ``write`` exports for the same theme."""
        if (theme, kind, page) not in self._drawn:
            drawn = figures.figure9_bytes(self.pages[page], theme=theme, kind=kind, simulated=self.simulated)
            self._drawn[theme, kind, page] = drawn
        return self._drawn[theme, kind, page]

    def figure9_files(self, theme: Theme = "light") -> dict[str, bytes]:
        """File name -> bytes of every kind of Figure 9 (figure9_2 and so on for further scales), drawn once."""
        found: dict[str, bytes] = {}
        for page, cells in enumerate(self.pages):
            if any((theme, kind, page) not in self._drawn for kind in KINDS):
                drawn = figures.figure9(cells, theme=theme, simulated=self.simulated)
                self._drawn.update({(theme, kind, page): figures.render(drawn, kind) for kind in KINDS})
            name = "figure9" if page == 0 else f"figure9_{page + 1}"
            found |= {f"{name}.{kind}": self._drawn[theme, kind, page] for kind in KINDS}
        return found

    @cached_property
    def _drawn(self) -> dict[tuple[Theme, Format, int], bytes]:
        """What was drawn already: the page and the files show the same."""
        return {}

    def figure_caption(self, page: int = 0) -> str:
        cells = self.pages[page]
        items = dict.fromkeys(item for item, _ in cells)
        said = (i.wording + "." if i.kind == SCORE else f"{i.name}: “{i.wording}”" for i in items)
        return f"Figure 9. Ratings by system, mean ± SD, {figures.n_label(cells)}. {' '.join(said)}"

    def figure_alt(self, page: int = 0) -> str:
        return figures.alt_text(self.pages[page])


def summarise(
    path: Path | str,
    run_kind: str = "live",
    *,
    study: str | None = None,
    definition: str | None = None,
    pool_versions: bool = False,
    scale: tuple[int, int] = (1, 5),
    exclude_bad_rows: bool = False,
    seed: int = SEED,
) -> Summary:
    """Read a study and compute its report. Arguments and errors are those of ``load.load``.

    ``seed`` is that of the bootstrap intervals in results.json.
    """
    data = load(
        path,
        run_kind,
        study=study,
        definition=definition,
        pool_versions=pool_versions,
        scale=scale,
        exclude_bad_rows=exclude_bad_rows,
    )
    comparisons = compare_items({item.key: data.by_condition(item) for item in data.tested_items}, data.met)
    return Summary(
        data=data,
        table3=accounted(table3(data), data),
        table5=accounted(tables.table5(data), data),
        ratings_by_condition=accounted(tables.ratings_by_condition(data), data),
        tests=accounted(_tests(data, comparisons), data),
        comparisons=comparisons,
        cells={cell: found for cell, found in tables.describe_conditions(data).items() if cell[0] in data.tested_items},
        seed=seed,
    )


def _tests(data: StudyData, comparisons: tuple[Comparison, ...]) -> Table:
    if data.between:
        return between_tests(data)
    return mixed_tests(data, comparisons) if groups_of(data) else tables.tests(data, comparisons)


def files(summary: Summary, theme: Theme = "light") -> dict[str, bytes]:
    """File name -> bytes of everything that ``write`` writes."""
    found: dict[str, bytes] = {}
    for table in summary.tables:
        found[f"{table.name}.csv"] = table.csv()
        found[f"{table.name}.md"] = table.markdown().encode()
        found[f"{table.name}.tex"] = table.latex().encode()
    if summary.has_figure:
        found |= summary.figure9_files(theme)
    for picture in (picture for kind in summary.pictures.values() for picture in kind):
        found |= picture.files()
    found["report.html"] = html(summary).encode()
    found["methods.txt"] = f"{summary.methods}\n".encode()
    found["apa.txt"] = apa.text_file(summary.said).encode()
    found["results.json"] = as_json(summary.facts)
    return found


def write(summary: Summary, folder: Path, theme: Theme = "light") -> list[Path]:
    """Write the report; nothing is written unless all of it could be computed.

    Raises:
        InputError: ``folder`` cannot be made or written to.
    """
    if folder.exists() and not folder.is_dir():  # said before the figures are drawn, not after
        raise InputError(f"{folder}: is a file, not a folder. Choose another --out.")
    contents = files(summary, theme)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, content in contents.items():
            (folder / name).write_bytes(content)
    except OSError as error:
        raise InputError(f"{folder}: cannot be written ({error.strerror}). Choose another --out.") from error
    return [folder / name for name in contents]


def html(summary: Summary) -> str:
    """The report as one file: no network, no script, the figure in both themes inside it."""
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"apa": apa.rich, "uri": _data_uri}
    images = [
        {theme: _data_uri(summary.figure9(theme, "svg", page)) for theme in figures.PALETTES}
        for page in range(len(summary.pages) if summary.has_figure else 0)
    ]
    return environment.get_template("report.html.j2").render(
        summary=summary, data=summary.data, images=images, stamp=figures.SIMULATED, versions=versions()
    )


def _data_uri(svg: bytes) -> str:
    return "data:image/svg+xml;base64," + base64.b64encode(svg).decode()
