"""A study file that is not on this machine's disk: text in, a `Study` or every mistake out."""

from __future__ import annotations

import tempfile
from pathlib import Path

from study_app.study.definition import DefinitionError, Study, load_study


def check_text(name: str, text: bytes) -> Study:
    """``name``: what messages call the file. Instruments come from those that ship with the app; one of the author's
    own, beside their file, is not here to be read. Raises DefinitionError with every mistake."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "study.yaml"
        file.write_bytes(text)
        try:
            return load_study(file)
        except DefinitionError as error:
            plain = Path(name.replace("\\", "/")).name or "study.yaml"
            told = (problem.replace(str(file), plain).replace(folder, ".") for problem in error.problems)
            raise DefinitionError(tuple(told)) from error
