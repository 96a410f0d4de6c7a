"""What a plain assertion compared, told as what was expected and what was found."""

from __future__ import annotations

from typing import Any

import pytest

from lab.checks.comparisons import Comparison, Comparisons, compared
from lab.checks.evidence import VALUE_CHARACTERS


class Broken:
    def __repr__(self) -> str:
        raise RuntimeError("no words")


@pytest.mark.parametrize(
    ("operator", "left", "right", "en", "es", "found"),
    [
        ("==", "inactive\n", "active", "active", "active", "inactive"),
        ("==", 3, 4, "4", "4", "3"),
        ("==", "", "active", "active", "active", ""),
        ("==", "more", "", "''", "''", "more"),
        ("is", None, True, "True", "True", ""),
        ("==", b"a\xff", "b", "b", "b", "a�"),
        ("!=", "x", "x", "something other than x", "algo distinto de x", "x"),
        ("is not", None, None, "something other than None", "algo distinto de None", ""),
        ("<", 3, 2, "less than 2", "menos de 2", "3"),
        ("<=", 3, 2, "at most 2", "como máximo 2", "3"),
        (">", 1, 2, "more than 2", "más de 2", "1"),
        (">=", 1, 2, "at least 2", "como mínimo 2", "1"),
        ("in", "a", ["b"], "something with a", "algo que contenga a", "['b']"),
        ("in", "a", "bc", "something with a", "algo que contenga a", "bc"),
        ("in", "c", ("a", "b"), "one of a, b", "uno de a, b", "c"),
        ("not in", "a", "abc", "nothing with a", "nada que contenga a", "abc"),
        ("not in", "a", ("a", "b"), "none of a, b", "ninguno de a, b", "a"),
    ],
)
def test_a_comparison_in_words(
    operator: str, left: Any, right: Any, en: str, es: str, found: str
) -> None:
    assert compared(operator, left, right) == Comparison({"en": en, "es": es}, found)


def test_values_are_bounded_and_need_no_words_of_their_own() -> None:
    comparison = compared("==", "x" * 10_000_000, list(range(1_000_000)))
    assert len(comparison.found) == VALUE_CHARACTERS
    assert {len(text) <= VALUE_CHARACTERS for text in comparison.expected.values()} == {True}
    assert "RuntimeError" in compared("==", Broken(), 1).found


def test_the_assertion_says_which_comparison_it_failed_for() -> None:
    comparisons = Comparisons()
    first = comparisons.note("==", 1, 2)
    second = comparisons.note("==", 3, 4)
    of_first, of_second = compared("==", 1, 2), compared("==", 3, 4)
    assert comparisons.of(f"assert {first}") == of_first
    assert comparisons.of(f"own words\nassert {first}") == of_first
    assert comparisons.of(f"assert ({first} and {second})") == of_second
    assert comparisons.of(f"assert {first} said a guest\nassert {second}") == of_second
    for text in ("", f"assert not {first}", f"assert ({first} or {second})", "assert False"):
        assert comparisons.of(text) is None
    comparisons.clear()
    assert comparisons.of(f"assert {first}") is None
