"""`lab verify`: the guides' checks on all machines at once, the results in the roster's order."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime

from lab.checks.request import Request, Target
from lab.checks.runner import run_checks
from lab.classroom.guide import variables
from lab.classroom.results import LabResult, Outcome
from lab.classroom.runs import CheckRun, LabRun, Run, StudentRun
from lab.classroom.wording import FALLBACK, Texts, in_language, say_in_all
from lab.errors import NOT_ALL_WELL, NOTHING_EVALUATED, OK
from lab.machines.fleet import Machine
from lab.machines.providers.base import Guest
from lab.system import parallel
from lab.workflow.connect import write_ssh_config
from lab.workflow.observer import Observer
from lab.workflow.project import Project


def verify(project: Project, machines: Sequence[Machine], *, observer: Observer, jobs: int) -> Run:
    """Run the checks on machines.

    A lab whose checks cannot be run at all is unknown, and the others are not.

    Args:
        project: whose machines.
        machines: which of them.
        observer: told of each check.
        jobs: how many machines at a time.

    Raises:
        ProcessError: the provider did not answer.
        Interrupted: lab was.
    """
    guests = project.provider.guests(project.prefix)
    write_ssh_config(project, guests)
    observer.started(len(machines), "checking")
    results: dict[str, tuple[CheckRun, ...]] = {}
    ended: dict[str, datetime] = {}
    for lab in dict.fromkeys(machine.lab.name for machine in machines):
        ours = [machine for machine in machines if machine.lab.name == lab]
        results |= _check(project, ours, guests, ended, observer=observer, jobs=jobs)
    observer.finished()
    labs = _by_lab(machines, guests, results, ended)
    return Run(at=datetime.now().astimezone(), labs=labs)


def _check(
    project: Project,
    machines: Sequence[Machine],
    guests: dict[str, Guest],
    ended: dict[str, datetime],
    *,
    observer: Observer,
    jobs: int,
) -> dict[str, tuple[CheckRun, ...]]:
    """The results of one lab's machines; when each was through is noted in `ended`."""
    guide = machines[0].guide
    request = Request(
        project=str(project.path),
        checks=str(guide.checks),
        steps=tuple(step.name for step in guide.steps),
        targets=tuple(_target(machine, guests.get(machine.container)) for machine in machines),
        jobs=jobs,
        patience=project.provider.patience,
    )
    tally: dict[str, list[CheckRun]] = {machine.name: [] for machine in machines}

    def work(_: object, tell: Callable[[str], None]) -> dict[str, tuple[CheckRun, ...]]:
        def hear(machine: str, result: CheckRun | None) -> None:
            if result is not None:
                tally[machine].append(result)
            else:
                ended[machine] = datetime.now().astimezone()
            tell(f"{machine}\t{result.id if result else ''}")

        return run_checks(request, log=project.folder.logs / "verify.log", tell=hear)

    def news(_: object, text: str) -> None:
        machine, _, check = text.partition("\t")
        if check:
            observer.machine(machine, check)
        else:
            results = tally[machine]
            passed = sum(result.outcome is Outcome.PASSED for result in results)
            told = f"{passed} of {len(results)} checks passed" if results else "has no checks"
            if results and all(result.outcome is Outcome.UNKNOWN for result in results):
                told = f"not evaluated: {_why(results[0])}"
            observer.done(machine, ok=bool(results) and passed == len(results), summary=told)

    done = parallel.run_all([request], work, workers=1, on_news=news, on_done=lambda _, __: None)[0]
    if done.error is not None:
        raise done.error
    return done.value or {}


def _target(machine: Machine, guest: Guest | None) -> Target:
    unreachable: Texts = {}
    if guest is None:
        unreachable = say_in_all("checks.no_machine")
    elif guest.state != "running":
        unreachable = say_in_all(
            "checks.not_running", state=say_in_all(f"checks.state_{guest.state}")
        )
    elif not guest.ip:
        unreachable = say_in_all("checks.no_address")
    return Target(
        machine=machine.name,
        address=guest.ip if guest else "",
        login=machine.student.login,
        name=machine.student.name,
        email=machine.student.email,
        vhost=machine.student.vhost,
        vars=dict(variables(machine.guide, machine.lab, machine.student)),
        unreachable=unreachable,
    )


def _by_lab(
    machines: Sequence[Machine],
    guests: Mapping[str, Guest],
    results: Mapping[str, tuple[CheckRun, ...]],
    ended: Mapping[str, datetime],
) -> tuple[LabRun, ...]:
    labs = {machine.lab.name: machine for machine in machines}
    return tuple(
        LabRun(
            lab=lab,
            lang=first.lab.lang,
            steps={step.name: step.title for step in first.guide.steps},
            students=tuple(
                StudentRun(
                    login=machine.student.login,
                    name=machine.student.name,
                    machine=machine.name,
                    email=machine.student.email,
                    id_number=machine.student.id_number,
                    at=ended.get(machine.name),
                    identity=guest.identity if (guest := guests.get(machine.container)) else "",
                    checks=results.get(machine.name, ()),
                )
                for machine in machines
                if machine.lab.name == lab
            ),
        )
        for lab, first in labs.items()
    )


def _why(check: CheckRun) -> str:
    """The reason in English, as all progress is told."""
    return in_language(check.message, FALLBACK)


def exit_code_of(results: Sequence[LabResult]) -> int:
    """0 when every student has everything, 4 when nothing could be evaluated, else 1."""
    students = [student for lab in results for student in lab.students]
    if not any(student.evaluated for student in students):
        return NOTHING_EVALUATED
    all_well = all(student.outcome is Outcome.PASSED for student in students)
    return OK if all_well else NOT_ALL_WELL
