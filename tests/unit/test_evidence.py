"""What was expected and what was found, as checks say it."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lab.checks.evidence import VALUE_CHARACTERS, NotAsExpected, as_text, expect, shortened


def test_what_is_as_expected_says_nothing() -> None:
    expect(True, expected="it")
    expect("text", expected={"en": "it", "es": "ello"}, found="it")


def test_what_is_not_as_expected_says_so_in_both_languages() -> None:
    with pytest.raises(
        NotAsExpected, match=r"^expected an active nginx; found inactive$"
    ) as caught:
        expect(
            False, expected={"en": "an active nginx", "es": "un nginx activo"}, found="inactive\n"
        )
    assert caught.value.expected == {"en": "an active nginx", "es": "un nginx activo"}
    assert caught.value.found == "inactive"
    with pytest.raises(NotAsExpected) as caught:
        expect([], expected="a line")
    assert (caught.value.expected, caught.value.found) == ({"en": "a line"}, "")


@pytest.mark.parametrize("wrong", [3, None, {"en": 3}, {3: "it"}, ["it"]])
@pytest.mark.parametrize("condition", [True, False])
def test_what_is_no_text_is_the_author_s_mistake(wrong: Any, condition: bool) -> None:
    with pytest.raises(TypeError, match="expected must be text"):
        expect(condition, expected=wrong)


@pytest.mark.parametrize(
    ("value", "text"),
    [("a\n", "a"), (b"a\xff", "a�"), (None, ""), (0, "0"), (["a"], "['a']"), (False, "False")],
)
def test_a_value_as_text(value: object, text: str) -> None:
    assert as_text(value) == text


def test_what_a_check_says_is_bounded() -> None:
    with pytest.raises(NotAsExpected) as caught:
        expect(False, expected="e" * 10_000, found="f" * 10_000_000)
    assert len(caught.value.expected["en"]) == len(caught.value.found) == VALUE_CHARACTERS
    assert len(str(caught.value)) < 450


@given(st.text(), st.integers(10, 40))
def test_a_shortened_text_keeps_its_ends(text: str, characters: int) -> None:
    short = shortened(text, characters)
    assert len(short) == min(len(text), characters)
    assert text == short or (short[:2] == text[:2] and short[-1] == text[-1] and " […] " in short)
