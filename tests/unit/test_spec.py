"""What a check says about itself, and what is wrong with checks taken together."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lab.checks.spec import CheckSpec, problems_of, read_spec

STEPS = ("web", "app")
MARK = {"id": "web.up", "step": "web", "title": {"en": "Up", "es": "Arriba"}}


def read(**changes: Any) -> CheckSpec:
    return read_spec(MARK | changes, where="test_web.py::test_up", steps=STEPS)


def spec(check_id: str, *after: str) -> CheckSpec:
    return CheckSpec(id=check_id, step="web", title={"en": check_id}, after=after)


def test_a_check_is_read_whole() -> None:
    found = read(
        points=2, hint="Start it", full_hint={"es": "Hazlo"}, after=["web.there"], hidden=True
    )
    assert found == CheckSpec(
        id="web.up",
        step="web",
        title={"en": "Up", "es": "Arriba"},
        points=2.0,
        hint={"en": "Start it"},
        full_hint={"es": "Hazlo"},
        after=("web.there",),
        hidden=True,
    )


def test_what_a_check_need_not_say() -> None:
    assert read() == CheckSpec(id="web.up", step="web", title=MARK["title"], points=1.0)


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"pts": 2}, "the mark `check` knows no 'pts'; it takes id, step, points,"),
        ({"id": ""}, "the mark `check` lacks 'id'"),
        ({"step": None}, "the mark `check` lacks 'step'"),
        ({"title": {}}, "the mark `check` lacks 'title'"),
        ({"step": "wab"}, "there is no step 'wab' in the guide; it has web, app"),
        ({"points": -1}, "points must be a number that is not negative, not -1"),
        ({"points": "2"}, "points must be a number"),
        ({"points": True}, "points must be a number"),
    ],
)
def test_what_is_wrong_with_a_check_is_told_with_its_place(
    changes: dict[str, Any], sentence: str
) -> None:
    with pytest.raises(ValueError, match=r"^test_web\.py::test_up: ") as caught:
        read(**changes)
    assert sentence in str(caught.value)


@pytest.mark.parametrize(
    "changes",
    [
        {"id": 3},
        {"title": 3},
        {"title": ["Up"]},
        {"title": {"en": 3}},
        {"hint": None},
        {"after": None},
        {"after": 3},
        {"after": [3]},
    ],
)
def test_what_is_of_the_wrong_type_is_told_too(changes: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="test_up"):
        read(**changes)


@pytest.mark.parametrize(
    "changes",
    [
        {"points": float("nan")},
        {"points": float("inf")},
        {"points": 10**400},
        {"after": "web.there"},
        {"id": "web\tup"},
        {"id": "web\nup"},
        {"hidden": "no"},
        {"hidden": 1},
        {"full_hint": 3},
    ],
)
def test_what_cannot_be_meant_is_told(changes: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="test_up"):
        read(**changes)


ANYTHING = st.none() | st.booleans() | st.integers() | st.text(max_size=5)


@given(st.dictionaries(st.sampled_from(["id", "step", "points", "x"]), ANYTHING))
def test_any_mark_is_a_check_or_a_sentence(values: dict[str, Any]) -> None:
    found, problem = None, ""
    try:
        found = read_spec({"title": "Up", **values}, where="here", steps=STEPS)
    except ValueError as error:
        problem = str(error)
    assert problem.startswith("here: ") if found is None else found.step in STEPS


def test_nothing_is_wrong_with_checks_in_order() -> None:
    assert problems_of([spec("a"), spec("b", "a"), spec("c", "a", "b")]) == []


def test_problems_of_checks_taken_together() -> None:
    checks = [spec("a", "b", "nowhere"), spec("b"), spec("b"), spec("c", "c")]
    assert problems_of(checks) == [
        "a comes after b, which is run later: write it further down",
        "a comes after nowhere, and there is no such check",
        "two checks have the id b",
        "c comes after c, which is run later: write it further down",
    ]
