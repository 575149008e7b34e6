"""How the study stands now: counts, how far people came, balance of the sequences, failures."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime

import altair as alt
import pandas as pd
import streamlit as st

from analysis.errors import AnalysisError
from analysis.sources import read_tables
from pipeline.client import PipelineUnavailable
from study_app.failures import guarded
from study_app.researcher.login import researcher_head
from study_app.services import Services, services
from study_app.study.state import RunKind
from study_app.study.store import Counts

_EVERY_S = 5
_BAR_PX = 27
_PETROL = {"light": "#0B5D6B", "dark": "#2A7F8E"}
_PALE = {"light": "#9FC3CA", "dark": "#4E6A71"}
_INK = {"light": "#0E171C", "dark": "#E9EFF1"}


def page() -> None:
    opened = services()
    kind = researcher_head("Monitor", opened.run_kind)
    _now(opened, kind)


@st.fragment(run_every=_EVERY_S)
@guarded
def _now(opened: Services, kind: RunKind) -> None:
    """Everything that changes while people take part; drawn anew every few seconds."""
    study = opened.study
    counts = opened.store.counts(study, kind)
    people = _flow(opened, kind)
    at = datetime.now(UTC)
    st.markdown(f"{study.title} · definition `{study.hash[:6]}` · updated {at:%H:%M:%S} UTC, every {_EVERY_S}\u00a0s")
    _tiles(opened, counts, people)
    left, right = st.columns([3, 2], gap="large")
    with left:
        st.subheader("Participant flow", anchor=False)
        _bars(_stages(counts, people, len(study.conditions)), "Participants at each stage")
        others = f"not eligible {counts.not_eligible} · left early {counts.left_early} · excluded {counts.excluded}"
        st.markdown(f"Declined {counts.declined} · {others}")
    with right:
        st.subheader("Balance", anchor=False)
        _balance(counts)
        st.subheader("Active now", anchor=False)
        if counts.at_step:
            _bars({_step_name(key): n for key, n in counts.at_step.items()}, "Active participants by step")
        else:
            st.markdown("Nobody is taking part at the moment.")
        st.subheader("Last failures", anchor=False)
        _troubles(opened)


def _tiles(opened: Services, counts: Counts, people: pd.DataFrame) -> None:
    tiles = {
        "Completed": f"{counts.completed} of {opened.study.planned_n}",
        "In progress": str(counts.active),
        "Left early": str(counts.left_early),
        "Median time": _median_minutes(people),
        "Model queue": _queue(opened),
    }
    for column, (name, value) in zip(st.columns(len(tiles)), tiles.items(), strict=True):
        column.metric(name, value, border=True)


def _queue(opened: Services) -> str:
    try:
        health = opened.client.health()
    except PipelineUnavailable:
        return "not there"
    return str(health.queue) if health.ready else "starting"


def _flow(opened: Services, kind: RunKind) -> pd.DataFrame:
    """The view ``flow`` of this study and run kind."""
    try:
        flow = read_tables(opened.database).flow
    except AnalysisError:
        flow = None
    if flow is None:
        return pd.DataFrame(columns=["arrived_at", "completed_at", "allocated_at", "periods_finished"])
    return flow[(flow["study"] == opened.study.id) & (flow["run_kind"] == kind)]


def _median_minutes(people: pd.DataFrame) -> str:
    done = people[people["completed_at"].notna()]
    if done.empty:
        return "–"
    arrived = pd.to_datetime(done["arrived_at"], utc=True, format="ISO8601")
    completed = pd.to_datetime(done["completed_at"], utc=True, format="ISO8601")
    return f"{(completed - arrived).median().total_seconds() / 60:.0f} min"


def _stages(counts: Counts, people: pd.DataFrame, periods: int) -> dict[str, int]:
    finished = people["periods_finished"].fillna(0).astype(int)
    return {
        "Arrived": counts.arrived,
        "Consented": counts.consented,
        "Allocated": int(people["allocated_at"].notna().sum()),
        **{f"Finished period {n}": int((finished >= n).sum()) for n in range(1, periods + 1)},
        "Completed": counts.completed,
    }


def _step_name(key: str) -> str:
    name, _, period = key.replace("_", " ").partition(":")
    return f"{name.capitalize()}, assistant {period}" if period else name.capitalize()


def _troubles(opened: Services) -> None:
    found = opened.store.troubles()
    if not found:
        st.markdown("None.")
        return
    rows = [{"When (UTC)": f"{t.at[5:10]} {t.at[11:16]}", "Who": t.participant, "What": t.what} for t in found]
    st.table(pd.DataFrame(rows), border="horizontal", hide_index=True, alt="The newest failures")


def _theme() -> str:
    return st.context.theme.type or "light"


def _axis() -> alt.Axis:
    return alt.Axis(
        title=None,
        grid=False,
        ticks=False,
        domain=False,
        labelFontSize=13,
        labelLimit=220,
        labelOverlap=False,
        labelColor=_INK[_theme()],
    )


def _bars(values: Mapping[str, int], title: str) -> None:
    """Horizontal bars with their numbers, in the order given."""
    theme = _theme()
    frame = pd.DataFrame({"name": list(values), "n": list(values.values())})
    base = alt.Chart(frame).encode(
        y=alt.Y("name", sort=None, axis=_axis()),
        x=alt.X("n", axis=None, scale=alt.Scale(domain=[0, max(1, frame["n"].max()) * 1.1])),
    )
    bars = base.mark_bar(color=_PETROL[theme], height=15)
    numbers = base.mark_text(align="left", dx=4, fontSize=13, color=_INK[theme]).encode(text="n")
    chart = (bars + numbers).properties(description=title)
    st.altair_chart(chart, width="stretch", height=_BAR_PX * len(values) + 12)


def _balance(counts: Counts) -> None:
    theme = _theme()
    totals = [done + active for done, active in counts.per_sequence.values()]
    st.markdown(f"Completed and active, per sequence. Largest difference: **{max(totals) - min(totals)}**.")
    rows = [
        {"sequence": _initials(sequence), "state": state, "n": n}
        for sequence, (done, active) in counts.per_sequence.items()
        for state, n in (("Completed", done), ("Active", active))
    ]
    legend = alt.Legend(title=None, orient="top", labelFontSize=13, labelColor=_INK[theme])
    scale = alt.Scale(domain=["Completed", "Active"], range=[_PETROL[theme], _PALE[theme]])
    chart = (
        alt.Chart(pd.DataFrame(rows), description="Completed and active participants by sequence")
        .mark_bar(height=15)
        .encode(
            y=alt.Y("sequence", sort=None, axis=_axis()),
            x=alt.X(
                "sum(n)",
                axis=alt.Axis(
                    title=None,
                    grid=False,
                    tickMinStep=1,
                    format="d",
                    labelFontSize=13,
                    labelColor=_INK[theme],
                ),
                scale=alt.Scale(domain=[0, max(1, *totals)]),
            ),
            color=alt.Color("state", scale=scale, legend=legend),
            order=alt.Order("state", sort="descending"),
        )
    )
    st.altair_chart(chart, width="stretch", height=_BAR_PX * len(totals) + 90)


def _initials(sequence: str) -> str:
    """ "text>cases>generated" -> "T·C·G"."""
    return "·".join(key[:1].upper() for key in sequence.split(">"))
