"""Downloads."""

from __future__ import annotations

import streamlit as st

from study_app.researcher.login import researcher_head


def page() -> None:
    researcher_head("Export")
