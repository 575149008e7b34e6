"""The two pages for readers: what came out equal, and what cannot be reproduced. Made from the checks alone."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

from analysis.export import Table
from analysis.paper.checks import Check, Verdict
from analysis.paper.published import TITLES

SECTIONS = (
    (
        Verdict.open,
        "Not determined by what was published",
        "No computation can give these; a reconstruction fills none of them in.",
    ),
    (
        Verdict.contradicts,
        "Printed numbers and claims that disagree with others of the same paper",
        "They cannot all be right, whatever the data were.",
    ),
    (
        Verdict.by_rounding,
        "Printed numbers that follow only if rounding explains the rest",
        "The printed cells give another number; unrounded ones might give this one.",
    ),
)


def what_cannot_be_reproduced(checks: Sequence[Check]) -> str:
    """Markdown: every check that does not hold, by kind and paper, with the place in the paper."""
    lines = ["# What cannot be reproduced", ""]
    lines += [f"Generated from {len(checks)} checks; `audit.csv` has each with the cells it was computed from.", ""]
    for verdict, title, why in SECTIONS:
        found = [check for check in checks if check.verdict is verdict]
        lines += [f"## {title} ({len(found)})", "", why, ""]
        for paper in dict.fromkeys(check.paper for check in found):
            lines += [f"### {TITLES[paper]}", ""]
            lines += [f"- {check.sentence} ({check.origins})" for check in found if check.paper == paper]
            lines.append("")
    return "\n".join(lines)


def reproduction(
    headline: str, checks: Sequence[Check], tables: Iterable[Table], figure_alt: str, how: str, names: Iterable[str]
) -> str:
    """Markdown: the first page to read.

    Args:
        headline: who was analysed.
        figure_alt: the text for figure9.png.
        how: where the analysed data come from, and the next step.
        names: files written beside this page.
    """
    counts = Counter(check.verdict for check in checks)
    verdicts = ", ".join(f"{counts[verdict]} {verdict.value}" for verdict in Verdict)
    lines = ["# SkinGEN reproduced, as far as its published numbers go", "", how, "", headline, ""]
    for table in tables:
        lines += [table.markdown(), ""]
    lines += ["## Figure 9", "", f"![{figure_alt}](figure9.png)", ""]
    lines += ["## Audit", "", f"{len(checks)} checks: {verdicts}. What does not hold:", ""]
    lines += [f"- {check.sentence}" for check in checks if check.verdict in (Verdict.contradicts, Verdict.by_rounding)]
    lines += ["", "What no published number determines: [what_cannot_be_reproduced.md](what_cannot_be_reproduced.md)."]
    lines += ["", "## Files", "", *(f"- `{name}`" for name in names), ""]
    return "\n".join(lines)
