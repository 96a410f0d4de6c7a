"""VirtualBox, through Vagrant's own provider: full virtual machines on macOS and Linux hosts.

It was written by VirtualBox's and Vagrant's documentation and sources, and never booted by us:
docs/providers.md says what was tried.
"""

from __future__ import annotations

import ipaddress
import os
import shutil
import time
from collections.abc import Collection, Mapping, Sequence
from functools import cached_property
from pathlib import Path

from lab.classroom.classes import MachineSize
from lab.errors import HostError, ProcessError
from lab.machines.boxes.seed_disc import write_seed_disc
from lab.machines.fleet import LOOPBACK
from lab.machines.providers import virtualbox_manage as manage
from lab.machines.providers import virtualbox_network as network
from lab.machines.providers.base import Addresses, Guest, Limit, Wanted
from lab.system import crash, process
from lab.system.kernel import Kernel, disk_gb

KERNEL = Kernel()
SEED_NAME = "seed.iso"
_OLDEST = (6, 1)
# Since this version a machine can be kept from what listens on this computer's loopback.
_CLOSES_LOOPBACK = (7, 0)
# None of these was measured. What VirtualBox takes beside a machine's memory:
_BESIDE_MB = 96
_DISK_GB = 1.0
_DISK_RESERVE_GB = 8.0
_HALT_S = 30.0
_LOOK_AGAIN_S = 0.5
_EXPORT_S = 1800.0
_SEED_DRIVE = ("--storagectl", "SATA Controller", "--port", "1", "--device", "0")


class VirtualBox:
    """The provider `virtualbox`."""

    name = "virtualbox"
    # Vagrant's VirtualBox is not made for being called twice at a time.
    one_by_one = True
    boot_weight = 1
    boot_memory_mb = 512

    def require(self) -> None:
        """See `Provider.require`."""
        for program, what in (
            ("vagrant", "Vagrant, from its own site or your system's packages"),
            (manage.PROGRAM, "VirtualBox 7, from its own site or your system's packages"),
            ("ssh", "OpenSSH's client"),
        ):
            if shutil.which(program) is None:
                raise HostError(
                    f"`{program}` is not installed, and the provider virtualbox needs it",
                    hint=f"Install {what}.",
                )
        said = manage.run("--version", check=False)
        if "vboxdrv" in said.stdout + said.stderr:
            raise HostError(
                "VirtualBox's kernel modules are not loaded",
                details=said.tail(3),
                hint="sudo /sbin/vboxconfig   (it builds them, for which it needs the kernel's "
                "headers)",
            )
        version = manage.version_in(said.stdout)
        if not said.ok or version < _OLDEST:
            raise HostError(
                f"VirtualBox {'.'.join(map(str, _OLDEST))} or newer is needed",
                details=f"VBoxManage --version says: {said.tail(3)}",
                hint="Install VirtualBox 7, from its own site or your system's packages.",
            )

    @cached_property
    def version(self) -> tuple[int, int]:
        """The first two numbers of VirtualBox's version.

        Raises:
            LabError: it does not say.
        """
        return manage.version_in(manage.run("--version").stdout)

    @property
    def patience(self) -> float:
        """See `Provider.patience`."""
        return 2.0

    def remarks(self) -> tuple[str, ...]:
        """See `Provider.remarks`."""
        if self.version >= _CLOSES_LOOPBACK:
            return ()
        return (
            "With VirtualBox before version 7 machines reach all that listens on this computer's "
            "own address (127.0.0.1) at 10.0.2.2, each other's ports too.",
        )

    def guests(self, prefix: str) -> dict[str, Guest]:
        """See `Provider.guests`."""
        return {
            name: Guest(
                name=name,
                state=it.state,
                ip=LOOPBACK if it.state == "running" and it.ports else "",
                started=it.marked,
                identity=f"{self.name}:{it.uuid}" if it.marked else "",
                vagrant_id=it.uuid,
            )
            for name, it in manage.virtual_machines().items()
            if name.startswith(prefix)
        }

    def settings(self, wanted: Wanted) -> tuple[tuple[str, str], ...]:
        """See `Provider.settings`; words of `VBoxManage modifyvm`."""
        new = self.version >= _CLOSES_LOOPBACK
        return (
            ("--memory", str(wanted.size.memory_mb)),
            ("--cpus", str(wanted.size.cpus)),
            ("--audio-driver" if new else "--audio", "none"),
            # No window of it on any port either.
            ("--vrde", "off"),
            *((("--nat-localhostreachable1", "off"),) if new else ()),
            ("--description", manage.MARK),
        )

    def prepare(self, wanted: Sequence[Wanted], *, new: Collection[str], log: Path) -> None:  # noqa: ARG002 (no command is run)
        """See `Provider.prepare`: writes the discs with what is each machine's own."""
        if online := [it.name for it in wanted if not it.internet]:
            raise HostError(
                f"VirtualBox cannot keep {len(online)} of {len(wanted)} machines from the internet",
                details="Its NAT, by which lab reaches a machine, leads there too.",
                hint="Write `internet: on` in labs.yaml, or take the provider libvirt or lxc.",
            )
        for it in wanted:
            disc = it.keys / SEED_NAME
            if it.name in new or not disc.exists():
                write_seed_disc(disc, keys=it.keys)

    def allot_addresses(self, guests: Sequence[Wanted]) -> Addresses:
        """See `Provider.allot_addresses`; addresses are of the network of those not kept apart."""
        if not guests:
            return Addresses()
        numbers = network.give_numbers([it.name for it in guests], manage.virtual_machines())
        return Addresses(
            of={
                it.name: network.shared_address(numbers[it.name])
                for it in guests
                if not it.isolated
            },
            ports={name: network.ports(number) for name, number in numbers.items()},
        )

    def remove(self, guest: str) -> None:
        """See `Provider.remove`."""
        crash.point(f"before {guest} is removed")
        found = manage.virtual_machines().get(guest)
        if found is None:
            return
        if found.state != "stopped":
            manage.run("controlvm", guest, "poweroff", check=False)
            self._wait_until_stopped(guest)
        manage.run("unregistervm", guest, "--delete")

    def halt(self, guest: str) -> None:
        """See `Provider.halt`."""
        manage.run("controlvm", guest, "acpipowerbutton", check=False)
        if not self._wait_until_stopped(guest):
            manage.run("controlvm", guest, "poweroff")

    def _wait_until_stopped(self, guest: str) -> bool:
        """Wait until a machine stands still; says whether it does in time."""
        deadline = time.monotonic() + _HALT_S
        while time.monotonic() < deadline:
            found = manage.virtual_machines().get(guest)
            if found is None or found.state == "stopped":
                return True
            process.pause(_LOOK_AGAIN_S)
        return False
