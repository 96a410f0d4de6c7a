"""Which attempts count, which of them makes the mark, and what it is worth."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lab.classroom.attempts import HistoryAttempt, StudentHistory
from lab.classroom.choices import Audience, Take
from lab.classroom.classes import GuestSettings, Lab, MachineSize, Student
from lab.classroom.results import Grade, LabResult, Outcome, StudentResult
from lab.classroom.runs import CheckRun, LabRun, Run, StudentRun
from lab.classroom.view import View
from lab.workflow.marks import (
    Attempt,
    Book,
    Marking,
    Place,
    chosen,
    counting,
    feedback,
    grades,
    others,
    results,
)
from lab.workflow.student_history import history_of

AT = datetime(2026, 11, 30, 12, tzinfo=UTC)
LETTERS = {
    "p": Outcome.PASSED,
    "f": Outcome.FAILED,
    "b": Outcome.BLOCKED,
    "u": Outcome.UNKNOWN,
}


def check(number: int, letter: str, **more: Any) -> CheckRun:
    """A check of a point: p, f, b or u; a capital is a hidden one."""
    outcome = LETTERS[letter.lower()]
    told: dict[str, Any] = {
        "id": f"web.{number}",
        "step": "web",
        "title": {"en": f"Check {number}", "es": f"Comprobación {number}"},
        "outcome": outcome,
        "points": {"p": 1.0, "u": None}.get(letter.lower(), 0.0),
        "max_points": 1.0,
        "hidden": letter.isupper(),
    }
    return CheckRun(**{**told, **more})


def student(letters: str, *, identity: str = "one", login: str = "ana") -> StudentRun:
    checks = tuple(check(number, letter) for number, letter in enumerate(letters, 1))
    return StudentRun(
        login=login,
        name=f"{login.title()} Núñez",
        machine=f"hello-{login}",
        identity=identity,
        checks=checks,
    )


def attempt(letters: str, *, identity: str = "one", hour: int = 0) -> Attempt:
    return Attempt(at=AT + timedelta(hours=hour), run=student(letters, identity=identity))


def attempts(*told: str) -> list[Attempt]:
    """Attempts an hour apart, each `letters` or `letters@identity`."""
    made = []
    for hour, words in enumerate(told):
        letters, _, identity = words.partition("@")
        made.append(attempt(letters, identity=identity, hour=hour))
    return made


def a_run(*students: StudentRun, at: datetime = AT, **more: Any) -> Run:
    steps = more.pop("steps", {"web": {"en": "Web"}})
    return Run(at=at, labs=(LabRun(lab="hello", students=students, steps=steps, **more),))


def place(login: str = "ana", *, lang: str | None = None) -> Place:
    person = Student(
        login=login,
        name=f"{login.title()} Núñez",
        email=f"{login}@example.org",
        vhost="x",
        machine=MachineSize(),
        vars={},
        machine_name=f"hello-{login}",
    )
    lab = Lab(
        name="hello",
        guide="tiny",
        box="debian-12",
        provider="lxc",
        domain="example.org",
        machine=MachineSize(),
        vars={},
        guest=GuestSettings(),
        students=(person,),
        lang=lang,
    )
    return Place(lab=lab, student=person)


def hours(found: tuple[Attempt, ...]) -> list[int]:
    return [round((it.at - AT).total_seconds() / 3600) for it in found]


@pytest.mark.parametrize(
    ("told", "now", "count"),
    [
        ([], "", []),
        (["p@a", "f@a"], "", [0, 1]),
        # A machine that was made anew does not inherit marks.
        (["p@a", "p@a", "f@b"], "", [2]),
        # One that was made anew and not verified yet has no attempt.
        (["p@a", "p@a"], "b", []),
        (["p@a", "p@a"], "a", [0, 1]),
        # A run in which nothing was evaluated is no attempt and replaces nothing.
        (["p@a", "uu@b"], "", [0]),
        (["p@a", "uu@a", "f@a"], "", [0, 2]),
        (["p@a", "@a"], "", [0]),
        (["uu@a"], "", []),
        # What is not known counts as the same, unless another machine came after it.
        (["p@", "f@"], "", [0, 1]),
        (["p@", "f@a"], "", [0, 1]),
        (["p@a", "f@"], "", [0, 1]),
        (["p@", "p@a", "f@b"], "", [2]),
        (["p@a", "p@", "f@b"], "", [1, 2]),
        (["p@", "p@a"], "b", []),
        (["p@"], "b", [0]),
        # A clock that was set back has put an attempt on the machine of now before the old one's.
        (["p@b", "f@a"], "b", [0]),
    ],
)
def test_the_attempts_that_count(told: list[str], now: str, count: list[int]) -> None:
    assert hours(counting(attempts(*told), identity_now=now)) == count


@pytest.mark.parametrize(
    ("told", "last", "best"),
    [
        ([], None, None),
        (["pp", "pf"], 1, 0),
        (["pf", "pp"], 1, 1),
        # The earlier one of equal ones.
        (["pf", "fp"], 1, 0),
        # Of as many points, the one of which more was evaluated.
        (["pu", "pf"], 1, 1),
        (["pf", "pu"], 1, 0),
        (["puu", "pfu"], 1, 1),
        # One of which a part could not be evaluated, only where that earns nothing and it has more.
        (["pppf", "pppu", "ppuu"], 2, 0),
        (["pfff", "pppu"], 1, 1),
        (["pppf", "ppuu"], 1, 0),
        # A share of all points: a guide may have got another check in between.
        (["pp", "ppf"], 1, 0),
        (["ppf", "pp"], 1, 1),
        (["ff", "ff"], 1, 0),
    ],
)
def test_last_and_best(told: list[str], last: int | None, best: int | None) -> None:
    made = attempts(*told)
    for take, index in ((Take.LAST, last), (Take.BEST, best)):
        assert chosen(made, take) is (None if index is None else made[index])


def test_an_attempt_in_which_checks_could_not_even_be_read_is_best_only_alone() -> None:
    """It has one check fewer than there are, so that its share is no share of all points."""
    whole, partial = attempts("pf", "p")
    lost = check(2, "u", id="test_more.py", step="", max_points=0.0)
    partial = replace(partial, run=replace(partial.run, checks=(*partial.run.checks, lost)))
    assert chosen([whole, partial], Take.BEST) is whole
    assert chosen([partial], Take.BEST) is partial


def test_an_attempt_of_which_a_part_was_lost_is_not_complete() -> None:
    """What stands for a lost part is worth nothing itself: nobody knows what it stands for."""
    lost = check(3, "u", id="checks", step="", max_points=0.0)
    run = student("pp")
    made = a_run(replace(run, checks=(*run.checks, lost)))
    [grade] = grades([place()], Book([made]), Marking())
    assert (grade.mark, grade.is_weighed, grade.complete) == (10.0, False, False)
    [found] = told([made]).attempts
    assert (found.is_weighed, found.complete) == (False, False)
    [lab] = View().of_labs(made.labs)
    assert (lab.students[0].is_weighed, lab.students[0].complete) == (False, False)
    for letters, complete in (("pp", True), ("pfb", True), ("pu", False), ("uu", False)):
        [grade] = grades([place()], Book([a_run(student(letters))]), Marking())
        assert grade.complete == complete, letters


def test_an_attempt_that_saw_nothing_worth_points_replaces_none() -> None:
    free, dear = check(1, "p", points=0.0, max_points=0.0), check(2, "u")
    seen = replace(student(""), checks=(free, replace(dear, outcome=Outcome.PASSED, points=1.0)))
    unseen, worthless = (replace(student(""), checks=it) for it in ((free, dear), (free,)))
    made = [Attempt(at=AT, run=it) for it in (seen, unseen)]
    assert counting(made) == (made[0],)
    made = [Attempt(at=AT, run=it) for it in (worthless, worthless)]
    assert counting(made) == tuple(made)


def test_a_check_worth_nothing_that_is_unknown_spoils_no_attempt() -> None:
    whole, partial = attempts("pf", "pp")
    told = check(3, "u", max_points=0.0)
    partial = replace(partial, run=replace(partial.run, checks=(*partial.run.checks, told)))
    assert chosen([whole, partial], Take.BEST) is partial


@pytest.mark.parametrize(
    ("letters", "scale", "mark"),
    [
        ("pp", 10.0, 10.0),
        ("ff", 10.0, 0.0),
        ("ppf", 10.0, 6.67),
        ("pff", 10.0, 3.33),
        ("pbf", 10.0, 3.33),
        # Out of what was evaluated.
        ("pfu", 10.0, 5.0),
        ("uu", 10.0, None),
        ("", 10.0, None),
        # An eighth of ten is 1.25, of a hundred 12.5, of five 0.625: half goes up.
        ("pfffffff", 10.0, 1.25),
        ("pfffffff", 5.0, 0.63),
        ("pfffffff", 100.0, 12.5),
        ("pf", 20.0, 10.0),
        ("p", 0.005, 0.01),
        ("p", 0.1, 0.1),
    ],
)
def test_a_mark_has_two_decimals_half_up(letters: str, scale: float, mark: float | None) -> None:
    assert attempt(letters).mark(scale) == mark


def test_sums_are_what_they_are_on_paper() -> None:
    """As floats, 0.1 + 0.2 is more than 0.3, and 0.145 is less than it is."""
    checks = (
        check(1, "p", points=0.1, max_points=0.1),
        check(2, "p", points=0.2, max_points=0.2),
        check(3, "f", max_points=0.7),
    )
    made = Attempt(at=AT, run=replace(student(""), checks=checks))
    assert (made.score, made.max_score) == (Fraction(3, 10), 1)
    assert made.mark(10) == 3.0
    checks = (
        check(1, "p", points=0.145, max_points=0.145),
        check(2, "f", max_points=9.855),
    )
    assert Attempt(at=AT, run=replace(student(""), checks=checks)).mark(10) == 0.15


@given(
    st.lists(st.tuples(st.sampled_from("pfbu"), st.floats(0, 100)), max_size=12),
    st.floats(0.01, 1000),
)
def test_a_mark_is_absent_or_between_nothing_and_the_scale(
    weights: list[tuple[str, float]], scale: float
) -> None:
    checks = tuple(
        check(
            number,
            letter,
            max_points=weight,
            points={"p": weight, "u": None}.get(letter, 0.0),
        )
        for number, (letter, weight) in enumerate(weights)
    )
    made = Attempt(at=AT, run=replace(student(""), checks=checks))
    mark = made.mark(scale)
    can_be = any(weight for letter, weight in weights if letter != "u")
    assert (mark is not None) == can_be
    assert mark is None or 0 <= mark <= scale + 0.005


def test_a_window_closes_with_its_last_moment() -> None:
    runs = [
        a_run(student("f"), at=AT),
        a_run(student("p"), at=AT + timedelta(microseconds=1)),
    ]
    for until, mark in ((AT - timedelta(microseconds=1), None), (AT, 0.0), (runs[1].at, 10.0)):
        [grade] = grades([place()], Book(runs, until=until), Marking(until=until))
        assert grade.mark == mark


def test_with_a_deadline_the_machine_of_the_newest_run_before_it_counts() -> None:
    runs = [
        a_run(student("pp", identity="old"), at=AT),
        a_run(student("pf", identity="new"), at=AT + timedelta(hours=1)),
        a_run(student("ff", identity="newest"), at=AT + timedelta(hours=2)),
    ]
    now = {"hello-ana": "newest"}

    def mark(hours: float | None) -> float | None:
        until = None if hours is None else AT + timedelta(hours=hours)
        marking = Marking(until=until, take=Take.BEST, identities=now)
        [grade] = grades([place()], Book(runs, until=until), marking)
        return grade.mark

    assert [mark(0), mark(1), mark(2), mark(None)] == [10.0, 5.0, 0.0, 0.0]


def test_a_grade_says_all_that_it_is_made_of() -> None:
    runs = [
        a_run(student("pfu"), student("uuu", login="luis"), at=AT),
        a_run(student("uuu"), at=AT + timedelta(hours=1)),
    ]
    luis = place("luis")
    assert grades([place(), luis, place("eva")], Book(runs), Marking(scale=5.0)) == (
        Grade(
            lab="hello",
            login="ana",
            name="Ana Núñez",
            email="ana@example.org",
            at=AT,
            attempts=1,
            score=1.0,
            max_score=2.0,
            total_points=3.0,
            mark=2.5,
            scale=5.0,
            feedback="1/2 checks. Failed: Check 2. Not evaluated, not counted: 1",
        ),
        Grade(lab="hello", login="luis", name="Luis Núñez", email="luis@example.org", scale=5.0),
        Grade(lab="hello", login="eva", name="Eva Núñez", email="eva@example.org", scale=5.0),
    )


@pytest.mark.parametrize(
    ("letters", "language", "line"),
    [
        ("pp", "es", "2/2 comprobaciones"),
        ("pP", "en", "2/2 checks"),
        ("pfbb", "en", "1/4 checks. Failed: Check 2. Blocked by what failed: 2"),
        ("pff", "es", "1/3 comprobaciones. Fallidas: Comprobación 2; Comprobación 3"),
        ("pF", "es", "1/2 comprobaciones. Fallidas: una comprobación oculta"),
        ("pfFF", "en", "1/4 checks. Failed: Check 2; 2 hidden checks"),
        ("pUuu", "es", "1/1 comprobaciones. Sin evaluar, no cuentan: 3"),
        (
            "f" * 10,
            "en",
            "0/10 checks. Failed: " + "; ".join(f"Check {it}" for it in range(1, 9)) + "; 2 more",
        ),
    ],
)
def test_feedback_names_what_failed_but_no_hidden_check(
    letters: str, language: str, line: str
) -> None:
    assert feedback(attempt(letters), language=language) == line


def test_feedback_is_in_the_labs_language_unless_another_is_asked_for() -> None:
    book = Book([a_run(student("p"))])
    spanish = place(lang="es")
    assert grades([spanish], book, Marking())[0].feedback == "1/1 comprobaciones"
    assert grades([spanish], book, Marking(language="en"))[0].feedback == "1/1 checks"


def test_a_report_is_put_together_of_each_students_attempt_in_the_rosters_order() -> None:
    later = AT + timedelta(hours=1)
    runs = [
        a_run(student("ff"), student("pF", login="luis"), at=AT),
        a_run(student("pf"), at=later, steps={"app": {"en": "App", "es": "Aplicación"}}),
    ]
    places = [place("luis", lang="es"), place("ana", lang="es"), place("eva", lang="es")]

    [lab] = results(places, Book(runs), Marking(), view=View(audience=Audience.STUDENT))

    assert (lab.lab, lab.language) == ("hello", "es")
    assert lab.steps == {"app": "Aplicación", "web": "Web"}
    luis, ana, eva = lab.students
    assert (luis.login, luis.name, luis.at) == ("luis", "Luis Núñez", AT)
    assert [it.title for it in luis.checks] == ["Comprobación 1", "Una comprobación oculta"]
    assert (ana.login, ana.at, ana.score) == ("ana", later, 1.0)
    assert eva == StudentResult(login="eva", name="Eva Núñez", machine="hello-eva", checks=())
    assert eva.outcome is Outcome.UNKNOWN


def test_a_report_is_in_the_language_that_is_asked_for() -> None:
    book = Book([a_run(student("p"))])
    [lab] = results([place(lang="es")], book, Marking(), view=View(language="en"))
    assert isinstance(lab, LabResult)
    assert (lab.language, lab.students[0].checks[0].title) == ("en", "Check 1")


def told(
    runs: list[Run], *, now: str = "", who: Place | None = None, login: str = "ana"
) -> StudentHistory:
    identities = {f"hello-{login}": now}
    return history_of("hello", login, place=who, book=Book(runs), identities=identities, scale=10.0)


def test_a_history_says_what_each_attempt_changed_and_where_the_machine_was_made_anew() -> None:
    letters = ["fbp", "pfp", "uuu", "ppp", "fff"]
    identities = ["one", "one", "one", "one", "two"]
    runs = [
        a_run(student(it, identity=identity), at=AT + timedelta(hours=hour))
        for hour, (it, identity) in enumerate(zip(letters, identities, strict=True))
    ]
    assert told(runs, who=place()) == StudentHistory(
        lab="hello",
        login="ana",
        name="Ana Núñez",
        attempts=(
            HistoryAttempt(
                at=AT,
                machine="hello-ana",
                name="Ana Núñez",
                identity="one",
                counts=False,
                score=1.0,
                max_score=3.0,
                total_points=3.0,
                mark=3.33,
                outcome=Outcome.FAILED,
            ),
            HistoryAttempt(
                at=AT + timedelta(hours=1),
                machine="hello-ana",
                name="Ana Núñez",
                identity="one",
                counts=False,
                score=2.0,
                max_score=3.0,
                total_points=3.0,
                mark=6.67,
                outcome=Outcome.FAILED,
                turned_passed=("web.1",),
                turned_failed=("web.2",),
            ),
            HistoryAttempt(
                at=AT + timedelta(hours=2),
                machine="hello-ana",
                name="Ana Núñez",
                identity="one",
                evaluated=False,
                counts=False,
                total_points=3.0,
            ),
            HistoryAttempt(
                at=AT + timedelta(hours=3),
                machine="hello-ana",
                name="Ana Núñez",
                identity="one",
                counts=False,
                score=3.0,
                max_score=3.0,
                total_points=3.0,
                mark=10.0,
                outcome=Outcome.PASSED,
                turned_passed=("web.2",),
            ),
            HistoryAttempt(
                at=AT + timedelta(hours=4),
                machine="hello-ana",
                name="Ana Núñez",
                identity="two",
                made_anew=True,
                taken_as=(Take.LAST, Take.BEST),
                score=0.0,
                max_score=3.0,
                total_points=3.0,
                mark=0.0,
                outcome=Outcome.FAILED,
            ),
        ),
    )


def test_a_history_knows_of_a_machine_that_nobody_has_verified_yet() -> None:
    runs = [a_run(student("p"), at=AT)]
    assert [it.counts for it in told(runs, now="two", who=place()).attempts] == [False]
    assert [it.counts for it in told(runs, now="one", who=place()).attempts] == [True]


def test_who_has_left_the_roster_has_a_history() -> None:
    found = told([a_run(student("p"))], who=None)
    assert (found.name, [it.counts for it in found.attempts]) == ("Ana Núñez", [True])


def test_a_history_says_once_that_a_machine_was_made_anew() -> None:
    """Whatever lies between: an attempt that saw nothing, or one of which nobody knows."""
    for between, anew in (("uuu@two", [1]), ("uuu@", [2]), ("fpp@", [2]), ("@", [2])):
        runs = []
        for hour, words in enumerate(("ppp@one", between, "fff@two", "fff@two")):
            letters, _, identity = words.partition("@")
            runs.append(a_run(student(letters, identity=identity), at=AT + timedelta(hours=hour)))
        found = told(runs, who=place()).attempts
        assert [hour for hour, it in enumerate(found) if it.made_anew] == anew, between


def test_each_student_has_a_moment_of_their_own() -> None:
    """The run ended after the deadline, as somebody else's machine was slow."""
    later = AT + timedelta(minutes=5)
    luis = replace(student("p", login="luis"), at=later)
    book = Book([a_run(replace(student("p"), at=AT), luis, at=later)], until=AT)
    found = grades([place(), place("luis")], book, Marking(until=AT))
    assert [(it.login, it.mark, it.at) for it in found] == [("ana", 10.0, AT), ("luis", None, None)]
    [lab] = results([place(), place("luis")], book, Marking(until=AT), view=View())
    assert [it.at for it in lab.students] == [AT, None]
    # An earlier lab knew only when the run ended.
    assert not Book([a_run(student("p"), at=later)], until=AT).places


