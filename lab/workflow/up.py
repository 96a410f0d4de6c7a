"""`lab up` and `lab provision`: boxes, files, boot, steps; one student's failure stays theirs."""

from __future__ import annotations

import time
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace

from lab.classroom.results import Label, MachineOutcome
from lab.errors import HostError, UsageError
from lab.machines.fleet import Machine
from lab.machines.providers.base import BOOT_TIMEOUT_S, Guest
from lab.workflow.admission import Admission, admit
from lab.workflow.boot import Boot, not_running
from lab.workflow.boxes import boxes_in_use, ensure_boxes
from lab.workflow.files import write_guest_settings, write_vagrantfile
from lab.workflow.lifecycle import destroy
from lab.workflow.observer import Observer
from lab.workflow.offline import refuse_downloads
from lab.workflow.pace import pace_for
from lab.workflow.plan import Survey, plan, tell_remarks
from lab.workflow.prepare import (
    Refusal,
    clear_the_way,
    refusals,
    refusals_to_work,
    require_bakes,
    require_for_boot,
    with_addresses,
    with_boxes,
    worth_baking_from,
)
from lab.workflow.project import Project, open_project
from lab.workflow.reconcile import Found, find
from lab.workflow.records import Stage, all_records
from lab.workflow.run import Run, UpOptions


def bring_up(
    project: Project,
    machines: Sequence[Machine],
    *,
    observer: Observer,
    options: UpOptions,
    doomed: Collection[str] = (),
) -> list[MachineOutcome]:
    """Bring machines to where labs.yaml wants them; what is there already is left alone.

    Args:
        project: whose machines.
        machines: which of them.
        observer: told of the progress.
        options: how.
        doomed: the names of those that are destroyed and made anew, once it is known that they can
            be made.

    Returns:
        One outcome a machine, in their order.

    Raises:
        HostError: the host lacks something that all machines need, or they do not fit on it, or
            cannot be as labs.yaml wants them; nothing was destroyed.
        UsageError: machines without internet are to be made without a bake.
        LabError: Vagrant or a box cannot be used at all.
        Interruption: somebody stopped it.
    """
    work = _begin(project, machines, observer=observer, options=options, doomed=doomed)
    if options.offline:
        refuse_downloads(
            project,
            [work.found[machine.name] for machine in work.going],
            work.guests,
            doomed=doomed,
            options=options,
            observer=observer,
        )
    if options.boot:
        _get_boxes(work)
    work = _destroy_doomed(work)
    write_guest_settings(work.project, offline=options.offline)
    if not options.boot:
        return _run(work)
    # From finding a bake to having clones of it.
    with boxes_in_use(on_wait=observer.note):
        return _run(_make_ready(work))


@dataclass(frozen=True, kw_only=True)
class _Work:
    """How far one `up` has come.

    Attributes:
        project: whose machines, as it was last read or planned.
        machines: which of them.
        observer: told of the progress.
        options: how.
        doomed: the names of those that are destroyed and made anew.
        started: when it began, on the monotonic clock.
        guests: what the provider has.
        found: what there is of each machine, by name.
        refused: the machines that are left as they are, by name.
        failures: why a machine cannot be made, by name.
    """

    project: Project
    machines: Sequence[Machine]
    observer: Observer
    options: UpOptions
    doomed: Collection[str]
    started: float
    guests: Mapping[str, Guest]
    found: Mapping[str, Found]
    refused: Mapping[str, Refusal]
    failures: Mapping[str, str] = field(default_factory=dict)

    @property
    def going(self) -> list[Machine]:
        """The machines that are not refused."""
        return [machine for machine in self.machines if machine.name not in self.refused]


