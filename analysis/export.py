"""One table, three files: CSV for programs, Markdown and LaTeX for people."""

from __future__ import annotations

import io
import re
from dataclasses import dataclass

import pandas as pd

FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "\n")
LATEX = {
    "\\": r"\textbackslash{}",
    "{": r"\{",
    "}": r"\}",
    "&": r"\&",
    "%": r"\%",
    "$": r"\$",
    "#": r"\#",
    "_": r"\_",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "±": r"$\pm$",
    "−": r"$-$",
    "–": "--",
    "χ²": r"$\chi^2$",
    "η²": r"$\eta^2$",
    "W⁺": r"$W^+$",
    "ε": r"$\epsilon$",
    "α": r"$\alpha$",
    "ω": r"$\omega$",
    "×": r"$\times$",
    "₀": r"$_0$",
    "p_exact": r"$p_{\mathrm{exact}}$",
    "p_asymptotic": r"$p_{\mathrm{asymptotic}}$",
    "p_Holm": r"$p_{\mathrm{Holm}}$",
    "r_rb": r"$r_{\mathrm{rb}}$",
    "M_diff": r"$M_{\mathrm{diff}}$",
    "d_z": "$d_z$",
    "η²_G": r"$\eta^2_G$",
    "ε_GG": r"$\epsilon_{GG}$",
    "n_1": "$n_1$",
    "n_2": "$n_2$",
    "\r": " ",
    "\n": " ",
    "\t": " ",
}
TO_ESCAPE = re.compile("|".join(re.escape(key) for key in sorted(LATEX, key=len, reverse=True)))


@dataclass(frozen=True)
class Table:
    """A finished table.

    Attributes:
        name: file name without ending.
        title: caption of the Markdown, LaTeX and HTML form.
        frame: figures at full precision, one fact per column (the CSV).
        display: the same, rounded and worded for readers; strings only.
        note: sentence under the table, may be empty.
        words: how many of the first columns of ``display`` are words (set left); the rest are figures.
    """

    name: str
    title: str
    frame: pd.DataFrame
    display: pd.DataFrame
    note: str = ""
    words: int = 1

    def csv(self) -> bytes:
        """UTF-8, full precision; text that a spreadsheet would run as a formula is quoted with '."""
        buffer = io.StringIO()
        safe_for_spreadsheets(self.frame).to_csv(buffer, index=False, lineterminator="\n")
        return buffer.getvalue().encode("utf-8")

    def markdown(self) -> str:
        """A GitHub-flavoured Markdown table under its title."""
        head = [str(column) for column in self.display.columns]
        rows = [[str(cell) for cell in row] for row in self.display.itertuples(index=False)]
        lines = [_markdown_row(row) for row in [head, *rows]]
        rule = "|" + "|".join(":---" if index < self.words else "---:" for index in range(len(head))) + "|"
        note = f"\n{_markdown_cell(self.note)}\n" if self.note else ""
        return f"**{_markdown_cell(self.title)}**\n\n" + "\n".join([lines[0], rule, *lines[1:]]) + "\n" + note

    def latex(self) -> str:
        r"""A booktabs table; needs ``\usepackage{booktabs}`` and nothing else."""
        head = [str(column) for column in self.display.columns]
        rows = [[str(cell) for cell in row] for row in self.display.itertuples(index=False)]
        return "\n".join(
            [
                r"% needs \usepackage{booktabs}",
                r"\begin{table}",
                r"  \centering",
                f"  \\caption{{{escape_latex(self.title)}}}",
                f"  \\label{{tab:{self.name}}}",
                f"  \\begin{{tabular}}{{{'l' * self.words + 'r' * (len(head) - self.words)}}}",
                r"    \toprule",
                _latex_row(head),
                r"    \midrule",
                *(_latex_row(row) for row in rows),
                r"    \bottomrule",
                r"  \end{tabular}",
                *([f"  \\par\\smallskip {{\\footnotesize {escape_latex(self.note)}}}"] if self.note else []),
                r"\end{table}",
                "",
            ]
        )


def safe_for_spreadsheets(frame: pd.DataFrame) -> pd.DataFrame:
    """Put an apostrophe before text that a spreadsheet would take for a formula; numbers stay numbers."""
    return frame.map(lambda cell: f"'{cell}" if isinstance(cell, str) and cell.startswith(FORMULA_STARTS) else cell)


def escape_latex(text: str) -> str:
    """Escape in one pass, so that no replacement is escaped again."""
    return TO_ESCAPE.sub(lambda found: LATEX[found.group()], text)


def _latex_row(cells: list[str]) -> str:
    return "    " + " & ".join(escape_latex(cell) for cell in cells) + r" \\"


def _markdown_row(cells: list[str]) -> str:
    return "| " + " | ".join(_markdown_cell(cell) for cell in cells) + " |"


def _markdown_cell(text: str) -> str:
    flat = " ".join(text.split())
    return flat.replace("\\", "\\\\").replace("|", "\\|").replace("<", "&lt;")
