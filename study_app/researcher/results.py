"""Figure 9, Tables 3 and 5 and the tests, of the data so far: what `python -m analysis report` writes."""

from __future__ import annotations

from collections.abc import Callable

import pandas as pd
import streamlit as st

from analysis.describe import NOTHING
from analysis.errors import AnalysisError, NoData
from analysis.export import Table
from analysis.figures import Format, Theme
from analysis.report import Summary, html, summarise
from study_app.failures import guarded
from study_app.researcher.login import researcher_head
from study_app.researcher.session import proof, with_proof
from study_app.services import services
from study_app.study.access.audit import Action
from study_app.study.versions import Version, completed_versions

_ALL = ""
MOST_COLUMNS_ON_A_PHONE = 5


@guarded
def page() -> None:
    opened = services()
    kind = researcher_head("Results", opened.run_kind)
    version = _version(completed_versions(opened.store.database, opened.study.id, kind))
    try:
        summary = summarise(
            opened.database, kind, study=opened.study.id, definition=version or None, pool_versions=not version
        )
    except NoData:
        st.info("Nobody has completed the study in this run yet. Results appear with the first who does.")
        return
    except AnalysisError as error:
        st.warning(str(error))
        return
    _show(summary)


def _version(versions: tuple[Version, ...]) -> str:
    """The hash of the version to look at, empty for all together; asked only where there are several."""
    if len(versions) < 2:
        return ""
    names = {_ALL: f"All {len(versions)} versions together"}
    names |= {each.definition_hash: _named(each) for each in versions}
    return st.selectbox("Version of the study", list(names), format_func=names.__getitem__, width=420, key="version")


def _named(version: Version) -> str:
    return f"{version.definition_hash[:6]}, from {version.registered_at[:10]}: {version.completed} completed"


def _show(summary: Summary) -> None:
    st.markdown(f"{summary.headline} Means of ordinal answers are shown as in the paper; tests use ranks.")
    for note in summary.data.notes:
        st.markdown(note)
    left, right = st.columns(2, gap="large")
    token = proof()
    with left:
        for number in range(len(summary.pages) if summary.has_figure else 0):
            _figure(summary, number, token)
    with right:
        _table(summary.ratings_by_condition)
        _table(summary.table5)
        _table(summary.table3)
    _table(summary.tests)
    st.download_button(
        "Report, one HTML file",
        lambda: _report(summary, token),
        "report.html",
        "text/html",
        icon=":material/download:",
        on_click="ignore",
        key="report_html",
    )


def _report(summary: Summary, token: str) -> bytes:
    """Raises Refused, NotSaved: then the browser gets no file."""
    who = with_proof(token, "viewer").name
    services().store.researcher.audit.add(who, Action.exported, "report, one HTML file", summary.headline)
    return html(summary).encode()


def _picture(summary: Summary, number: int, token: str, theme: Theme, kind: Format) -> bytes:
    """Raises Refused, NotSaved."""
    who = with_proof(token, "viewer").name
    services().store.researcher.audit.add(who, Action.exported, f"Figure 9, {kind.upper()}", summary.headline)
    return summary.figure9(theme, kind, number)


def _figure(summary: Summary, number: int, token: str) -> None:
    """``number``: which page of Figure 9, from 0; one page a scale."""
    theme: Theme = "dark" if st.context.theme.type == "dark" else "light"
    if number == 0:
        st.subheader("Figure 9. Ratings by system", anchor=False)
    st.image(summary.figure9(theme, "png", number), width="stretch", alt=summary.figure_alt(number))
    st.markdown(summary.figure_caption(number))
    end = f"_{number + 1}" if number else ""
    with st.container(horizontal=True):
        _offer("PNG", end, "image/png", lambda: _picture(summary, number, token, theme, "png"))
        _offer("SVG", end, "image/svg+xml", lambda: _picture(summary, number, token, theme, "svg"))
        _offer("PDF", end, "application/pdf", lambda: _picture(summary, number, token, theme, "pdf"))


def _offer(kind: str, end: str, mime: str, made: Callable[[], bytes]) -> None:
    """Made, and written down, at the click."""
    name = kind.lower()
    st.download_button(kind, made, f"figure9{end}.{name}", mime, on_click="ignore", key=f"figure{end}_{name}")


def _table(table: Table) -> None:
    if table.display.empty:
        return
    st.subheader(table.title, anchor=False)
    if len(table.display.columns) <= MOST_COLUMNS_ON_A_PHONE:
        st.table(table.display, border="horizontal", hide_index=True, alt=table.title)
    else:  # `look.py` shows one of the two, by the width of the window, which the server does not know
        for place, display in (("desk", table.display), ("phone", for_a_phone(table))):
            with st.container(key=f"{place}_{table.name}"):
                st.table(display, border="horizontal", hide_index=True, alt=table.title)
    if table.note:
        st.markdown(table.note)


def for_a_phone(table: Table) -> pd.DataFrame:
    """The table in two columns: the words of each row, in full, and its figures one after the other, each with the name
    of its column unless the cell has one ("χ²(2) = 7.1")."""
    words, figures = list(table.display.columns[: table.words]), list(table.display.columns[table.words :])
    filled = table.display[words].replace("", None).ffill()
    rows = []
    for (_, row), (_, said) in zip(table.display.iterrows(), filled.iterrows(), strict=True):
        shown = [(name, str(row[name])) for name in figures if str(row[name]) not in ("", NOTHING)]
        rows.append((": ".join(map(str, said)), ", ".join(_named_cell(name, value) for name, value in shown)))
    return pd.DataFrame(rows, columns=[words[-1], "Result"])


def _named_cell(name: str, value: str) -> str:
    if value.startswith("<"):
        return f"{name} {value}"
    return f"{name} = {value}" if value[0].isdigit() or value[0] == "." else value  # else it says what it is
