"""Bakes: boxes with a guide's class steps already done, each named by all that went into it."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from itertools import takewhile

from lab.machines.boxes import catalog
from lab.machines.fleet import Machine
from lab.machines.kit import settings_folder, shared_files
from lab.machines.steps import PlannedStep
from lab.system.files import LabFolder

PREFIX = "lab-bake/"
# What a bake holds beside what its recipe is made of. The first ones held the guide's checks.
_KIND = b"kit without checks\0"


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


def class_steps(machine: Machine) -> tuple[PlannedStep, ...]:
    """The steps that are the same for every student: those before the first student step."""
    return tuple(takewhile(lambda step: step.scope == "class", machine.steps))


def bake_for(machine: Machine, folder: LabFolder) -> Bake | None:
    """The bake that would serve a machine, whether it exists or not.

    None where there is nothing to bake: no class step comes first, or Vagrant does not have the
    box that it would be made of.

    Its name covers the box, the provider, the class steps (scripts, files and variables), the
    runner and what steps may source, and what labs.yaml hands to guests. Nothing of a student and
    none of the guide's checks is in it.
    """
    steps = class_steps(machine)
    box = catalog.find(machine.box, provider=machine.provider)
    if not steps or box is None:
        return None
    digest = hashlib.sha256(_KIND + f"{machine.box}\0{machine.provider}\0".encode())
    digest.update(_identity_of(box).encode())
    digest.update(steps[-1].digest.encode())
    settings = settings_folder(folder, machine.lab.name)
    for path in (*shared_files(), *sorted(settings.glob("*"))):
        digest.update(f"{path.name}\0".encode())
        digest.update(path.read_bytes())
    recipe = digest.hexdigest()[:16]
    return Bake(box=f"{PREFIX}{machine.guide.name}-{recipe}", recipe=recipe, steps=steps)


def exists(bake: Bake, *, provider: str) -> bool:
    """Whether Vagrant has the bake."""
    return catalog.find(bake.box, provider=provider) is not None


def _identity_of(box: catalog.Box) -> str:
    """What a box holds: its root's name or its images' checksums, else its version and its age."""
    return box.root_id or " ".join(box.checksums.values()) or f"{box.version} {box.created}"
