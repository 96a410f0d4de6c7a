"""VBoxManage, VirtualBox's own command: run, and what it prints of virtual machines read.

Nothing of it needs root: each user has virtual machines of their own.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from lab.system import process

PROGRAM = "VBoxManage"
# Stands in the description of each machine that lab has started.
MARK = "Made and started by lab."
_TIMEOUT_S = 120.0
# Since version 7 it speaks other languages too.
_ENGLISH = {"LC_ALL": "C", "LANG": "C", "LANGUAGE": "C"}
_VERSION = re.compile(r"^(\d+)\.(\d+)\.\d+", re.MULTILINE)
# A shared folder's line begins with `Name:` too, and a single space.
_NAME = re.compile(r"^Name: {2,}(.*)$", re.MULTILINE)
_UUID = re.compile(r"^UUID: +([0-9a-f-]{36})$", re.MULTILINE)
_STATE = re.compile(r"^State: +([a-z][a-z -]*?)(?: \(since .*\))?$", re.MULTILINE)
_RULE = re.compile(
    r"^NIC \d+ Rule\(\d+\): .*protocol = (?:tcp|TCP), .*host port = (\d+), .*guest port = (\d+)$",
    re.MULTILINE,
)
_RULE_NAME = re.compile(r"^NIC 1 Rule\(\d+\): +name = (.*?), protocol = ", re.MULTILINE)
_STATES = {
    "running": "running",
    "powered off": "stopped",
    "aborted": "stopped",
    "saved": "stopped",
    "aborted-saved": "stopped",
}
# Of disks: what it holds the differences to, and who has it.
_PARENT = re.compile(r"^Parent UUID: +(base|[0-9a-f-]{36})$", re.MULTILINE)
_USER = re.compile(r"\(UUID: ([0-9a-f-]{36})\)")
_MACHINE_FOLDER = re.compile(r"^Default machine folder: +(.*)$", re.MULTILINE)


@dataclass(frozen=True, kw_only=True)
class VirtualMachine:
    """A virtual machine as VirtualBox lists it.

    Attributes:
        name: its name.
        uuid: what VirtualBox and Vagrant know it by; no other machine has ever had it.
        state: `running`, `stopped` or `unknown`.
        marked: whether lab has started it.
        ports: the ports of this computer that lead to its own, by its own.
        rules: what the rules are called that say so.
    """

    name: str
    uuid: str
    state: str
    marked: bool
    ports: Mapping[int, int]
    rules: tuple[str, ...] = ()


def run(
    *words: str, log: Path | None = None, timeout_s: float = _TIMEOUT_S, check: bool = True
) -> process.Completed:
    """Run VBoxManage.

    Raises:
        HostError: it is not installed.
        ProcessError: it failed and `check` is set, or it took too long.
    """
    return process.run([PROGRAM, *words], env=_ENGLISH, log=log, timeout_s=timeout_s, check=check)


def version_in(text: str) -> tuple[int, int]:
    """The first two numbers of the version in what `VBoxManage --version` prints; (0, 0) for none.

    Its warnings stand before it.
    """
    found = _VERSION.search(text)
    return (int(found[1]), int(found[2])) if found else (0, 0)


@dataclass(frozen=True, kw_only=True)
class Disk:
    """A virtual disk as VirtualBox lists it.

    Attributes:
        uuid: what VirtualBox knows it by.
        parent: the disk that it holds the differences to, by UUID; `base` for none, "" where the
            list does not say it.
        users: the UUIDs of the virtual machines that have it, and of the snapshots in which.
    """

    uuid: str
    parent: str
    users: frozenset[str]


def virtual_machines() -> dict[str, VirtualMachine]:
    """All of this user's virtual machines by name, whoever made them, in one query.

    Raises:
        ProcessError: VirtualBox did not answer.
    """
    return {it.name: it for it in all_machines()}


def all_machines() -> tuple[VirtualMachine, ...]:
    """All of this user's virtual machines; those that VirtualBox cannot read have the same name.

    Raises:
        ProcessError: VirtualBox did not answer.
    """
    return parse_machines(run("list", "vms", "--long").stdout)


def parse_machines(text: str) -> tuple[VirtualMachine, ...]:
    """The virtual machines in what `VBoxManage list vms --long` prints."""
    _, *parts = _NAME.split(text)
    names = (name.strip() for name in parts[::2])
    return tuple(_parsed(name, block) for name, block in zip(names, parts[1::2], strict=True))


def _parsed(name: str, block: str) -> VirtualMachine:
    uuid, state = _UUID.search(block), _STATE.search(block)
    return VirtualMachine(
        name=name,
        uuid=uuid[1] if uuid else "",
        state=_STATES.get(state[1], "unknown") if state else "unknown",
        marked=MARK in block.splitlines(),
        ports={int(own): int(port) for port, own in _RULE.findall(block)},
        rules=tuple(_RULE_NAME.findall(block)),
    )


def disks() -> dict[str, Disk]:
    """All virtual disks that VirtualBox knows of this user's, by UUID, in one query.

    Raises:
        ProcessError: VirtualBox did not answer.
    """
    return parse_disks(run("list", "hdds", "--long").stdout)


def parse_disks(text: str) -> dict[str, Disk]:
    """The disks in what `VBoxManage list hdds --long` prints, by UUID."""
    _, *parts = _UUID.split(text)
    return {
        uuid: Disk(
            uuid=uuid,
            parent=parent[1] if (parent := _PARENT.search(block)) else "",
            users=frozenset(_USER.findall(block)),
        )
        for uuid, block in zip(parts[::2], parts[1::2], strict=True)
    }


def may_be_cloned(machine: str, disks: Mapping[str, Disk]) -> bool:
    """Whether there are, or may be, linked clones of a virtual machine.

    A disk below one of the machine's that the machine itself does not have is a clone's. What the
    list does not say counts as a clone.

    Args:
        machine: its UUID.
        disks: all that there are.
    """
    own = {uuid for uuid, it in disks.items() if machine in it.users}
    if not own or not all(it.parent for it in disks.values()):
        return True
    return any(not own.isdisjoint(_above(it, disks)) for it in disks.keys() - own)


def _above(disk: str, disks: Mapping[str, Disk]) -> Iterator[str]:
    """The disks of which a disk holds the differences, from the next on."""
    while disk in disks:
        disk = disks[disk].parent
        yield disk


def machine_folder() -> Path | None:
    """Where VirtualBox keeps virtual machines, None where it does not say."""
    found = _MACHINE_FOLDER.search(run("list", "systemproperties", check=False).stdout)
    return Path(found[1].strip()) if found else None
