"""VirtualBox, through Vagrant's own provider: full virtual machines on macOS and Linux hosts.

It was written by VirtualBox's and Vagrant's documentation and sources, and never booted by us:
docs/providers.md says what was tried.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Collection, Mapping, Sequence
from functools import cached_property
from pathlib import Path

from lab.classroom.classes import MachineSize
from lab.errors import HostError, MachineError
from lab.machines.boxes.box_file import write_box_file
from lab.machines.boxes.catalog import Box
from lab.machines.boxes.repack import pack_folder
from lab.machines.boxes.seed_disc import write_seed_disc
from lab.machines.health import Command
from lab.machines.providers import virtualbox_manage as manage
from lab.machines.providers import virtualbox_network as network
from lab.machines.providers.base import LOOPBACK, Addresses, Guest, Limit, Snapshot, Wanted
from lab.machines.providers.libvirt import Libvirt
from lab.system import crash, process
from lab.system.kernel import Kernel, disk_gb

KERNEL = Kernel()
SEED_NAME = "seed.iso"
# Where Vagrant notes the master of a box's linked clones, in the box's folder.
_MASTER_ID = "master_id"
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


class VirtualBox:
    """The provider `virtualbox`."""

    name = "virtualbox"
    # Vagrant's VirtualBox is not made for being called twice at a time.
    one_by_one = True
    boot_weight = 1
    boot_memory_mb = 512
    addresses_any_box = True
    before_pack = Libvirt.before_pack

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

    def require_for(self, wanted: Sequence[Wanted]) -> None:
        """See `Provider.require_for`."""
        if shut := [it.name for it in wanted if not it.internet]:
            raise HostError(
                f"VirtualBox cannot keep {len(shut)} of {len(wanted)} machines from the internet",
                details="Its NAT, by which lab reaches a machine, leads there too.",
                hint="Write `internet: on` in labs.yaml, or take the provider libvirt or lxc.",
            )
        if not all(it.isolated for it in wanted):
            network.shared_network(network.allowed_networks())

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

    def seed_disc(self, guest: str) -> str:  # noqa: ARG002 (it is beside the guest's keys)
        """See `Provider.seed_disc`: the Vagrantfile knows it by the folder with the keys."""
        return ""

    def keep_apart(self, wanted: Sequence[Wanted], *, log: Path) -> None:
        """See `Provider.keep_apart`; each has a network of its own, without rules of the host's."""

    def prepare(
        self,
        wanted: Sequence[Wanted],
        *,
        new: Collection[str],
        log: Path,  # noqa: ARG002 (no command is run)
    ) -> dict[str, str]:
        """See `Provider.prepare`: writes the discs with what is each machine's own."""
        for it in wanted:
            disc = it.keys / SEED_NAME
            if it.name in new or not disc.exists():
                write_seed_disc(disc, keys=it.keys)
        return {}

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
        if found is not None:
            if found.state != "stopped":
                manage.run("controlvm", guest, "poweroff", check=False)
                self._wait_until_stopped(guest)
            manage.run("unregistervm", guest, "--delete")
        network.forget([guest])

    def removal(self, guest: str) -> Command:
        """See `Provider.removal`."""
        return Command(argv=("VBoxManage", "unregistervm", guest, "--delete"))

    def clear(self, guests: Collection[str]) -> None:
        """See `Provider.clear`: what of a guest is beside its keys goes with them."""
        there = manage.virtual_machines()
        network.forget([it for it in guests if it not in there])

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

    def require_snapshots(self) -> None:
        """See `Provider.require_snapshots`."""
        raise _no_snapshots()

    def not_renewable(self, guests: Sequence[str]) -> Mapping[str, str]:  # noqa: ARG002 (none is)
        """See `Provider.not_renewable`."""
        raise _no_snapshots()

    def snapshots(self, prefix: str) -> Mapping[str, tuple[Snapshot, ...]]:  # noqa: ARG002 (lab takes none)
        """See `Provider.snapshots`; those that Vagrant or somebody else took are theirs."""
        return {}

    def save_snapshot(self, guest: str, name: str) -> None:  # noqa: ARG002 (of no guest)
        """See `Provider.save_snapshot`."""
        raise _no_snapshots()

    def restore_snapshot(self, guest: str, name: str, *, keep_as: str | None) -> None:  # noqa: ARG002 (of no guest)
        """See `Provider.restore_snapshot`."""
        raise _no_snapshots()

    def renew(self, guest: str, *, keep_as: str | None) -> None:  # noqa: ARG002 (of no guest)
        """See `Provider.renew`."""
        raise _no_snapshots()

    def delete_snapshot(self, guest: str, name: str) -> None:  # noqa: ARG002 (of no guest)
        """See `Provider.delete_snapshot`."""
        raise _no_snapshots()

    def pack(self, guest: str, *, root_id: str, recipe: str, work: Path, log: Path) -> Path:  # noqa: ARG002 (the box holds its root itself)
        """See `Provider.pack`."""
        folder = work / "box"
        folder.mkdir()
        # Else the drive, and the disc with the guest's own keys, would be of the box.
        manage.run("storagectl", guest, "--name", "lab", "--remove", log=log)
        # And its clones would have its mark and its ports.
        rules = manage.virtual_machines()[guest].rules
        words = [word for rule in rules for word in ("--natpf1", "delete", rule)]
        manage.run("modifyvm", guest, "--description", "", *words, log=log)
        appliance = folder / "box.ovf"
        manage.run("export", guest, "--output", str(appliance), log=log, timeout_s=_EXPORT_S)
        disks = sorted(it.name for it in folder.iterdir() if it.suffix == ".vmdk")
        if len(disks) != 1:
            raise MachineError(
                f"VirtualBox exported {len(disks)} disks of {guest}, and a box has one",
                details=" ".join(disks),
                log=log,
            )
        metadata = {"provider": self.name, "lab_recipe": recipe}
        return write_box_file(folder, image=disks[0], metadata=metadata, log=log)

    def export_box(self, box: Box, *, work: Path, log: Path) -> Path:
        """See `Provider.export_box`."""
        return pack_folder(box, work=work, log=log)

    def root_of(self, box: Box) -> str:
        """See `Provider.root_of`: the master of the box's clones, a virtual machine, by its UUID.

        Vagrant makes it with the first clone, and notes it then. Masters of boxes that lab did not
        build are none of lab's business.
        """
        noted = box.folder / _MASTER_ID
        return noted.read_text(encoding="utf-8").strip() if box.recipe and noted.is_file() else ""

    def roots(self) -> dict[str, bool]:
        """See `Provider.roots`: all that may be masters, as lab has not started them."""
        disks = manage.disks()
        return {
            it.uuid: it.state != "stopped" or manage.may_be_cloned(it.uuid, disks)
            for it in manage.all_machines()
            if it.uuid and not it.marked
        }

    def remove_root(self, root: str) -> None:
        """See `Provider.remove_root`."""
        manage.run("unregistervm", root, "--delete")

    def capacity(self) -> tuple[Limit, ...]:
        """See `Provider.capacity`."""
        found = [
            Limit(
                name="ports",
                unit="",
                free=network.free_numbers(manage.virtual_machines()),
                of=network.MACHINES,
                hint="Destroy machines that nobody needs: VBoxManage list vms",
            )
        ]
        # Only Linux says it.
        if spare := KERNEL.spare_memory_mb():
            free, total = spare
            found.append(Limit(name="memory", unit="MB", free=free, of=total, promised=True))
        folder = manage.machine_folder()
        if folder is not None and (space := disk_gb(folder)) is not None:
            free, total = space
            found.append(
                Limit(
                    name="disk",
                    unit="GB",
                    free=free - _DISK_RESERVE_GB,
                    of=total,
                    hint="lab box prune   (removes the bakes that no machine is a clone of)",
                )
            )
        return tuple(found)

    def needs(self, size: MachineSize, *, new: bool) -> Mapping[str, float]:
        """See `Provider.needs`."""
        only_new = {"disk": min(_DISK_GB, size.disk_gb), "ports": 1.0} if new else {}
        return {"memory": float(size.memory_mb + _BESIDE_MB), **only_new}


def _no_snapshots() -> HostError:
    return HostError(
        "lab takes no snapshots of VirtualBox's machines, and does not reset them",
        hint="Vagrant's own: vagrant snapshot save MACHINE NAME, vagrant snapshot restore MACHINE "
        "NAME. A machine made anew: lab destroy LOGIN && lab up LOGIN",
    )
