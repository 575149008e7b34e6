"""How the study stands now: counts, how far people came, balance of the sequences, failures."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime

import altair as alt
import pandas as pd
import streamlit as st

from pipeline.client import PipelineUnavailable
from study_app.failures import guarded
from study_app.researcher.login import researcher_head
from study_app.researcher.plain_table import show_table
from study_app.researcher.session import signed_in
from study_app.researcher.short_names import short_sequences
from study_app.services import Services, services
from study_app.study.live import NEWEST_ANSWERS_OF_MODELS, Live, read_live
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
    """Everything that changes while people take part; drawn anew every few seconds, the rest of the page stays."""
    if signed_in() is None:
        st.rerun()  # signed out in another tab: the page shows the door
    study = opened.study
    counts = opened.store.counts(study, kind)
    live = read_live(opened.store.database, study, kind)
    at = datetime.now(UTC)
    st.markdown(f"{study.title} · definition `{study.hash[:6]}` · updated {at:%H:%M:%S} UTC, every {_EVERY_S}\u00a0s")
    _tiles(opened, counts, live)
    left, right = st.columns([3, 2], gap="large")
    with left:
        st.subheader("Participant flow", anchor=False)
        _bars(_stages(counts, live), "Participants at each stage")
        others = f"not eligible {counts.not_eligible} · left early {counts.left_early} · excluded {counts.excluded}"
        st.markdown(f"Declined {counts.declined} · {others}")
        st.subheader("Flow by sequence", anchor=False)
        _arms(live)
        st.subheader("Times", anchor=False)
        _times(live)
    with right:
        st.subheader("Balance", anchor=False)
        _balance(counts)
        st.subheader("Active now", anchor=False)
        _steps(counts.at_step, "Active participants by step", "Nobody is taking part at the moment.")
        st.subheader("Left early, by step", anchor=False)
        _steps(live.stopped_at, "Where people stopped", "Nobody has left early.")
        st.subheader("Last failures", anchor=False)
        _troubles(opened)


def _tiles(opened: Services, counts: Counts, live: Live) -> None:
    tiles = {
        "Completed": f"{counts.completed} of {opened.study.planned_n}",
        "In progress": str(counts.active),
        "Left early": str(counts.left_early),
        "Median time": _minutes(live.whole_s),
        "Model queue": _queue(opened),
    }
    with st.container(horizontal=True):  # on a phone two beside each other, not one below the other
        for name, value in tiles.items():
            st.metric(name, value, border=True)


def _queue(opened: Services) -> str:
    try:
        health = opened.client.health()
    except PipelineUnavailable:
        return "no answer"
    return str(health.queue) if health.ready else "starting"


def _minutes(seconds: float | None) -> str:
    if seconds is None:
        return "–"
    return f"{seconds / 60:.0f} min" if seconds >= 60 else "< 1 min"


def _stages(counts: Counts, live: Live) -> dict[str, int]:
    periods = len(live.arms[0].finished) if live.arms else 0
    return {
        "Arrived": counts.arrived,
        "Consented": counts.consented,
        "Allocated": sum(arm.allocated for arm in live.arms),
        **{f"Finished period {n}": sum(arm.finished[n - 1] for arm in live.arms) for n in range(1, periods + 1)},
        "Completed": counts.completed,
    }


def _arms(live: Live) -> None:
    """The crossover's arms side by side, as in CONSORT's extension for crossover trials."""
    named = short_sequences(arm.sequence for arm in live.arms)
    rows = [
        {
            "Sequence": named[arm.sequence],
            "Start": arm.allocated,
            **{f"P{n}": finished for n, finished in enumerate(arm.finished, 1)},
            "Done": arm.completed,
            "Left": arm.left,
            "Out": arm.excluded,
        }
        for arm in live.arms
    ]
    st.table(pd.DataFrame(rows), border="horizontal", hide_index=True, alt="Flow of every sequence")
    st.markdown("Start: allocated. P1: finished period 1. Done: completed. Out: excluded.")


def _steps(steps: Mapping[str, int], title: str, otherwise: str) -> None:
    if steps:
        _bars({_step_name(key): n for key, n in steps.items()}, title)
    else:
        st.markdown(otherwise)


def _times(live: Live) -> None:
    if live.page_s:
        pages = " · ".join(f"{_step_name(step)} {seconds:.0f}\u00a0s" for step, seconds in live.page_s.items())
        st.markdown(f"Median from a page shown to its last answer: {pages}.")
    if not live.models:
        st.markdown("The models have not answered anybody yet.")
        return
    rows = [
        {
            "Explainer": latency.explainer,
            "Answers": latency.answered,
            "Failed": latency.failed,
            "Median": _seconds(latency.median_s),
            "95 %": _seconds(latency.p95_s),
        }
        for latency in live.models
    ]
    alt_text = "Seconds from a question to its complete answer"
    st.table(pd.DataFrame(rows), border="horizontal", hide_index=True, alt=alt_text)
    st.markdown(f"From a question to its complete answer; the newest {NEWEST_ANSWERS_OF_MODELS} questions.")


def _seconds(seconds: float | None) -> str:
    return "–" if seconds is None else f"{seconds:.1f} s"


def _step_name(key: str) -> str:
    name, _, period = key.replace("_", " ").partition(":")
    return f"{name.capitalize()}, assistant {period}" if period else name.capitalize()


def _troubles(opened: Services) -> None:
    found = opened.store.troubles()
    if not found:
        st.markdown("None.")
        return
    rows = [{"When (UTC)": f"{t.at[5:10]} {t.at[11:16]}", "Who": t.participant, "What": t.what} for t in found]
    show_table(rows, "The newest failures")


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
    named = short_sequences(counts.per_sequence)
    rows = [
        {"sequence": named[sequence], "state": state, "n": n}
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
