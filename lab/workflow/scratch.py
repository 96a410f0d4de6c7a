"""A scratch machine: made for one piece of work, and removed whatever comes of it."""

from __future__ import annotations

import os
import re
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from lab.classroom.classes import GuestSettings, MachineSize
from lab.errors import MachineError
from lab.machines import kit, ssh
from lab.machines.fleet import Machine, takes_address
from lab.machines.keys import ensure_keys, write_address, write_ports
from lab.machines.providers.base import BOOT_TIMEOUT_S, Provider
from lab.machines.vagrant import Vagrant
from lab.machines.vagrantfile import render_vagrantfile
from lab.system import process
from lab.system.files import LabFolder, remove_tree, write_if_changed
from lab.system.guardian import began, runs
from lab.workflow.files import write_hooks
from lab.workflow.making import STARTED, made_alone

# For a folder without a labs.yaml: what `lab init` writes, on a box that every host can build.
DEFAULT_BOX = "debian-12"
USUAL_SETTINGS = GuestSettings(ca_certificates="host")
_MEMORY_MB = 2048


@dataclass(frozen=True, kw_only=True)
class Scratch:
    """A scratch machine that runs.

    Attributes:
        machine: it, with a name, keys and an address of its own.
        folder: the `.lab/` beside its Vagrantfile, with the SSH configuration that reaches it.
        vagrant: Vagrant in the folder of its Vagrantfile.
        ip: where it answers.
    """

    machine: Machine
    folder: LabFolder
    vagrant: Vagrant
    ip: str = ""


@contextmanager
def scratch_machine(  # noqa: PLR0913 (what it is, where it is, and who is told)
    machine: Machine,
    *,
    folder: LabFolder,
    provider: Provider,
    settings: Path,
    log: Path,
    tell: Callable[[str], None],
    keep: bool = False,
) -> Iterator[Scratch]:
    """A machine that runs in the block, and is gone after it, with its folder.

    Args:
        machine: what it is to be; Vagrant calls it as the provider does.
        folder: a place of its own; what is there of an earlier one is removed.
        provider: boots it.
        settings: what its guest is handed, a folder as from `write_settings`.
        log: gets what Vagrant says.
        tell: told what becomes of it before the block.
        keep: leave it as it is when the block ends without an error.

    Raises:
        MachineError: it did not boot, or has no address.
        HostError: the network has no address left for it, or does not do what it must.
        LabError: a program or a file on the way failed.
    """
    remove_tree(folder.project)
    folder.create()
    left = False
    try:
        shutil.copytree(settings, kit.settings_folder(folder, machine.lab.name))
        # Of one whose removal was cut off: it was nobody's.
        provider.clear([machine.container])
        ours = _equipped(machine, folder, provider)
        provider.require_for([ours.wanted])
        provider.keep_apart([ours.wanted], log=log)
        refused = provider.prepare([ours.wanted], new=[ours.container], log=log)
        if refused:
            raise MachineError(
                "The scratch machine cannot be made", details="\n".join(refused.values()), log=log
            )
        text = render_vagrantfile([ours], project=folder.project, provider=provider)
        write_if_changed(folder.project / "Vagrantfile", text)
        vagrant = Vagrant(folder.project, log=log)
        _boot(ours, vagrant, provider, tell)
        ip = _reach(ours, folder, provider)
        yield Scratch(machine=ours, folder=folder, vagrant=vagrant, ip=ip)
        left = keep
    finally:
        if not left:
            with process.cleaning_up():
                provider.remove(machine.container)
            remove_tree(folder.project)


def remove_left_over(provider: Provider, prefix: str) -> None:
    """Remove the scratch machines of that prefix, of work that was cut off.

    Raises:
        ProcessError: one could not be removed.
    """
    for left in provider.guests(prefix):
        provider.remove(left)


@contextmanager
def guarded() -> Iterator[None]:
    """In the block, what is run ends with lab; no lock is taken, as nobody is hindered.

    It is for all that runs side by side: a guardian that goes ends whatever still runs.
    """
    with Path(os.devnull).open("rb") as nothing, process.guarded(nothing.fileno()):
        yield


