"""What is wrong with a guide, by what was seen of its steps and checks on a machine."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from lab.classroom.guide import Guide
from lab.classroom.proofs import ProofFinding
from lab.classroom.results import Outcome
from lab.classroom.runs import CheckRun
from lab.classroom.wording import LANGUAGES, Texts, say_in_all

_MOST_DETAILS = 200


@dataclass(frozen=True, kw_only=True)
class Again:
    """What the second run of a step did.

    Attributes:
        exit_code: its own.
        tail: its last words, where it failed.
        changed: what it changed on the disk, a line each.
        restarted: the services that it restarted.
        stopped: those that it stopped.
        same_state: whether the step's `.state.sh` printed the same after it as after the first.
        checks: all checks of the guide after it, for the last step; nobody looks after it else.
    """

    exit_code: int = 0
    tail: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()
    restarted: tuple[str, ...] = ()
    stopped: tuple[str, ...] = ()
    same_state: bool = True
    checks: tuple[CheckRun, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Round:
    """What was seen of one step.

    Attributes:
        step: its name.
        exit_code: of its first run; where that is not 0, nothing else was looked at.
        tail: its last words, where it failed.
        checks: all checks of the guide, after it.
        again: its second run.
        unsettled: the steps so far that their `.state.sh` would now have run again.
        seconds: how long all of it took.
    """

    step: str
    exit_code: int = 0
    tail: tuple[str, ...] = ()
    checks: tuple[CheckRun, ...] = ()
    again: Again | None = None
    unsettled: tuple[str, ...] = ()
    seconds: float = 0.0


def findings_of(
    guide: Guide, untouched: Sequence[CheckRun], rounds: Sequence[Round]
) -> tuple[ProofFinding, ...]:
    """All that is wrong with a guide; of a check only the first thing that was seen.

    Args:
        guide: the guide.
        untouched: its checks on a machine on which no step has run.
        rounds: what was seen of its steps, in their order.
    """
    judge = _Judge(guide, (untouched, *(round_.checks for round_ in rounds)))
    found = [*_of_words(guide, untouched), *judge.of_untouched(untouched)]
    for round_ in rounds:
        found += judge.of_round(round_)
    return tuple(found)


def told_of(
    step: str, findings: Sequence[ProofFinding], checks: Sequence[CheckRun]
) -> tuple[bool, str]:
    """Whether all is well with a step as far as it was seen, and a line that says so.

    Args:
        step: its name.
        findings: all so far.
        checks: all of the guide, as they were last seen.
    """
    ours = [it for it in findings if step in {it.step, it.after}]
    if ours:
        return False, f"findings: {len(ours)}"
    if unusable := sum(not check.step for check in checks):
        return False, f"runs twice; checks or files of them that cannot be used: {unusable}"
    has_checks = any(check.step == step for check in checks)
    return True, "runs twice, and its checks tell it" if has_checks else "runs twice"


def _of_words(guide: Guide, checks: Sequence[CheckRun]) -> Iterator[ProofFinding]:
    """What shows without a machine."""
    if lacking := _lacking(guide.title):
        yield _finding("guide.language", values={"languages": lacking})
    usable = [check for check in checks if check.step]
    if not checks:
        yield _finding("guide.unchecked")
    for step in guide.steps:
        if lacking := _lacking(step.title):
            yield _finding("step.language", step=step.name, values={"languages": lacking})
        if (
            usable
            and step.scope == "student"
            and not any(check.step == step.name for check in usable)
        ):
            yield _finding("step.unchecked", step=step.name)
    for check in usable:
        for words, texts in (
            ("title", check.title),
            ("hint", check.hint),
            ("full_hint", check.full_hint),
        ):
            # Hints are the author's choice; one that is there is there in every language.
            if texts and (lacking := _lacking(texts)):
                yield _finding(
                    "check.language",
                    step=check.step,
                    check=check.id,
                    values={"words": words, "languages": lacking},
                )
    if usable and not any(check.max_points for check in usable):
        yield _finding("guide.pointless")


def _lacking(texts: Texts) -> str:
    return ", ".join(language for language in LANGUAGES if not texts.get(language))


class _Judge:
    """Goes through what was seen in its order; tells of each check once, of each state too."""

    def __init__(self, guide: Guide, seen: Sequence[Sequence[CheckRun]]) -> None:
        self._place = {step.name: place for place, step in enumerate(guide.steps)}
        self._all = {check.id: check for checks in seen for check in checks if check.step}
        self._told: set[str] = set()
        self._passed: set[str] = set()
        self._restless: set[str] = set()

    def of_untouched(self, checks: Sequence[CheckRun]) -> Iterator[ProofFinding]:
        for check in checks:
            if not check.step:
                yield self._tell("check.unusable", check, message=_why(check))
            elif check.outcome is Outcome.PASSED:
                yield self._tell("check.proves_nothing", check)
            elif _is_faulty(check):
                where = say_in_all("guides.untouched")
                yield self._tell("check.unknown", check, where=where, message=_why(check))

    def of_round(self, round_: Round) -> Iterator[ProofFinding]:
        step = round_.step
        if round_.exit_code:
            yield _finding(
                "step.failed",
                step=step,
                after=step,
                details=round_.tail,
                values={"code": round_.exit_code},
            )
            return
        yield from self._of_checks(round_.checks, step)
        if round_.again is not None:
            yield from _of_again(step, round_.again)
            if not round_.again.same_state:
                self._restless.add(step)
            if round_.again.checks:
                yield from self._of_checks(round_.again.checks, step, again=True)
        for other in round_.unsettled:
            if other not in self._restless:
                self._restless.add(other)
                yield _finding("step.unsettled", step=other, after=step)

    def _of_checks(
        self, checks: Sequence[CheckRun], after: str, *, again: bool = False
    ) -> Iterator[ProofFinding]:
        for check in checks:
            if check.id in self._told:
                continue
            if check.step:
                yield from self._of_check(check, after, again=again)
            else:
                where = say_in_all("guides.after_step", step=after)
                yield self._tell(
                    "check.unfinished", check, after=after, where=where, message=_why(check)
                )
        there = {check.id for check in checks}
        # Where a file of checks or their process broke, that is told, and not what it took with it.
        if all(check.step for check in checks):
            for check in self._all.values():
                if check.id not in {*self._told, *there}:
                    yield self._tell("check.missing", check, after=after)

    def _of_check(self, check: CheckRun, after: str, *, again: bool) -> Iterator[ProofFinding]:
        # What is blocked, or unknown behind another, is told by what it is behind.
        is_due = self._place[check.step] <= self._place[after]
        if check.outcome is Outcome.PASSED:
            if not is_due:
                yield self._tell("check.early", check, after=after)
            self._passed.add(check.id)
        elif check.outcome is Outcome.UNKNOWN:
            if _is_faulty(check):
                where = say_in_all("guides.after_step", step=after)
                yield self._tell(
                    "check.unknown", check, after=after, where=where, message=_why(check)
                )
        elif is_due and check.outcome is Outcome.FAILED:
            lost = "check.lost_again" if again else "check.lost"
            kind = lost if check.id in self._passed else "check.not_passed"
            yield self._tell(kind, check, after=after, message=_why(check))

    def _tell(
        self, kind: str, check: CheckRun, *, after: str = "", **values: object
    ) -> ProofFinding:
        self._told.add(check.id)
        return _finding(kind, step=check.step, check=check.id, after=after, values=values)


def _is_faulty(check: CheckRun) -> bool:
    """Whether nobody could look for a reason of the check's own, and not of one before it."""
    return check.outcome is Outcome.UNKNOWN and not check.blocked_by


