"""`lab doctor`: tries everything, one thing after another, and what is slow side by side."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from lab.errors import LabError, LockedError
from lab.machines.health import Check, Command, Finding, Health, Verdict, examine, finding_of
from lab.system import lock, parallel, process
from lab.workflow.doctor.checklist import checks_for
from lab.workflow.doctor.machine import BOOTS, NO_MACHINE, TITLES, try_machine
from lab.workflow.doctor.subject import Subject, subject_of
from lab.workflow.observer import Observer
from lab.workflow.scratch import guarded

_SLOW_AT_A_TIME = 4


@dataclass(frozen=True, kw_only=True)
class _Found:
    """A finding with what it takes to mend it and to look again."""

    finding: Finding
    commands: tuple[Command, ...] = ()
    check: Check | None = None


def diagnose(labs_yaml: Path, *, fix: bool, observer: Observer) -> list[Finding]:
    """Try everything that a class depends on.

    Args:
        labs_yaml: the class; where there is none, only this computer is looked at.
        fix: whether to run the fixes that harm nobody.
        observer: told of what takes long, and of each fix before it is run.

    Returns:
        A finding for each check, always in the same order.

    Raises:
        Interrupted: somebody stopped lab; what was booted is gone.
    """
    subject = subject_of(labs_yaml)
    checks = checks_for(subject)
    found = {check.id: _look(check, lambda _: None) for check in checks if not check.slow}
    # What is slow depends on what is quick: a bridge that is up by now carries a machine.
    if fix:
        found |= _mended(subject, list(found.values()), observer)
    with guarded():
        slow = _side_by_side(subject, [check for check in checks if check.slow], observer)
    order = [*(check.id for check in checks), *TITLES]
    found |= slow
    return [found[id_].finding for id_ in order]


def _side_by_side(
    subject: Subject, checks: Sequence[Check], observer: Observer
) -> dict[str, _Found]:
    jobs: dict[str, Callable[[Callable[[str], None]], list[_Found]]] = {
        check.title: partial(_looked, check) for check in checks
    }
    jobs["a machine, from inside"] = partial(_machine, subject)

    def ended(title: str, done: parallel.Done[list[_Found]]) -> None:
        outcomes = {it.finding.outcome for it in done.value or ()}
        # What was found is told with all the rest.
        bad = done.error is not None or bool(outcomes & {Health.PROBLEM, Health.UNKNOWN})
        observer.done(title, ok=not bad, summary="see below" if bad else "tried")

    observer.started(len(jobs), "trying what takes longer")
    done = parallel.run_all(
        list(jobs),
        lambda title, tell: jobs[title](tell),
        workers=_SLOW_AT_A_TIME,
        on_news=observer.machine,
        on_done=ended,
    )
    observer.finished()
    found: dict[str, _Found] = {}
    for result in done:
        if result.error is not None:
            raise result.error
        found |= {it.finding.id: it for it in result.value or ()}
    return found


def _looked(check: Check, tell: Callable[[str], None]) -> list[_Found]:
    tell("trying")
    return [_look(check, tell)]


def _look(check: Check, tell: Callable[[str], None]) -> _Found:
    finding, commands = examine(check, tell)
    return _Found(finding=finding, commands=commands, check=check)


def _machine(subject: Subject, tell: Callable[[str], None]) -> list[_Found]:
    """Everything that is tried from inside a machine: one boot for all of it."""
    verdicts: dict[str, Verdict] = {}

    def all_of_it(tell: Callable[[str], None]) -> Verdict:
        subject.provider.require()
        verdicts.update(try_machine(subject, tell))
        return next(iter(verdicts.values()))

    whole, _ = examine(Check(id=BOOTS, title=TITLES[BOOTS], look=all_of_it), tell)
    # Why there is no machine is told once.
    found = [
        replace(whole, id=id_, title=title, found=NO_MACHINE, fix="")
        for id_, title in TITLES.items()
    ]
    return [
        _Found(finding=finding_of(it.id, it.title, verdicts[it.id]) if it.id in verdicts else it)
        for it in [whole, *found[1:]]
    ]


def _mended(subject: Subject, found: Sequence[_Found], observer: Observer) -> dict[str, _Found]:
    """Run the fixes that harm nobody, and look again."""
    fixable = [it for it in found if it.commands and it.check is not None]
    troubles: dict[str, str] = {}
    of_project = any(it.check is not None and it.check.of_project for it in fixable)
    with _lock_of(subject, wanted=of_project) as held:
        for it in fixable:
            if it.check is not None and (held or not it.check.of_project):
                troubles[it.finding.id] = _run(it.commands, observer)
    observer.note("")
    # Not before the lock is free again: a lock that is held is a finding.
    return {
        it.finding.id: _again(it, troubles[it.finding.id])
        for it in fixable
        if it.finding.id in troubles
    }


def _again(before: _Found, trouble: str) -> _Found:
    """What is found after a fix; `trouble` is why it did not succeed, if it did not."""
    assert before.check is not None
    after = _look(before.check, lambda _: None)
    finding = after.finding
    if finding.outcome is Health.OK:
        finding = replace(finding, fix=before.finding.fix, safe=True, fixed=True)
    elif trouble:
        finding = replace(finding, found=f"{finding.found}\n{trouble}")
    return replace(after, finding=finding)


def _run(commands: Sequence[Command], observer: Observer) -> str:
    """Run commands as far as they succeed; why one did not."""
    for command in commands:
        observer.note(f"running: {command}")
        try:
            command.run()
        except process.Interrupted:
            raise
        except LabError as error:
            return f"The fix failed: {error.message}\n{error.details}".strip()
    return ""


@contextlib.contextmanager
def _lock_of(subject: Subject, *, wanted: bool) -> Iterator[bool]:
    """Hold the project's lock where that is wanted; says whether it is held.

    Another lab that holds it is a finding of its own, and no reason to leave out the rest.
    """
    with contextlib.ExitStack() as stack:
        held = False
        if wanted and subject.folder is not None:
            with contextlib.suppress(LockedError):
                stack.enter_context(lock.hold(subject.folder.lock, operation="doctor --fix"))
                held = True
        yield held
