"""What participants read: one text, or one per language.

In the file a text is a plain string (the study's first language) or ``{en: ..., de: ...}``. In Python it is a
`str`: the text of the first language, which also knows the others. `Study.in_language` gives a study of plain
strings, so that pages and the flow need to know nothing of languages.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Annotated, Any

from pydantic import GetJsonSchemaHandler, ValidationInfo
from pydantic.annotated_handlers import GetCoreSchemaHandler
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, PydanticCustomError, core_schema

LANGUAGE = r"^[a-z]{2,3}(-[A-Za-z0-9]+)*$"
"""A language tag as browsers name it: en, de, zh, zh-Hant."""
LANGUAGES = "languages"
"""Key of the validation context: the study's languages, the first of which is the one of plain strings."""


class Translated(str):
    """A text in several languages; as a `str` it is the one of the study's first language."""

    languages: Mapping[str, str]

    def __new__(cls, first: str, languages: Mapping[str, str]) -> Translated:
        text = super().__new__(cls, first)
        text.languages = MappingProxyType(dict(languages))
        return text


def in_language(text: str, language: str) -> str:
    """``text`` in ``language``; a plain string is the same in all."""
    return text.languages.get(language, str(text)) if isinstance(text, Translated) else text


def texts_in(value: Any) -> list[Any]:
    """The text or texts of a value from the file, whatever its shape."""
    return list(value.values()) if isinstance(value, dict) else [value]


class _AnyText:
    """Pydantic's side of `Text`: refuses what is neither a text nor one text for each of the study's languages."""

    def __init__(self, may_be_empty: bool = False) -> None:
        self.may_be_empty = may_be_empty

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.with_info_plain_validator_function(
            self.read, serialization=core_schema.plain_serializer_function_ser_schema(_written)
        )

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        text: JsonSchemaValue = {"type": "string"} if self.may_be_empty else {"type": "string", "minLength": 1}
        several = {"type": "object", "minProperties": 1, "propertyNames": {"pattern": LANGUAGE}}
        return {"anyOf": [text, {**several, "additionalProperties": text}]}

    def read(self, value: Any, info: ValidationInfo) -> str:
        languages: tuple[str, ...] = (info.context or {}).get(LANGUAGES, ())
        if isinstance(value, str):
            return self._filled(value, "")
        if not isinstance(value, dict):
            raise PydanticCustomError("text_type", "not text", {})
        for language, text in value.items():
            if language not in languages:
                known = ", ".join(languages) or "none"
                raise PydanticCustomError("text_language", "unknown", {"language": str(language), "known": known})
            if not isinstance(text, str):
                raise PydanticCustomError("text_type", "not text", {})
            self._filled(text, language)
        lacking = [language for language in languages if language not in value]
        if lacking:
            raise PydanticCustomError("text_lacks", "lacks a language", {"lacking": ", ".join(lacking)})
        return Translated(value[languages[0]], value)

    def _filled(self, text: str, language: str) -> str:
        if not text and not self.may_be_empty:
            raise PydanticCustomError("text_empty", "empty", {"language": language})
        return text


def _written(text: str) -> str | dict[str, str]:
    return dict(text.languages) if isinstance(text, Translated) else str(text)


Text = Annotated[str, _AnyText()]
TextOrNothing = Annotated[str, _AnyText(may_be_empty=True)]
