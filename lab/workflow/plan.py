"""`lab plan`: labs.yaml, lab's notes and what the provider has, compared; nothing is changed."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from lab.classroom.results import Label, PlannedMachine
from lab.errors import LabError
from lab.machines import kit
from lab.machines.fleet import Machine
from lab.machines.providers.base import Guest, Provider
from lab.machines.steps import StepReport
from lab.system import parallel
from lab.workflow.connect import write_ssh_config
from lab.workflow.observer import Observer
from lab.workflow.project import Project
from lab.workflow.reconcile import Found, Standing, find, standing, strays


def plan(
    project: Project,
    machines: Sequence[Machine],
    *,
    observer: Observer,
    jobs: int,
    strangers: bool = False,
    recreate: bool = False,
) -> tuple[PlannedMachine, ...]:
    """How each machine stands, and what `lab up` would do about it.

    Machines that run are asked themselves what became of their steps.

    Args:
        project: whose machines.
        machines: which of them.
        observer: told of the machines that are asked.
        jobs: how many are asked at a time.
        strangers: whether to name orphans, and guests that are not lab's, too.
        recreate: whether drifted machines are to be made anew.

    Raises:
        ProcessError: the provider did not answer.
    """
    seen = survey(project, machines, observer=observer, jobs=jobs, strangers=strangers)
    return rows_of(project, seen, strangers=strangers, recreate=recreate)


@dataclass(frozen=True, kw_only=True)
class Survey:
    """What there is of machines, and what those that run say of their steps.

    Attributes:
        guests: what the provider has.
        found: what there is of each machine, by name.
        reports: what each machine that answered says of its steps, by name.
    """

    guests: Mapping[str, Guest]
    found: Mapping[str, Found]
    reports: Mapping[str, Sequence[StepReport]]


def survey(
    project: Project,
    machines: Sequence[Machine],
    *,
    observer: Observer,
    jobs: int,
    strangers: bool = False,
) -> Survey:
    """Look at machines; see `plan`.

    Raises:
        ProcessError: the provider did not answer.
    """
    guests = project.provider.guests("" if strangers else project.prefix)
    found = find(project, machines, guests)
    if not all(it.running for it in found.values()):
        tell_remarks(project.provider, observer)
    reports = reports_of(project, found.values(), guests, observer=observer, jobs=jobs)
    return Survey(guests=guests, found=found, reports=reports)


def rows_of(
    project: Project, seen: Survey, *, strangers: bool, recreate: bool
) -> tuple[PlannedMachine, ...]:
    """How the machines stand that were looked at, and what `lab up` would do; see `plan`."""
    rows = [
        _row(it, standing(it, seen.reports.get(name)), recreate=recreate)
        for name, it in seen.found.items()
    ]
    if strangers:
        orphans, foreign = strays(project, seen.guests)
        rows += [_stray(name, Label.ORPHAN, _REMOVES_ORPHANS) for name in orphans]
        rows += [_stray(name, Label.FOREIGN, _NEVER) for name in foreign]
    return tuple(rows)


def tell_remarks(provider: Provider, observer: Observer) -> None:
    """Tell what is worth knowing before machines of a provider boot."""
    for remark in provider.remarks():
        observer.note(remark)


_NEVER = "nothing, ever"
_REMOVES_ORPHANS = "nothing; lab destroy --orphans removes it"


def reports_of(
    project: Project,
    found: Iterable[Found],
    guests: Mapping[str, Guest],
    *,
    observer: Observer,
    jobs: int,
) -> dict[str, Sequence[StepReport]]:
    """What machines that run say of their steps, by machine; those that say nothing are left out.

    Args:
        project: whose machines.
        found: what there is of each.
        guests: what the provider has.
        observer: told of the machines that are asked.
        jobs: how many are asked at a time.
    """
    askable = [it.machine for it in found if _askable(it)]
    if not askable:
        return {}
    write_ssh_config(project, guests)
    return _ask(project, askable, observer=observer, jobs=jobs)


def _askable(found: Found) -> bool:
    return found.running and not (found.foreign or found.cut_off or found.other_box)


def _ask(
    project: Project, machines: Sequence[Machine], *, observer: Observer, jobs: int
) -> dict[str, Sequence[StepReport]]:
    """What machines say of their steps, by machine; those that do not answer are left out."""

    def work(machine: Machine, tell: Callable[[str], None]) -> tuple[StepReport, ...]:
        tell("asking")
        return kit.look(machine, project.folder)

    def done(machine: Machine, result: parallel.Done[tuple[StepReport, ...]]) -> None:
        if result.error is not None and not isinstance(result.error, LabError):
            raise result.error
        summary = "answered" if result.error is None else result.error.message
        observer.done(machine.name, ok=result.error is None, summary=summary)

    observer.started(len(machines), "asking")
    ended = parallel.run_all(
        machines,
        work,
        workers=jobs,
        on_news=lambda machine, text: observer.machine(machine.name, text),
        on_done=done,
    )
    observer.finished()
    return {
        machine.name: result.value
        for machine, result in zip(machines, ended, strict=True)
        if result.value is not None
    }


def _row(found: Found, stands: Standing, *, recreate: bool) -> PlannedMachine:
    return PlannedMachine(
        lab=found.machine.lab.name,
        login=found.machine.student.login,
        machine=found.machine.name,
        label=stands.label,
        why=stands.why,
        action=_action(found, stands, recreate=recreate),
        waits=bool(found.waits) and not (stands.step or found.other_box or recreate),
    )


def _action(found: Found, stands: Standing, *, recreate: bool) -> str:
    """What `lab up` does about it."""
    if stands.label is Label.FOREIGN:
        return _NEVER
    if stands.label is Label.MISSING:
        return "create it"
    if found.cut_off:
        return "make it anew"
    if stands.label is Label.DRIFTED and recreate:
        return "destroy it and make it anew"
    start = [] if found.running else ["start it"]
    if stands.step:
        at = "go on at" if stands.label is Label.HALF_MADE else "run again from"
        return ", ".join([*start, f"{at} step {stands.step}"])
    if stands.label is Label.DRIFTED and found.other_box:
        return "nothing without --recreate"
    if stands.label is Label.DRIFTED:
        login = found.machine.student.login
        return f"nothing before its next start: lab halt {login}, lab up {login}"
    if stands.label is Label.HALF_MADE:
        return "try to reach it"
    return "start it" if start else "nothing"


def _stray(name: str, label: Label, action: str) -> PlannedMachine:
    return PlannedMachine(lab="", login="", machine=name, label=label, action=action)
