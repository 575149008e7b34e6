"""An unexpected failure in a page: a plain sentence and a reference there, the traceback in the log only."""

from __future__ import annotations

import functools
import logging
import secrets
from collections.abc import Callable
from typing import ParamSpec

import streamlit as st

from study_app import texts
from study_app.services import services
from study_app.study.store import NotSaved

ENGLISH = texts.of(texts.FIRST).say
_log = logging.getLogger(__name__)
P = ParamSpec("P")


def guarded(draw: Callable[P, None], say: Callable[..., str] = ENGLISH) -> Callable[P, None]:
    """``draw`` whose failures are told plainly. Fragments run by themselves, so each needs it too.

    ``say``: in which language; participants' pages use `participant.guard`. `st.stop` and `st.rerun` are
    BaseExceptions and pass.
    """

    @functools.wraps(draw)
    def drawn(*args: P.args, **kwargs: P.kwargs) -> None:
        try:
            draw(*args, **kwargs)
        except NotSaved:
            st.error(say("page.not_saved_reload"))
        except Exception:
            _tell(say)

    return drawn


def _tell(say: Callable[..., str]) -> None:
    reference = f"E-{secrets.token_hex(3).upper()}"
    _log.exception("Page failed, reference %s", reference)
    try:
        services().store.log_event(None, "page_failed", {"reference": reference})
    except Exception:  # the first failure may be that there is no store
        _log.exception("The failure %s could not be noted in the database", reference)
    st.error(say("page.failed", reference=reference))
