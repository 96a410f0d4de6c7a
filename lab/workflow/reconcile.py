"""What there is of each machine, with the provider, in lab's notes and in Vagrant's.

Nothing here changes anything: `plan` tells of it, `up` and `destroy` act on it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from lab.classroom.classes import MachineSize
from lab.classroom.results import Label
from lab.machines.fleet import Machine
from lab.machines.providers.base import Guest
from lab.machines.steps import StepReport
from lab.workflow.project import Project
from lab.workflow.records import MachineRecord, Stage, all_records

_DIGEST_LENGTH = 8


@dataclass(frozen=True, kw_only=True)
class Found:
    """What there is of one machine.

    Attributes:
        machine: the machine as labs.yaml wants it.
        guest: what the provider has under its name.
        record: what lab noted of it.
        in_vagrant: whether Vagrant has a note of it.
    """

    machine: Machine
    guest: Guest | None
    record: MachineRecord | None
    in_vagrant: bool

    @property
    def running(self) -> bool:
        """Whether it runs."""
        return self.guest is not None and self.guest.state == "running"

    @property
    def foreign(self) -> bool:
        """Whether something is in its place that lab did not make."""
        return self.guest is not None and not (
            self.guest.started or self.record is not None or self.in_vagrant
        )

    @property
    def cut_off(self) -> bool:
        """Whether its making was cut off before it ever started.

        One that lab noted as made is none, whatever its provider says: it may hold somebody's work.
        """
        return self.guest is not None and not (self.guest.started or _was_made(self.record))

    @property
    def to_be_made(self) -> bool:
        """Whether nothing is there that could be started."""
        return self.guest is None or self.cut_off

    @property
    def other_box(self) -> str:
        """The box that it was made of where labs.yaml names another one now, else ""."""
        if self.guest is None or self.record is None or not self.record.made_of:
            return ""
        return self.record.made_of if self.record.made_of != self.machine.lab.box else ""

    @property
    def waits(self) -> str:
        """What it runs with where labs.yaml says otherwise, from its next start on, else ""."""
        had, wanted = _noted_size(self.record), size_of(self.machine)
        if not self.running or had in {"", wanted}:
            return ""
        return f"it runs with {had}; labs.yaml says {wanted}"


@dataclass(frozen=True, kw_only=True)
class Standing:
    """How a machine stands, why, and from which step on something is to be run ("" for none)."""

    label: Label
    why: str = ""
    step: str = ""


def find(
    project: Project, machines: Sequence[Machine], guests: Mapping[str, Guest]
) -> dict[str, Found]:
    """What there is of each machine, by its name."""
    records = all_records(project.folder)
    return {
        machine.name: Found(
            machine=machine,
            guest=guests.get(machine.container),
            record=records.get(machine.name),
            in_vagrant=_in_vagrant(project, machine.name, guests.get(machine.container)),
        )
        for machine in machines
    }


def strays(project: Project, guests: Mapping[str, Guest]) -> tuple[dict[str, str], dict[str, str]]:
    """This project's machines that labs.yaml no longer names, and what lab did not make.

    Args:
        project: whose machines.
        guests: what the provider has; guests of other names than this project's are foreign.

    Returns:
        The orphans and the foreign, each as the provider's name by the machine's.
    """
    wanted = {machine.container for machine in project.machines}
    records = all_records(project.folder)
    orphans: dict[str, str] = {}
    foreign: dict[str, str] = {}
    for guest in guests.values():
        if guest.name in wanted:
            continue
        name = guest.name.removeprefix(project.prefix)
        ours = guest.name.startswith(project.prefix) and (
            guest.started or name in records or _in_vagrant(project, name, guest)
        )
        (orphans if ours else foreign)[name] = guest.name
    return orphans, foreign


def orphans_of(project: Project) -> dict[str, str]:
    """This project's machines that labs.yaml no longer names: the provider's name by theirs.

    Raises:
        ProcessError: the provider did not answer.
    """
    return strays(project, project.provider.guests(project.prefix))[0]


def standing(found: Found, reports: Sequence[StepReport] | None) -> Standing:
    """How a machine stands to what labs.yaml wants.

    Args:
        found: what there is of it.
        reports: what its own records say of its steps; None where it could not be asked, and lab's
            notes have to do.
    """
    if found.guest is None:
        why = "it was made, and is gone" if _was_made(found.record) else ""
        return Standing(label=Label.MISSING, why=why)
    if found.foreign:
        return Standing(
            label=Label.FOREIGN, why=f"the guest {found.guest.name} is in its place, not of lab's"
        )
    if found.cut_off:
        return Standing(label=Label.HALF_MADE, why="its making was cut off")
    if found.other_box:
        now = found.machine.lab.box
        return Standing(
            label=Label.DRIFTED, why=f"it was made of {found.other_box}; labs.yaml says {now} now"
        )
    if found.running and reports is None:
        return Standing(label=Label.HALF_MADE, why="it runs, and cannot be asked by SSH")
    steps = _of_steps(found, reports if reports is not None else noted(found))
    if steps.label is not Label.OK:
        return steps
    if not found.running:
        words = "" if found.guest.state == "stopped" else f"it is {found.guest.state}"
        return Standing(label=Label.STOPPED, why=words)
    return Standing(label=Label.DRIFTED, why=found.waits) if found.waits else steps


def size_of(machine: Machine) -> str:
    """A machine's share of the host in words, and what it may reach: what a boot gives it."""
    size: MachineSize = machine.student.machine
    share = f"cpus {size.cpus}, memory {size.memory_mb} MB"
    return share + _reach(isolated=machine.lab.isolated, internet=machine.lab.internet)


