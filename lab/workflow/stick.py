"""`lab box export`, `lab box import`: what a class's machines need, by way of a USB stick."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.parse import urlsplit

from lab import __version__
from lab.errors import HostError, LabError, ProcessError
from lab.machines import stick
from lab.machines.bakes import (
    Need,
    bake_for,
    class_steps,
    imported_bake,
    need_of,
    note_import,
    origin_of,
    portable_bake,
)
from lab.machines.boxes import catalog
from lab.machines.boxes.names import box_name
from lab.machines.fleet import Machine
from lab.machines.guest_settings import pip_index
from lab.machines.stick_list import Entry
from lab.machines.stick_place import (
    not_a_stick,
    require_folder,
    require_room,
    require_writable,
)
from lab.machines.vagrant import Vagrant
from lab.machines.wheels import wheels_of
from lab.system.files import remove, remove_tree
from lab.workflow.bake import bake_ahead, is_there
from lab.workflow.boxes import add_checked, boxes_in_use, boxes_locked, ensure_boxes
from lab.workflow.files import write_guest_settings
from lab.workflow.observer import Observer
from lab.workflow.portable import ensure_portable
from lab.workflow.project import Project
from lab.workflow.scratch import own_name, remove_dead_folders

# Not /tmp, which may be in memory.
WORK = Path("/var/tmp")  # noqa: S108 (folders there have names that nobody can foresee)
WORK_PREFIX = "lab-stick-"


@dataclass(frozen=True, kw_only=True)
class Moved:
    """A box that went to a stick or came from one, or was there already (not `changed`)."""

    name: str
    provider: str
    size_mb: float
    changed: bool
    wheels: int = 0


@dataclass(frozen=True, kw_only=True)
class _Wanted:
    """A box that is to be on the stick, the labs that need it, and what it serves."""

    box: catalog.Box
    needed_by: tuple[str, ...]
    serves: tuple[Need, ...] = ()


def export(
    project: Project, machines: Sequence[Machine], folder: Path, *, whole: bool, observer: Observer
) -> list[Moved]:
    """Put on a stick what machines need on another computer; what is missing here is made.

    What the stick holds for other classes stays; what is damaged of it is told, and goes.

    Args:
        project: whose machines; nobody else works on it.
        machines: which of them.
        folder: the stick.
        whole: whether they are all of the project's: then what the stick held for others of its
            machines goes.
        observer: told of the progress.

    Raises:
        UsageError: the stick is no folder.
        HostError: the stick cannot be written or has too little room, or a box can be neither
            found nor built.
        LabError: what the stick holds for others cannot be told, and it was left as it is; or
            something could not be made, read or written, and it is not finished.
    """
    require_folder(folder)
    _refuse_password(machines)
    _require_stick(folder, observer)
    # From finding a bake to having it on the stick.
    with boxes_in_use(on_wait=observer.note), _work_folder() as work:
        wanted = _wanted(project, machines, observer)
        before = stick.begun(folder)
        entries, packed = _packed(project, wanted, before, folder, work, observer)
        new = {(entry.name, entry.provider) for entry in entries}
        entries = [_with_others(it, before, project, whole=whole) for it in entries]
        rest = [
            _without(old, project, whole=whole) for key, old in before.items() if key not in new
        ]
        entries += _whole(folder, [it for it in rest if it.needed_by], observer)
        todo = [it for it in entries if (it.name, it.provider) in packed]
        # An export that was cut off may have copied some; what is damaged goes first.
        lacking = [it for it in todo if not all(stick.has_file(folder, file) for file in it.files)]
        kept = [file.path for entry in entries if entry not in lacking for file in entry.files]
        going = stick.not_needed(folder, kept)
        require_room(
            {folder: sum(it.size for it in lacking) - stick.bytes_of(going)},
            hint="Free some space there, or take a larger one; then run the same command again.",
        )
        stick.open_for_writing(folder)
        for path in going:
            remove(path)
        for entry in lacking:
            observer.note(f"copying {entry.name}: {entry.size / 1e6:.0f} MB")
            source = packed[entry.name, entry.provider]
            stick.copy_parts(source, folder, entry.files)
            remove(source)
        stick.finish(folder, entries, lab_version=__version__)
    return [_moved(entry, changed=entry in todo) for entry in entries]


def import_stick(folder: Path, *, observer: Observer, log: Path | None = None) -> list[Moved]:
    """Give Vagrant what is on a stick, once all of it has been checked.

    Boxes that are there already are left alone. What a bake serves is noted with it, by the box
    that this computer has.

    Args:
        folder: the stick.
        observer: told of the progress.
        log: gets what Vagrant says.

    Raises:
        UsageError: the stick is no folder.
        HostError: there is too little room.
        LabError: the stick is not whole, or Vagrant could not take a box.
    """
    require_folder(folder)
    observer.note("checking the stick")
    entries = stick.read(folder)
    home = catalog.vagrant_home()
    moved = []
    with boxes_locked("box import", on_wait=observer.note), _work_folder() as work:
        todo = [it for it in entries if not _has(it)]
        largest = max((it.size for it in todo), default=0)
        # Vagrant has a box twice while it takes it in, and there is the copy from the stick.
        require_room(
            {home: sum(it.size for it in todo) + largest, work: largest},
            hint="lab box prune   (removes bakes that no machine uses)",
        )
        # A bake is noted with the box that it was made of.
        for entry in sorted(entries, key=lambda it: bool(it.serves)):
            changed = entry in todo
            if changed:
                observer.note(f"importing {entry.name}: {entry.size / 1e6:.0f} MB")
                # The stick may give other bytes than a moment ago: Vagrant takes what was checked.
                source = work / "lab.box"
                stick.put_together(folder, entry.files, source)
                vagrant = Vagrant(Path.cwd(), log=log)
                add_checked(vagrant, entry.name, str(source), provider=entry.provider)
                remove(source)
            _note(entry, changed=changed)
            moved.append(_moved(entry, changed=changed))
    return moved


def _require_stick(folder: Path, observer: Observer) -> None:
    """See that a folder can become a stick, before anything is made for it.

    Raises:
        HostError: it cannot be written.
        LabError: what it holds for others cannot be told.
    """
    stick.begun(folder)
    # It takes room that is needed.
    stick.sweep_stick(folder)
    if where := not_a_stick(folder):
        observer.note(f"{folder} is {where}: `lsblk` says whether a stick is mounted there")
    require_writable(folder)


def _wanted(project: Project, machines: Sequence[Machine], observer: Observer) -> list[_Wanted]:
    """The boxes that machines need, bakes first made where they are missing."""
    name = project.provider.name
    write_guest_settings(project)
    ensure_boxes(
        [machine.lab.box for machine in machines],
        provider=name,
        observer=observer,
        log=project.folder.logs / "boxes.log",
        folder=project.path,
    )
    plain = [replace(machine, box=box_name(machine.lab.box)) for machine in machines]
    groups: dict[tuple[str, Need | None], list[Machine]] = {}
    for machine in plain:
        groups.setdefault((machine.box, None), []).append(machine)
        if (need := need_of(machine)) is not None:
            groups.setdefault((machine.box, need), []).append(machine)
    wanted = []
    for (box, need), group in groups.items():
        found = box if need is None else _bake_for_others(project, group, observer)
        there = catalog.find(found, provider=name)
        if there is None:
            raise LabError(f"The box {found} is gone again", hint="Run the same command again.")
        labs = dict.fromkeys(f"{project.id}/{machine.lab.name}" for machine in group)
        serves = () if need is None else (need,)
        wanted.append(_Wanted(box=there, needed_by=tuple(labs), serves=serves))
    return wanted


def _bake_for_others(project: Project, group: Sequence[Machine], observer: Observer) -> str:
    """The name of a bake that serves these machines on other computers; made if there is none."""
    machine = group[0]
    own = bake_for(machine, project.folder)
    if own is None:
        raise LabError(f"The box {machine.box} is gone again", hint="Run the same command again.")
    imported = imported_bake(machine)
    roots = project.provider.roots()
    for bake in (portable_bake(own, machine), imported):
        if bake is not None and is_there(project, bake, roots):
            return bake.box
    bake_ahead(project, group, observer=observer)
    return ensure_portable(project, machine, own, observer=observer).box


def _packed(
    project: Project,
    wanted: Sequence[_Wanted],
    before: Mapping[tuple[str, str], Entry],
    folder: Path,
    work: Path,
    observer: Observer,
) -> tuple[list[Entry], dict[tuple[str, str], Path]]:
    """What is to be on the stick, and the box files of those that are not on it yet."""
    entries, packed = [], {}
    log = project.folder.logs / "boxes.log"
    for number, it in enumerate(wanted):
        box = it.box
        key = (box.name, box.provider)
        old = before.get(key)
        same = old is not None and (old.identity, old.recipe) == (box.identity, box.recipe)
        if old is not None and same and stick.holds(folder, old):
            files = old.files
        else:
            observer.note(f"packing {box.name}")
            packed[key] = _pack(project, box, work / str(number), log)
            files = stick.parts_of(
                packed[key], name=box.name, provider=box.provider, identity=box.identity
            )
        entries.append(
            Entry(
                name=box.name,
                provider=box.provider,
                identity=box.identity,
                recipe=box.recipe,
                files=files,
                needed_by=it.needed_by,
                serves=it.serves,
                wheels=wheels_of(box) or (old.wheels if old is not None and same else ()),
            )
        )
    return entries, packed


def _pack(project: Project, box: catalog.Box, room: Path, log: Path) -> Path:
    """A box as a file, beside the folder that it was made in, which is gone again."""
    hint = "Free some space there, and run the same command again."
    # What a root takes that is not in its box is known once it is packed.
    require_room({room.parent: int(box.size_mb * 1e6)}, hint=hint)
    room.mkdir()
    try:
        made = project.provider.export_box(box, work=room, log=log)
    except ProcessError:
        require_room({room.parent: 0}, hint=hint)
        raise
    packed = made.rename(room.with_suffix(".box"))
    remove_tree(room)
    return packed


def _whole(folder: Path, entries: Sequence[Entry], observer: Observer) -> list[Entry]:
    """Those of other classes' entries that are whole on the stick; of the others it is told."""
    whole = []
    for entry in entries:
        if problem := stick.problem_with(folder, entry):
            observer.note(
                f"{entry.name} for {entry.provider} is lost on the stick, and is taken from its "
                f"list ({problem}). It was needed by {', '.join(entry.needed_by)}: "
                f"`lab box export {folder}` in the folder of that class brings it again"
            )
        else:
            whole.append(entry)
    return whole


