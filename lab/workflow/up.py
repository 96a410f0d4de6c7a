"""`lab up` and `lab provision`: boxes, files, boot, steps; one student's failure is that student's alone."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from lab.classroom.results import MachineOutcome
from lab.errors import LabError, UsageError
from lab.machines import kit, ssh
from lab.machines.fleet import Machine
from lab.machines.providers.base import Guest
from lab.machines.vagrant import Vagrant
from lab.system import parallel
from lab.workflow.boxes import ensure_boxes
from lab.workflow.files import write_files
from lab.workflow.observer import Observer
from lab.workflow.project import Project
from lab.workflow.records import read_record, write_record

# Booting is waiting for the guest; Vagrant's own time-out for each machine is in the Vagrantfile.
_BOOT_TIMEOUT_S = 600.0
_BOOT_TIMEOUT_PER_MACHINE_S = 20.0
_SSH_TIMEOUT_S = 30.0


@dataclass(frozen=True, kw_only=True)
class UpOptions:
    """How machines are brought up.

    Attributes:
        jobs: how many machines run their steps at a time.
        provision: whether steps are run at all.
        boot: whether machines that are not running are booted.
        force: whether steps that are done are run again.
        only: the steps to run, instead of all.
    """

    jobs: int = 4
    provision: bool = True
    boot: bool = True
    force: bool = False
    only: tuple[str, ...] = ()


@dataclass
class _Progress:
    """What is known of each machine as the run goes on."""

    failures: dict[str, str] = field(default_factory=dict)
    booted: set[str] = field(default_factory=set)
    addresses: dict[str, str] = field(default_factory=dict)


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
    progress = _Progress()
    write_files(project)
    if options.boot:
        ensure_boxes(
            [machine.lab.box for machine in machines],
            observer=observer,
            log=project.folder.logs / "boxes.log",
            folder=project.path,
        )
        _boot(project, machines, progress, observer=observer)
    _find_addresses(project, machines, progress)
    ready = [machine for machine in machines if machine.name not in progress.failures]
    if options.provision:
        outcomes = _run_steps(project, ready, progress, observer=observer, options=options)
    else:
        outcomes = {
            machine.name: _good(machine, progress, started, changed=False) for machine in ready
        }
    for machine in machines:
        if machine.name in progress.failures:
            outcomes[machine.name] = _not_booted(
                project, machine, progress.failures[machine.name], started
            )
    return [outcomes[machine.name] for machine in machines]


def _boot(
    project: Project, machines: Sequence[Machine], progress: _Progress, *, observer: Observer
) -> None:
    """Create and start what is not running, all of it in one call of Vagrant."""
    guests = project.provider.guests(project.prefix)
    waiting = [machine for machine in machines if not _is_running(guests.get(machine.container))]
    if not waiting:
        return
    project.provider.check_room(
        len(guests) + sum(machine.container not in guests for machine in waiting)
    )
    for machine in waiting:
        _mend_vagrants_memory(project, machine, guests.get(machine.container))
    by_name = {machine.name: machine for machine in waiting}
    observer.started(len(waiting), "booting")
    for machine in waiting:
        observer.machine(machine.name, "booting")
    vagrant = Vagrant(project.path, log=project.folder.logs / "vagrant.log")

    def news(_: object, text: str) -> None:
        name, _, said = text.partition("\t")
        if name in by_name:
            _append_log(project, by_name[name], said)
            if said.startswith("Machine booted and ready"):
                observer.done(name, True, "booted")

    done = parallel.run_all(
        [tuple(by_name)],
        lambda names, tell: vagrant.up(
            names,
            provider=project.provider.name,
            on_line=lambda name, line: tell(f"{name}\t{line}"),
            timeout_s=_BOOT_TIMEOUT_S + _BOOT_TIMEOUT_PER_MACHINE_S * len(names),
        ),
        workers=1,
        on_news=news,
        on_done=lambda _, __: None,
    )[0]
    if done.error is not None:
        raise done.error
    for name, why in (done.value or {}).items():
        if name in by_name:
            progress.failures[name] = why
            _append_log(project, by_name[name], why)
            observer.done(name, False, "did not boot")
    progress.booted = set(by_name) - set(progress.failures)
    observer.finished()


def _mend_vagrants_memory(project: Project, machine: Machine, guest: Guest | None) -> None:
    """Make Vagrant's note of a machine agree with what the provider has.

    A creation that was cut off leaves a guest that never started: it is removed, to be made anew. One that did start
    may hold a student's work: Vagrant is told of it again.
    """
    if guest is None:
        return
    note = project.path / ".vagrant" / "machines" / machine.name / project.provider.name / "id"
    if note.exists() and note.read_text(encoding="utf-8") == guest.name:
        return
    if project.provider.ever_started(guest.name):
        note.parent.mkdir(parents=True, exist_ok=True)
        note.write_text(guest.name, encoding="utf-8")
    else:
        project.provider.remove(guest.name)


def _find_addresses(project: Project, machines: Sequence[Machine], progress: _Progress) -> None:
    """Ask the provider where the machines are, and write the SSH configuration for all of the project's."""
    guests = project.provider.guests(project.prefix)
    progress.addresses = {
        machine.name: guests[machine.container].ip
        for machine in project.machines
        if machine.container in guests and guests[machine.container].ip
    }
    ssh.write_config(project.folder, project.machines, progress.addresses)
    for machine in machines:
        if machine.name not in progress.addresses and machine.name not in progress.failures:
            guest = guests.get(machine.container)
            why = (
                f"it is {guest.state}, without an address" if guest else "there is no such machine"
            )
            progress.failures[machine.name] = why