def _begin(
    project: Project,
    machines: Sequence[Machine],
    *,
    observer: Observer,
    options: UpOptions,
    doomed: Collection[str],
) -> _Work:
    """See what there is of the machines, and which of them lab leaves as they are."""
    started = time.monotonic()
    guests = project.provider.guests(project.prefix)
    found = find(project, machines, guests)
    refused = refusals({name: it for name, it in found.items() if name not in doomed})
    if options.boot:
        able = [machine for machine in machines if machine.name not in refused]
        require_for_boot(project, able, guests, doomed=doomed)
        refused |= _without_room(project, able, guests, options=options)
    else:
        refused |= refusals_to_work(found)
    return _Work(
        project=project,
        machines=machines,
        observer=observer,
        options=options,
        doomed=doomed,
        started=started,
        guests=guests,
        found=found,
        refused=refused,
    )


def _get_boxes(work: _Work) -> None:
    """See that there are the boxes of the machines that are to be made."""
    project, going = work.project, work.going
    if not_running(going, work.guests):
        tell_remarks(project.provider, work.observer)
    new = [it for it in going if it.name in work.doomed or work.found[it.name].to_be_made]
    require_bakes(new, bake=work.options.bake)
    ensure_boxes(
        [machine.lab.box for machine in new],
        provider=project.provider.name,
        observer=work.observer,
        log=project.folder.logs / "boxes.log",
        folder=project.path,
    )


def _destroy_doomed(work: _Work) -> _Work:
    """Destroy the machines that are made anew; the project has new keys of theirs then."""
    gone = [machine for machine in work.going if machine.name in work.doomed]
    if not gone:
        return work
    destroy(work.project, gone, observer=work.observer)
    project = open_project(work.project.classroom.path, for_boot=True)
    machines = _same(work.machines, project)
    guests = project.provider.guests(project.prefix)
    found = find(project, machines, guests)
    return replace(work, project=project, machines=machines, guests=guests, found=found)


def _make_ready(work: _Work) -> _Work:
    """Give the machines what they need before they boot: boxes or bakes, addresses, the host's."""
    options, going = work.options, work.going
    guests = clear_the_way(work.project, [work.found[it.name] for it in going], work.guests)
    worth = worth_baking_from(len(going), bake=options.bake, provision=options.provision)
    project, failures = with_boxes(
        work.project,
        going,
        guests,
        observer=work.observer,
        worth_from=worth,
        offline=options.offline,
    )
    project = with_addresses(project, going, guests)
    failures |= _prepare(project, _same(going, project), guests, failures)
    machines = _same(work.machines, project)
    return replace(work, project=project, machines=machines, guests=guests, failures=failures)


def _run(work: _Work) -> list[MachineOutcome]:
    """The files that Vagrant needs are written then, and it is known what waits for a boot."""
    project, options = work.project, work.options
    write_vagrantfile(project)
    timeout_s = options.boot_timeout_s or BOOT_TIMEOUT_S * project.provider.patience
    boot = Boot(
        project,
        [machine for machine in work.going if machine.name not in work.failures],
        work.guests,
        pace=pace_for(project.provider, timeout_s=timeout_s),
        timeout_s=timeout_s,
    )
    run = Run(project, boot, options, work.found, work.refused, work.failures, work.started)
    outcomes = run.all(work.machines, observer=work.observer)
    return [outcomes[machine.name] for machine in work.machines]


def _prepare(
    project: Project,
    machines: Sequence[Machine],
    guests: Mapping[str, Guest],
    failures: Mapping[str, str],
) -> dict[str, str]:
    """Have the provider see that the host has what the machines that are to be booted need.

    Those that run already, whoever's they are, are kept apart as well.

    Returns:
        Why some cannot be booted, by machine.
    """
    booted = [it for it in not_running(machines, guests) if it.name not in failures]
    waiting = not_running(project.machines, guests)
    running = [it for it in project.machines if it not in waiting]
    log = project.folder.logs / "boxes.log"
    if booted or running:
        project.provider.keep_apart([it.wanted for it in (*booted, *running)], log=log)
    if not booted:
        return {}
    refused = project.provider.prepare(
        [machine.wanted for machine in booted],
        new={machine.container for machine in booted} - guests.keys(),
        log=log,
    )
    return {it.name: refused[it.container] for it in booted if it.container in refused}


