"""libvirt through vagrant-libvirt: full virtual machines, under KVM or emulated."""

from __future__ import annotations

import ipaddress
import shutil
import time
from collections.abc import Collection, Mapping, Sequence
from functools import cached_property
from pathlib import Path

from lab.classroom.classes import MachineSize
from lab.errors import HostError, ProcessError
from lab.machines import kvm
from lab.machines.boxes import catalog
from lab.machines.boxes import libvirt as boxes_libvirt
from lab.machines.boxes.catalog import Box
from lab.machines.boxes.repack import pack_folder
from lab.machines.health import Command
from lab.machines.providers import libvirt_capacity, libvirt_disks, libvirt_network, libvirt_storage
from lab.machines.providers import libvirt_virsh as virsh
from lab.machines.providers.base import Addresses, Guest, Limit, Wanted
from lab.machines.providers.kept_disks import KeptDisks
from lab.system import crash, process
from lab.system.kernel import Kernel

KERNEL = Kernel()
# A boot, the guide's steps and its checks, emulated, against the same in a container.
_EMULATED = 8.0
# Where Debian's packages, and `vagrant plugin install`, keep plugins.
_GEMS = (
    "/usr/share/rubygems-integration/*/gems",
    "/usr/share/rubygems-integration/gems",
    "/var/lib/gems/*/gems",
)
_PLUGIN = "vagrant-libvirt-*"
_PLAIN_PROCESSOR = (("cpu_mode", "custom"), ("cpu_model", virsh.PLAIN_PROCESSOR))
_HALT_S = 30.0
_LOOK_AGAIN_S = 0.5
# What of a machine is its own, and goes before others are made of it. What it keeps for its next
# boot is told to keep nothing any more, first.
_BEFORE_PACK = """
set -eu
systemctl stop systemd-random-seed.service 2>/dev/null || true
journalctl --rotate --quiet 2>/dev/null || true
rm -rf /etc/ssh/ssh_host_* /home/vagrant/.ssh /home/vagrant/kit /var/lib/lab/seeded \
    /var/lib/systemd/random-seed /var/lib/dbus/machine-id /var/log/journal \
    /var/lib/dhcp/* /var/lib/systemd/network/* /run/systemd/netif/leases/* \
    /var/lib/apt/lists/* /var/cache/apt/*.bin /var/cache/apt/archives/*.deb \
    ~root/.cache ~root/.bash_history
find /tmp /var/tmp -mindepth 1 -maxdepth 1 ! -name 'systemd-private-*' -exec rm -rf {} +
find /var/log -type f -exec truncate -s 0 {} +
: >/etc/machine-id
: >/etc/hostname
printf '127.0.0.1 localhost\\n::1 localhost ip6-localhost ip6-loopback\\n' >/etc/hosts
sync
fstrim / 2>/dev/null || true
"""


