"""A scratch machine: made for one piece of work, and removed whatever comes of it."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from lab.classroom.classes import MachineSize
from lab.errors import MachineError
from lab.machines import kit, ssh
from lab.machines.boxes.profiles import PROFILES
from lab.machines.fleet import Machine
from lab.machines.keys import ensure_keys, write_address
from lab.machines.providers.base import Provider
from lab.machines.vagrant import Vagrant
from lab.machines.vagrantfile import render_vagrantfile
from lab.system import process
from lab.system.files import LabFolder, remove_tree, write_if_changed
from lab.workflow.files import write_seed

_BOOT_TIMEOUT_S = 300.0
_MEMORY_MB = 2048


@dataclass(frozen=True, kw_only=True)
class Scratch:
    """A scratch machine that runs.

    Attributes:
        machine: it, with a name, keys and an address of its own.
        folder: the `.lab/` beside its Vagrantfile, with the SSH configuration that reaches it.
        vagrant: Vagrant in the folder of its Vagrantfile.
    """

    machine: Machine
    folder: LabFolder
    vagrant: Vagrant


@contextmanager
def scratch_machine(
    machine: Machine, *, folder: LabFolder, provider: Provider, settings: Path, log: Path
) -> Iterator[Scratch]:
    """A machine that runs in the block, and is gone after it, with its folder.

    Args:
        machine: what it is to be; `name` is what Vagrant calls it, `container` the provider.
        folder: a place of its own; what is there of an earlier one is removed.
        provider: boots it.
        settings: what its guest is handed, a folder as from `write_settings`.
        log: gets what Vagrant says.

    Raises:
        MachineError: it did not boot, or has no address.
        HostError: the network has no address left for it.
        LabError: a program or a file on the way failed.
    """
    remove_tree(folder.project)
    folder.create()
    try:
        shutil.copytree(settings, kit.settings_folder(folder, machine.lab.name))
        ours = _equipped(machine, folder, provider)
        text = render_vagrantfile([ours], project=folder.project, provider=provider)
        write_if_changed(folder.project / "Vagrantfile", text)
        vagrant = Vagrant(folder.project, log=log)
        _boot(ours, folder, vagrant, provider)
        yield Scratch(machine=ours, folder=folder, vagrant=vagrant)
    finally:
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


def _equipped(machine: Machine, folder: LabFolder, provider: Provider) -> Machine:
    """The machine with keys, address, and all that the host can spare."""
    write_seed(folder)
    keys = ensure_keys(folder.ssh / machine.name, hostname=machine.name)
    addresses = provider.allot_addresses([machine.container] if machine.lab.box in PROFILES else [])
    address = addresses.of.get(machine.container, "")
    write_address(keys.folder, address, name_server=addresses.gateway)
    # Somebody waits for this one machine.
    size = MachineSize(cpus=os.cpu_count() or 1, memory_mb=_MEMORY_MB)
    return replace(
        machine,
        keys=keys,
        address=address,
        student=machine.student.model_copy(update={"machine": size}),
    )


def _boot(machine: Machine, folder: LabFolder, vagrant: Vagrant, provider: Provider) -> None:
    failures = vagrant.up(
        [machine.name],
        provider=provider.name,
        on_line=lambda _, __: None,
        boot_timeout_s=_BOOT_TIMEOUT_S,
    )
    if failures:
        raise MachineError("The scratch machine did not boot", details="\n".join(failures.values()))
    guest = provider.guests(machine.container).get(machine.container)
    if guest is None or not guest.ip:
        raise MachineError("The scratch machine has no address")
    ssh.write_config(folder, [machine], {machine.name: guest.ip})
