"""A study file that is not on this machine's disk: text in, a `Study` or every mistake out."""

from __future__ import annotations

from pathlib import Path

from study_app.study.definition import Study, read_study


def check_text(name: str, text: bytes) -> Study:
    """``name``: what messages call the file. What is beside the author's file is not here to be read: instruments come
    from those that ship with the app, and pictures (`Study.files`) are not looked for. Raises DefinitionError with
    every mistake."""
    return read_study(Path(name.replace("\\", "/")).name or "study.yaml", text, None)
