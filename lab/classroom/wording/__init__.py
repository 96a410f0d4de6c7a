"""What students and teachers read, in each language: the catalogue, and how to ask it.

One module for each kind of text, each a `TEXTS` of key to language to text. Ids, keys and flags
stay English, and so do errors, which a teacher searches for.
"""

from __future__ import annotations

from collections.abc import Mapping

from lab.classroom.wording import checks, grades, guides, handouts, reports

LANGUAGES = ("en", "es")
FALLBACK = "en"

# A text in each language that its author has written.
Texts = Mapping[str, str]

CATALOGUE: dict[str, Texts] = {
    **checks.TEXTS,
    **reports.TEXTS,
    **grades.TEXTS,
    **handouts.TEXTS,
    **guides.TEXTS,
}


def in_language(texts: Texts, language: str) -> str:
    """The text in a language, else in English, else in whichever there is."""
    return texts.get(language) or texts.get(FALLBACK) or next(iter(texts.values()), "")


def say(key: str, language: str, **values: object) -> str:
    """A text of the catalogue with its gaps filled in."""
    return in_language(CATALOGUE[key], language).format(**values)


def say_in_all(key: str, **values: object) -> dict[str, str]:
    """The same in every language; a value that is `Texts` is taken in that language."""
    return {
        language: say(
            key,
            language,
            **{
                name: in_language(value, language) if isinstance(value, Mapping) else value
                for name, value in values.items()
            },
        )
        for language in LANGUAGES
    }