class Libvirt(KeptDisks):
    """The provider `libvirt`."""

    name = "libvirt"
    keep_disk = boxes_libvirt.KEEP_DISK
    one_by_one = False
    addresses_any_box = True
    before_pack = _BEFORE_PACK
    boot_memory_mb = libvirt_capacity.MEMORY_IN_USE_MB

    def require(self) -> None:
        """See `Provider.require`."""
        for program, package in (
            ("vagrant", "vagrant vagrant-libvirt"),
            ("virsh", "libvirt-clients libvirt-daemon-system"),
            (kvm.QEMU, "qemu-system-x86"),
            ("qemu-img", "qemu-utils"),
            ("ssh", "openssh-client"),
        ):
            if shutil.which(program) is None:
                raise _not_installed(f"`{program}`", package)
        if not _has_plugin():
            raise _not_installed("Vagrant's plugin for libvirt", "vagrant-libvirt")
        if not process.run(process.as_root(["true"]), check=False).ok:
            raise HostError(
                "lab must run libvirt's commands as root, and sudo asks for a password",
                hint="Run lab as root, or let your user run sudo without a password (visudo).",
            )
        as_user = virsh.run_as_user("uri")
        if as_user.ok:
            return
        as_root = virsh.run("uri", check=False)
        if as_root.ok:
            raise HostError(
                f"libvirt lets only root in at {virsh.URI}, and Vagrant is run by your own user",
                details=as_user.tail(3),
                hint="sudo usermod -aG libvirt $USER   (it counts from your next login on)",
            )
        raise HostError(
            f"libvirt does not answer at {virsh.URI}",
            details=as_root.tail(3),
            hint="sudo systemctl start libvirtd   "
            "(without systemd: sudo virtlogd -d; sudo libvirtd -d)",
        )

    def require_for(self, wanted: Sequence[Wanted]) -> None:
        """See `Provider.require_for`."""
        libvirt_network.require_for(map(libvirt_network.name_for, wanted))

    @property
    def boot_weight(self) -> int:
        """See `Provider.boot_weight`: an emulated machine has a processor for itself."""
        return 4 if self._by_kvm else 1

    @property
    def patience(self) -> float:
        """See `Provider.patience`: what runs has the hypervisor that it was started with."""
        return 1.0 if self._by_kvm and not self._emulates else _EMULATED

    def remarks(self) -> tuple[str, ...]:
        """See `Provider.remarks`."""
        trial = kvm.remembered_trial()
        if trial.kvm is kvm.Kvm.WORKS:
            return ()
        untried = trial.kvm is kvm.Kvm.UNTRIED
        lead = "Nobody knows whether KVM works here" if untried else "KVM does not work here"
        fix = f" What mends it: {trial.fix}" if trial.fix else ""
        again = "" if untried else " `lab doctor` tries again."
        return (
            f"{lead} ({trial.why}), so machines are emulated: a boot takes a minute, and each step "
            f"several times as long.{fix}{again}",
        )

    @cached_property
    def _by_kvm(self) -> bool:
        return kvm.remembered_trial().kvm is kvm.Kvm.WORKS

    @cached_property
    def _emulates(self) -> bool:
        return kvm.emulated_guests_run(KERNEL)

    def guests(self, prefix: str) -> dict[str, Guest]:
        """See `Provider.guests`."""
        all_, answers = virsh.domains_and(
            *(f"net-dumpxml {it}" for it in libvirt_network.NAMES.values())
        )
        domains = {name: it for name, it in all_.items() if name.startswith(prefix)}
        networks = [it for xml in answers if (it := virsh.parse_network(xml)) is not None]
        addresses = virsh.guests_with_address(networks)
        own = libvirt_disks.owned(domains)
        found = {}
        for name, domain in domains.items():
            disk = own[name]
            running = domain.state == "running"
            # What never wrote to its disk holds nobody's work, whatever made it; unless it has
            # snapshots, and was put back to fresh.
            started = disk.holds_work or (bool(disk.identity) and running)
            found[name] = Guest(
                name=name,
                state=domain.state,
                ip=addresses.get(name, "") if running else "",
                started=started,
                identity=f"{self.name}:{domain.uuid}:{disk.identity}"
                if started and disk.identity
                else "",
                vagrant_id=domain.uuid,
            )
        return found

    def settings(self, wanted: Wanted) -> tuple[tuple[str, str], ...]:
        """See `Provider.settings`."""
        size = wanted.size
        found = (
            ("driver", "kvm" if self._by_kvm else "qemu"),
            *((("cpu_mode", "host-passthrough"),) if self._by_kvm else _PLAIN_PROCESSOR),
            ("cpus", str(size.cpus)),
            ("memory", str(size.memory_mb)),
            ("machine_virtual_size", str(size.disk_gb)),
            ("storage_pool_name", libvirt_storage.POOL),
            ("management_network_name", libvirt_network.name_for(wanted)),
        )
        if not wanted.address:
            return found
        return (
            *found,
            ("management_network_address", str(ipaddress.ip_interface(wanted.address).network)),
            ("management_network_mac", libvirt_network.mac_of(wanted.address)),
        )

    def seed_disc(self, guest: str) -> str:
        """See `Provider.seed_disc`."""
        return str(libvirt_storage.GUESTS / guest / libvirt_storage.SEED_NAME)

    def keep_apart(self, wanted: Sequence[Wanted], *, log: Path) -> None:
        """See `Provider.keep_apart`; it is done with the networks, as addresses are allotted."""

    def prepare(
        self, wanted: Sequence[Wanted], *, new: Collection[str], log: Path
    ) -> dict[str, str]:
        """See `Provider.prepare`."""
        libvirt_storage.ensure_pool(log=log)
        failures = self.mend([it.name for it in wanted if it.name not in new], log=log)
        failures |= _in_the_way(new)
        libvirt_network.ensure((libvirt_network.name_for(it) for it in wanted), log=log)
        able = [it for it in wanted if it.name not in failures]
        to_make = [it for it in able if it.name in new]
        boxes = {it.box: catalog.find(it.box, provider=self.name) for it in to_make}
        there = [box for box in boxes.values() if box is not None]
        libvirt_storage.place(there, log=log)
        # A volume of its name, of a making that was cut off, would hinder the next.
        libvirt_storage.make_way([it.name for it in to_make])
        libvirt_storage.refresh([libvirt_storage.image_name(box) for box in there], log=log)
        libvirt_storage.seed(able, new=new, log=log)
        return failures | self._adapt([it for it in able if it.name not in new], log=log)

    def _adapt(self, wanted: Sequence[Wanted], *, log: Path) -> dict[str, str]:
        """Take into account what labs.yaml, or this computer, says otherwise than before.

        Returns:
            Why some guests' definitions could not be changed, by name.
        """
        found = virsh.ask(*(f"dumpxml {it.name} --inactive" for it in wanted)) if wanted else []
        failures = {}
        for guest, xml in zip(wanted, found, strict=True):
            if not xml.strip() or not guest.address:
                continue
            changed = virsh.adapted(
                xml,
                kind="kvm" if self._by_kvm else "qemu",
                network=libvirt_network.name_for(guest),
                mac=libvirt_network.mac_of(guest.address),
            )
            if not changed:
                continue
            defined = virsh.read("define", changed, log=log)
            if not defined.ok:
                failures[guest.name] = (
                    f"libvirt does not take the change of {guest.name}\n{defined.tail()}\n"
                    f"Mend its definition (sudo virsh edit {guest.name}), or make it anew: "
                    "lab up --recreate LOGIN"
                )
        return failures

    def allot_addresses(self, guests: Sequence[Wanted]) -> Addresses:
        """See `Provider.allot_addresses`."""
        if not guests:
            return Addresses()
        libvirt_storage.keep_names([it.name for it in guests])
        domains = virsh.domains()
        given = libvirt_network.give_addresses(
            guests,
            running={it.name for it in domains.values() if it.state != "stopped"},
            forgotten=libvirt_network.forgotten({*domains, *libvirt_storage.spoken_for()}),
        )
        # DHCP tells guests their name server.
        return Addresses(of=given)

    def remove(self, guest: str) -> None:
        """See `Provider.remove`."""
        crash.point(f"before {guest} is removed")
        virsh.ask(
            f"destroy {guest}",
            f"undefine {guest} --managed-save --snapshots-metadata --checkpoints-metadata --nvram",
        )
        if guest in virsh.domains():
            raise ProcessError(
                f"libvirt's machine {guest} could not be removed",
                hint=f"sudo virsh undefine {guest}   (says why)",
            )
        self.clear([guest])

    def removal(self, guest: str) -> Command:
        """See `Provider.removal`."""
        virsh_script = (
            f"destroy {guest}; undefine {guest} --managed-save --snapshots-metadata "
            "--checkpoints-metadata --nvram --remove-all-storage"
        )
        # The address that is kept for it is let go when it is gone: see `forgotten`.
        script = (
            f"virsh --connect {virsh.URI} '{virsh_script}' && "
            f"rm -rf --one-file-system -- {libvirt_storage.GUESTS / guest}"
        )
        return Command(argv=("sh", "-c", script), as_root=True)

    def clear(self, guests: Collection[str]) -> None:
        """See `Provider.clear`."""
        there = virsh.domains()
        gone = [guest for guest in guests if guest not in there]
        # What is cut off is found again by what is left on the disk.
        libvirt_network.release(gone)
        libvirt_storage.clear(gone)

    def halt(self, guest: str) -> None:
        """See `Provider.halt`."""
        virsh.run("shutdown", guest, check=False)
        deadline = time.monotonic() + _HALT_S * self.patience
        while time.monotonic() < deadline:
            if _is_stopped(guest):
                return
            process.pause(_LOOK_AGAIN_S)
        pulled = virsh.run("destroy", guest, check=False)
        # It may have stopped by itself just then.
        if not pulled.ok and not _is_stopped(guest):
            raise ProcessError(
                f"libvirt's machine {guest} could not be stopped",
                details=pulled.tail(),
                hint=f"sudo virsh destroy {guest}   (says why)",
            )

    def pack(self, guest: str, *, root_id: str, recipe: str, work: Path, log: Path) -> Path:  # noqa: ARG002 (the box holds its root itself)
        """See `Provider.pack`."""
        folder = work / "box"
        folder.mkdir()
        size_gb = libvirt_storage.copy_whole(guest, folder / boxes_libvirt.IMAGE, log=log)
        return boxes_libvirt.write_box(folder, recipe=recipe, virtual_size_gb=size_gb, log=log)

    def export_box(self, box: Box, *, work: Path, log: Path) -> Path:
        """See `Provider.export_box`; the box is all of it."""
        return pack_folder(box, work=work, log=log)

    def root_of(self, box: Box) -> str:
        """See `Provider.root_of`; a damaged box has none."""
        try:
            return libvirt_storage.image_name(box)
        except HostError:
            return ""

    def roots(self) -> dict[str, bool]:
        """See `Provider.roots`; the guests of every project on this host count."""
        return libvirt_storage.roots()

    def remove_root(self, root: str) -> None:
        """See `Provider.remove_root`."""
        libvirt_storage.remove_root(root)

    def capacity(self) -> tuple[Limit, ...]:
        """See `Provider.capacity`."""
        beside_mb = libvirt_capacity.beside_mb(emulated=not self._by_kvm)
        return libvirt_capacity.limits(
            KERNEL,
            root=libvirt_storage.ROOT,
            networks=libvirt_network.known().values(),
            promised_mb=virsh.parse_untouched_mb(*virsh.ask(virsh.MEMORY), beside_mb=beside_mb),
        )

    def needs(self, size: MachineSize, *, new: bool) -> Mapping[str, float]:
        """See `Provider.needs`."""
        return libvirt_capacity.needs(size, new=new, emulated=not self._by_kvm)


