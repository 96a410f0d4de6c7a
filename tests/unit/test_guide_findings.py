"""What is wrong with a guide, by what was seen of it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from lab.classroom.guide import Guide, Step
from lab.classroom.proofs import ProofFinding
from lab.classroom.results import Outcome
from lab.classroom.runs import CheckRun
from lab.workflow.guide_findings import Again, Round, findings_of, told_of

BOTH = {"en": "words", "es": "palabras"}
P, F, B, U = Outcome.PASSED, Outcome.FAILED, Outcome.BLOCKED, Outcome.UNKNOWN


def guide(**titles: dict[str, str]) -> Guide:
    """A guide of a class step `web` and a student step `site`."""
    return Guide(
        name="tiny",
        folder=Path("/tiny"),
        title=titles.get("guide", BOTH),
        profiles={},
        steps=tuple(
            Step(name=name, scope=scope, title=titles.get(name, BOTH), script=Path(f"{name}.sh"))
            for name, scope in (("web", "class"), ("site", "student"))
        ),
    )


def checks(web: Outcome, site: Outcome, **more: Any) -> tuple[CheckRun, ...]:
    """The checks `web.a` and `site.a` with these outcomes; `more` is of the second."""
    made = {"title": BOTH, "points": None, "max_points": 1.0}
    why = {"message": {"en": "because", "es": "porque"}}
    return (
        CheckRun(id="web.a", step="web", outcome=web, **made, **why),
        CheckRun(id="site.a", step="site", outcome=site, **{**made, **why, **more}),
    )


GOOD = (
    Round(step="web", checks=checks(P, F), again=Again()),
    Round(step="site", checks=checks(P, P), again=Again()),
)


def found(
    untouched: Any = None, rounds: Any = GOOD, **titles: dict[str, str]
) -> list[ProofFinding]:
    return list(
        findings_of(guide(**titles), checks(F, F) if untouched is None else untouched, rounds)
    )


def told(*given: Any, **more: Any) -> list[str]:
    return [f"{it.kind} {it.check or it.step} {it.after}".strip() for it in found(*given, **more)]


def test_nothing_is_wrong_with_a_good_guide() -> None:
    assert found() == []


def test_what_is_blocked_or_behind_an_unknown_one_has_not_passed_and_is_no_finding() -> None:
    behind = {"blocked_by": ("web.a",)}
    assert told(checks(F, B, **behind)) == []
    assert told(checks(U, U, **behind)) == ["check.unknown web.a"]


def test_a_finding_says_what_was_seen_and_what_to_do_in_both_languages() -> None:
    assert found(rounds=(Round(step="web", checks=checks(F, F), again=Again()),)) == [
        ProofFinding(
            kind="check.not_passed",
            text={
                "en": "web.a does not pass after its step web: because",
                "es": "web.a no se cumple después de su paso web: porque",
            },
            advice={
                "en": "Mend steps/web.sh, or what the check asks for.",
                "es": "Corrige steps/web.sh, o lo que pide la comprobación.",
            },
            step="web",
            check="web.a",
            after="web",
        )
    ]


def test_a_check_that_passes_on_an_untouched_machine_is_told_once() -> None:
    early = (Round(step="web", checks=checks(P, P), again=Again()), GOOD[1])
    assert told(checks(F, P), early) == ["check.proves_nothing site.a"]


def test_a_check_that_is_green_before_its_step() -> None:
    rounds = (Round(step="web", checks=checks(P, P), again=Again()), GOOD[1])
    assert told(rounds=rounds) == ["check.early site.a web"]


def test_a_check_that_a_later_step_breaks() -> None:
    rounds = (GOOD[0], Round(step="site", checks=checks(F, P), again=Again()))
    assert told(rounds=rounds) == ["check.lost web.a site"]


def test_a_check_that_the_last_second_run_breaks() -> None:
    rounds = (GOOD[0], Round(step="site", checks=checks(P, P), again=Again(checks=checks(P, F))))
    assert told(rounds=rounds) == ["check.lost_again site.a site"]
    assert told(rounds=(GOOD[0], replace(GOOD[1], again=Again(checks=checks(P, P))))) == []


def test_a_checks_process_that_died_on_the_way_is_told_and_not_what_it_left_out() -> None:
    died = CheckRun(id="checks", step="", title=BOTH, outcome=U, points=None, max_points=0.0)
    rounds = (GOOD[0], replace(GOOD[1], checks=(died,)))
    [finding] = found(rounds=rounds)
    assert (finding.kind, finding.after) == ("check.unfinished", "site")
    assert finding.text["en"] == (
        "Not all checks could be run on the machine after the step site: words"
    )
    assert told((died,), GOOD) == ["check.unusable checks"]


def test_a_check_without_a_result_in_a_round() -> None:
    [web, site] = checks(P, P)
    assert told(rounds=(GOOD[0], replace(GOOD[1], checks=(web,)))) == ["check.missing site.a site"]
    assert told(rounds=(GOOD[0], replace(GOOD[1], checks=()))) == [
        "check.missing web.a site",
        "check.missing site.a site",
    ]
    again = Again(checks=(site,))
    assert told(rounds=(GOOD[0], replace(GOOD[1], again=again))) == ["check.missing web.a site"]


def test_a_check_that_could_not_be_evaluated() -> None:
    rounds = (GOOD[0], Round(step="site", checks=checks(P, U), again=Again()))
    assert told(rounds=rounds) == ["check.unknown site.a site"]


def test_a_check_that_cannot_be_used() -> None:
    broken = CheckRun(id="test_x.py", step="", title=BOTH, outcome=U, points=None, max_points=0.0)
    [finding] = found((*checks(F, F), broken))
    assert finding.kind == "check.unusable"
    assert finding.text["en"] == "A check cannot be used: words"


@pytest.mark.parametrize(
    ("again", "kind"),
    [
        (Again(exit_code=2, tail=("no",)), "step.failed_again"),
        (Again(changed=("~ /etc/motd",)), "step.changed"),
        (Again(restarted=("nginx.service",)), "step.restarted"),
        (Again(stopped=("nginx.service",)), "step.stopped"),
        (Again(same_state=False), "step.other_state"),
    ],
)
def test_a_second_run_that_is_none(again: Again, kind: str) -> None:
    [finding] = found(rounds=(Round(step="web", checks=checks(P, F), again=again), GOOD[1]))
    assert (finding.kind, finding.step, finding.after) == (kind, "web", "web")
    assert finding.details == again.tail + again.changed


def test_a_state_that_does_not_hold_is_told_once() -> None:
    unsettled = ("web",)
    rounds = (
        GOOD[0],
        Round(step="site", checks=checks(P, P), again=Again(), unsettled=unsettled),
    )
    assert told(rounds=rounds) == ["step.unsettled web site"]
    shaky = Round(
        step="web", checks=checks(P, F), again=Again(same_state=False), unsettled=unsettled
    )
    assert told(rounds=(shaky, rounds[1])) == ["step.other_state web web"]


def test_after_a_step_that_fails_there_is_nothing_more() -> None:
    rounds = (Round(step="web", exit_code=3, tail=("no flour",)),)
    [finding] = found(rounds=rounds)
    assert (finding.kind, finding.step, finding.details) == ("step.failed", "web", ("no flour",))


def test_what_lacks_a_language() -> None:
    english = {"en": "words"}
    untouched = checks(F, F, title=english, hint={"es": "pista"}, full_hint=english)
    assert told(untouched, guide=english, web=english) == [
        "guide.language",
        "step.language web",
        *["check.language site.a"] * 3,
    ]
    texts = [it.text["en"] for it in found(untouched)]
    assert texts == [
        "site.a has no title in: es",
        "site.a has no hint in: en",
        "site.a has no full_hint in: es",
    ]


def test_a_student_step_without_a_check_and_a_guide_without_points() -> None:
    [web, _] = checks(F, F)
    assert told((web,), ()) == ["step.unchecked site"]
    assert told((), ()) == ["guide.unchecked"]
    assert told(tuple(pointless(it) for it in checks(F, F)), ()) == ["guide.pointless"]


def pointless(check: CheckRun) -> CheckRun:
    return CheckRun(**{**vars(check), "max_points": 0.0})


def test_a_step_is_well_only_while_nothing_is_found_of_it_or_of_its_checks() -> None:
    def line(step: str, untouched: Any, rounds: Any) -> tuple[bool, str]:
        return told_of(step, found(untouched, rounds), rounds[-1].checks)

    untouched, first = checks(F, F), GOOD[:1]
    assert line("web", untouched, first) == (True, "runs twice, and its checks tell it")
    assert line("site", untouched, GOOD) == (True, "runs twice, and its checks tell it")
    # It passes on a machine on which nothing has run.
    assert line("web", checks(P, F), first) == (False, "findings: 1")
    assert line("web", untouched, [replace(GOOD[0], exit_code=3)]) == (False, "findings: 1")
    of_site = [replace(GOOD[0], checks=checks(P, F)[1:])]
    assert line("web", checks(F, F)[1:], of_site) == (True, "runs twice")
    unread = CheckRun(id="test_web.py", step="", title=BOTH, outcome=U, points=None, max_points=0.0)
    assert line("web", [unread], [replace(GOOD[0], checks=(unread,))]) == (
        False,
        "runs twice; checks or files of them that cannot be used: 1",
    )
