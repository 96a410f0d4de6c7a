"""The catalogue of what students and teachers read: whole in every language, all of it used."""

from __future__ import annotations

import pytest

from lab.classroom.wording import in_language


@pytest.mark.parametrize(
    ("language", "text"), [("es", "Arriba"), ("en", "Up"), ("fr", "Up"), ("", "Up")]
)
def test_a_text_in_a_language(language: str, text: str) -> None:
    assert in_language({"es": "Arriba", "en": "Up"}, language) == text


def test_a_text_in_whichever_language_there_is() -> None:
    assert in_language({"es": "Arriba"}, "fr") == "Arriba"
    assert in_language({"en": "Up", "es": ""}, "es") == "Up"
    assert in_language({}, "es") == ""