def _run_steps(
    project: Project,
    machines: Sequence[Machine],
    progress: _Progress,
    *,
    observer: Observer,
    options: UpOptions,
) -> dict[str, MachineOutcome]:
    kits = {machine.lab.name: b"" for machine in machines}
    for machine in machines:
        kits[machine.lab.name] = kits[machine.lab.name] or kit.pack_kit(machine, project.folder)
    outcomes: dict[str, MachineOutcome] = {}
    observer.started(len(machines), "running steps")

    def work(machine: Machine, tell: Callable[[str], None]) -> MachineOutcome:
        return _provision(
            project, machine, kits[machine.lab.name], progress, tell=tell, options=options
        )

    def done(machine: Machine, result: parallel.Done[MachineOutcome]) -> None:
        if result.value is None:
            assert result.error is not None
            if not isinstance(result.error, LabError):
                raise result.error
            why = f"{result.error.message}\n{result.error.details}".strip()
            outcomes[machine.name] = _not_booted(project, machine, why, time.monotonic())
        else:
            outcomes[machine.name] = result.value
        outcome = outcomes[machine.name]
        observer.done(machine.name, outcome.ok, _in_words(outcome))

    parallel.run_all(
        machines,
        work,
        workers=options.jobs,
        on_news=lambda machine, text: observer.machine(machine.name, text),
        on_done=done,
    )
    observer.finished()
    return outcomes


def _provision(
    project: Project,
    machine: Machine,
    packed: bytes,
    progress: _Progress,
    *,
    tell: Callable[[str], None],
    options: UpOptions,
) -> MachineOutcome:
    started = time.monotonic()
    tell("connecting")
    ssh.wait_for_ssh(project.folder, machine, timeout_s=_SSH_TIMEOUT_S)
    steps = kit.run_steps(
        machine, project.folder, packed, tell=tell, force=options.force, only=options.only
    )
    write_record(
        project.folder,
        machine,
        ip=progress.addresses.get(machine.name, ""),
        step=steps.failed_step or machine.steps[-1].name,
        steps_done=_known_done(project, machine, steps, options),
        failed=bool(steps.failed_step),
    )
    changed = bool(steps.ran) or machine.name in progress.booted
    if not steps.failed_step:
        return _good(machine, progress, started, changed=changed)
    return MachineOutcome(
        machine=machine.name,
        lab=machine.lab.name,
        login=machine.student.login,
        ok=False,
        changed=changed,
        failed_step=steps.failed_step,
        message=f"step {steps.failed_step} ended with exit code {steps.exit_code}",
        tail=steps.tail,
        log=str(project.folder.log_of(machine.name)),
        retry=_retry(machine),
        ip=progress.addresses.get(machine.name),
        url=machine.url,
        seconds=time.monotonic() - started,
    )


def _known_done(
    project: Project, machine: Machine, steps: kit.StepsOutcome, options: UpOptions
) -> int:
    """How many steps stand; a run of only some of them leaves the number of the others as it was."""
    if not options.only:
        return steps.done
    record = read_record(project.folder, machine.name)
    return max(steps.done, record.steps_done if record else 0)


def _good(
    machine: Machine, progress: _Progress, started: float, *, changed: bool
) -> MachineOutcome:
    return MachineOutcome(
        machine=machine.name,
        lab=machine.lab.name,
        login=machine.student.login,
        ok=True,
        changed=changed or machine.name in progress.booted,
        ip=progress.addresses.get(machine.name),
        url=machine.url,
        seconds=time.monotonic() - started,
    )


def _not_booted(project: Project, machine: Machine, why: str, started: float) -> MachineOutcome:
    lines = why.strip().splitlines() or ["it did not come up"]
    write_record(project.folder, machine, failed=True)
    return MachineOutcome(
        machine=machine.name,
        lab=machine.lab.name,
        login=machine.student.login,
        ok=False,
        changed=True,
        message=lines[0],
        tail=tuple(lines[1:13]),
        log=str(project.folder.log_of(machine.name)),
        retry=_retry(machine),
        seconds=time.monotonic() - started,
    )


def _retry(machine: Machine) -> str:
    return f"lab up {machine.lab.name}/{machine.student.login}"


def _in_words(outcome: MachineOutcome) -> str:
    if not outcome.ok:
        return outcome.message
    return f"ready in {outcome.seconds:.0f} s" if outcome.changed else "nothing to do"


def _is_running(guest: Guest | None) -> bool:
    return guest is not None and guest.state == "running"


def _append_log(project: Project, machine: Machine, text: str) -> None:
    with project.folder.log_of(machine.name).open("a", encoding="utf-8") as log:
        log.write(f"{text}\n")


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
