"""Classes whose names, titles and guests hold anything at all: what every format of a report is tried with."""

from __future__ import annotations

from datetime import UTC, datetime

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

from lab.classroom.results import CheckResult, Evidence, LabResult, Outcome, StudentResult
from lab.classroom.wording import LANGUAGES
from tests.unit.test_report_text import OUTSIDE

AT = datetime(2026, 11, 30, 23, 59, tzinfo=UTC)
MARKUP = [
    *("<script>window.pwned=1</script>", "</script>", "</style><b>", "<img src=x onerror=alert(1)>"),
    *('"><svg onload=alert(1)>', "' onclick='alert(1)", "&lt;b&gt;", "&#60;", "<!--", "]]>", "<![CDATA["),
    *("{{ 7*7 }}", "{% raw %}", "{n}", "{", "}", "%s", "javascript:alert(1)"),
    *("=1+1", "@SUM(A1)", "-2+3", "+1", "\t=1", "\r=1", " =1", "'=1", '",=1,"', ";=1"),
    *("a|b", "`x`", "```", "*x*", "**", "_x_", "~~x~~", "# x", "- x", "1. x", "> x", "---", "\\", "\\*"),
    *("[x](http://a.example)", "![x](x)", "<http://a.example>", "http://a.example/?q=1", "www.a.example"),
    *("@everyone", "<!channel>", "<@U1>", "#12", ":smile:", "ana@a.example", "$x$", "[ ] x", "&amp;"),
    *("\x00", "\x1b[2J", "\x9b2J", "\u202eabc", "\ud800", "\udfff\ud800", "\ufffe", "\uffff", "\x85", "\u2028"),
    *(" ", "\n", "\r\n", "\u00a0", "\u3000", "x\ny", "عمر", "王小明", "👩‍🏫", "Ana Núñez"),
]  # fmt: skip
TEXT = (
    OUTSIDE | st.sampled_from(MARKUP) | st.lists(st.sampled_from(MARKUP), max_size=3).map("".join)
)
POINTS = st.sampled_from([0.0, 0.1, 0.25, 0.5, 1.0, 2.0, 3.0])
OUTCOMES = st.sampled_from(list(Outcome))


@st.composite
def labs(draw: st.DrawFn) -> tuple[LabResult, ...]:
    return tuple(draw(a_lab(number)) for number in range(draw(st.integers(0, 2))))


@st.composite
def a_lab(draw: st.DrawFn, place: int) -> LabResult:
    # A number makes them differ, whatever becomes of the rest.
    steps = [f"{draw(TEXT)}{number}" for number in range(draw(st.integers(1, 2)))]
    ids = [f"{draw(TEXT)}{number}" for number in range(draw(st.integers(1, 3)))]
    of_step = {name: draw(st.sampled_from(steps)) for name in ids}
    students = tuple(
        StudentResult(
            login=f"{draw(TEXT)}{number}",
            name=draw(TEXT),
            machine=draw(TEXT),
            at=draw(st.sampled_from([None, AT])),
            checks=tuple(
                draw(a_check(name, of_step[name], ids))
                for name in ids[: draw(st.sampled_from([0, len(ids), len(ids), len(ids)]))]
            ),
        )
        for number in range(draw(st.integers(0, 3)))
    )
    return LabResult(
        lab=f"{draw(TEXT)}{place}",
        students=students,
        steps={step: draw(TEXT) for step in steps},
        language=draw(st.sampled_from(LANGUAGES)),
    )


@st.composite
def a_check(draw: st.DrawFn, name: str, step: str, ids: list[str]) -> CheckResult:
    outcome, most = draw(OUTCOMES), draw(POINTS)
    return CheckResult(
        id=name,
        step=step,
        title=draw(TEXT),
        outcome=outcome,
        points={Outcome.PASSED: most, Outcome.UNKNOWN: None}.get(outcome, 0.0),
        max_points=most,
        message=draw(TEXT),
        evidence=Evidence(expected=draw(TEXT), found=draw(TEXT), output=draw(TEXT)),
        hint=draw(TEXT),
        hidden=draw(st.booleans()),
        blocked_by=(draw(st.sampled_from(ids)),)
        if outcome is Outcome.BLOCKED and draw(st.booleans())
        else (),
        seconds=0.5,
    )


SLOWLY = settings(
    max_examples=40, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large]
)


def failing(*titles: str) -> tuple[LabResult, ...]:
    """A lab of two students who fail checks of these titles."""
    checks = tuple(
        CheckResult(
            id=f"a.{n}", step="a", title=title, outcome=Outcome.FAILED, points=0.0, max_points=1.0
        )
        for n, title in enumerate(titles)
    )
    students = tuple(
        StudentResult(login=login, name=login, machine="", checks=checks)
        for login in ("# a", "- b")
    )
    return (LabResult(lab="1. x", students=students),)


def students_of(results: tuple[LabResult, ...]) -> list[tuple[LabResult, StudentResult]]:
    return [(lab, student) for lab in results for student in lab.students]
