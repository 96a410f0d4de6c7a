"""Bakes: boxes with a guide's class steps already done, each named by all that went into it."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import asdict, dataclass, replace
from itertools import takewhile
from typing import Any

from lab.errors import LabError
from lab.machines.boxes import catalog
from lab.machines.boxes.names import box_name
from lab.machines.fleet import Machine
from lab.machines.guest_settings import OFFLINE
from lab.machines.kit import settings_folder, shared_files
from lab.machines.steps import PlannedStep
from lab.system.files import LabFolder, read_json, write_json

PREFIX = "lab-bake/"
# What a bake holds beside what its recipe is made of. The first ones held the guide's checks.
_KIND = b"kit without checks\0"
_PORTABLE = b"for other computers\0"
_NOTE = "lab-imported.json"
# Whose machines have the disk that labs.yaml gives them, and a bake that of the machine it was made
# on: a clone can have a larger one, not a smaller one.
_WITH_DISK_SIZE = {"libvirt"}


@dataclass(frozen=True, kw_only=True)
class Bake:
    """A bake that machines could be clones of; `steps` are those that it has behind it."""

    box: str
    recipe: str
    steps: tuple[PlannedStep, ...]

    @property
    def root_id(self) -> str:
        """What its root is called on this host."""
        return self.box.replace("/", "-")


@dataclass(frozen=True, kw_only=True)
class Need:
    """What a bake must be of to serve a machine.

    Attributes:
        guide: the guide's name.
        provider: what boots the machine.
        box: Vagrant's name of the box below.
        identity: what that box holds.
        steps: the digest of the last class step, in which those before it are.
    """

    guide: str
    provider: str
    box: str
    identity: str
    steps: str


def class_steps(machine: Machine) -> tuple[PlannedStep, ...]:
    """The steps that are the same for every student: those before the first student step."""
    return tuple(takewhile(lambda step: step.scope == "class", machine.steps))


def bake_for(machine: Machine, folder: LabFolder) -> Bake | None:
    """The bake that would serve a machine, whether it exists or not.

    None where there is nothing to bake: no class step comes first, or Vagrant does not have the
    box that it would be made of.

    Its name covers the box, the provider, the class steps (scripts, files and variables), the
    runner and what steps may source, what labs.yaml hands to guests, and the size of the disk where
    it has one. Nothing of a student and none of the guide's checks is in it.
    """
    steps = class_steps(machine)
    box = catalog.find(machine.box, provider=machine.provider)
    if not steps or box is None:
        return None
    digest = hashlib.sha256(_KIND + f"{machine.box}\0{machine.provider}\0".encode())
    digest.update(box.identity.encode())
    digest.update(steps[-1].digest.encode())
    if machine.provider in _WITH_DISK_SIZE:
        digest.update(f"disk {machine.student.machine.disk_gb} GB\0".encode())
    settings = settings_folder(folder, machine.lab.name)
    for path in (*shared_files(), *sorted(settings.glob("*"))):
        # That the class is offline for the moment changes nothing in a bake.
        if path.name != OFFLINE:
            digest.update(f"{path.name}\0".encode())
            digest.update(path.read_bytes())
    recipe = digest.hexdigest()[:16]
    return Bake(box=f"{PREFIX}{machine.guide.name}-{recipe}", recipe=recipe, steps=steps)


def portable_bake(bake: Bake, machine: Machine) -> Bake:
    """The bake as it goes to other computers, whether it exists or not.

    It holds all that the bake holds, what the guide's `wheels.sh` has put together, and of what
    labs.yaml hands to guests only certificates.
    """
    digest = hashlib.sha256(_PORTABLE + bake.recipe.encode())
    if machine.guide.wheels.is_file():
        digest.update(machine.guide.wheels.read_bytes())
    recipe = digest.hexdigest()[:16]
    return replace(bake, box=f"{PREFIX}{machine.guide.name}-{recipe}", recipe=recipe)


def need_of(machine: Machine) -> Need | None:
    """What a bake must be of to serve a machine; None where no bake can.

    Settings of the host and lab's own scripts are left out: a bake from another computer has those
    of that computer, and each machine is given its own as it is brought up.
    """
    steps = class_steps(machine)
    box = catalog.find(machine.box, provider=machine.provider)
    if not steps or box is None:
        return None
    return Need(
        guide=machine.guide.name,
        provider=machine.provider,
        box=machine.box,
        identity=box.identity,
        steps=steps[-1].digest,
    )


def imported_bake(machine: Machine) -> Bake | None:
    """The bake from another computer that serves a machine; None where there is none."""
    need = need_of(machine)
    if need is None:
        return None
    for box in catalog.boxes():
        if box.name.startswith(PREFIX) and need in _serves(box):
            return Bake(box=box.name, recipe=box.recipe, steps=class_steps(machine))
    return None


def is_clone_of_bake(machine: Machine, folder: LabFolder) -> bool:
    """Whether the box that a machine was made of has today's class steps behind it."""
    plain = replace(machine, box=box_name(machine.lab.box))
    own = bake_for(plain, folder)
    if own is None:
        return False
    imported = imported_bake(plain)
    known = (own, portable_bake(own, plain), imported)
    return machine.box in {it.box for it in known if it is not None}


def note_import(box: catalog.Box, needs: Iterable[Need], *, origin: str) -> None:
    """Note with a box from another computer what it is, and what it serves here.

    The note is in the box's folder, and goes with it.

    Args:
        box: as Vagrant has it now.
        needs: what it serves, if it is a bake.
        origin: the SHA-256 of the file that it came as.

    Raises:
        LabError: it cannot be written.
    """
    serves = [asdict(need) for need in needs]
    write_json(box.folder / _NOTE, {"version": 1, "origin": origin, "serves": serves})


def origin_of(box: catalog.Box) -> str:
    """The SHA-256 of the file that a box came as from another computer, "" for any other box."""
    return str(_note_of(box).get("origin", ""))


def _serves(box: catalog.Box) -> list[Need]:
    """What a bake was noted to serve; nothing for one that was made here."""
    try:
        return [Need(**it) for it in _note_of(box).get("serves", ())]
    except TypeError:
        return []


def _note_of(box: catalog.Box) -> dict[str, Any]:
    try:
        return read_json(box.folder / _NOTE)
    except LabError:
        # It costs another import, or a bake.
        return {}
