"""Two sides beside each other, one of which is chosen: the order drawn for the participant, and the pictures."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

import streamlit as st

from pipeline.photo import CleanPhoto
from study_app.participant.assigned import clean, show_clean
from study_app.participant.language import say
from study_app.participant.layout import left_to_right
from study_app.participant.pictures import show_picture
from study_app.services import Services
from study_app.study.definition_items import Item, Pairwise, Side
from study_app.study.visit import Visit


def with_pictures(items: Iterable[Item]) -> bool:
    """Whether one of ``items`` compares pictures."""
    return any(isinstance(item, Pairwise) and not side.text for item in items for side in getattr(item, "sides", ()))


def number_among(items: Sequence[Item], item: Item) -> int | None:
    """Which of the questions on a page ``item`` is, to name its pictures by; None where no other one has pictures."""
    pairs = [each for each in items if with_pictures([each])]
    return items.index(item) + 1 if item in pairs and len(pairs) > 1 else None


def as_drawn(
    services: Services, visit: Visit, item: Item, period: int | None, number: int | None = None
) -> Item | None:
    """``item`` as this participant meets it; of a pair the sides are in the order drawn, and its pictures stand there.
    None, and a sentence, where a picture was never drawn for this participant. ``number``: see `number_among`.

    Raises NotSaved and Refused where the draw cannot be stored: the pair is not shown then."""
    if not isinstance(item, Pairwise):
        return item
    participant = visit.state.participant
    shown = {side.value: services.store.pairs.first_drawn(participant, side.shown_in) for side in _drawn_for(item)}
    if None in shown.values():
        st.markdown(say("pair.not_drawn"))
        return None
    files = {side.value: clean(services.folder / side.picture) for side in item.sides if side.picture}
    order = _order(services, visit, item, period, files, {value: sha256 for value, sha256 in shown.items() if sha256})
    left, right = sorted(item.sides, key=lambda side: order.index(side.value))
    if files or shown:
        with left_to_right(f"pictures_{item.id}"):
            columns = st.columns(2, wrap=False, gap="xsmall")
        for column, side, name in zip(columns, (left, right), _names(number), strict=True):
            with column:
                if side.picture:
                    show_clean(services, visit, files[side.value], name, f"pair_{item.id}")
                else:
                    show_picture(services, visit, shown[side.value] or "", name, place=f"pair_{item.id}")
    return replace(item, sides=(left, right))


def _names(number: int | None) -> tuple[str, str]:
    if number is None:
        return say("pair.left_picture"), say("pair.right_picture")
    return say("pair.left_picture_of", number=number), say("pair.right_picture_of", number=number)


def _drawn_for(item: Pairwise) -> tuple[Side, ...]:
    """The sides that are pictures drawn for the participant."""
    return tuple(side for side in item.sides if side.shown_in)


def _order(
    services: Services,
    visit: Visit,
    item: Pairwise,
    period: int | None,
    files: Mapping[str, CleanPhoto],
    shown: Mapping[str, str],
) -> tuple[str, ...]:
    participant = visit.state.participant
    before = services.store.pairs.order(participant, item.id, period)
    if before is not None:
        return before
    kept = {value: services.media.keep(participant, picture.png) for value, picture in files.items()}
    return services.store.pairs.draw(visit.study, participant, item, period, {**kept, **shown})
