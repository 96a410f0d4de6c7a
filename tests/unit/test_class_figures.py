"""What a report says of a class: the hardest checks, progress by step, the scores."""

from __future__ import annotations

import pytest

from lab.classroom.results import CheckResult, LabResult, Outcome, StudentResult
from lab.report.class_figures import (
    all_checks,
    distribution,
    hardest,
    median_share,
    progress,
    step_names,
)

LETTERS = {
    "p": Outcome.PASSED,
    "f": Outcome.FAILED,
    "b": Outcome.BLOCKED,
    "u": Outcome.UNKNOWN,
}


def lab(*rows: str, ids: tuple[str, ...] = ("a.1", "a.2", "b.1")) -> LabResult:
    """A lab of which each row is a student, and each letter what became of a check."""
    return LabResult(lab="x", students=tuple(student(row, ids) for row in rows))


def student(row: str, ids: tuple[str, ...]) -> StudentResult:
    checks = tuple(check(name, LETTERS[letter]) for name, letter in zip(ids, row, strict=False))
    return StudentResult(login=row or "nobody", name="", machine="", checks=checks)


def check(name: str, outcome: Outcome) -> CheckResult:
    earned = {Outcome.PASSED: 1.0, Outcome.UNKNOWN: None}.get(outcome, 0.0)
    return CheckResult(
        id=name, step=name[0], title=name, outcome=outcome, points=earned, max_points=1.0
    )


def test_the_hardest_checks_are_those_that_most_of_the_judged_fail() -> None:
    # a.1: 1 of 4; a.2: 2 of 3 and one blocked; b.1: 1 of 1, three unknown.
    found = hardest(lab("ppu", "pff", "pfu", "fbu"), most=5)

    assert [(one.check.id, one.failed, one.judged, one.blocked) for one in found] == [
        ("b.1", 1, 1, 0),
        ("a.2", 2, 3, 1),
        ("a.1", 1, 4, 0),
    ]


def test_what_as_great_a_share_fails_is_the_harder_the_more_there_are() -> None:
    found = hardest(lab("pfu", "pfu", "ppf", "ppp"), most=2)

    assert [(one.check.id, one.share) for one in found] == [("a.2", 0.5), ("b.1", 0.5)]


@pytest.mark.parametrize("rows", [(), ("ppp",), ("uuu", "bbb")])
def test_where_nobody_failed_nothing_is_hard(rows: tuple[str, ...]) -> None:
    assert hardest(lab(*rows), most=5) == ()


def test_progress_counts_who_has_all_of_a_step_of_those_for_whom_that_is_known() -> None:
    found = progress(lab("ppp", "pfb", "puu", ""))

    assert [(one.step, one.complete, one.judged, one.unknown) for one in found] == [
        ("a", 1, 2, 2),
        ("b", 1, 2, 2),
    ]
    assert [one.share for one in found] == [0.5, 0.5]


def test_the_median_and_the_tenths_leave_out_who_was_not_evaluated() -> None:
    found = lab("ppp", "pff", "fff", "uuu", "")

    assert median_share(found) == pytest.approx(1 / 3)
    assert distribution(found) == (1, 0, 0, 1, 0, 0, 0, 0, 0, 1)


def test_without_students_there_is_no_median() -> None:
    assert (median_share(lab()), sum(distribution(lab()))) == (None, 0)


def test_checks_are_in_the_order_of_the_guides_steps_each_of_them_once() -> None:
    short, long = student("p", ("b.1",)), student("ppp", ("b.1", "b.2", "a.1"))
    found = LabResult(lab="x", students=(short, long), steps={"a": "A", "c": "C", "b": "B"})

    assert step_names(found) == ("a", "b")
    assert [check.id for check in all_checks(found)] == ["a.1", "b.1", "b.2"]