def _same(machines: Sequence[Machine], project: Project) -> list[Machine]:
    """The machines as they are in a project that was read or planned since."""
    names = {machine.name for machine in machines}
    return [machine for machine in project.machines if machine.name in names]


def room_for(
    project: Project,
    machines: Sequence[Machine],
    *,
    recreate: bool = False,
    overcommit: bool = False,
) -> Admission:
    """Whether those of the machines that are to be started fit on this computer.

    Args:
        project: whose machines.
        machines: which of them; those that `bring_up` refuses are not counted.
        recreate: whether those of another box are made anew instead of refused.
        overcommit: see `admit`.

    Raises:
        ProcessError: the provider did not answer.
    """
    guests = project.provider.guests(project.prefix)
    found = find(project, machines, guests)
    refused = refusals({name: it for name, it in found.items() if not (recreate and it.other_box)})
    waiting = not_running([it for it in machines if it.name not in refused], guests)
    return admit(project.provider, waiting, existing=guests, overcommit=overcommit)


def refusal_for(project: Project, seen: Survey, *, doomed: Collection[str]) -> HostError | None:
    """Why `bring_up` would refuse all, as the provider cannot have machines as they are wanted.

    Args:
        project: whose machines.
        seen: what there is of those that are to be brought up.
        doomed: the names of those that would be made anew.

    Raises:
        ProcessError: the provider did not answer.
    """
    refused = refusals({name: it for name, it in seen.found.items() if name not in doomed})
    able = [it.machine for name, it in seen.found.items() if name not in refused]
    try:
        require_for_boot(project, able, seen.guests, doomed=doomed)
    except HostError as error:
        return error
    return None


def _without_room(
    project: Project,
    machines: Sequence[Machine],
    guests: Mapping[str, Guest],
    *,
    options: UpOptions,
) -> dict[str, Refusal]:
    """The machines that are left out, as there is no room for them, by name.

    Raises:
        HostError: there are some, and nobody said that the others are to be started without them.
    """
    waiting = not_running(machines, guests)
    if not waiting:
        return {}
    room = admit(project.provider, waiting, existing=guests, overcommit=options.overcommit)
    if room.fit < room.of and not options.fit:
        raise room.refusal()
    why = "there is no room for it on this computer"
    return {it.name: Refusal(why=why, retry=f"lab up {it.target}") for it in waiting[room.fit :]}


def unfinished(
    project: Project, machines: Sequence[Machine], *, observer: Observer, jobs: int
) -> tuple[Machine, ...]:
    """The machines that failed or were cut off the last time, by lab's notes and their own.

    Raises:
        ProcessError: the provider did not answer.
    """
    records = all_records(project.folder)
    bad = {
        name for name, record in records.items() if record.stage in {Stage.FAILED, Stage.CREATING}
    } | _labelled(Label.HALF_MADE, project, machines, observer=observer, jobs=jobs)
    return tuple(machine for machine in machines if machine.name in bad)


def drifted(
    project: Project, machines: Sequence[Machine], *, observer: Observer, jobs: int
) -> tuple[Machine, ...]:
    """The machines that are others than labs.yaml and the guide say now.

    Raises:
        ProcessError: the provider did not answer.
    """
    names = _labelled(Label.DRIFTED, project, machines, observer=observer, jobs=jobs)
    return tuple(machine for machine in machines if machine.name in names)


def _labelled(
    label: Label, project: Project, machines: Sequence[Machine], *, observer: Observer, jobs: int
) -> set[str]:
    rows = plan(project, machines, observer=observer, jobs=jobs)
    return {row.machine for row in rows if row.label is label}


def check_steps(machines: Sequence[Machine], only: Sequence[str]) -> None:
    """See that the guides have the steps that were asked for.

    Raises:
        UsageError: one is unknown.
    """
    known = list(dict.fromkeys(step.name for machine in machines for step in machine.steps))
    for name in only:
        if name not in known:
            raise UsageError(
                f"No guide here has a step {name!r}", details="Steps: " + ", ".join(known)
            )
