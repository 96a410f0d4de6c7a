"""`lab bake`: the class steps once, on a scratch machine, into a box that others are clones of."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Container, Sequence
from dataclasses import replace
from pathlib import Path

from lab.errors import LabError, MachineError, ProcessError
from lab.machines import kit
from lab.machines.bakes import Bake, bake_for, exists
from lab.machines.boxes.names import box_name
from lab.machines.fleet import Machine
from lab.system import parallel, process
from lab.system.files import LabFolder, remove_tree
from lab.workflow.boxes import boxes_locked, ensure_boxes
from lab.workflow.files import write_guest_settings
from lab.workflow.observer import Observer
from lab.workflow.project import Project
from lab.workflow.scratch import remove_left_over, scratch_machine

# One machine alone is as quick without: baking is the same steps, and packing on top.
WORTH_FROM = 2


def bakes_of(
    project: Project, machines: Sequence[Machine], *, observer: Observer, worth_from: int
) -> tuple[dict[str, str], dict[str, str]]:
    """Which box each machine is to be a clone of; makes bakes where that is worth it.

    Until machines have been made of them, only `lab.workflow.boxes.boxes_in_use` keeps bakes.

    Args:
        project: whose machines; its guest settings have been written.
        machines: those that are to be made.
        observer: told of the baking.
        worth_from: from how many machines of one kind on a missing bake is made; one is enough
            where they reach no internet, and could not run the class steps themselves.

    Returns:
        The boxes by machine, and why a machine cannot be made, by machine: a bake that fails is
        the failure of those that would be its clones, and of nobody else.

    Raises:
        Interrupted: somebody stopped lab.
    """
    _remove_left_over(project, observer)
    wanted: dict[str, tuple[Bake, list[Machine]]] = {}
    for machine in machines:
        bake = bake_for(machine, project.folder)
        if bake is not None:
            wanted.setdefault(bake.box, (bake, []))[1].append(machine)
    boxes = {machine.name: machine.box for machine in machines}
    failures: dict[str, str] = {}
    roots = project.provider.roots() if wanted else {}
    for bake, group in wanted.values():
        there = _is_there(project, bake, roots)
        try:
            offline = any(not machine.lab.internet for machine in group)
            if not there and (offline or len(group) >= worth_from):
                with boxes_locked("bake", on_wait=observer.note):
                    # Who was waited for may have made it.
                    if not _is_there(project, bake, project.provider.roots()):
                        _make(project, group[0], bake, observer=observer)
                there = True
        except process.Interrupted:
            raise
        except LabError as error:
            failures |= dict.fromkeys([it.name for it in group], error.in_words())
        if there:
            boxes |= {machine.name: bake.box for machine in group}
    return boxes, failures


def _remove_left_over(project: Project, observer: Observer) -> None:
    """Remove what is left of a bake that was cut off; we hold the lock, so nobody is at it."""
    folder = project.folder.root / "bake"
    if not folder.is_dir() or not any(folder.iterdir()):
        return
    try:
        remove_left_over(project.provider, scratch_prefix(project.id))
    except LabError as error:
        # It takes some room; the class can be brought up beside it.
        observer.note(f"what an earlier bake has left could not be removed: {error.message}")
    else:
        remove_tree(folder)


def bake_ahead(project: Project, machines: Sequence[Machine], *, observer: Observer) -> list[str]:
    """Make the bakes that machines would be clones of, were they made now; their names.

    Raises:
        HostError: the box that they are made of can be neither found nor built.
        LabError: a step failed, or the scratch machine could not be made.
    """
    write_guest_settings(project)
    ensure_boxes(
        [machine.lab.box for machine in machines],
        provider=project.provider.name,
        observer=observer,
        log=project.folder.logs / "boxes.log",
        folder=project.path,
    )
    plain = [replace(machine, box=box_name(machine.lab.box)) for machine in machines]
    boxes, failures = bakes_of(project, plain, observer=observer, worth_from=1)
    if failures:
        why = next(iter(failures.values()))
        raise MachineError(
            why.splitlines()[0],
            details="\n".join(why.splitlines()[1:]),
            hint="Mend the step, or what it says is missing; then: lab bake",
            log=project.folder.logs / "bake.log",
        )
    return list(dict.fromkeys(boxes.values()))


def _is_there(project: Project, bake: Bake, roots: Container[str]) -> bool:
    """Whether Vagrant has a bake that machines can be made of."""
    # Without its root it is of no use: somebody has tidied up, or this is another host.
    return exists(bake, provider=project.provider.name) and bake.root_id in roots


def _make(project: Project, machine: Machine, bake: Bake, *, observer: Observer) -> None:
    """Run the class steps on a scratch machine, and give Vagrant the result as a box."""
    log = project.folder.logs / "bake.log"
    observer.started(1, f"baking {machine.guide.name}, once for the whole class")
    done = parallel.run_all(
        [bake],
        lambda bake, tell: _bake(project, machine, bake, log=log, tell=tell),
        workers=1,
        on_news=lambda bake, text: observer.machine(bake.box, text),
        on_done=lambda bake, result: observer.done(
            bake.box, ok=result.error is None, summary="failed" if result.error else "baked"
        ),
    )[0]
    observer.finished()
    if done.error is not None:
        raise done.error


def _bake(
    project: Project, machine: Machine, bake: Bake, *, log: Path, tell: Callable[[str], None]
) -> None:
    # Of a bake that was cut off nothing is of use. Another project may be at the same one.
    prefix = scratch_prefix(project.id)
    remove_left_over(project.provider, prefix)
    container = prefix + bake.recipe
    wanted = replace(
        machine, name="bake", container=container, student_variables={}, steps=bake.steps
    )
    tell("booting")
    with scratch_machine(
        wanted,
        folder=LabFolder(project.folder.root / "bake" / bake.recipe),
        provider=project.provider,
        settings=kit.settings_folder(project.folder, machine.lab.name),
        log=log,
    ) as scratch:
        _run_class_steps(scratch.machine, scratch.folder, log=log, tell=tell)
        tell("packing")
        project.provider.halt(container)
        with tempfile.TemporaryDirectory(dir=scratch.folder.project) as work:
            box = project.provider.pack(
                container, root_id=bake.root_id, recipe=bake.recipe, work=Path(work), log=log
            )
            scratch.vagrant.add_box(bake.box, str(box), provider=project.provider.name)


def scratch_prefix(project_id: str) -> str:
    """What the provider's names of a project's machines to bake on begin with."""
    return f"labbake-{project_id}-"


def _run_class_steps(
    machine: Machine, scratch: LabFolder, *, log: Path, tell: Callable[[str], None]
) -> None:
    outcome = kit.run_steps(machine, scratch, kit.pack_kit(machine, scratch), tell=tell)
    said = scratch.log_of(machine.name)
    if said.exists():
        with log.open("ab") as whole:
            whole.write(said.read_bytes())
    if outcome.failed_step:
        script = machine.guide.folder / "steps" / f"{outcome.failed_step}.sh"
        raise ProcessError(
            f"The step {outcome.failed_step} failed, for the whole class: it is one that all share",
            details="\n".join(outcome.tail),
            hint=f"Mend {script}, or what it says is missing; then: lab up",
            log=log,
        )
