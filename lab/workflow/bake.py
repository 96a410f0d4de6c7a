"""`lab bake`: the class steps once, on a scratch machine, into a box that others are clones of."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Container, Sequence
from dataclasses import replace
from pathlib import Path

from lab.errors import LabError, MachineError, ProcessError
from lab.machines import kit, ssh
from lab.machines.bakes import Bake, bake_for, imported_bake, portable_bake
from lab.machines.boxes import catalog
from lab.machines.boxes.names import box_name
from lab.machines.fleet import Machine
from lab.machines.providers.base import Provider
from lab.system import parallel, process
from lab.system.files import LabFolder, remove_tree
from lab.workflow.boxes import boxes_locked, ensure_boxes
from lab.workflow.files import write_guest_settings
from lab.workflow.observer import Observer
from lab.workflow.project import Project
from lab.workflow.scratch import Scratch, remove_left_over, scratch_machine

# One machine alone is as quick without: baking is the same steps, and packing on top.
WORTH_FROM = 2
_CLEAN_S = 120.0


def bakes_of(
    project: Project,
    machines: Sequence[Machine],
    *,
    observer: Observer,
    worth_from: int,
    offline: bool = False,
) -> tuple[dict[str, str], dict[str, str]]:
    """Which box each machine is to be a clone of; makes bakes where that is worth it.

    Until machines have been made of them, only `lab.workflow.boxes.boxes_in_use` keeps bakes.

    Args:
        project: whose machines; its guest settings have been written.
        machines: those that are to be made.
        observer: told of the baking.
        worth_from: from how many machines of one kind on a missing bake is made; one is enough
            where they reach no internet, and could not run the class steps themselves.
        offline: whether the students will be without the internet.

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
        ready = bake_at_hand(project, group[0], roots, offline=offline)
        try:
            shut = any(not machine.lab.internet for machine in group)
            if ready is None and (shut or len(group) >= worth_from):
                with boxes_locked("bake", on_wait=observer.note):
                    # Who was waited for may have made it.
                    if not is_there(project, bake, project.provider.roots()):
                        _make(project, group[0], bake, observer=observer)
                ready = bake
        except process.Interrupted:
            raise
        except LabError as error:
            failures |= dict.fromkeys([it.name for it in group], error.in_words())
        if ready is not None:
            boxes |= {machine.name: ready.box for machine in group}
    return boxes, failures


def bake_at_hand(
    project: Project, machine: Machine, roots: Container[str], *, offline: bool
) -> Bake | None:
    """The bake that a machine can be a clone of as it is; None where there is none.

    One of this computer goes before one that was imported; but what goes to other computers has
    packages for students, who need them offline.

    Args:
        project: whose machine.
        machine: it is to be made of labs.yaml's box; its guest settings have been written.
        roots: as the provider has them now.
        offline: whether the student will be without the internet.
    """
    own = bake_for(machine, project.folder)
    if own is None:
        return None
    imported = imported_bake(machine)
    known = (portable_bake(own, machine), imported, own) if offline else (own, imported)
    return next((it for it in known if it is not None and is_there(project, it, roots)), None)


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


def bake_ahead(
    project: Project, machines: Sequence[Machine], *, observer: Observer, offline: bool = False
) -> list[str]:
    """Make the bakes that machines would be clones of, were they made now; their names.

    Args:
        project: whose machines.
        machines: which of them.
        observer: told of the baking.
        offline: whether the students will be without the internet.

    Raises:
        HostError: the host cannot have such machines, or the box that they are made of can be
            neither found nor built.
        LabError: a step failed, or the scratch machine could not be made.
    """
    project.provider.require_for([machine.wanted for machine in machines])
    write_guest_settings(project, offline=offline)
    plain = [replace(machine, box=box_name(machine.lab.box)) for machine in machines]
    ensure_boxes(
        [machine.lab.box for machine in machines],
        provider=project.provider.name,
        observer=observer,
        log=project.folder.logs / "boxes.log",
        folder=project.path,
    )
    boxes, failures = bakes_of(project, plain, observer=observer, worth_from=1, offline=offline)
    if failures:
        why = next(iter(failures.values()))
        raise MachineError(
            why.splitlines()[0],
            details="\n".join(why.splitlines()[1:]),
            hint="Mend the step, or what it says is missing; then: lab bake",
            log=project.folder.logs / "bake.log",
        )
    return list(dict.fromkeys(boxes.values()))


