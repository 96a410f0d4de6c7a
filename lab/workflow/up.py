"""`lab up` and `lab provision`: boxes, files, boot, steps; one student's failure stays theirs."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from lab.classroom.results import MachineOutcome
from lab.errors import LabError, UsageError
from lab.machines import kit, ssh
from lab.machines.boxes.names import box_name
from lab.machines.fleet import Machine
from lab.system import parallel
from lab.workflow.bake import WORTH_FROM, bakes_of
from lab.workflow.boot import Booted, boot, find_addresses
from lab.workflow.boxes import ensure_boxes
from lab.workflow.files import write_files, write_vagrantfile
from lab.workflow.observer import Observer
from lab.workflow.project import Project
from lab.workflow.records import MachineRecord, read_record, write_record

_SSH_TIMEOUT_S = 30.0
_TAIL_LINES = 12


@dataclass(frozen=True, kw_only=True)
class UpOptions:
    """How machines are brought up.

    Attributes:
        jobs: how many machines run their steps at a time.
        provision: whether steps are run at all.
        boot: whether machines that are not running are booted.
        force: whether steps that are done are run again.
        only: the steps to run, instead of all.
        bake: whether class steps are done once for all new machines, where that pays.
    """

    jobs: int = 4
    provision: bool = True
    bake: bool = True
    boot: bool = True
    force: bool = False
    only: tuple[str, ...] = ()


def bring_up(
    project: Project, machines: Sequence[Machine], *, observer: Observer, options: UpOptions
) -> list[MachineOutcome]:
    """Bring machines to where labs.yaml wants them; what is there already is left alone.

    Returns:
        One outcome a machine, in their order.

    Raises:
        HostError: the host lacks something that all machines need.
        LabError: Vagrant or a box cannot be used at all.
    """
    started = time.monotonic()
    write_files(project)
    if options.boot:
        ensure_boxes(
            [machine.lab.box for machine in machines],
            observer=observer,
            log=project.folder.logs / "boxes.log",
            folder=project.path,
        )
        project, machines, failures = _choose_boxes(
            project, machines, observer=observer, options=options
        )
        bootable = [machine for machine in machines if machine.name not in failures]
        booted = boot(project, bootable, observer=observer)
        booted.failures |= failures
    else:
        booted = Booted()
        find_addresses(project, machines, booted)
    run = _Run(project, booted, options, started)
    ready = [machine for machine in machines if machine.name not in booted.failures]
    outcomes = {
        machine.name: run.lost(machine, booted.failures[machine.name])
        for machine in machines
        if machine.name in booted.failures
    }
    if options.provision:
        outcomes |= _run_steps(run, ready, observer=observer)
    else:
        outcomes |= {machine.name: run.only_booted(machine) for machine in ready}
    return [outcomes[machine.name] for machine in machines]


def _choose_boxes(
    project: Project, machines: Sequence[Machine], *, observer: Observer, options: UpOptions
) -> tuple[Project, tuple[Machine, ...], dict[str, str]]:
    """Let the machines that are to be made be clones of a bake, where there is one or it pays.

    Returns:
        The project and the machines with their boxes, and why some cannot be made, by machine.
    """
    guests = project.provider.guests(project.prefix)
    # Whatever a machine was made of before, one that is made anew begins with labs.yaml's box.
    new = [
        replace(machine, box=box_name(machine.lab.box))
        for machine in machines
        if machine.container not in guests
    ]
    boxes = {machine.name: machine.box for machine in new}
    failures: dict[str, str] = {}
    if options.bake:
        worth_from = WORTH_FROM if options.provision else len(machines) + 1
        baked, failures = bakes_of(project, new, observer=observer, worth_from=worth_from)
        boxes |= baked
    changed = {it.name: replace(it, box=boxes.get(it.name, it.box)) for it in project.machines}
    project = replace(project, machines=tuple(changed.values()))
    write_vagrantfile(project)
    return project, tuple(changed[machine.name] for machine in machines), failures


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


def _run_steps(
    run: _Run, machines: Sequence[Machine], *, observer: Observer
) -> dict[str, MachineOutcome]:
    """Run the steps of many machines side by side."""
    if not machines:
        return {}
    one_of_each_lab = {machine.lab.name: machine for machine in machines}
    kits = {lab: kit.pack_kit(it, run.project.folder) for lab, it in one_of_each_lab.items()}
    outcomes: dict[str, MachineOutcome] = {}
    observer.started(len(machines), "running steps")

    def done(machine: Machine, result: parallel.Done[MachineOutcome]) -> None:
        outcome = result.value or run.lost(machine, _why(result.error))
        outcomes[machine.name] = outcome
        observer.done(machine.name, ok=outcome.ok, summary=_in_words(outcome))

    parallel.run_all(
        machines,
        lambda machine, tell: run.steps(machine, kits[machine.lab.name], tell),
        workers=run.options.jobs,
        on_news=lambda machine, text: observer.machine(machine.name, text),
        on_done=done,
    )
    observer.finished()
    return outcomes


@dataclass(frozen=True)
class _Run:
    """One run of `up`: what happens to a machine in it, and what is noted of that."""

    project: Project
    booted: Booted
    options: UpOptions
    started: float

    def steps(self, machine: Machine, packed: bytes, tell: Callable[[str], None]) -> MachineOutcome:
        """Run a machine's steps, and note how far they came."""
        folder = self.project.folder
        tell("connecting")
        ssh.wait_for_ssh(folder, machine, timeout_s=_SSH_TIMEOUT_S)
        steps = kit.run_steps(
            machine, folder, packed, tell=tell, force=self.options.force, only=self.options.only
        )
        known = self._record(machine)
        write_record(
            folder,
            machine,
            ip=self.booted.addresses.get(machine.name, ""),
            step=steps.failed_step or machine.steps[-1].name,
            # A run of only some steps says nothing of the others.
            steps_done=max(steps.done, known.steps_done) if self.options.only else steps.done,
            failed=bool(steps.failed_step),
        )
        if not steps.failed_step:
            return self._outcome(machine, ok=True, changed=bool(steps.ran))
        return self._outcome(
            machine,
            ok=False,
            changed=bool(steps.ran),
            failed_step=steps.failed_step,
            message=f"step {steps.failed_step} ended with exit code {steps.exit_code}",
            tail=steps.tail,
        )

    def only_booted(self, machine: Machine) -> MachineOutcome:
        """A machine whose steps are not to be run."""
        self._note(machine, failed=False)
        return self._outcome(machine, ok=True, changed=False)

    def lost(self, machine: Machine, why: str) -> MachineOutcome:
        """A machine that did not boot, or that could not be reached."""
        self._note(machine, failed=True)
        lines = why.strip().splitlines() or ["it did not come up"]
        return self._outcome(
            machine, ok=False, changed=True, message=lines[0], tail=tuple(lines[1:])
        )

    def _record(self, machine: Machine) -> MachineRecord:
        return read_record(self.project.folder, machine.name) or MachineRecord(
            lab=machine.lab.name,
            login=machine.student.login,
            machine=machine.name,
            container=machine.container,
        )

    def _note(self, machine: Machine, *, failed: bool) -> None:
        """Note where the machine is; how far its steps had come stays as it was."""
        known = self._record(machine)
        write_record(
            self.project.folder,
            machine,
            ip=self.booted.addresses.get(machine.name, ""),
            step=known.step,
            steps_done=known.steps_done,
            failed=failed,
        )

    def _outcome(
        self,
        machine: Machine,
        *,
        ok: bool,
        changed: bool,
        failed_step: str = "",
        message: str = "",
        tail: tuple[str, ...] = (),
    ) -> MachineOutcome:
        address = self.booted.addresses.get(machine.name)
        return MachineOutcome(
            machine=machine.name,
            lab=machine.lab.name,
            login=machine.student.login,
            ok=ok,
            changed=changed or machine.name in self.booted.now,
            failed_step=failed_step,
            message=message,
            tail=tail[-_TAIL_LINES:],
            log=str(self.project.folder.log_of(machine.name)),
            retry="" if ok else f"lab up {machine.lab.name}/{machine.student.login}",
            ip=address,
            url=machine.url if address else None,
            seconds=round(time.monotonic() - self.started, 1),
        )


def _why(error: Exception | None) -> str:
    if isinstance(error, LabError):
        return f"{error.message}\n{error.details}".strip()
    # Even a bug of lab's own, met on one machine, does not stop the others.
    return f"lab met a bug of its own: {error!r}"


def _in_words(outcome: MachineOutcome) -> str:
    if not outcome.ok:
        return outcome.message
    return f"ready in {outcome.seconds:.0f} s" if outcome.changed else "nothing to do"
