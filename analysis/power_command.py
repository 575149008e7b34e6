"""``python -m analysis power``: the sample size for a planned effect, and the curve around it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import pandas as pd
import typer
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from rich.console import Console
from rich.progress import Progress

from analysis.bootstrap import SEED
from analysis.errors import InputError
from analysis.figures import DPI, PALETTES, render
from analysis.power import ALL, Plan, Power, power_at, read_plan, sample_size


def power(
    study: Annotated[Path, typer.Argument(metavar="STUDY.yaml", help="The study file.")],
    effect: Annotated[
        list[str],
        typer.Option(help="Planned effect, ITEM:CONDITION=POINTS, for instance trust:generated=+0.6; may be repeated."),
    ],
    test: Annotated[
        str,
        typer.Option(
            help="'all' (Friedman; between subjects Kruskal–Wallis), or a pair such as text-generated (Wilcoxon; "
            "between subjects Mann–Whitney; Holm over the pairs)."
        ),
    ] = ALL,
    target: Annotated[float, typer.Option(min=0.05, max=0.99, help="Power to reach.")] = 0.8,
    alpha: Annotated[float, typer.Option(min=0.001, max=0.2, help="Level of the test.")] = 0.05,
    simulations: Annotated[int, typer.Option(min=20, help="Simulated studies for each size.")] = 1000,
    seed: Annotated[int, typer.Option(min=0, help="The same seed draws the same studies.")] = SEED,
    out: Annotated[Path | None, typer.Option(help="Folder for power.csv, power.png and power.svg.")] = None,
) -> None:
    """Say how many participants a within or between-subject study needs, by simulating it with its own test.

    Between subjects n counts the participants of all conditions together.

    Exit codes: 0 a size was found, or 1,000 participants are too few, which is said; 2 the study file (a mixed design,
    for instance) or an option cannot be used, and the message says why.
    """
    try:
        plan = read_plan(study, effect)
        if test not in plan.tests:
            raise InputError(f"test '{test}': choose one of {', '.join(plan.tests)}.")
        found, tried = _search(plan, test, target, alpha, simulations, seed)
        if out is not None:
            _write(out, plan, test, target, tried)
    except InputError as reason:
        typer.echo(f"Error: {reason}", err=True)
        raise typer.Exit(2) from None
    for size in tried:
        typer.echo(f"n = {size.n:4d}   power {size.power:.3f} ± {size.error:.3f}")
    typer.echo(_sentence(plan, test, target, found, tried))


def _search(
    plan: Plan, test: str, target: float, alpha: float, simulations: int, seed: int
) -> tuple[int | None, list[Power]]:
    with Progress(console=Console(stderr=True), transient=True) as progress:

        def at(n: int) -> Power:
            bar = progress.add_task(f"{n} participants", total=simulations)
            return power_at(plan, n, test, alpha, simulations, seed, lambda: progress.advance(bar))

        found, tried = sample_size(plan, target, at)
        if plan.planned_n > 1 and all(size.n != plan.planned_n for size in tried):
            tried = sorted([*tried, at(plan.planned_n)], key=lambda size: size.n)
    return found, tried


def _sentence(plan: Plan, test: str, target: float, found: int | None, tried: list[Power]) -> str:
    of_all, of_pair = ("the Kruskal–Wallis test", "Mann–Whitney") if plan.between else ("Friedman's test", "Wilcoxon")
    what = of_all if test == ALL else f"the pair {test} ({of_pair}, Holm-corrected)"
    needed = f"{found} participants" if found else f"more than {tried[-1].n} participants"
    if plan.between:
        needed += f" in total, {found // plan.block} in each condition" if found else " in total"
    planned = next((size for size in tried if size.n == plan.planned_n), None)
    own = f" The study plans {planned.n}: power {planned.power:.3f} ± {planned.error:.3f}." if planned else ""
    mean = f" (the mean of {plan.cases} cases)" if plan.cases > 1 else ""
    return f"Power {target:g} for {what} of '{plan.item}'{mean} needs {needed}.{own}"


def curve(plan: Plan, test: str, target: float, tried: list[Power]) -> Figure:
    """Power against the number of participants, with Monte Carlo errors and the target."""
    palette = PALETTES["light"]
    figure = Figure(figsize=(4.2, 3.0), dpi=DPI, layout="constrained", facecolor=palette.background)
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    sizes, powers = [size.n for size in tried], [size.power for size in tried]
    axes.errorbar(sizes, powers, [size.error for size in tried], color=palette.bars[2], marker="o", markersize=3)
    axes.axhline(target, color=palette.ink, linewidth=0.8, linestyle="--")
    axes.annotate(
        f"target {target:g}", (max(sizes), target), (0, 3), textcoords="offset points", ha="right", fontsize=7
    )
    axes.set_ylim(0, 1.02)
    axes.set_xlabel("Participants in total, one condition each" if plan.between else "Participants", fontsize=7)
    axes.set_ylabel("Power (± 95 % Monte Carlo error)", fontsize=7)
    shifts = ", ".join(f"{key} {shift:+g}" for key, shift in zip(plan.conditions, plan.shifts, strict=True) if shift)
    axes.set_title(f"{plan.item}: {shifts or 'no effect'}; test: {test}", fontsize=7)
    axes.tick_params(labelsize=7)
    axes.grid(True, color=palette.grid, linewidth=0.6)
    return figure


def _write(out: Path, plan: Plan, test: str, target: float, tried: list[Power]) -> None:
    rows = [(size.n, size.simulations, size.power, size.error) for size in tried]
    table = pd.DataFrame(rows, columns=["n", "simulations", "power", "error"])
    figure = curve(plan, test, target, tried)
    try:
        out.mkdir(parents=True, exist_ok=True)
        (out / "power.csv").write_bytes(table.to_csv(index=False, lineterminator="\n").encode())
        (out / "power.png").write_bytes(render(figure, "png"))
        (out / "power.svg").write_bytes(render(figure, "svg"))
    except OSError as error:
        raise InputError(f"{out}: cannot be written ({error.strerror}). Choose another --out.") from error
