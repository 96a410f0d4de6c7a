"""One run of `up`: each machine is booted, worked on and noted, apart from all others."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from lab.classroom.results import MachineOutcome
from lab.errors import ConnectionLost, LabError
from lab.machines import kit
from lab.machines.fleet import Machine
from lab.machines.kit import StepsOutcome
from lab.system import parallel, process
from lab.workflow.boot import Boot
from lab.workflow.holders import note_holders
from lab.workflow.observer import Observer
from lab.workflow.prepare import Refusal
from lab.workflow.project import Project
from lab.workflow.reconcile import Found, digests_of_variables, size_of
from lab.workflow.records import MachineRecord, Stage, new_record, write_record

_TAIL_LINES = 12
_INTERRUPTED = "it was interrupted"
_OFFLINE = " (with `internet: off` only class steps can download, in a bake)"


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
        fit: whether those that fit are started where not all do.
        overcommit: whether machines may be promised more memory than there is.
        offline: whether nothing may be downloaded, and students are without the internet.
        boot_timeout_s: how long a machine may take from its start to its first SSH login; None for
            what is usual with its provider.
    """

    jobs: int = 4
    provision: bool = True
    bake: bool = True
    boot: bool = True
    force: bool = False
    only: tuple[str, ...] = ()
    fit: bool = False
    overcommit: bool = False
    offline: bool = False
    boot_timeout_s: float | None = None


class Interruption(KeyboardInterrupt):
    """Somebody stopped it; `outcomes` says how far each machine came, by name."""

    def __init__(self, outcomes: Mapping[str, MachineOutcome]) -> None:
        super().__init__()
        self.outcomes = outcomes


