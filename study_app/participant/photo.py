"""Choose a photo: one of the offered ones or one's own; and say what it shows, if known.

The page of the photo step's first time, and of its next times: after "I cannot tell" another photo may take the
place of the exposure's, which stays until "Continue" or "Keep this photo".
"""

from __future__ import annotations

import streamlit as st

from pipeline.photo import MAX_BYTES, MAX_PIXELS, MIN_SIDE, CleanPhoto, PhotoError, clean_photo
from study_app.gallery import GalleryPhoto, offered
from study_app.models import Models
from study_app.participant import another_photo, assigned, shield
from study_app.participant.guard import guarded
from study_app.participant.language import condition_name, say, shown_language
from study_app.participant.layout import assistants, foot, head, not_saved
from study_app.services import Services
from study_app.study.definition import SHIELD
from study_app.study.state import Exposure
from study_app.study.store import NotSaved, Refused
from study_app.study.visit import Visit

_UPLOAD_TYPES = ["jpg", "jpeg", "png", "webp", "heic", "heif"]
_THUMBNAIL_PX = 103
_UNKNOWN = ""
_MEGABYTES = MAX_BYTES // 2**20


def show(services: Services, visit: Visit, period: int) -> None:
    if visit.study.photo.assigned:
        assigned.begin(services, visit, period)
        return
    before = visit.state.exposures.get(period)
    name = visit.study.name_in_period(period)
    title = say("photo.another_for", assistant=name) if before else say("photo.for", assistant=name)
    head(visit, title, assistants(visit, period))
    shield.switch(services, visit)
    if before is not None:
        another_photo.keep_or_choose(services, visit, before)
    models = services.models.now()
    if models is None:
        _wait_for_models(services)
    else:
        place = _place(period, before)
        if _slot(place) not in st.session_state or st.session_state.get(_choosing(place)):
            st.markdown(visit.study.photo.instruction)
            _choose_source(services, visit, place, models)
        chosen: CleanPhoto | None = st.session_state.get(_slot(place))
        shown_before = before is not None and chosen is not None and before.had(chosen.sha256)
        label = _chosen_photo(services, visit, place, chosen, models, ask=not shown_before)
        if shown_before:
            st.warning(say("photo.shown_before"))
        elif st.button(say("page.continue"), type="primary", key=f"next_{visit.step.key}"):
            _go_on(services, visit, period, chosen, label, models)
    foot(visit.study, visit.state.participant)


def _place(period: int, before: Exposure | None) -> str:
    """Part of the keys of this page's widgets: a photo picked for another time of the step is not picked now."""
    if before is None:
        return str(period)
    return f"{period}_{before.another_photo_wanted_at}"


def _slot(place: str) -> str:
    return f"photo:{place}"


def _choosing(place: str) -> str:
    """Set while another photo is being chosen; the one chosen before stays until then."""
    return f"choosing:{place}"


def _own(place: str) -> str:
    """Whether the chosen photo is the participant's own: it is not covered."""
    return f"own:{place}"


def _choose(place: str, photo: CleanPhoto, *, own: bool) -> None:
    st.session_state[_slot(place)] = photo
    st.session_state[_own(place)] = own
    st.session_state[_choosing(place)] = False
    st.rerun()


@st.fragment(run_every=1.0)
@guarded
def _wait_for_models(services: Services) -> None:
    if services.models.now() is not None:
        st.rerun()
    st.info(say("photo.starting"))


def _choose_source(services: Services, visit: Visit, place: str, models: Models) -> None:
    gallery = offered(models.profile)
    sources = [s for s in visit.study.photo.sources if s == "upload" or gallery]
    source = sources[0]
    if len(sources) > 1:
        source = st.segmented_control(
            say("photo.where_from"),
            sources,
            default=sources[0],
            required=True,
            format_func=_source_name,
            label_visibility="collapsed",
            key=f"source_{place}",
        )
    if source == "upload":
        _upload(place)
    else:
        _gallery(services, visit, place, gallery)


def _source_name(source: str) -> str:
    return say("photo.offered") if source == "gallery" else say("photo.own")


def _gallery(services: Services, visit: Visit, place: str, gallery: tuple[GalleryPhoto, ...]) -> None:
    """Small pictures that wrap to the width of the screen, each with its button."""
    with st.container(horizontal=True, gap="small"):
        for n, photo in enumerate(gallery, 1):
            with st.container(width=_THUMBNAIL_PX, gap="xxsmall"):
                _thumbnail(services, visit, n, photo)
                if st.button(say("photo.take_nth", number=n), key=f"offer_{place}_{n}", width="stretch"):
                    _choose(place, assigned.clean(photo.file), own=False)


