"""Any name in any script: a login that every machine takes, or none; and the same one again."""

from __future__ import annotations

import re
import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lab.classroom.fields import MAX_TEXT, is_host_name
from lab.classroom.fields import text as check_text
from lab.classroom.logins import PATTERN, RESERVED, derived_login, fold, login_problem, settle

# Any text, with a liking for what folds, composes, acts or is nearly a login.
TEXT = st.text(
    st.characters(exclude_categories=())
    | st.sampled_from("aAñÑßæıİŁ'`-_.0123 \u0301\u202e\x1b\0\n\ud800ﬁⅣ①Å")
) | st.from_regex(r"[-a-z0-9]{0,40}", fullmatch=True)


@settings(max_examples=300)
@given(TEXT)
def test_a_login_is_one_for_the_system_the_host_name_and_the_path(text: str) -> None:
    if login_problem(text) == "":
        assert re.fullmatch(PATTERN.removeprefix("^").removesuffix("$"), text)
        assert is_host_name(text)
        assert text not in RESERVED
    else:
        assert login_problem(text) == login_problem(text).strip()


@settings(max_examples=300)
@given(TEXT)
def test_folding_twice_is_folding_once(text: str) -> None:
    folded = fold(text)
    assert fold(folded) == folded
    assert re.fullmatch("(?:[a-z0-9]+(?:-[a-z0-9]+)*)?", folded)


@settings(max_examples=300)
@given(TEXT, TEXT)
def test_a_login_that_was_made_is_made_again_from_itself(name: str, email: str) -> None:
    login = derived_login(name=name, email=email)
    if login:
        assert login_problem(login) == ""
        assert derived_login(name=login, email="") == login
        assert derived_login(name="", email=f"{login}@example.org") == login
        assert derived_login(name=unicodedata.normalize("NFD", name), email=email) == login


@given(st.lists(st.tuples(TEXT.map(fold), st.booleans(), TEXT), max_size=8))
def test_settling_makes_logins_of_logins_and_leaves_what_was_written(
    people: list[tuple[str, bool, str]],
) -> None:
    wanted = [derived_login(name=name, email="") for name, _, _ in people]
    given_ = [written for _, written, _ in people]
    settled = settle(wanted, given=given_, own=[(own,) for _, _, own in people])
    for before, after, written in zip(wanted, settled, given_, strict=True):
        assert (after == before) or not written
        assert login_problem(after) == "" or before == ""
        assert (after == "") == (before == "")


@given(TEXT)
def test_text_is_kept_as_it_is_or_refused(text: str) -> None:
    acts = any(unicodedata.category(char) in {"Cc", "Cs", "Zl", "Zp"} for char in text)
    if acts or len(text) > MAX_TEXT:
        with pytest.raises(ValueError, match=r"cannot hold control characters|is longer than"):
            check_text(text)
    else:
        assert check_text(text) == text