@dataclass(frozen=True)
class Run:
    """What happens to the machines of one `up`, and what is noted of that.

    Attributes:
        project: whose machines.
        boot: what boots them.
        options: how.
        found: what there was of each before, by name.
        refused: the machines that are left as they are, by name.
        failures: why a machine cannot be made, by name.
        started: when the run began, on the monotonic clock.
    """

    project: Project
    boot: Boot
    options: UpOptions
    found: Mapping[str, Found]
    refused: Mapping[str, Refusal]
    failures: Mapping[str, str]
    started: float

    def all(self, machines: Sequence[Machine], *, observer: Observer) -> dict[str, MachineOutcome]:
        """Boot what does not run, and run each machine's steps as soon as it lets lab in.

        Raises:
            LabError: Vagrant cannot be used at all, and no machine is well.
            Interruption: somebody stopped it.
        """
        outcomes = self._beforehand(machines)
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
                job.run(tell)
                return None
            return self._one(job, kits[job.lab.name], slots, tell)

        def news(job: Machine | Boot, text: str) -> None:
            if isinstance(job, Machine):
                observer.machine(job.name, text)
            else:
                observer.note(text)

        def done(job: Machine | Boot, result: parallel.Done[MachineOutcome | None]) -> None:
            if isinstance(job, Machine):
                outcome = outcomes[job.name] = self._ended(job, result)
                observer.done(job.name, ok=outcome.ok, summary=_in_words(outcome))

        jobs: list[Machine | Boot] = [*([self.boot] if self.boot.waiting else []), *going]
        try:
            ended = parallel.run_all(jobs, work, workers=len(jobs), on_news=news, on_done=done)
        except parallel.Stopped as stop:
            cut_off = [it for it in going if it.name not in outcomes]
            outcomes |= {it.name: self.lost(it, _INTERRUPTED) for it in cut_off}
            raise Interruption({it.name: outcomes[it.name] for it in machines}) from stop
        finally:
            observer.finished()
        self._tell_of_vagrant(outcomes, ended, observer)
        return outcomes

    def _tell_of_vagrant(
        self,
        outcomes: Mapping[str, MachineOutcome],
        ended: Sequence[parallel.Done[MachineOutcome | None]],
        observer: Observer,
    ) -> None:
        """Machines are told of one by one, unless Vagrant stopped them all, or none."""
        stopped = ended[0].error if ended and self.boot.waiting else None
        if stopped is None:
            return
        if not any(outcome.ok for outcome in outcomes.values()):
            raise stopped
        if all(outcome.ok for outcome in outcomes.values()):
            observer.note(_why(stopped))

    def _beforehand(self, machines: Sequence[Machine]) -> dict[str, MachineOutcome]:
        """What becomes of machines that are not begun; and those that are, are noted as begun."""
        left_out = self.refused.keys() | self.failures.keys()
        note_holders(self.project.folder, [it for it in machines if it.name not in left_out])
        # Before anything is made: who comes after a crash knows then whose it is.
        for machine in self.boot.waiting:
            write_record(self.project.folder, self._record(machine))
        return {it.name: self._refused(it) for it in machines if it.name in self.refused} | {
            it.name: self.lost(it, self.failures[it.name])
            for it in machines
            if it.name in self.failures
        }

    def _one(
        self,
        machine: Machine,
        packed: bytes,
        slots: threading.BoundedSemaphore,
        tell: Callable[[str], None],
    ) -> MachineOutcome:
        self.boot.wait_for(machine, tell)
        if not self.options.provision:
            self.boot.wait_for_end(machine)
            return self.only_booted(machine)
        try:
            with slots:
                return self.steps(machine, packed, tell)
        except ConnectionLost:
            if self.boot.through_with(machine):
                raise
        # One that boots slowly has as long as Vagrant gives it, and holds up nobody meanwhile.
        self.boot.wait_for_end(machine)
        with slots:
            return self.steps(machine, packed, tell)

    def steps(self, machine: Machine, packed: bytes, tell: Callable[[str], None]) -> MachineOutcome:
        """Run a machine's steps, and note how far they came."""
        tell("connecting")
        came_of = kit.run_steps(
            machine,
            self.project.folder,
            packed,
            tell=tell,
            force=self.options.force,
            only=self.options.only,
        )
        write_record(self.project.folder, self._record_after(machine, came_of))
        if not came_of.failed_step:
            return self._outcome(machine, ok=True, changed=bool(came_of.ran))
        return self._outcome(
            machine,
            ok=False,
            changed=bool(came_of.ran),
            failed_step=came_of.failed_step,
            message=f"step {came_of.failed_step} {came_of.how_it_failed}"
            + ("" if machine.lab.internet else _OFFLINE),
            tail=came_of.tail,
        )

    def only_booted(self, machine: Machine) -> MachineOutcome:
        """A machine whose steps are not to be run."""
        record = self._record(machine)
        stage = Stage.BOOTED if record.stage is not Stage.READY else Stage.READY
        write_record(self.project.folder, replace(record, stage=stage, failed_step=""))
        return self._outcome(machine, ok=True, changed=False)

    def lost(self, machine: Machine, why: str) -> MachineOutcome:
        """A machine that did not boot, or that could not be reached."""
        record = replace(self._record(machine), stage=Stage.FAILED, failed_step="")
        try:
            write_record(self.project.folder, record)
        except LabError as error:
            why = f"{why}\n{error.in_words()}"
        return self._failed(machine, why)

    def _ended(
        self, machine: Machine, result: parallel.Done[MachineOutcome | None]
    ) -> MachineOutcome:
        if result.value is not None:
            return result.value
        interrupted = isinstance(result.error, process.Interrupted)
        return self.lost(machine, _INTERRUPTED if interrupted else _why(result.error))

    def _refused(self, machine: Machine) -> MachineOutcome:
        refusal = self.refused[machine.name]
        return replace(self._failed(machine, refusal.why, changed=False), retry=refusal.retry)

    def _failed(self, machine: Machine, why: str, *, changed: bool = True) -> MachineOutcome:
        lines = why.strip().splitlines() or ["it did not come up"]
        return self._outcome(
            machine, ok=False, changed=changed, message=lines[0], tail=tuple(lines[1:])
        )

    def _record(self, machine: Machine) -> MachineRecord:
        """What was noted of a machine, and where it is now; a new one has no history."""
        found = self.found[machine.name]
        record = found.record
        if found.to_be_made:
            record = new_record(machine)
        elif record is None:
            # Nobody knows any more what it was made of.
            record = replace(new_record(machine), made_of="", stage=Stage.BOOTED)
        booted = machine in self.boot.waiting
        return replace(
            record,
            box=machine.box,
            ip=self.boot.addresses.get(machine.name, ""),
            size=size_of(machine) if booted else record.size,
            name=machine.student.name,
            email=machine.student.email,
            id_number=machine.student.id_number,
        )

    def _record_after(self, machine: Machine, came_of: StepsOutcome) -> MachineRecord:
        record = self._record(machine)
        digests = {step.name: step.digest for step in machine.steps}
        # A run of only some steps says nothing of the others.
        stand = dict(record.steps) if self.options.only else {}
        stand.pop(came_of.failed_step, None)
        stand |= {name: digests[name] for name in came_of.stand}
        stage = Stage.READY if stand == digests else Stage.BOOTED
        return replace(
            record,
            stage=Stage.FAILED if came_of.failed_step else stage,
            failed_step=came_of.failed_step,
            steps=stand,
            variables=digests_of_variables(machine),
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
            retry="" if ok else f"lab up {machine.target}",
            waits=self.found[machine.name].waits,
            ip=address,
            url=machine.url if address else None,
            seconds=round(time.monotonic() - self.started, 1),
        )


def _why(error: Exception | None) -> str:
    if isinstance(error, LabError):
        return error.in_words()
    # Even a bug of lab's own, met on one machine, does not stop the others.
    return f"lab met a bug of its own: {error!r}"


def _in_words(outcome: MachineOutcome) -> str:
    if not outcome.ok:
        return outcome.message
    return f"ready in {outcome.seconds:.0f} s" if outcome.changed else "nothing to do"
