"""Before machines boot: what is in their way, what they are clones of, and where they will be."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace

from lab.errors import UsageError
from lab.machines.boxes.names import box_name
from lab.machines.fleet import Machine, takes_address
from lab.machines.keys import write_address, write_ports
from lab.machines.providers.base import Guest
from lab.system.files import write_atomically
from lab.workflow.bake import WORTH_FROM, bakes_of
from lab.workflow.boot import not_running
from lab.workflow.observer import Observer
from lab.workflow.project import Project
from lab.workflow.reconcile import Found, vagrants_name_of, vagrants_note


@dataclass(frozen=True, kw_only=True)
class Refusal:
    """Why lab leaves a machine as it is; `retry` is the command that does it all the same."""

    why: str
    retry: str


def refusals(found: Mapping[str, Found]) -> dict[str, Refusal]:
    """Which machines lab keeps its hands off, by machine: what it did not make, and other boxes.

    What runs on the box that labs.yaml named before cannot become a clone of another one, and its
    steps would fail with the other box's variables.
    """
    refused = {}
    for name, it in found.items():
        target = it.machine.target
        if it.foreign:
            refused[name] = Refusal(
                why=f"lab did not make the guest {it.machine.container}, and leaves it alone\n"
                "Rename or remove it, if it is yours.",
                retry=f"lab up {target}",
            )
        elif it.other_box:
            refused[name] = Refusal(
                why=f"it was made of the box {it.other_box}; labs.yaml says {it.machine.lab.box}\n"
                "lab up --recreate makes it anew, without what is on it.",
                retry=f"lab up --recreate {target}",
            )
    return refused


def require_for_boot(
    project: Project,
    machines: Sequence[Machine],
    guests: Mapping[str, Guest],
    *,
    doomed: Collection[str],
) -> None:
    """See that the provider can have machines as labs.yaml wants them, before anything is done.

    Args:
        project: whose machines.
        machines: those that are wanted, without those that lab refuses.
        guests: what the provider has; what runs there stays as it is.
        doomed: the names of those that are made anew.

    Raises:
        HostError: it cannot; nothing was changed.
    """
    waiting = {machine.name for machine in not_running(machines, guests)}.union(doomed)
    booted = [machine.wanted for machine in machines if machine.name in waiting]
    if booted:
        project.provider.require_for(booted)


def refusals_to_work(found: Mapping[str, Found]) -> dict[str, Refusal]:
    """Which machines cannot be worked on as they are, without a boot, by machine."""
    refused = {}
    for name, it in found.items():
        why = ""
        if it.guest is None:
            why = "there is no such machine"
        elif not it.running:
            why = f"it is {it.guest.state}"
        if why:
            retry = f"lab up {it.machine.target}"
            refused[name] = Refusal(why=why, retry=retry)
    return refused


def clear_the_way(
    project: Project, found: Sequence[Found], guests: Mapping[str, Guest]
) -> dict[str, Guest]:
    """Make Vagrant's notes agree with what the provider has; returns what that has then.

    A creation that was cut off leaves a guest that never started: it is removed, to be made anew.
    One that did start may hold a student's work: Vagrant is told of it again.

    Raises:
        LabError: something could not be removed or written.
    """
    left = dict(guests)
    for it in found:
        if it.cut_off:
            project.provider.remove(it.machine.container)
            del left[it.machine.container]
        elif it.guest is not None and not it.in_vagrant:
            note = vagrants_note(project, it.machine.name)
            write_atomically(note, vagrants_name_of(it.guest))
    return left


def with_boxes(
    project: Project,
    machines: Sequence[Machine],
    guests: Mapping[str, Guest],
    *,
    observer: Observer,
    worth_from: int | None,
    offline: bool,
) -> tuple[Project, dict[str, str]]:
    """Decide what machines that are to be made are clones of; makes bakes where that pays.

    Args:
        project: whose machines.
        machines: those that are wanted.
        guests: what the provider has.
        observer: told of the baking.
        worth_from: from how many machines on a missing bake is made; None for no bakes at all.
        offline: whether the students will be without the internet.

    Returns:
        The project with its machines' boxes, and why some cannot be made, by machine.
    """
    # Whatever a machine was made of before, one that is made anew begins with labs.yaml's box.
    new = [
        replace(machine, box=box_name(machine.lab.box))
        for machine in machines
        if machine.container not in guests
    ]
    boxes = {machine.name: machine.box for machine in new}
    failures: dict[str, str] = {}
    if worth_from is not None:
        baked, failures = bakes_of(
            project, new, observer=observer, worth_from=worth_from, offline=offline
        )
        boxes |= baked
    changed = (replace(it, box=boxes.get(it.name, it.box)) for it in project.machines)
    return replace(project, machines=tuple(changed)), failures


def with_addresses(
    project: Project, machines: Sequence[Machine], guests: Mapping[str, Guest]
) -> Project:
    """Give machines that are there or are to be made their addresses and ports.

    They are noted where their seed is.

    Raises:
        HostError: the network has not so many left.
    """
    provider = project.provider
    wanted = {machine.name for machine in machines}
    ours = [
        machine
        for machine in project.machines
        if machine.container in guests
        or (machine.name in wanted and takes_address(machine, provider))
    ]
    allotted = provider.allot_addresses([machine.wanted for machine in ours])
    for machine in project.machines:
        write_address(
            machine.keys.folder,
            allotted.of.get(machine.container, ""),
            name_server=allotted.gateway,
        )
        write_ports(machine.keys.folder, allotted.ports.get(machine.container, {}))
    changed = (
        replace(
            it,
            address=allotted.of.get(it.container, ""),
            ports=allotted.ports.get(it.container, {}),
        )
        for it in project.machines
    )
    return replace(project, machines=tuple(changed))


def require_bakes(machines: Sequence[Machine], *, bake: bool) -> None:
    """See that machines that are to be made can run their class steps, in a `bake` or themselves.

    Raises:
        UsageError: some reach no internet, and have class steps that download.
    """
    labs = {
        machine.lab.name
        for machine in machines
        if not machine.lab.internet
        and any(step.scope == "class" and step.downloads for step in machine.steps)
    }
    if labs and not bake:
        raise UsageError(
            f"Machines of {', '.join(sorted(labs))} reach no internet (`internet: off`), and "
            "cannot download in class steps of their own",
            hint="lab up, without --no-bake: the class steps are run once, on a machine that may.",
        )


def worth_baking_from(machines: int, *, bake: bool, provision: bool) -> int | None:
    """From how many machines on a missing bake is made; None for no bakes at all."""
    if not bake:
        return None
    # Without steps a bake that is there is used, and none is made.
    return WORTH_FROM if provision else machines + 1
