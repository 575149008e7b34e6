"""Pictures of an answer: the photo with the area outlined, and comparisons beside the photo."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import streamlit as st

from pipeline.types import Case
from study_app.models import Models
from study_app.participant.answer import Answer
from study_app.participant.assigned import photo_name
from study_app.participant.guard import guarded
from study_app.participant.language import condition_name, say
from study_app.participant.layout import left_to_right
from study_app.participant.shield import cover, covered
from study_app.participant.turns import show_answer
from study_app.services import Services
from study_app.study.state import Exposure
from study_app.study.visit import Visit

_PREVIEW_PX = 70
"""Four side by side on a phone."""


@dataclass(frozen=True)
class Shown:
    """One picture of a comparison: ``name`` on its pill, ``caption`` below it, ``text`` about it."""

    name: str
    caption: str
    picture: str
    text: str


@dataclass(frozen=True)
class Comparison:
    """Pictures to be looked at beside the photo, one at a time."""

    key: str
    title: str
    note: str
    question: str
    shown: tuple[Shown, ...]


def drawn(answer: Answer, models: Models | None, key: str) -> Comparison | None:
    """The generated images of an answer as a comparison; None without images."""
    if not answer.images:
        return None
    shown = tuple(
        Shown(
            _name(image.label),
            say("pictures.drawn", condition=condition_name(image.label)),
            image.image,
            f"**{_name(image.label)}.** {models.description(image.label) if models else ''}",
        )
        for image in answer.images
    )
    one = say("pictures.drawn_title_one", condition=condition_name(answer.images[0].label))
    title = say("pictures.drawn_title") if len(shown) > 1 else one
    return Comparison(key, title, say("pictures.drawn_note"), say("pictures.drawn_which"), shown)


def similar(answer: Answer, key: str) -> Comparison | None:
    """The retrieved cases of an answer as a comparison; None without cases."""
    if not answer.cases:
        return None
    names = _numbered([_name(case.label) for case in answer.cases])
    captions = _numbered([say("pictures.case", condition=condition_name(case.label)) for case in answer.cases])
    shown = tuple(
        Shown(name, caption, case.image, _about(case))
        for name, caption, case in zip(names, captions, answer.cases, strict=True)
    )
    one = say("pictures.case_title_one", condition=condition_name(answer.cases[0].label))
    title = say("pictures.case_title") if len(shown) > 1 else one
    return Comparison(key, title, say("pictures.case_note"), say("pictures.case_which"), shown)


def _name(label: str) -> str:
    return condition_name(label).capitalize()


def _about(case: Case) -> str:
    """Captions are phrases; beside a drawn picture stand sentences, and the systems are to differ in what they show."""
    caption = case.caption.strip()
    end = "" if caption.endswith((".", "!", "?", "…", "。", "！", "？")) or not caption else "."
    return f"**{_name(case.label)}.** {caption[:1].upper()}{caption[1:]}{end}"


@st.fragment
@guarded
def compare(services: Services, visit: Visit, photo: str, comparison: Comparison) -> None:
    """The photo on the left, the chosen picture on the right, all of them in an expander."""
    with st.container(border=True):
        st.subheader(comparison.title, anchor=False)
        st.markdown(comparison.note)
        entry = _chosen(comparison)
        with left_to_right(comparison.key):
            left, right = st.columns(2, wrap=False, gap="xxsmall")
        with left:
            show_picture(services, visit, photo, photo_name(visit), place=f"beside_{comparison.key}")
        with right:
            show_picture(services, visit, entry.picture, entry.caption, place=f"one_{comparison.key}")
        show_answer(entry.text)
        if len(comparison.shown) > 1:
            with st.expander(say("pictures.all")):
                _grid(services, visit, comparison)


def _chosen(comparison: Comparison) -> Shown:
    """The picture picked; nothing is asked where there is only one."""
    names = [entry.name for entry in comparison.shown]
    if len(names) == 1:
        return comparison.shown[0]
    key = f"compare_{comparison.key}"
    name = st.pills(comparison.question, names, default=names[0], required=True, key=key)
    return comparison.shown[names.index(name)]


@st.fragment
@guarded
def photo_card(services: Services, visit: Visit, exposure: Exposure, answers: Sequence[Answer]) -> None:
    """The photo, what the participant said it shows, and the outline of the area once it is known."""
    mask = next((answer.mask for answer in answers if answer.mask), None)
    picture, about = st.columns([2, 3], wrap=False, vertical_alignment="center")
    outlined = False
    with about:
        if mask is not None:
            outlined = st.toggle(say("pictures.outline"), key=f"outline_{exposure.period}")
        st.markdown(f"**{photo_name(visit)}**")
        if not visit.study.photo.assigned:
            said = exposure.known_label
            known = say("pictures.you_said", condition=condition_name(said)) if said else ""
            st.markdown(known or say("pictures.you_did_not_know"))
    shown = mask.overlay if outlined and mask is not None else exposure.photo
    alt = say("pictures.your_photo_outlined") if outlined else photo_name(visit)
    with picture:
        show_picture(services, visit, shown, alt, captioned=False, of=exposure.photo, place=f"card_{exposure.period}")


def previews(services: Services, visit: Visit, pictures: Sequence[str]) -> None:
    """Pictures in the making, side by side; none of those that are covered."""
    if any(covered(services, visit, sha256) for sha256 in pictures):
        return
    with st.container(horizontal=True, gap="xsmall"):
        for sha256 in pictures:
            with st.container(width=_PREVIEW_PX):
                show_picture(services, visit, sha256, say("pictures.in_the_making"), captioned=False)


def show_picture(
    services: Services,
    visit: Visit,
    sha256: str,
    caption: str,
    *,
    captioned: bool = True,
    of: str = "",
    place: str = "",
) -> None:
    """A picture the participant owns; a cover in its place until it is asked for, a sentence when it is gone.

    ``of``: the picture that this one is a version of: they are asked for together. ``place``: see `shield.cover`."""
    if covered(services, visit, of or sha256):
        cover(services, visit, of or sha256, caption, place)
        return
    try:
        png = services.media.read(visit.state.participant, sha256)
    except KeyError:
        st.markdown(say("pictures.gone"))
        return
    st.image(png, caption=caption if captioned else None, alt=caption, width="stretch")


def _grid(services: Services, visit: Visit, comparison: Comparison) -> None:
    columns = st.columns(2, wrap=False, gap="xsmall")
    for n, entry in enumerate(comparison.shown):
        with columns[n % 2]:
            show_picture(services, visit, entry.picture, entry.caption, place=f"all_{comparison.key}_{n}")


def _numbered(names: Sequence[str]) -> list[str]:
    """Names made distinct: a second "Psoriasis" becomes "Psoriasis 2"."""
    return [name if name not in names[:n] else f"{name} {names[:n].count(name) + 1}" for n, name in enumerate(names)]