def test_a_hidden_check_has_one_number_for_a_whole_class() -> None:
    """One was verified before the guide got another hidden check."""
    one = replace(student(""), checks=(check(1, "p"), check(3, "F")))
    other = replace(student("", login="luis"), checks=(check(2, "F"), check(3, "P")))
    book = Book([a_run(one), a_run(other, at=AT + timedelta(hours=1))])
    [lab] = results([place(), place("luis")], book, Marking(), view=View(audience=Audience.STUDENT))
    assert [[it.id for it in who.checks] for who in lab.students] == [
        ["web.1", "hidden-1"],
        ["hidden-2", "hidden-1"],
    ]


@pytest.mark.parametrize(
    ("then", "counts"),
    [
        ({}, True),
        ({"email": "ANA@example.org", "name": "Ana Núñez Ibáñez"}, True),
        ({"email": "ana@example.org", "id_number": "9"}, True),
        # Somebody else has the login now, even under the same name.
        ({"email": "other@example.org"}, False),
        # An email is corrected, an id number stays; but lists may be numbered anew for others.
        ({"email": "other@example.org", "id_number": "7"}, True),
        ({"email": "other@example.org", "id_number": "7", "name": "Zoe"}, False),
        ({"id_number": "7", "name": "Zoe"}, False),
        ({"id_number": "8"}, False),
        ({"name": "ANA  NÚN\u0303EZ"}, True),
        ({"name": "Zoe"}, False),
        # An earlier lab kept no names.
        ({"name": "ana"}, True),
    ],
)
def test_what_was_another_persons_does_not_count(then: dict[str, str], counts: bool) -> None:
    who = place()
    who = replace(who, student=who.student.model_copy(update={"id_number": "7"}))
    first, second = replace(student("pp"), **then), replace(student("uu"), **then)
    book = Book([a_run(first), a_run(second, at=AT + timedelta(hours=1))])
    [grade] = grades([who], book, Marking())
    assert (grade.mark, grade.attempts) == ((10.0, 1) if counts else (None, 0))
    [lab] = results([who], book, Marking(), view=View())
    assert bool(lab.students[0].checks) == counts
    told = [
        (it.login, len(found))
        for it, found in ((it[0].student, it[1]) for it in others([who], book))
    ]
    assert told == ([] if counts else [("ana", 2)])
    found = history_of("hello", "ana", place=who, book=book, identities={}, scale=10.0).attempts
    assert [(it.anothers, it.counts) for it in found] == [(not counts, counts), (not counts, False)]


def test_a_new_failure_counts_the_checks_that_it_alone_or_with_others_blocks() -> None:
    def blocked_by(at: datetime, letters: str, *roots: tuple[str, ...]) -> Run:
        made = student(letters, identity="one")
        left = list(roots)
        checks = tuple(
            replace(it, blocked_by=left.pop(0)) if it.outcome is Outcome.BLOCKED else it
            for it in made.checks
        )
        return a_run(replace(made, checks=checks), at=at)

    runs = [
        blocked_by(AT, "pfpppp"),
        blocked_by(AT + timedelta(hours=1), "ffbbbp", ("web.1",), ("web.1", "web.2"), ("web.2",)),
    ]
    first, second = told(runs, who=place()).attempts
    assert (first.turned_failed, first.blocked_by_those) == ((), 0)
    assert (second.turned_failed, second.blocked_by_those) == (("web.1",), 2)
