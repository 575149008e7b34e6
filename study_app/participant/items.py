"""One widget per kind of item: one column, targets a thumb hits, a label on every control, nothing chosen before.

Each returns the answer in its stored form (see `study/answers.py`), or None while there is none. The label is
plain text: a screen reader speaks it as it stands.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Literal

import streamlit as st

from study_app.participant.language import say
from study_app.participant.layout import left_to_right
from study_app.study.answers import NOT_SAID, chosen_options, ranked, several
from study_app.study.definition import Item, Likert, Option, Scale, Single, Study
from study_app.study.definition_items import LongText, Multiple, Number, Pairwise, Ranking, ShortText, Slider, YesNo
from study_app.study.state import Value

_PILLS_UP_TO = 5
Visibility = Literal["visible", "collapsed"]


def ask(study: Study, item: Item, key: str, before: Value | None, labelled: bool) -> Value | None:
    """Draw ``item`` with its stored answer ``before``. ``labelled``: the wording stands above it already."""
    visibility: Visibility = "collapsed" if labelled else "visible"
    if item.missing == NOT_SAID and not isinstance(item, Single | YesNo):
        # a place of its own below the answer, which it switches off: both at once would say two things
        above = st.container()
        refused = _not_said(item, key, before)
        with above:
            value = _KINDS[item.kind](study, item, key, None if before == NOT_SAID else before, visibility, refused)
        return NOT_SAID if refused else value
    return _KINDS[item.kind](study, item, key, before, visibility, False)


def _not_said(item: Item, key: str, before: Value | None) -> bool:
    label = _refusal().label
    chosen = st.pills(
        f"{item.wording} {label}",
        [NOT_SAID],
        default=NOT_SAID if before == NOT_SAID else None,
        format_func=lambda _: label,
        label_visibility="collapsed",
        key=f"{key}_not_said",
    )
    return chosen is not None


def _refusal() -> Option:
    return Option(value=NOT_SAID, label=say("questions.prefer_not_to_say"))


def _likert(
    study: Study, item: Likert, key: str, before: Value | None, visibility: Visibility, disabled: bool
) -> Value | None:
    scale = study.scale_of(item)
    return st.segmented_control(
        read_aloud(item, scale),
        scale.points,
        default=int(before) if isinstance(before, int) else None,
        required=item.missing == "required",
        width="stretch",
        wrap=False,
        label_visibility="collapsed",
        disabled=disabled,
        key=key,
    )


def read_aloud(item: Likert, scale: Scale) -> str:
    """The label a screen reader speaks: plain text, with what the ends mean."""
    return _with_ends(item.wording, (scale.minimum, scale.labels[0]), (scale.maximum, scale.labels[-1]))


def _with_ends(wording: str, low: tuple[int, str], high: tuple[int, str]) -> str:
    labels = {"low_label": low[1].lower(), "high_label": high[1].lower()}
    return say("questions.ends", wording=wording, low=low[0], high=high[0], **labels)


def _single(
    study: Study, item: Single, key: str, before: Value | None, visibility: Visibility, disabled: bool
) -> Value | None:
    options = item.options if item.missing != NOT_SAID else (*item.options, _refusal())
    return _one_of(item, options, key, before, visibility)


def _yes_no(
    study: Study, item: YesNo, key: str, before: Value | None, visibility: Visibility, disabled: bool
) -> Value | None:
    # "Yes" and "No" stand there where the study says nothing of its own
    yes = say("questions.yes") if item.label_yes == "Yes" else item.label_yes
    no = say("questions.no") if item.label_no == "No" else item.label_no
    options = (Option(value="yes", label=yes), Option(value="no", label=no))
    return _one_of(item, options if item.missing != NOT_SAID else (*options, _refusal()), key, before, visibility)


def _one_of(
    item: Single | YesNo, options: Sequence[Option], key: str, before: Value | None, visibility: Visibility
) -> Value | None:
    labels = {option.value: option.label for option in options}
    values = list(labels)
    chosen = before if isinstance(before, str) and before in labels else None
    if len(values) > _PILLS_UP_TO:
        index = values.index(chosen) if chosen else None
        return st.selectbox(
            item.wording,
            values,
            index=index,
            format_func=labels.__getitem__,
            placeholder=say("questions.choose_one"),
            label_visibility=visibility,
            key=key,
        )
    return st.pills(
        item.wording,
        values,
        default=chosen,
        required=item.missing != "may_skip",
        format_func=labels.__getitem__,
        label_visibility=visibility,
        key=key,
    )


def _multiple(
    study: Study, item: Multiple, key: str, before: Value | None, visibility: Visibility, disabled: bool
) -> Value | None:
    labels = {option.value: option.label for option in item.options}
    chosen = st.pills(
        item.wording,
        list(labels),
        selection_mode="multi",
        default=list(chosen_options(before)),
        format_func=labels.__getitem__,
        label_visibility=visibility,
        disabled=disabled,
        key=key,
    )
    most = item.at_most or len(labels)
    if not disabled and len(chosen) > most:
        st.warning(say("questions.at_most", n=most))
    return several(item, chosen) if item.at_least <= len(chosen) <= most else None


def _ranking(
    study: Study, item: Ranking, key: str, before: Value | None, visibility: Visibility, disabled: bool
) -> Value | None:
    """One field per place, each with what stands in no place above it; an answer once every place is filled."""
    labels = {option.value: option.label for option in item.options}
    stored = chosen_options(before)
    order: list[str] = []
    if visibility == "visible":
        st.markdown(item.wording)
    for place in range(1, len(labels) + 1):
        left = [value for value in labels if value not in order]
        again = len(stored) == len(labels) and list(stored[: place - 1]) == order
        value = st.selectbox(
            f"{item.wording} {place}.",
            left,
            index=left.index(stored[place - 1]) if again else None,
            format_func=partial(_in_place, place, labels),
            placeholder=f"{place}.",
            label_visibility="collapsed",
            disabled=disabled,
            # another choice above makes it another field
            key="_".join((key, str(place), *order)),
        )
        if value is None:
            return None
        order.append(value)
    return ranked(order)


def _in_place(place: int, labels: Mapping[str, str], value: str) -> str:
    return f"{place}. {labels[value]}"


def _pairwise(
    study: Study, item: Pairwise, key: str, before: Value | None, visibility: Visibility, disabled: bool
) -> Value | None:
    """Left or right, in the order of ``item.sides``; `pair.as_drawn` puts them in the drawn one and shows pictures."""
    values = [side.value for side in item.sides]
    names = dict(zip(values, (say("pair.left"), say("pair.right")), strict=True))
    if all(side.text for side in item.sides):
        with left_to_right(f"{key}_texts"):
            columns = st.columns(2, wrap=False, gap="xsmall", border=True)
        for column, side in zip(columns, item.sides, strict=True):
            column.markdown(f"**{names[side.value]}.** {side.text}")
    with left_to_right(key):
        return st.segmented_control(
            item.wording,
            values,
            default=before if before in values else None,
            required=item.missing == "required",
            format_func=names.__getitem__,
            width="stretch",
            wrap=False,
            label_visibility="collapsed",
            disabled=disabled,
            key=key,
        )


def _number(
    study: Study, item: Number, key: str, before: Value | None, visibility: Visibility, disabled: bool
) -> Value | None:
    typed = st.number_input(
        f"{item.wording} ({item.unit})" if item.unit else item.wording,
        min_value=float(item.minimum),
        max_value=float(item.maximum),
        value=float(before) if isinstance(before, int | float) else None,
        step=float(10**-item.decimals),
        format=f"%.{item.decimals}f",
        placeholder=item.unit or None,
        label_visibility=visibility,
        disabled=disabled,
        key=key,
    )
    if typed is None:
        return None
    return round(typed, item.decimals) if item.decimals else round(typed)


def _short_text(
    study: Study, item: ShortText, key: str, before: Value | None, visibility: Visibility, disabled: bool
) -> Value | None:
    written = st.text_input(
        item.wording,
        value=str(before or ""),
        max_chars=item.max_length,
        label_visibility=visibility,
        disabled=disabled,
        key=key,
    )
    return written if written.strip() else None


def _long_text(
    study: Study, item: LongText, key: str, before: Value | None, visibility: Visibility, disabled: bool
) -> Value | None:
    written = st.text_area(
        item.wording,
        value=str(before or ""),
        max_chars=item.max_length,
        height=120,
        label_visibility=visibility,
        disabled=disabled,
        key=key,
    )
    return written if written.strip() else None


def _slider(
    study: Study, item: Slider, key: str, before: Value | None, visibility: Visibility, disabled: bool
) -> Value | None:
    """It has to stand somewhere: in the middle, which is no answer until it is moved or the button pressed."""
    middle = item.minimum + (item.maximum - item.minimum) // item.step // 2 * item.step
    answered = isinstance(before, int)
    with st.container(key=f"slider_{key}"):  # its ends are where the slider's are: see `page_language`
        value = st.slider(
            _with_ends(item.wording, (item.minimum, item.ends[0]), (item.maximum, item.ends[1])),
            min_value=item.minimum,
            max_value=item.maximum,
            value=int(before) if isinstance(before, int) else middle,
            step=item.step,
            label_visibility="collapsed",
            disabled=disabled,
            key=key,
        )
        beside_each_other(*item.ends)
    if answered or disabled or value != middle:
        return value
    return middle if st.button(say("questions.middle_is_mine", number=middle), key=f"{key}_middle") else None


def beside_each_other(left: str, *rest: str) -> None:
    """Short texts in one line, from its beginning to its end."""
    with st.container(horizontal=True, horizontal_alignment="distribute"):
        for text in (left, *rest):
            st.markdown(text, width="content")


_KINDS: dict[str, Callable[..., Value | None]] = {
    "likert": _likert,
    "single": _single,
    "multiple": _multiple,
    "yes_no": _yes_no,
    "number": _number,
    "short_text": _short_text,
    "long_text": _long_text,
    "slider": _slider,
    "ranking": _ranking,
    "pairwise": _pairwise,
}