def is_there(project: Project, bake: Bake, roots: Container[str]) -> bool:
    """Whether Vagrant has a bake that machines can be made of."""
    box = catalog.find(bake.box, provider=project.provider.name)
    # Without its root it is of no use: somebody has tidied up, or this is another host.
    return box is not None and (box.holds_root or project.provider.root_of(box) in roots)


def _make(project: Project, machine: Machine, bake: Bake, *, observer: Observer) -> None:
    """Run the class steps on a scratch machine, and give Vagrant the result as a box."""
    log = project.folder.logs / "bake.log"
    make_bake(
        project,
        machine,
        bake,
        observer=observer,
        work=lambda scratch, tell: run_class_steps(
            scratch.machine, scratch.folder, log=log, tell=tell
        ),
    )


def make_bake(
    project: Project,
    machine: Machine,
    bake: Bake,
    *,
    observer: Observer,
    work: Callable[[Scratch, Callable[[str], None]], None],
) -> None:
    """Do something on a scratch machine, and give Vagrant the result as a box.

    The lock of Vagrant's boxes is held.

    Args:
        project: whose bake.
        machine: one that it is for, with the box that it is made of.
        bake: what is made; its steps are those of the scratch machine.
        observer: told of the progress.
        work: what is done.

    Raises:
        LabError: it could not be done, or the scratch machine could not be made.
    """
    log = project.folder.logs / "bake.log"
    observer.started(1, f"baking {machine.guide.name}, once for the whole class")
    done = parallel.run_all(
        [bake],
        lambda bake, tell: _bake(project, machine, bake, work=work, log=log, tell=tell),
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
    project: Project,
    machine: Machine,
    bake: Bake,
    *,
    work: Callable[[Scratch, Callable[[str], None]], None],
    log: Path,
    tell: Callable[[str], None],
) -> None:
    # Of a bake that was cut off nothing is of use. Another project may be at the same one.
    prefix = scratch_prefix(project.id)
    remove_left_over(project.provider, prefix)
    container = prefix + bake.recipe
    wanted = replace(
        machine, name="bake", container=container, student_variables={}, steps=bake.steps
    )
    with scratch_machine(
        wanted,
        folder=LabFolder(project.folder.root / "bake" / bake.recipe),
        provider=project.provider,
        settings=kit.settings_folder(project.folder, machine.lab.name),
        log=log,
        tell=tell,
    ) as scratch:
        work(scratch, tell)
        tell("packing")
        _take_out_its_own(scratch, project.provider, log=log)
        project.provider.halt(container)
        with tempfile.TemporaryDirectory(dir=scratch.folder.project) as room:
            box = project.provider.pack(
                container, root_id=bake.root_id, recipe=bake.recipe, work=Path(room), log=log
            )
            scratch.vagrant.add_box(bake.box, str(box), provider=project.provider.name)


def _take_out_its_own(scratch: Scratch, provider: Provider, *, log: Path) -> None:
    """Take what is the machine's own out of it, as far as that must be done from inside."""
    if not provider.before_pack:
        return
    done = ssh.run_as_root(
        scratch.folder,
        scratch.machine,
        provider.before_pack,
        log=log,
        timeout_s=_CLEAN_S,
    )
    if not done.ok:
        raise ProcessError(
            "What is the scratch machine's own could not be taken out of it",
            details=done.tail(),
            log=log,
        )


def scratch_prefix(project_id: str) -> str:
    """What the provider's names of a project's machines to bake on begin with."""
    return f"labbake-{project_id}-"


def run_class_steps(
    machine: Machine, scratch: LabFolder, *, log: Path, tell: Callable[[str], None]
) -> None:
    """Give a scratch machine its kit, and run the class steps that are not done there.

    Raises:
        ProcessError: one failed.
        MachineError: the machine cannot be reached, or could not take the kit.
    """
    outcome = kit.run_steps(machine, scratch, kit.pack_kit(machine, scratch), tell=tell)
    said = scratch.log_of(machine.name)
    if said.exists():
        with log.open("ab") as whole:
            whole.write(said.read_bytes())
    if outcome.failed_step:
        script = machine.guide.folder / "steps" / f"{outcome.failed_step}.sh"
        raise ProcessError(
            f"The step {outcome.failed_step} {outcome.how_it_failed}, for the whole class: "
            "it is one that all share",
            details="\n".join(outcome.tail),
            hint=f"Mend {script}, or what it says is missing; then: lab up",
            log=log,
        )