def _with_others(
    entry: Entry, before: Mapping[tuple[str, str], Entry], project: Project, *, whole: bool
) -> Entry:
    """The entry, needed also by those that needed it before."""
    old = before.get((entry.name, entry.provider))
    others = _without(old, project, whole=whole).needed_by if old is not None else ()
    return replace(entry, needed_by=tuple(dict.fromkeys((*others, *entry.needed_by))))


def _without(entry: Entry, project: Project, *, whole: bool) -> Entry:
    """The entry as other classes need it; where not all is exported, as this one did, too."""
    kept = [it for it in entry.needed_by if not (whole and it.startswith(f"{project.id}/"))]
    return replace(entry, needed_by=tuple(kept))


def _refuse_password(machines: Sequence[Machine]) -> None:
    """See that no bake is made with an index's password: what steps write of it stays there."""
    labs = {machine.lab.name: machine.lab for machine in machines if class_steps(machine)}
    for lab in labs.values():
        if "@" in urlsplit(pip_index(lab.guest)).netloc:
            raise HostError(
                f"{lab.name} takes Python packages from an index with a password, "
                "and a stick is lost easily",
                details="Class steps may write the index down (pipenv does, in a Pipfile), and "
                "their bake would bring it along.",
                hint="For the export name an index without a password, or none, as `pip_index` in "
                "labs.yaml.",
            )