def _thumbnail(services: Services, visit: Visit, n: int, photo: GalleryPhoto) -> None:
    name, picture = say("photo.offered_nth", number=n), assigned.clean(photo.file)
    if shield.covered(services, visit, picture.sha256):
        shield.cover(services, visit, picture.sha256, "", "offered", say("shield.show_nth", number=n))
        return
    st.image(photo.file.read_bytes(), alt=name, width="stretch")


def _upload(place: str) -> None:
    """Decode a new file once. A refused file changes nothing: the photo chosen before stays chosen."""
    upload = st.file_uploader(
        say("photo.upload", megabytes=_MEGABYTES),
        type=_UPLOAD_TYPES,
        key=f"upload_{place}",
    )
    if upload is None:
        return
    seen = f"upload_seen:{place}"
    if st.session_state.get(seen, (None, ""))[0] != upload.file_id:
        try:
            photo = clean_photo(upload.getvalue())
        except PhotoError as error:
            st.session_state[seen] = (upload.file_id, error.reason)
        else:
            st.session_state[seen] = (upload.file_id, "")
            _choose(place, photo, own=True)
    reason = st.session_state[seen][1]
    if reason:
        st.warning(_why_refused(reason))


def _why_refused(reason: str) -> str:
    """``reason``: that of the `PhotoError`."""
    limits = {"megabytes": _MEGABYTES, "megapixels": MAX_PIXELS // 1_000_000, "side": MIN_SIDE}
    return say(f"photo_refused.{reason}", **limits)


def _chosen_photo(
    services: Services, visit: Visit, place: str, chosen: CleanPhoto | None, models: Models, ask: bool
) -> str | None:
    """The photo, larger, and, where ``ask``, what it shows. Returns the label, None when not known."""
    if chosen is None:
        return None
    picture, question = st.columns([2, 3], wrap=False)
    with picture:
        if not st.session_state.get(_own(place)) and shield.covered(services, visit, chosen.sha256):
            shield.cover(services, visit, chosen.sha256, say("photo.chosen"), "chosen")
        else:
            st.image(chosen.png, alt=say("photo.chosen"), width="stretch")
    with question:
        st.markdown(f"**{say('photo.chosen')}**")
        label = _ask_label(place, models) if ask and visit.study.photo.ask_label else None
        if st.button(say("photo.choose_another"), key=f"another_{place}"):
            st.session_state[_choosing(place)] = True
            st.rerun()
    return label


def _ask_label(place: str, models: Models) -> str | None:
    """The browser sends a choice by its words on the page: those of another language are not read as an answer, so each
    language has a field of its own, and what was picked is kept beside them."""
    names = {_UNKNOWN: say("photo.not_known")}
    names |= {label: condition_name(label).capitalize() for label in sorted(models.names)}
    labels, kept = list(names), f"label:{place}"
    picked = st.selectbox(
        say("photo.which_condition"),
        labels,
        index=labels.index(st.session_state.get(kept, _UNKNOWN)),
        format_func=names.__getitem__,
        key=f"label_{place}_{shown_language()}",
    )
    st.session_state[kept] = picked
    return None if picked == _UNKNOWN else picked


def _go_on(
    services: Services, visit: Visit, period: int, chosen: CleanPhoto | None, label: str | None, models: Models
) -> None:
    if chosen is None:
        st.warning(say("photo.choose_first"))
        return
    participant, before = visit.state.participant, visit.state.exposures.get(period)
    try:
        sha256 = services.media.keep(participant, chosen.png)
        if st.session_state.get(_own(_place(period, before))) and visit.study.sensitive_images == SHIELD:
            services.store.shield.own(participant, sha256)
        if before is None:
            services.store.start_exposure(participant, period, sha256, label, models.names)
        else:
            services.store.photos.replace(participant, period, before.photo, sha256, label, models.names)
        theme = st.context.theme.type
        services.store.log_event(participant, "page_theme", {"period": period, "theme": theme})
    except NotSaved:
        not_saved()
        return
    except Refused:
        pass  # another tab asked about its photo already: the page follows that one
    st.session_state.pop(_slot(_place(period, before)), None)
    st.rerun()
