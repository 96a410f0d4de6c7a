"""LXC through vagrant-lxc: system containers, the embedded default on any Linux host."""

from __future__ import annotations

import ipaddress
import json
import shutil
import sys
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from types import ModuleType

from lab.classroom.classes import MachineSize
from lab.errors import HostError, ProcessError
from lab.machines.boxes import lxc as boxes_lxc
from lab.machines.boxes.catalog import Box
from lab.machines.boxes.repack import pack_folder
from lab.machines.health import Command
from lab.machines.providers import (
    inotify_use,
    lxc_addresses,
    lxc_capacity,
    lxc_isolation,
    lxc_net,
)
from lab.machines.providers.base import Addresses, Guest, Limit, Wanted
from lab.machines.providers.kept_disks import KeptDisks
from lab.system import crash, process
from lab.system.kernel import Kernel

BRIDGE = "lxcbr0"
_LEASES = f"/var/lib/misc/dnsmasq.{BRIDGE}.leases"
KERNEL = Kernel()
_CPU_PERIOD_US = 100_000
# The clone's seed leaves a mark beside its configuration, and in it what tells it from its
# namesakes; machines of earlier versions of lab have an empty one. A machine that was put back to
# fresh has none until it is started, but a folder for snapshots.
_LIST_GUESTS = """
set -e
lxc-ls --fancy --fancy-format NAME,STATE,IPV4 --filter="^$1"
path=$(lxc-config lxc.lxcpath)
cd "$path"
for mark in "$1"*/seeded "$1"*/snapshots; do
  [ -e "$mark" ] || continue
  identity=
  if [ -f "$mark" ]; then
    read -r identity <"$mark" || :
    [ -n "$identity" ] || identity=@$(stat -c %Y "$mark")
  fi
  echo "began ${mark%/*} $identity"
done
"""


