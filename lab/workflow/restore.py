"""`lab snapshot restore`: machines as they once were, booted, with their services running."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from lab.classroom.results import MachineOutcome
from lab.classroom.runs import Run
from lab.errors import MachineError
from lab.machines import kit
from lab.machines.fleet import Machine
from lab.machines.services import wait_for_services
from lab.workflow.identity import identities
from lab.workflow.observer import Observer
from lab.workflow.project import Project
from lab.workflow.put_back import INTERRUPTED, Change, going_on, put_back, side_by_side
from lab.workflow.records import Stage, read_record, write_record
from lab.workflow.reset import logins_with_attempts
from lab.workflow.run import Interruption, UpOptions
from lab.workflow.snapshots import check_name, listed, matching


def restore(  # noqa: PLR0913 (what a restore is made of)
    project: Project,
    machines: Sequence[Machine],
    name: str,
    *,
    runs: Sequence[Run],
    keep_as: str | None,
    observer: Observer,
    options: UpOptions,
) -> list[MachineOutcome]:
    """Put machines back to a snapshot, boot them, and wait until their services run.

    No step is run. Each is the machine again that it was when the snapshot was taken (see
    `lab.workflow.identity`). Keys and address stay.

    Args:
        project: whose machines.
        machines: which of them; those without such a snapshot are left as they are, and fail.
        name: the snapshot's.
        runs: what was verified on them.
        keep_as: the snapshot that keeps what is on them now; None drops that.
        observer: told of the progress.
        options: how they are brought up.

    Returns:
        One outcome a machine, in their order.

    Raises:
        UsageError: no machine has such a snapshot.
        HostError: they do not fit on the host, or the provider cannot; nothing has been changed.
        LabError: none of them can be booted, or the provider did not answer; see `put_back`.
        Interruption: somebody stopped it.
    """
    check_name(name)
    having = matching(project, machines, name)
    before = identities(project, machines)
    counted = logins_with_attempts(project, machines, runs)
    again = " ".join(["lab snapshot restore", *([] if keep_as else ["--discard"]), name])
    change = Change(
        name="restoring",
        again=again,
        # Steps would overwrite what was restored.
        goes_on="lab up --no-provision",
        saves=keep_as is not None,
        do=lambda guest: project.provider.restore_snapshot(guest, name, keep_as=keep_as),
    )
    going = [machine for machine in machines if machine.name in having]
    options = replace(options, provision=False, bake=False)
    try:
        told = put_back(project, going, change, observer=observer, options=options)
    except Interruption as stop:
        raise Interruption(_all_of(machines, list(stop.outcomes.values()), name)) from stop
    outcomes = _all_of(machines, told, name)
    up = [machine for machine in going if outcomes[machine.name].ok]
    unwell = _see_to(project, up, observer=observer, jobs=options.jobs)
    outcomes |= {it: _unwell(outcomes[it], why, change) for it, why in unwell.items()}
    if INTERRUPTED in unwell.values():
        raise Interruption(outcomes)
    now = identities(project, going)
    others = [it for it in going if before[it.name] and now[it.name] not in {"", before[it.name]}]
    _tell_of_identities(counted, logins_with_attempts(project, others, runs), others, observer)
    return [outcomes[machine.name] for machine in machines]


def _see_to(
    project: Project, machines: Sequence[Machine], *, observer: Observer, jobs: int
) -> dict[str, str]:
    """Wait for the services of machines that have booted, and note how far their steps are.

    Returns:
        What is the matter, by the names of those with which something is.
    """
    behind: list[str] = []
    differing: list[str] = []

    def work(machine: Machine, tell: Callable[[str], None]) -> None:
        tell("waiting for its services")
        down = wait_for_services(machine, project.folder)
        target = machine.target
        todo = _note_steps(project, machine)
        if changed := [step for step, reason in todo.items() if reason == "broken"]:
            differing.append(f"{target} ({', '.join(changed)})")
        if len(changed) < len(todo):
            behind.append(target)
        if down:
            raise MachineError(f"it runs, but for {', '.join(down)}")

    unwell = side_by_side(machines, work, what="waiting for services", observer=observer, jobs=jobs)
    if behind:
        observer.note(
            f"steps that are newer than the snapshot, or that it has not: lab up {listed(behind)}"
        )
    if differing:
        observer.note(
            "as it was saved, what these steps own differs from the guide; lab up would put the "
            f"guide's own in its place: {listed(differing)}"
        )
    return unwell


def _note_steps(project: Project, machine: Machine) -> dict[str, str]:
    """Note what a machine's own records say of its steps; which `lab up` would run, and why."""
    reports = kit.look(machine, project.folder)
    digests = {step.name: step.digest for step in machine.steps}
    stand = {it.step: digests[it.step] for it in reports if it.word == "kept"}
    record = read_record(project.folder, machine.name)
    if record is not None:
        stage = Stage.READY if stand == digests else Stage.BOOTED
        write_record(project.folder, replace(record, stage=stage, steps=stand))
    reasons = {it.step: it.reason for it in reports if it.word == "todo"}
    return {name: reasons.get(name, "new") for name in digests if name not in stand}


def _all_of(
    machines: Sequence[Machine], told: Sequence[MachineOutcome], name: str
) -> dict[str, MachineOutcome]:
    """The outcomes, with those of the machines that have no such snapshot."""
    outcomes = {it.machine: it for it in told}
    return {
        it.name: outcomes.get(
            it.name,
            MachineOutcome(
                machine=it.name,
                lab=it.lab.name,
                login=it.student.login,
                ok=False,
                changed=False,
                message=f"left as it is: it has no snapshot {name}",
            ),
        )
        for it in machines
    }


def _unwell(outcome: MachineOutcome, why: str, change: Change) -> MachineOutcome:
    first, *more = why.splitlines()
    unwell = replace(outcome, ok=False, message=first, tail=tuple(more))
    if first == INTERRUPTED:
        return going_on(unwell, change)
    # It runs, and to boot it again would change nothing: what the matter is shows in there.
    return replace(unwell, retry=f"lab ssh {outcome.lab}/{outcome.login} --admin")


def _tell_of_identities(
    counted: Sequence[str], counting: Sequence[str], others: Sequence[Machine], observer: Observer
) -> None:
    """Marks hang on which machine it is: where that has changed, it is said.

    Args:
        counted: whose attempts counted before, as `LAB/LOGIN`.
        counting: whose attempts count now.
        others: the machines that are others now.
        observer: is told.
    """
    if not others:
        return
    targets = [it.target for it in others]
    observer.note(
        f"the snapshot is of another machine, of before or after a reset: {listed(targets)}"
    )
    if gone := [it for it in targets if it in counted]:
        observer.note(
            "what was verified on the one that was there stays in `lab history`, and makes no mark "
            f"from now on but with `lab grades --at MOMENT`: {listed(gone)}"
        )
    if counting:
        observer.note(
            f"what was verified on the one that is there now counts again: {listed(counting)}"
        )