def _reach(*, isolated: bool, internet: bool) -> str:
    words = {True: "on", False: "off"}
    return f", isolation {words[isolated]}, internet {words[internet]}"


def _noted_size(record: MachineRecord | None) -> str:
    """A machine's share and what it may reach as of its last boot, "" where that is not known."""
    if record is None or not record.size or "isolation" in record.size:
        return record.size if record is not None else ""
    # It has run since before machines were kept apart.
    return record.size + _reach(isolated=False, internet=True)


def digests_of_variables(machine: Machine) -> dict[str, str]:
    """A short digest of each variable of a machine's steps, to tell later which one changed."""
    return {
        name: hashlib.sha256(value.encode()).hexdigest()[:_DIGEST_LENGTH]
        for name, value in {**machine.class_variables, **machine.student_variables}.items()
    }


def _was_made(record: MachineRecord | None) -> bool:
    return record is not None and bool(
        record.stage in {Stage.BOOTED, Stage.READY} or record.steps or record.failed_step
    )


def _of_steps(found: Found, reports: Sequence[StepReport]) -> Standing:
    todo = [report for report in reports if report.word == "todo"]
    if not todo:
        return Standing(label=Label.OK)
    first = todo[0].step
    by_reason = {report.reason: report.step for report in reversed(todo)}
    if step := by_reason.get("cut-off"):
        return Standing(label=Label.HALF_MADE, why=f"its step {step} was cut off", step=first)
    if step := by_reason.get("failed"):
        return Standing(label=Label.HALF_MADE, why=f"its step {step} failed", step=first)
    if step := by_reason.get("new"):
        if found.record is not None and found.record.stage is Stage.READY and len(todo) == 1:
            return Standing(label=Label.DRIFTED, why=f"step {step} is new", step=first)
        return Standing(label=Label.HALF_MADE, why=f"its step {step} has not run", step=first)
    if step := by_reason.get("changed"):
        return Standing(label=Label.DRIFTED, why=_what_changed(found, step), step=first)
    why = f"what its step {first} owns was changed in the machine"
    return Standing(label=Label.DRIFTED, why=why, step=first)


def _what_changed(found: Found, step: str) -> str:
    before = found.record.variables if found.record is not None else {}
    now = digests_of_variables(found.machine)
    names = sorted(
        name.removeprefix("LAB_").lower()
        for name in before.keys() | now.keys()
        if before and before.get(name) != now.get(name)
    )
    if names:
        return f"other than when its step {step} ran: {', '.join(names)}"
    return f"the guide's step {step} is another than the one that ran"


def noted(found: Found) -> list[StepReport]:
    """The reports that lab's notes of a machine's steps amount to, where it cannot be asked."""
    record = found.record
    stood = record.steps if record is not None else {}
    reports = []
    for step in found.machine.steps:
        if stood.get(step.name) == step.digest:
            reports.append(StepReport(word="kept", step=step.name))
        elif record is not None and record.failed_step == step.name:
            reports.append(StepReport(word="todo", step=step.name, reason="failed"))
        else:
            reason = "changed" if step.name in stood else "new"
            reports.append(StepReport(word="todo", step=step.name, reason=reason))
    return reports


def _in_vagrant(project: Project, name: str, guest: Guest | None) -> bool:
    """Whether Vagrant's note of a machine is of the guest that is in its place."""
    note = vagrants_note(project, name)
    if guest is None or not note.exists():
        return False
    return note.read_text(encoding="utf-8", errors="replace") == vagrants_name_of(guest)


def vagrants_name_of(guest: Guest) -> str:
    """What Vagrant notes of a machine: which guest it is."""
    return guest.vagrant_id or guest.name


def vagrants_note(project: Project, name: str) -> Path:
    """Where Vagrant notes which guest a machine is."""
    return project.path / ".vagrant" / "machines" / name / project.provider.name / "id"