def _why(check: CheckRun) -> Texts:
    return check.message or check.title


def _of_again(step: str, again: Again) -> Iterator[ProofFinding]:
    if again.exit_code:
        yield _finding(
            "step.failed_again",
            step=step,
            after=step,
            details=again.tail,
            values={"code": again.exit_code},
        )
    if again.changed:
        yield _finding(
            "step.changed",
            step=step,
            after=step,
            details=again.changed[:_MOST_DETAILS],
            values={"count": len(again.changed)},
        )
    if again.restarted:
        yield _finding(
            "step.restarted", step=step, after=step, values={"services": ", ".join(again.restarted)}
        )
    if again.stopped:
        yield _finding(
            "step.stopped", step=step, after=step, values={"services": ", ".join(again.stopped)}
        )
    if not again.same_state:
        yield _finding("step.other_state", step=step, after=step)


def _finding(
    kind: str,
    *,
    step: str = "",
    check: str = "",
    after: str = "",
    details: tuple[str, ...] = (),
    values: Mapping[str, object] = MappingProxyType({}),
) -> ProofFinding:
    filled: Mapping[str, object] = {"step": step, "check": check, "after": after} | dict(values)
    return ProofFinding(
        kind=kind,
        text=say_in_all(f"guides.{kind}", **filled),
        advice=say_in_all(f"guides.{kind}.do", **filled),
        step=step,
        check=check,
        after=after,
        details=details,
    )
