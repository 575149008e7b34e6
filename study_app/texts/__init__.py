"""What the app itself says to participants, in every language it speaks: one file per language beside this module.

`of("zh").say("page.step", step=2, steps=9)`. The study's own wording is in the study's file, not here.
`tests/study_app/test_texts.py` holds that every language has the same keys with the same places, that every key is
used, and that every use fills every place.
"""

from __future__ import annotations

import gettext
import string
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import yaml

FOLDER = Path(__file__).parent
FIRST = "en"
"""The language that has every text, and the one of a study whose language no file speaks."""
_NO_TEXTS = ("about", "frontend", "conditions")


@dataclass(frozen=True)
class Texts:
    """Everything the app says in one language. Build it with `of`."""

    language: str
    name: str
    """The language in its own words: "English"."""
    forms: Mapping[str, tuple[str, ...]]
    """Key ("page.step") -> the text, or one per plural form."""
    plural: Callable[[int], int]
    """How many of something -> which of the forms, counted from 0."""
    between: str
    last: str
    frontend: Mapping[str, str]
    """Streamlit's own words; `{}` is any text."""
    conditions: Mapping[str, str]
    """The models' English names of skin conditions -> what the language calls them; need not be complete."""

    def say(self, key: str, **values: str | int) -> str:
        """The text of ``key`` with ``values`` in its places; ``n`` chooses the plural form where there are several.
        Raises KeyError for an unknown key and for a place without a value."""
        forms = self.forms[key]
        form = forms[0] if len(forms) == 1 else forms[self.plural(int(values["n"]))]
        return form.format_map(values)

    def listed(self, parts: Sequence[str]) -> str:
        """ "2, 3 and 5" """
        if len(parts) < 2:
            return "".join(parts)
        return self.between.join(parts[:-1]) + self.last + parts[-1]

    def condition(self, label: str) -> str:
        """A condition as the models name it, after its name in this language where that is known."""
        known = self.conditions.get(label)
        return label if known is None else f"{known} ({label})"


def languages() -> tuple[str, ...]:
    """Tags of the languages there is a file for."""
    return tuple(sorted(file.stem for file in FOLDER.glob("*.yaml")))


def spoken_in(language: str) -> str | None:
    """The file for a study's language: its own, else one for the same language elsewhere (zh for zh-Hant); None where
    the app does not speak it."""
    known = {each.lower(): each for each in languages()}
    return known.get(language.lower()) or known.get(language.lower().split("-")[0])


@lru_cache
def of(language: str) -> Texts:
    """The texts for a study's ``language``; those of `FIRST` where the app does not speak it."""
    return read(FOLDER / f"{spoken_in(language) or FIRST}.yaml")


def read(path: Path) -> Texts:
    """Texts from a file. Raises KeyError or ValueError for a file that is none."""
    data: dict[str, dict[str, Any]] = yaml.safe_load(path.read_text(encoding="utf-8"))
    about = data["about"]
    forms = {
        f"{section}.{name}": (text,) if isinstance(text, str) else tuple(text)
        for section, texts in data.items()
        if section not in _NO_TEXTS
        for name, text in texts.items()
    }
    return Texts(
        language=path.stem,
        name=about["name"],
        forms=forms,
        plural=gettext.c2py(about["plural"]),
        between=about["list_between"],
        last=about["list_last"],
        frontend=data["frontend"],
        conditions=data.get("conditions", {}),
    )


def places(text: str) -> frozenset[str]:
    """Names in curly brackets; an empty name for `{}`."""
    return frozenset(name for _, name, _, _ in string.Formatter().parse(text) if name is not None)
