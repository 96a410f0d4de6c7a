"""The page of a verify as text: nothing from outside is an element, and nothing is left out."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from html.parser import HTMLParser
from typing import Any

import pytest
from hypothesis import given

from lab.classroom.results import CheckResult, Evidence, LabResult, Outcome, StudentResult
from lab.report.text import inert_block, inert_line
from lab.report.verify_html import verify_html
from lab.report.verify_words import whole_score
from tests.unit.hostile_results import AT, SLOWLY, labs
from tests.unit.test_report_text import ACTIVE


class Page(HTMLParser):
    """The elements of a page in order, each with its attributes and all the text within it."""

    VOID = ("meta", "input", "link", "br")

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.elements: list[tuple[str, dict[str, str | None], list[str]]] = []
        self._open: list[tuple[str, list[str]]] = []
        self.feed(text)
        self.close()
        assert self._open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        said: list[str] = []
        self.elements.append((tag, dict(attrs), said))
        if tag not in self.VOID:
            self._open.append((tag, said))

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs), []))

    def handle_endtag(self, tag: str) -> None:
        opened, _ = self._open.pop()
        assert opened == tag

    def handle_data(self, data: str) -> None:
        for _, said in self._open:
            said.append(data)

    def handle_comment(self, data: str) -> None:
        raise AssertionError(f"a comment: {data}")

    def having(self, tag: str, class_: str) -> list[tuple[dict[str, str | None], str]]:
        return [
            (attributes, "".join(said))
            for found, attributes, said in self.elements
            if found == tag and class_ in (attributes.get("class") or "").split()
        ]

    @property
    def shape(self) -> list[tuple[str, list[str]]]:
        return [(tag, list(attributes)) for tag, attributes, _ in self.elements]


def harmless(results: tuple[LabResult, ...]) -> tuple[LabResult, ...]:
    """The same class, with a word of letters for each different text."""
    words: dict[str, str] = {}

    def word(text: str) -> str:
        shown = inert_block(text).strip("\n")
        return words.setdefault(shown, f"w{len(words)}") if shown else ""

    return mapped(results, word)


def mapped(results: tuple[LabResult, ...], word: Callable[[str], str]) -> tuple[LabResult, ...]:
    def check_of(check: CheckResult) -> CheckResult:
        texts: dict[str, Any] = {
            name: word(getattr(check, name)) for name in ("id", "step", "title", "message", "hint")
        }
        evidence = Evidence(**{name: word(text) for name, text in vars(check.evidence).items()})
        rest = {k: v for k, v in vars(check).items() if k not in {*texts, "evidence", "blocked_by"}}
        return CheckResult(
            **texts, **rest, evidence=evidence, blocked_by=tuple(map(word, check.blocked_by))
        )

    def student_of(student: StudentResult) -> StudentResult:
        return StudentResult(
            login=word(student.login),
            name=word(student.name),
            machine=word(student.machine),
            at=student.at,
            checks=tuple(map(check_of, student.checks)),
        )

    return tuple(
        LabResult(
            lab=word(lab.lab),
            language=lab.language,
            steps={word(step): word(title) for step, title in lab.steps.items()},
            students=tuple(map(student_of, lab.students)),
        )
        for lab in results
    )


@SLOWLY
@given(labs())
def test_html_has_no_element_and_no_attribute_that_the_template_does_not_have(
    results: tuple[LabResult, ...],
) -> None:
    page = Page(verify_html(results, made_at=AT))

    assert page.shape == Page(verify_html(harmless(results), made_at=AT)).shape
    assert [element[0] for element in page.elements].count("script") == 1
    for _, attributes, _ in page.elements:
        assert not [name for name in attributes if name.startswith("on") or name == "style"]
        assert (attributes.get("href") or "#").startswith("#")
        assert "src" not in attributes


@SLOWLY
@given(labs())
def test_html_agrees(results: tuple[LabResult, ...]) -> None:
    text = verify_html(results, made_at=AT)
    assert ACTIVE.findall(text) == []
    page = Page(text)
    checks = {
        attributes["id"]: (attributes["class"], said)
        for attributes, said in page.having("li", "check")
    }
    cells = iter(page.having("td", "cell"))
    scores = [said for _, said in page.having("span", "score")]
    logins = [said for _, said in page.having("th", "login") if said not in {"login", "usuario"}]
    for place, lab in enumerate(results):
        for number, student in enumerate(lab.students):
            if len(lab.students) > 1:
                assert scores.pop(0) == whole_score(student, lab.language)
                assert logins.pop(0) == inert_line(student.login)
            for order, check in enumerate(student.checks):
                kind, said = checks.pop(f"l{place}s{number}c{order}")
                assert kind == f"check {check.outcome.value}"
                assert inert_line(check.id) in said
                assert inert_line(check.title) in said
                assert inert_block(check.evidence.output).strip("\n") in said
        if len(lab.students) > 1:
            widest = max(len(student.checks) for student in lab.students)
            for student in lab.students:
                found = [next(cells)[0]["data-outcome"] for _ in range(widest)]
                told = [check.outcome.value for check in student.checks] or ["unknown"] * widest
                assert sorted(filter(None, found)) == sorted(told)
    assert checks == {}
    assert list(cells) == []


def check(name: str, outcome: Outcome, **more: Any) -> CheckResult:
    earned = {Outcome.PASSED: 1.0, Outcome.UNKNOWN: None}.get(outcome, 0.0)
    told = {"title": name, **more}
    return CheckResult(
        id=name, step=name[0], outcome=outcome, points=earned, max_points=1.0, **told
    )


def lab(*students: tuple[CheckResult, ...], language: str = "en") -> LabResult:
    return LabResult(
        lab="x",
        language=language,
        steps={"a": "The first", "b": "The second"},
        students=tuple(
            StudentResult(login=f"s{place}", name="", machine=f"x-s{place}", checks=checks)
            for place, checks in enumerate(students)
        ),
    )


def said(page: Page, tag: str, class_: str) -> list[str]:
    return [" ".join(text.split()) for _, text in page.having(tag, class_)]


BROKEN = (
    check(
        "a.1",
        Outcome.FAILED,
        message="expected a link; found nothing",
        evidence=Evidence(expected="a link", output="$ ls"),
        hint="Look there",
    ),
    check("a.2", Outcome.BLOCKED, message="blocked by a.1", blocked_by=("a.1",)),
    check("b.1", Outcome.BLOCKED, message="blocked by a.1", blocked_by=("a.1",), hidden=True),
    check("b.2", Outcome.UNKNOWN, message="SSH was lost"),
)
WELL = tuple(check(name, Outcome.PASSED) for name in ("a.1", "a.2", "b.1", "b.2"))


def test_the_page_says_from_when_to_when_its_students_were_verified() -> None:
    one = lab(BROKEN, WELL)
    for minutes, words in (
        ((0, 0), "Verified 2026-11-30 23:59 UTC"),
        ((0, 2), "Verified from 2026-11-30 23:59 UTC to 2026-12-01 00:01 UTC"),
    ):
        students = tuple(
            replace(it, at=AT + timedelta(minutes=later))
            for it, later in zip(one.students, minutes, strict=True)
        )
        page = Page(verify_html((replace(one, students=students),), made_at=AT))
        assert said(page, "p", "facts")[0] == words


def test_the_evidence_is_told_once_and_blocked_checks_link_to_their_root() -> None:
    page = Page(verify_html((lab(BROKEN, WELL),), made_at=AT))

    assert said(page, "li", "check")[:4] == [
        "✗failed: a.1 a.1 0/1 points Expecteda linkFoundnothingHintLook thereOutput$ ls",
        "–blocked: a.2 a.2 0/1 points Blocked by a.1",
        "–blocked: b.1 b.1 hidden 0/1 points Blocked by a.1",
        "?not evaluated: b.2 b.2 -/1 points SSH was lost",
    ]
    roots = [a["href"] for tag, a, text in page.elements if tag == "a" and text == ["a.1"]]
    assert set(roots) == {"#l0s0c0"}
    assert [" ".join("".join(text).split()) for tag, _, text in page.elements if tag == "h4"] == [
        "Failed 1",
        "Blocked 2 · by a.1",
        "Not evaluated 1 · SSH was lost",
        "Passed 4",
    ]


def test_the_summary_says_how_many_have_everything_and_what_was_not_evaluated() -> None:
    page = Page(verify_html((lab(BROKEN, WELL),), made_at=AT))

    assert said(page, "p", "figure") == ["1 of 2", "50%", "1"]
    assert said(page, "span", "score") == ["0/3 (1 of 4 points not evaluated)", "4/4"]


def test_a_step_counts_who_has_all_of_it_and_a_hard_check_who_fails_it() -> None:
    lost = tuple(check(name, Outcome.UNKNOWN) for name in ("a.1", "a.2", "b.1", "b.2"))
    page = Page(verify_html((lab(BROKEN, WELL, lost),), made_at=AT))

    assert said(page, "ol", "bars") == [
        "The first 1 of 2, 1 not evaluated The second 1 of 2, 1 not evaluated",
        "a.1 a.1 1 of 2 failed",
    ]


def test_one_student_has_a_page_without_a_class() -> None:
    page = Page(verify_html((lab(BROKEN),), made_at=AT))

    assert [
        tag for tag, _, _ in page.elements if tag in {"table", "form", "dialog", "details"}
    ] == []
    assert said(page, "p", "figure") == ["✗ s0", "0/3 (1 of 4 points not evaluated)"]
    assert said(page, "ol", "bars") == ["The first 0 of 2 The second 0 of 1, 1 not evaluated"]


def test_a_page_in_spanish_is_in_spanish() -> None:
    text = verify_html((lab(BROKEN, WELL, language="es"),), made_at=AT)

    assert Page(text).elements[0][:2] == ("html", {"lang": "es"})
    for english in ("points", "Expected", "Hint", "blocked", "Hardest", "score", "students"):
        assert not re.search(
            rf">[^<]*\b{english}\b", text.partition("<script>")[0].partition("</style>")[2]
        )


@pytest.mark.parametrize("results", [(), (lab(),), (lab(()),), (lab((), WELL),)])
def test_a_class_without_students_or_checks_has_a_page(results: tuple[LabResult, ...]) -> None:
    assert Page(verify_html(results, made_at=AT)).having("p", "panel") or "s0" in str(
        Page(verify_html(results, made_at=AT)).elements
    )


def test_the_policy_names_the_style_and_the_script_and_nothing_else() -> None:
    page = Page(verify_html((lab(WELL),), made_at=AT))

    [policy] = [a["content"] for tag, a, _ in page.elements if tag == "meta" and "http-equiv" in a]
    assert re.fullmatch(
        r"default-src 'none'; style-src 'sha256-[\w+/=]{44}'; script-src 'sha256-[\w+/=]{44}'; "
        "base-uri 'none'; form-action 'none'",
        policy or "",
    )


def test_a_class_of_thirty_with_forty_five_checks_stays_below_two_megabytes() -> None:
    def row(place: int) -> tuple[CheckResult, ...]:
        # A quarter fails, each with as much output as a check may have.
        outcomes = [Outcome.FAILED if (place + n) % 4 == 0 else Outcome.PASSED for n in range(45)]
        return tuple(
            check(
                f"a.check{n}",
                outcome,
                title="What this check is about, in a sentence of some length",
                evidence=Evidence(output="x" * 3000 if outcome is Outcome.FAILED else ""),
            )
            for n, outcome in enumerate(outcomes)
        )

    text = verify_html((lab(*(row(place) for place in range(30))),), made_at=datetime(2026, 1, 1))

    assert len(text.encode()) < 2_000_000
