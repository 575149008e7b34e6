"""The reliance measures of results.json as a table: one row a system, and all systems together."""

from __future__ import annotations

import pandas as pd

from analysis.describe import NOTHING, bounded
from analysis.export import Table
from analysis.facts import Facts

SHARES = {
    "accuracy_before": "Right before",
    "accuracy_after": "Right after",
    "rair": "RAIR",
    "rsr": "RSR",
    "agreement_fraction": "Agreement",
    "switch_fraction": "Switch",
}
NOTE = (
    "Shares of cases, 95% bootstrap intervals over participants. RAIR: decided wrongly at first, advised rightly, "
    "decided rightly in the end (1 − RAIR is under-reliance). RSR: decided rightly at first, advised wrongly, "
    "stayed right (1 − RSR is over-reliance). Agreement: the final decision is the advice. "
    "Switch: took advice that differed."
)


def reliance_table(facts: Facts) -> Table:
    """No rows where the study asks for no decisions."""
    found = facts["reliance"] or {}
    labels = {**facts["conditions"], "all": "All systems"}
    rows = [
        {"condition": key, "n": group["n"], "participants": group.get("n_participants"), **_figures(group)}
        for key, group in found.items()
    ]
    columns = ["condition", "n", "participants", *(name for share in SHARES for name in (share, *_ends(share)))]
    shown = [
        (labels.get(key, key), str(group["n"]), *(_cell(group, share) for share in SHARES))
        for key, group in found.items()
    ]
    display = pd.DataFrame(shown, columns=["System", "Cases", *SHARES.values()])
    return Table("reliance", "Reliance on advice", pd.DataFrame(rows, columns=columns), display, NOTE)


def _ends(share: str) -> tuple[str, str]:
    return f"{share}_low", f"{share}_high"


def _figures(group: Facts) -> dict[str, float | None]:
    found: dict[str, float | None] = {}
    for share in SHARES:
        low, high = group.get(f"{share}_ci") or (None, None)
        names = (share, *_ends(share))
        found |= dict(zip(names, (group.get(share), low, high), strict=True))
    return found


def _cell(group: Facts, share: str) -> str:
    if group.get(share) is None:
        return NOTHING
    ends = group.get(f"{share}_ci")
    return bounded(group[share]) + (f" [{bounded(ends[0])}, {bounded(ends[1])}]" if ends else "")
