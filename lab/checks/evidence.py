"""What a check expected and what it found, in words that its reader can compare."""

from __future__ import annotations

import re
from collections.abc import Mapping

from _pytest._io.saferepr import saferepr

from lab.classroom.wording import FALLBACK, LANGUAGES, Texts, in_language, say, say_in_all
from lab.errors import LabError

MESSAGE_CHARACTERS = 400
VALUE_CHARACTERS = 1000
OUTPUT_CHARACTERS = 4000
_SHOWN_CHARACTERS = 200
_CUT = " […] "


class NotAsExpected(AssertionError):
    """A check's condition that does not hold: `expected` in words, `found` as it is."""

    def __init__(self, expected: Texts, found: str) -> None:
        super().__init__(in_language(in_words(expected, found), FALLBACK))
        self.expected = expected
        self.found = found


class NotEvaluated(LabError):
    """What makes a check unknown, in every language: no word on the student's work."""

    def __init__(self, why: Texts) -> None:
        super().__init__(in_language(why, FALLBACK))
        self.why = why


def expect(condition: object, *, expected: str | Mapping[str, str], found: object = "") -> None:
    """Fail the check unless `condition` is true, and say what was expected and what was found.

    Args:
        condition: what should be true.
        expected: what should be, in words that go on from "expected"; a text, or one for each
            language.
        found: what is; nothing at all where it is empty.

    Raises:
        NotAsExpected: it is not true.
        TypeError: `expected` is no text; the check is then unknown.
    """
    texts = {FALLBACK: expected} if isinstance(expected, str) else expected
    if not isinstance(texts, Mapping) or not all(
        isinstance(word, str) for pair in texts.items() for word in pair
    ):
        raise TypeError(f"expected must be text, or a text for each language, not {expected!r}")
    if not condition:
        raise NotAsExpected(
            {language: shortened(text, VALUE_CHARACTERS) for language, text in texts.items()},
            as_text(found),
        )


def in_words(expected: Texts, found: str) -> dict[str, str]:
    """The one line for both, in every language."""
    nothing = {language: say("checks.nothing_found", language) for language in LANGUAGES}
    return say_in_all(
        "checks.as_expected",
        expected={language: _shown(text) for language, text in expected.items()},
        found=_shown(found) or nothing,
    )


def as_text(value: object) -> str:
    """A value as evidence shows it: text as it is, what else there is as Python writes it."""
    if value is None:
        return ""
    if isinstance(value, bytes):
        value = value.decode(errors="replace")
    if isinstance(value, str):
        return shortened(value.strip(), VALUE_CHARACTERS)
    # Also of an object whose own repr is broken, or without end.
    return saferepr(value, maxsize=VALUE_CHARACTERS)


def shortened(text: str, characters: int) -> str:
    """At most so many characters: the middle of a longer text is cut out, and that is marked."""
    if len(text) <= characters:
        return text
    kept = characters - len(_CUT)
    return text[: kept - kept // 2] + _CUT + text[len(text) - kept // 2 :]


def _shown(text: str) -> str:
    """A text within a sentence: one line of it, and not too long."""
    return shortened(re.sub(r"\s+", " ", shortened(text, VALUE_CHARACTERS)), _SHOWN_CHARACTERS)
