"""`lab box export`, `lab box import`: what a class's machines need, by way of a USB stick."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from lab import __version__
from lab.errors import HostError, LabError, UsageError
from lab.machines import stick
from lab.machines.bakes import (
    Need,
    bake_for,
    imported_bake,
    need_of,
    note_import,
    origin_of,
    portable_bake,
)
from lab.machines.boxes import catalog
from lab.machines.boxes.names import box_name
from lab.machines.fleet import Machine
from lab.machines.stick import Entry
from lab.machines.vagrant import Vagrant
from lab.machines.wheels import wheels_of
from lab.workflow.bake import bake_ahead, is_there
from lab.workflow.boxes import boxes_in_use, boxes_locked, ensure_boxes
from lab.workflow.files import write_guest_settings
from lab.workflow.observer import Observer
from lab.workflow.portable import ensure_portable
from lab.workflow.project import Project

_SPARE_BYTES = 1_000_000


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

    What the stick holds for other classes stays.

    Args:
        project: whose machines; nobody else works on it.
        machines: which of them.
        folder: the stick.
        whole: whether they are all of the project's: then what the stick held for others of its
            machines goes.
        observer: told of the progress.

    Raises:
        HostError: the stick has too little room, or a box can be neither found nor built.
        LabError: something could not be made, read or written; the stick is not finished then.
    """
    if not folder.is_dir() and not folder.absolute().parent.is_dir():
        raise UsageError(
            f"There is no folder {folder.absolute().parent}",
            hint="Is the stick mounted? `lsblk` says where.",
        )
    # From finding a bake to having it on the stick.
    with boxes_in_use(on_wait=observer.note), _work_folder() as work:
        wanted = _wanted(project, machines, observer)
        before = stick.begun(folder)
        entries, packed = _packed(project, wanted, before, folder, work, observer)
        new = {(entry.name, entry.provider) for entry in entries}
        entries = [_with_others(it, before, project, whole=whole) for it in entries]
        entries += [
            entry
            for key, old in before.items()
            if key not in new
            and (entry := _without(old, project, whole=whole)).needed_by
            and stick.holds(folder, entry)
        ]
        todo = [it for it in entries if (it.name, it.provider) in packed]
        _require_room(folder, todo, before)
        stick.open_for_writing(folder)
        stick.clear(folder, [file.path for entry in entries for file in entry.files])
        for entry in todo:
            observer.note(f"copying {entry.name}: {entry.size / 1e6:.0f} MB")
            missing = [file for file in entry.files if not stick.has_file(folder, file)]
            if missing:
                stick.copy_parts(packed[entry.name, entry.provider], folder, entry.files)
        stick.finish(folder, entries, lab_version=__version__)
    copied = {entry.name for entry in todo}
    return [_moved(entry, changed=entry.name in copied) for entry in entries]


def import_stick(folder: Path, *, observer: Observer, log: Path | None = None) -> list[Moved]:
    """Give Vagrant what is on a stick, once all of it has been checked.

    Boxes that are there already are left alone. What a bake serves is noted with it, by the box
    that this computer has.

    Args:
        folder: the stick.
        observer: told of the progress.
        log: gets what Vagrant says.

    Raises:
        HostError: there is too little room.
        LabError: the stick is not whole, or Vagrant could not take a box.
    """
    observer.note("checking the stick")
    entries = stick.read(folder)
    home = catalog.vagrant_home()
    moved = []
    with boxes_locked("box import", on_wait=observer.note), _work_folder() as work:
        todo = [it for it in entries if not _has(it)]
        # Vagrant has a box twice while it takes it in.
        needed = sum(it.size for it in todo) + max((it.size for it in todo), default=0)
        free = shutil.disk_usage(_existing(home)).free
        if needed + _SPARE_BYTES > free:
            raise HostError(
                f"{home} has too little room: {needed / 1e6:.0f} MB are needed, "
                f"and {free / 1e6:.0f} MB are free",
                hint="lab box prune   (removes bakes that no machine uses)",
            )
        # A bake is noted with the box that it was made of.
        for entry in sorted(entries, key=lambda it: bool(it.serves)):
            changed = entry in todo
            if changed:
                observer.note(f"importing {entry.name}: {entry.size / 1e6:.0f} MB")
                source = _box_file(folder, entry, work)
                Vagrant(Path.cwd(), log=log).add_box(
                    entry.name, str(source), provider=entry.provider
                )
            _note(entry, changed=changed)
            moved.append(_moved(entry, changed=changed))
    return moved


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
            room = work / str(number)
            room.mkdir()
            packed[key] = project.provider.export_box(box, work=room, log=log)
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


def _require_room(
    folder: Path, todo: Sequence[Entry], before: Mapping[tuple[str, str], Entry]
) -> None:
    """See that the stick can take what is to be copied, before anything on it is touched."""
    needed = sum(
        file.size for entry in todo for file in entry.files if not stick.has_file(folder, file)
    )
    replaced = {
        file.path: (folder / file.path).stat().st_size
        for entry in todo
        if (old := before.get((entry.name, entry.provider))) is not None
        for file in old.files
        if (folder / file.path).is_file()
    }
    free = shutil.disk_usage(_existing(folder)).free + sum(replaced.values())
    if needed + _SPARE_BYTES > free:
        raise HostError(
            f"The stick has too little room: {needed / 1e6:.0f} MB are needed, "
            f"and {free / 1e6:.0f} MB are free",
            hint="Free some space there, or take a larger one; then run the same command again.",
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


def _box_file(folder: Path, entry: Entry, work: Path) -> Path:
    """The box in one file."""
    if len(entry.files) == 1:
        return (folder / entry.files[0].path).resolve()
    whole = work / "whole.box"
    with whole.open("wb") as target:
        for file in entry.files:
            with (folder / file.path).open("rb") as source:
                shutil.copyfileobj(source, target)
    return whole


def _moved(entry: Entry, *, changed: bool) -> Moved:
    return Moved(
        name=entry.name,
        provider=entry.provider,
        size_mb=entry.size / 1e6,
        changed=changed,
        wheels=len(entry.wheels),
    )


def _existing(path: Path) -> Path:
    """The folder, or the nearest one above it that there is."""
    path = path.absolute()
    while not path.exists():
        path = path.parent
    return path


@contextmanager
def _work_folder() -> Iterator[Path]:
    """A folder for large files, gone after the block; not in /tmp, which may be in memory."""
    with tempfile.TemporaryDirectory(prefix="lab-stick-", dir="/var/tmp") as folder:
        yield Path(folder)
