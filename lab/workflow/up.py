"""`lab up` and `lab provision`: boxes, files, boot, steps; one student's failure stays theirs."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from lab.classroom.results import MachineOutcome
from lab.errors import ConnectionLost, LabError, UsageError
from lab.machines import kit
from lab.machines.boxes.names import box_name
from lab.machines.boxes.profiles import PROFILES
from lab.machines.fleet import Machine
from lab.machines.keys import write_address
from lab.machines.providers.base import Guest
from lab.system import parallel
from lab.workflow.bake import WORTH_FROM, bakes_of
from lab.workflow.boot import Boot
from lab.workflow.boxes import ensure_boxes
from lab.workflow.files import write_guest_settings, write_vagrantfile
from lab.workflow.observer import Observer
from lab.workflow.project import Project
from lab.workflow.records import MachineRecord, read_record, write_record

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
    write_guest_settings(project)
    if options.boot:
        ensure_boxes(
            [machine.lab.box for machine in machines],
            observer=observer,
            log=project.folder.logs / "boxes.log",
            folder=project.path,
        )
    guests = project.provider.guests(project.prefix)
    if options.boot:
        project, failures = _plan(project, machines, guests, observer=observer, options=options)
        planned = {machine.name: machine for machine in project.machines}
        machines = [planned[machine.name] for machine in machines]
    else:
        failures = _not_running(machines, guests)
    write_vagrantfile(project)
    boot = Boot(project, [it for it in machines if it.name not in failures], guests)
    boot.prepare(guests)
    run = _Run(project, boot, failures, options, started)
    outcomes = run.all(machines, observer=observer)
    return [outcomes[machine.name] for machine in machines]


def _not_running(machines: Sequence[Machine], guests: Mapping[str, Guest]) -> dict[str, str]:
    """Why machines cannot be worked with as they are, by machine."""
    why = {}
    for machine in machines:
        guest = guests.get(machine.container)
        if guest is None:
            why[machine.name] = "there is no such machine"
        elif guest.state != "running":
            why[machine.name] = f"it is {guest.state}"
    return why


def _plan(
    project: Project,
    machines: Sequence[Machine],
    guests: Mapping[str, Guest],
    *,
    observer: Observer,
    options: UpOptions,
) -> tuple[Project, dict[str, str]]:
    """Decide what machines that are to be made are clones of, and where they will be.

    They are clones of a bake where there is one, or where making one pays.

    Returns:
        The project with its machines' boxes and addresses, and why some cannot be made, by machine.
    """
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
    addresses = _addresses_for(project, machines, guests)
    changed = (
        replace(
            machine,
            box=boxes.get(machine.name, machine.box),
            address=addresses.get(machine.container, ""),
        )
        for machine in project.machines
    )
    return replace(project, machines=tuple(changed)), failures


def _addresses_for(
    project: Project, machines: Sequence[Machine], guests: Mapping[str, Guest]
) -> Mapping[str, str]:
    """The addresses of machines that are there or are to be made, noted where their seed is."""
    wanted = {machine.name for machine in machines}
    ours = [
        machine
        for machine in project.machines
        # The guests of other boxes than lab's own may insist on asking by DHCP.
        if machine.container in guests or (machine.name in wanted and machine.lab.box in PROFILES)
    ]
    allotted = project.provider.allot_addresses([machine.container for machine in ours])
    for machine in project.machines:
        write_address(
            machine.keys.folder,
            allotted.of.get(machine.container, ""),
            name_server=allotted.gateway,
        )
    return allotted.of


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


@dataclass(frozen=True)
class _Run:
    """One run of `up`: what happens to its machines, and what is noted of that.

    `failures` says why a machine cannot be brought up at all, by name.
    """

    project: Project
    boot: Boot
    failures: Mapping[str, str]
    options: UpOptions
    started: float

    def all(self, machines: Sequence[Machine], *, observer: Observer) -> dict[str, MachineOutcome]:
        """Boot what does not run, and run each machine's steps as soon as it lets lab in.

        Raises:
            LabError: Vagrant cannot be used at all.
        """
        outcomes = {
            machine.name: self.lost(machine, self.failures[machine.name])
            for machine in machines
            if machine.name in self.failures
        }
        going = [machine for machine in machines if machine.name not in outcomes]
        one_of_each_lab = {machine.lab.name: machine for machine in going}
        kits = {lab: kit.pack_kit(it, self.project.folder) for lab, it in one_of_each_lab.items()}
        observer.started(len(machines), "bringing up")
        for name, outcome in outcomes.items():
            observer.done(name, ok=False, summary=outcome.message)
        # All wait for their boot, and as many as asked for work.
        slots = threading.BoundedSemaphore(self.options.jobs)

        def work(job: Machine | Boot, tell: Callable[[str], None]) -> MachineOutcome | None:
            if isinstance(job, Boot):
                job.run()
                return None
            self.boot.wait_for(job, tell)
            if not self.options.provision:
                self.boot.wait_for_end(job)
                return self.only_booted(job)
            with slots:
                return self.steps_when_let_in(job, kits[job.lab.name], tell)

        def news(job: Machine | Boot, text: str) -> None:
            if isinstance(job, Machine):
                observer.machine(job.name, text)

        def done(job: Machine | Boot, result: parallel.Done[MachineOutcome | None]) -> None:
            if isinstance(job, Boot):
                return
            outcome = result.value or self.lost(job, _why(result.error))
            outcomes[job.name] = outcome
            observer.done(job.name, ok=outcome.ok, summary=_in_words(outcome))

        jobs: list[Machine | Boot] = [*([self.boot] if self.boot.waiting else []), *going]
        ended = parallel.run_all(jobs, work, workers=len(jobs), on_news=news, on_done=done)
        observer.finished()
        if self.boot.waiting and ended[0].error is not None:
            raise ended[0].error
        return outcomes

    def steps_when_let_in(
        self, machine: Machine, packed: bytes, tell: Callable[[str], None]
    ) -> MachineOutcome:
        """Run a machine's steps; one that boots slowly has as long as Vagrant gives it."""
        try:
            return self.steps(machine, packed, tell)
        except ConnectionLost:
            if self.boot.ended:
                raise
            self.boot.wait_for_end(machine)
            return self.steps(machine, packed, tell)

    def steps(self, machine: Machine, packed: bytes, tell: Callable[[str], None]) -> MachineOutcome:
        """Run a machine's steps, and note how far they came."""
        folder = self.project.folder
        tell("connecting")
        steps = kit.run_steps(
            machine, folder, packed, tell=tell, force=self.options.force, only=self.options.only
        )
        known = self._record(machine)
        write_record(
            folder,
            machine,
            ip=self.boot.addresses.get(machine.name, ""),
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
            ip=self.boot.addresses.get(machine.name, ""),
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
        address = self.boot.addresses.get(machine.name)
        return MachineOutcome(
            machine=machine.name,
            lab=machine.lab.name,
            login=machine.student.login,
            ok=ok,
            changed=changed or machine in self.boot.waiting,
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