def _has(entry: Entry) -> bool:
    """Whether Vagrant has the box already, as good as the one on the stick."""
    box = catalog.find(entry.name, provider=entry.provider)
    if box is None:
        return False
    same = bool(entry.recipe) and box.recipe == entry.recipe
    # A bake that was made here may have lost its root; one from a stick has it with it.
    return (same or origin_of(box) == entry.origin) and (box.holds_root or not entry.serves)


def _note(entry: Entry, *, changed: bool) -> None:
    """Note what a box that came from the stick is, and what it serves on this computer."""
    box = catalog.find(entry.name, provider=entry.provider)
    if box is None:
        raise LabError(f"Vagrant took the box {entry.name}, and does not have it")
    if not changed and not entry.serves:
        return
    needs = []
    for need in entry.serves:
        base = catalog.find(need.box, provider=need.provider)
        if base is not None:
            needs.append(replace(need, identity=base.identity))
    note_import(box, needs, origin=entry.origin)


def _moved(entry: Entry, *, changed: bool) -> Moved:
    return Moved(
        name=entry.name,
        provider=entry.provider,
        size_mb=entry.size / 1e6,
        changed=changed,
        wheels=len(entry.wheels),
    )


@contextmanager
def _work_folder() -> Iterator[Path]:
    """A folder for large files, gone after the block, and those of dead labs before it."""
    remove_dead_folders(WORK_PREFIX, WORK)
    with tempfile.TemporaryDirectory(prefix=f"{own_name(WORK_PREFIX)}-", dir=WORK) as folder:
        yield Path(folder)