class Lxc(KeptDisks):
    """The provider `lxc`."""

    name = "lxc"
    keep_disk = boxes_lxc.KEEP_DISK
    one_by_one = False
    boot_weight = 8
    boot_memory_mb = lxc_capacity.MEMORY_IN_USE_MB
    # Guests of other boxes may insist on asking by DHCP.
    addresses_any_box = False
    before_pack = ""

    def require(self) -> None:
        """See `Provider.require`."""
        for program, package in (
            ("vagrant", "vagrant vagrant-lxc"),
            ("lxc-create", "lxc"),
            ("ssh", "openssh-client"),
        ):
            if shutil.which(program) is None:
                raise HostError(
                    f"`{program}` is not installed, and the provider lxc needs it",
                    hint=f"sudo apt-get install --no-install-recommends {package}",
                )
        if not process.run(process.as_root(["true"]), check=False).ok:
            raise HostError(
                "lab must run LXC's commands as root, and sudo asks for a password",
                hint="Run lab as root, or let your user run sudo without a password (visudo).",
            )
        if not (lxc_net.INTERFACES / BRIDGE).exists():
            raise HostError(
                f"The bridge {BRIDGE} that connects LXC machines is not up",
                hint="; ".join(map(str, lxc_net.start())),
            )

    def require_for(self, wanted: Sequence[Wanted]) -> None:
        """See `Provider.require_for`."""
        lxc_isolation.require_for(wanted, bridge=BRIDGE)
        # Machines without the internet too: what they are clones of is installed with it.
        if address := bridge_address().partition("/")[0]:
            lxc_net.require_name_server(BRIDGE, address)

    def guests(self, prefix: str) -> dict[str, Guest]:
        """See `Provider.guests`."""
        lines = process.run(
            process.as_root(["sh", "-c", _LIST_GUESTS, "sh", prefix]), timeout_s=60
        ).stdout.splitlines()
        marks = [line.split() for line in lines if line.startswith("began ")]
        began = {name for _, name, *_ in marks}
        identities = {
            name: f"{self.name}:{identity[0]}" for _, name, *identity in marks if identity
        }
        found = {}
        for line in lines[1 : len(lines) - len(marks)]:
            name, state, *addresses = line.split()
            found[name] = Guest(
                name=name,
                state={"RUNNING": "running", "STOPPED": "stopped"}.get(state, "unknown"),
                ip=addresses[0].strip(",") if addresses and addresses[0] != "-" else "",
                started=name in began,
                identity=identities.get(name, ""),
            )
        return found

    @property
    def patience(self) -> float:
        """See `Provider.patience`."""
        return 1.0

    def remarks(self) -> tuple[str, ...]:
        """See `Provider.remarks`."""
        return ()

    def seed_disc(self, guest: str) -> str:  # noqa: ARG002 (a clone's seed writes into its root)
        """See `Provider.seed_disc`."""
        return ""

    def keep_apart(self, wanted: Sequence[Wanted], *, log: Path) -> None:
        """See `Provider.keep_apart`; LXC's hook sees to it again as it starts a guest."""
        lxc_isolation.install(wanted, bridge=BRIDGE, log=log)

    def prepare(
        self, wanted: Sequence[Wanted], *, new: Collection[str], log: Path
    ) -> dict[str, str]:
        """See `Provider.prepare`; LXC's hooks do the rest as it starts a guest."""
        return self.mend([it.name for it in wanted if it.name not in new], log=log)

    def settings(self, wanted: Wanted) -> tuple[tuple[str, str], ...]:
        """See `Provider.settings`; an overlay has no size of its own, so `disk` is not enforced."""
        size, address = wanted.size, wanted.address
        memory, quota = f"{size.memory_mb}M", size.cpus * _CPU_PERIOD_US
        share: tuple[tuple[str, str], ...]
        if Path("/sys/fs/cgroup/cgroup.controllers").exists():
            share = (
                ("cgroup2.memory.max", memory),
                ("cgroup2.cpu.max", f"{quota} {_CPU_PERIOD_US}"),
            )
        else:
            share = (
                ("cgroup.memory.limit_in_bytes", memory),
                ("cgroup.cpu.cfs_quota_us", str(quota)),
            )
        share = (*share, ("net.0.veth.pair", lxc_isolation.port_name(wanted)))
        if not address:
            return share
        # The hardware address goes with the address, and not with the machine: who had it before is
        # still in this computer's ARP table.
        octets = ipaddress.ip_interface(address).ip.packed
        return (
            *share,
            ("net.0.ipv4.address", address),
            ("net.0.ipv4.gateway", "auto"),
            ("net.0.hwaddr", "02:00:" + ":".join(f"{octet:02x}" for octet in octets)),
        )

    def allot_addresses(self, guests: Sequence[Wanted]) -> Addresses:
        """See `Provider.allot_addresses`."""
        bridge = bridge_address()
        if not bridge:
            return Addresses()
        program = [sys.executable, "-I", str(lxc_addresses.__file__)]
        said = process.run(
            process.as_root(
                [*program, self._lxcpath(), _LEASES, bridge, *(guest.name for guest in guests)]
            ),
            timeout_s=60,
        )
        answer = json.loads(said.stdout)
        if answer["left_out"]:
            raise HostError(
                f"The network of {BRIDGE} ({bridge}) has no addresses left for "
                f"{answer['left_out']} of {len(guests)} machines",
                details="Addresses that other machines on this host have, running or not, and that "
                "its DHCP server has given away are taken.",
                hint=lxc_capacity.LARGER_NETWORK,
            )
        return Addresses(gateway=bridge.partition("/")[0], of=answer["addresses"])

    def _lxcpath(self) -> str:
        return process.run(process.as_root(["lxc-config", "lxc.lxcpath"])).stdout.strip()

    def remove(self, guest: str) -> None:
        """See `Provider.remove`."""
        crash.point(f"before {guest} is removed")
        completed = process.run(
            process.as_root(["lxc-destroy", "--force", "--name", guest]), check=False, timeout_s=60
        )
        if not completed.ok and guest in self.guests(guest):
            raise ProcessError(
                f"The container {guest} could not be removed", details=completed.tail()
            )

    def removal(self, guest: str) -> Command:
        """See `Provider.removal`."""
        return Command(argv=("lxc-destroy", "--force", "--name", guest), as_root=True)

    def clear(self, guests: Collection[str]) -> None:
        """See `Provider.clear`; all of it is in the guest's own folder, and goes with that."""

    def halt(self, guest: str) -> None:
        """See `Provider.halt`."""
        asked = ["lxc-info", "--name", guest, "--state", "--no-humanize"]
        said = process.run(process.as_root(asked), check=False, timeout_s=60).stdout
        if said.strip() == "FROZEN":
            # It would not hear that it is to stop.
            thaw = ["lxc-unfreeze", "--name", guest]
            process.run(process.as_root(thaw), check=False, timeout_s=60)
        process.run(process.as_root(["lxc-stop", "--name", guest, "--timeout", "20"]), timeout_s=60)

    def pack(self, guest: str, *, root_id: str, recipe: str, work: Path, log: Path) -> Path:
        """See `Provider.pack`; the box shares a root on this host, and holds no copy of it."""
        process.run(
            process.as_root([str(boxes_lxc.PACK_GUEST), guest, root_id]), log=log, timeout_s=600
        )
        return boxes_lxc.write_box(work, root_id=root_id, recipe=recipe, tarball=None, log=log)

    def root_of(self, box: Box) -> str:
        """See `Provider.root_of`."""
        return box.root_id

    def export_box(self, box: Box, *, work: Path, log: Path) -> Path:
        """See `Provider.export_box`; the root of a bake is this host's, and packed with it."""
        if box.holds_root or not box.root_id:
            return pack_folder(box, work=work, log=log)
        tarball = work / boxes_lxc.IMAGE
        root = Path(self._lxcpath(), ".lab-roots", box.root_id)
        boxes_lxc.pack_root(root, tarball=tarball, log=log)
        return boxes_lxc.write_box(
            work, root_id=box.root_id, recipe=box.recipe, tarball=tarball, log=log
        )

    def roots(self) -> dict[str, bool]:
        """See `Provider.roots`; the guests of every project on this host count."""
        script = (
            'cd "$(lxc-config lxc.lxcpath)" 2>/dev/null || exit 0; for root in .lab-roots/*/; do '
            'name=$(basename "$root"); [ -d ".lab-roots/$name" ] || continue; '
            'if grep -qsF "/.lab-roots/$name:" */config; then echo "used $name"; '
            'else echo "free $name"; fi; done'
        )
        lines = process.run(process.as_root(["sh", "-c", script])).stdout.splitlines()
        return {name: word == "used" for word, name in (line.split() for line in lines)}

    def remove_root(self, root: str) -> None:
        """See `Provider.remove_root`."""
        script = 'rm -rf --one-file-system "$(lxc-config lxc.lxcpath)/.lab-roots/$1"'
        process.run(process.as_root(["sh", "-c", script, "sh", root]), timeout_s=300)

    def capacity(self) -> tuple[Limit, ...]:
        """See `Provider.capacity`."""
        lxcpath = self._lxcpath()
        return lxc_capacity.limits(
            KERNEL,
            lxcpath=Path(lxcpath),
            network=self._network(lxcpath),
            inotify=_told(inotify_use, str(KERNEL.proc), "0"),
        )

    def _network(self, lxcpath: str) -> lxc_capacity.Network | None:
        bridge = bridge_address()
        told = _told(lxc_addresses, lxcpath, _LEASES, bridge) if bridge else {}
        if "free" not in told:
            return None
        # All but the network's own, the broadcast address and the bridge's.
        addresses = ipaddress.ip_interface(bridge).network.num_addresses - 3
        return lxc_capacity.Network(bridge=BRIDGE, addresses=addresses, free=told["free"])

    def needs(self, size: MachineSize, *, new: bool) -> Mapping[str, float]:
        """See `Provider.needs`."""
        return lxc_capacity.needs(size, new=new)


def bridge_address() -> str:
    """The bridge's address and prefix length, "" when it has none, or is not there."""
    words = process.run(
        ["ip", "-4", "-o", "addr", "show", "dev", BRIDGE], check=False
    ).stdout.split()
    return words[words.index("inet") + 1] if "inet" in words else ""


def _told(program: ModuleType, *words: str) -> dict[str, int]:
    """What a program of ours counts as root; nothing where it cannot."""
    ran = process.run(
        process.as_root([sys.executable, "-I", str(program.__file__), *words]),
        check=False,
        timeout_s=60,
    )
    counted: dict[str, int] = json.loads(ran.stdout) if ran.ok else {}
    return counted
