"""Two sides beside each other, one of which is chosen: the order drawn for the participant, and the pictures."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

import streamlit as st

from pipeline.photo import CleanPhoto
from study_app.participant.assigned import clean, show_clean
from study_app.participant.language import say
from study_app.services import Services
from study_app.study.definition_items import Item, Pairwise
from study_app.study.visit import Visit


def with_pictures(items: Iterable[Item]) -> bool:
    """Whether one of ``items`` compares pictures."""
    return any(isinstance(item, Pairwise) and side.picture for item in items for side in getattr(item, "sides", ()))


def as_drawn(services: Services, visit: Visit, item: Item, period: int | None) -> Item:
    """``item`` as this participant meets it; of a pair the sides are in the order drawn, and its pictures stand there.

    Raises NotSaved and Refused where the draw cannot be stored: the pair is not shown then."""
    if not isinstance(item, Pairwise):
        return item
    pictures = {side.value: clean(services.folder / side.picture) for side in item.sides if side.picture}
    order = _order(services, visit, item, period, pictures)
    left, right = sorted(item.sides, key=lambda side: order.index(side.value))
    if pictures:
        columns = st.columns(2, wrap=False, gap="xsmall")
        names = (say("pair.left_picture"), say("pair.right_picture"))
        for column, side, name in zip(columns, (left, right), names, strict=True):
            with column:
                show_clean(services, visit, pictures[side.value], name, f"pair_{item.id}")
    return replace(item, sides=(left, right))


def _order(
    services: Services, visit: Visit, item: Pairwise, period: int | None, pictures: Mapping[str, CleanPhoto]
) -> tuple[str, ...]:
    participant = visit.state.participant
    before = services.store.pairs.order(participant, item.id, period)
    if before is not None:
        return before
    kept = {value: services.media.keep(participant, picture.png) for value, picture in pictures.items()}
    return services.store.pairs.draw(visit.study, participant, item, period, kept)