def _in_the_way(new: Collection[str]) -> dict[str, str]:
    """Why guests cannot be made: something is under their names that may be somebody's work."""
    there = virsh.domains()
    failures = {
        name: f"libvirt has a machine {name} now, and had none when lab began\nAgain: lab up"
        for name in new
        if name in there
    }
    for name, file in libvirt_disks.work_of([it for it in new if it not in there]).items():
        failures[name] = (
            f"libvirt has no machine {name}, and what was on it is still in {file}\n"
            "To have it back, define it again: sudo virsh define FILE\n"
            "To make it anew, without what was on it: lab destroy LOGIN, then lab up LOGIN"
        )
    return failures


def _is_stopped(guest: str) -> bool:
    found = virsh.domains().get(guest)
    return found is None or found.state == "stopped"


def _has_plugin() -> bool:
    """Whether Vagrant has its plugin for libvirt, without a second of Ruby to ask it."""
    folders = [*_GEMS, str(catalog.vagrant_home() / "gems/*/gems")]
    return any(any(Path("/").glob(f"{folder.lstrip('/')}/{_PLUGIN}")) for folder in folders)


def _not_installed(what: str, package: str) -> HostError:
    return HostError(
        f"{what} is not installed, and the provider libvirt needs it",
        hint=f"sudo apt-get install --no-install-recommends {package}",
    )
