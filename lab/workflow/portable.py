"""A bake for other computers: with wheels for students, and without this host's settings."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from lab.machines.bakes import Bake, portable_bake
from lab.machines.boxes import catalog
from lab.machines.fleet import Machine
from lab.machines.guest_settings import CERTIFICATES
from lab.machines.kit import settings_folder
from lab.machines.wheels import gather_wheels, note_wheels
from lab.system.files import remove
from lab.workflow.bake import is_there, make_bake, run_class_steps
from lab.workflow.boxes import boxes_locked
from lab.workflow.observer import Observer
from lab.workflow.project import Project
from lab.workflow.scratch import Scratch


def ensure_portable(project: Project, machine: Machine, bake: Bake, *, observer: Observer) -> Bake:
    """See that the bake for other computers is there; it is made of a clone of the bake.

    Args:
        project: whose machine.
        machine: one that the bake is for, made of labs.yaml's box.
        bake: one that is there.
        observer: told of the progress.

    Raises:
        LabError: the wheels could not be gathered, or the scratch machine could not be made.
    """
    wanted = portable_bake(bake, machine)
    with boxes_locked("bake", on_wait=observer.note):
        if is_there(project, wanted, project.provider.roots()):
            return wanted
        gathered: list[str] = []

        def work(scratch: Scratch, tell: Callable[[str], None]) -> None:
            gathered.extend(_make_portable(project, scratch, tell))

        make_bake(project, replace(machine, box=bake.box), wanted, observer=observer, work=work)
        made = catalog.find(wanted.box, provider=project.provider.name)
        if made is not None:
            note_wheels(made, tuple(gathered))
    return wanted


def _make_portable(
    project: Project, scratch: Scratch, tell: Callable[[str], None]
) -> tuple[str, ...]:
    log = project.folder.logs / "bake.log"
    machine = scratch.machine
    run_class_steps(machine, scratch.folder, log=log, tell=tell)
    wheels: tuple[str, ...] = ()
    if machine.guide.wheels.is_file():
        tell("gathering wheels")
        wheels = gather_wheels(machine, scratch.folder, log=log)
    # A stick is lost easily: no name and password of an index or a proxy is to be on it.
    for path in settings_folder(scratch.folder, machine.lab.name).iterdir():
        if path.name != CERTIFICATES:
            remove(path)
    run_class_steps(machine, scratch.folder, log=log, tell=tell)
    return wheels
