"""Figure 9, Tables 3 and 5 and the tests, of the data so far: what `python -m analysis report` writes."""

from __future__ import annotations

import streamlit as st

from analysis.errors import AnalysisError, NoData
from analysis.export import Table
from analysis.figures import Theme
from analysis.report import Summary, html, summarise
from study_app.failures import guarded
from study_app.researcher.login import researcher_head
from study_app.researcher.session import the_researcher
from study_app.services import services
from study_app.study.access.audit import Action


@guarded
def page() -> None:
    opened = services()
    kind = researcher_head("Results", opened.run_kind)
    try:
        summary = summarise(opened.database, kind, study=opened.study.id)
    except NoData:
        st.info("Nobody has completed the study in this run yet. Results appear with the first who does.")
        return
    except AnalysisError as error:
        st.warning(str(error))
        return
    _show(summary)


def _show(summary: Summary) -> None:
    st.markdown(f"{summary.headline} Means of ordinal answers are shown as in the paper; tests use ranks.")
    for note in summary.data.notes:
        st.markdown(note)
    left, right = st.columns(2, gap="large")
    with left:
        if summary.has_figure:
            _figure(summary)
    with right:
        _table(summary.ratings_by_condition)
        _table(summary.table5)
        _table(summary.table3)
    _table(summary.tests)
    who = the_researcher().name
    st.download_button(
        "Report, one HTML file",
        lambda: _report(summary, who),
        "report.html",
        "text/html",
        icon=":material/download:",
        on_click="ignore",
        key="report_html",
    )


def _report(summary: Summary, who: str) -> bytes:
    services().store.researcher.audit.add(who, Action.exported, "report, one HTML file", summary.headline)
    return html(summary).encode()


def _figure(summary: Summary) -> None:
    theme: Theme = "dark" if st.context.theme.type == "dark" else "light"
    st.subheader("Figure 9. Ratings by system", anchor=False)
    png = summary.figure9(theme, "png")
    st.image(png, width="stretch", alt=summary.figure_alt)
    st.markdown(summary.figure_caption)
    with st.container(horizontal=True):
        st.download_button("PNG", png, "figure9.png", "image/png", on_click="ignore", key="figure_png")
        svg = summary.figure9(theme, "svg")
        st.download_button("SVG", svg, "figure9.svg", "image/svg+xml", on_click="ignore", key="figure_svg")


def _table(table: Table) -> None:
    st.subheader(table.title, anchor=False)
    st.table(table.display, border="horizontal", hide_index=True, alt=table.title)
    if table.note:
        st.markdown(table.note)