def own_name(prefix: str) -> str:
    """A name that says which process is at work: its number and when it started."""
    return f"{prefix}{os.getpid()}-{began(os.getpid())}"


def remove_dead_ones(provider: Provider, prefix: str) -> None:
    """Remove machines and temporary folders with such a name whose process is no more.

    Raises:
        LabError: one could not be removed.
    """
    for name in dead_ones(provider, prefix):
        provider.remove(name)
    remove_dead_folders(prefix, Path(tempfile.gettempdir()))


def dead_ones(provider: Provider, prefix: str) -> list[str]:
    """Machines with such a name whose process is no more.

    Raises:
        LabError: the provider did not answer.
    """
    return [name for name in provider.guests(prefix) if _is_of_a_dead_one(name, prefix)]


def remove_dead_folders(prefix: str, place: Path) -> None:
    """Remove folders with such a name whose process is no more; what cannot be removed stays."""
    for folder in dead_folders(prefix, place):
        shutil.rmtree(folder, ignore_errors=True)


def dead_folders(prefix: str, place: Path) -> list[Path]:
    """Folders with such a name whose process is no more."""
    return [it for it in sorted(place.glob(f"{prefix}*")) if _is_of_a_dead_one(it.name, prefix)]


def _is_of_a_dead_one(name: str, prefix: str) -> bool:
    # A folder's name is made unique besides.
    match = re.fullmatch(rf"{prefix}(\d+)-(\d+)(?:-[a-z0-9_]{{8}})?", name, re.ASCII)
    # What somebody else has called so is theirs.
    if match is None:
        return False
    pid = int(match[1])
    return not (runs(pid) and began(pid) == int(match[2]))


def _equipped(machine: Machine, folder: LabFolder, provider: Provider) -> Machine:
    """The machine with a name, keys, address, its own disk, and all that the host can spare."""
    machine = replace(machine, name=machine.container)
    write_hooks(folder)
    keys = ensure_keys(folder.ssh / machine.name, hostname=machine.name)
    # Somebody waits for this one machine.
    size = MachineSize(
        cpus=os.cpu_count() or 1,
        memory_mb=_MEMORY_MB,
        # As its work needs it; and what is packed of it has no larger one than its clones.
        disk_gb=machine.student.machine.disk_gb,
    )
    machine = replace(
        machine,
        keys=keys,
        student=machine.student.model_copy(update={"machine": size}),
        # Whatever the class may not, its class steps download.
        lab=machine.lab.model_copy(update={"internet": True, "isolated": True}),
    )
    addresses = provider.allot_addresses(
        [machine.wanted] if takes_address(machine, provider) else []
    )
    address = addresses.of.get(machine.container, "")
    write_address(keys.folder, address, name_server=addresses.gateway)
    ports = addresses.ports.get(machine.container, {})
    write_ports(keys.folder, ports)
    return replace(machine, address=address, ports=ports)


def _boot(
    machine: Machine, vagrant: Vagrant, provider: Provider, tell: Callable[[str], None]
) -> None:
    with made_alone(provider, operation="making a scratch machine", tell=tell) as made:
        tell(f"booting a machine of {machine.lab.box}")
        failures = vagrant.up(
            [machine.name],
            provider=provider.name,
            on_line=lambda _, said: made() if said.startswith(STARTED) else None,
            boot_timeout_s=BOOT_TIMEOUT_S * provider.patience,
        )
    if failures:
        raise MachineError("The scratch machine did not boot", details="\n".join(failures.values()))


def _reach(machine: Machine, folder: LabFolder, provider: Provider) -> str:
    """See that SSH finds it, and say where it answers."""
    guest = provider.guests(machine.container).get(machine.container)
    if guest is None or not guest.ip:
        raise MachineError("The scratch machine has no address")
    ssh.write_config(folder, [machine], {machine.name: guest.ip})
    return guest.ip
